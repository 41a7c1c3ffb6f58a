/* Changing flows: add-flow, add-flows, mod-flows, del-flows, with and without --bundle.
 *
 * All flows are read before the first one is sent, because the protocol must be one in which each of them can be
 * said, and
 * because nothing is to happen where one of them is wrong.  They are kept as the messages that will be sent, in the
 * protocol
 * that is right for those read so far; a later flow that needs another one makes us begin again, which happens a few
 * times at most.  Sending does not wait for answers; errors that come back while it goes on end it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovs-ofctl/ofctl.h"
#include "openflow/msg/bundle.h"

/* Flow-mods on their way to a switch. */
struct flow_batch {
    const char *switch_name;
    const char *file;       /* For messages; null if the flows come from the command line. */
    int command;            /* As flow_mod_parse() takes it. */
    char *text;             /* All of them, a line each. */
    size_t len;
    unsigned int usable;    /* PROTO_* that can say all read so far. */
    unsigned int protocol;  /* In which 'messages' are. */
    struct bytes messages;
    size_t n;
};

static void
fatal_in_line(const struct flow_batch *b, int line, struct error *error)
{
    if (b->file) {
        cmdline_fatal(0, "%s:%d: %s", b->file, line, error_text(error));
    }
    cmdline_fatal(0, "%s", error_text(error));
}

/* Appends one flow; false if the protocol has to be another than that of the messages so far. */
static bool
add_line(struct flow_batch *b, const char *line, int number)
{
    struct flow_mod fm;
    unsigned int protocols;
    struct error *error = flow_mod_parse(&fm, line, b->command, ofctl_names_to_accept(b->switch_name), &protocols);
    unsigned int chosen;

    if (error) {
        fatal_in_line(b, number, error);
    }
    b->usable &= protocols;
    chosen = ofctl_choose_protocol(b->usable);
    if (chosen != b->protocol && b->n) {
        flow_mod_uninit(&fm);
        b->protocol = chosen;
        return false;
    }
    b->protocol = chosen;
    if (!flow_mod_encode(&b->messages, chosen, msg_new_xid(), &fm)) {
        fatal_in_line(b, number, error_new("flow is too long for one message"));
    }
    b->n++;
    flow_mod_uninit(&fm);
    return true;
}

/* The text is needed once more if the protocol changes, and lines are cut in place, so a copy is read. */
static bool
add_lines(struct flow_batch *b)
{
    char *copy = xmemdup(b->text, b->len + 1);
    struct line_iter it = { copy, copy + b->len, 0 };
    bool ok = true;
    char *line;

    bytes_clear(&b->messages);
    b->n = 0;
    while (ok && (line = ofctl_next_line(&it))) {
        ok = add_line(b, line, it.number);
    }
    free(copy);
    return ok;
}

/* The same messages in another protocol of the plainest kind, which differs only in the command's table: read again. */
static void
encode_for(struct flow_batch *b, unsigned int protocol)
{
    unsigned int allowed = ofctl_options.protocols;

    if (protocol == b->protocol) {
        return;
    }
    ofctl_options.protocols = protocol;
    while (!add_lines(b)) {
    }
    ofctl_options.protocols = allowed;
}

static void
read_batch(struct flow_batch *b)
{
    b->usable = PROTO_ANY;
    b->protocol = ofctl_choose_protocol(PROTO_ANY);
    while (!add_lines(b)) {
    }
}

/* Prints the first error that has come, if one has, and exits. */
static void
check_errors(struct of_client *c)
{
    struct bytes m = BYTES_INIT;

    while (!of_client_try_recv(c, &m)) {
        if (m.data[1] == 1) {
            ofctl_print(stderr, m.data, m.len, NULL);
            exit(EXIT_FAILURE);
        }
    }
    bytes_uninit(&m);
}

#define CHUNK (128 * 1024)

/* Sends the messages in pieces that end where a message does. */
static void
send_batch(struct of_client *c, const struct bytes *messages)
{
    size_t at = 0;

    while (at < messages->len) {
        size_t end = at;
        struct bytes chunk = BYTES_INIT;

        while (end < messages->len && end - at < CHUNK) {
            end += msg_stated_length(messages->data + end);
        }
        bytes_put(&chunk, messages->data + at, end - at);
        ofctl_send(c, &chunk);
        check_errors(c);
        at = end;
    }
}

static void
run_batch(struct flow_batch *b)
{
    struct bytes none = BYTES_INIT;
    unsigned int protocol;
    struct of_client *c;

    read_batch(b);
    c = ofctl_open_for_flows(b->switch_name, b->usable, &protocol);
    encode_for(b, protocol);
    send_batch(c, &b->messages);
    ofctl_must_transact_noreply(c, &none);
    of_client_close(c);
}

/* Bundles. */

#define BUNDLE_ID 0
#define BUNDLE_FLAGS (BUNDLE_ATOMIC | BUNDLE_ORDERED)

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
static bool
bundle_control(struct of_client *c, uint16_t type, struct bytes *sent)
{
    struct bundle_control bc = { BUNDLE_ID, type, BUNDLE_FLAGS };
    struct bytes b = BYTES_INIT, m = BYTES_INIT;
    uint32_t xid = msg_new_xid();
    bool ok = true;

    bundle_control_encode(&b, of_client_version(c), xid, &bc);
    bytes_put(sent, b.data, b.len);
    ofctl_send(c, &b);
    do {
        ofctl_recv(c, &m);
        if (m.data[1] == 1) {
            report_bundle_error(&m, sent);
            ok = false;
        }
    } while (ofctl_xid(&m) != xid);
    bytes_uninit(&m);
    return ok;
}

/* Executes the messages, all of one version, as one atomic change. */
void
ofctl_run_bundle(struct of_client *c, const struct bytes *messages)
{
    struct bytes sent = BYTES_INIT, adds = BYTES_INIT;
    bool ok = bundle_control(c, BUNDLE_OPEN_REQUEST, &sent);

    for (size_t at = 0; ok && at < messages->len; at += msg_stated_length(messages->data + at)) {
        if (!bundle_add_encode(&adds, BUNDLE_ID, BUNDLE_FLAGS, messages->data + at,
                               msg_stated_length(messages->data + at))) {
            cmdline_fatal(0, "message is too long for a bundle");
        }
        if (adds.len >= CHUNK) {
            ofctl_send(c, &adds);
        }
    }
    if (adds.len) {
        ofctl_send(c, &adds);
    }
    bytes_put(&sent, messages->data, messages->len);
    ok = ok && bundle_control(c, BUNDLE_COMMIT_REQUEST, &sent);
    bytes_uninit(&sent);
    if (!ok) {
        cmdline_fatal(-EPROTO, "talking to %s", of_client_name(c));
    }
}

static void
run_batch_in_bundle(struct flow_batch *b)
{
    unsigned int protocol;
    struct of_client *c;

    read_batch(b);
    c = ofctl_open_for_flows(b->switch_name, b->usable, &protocol);
    encode_for(b, protocol);
    ofctl_run_bundle(c, &b->messages);
    of_client_close(c);
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

static void
run(struct flow_batch *b)
{
    if (ofctl_options.bundle) {
        ofctl_require_bundles();
        run_batch_in_bundle(b);
    } else {
        run_batch(b);
    }
    bytes_uninit(&b->messages);
    free(b->text);
}

/* The commands.  A flow of "-" means the standard input. */

static void
run_file(const char *switch_name, const char *file, int command)
{
    struct flow_batch b = { .switch_name = switch_name, .file = file, .command = command };

    b.text = ofctl_read_file(file, &b.len);
    run(&b);
}

static void
run_command(struct cmdline_ctx *ctx, int command)
{
    const char *flow = ctx->argc > 2 ? ctx->argv[2] : "";
    struct flow_batch b = { .switch_name = ctx->argv[1], .command = command };

    if (!strcmp(flow, "-")) {
        run_file(ctx->argv[1], "-", command);
        return;
    }
    /* One flow, also an empty one, which is no line of a file. */
    b.text = xstrdup(*flow ? flow : ",");
    for (char *p = b.text; *p; p++) {
        *p = *p == '\n' || *p == '#' ? ' ' : *p;
    }
    b.len = strlen(b.text);
    run(&b);
}

void
ofctl_add_flow(struct cmdline_ctx *ctx)
{
    run_command(ctx, ctx->argc > 2 && !strcmp(ctx->argv[2], "-") ? FLOW_COMMAND_FROM_TEXT : FM_ADD);
}

void
ofctl_add_flows(struct cmdline_ctx *ctx)
{
    run_file(ctx->argv[1], ctx->argv[2], FLOW_COMMAND_FROM_TEXT);
}

void
ofctl_mod_flows(struct cmdline_ctx *ctx)
{
    run_command(ctx, ofctl_options.strict ? FM_MODIFY_STRICT : FM_MODIFY);
}

void
ofctl_del_flows(struct cmdline_ctx *ctx)
{
    run_command(ctx, ofctl_options.strict ? FM_DELETE_STRICT : FM_DELETE);
}
