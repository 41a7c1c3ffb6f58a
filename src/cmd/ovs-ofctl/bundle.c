/* Bundles: messages carried out together or not at all (OpenFlow 1.4 and later; of 1.3 as an extension). */
#include <errno.h>
#include <stdlib.h>

#include "cmd/ovs-ofctl/ofctl.h"
#include "openflow/msg/bundle.h"

#define BUNDLE_ID 0
#define BUNDLE_FLAGS (BUNDLE_ATOMIC | BUNDLE_ORDERED)
#define CHUNK (128 * 1024)

struct ofctl_bundle {
    struct of_client *c; /* Not owned. */
    struct bytes sent;   /* What errors may be about: control messages, and the messages in the bundle. */
    bool ok;             /* No error has come yet. */
};

/* The message of the batch with this xid; null if it is none of them. */
static const uint8_t *
find_message(const struct bytes *messages, uint32_t xid)
{
    for (size_t at = 0; at < messages->len; at += msg_stated_length(messages->data + at)) {
        if (get_be32(messages->data + at + 4) == xid) {
            return messages->data + at;
        }
    }
    return NULL;
}

/* "Error NAME for: MESSAGE". */
static void
report_bundle_error(const struct bytes *m, const struct bytes *sent)
{
    struct msg msg;
    struct error_msg e;
    const uint8_t *about = find_message(sent, ofctl_xid(m));

    if (msg_decode(m->data, m->len, &msg) || msg.type != MSG_ERROR || error_decode(&msg, &e)) {
        ofctl_print(stderr, m->data, m->len, NULL);
        return;
    }
    fprintf(stderr, "Error %s for: ", e.error ? ofperr_name(e.error) : "(unknown)");
    if (about) {
        ofctl_print(stderr, about, msg_stated_length(about), NULL);
    } else {
        ofctl_print(stderr, e.payload.at, e.payload.left, NULL);
    }
}

/* Sends a control message and waits for its answer, reporting errors on the way. */
static void
control(struct ofctl_bundle *b, uint16_t type)
{
    struct bundle_control bc = { BUNDLE_ID, type, BUNDLE_FLAGS };
    struct bytes out = BYTES_INIT, m = BYTES_INIT;
    uint32_t xid = msg_new_xid();

    bundle_control_encode(&out, of_client_version(b->c), xid, &bc);
    bytes_put(&b->sent, out.data, out.len);
    ofctl_send(b->c, &out);
    do {
        ofctl_recv(b->c, &m);
        if (m.data[1] == 1) {
            report_bundle_error(&m, &b->sent);
            b->ok = false;
        }
    } while (ofctl_xid(&m) != xid);
    bytes_uninit(&m);
}

static void
check(const struct ofctl_bundle *b)
{
    if (!b->ok) {
        cmdline_fatal(-EPROTO, "talking to %s", of_client_name(b->c));
    }
}

struct ofctl_bundle *
ofctl_bundle_open(struct of_client *c)
{
    struct ofctl_bundle *b = xzalloc(sizeof *b);

    b->c = c;
    b->ok = true;
    control(b, BUNDLE_OPEN_REQUEST);
    check(b);
    return b;
}

void
ofctl_bundle_free(struct ofctl_bundle *b)
{
    bytes_uninit(&b->sent);
    free(b);
}

void
ofctl_bundle_add(struct ofctl_bundle *b, const void *messages, size_t n)
{
    struct bytes adds = BYTES_INIT;
    const uint8_t *m = messages, *end = m + n;

    bytes_put(&b->sent, messages, n);
    bytes_reserve(&adds, MIN(n + n / 4, CHUNK + UINT16_MAX));
    for (; m < end; m += msg_stated_length(m)) {
        if (!bundle_add_encode(&adds, BUNDLE_ID, BUNDLE_FLAGS, m, msg_stated_length(m))) {
            cmdline_fatal(0, "message is too long for a bundle");
        }
        if (adds.len >= CHUNK) {
            ofctl_send(b->c, &adds);
        }
    }
    if (adds.len) {
        ofctl_send(b->c, &adds);
    }
    of_client_poll(b->c);
}

void
ofctl_bundle_commit(struct ofctl_bundle *b)
{
    control(b, BUNDLE_COMMIT_REQUEST);
    check(b);
}

void
ofctl_run_bundle(struct of_client *c, const struct bytes *messages)
{
    struct ofctl_bundle *b = ofctl_bundle_open(c);

    ofctl_bundle_add(b, messages->data, messages->len);
    ofctl_bundle_commit(b);
    ofctl_bundle_free(b);
}

/* Bundles are of OpenFlow 1.4 and later (of 1.3 as an extension): those versions need not be allowed explicitly. */
void
ofctl_require_bundles(void)
{
    unsigned int with_bundles = PROTO_OF13_UP;

    if (!(ofctl_options.protocols & with_bundles)) {
        ofctl_options.versions |= 1u << OF14;
        ofctl_options.protocols |= PROTO_OF14;
    }
    ofctl_options.protocols &= with_bundles;
}
