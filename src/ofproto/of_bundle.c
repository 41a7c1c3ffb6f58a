#include "ofproto/of_bundle.h"

#include <stdlib.h>

#include "ofproto/conns.h"
#include "ofproto/group.h"
#include "openflow/msg/bundle.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/port.h"

enum { MAX_BUNDLES = 1024 };
#define MAX_BYTES ((size_t) 1 << 30)

struct of_bundle {
    struct list node;       /* In ofconn->bundles. */
    uint32_t id;
    uint16_t flags;
    bool is_closed;
    int64_t used;           /* ms: when something was last done with it. */
    struct bytes first;     /* The message that opened it. */
    struct bytes messages;  /* Those that add something, whole, one after the other. */
};

static struct of_bundle *
find(const struct ofconn *c, uint32_t id)
{
    LIST_FOR_EACH (b, struct of_bundle, node, &c->bundles) {
        if (b->id == id) {
            return b;
        }
    }
    return NULL;
}

static void
drop(struct ofconn *c, struct of_bundle *b)
{
    list_remove(&b->node);
    c->n_bundles--;
    c->n_bundle_bytes -= b->messages.len;
    bytes_uninit(&b->first);
    bytes_uninit(&b->messages);
    free(b);
}

void
of_bundles_destroy(struct ofconn *c)
{
    LIST_FOR_EACH_SAFE (b, struct of_bundle, node, &c->bundles) {
        drop(c, b);
    }
}

void
of_bundles_expire(struct ofconn *c, int64_t now, struct bytes *out)
{
    LIST_FOR_EACH_SAFE (b, struct of_bundle, node, &c->bundles) {
        if (now >= b->used + ofproto_settings.bundle_idle_s * INT64_C(1000)) {
            error_encode_reply(out, OFPERR_OFPBFC_TIMEOUT, c->version, b->first.data, b->first.len);
            drop(c, b);
        }
    }
}

static enum ofperr
open_bundle(struct ofconn *c, uint32_t id, uint16_t flags, const struct msg *m, struct of_bundle **bp)
{
    struct of_bundle *b;

    if (c->n_bundles >= MAX_BUNDLES) {
        return OFPERR_OFPBFC_OUT_OF_BUNDLES;
    }
    b = xzalloc(sizeof *b);
    b->id = id;
    b->flags = flags;
    b->used = clock_now_ms();
    bytes_put(&b->first, m->data, m->len);
    list_push_back(&c->bundles, &b->node);
    c->n_bundles++;
    *bp = b;
    return OFPERR_NONE;
}

/* Adding. */

/* What is wrong with a message by itself, whatever the switch looks like. */
static enum ofperr
check_message(const struct ofproto *p, const struct msg *m)
{
    struct act_buf acts = ACT_BUF_INIT;
    enum ofperr error = OFPERR_NONE;
    struct packet_out po;
    struct port_mod pm;
    struct group_mod gm;
    struct flow_mod fm;

    if (m->type == MSG_FLOW_MOD) {
        error = flow_mod_decode_into(m, false, &fm, &acts);
        error = error ? error : options_check(p, &fm.match, &acts);
        if (!error && fm.table_id >= 254 && fm.table_id != FM_TABLE_ANY) {
            error = OFPERR_OFPBRC_EPERM;
        }
    } else if (m->type == MSG_GROUP_MOD) {
        error = group_mod_decode(m, &gm);
        if (!error) {
            group_mod_uninit(&gm);
        }
    } else if (m->type == MSG_PACKET_OUT) {
        error = packet_out_decode(m, &po, &acts, NULL);
    } else {
        error = port_mod_decode(m, false, &pm);
    }
    act_buf_uninit(&acts);
    return error;
}

enum ofperr
handle_bundle_add(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct bundle_add add;
    enum ofperr error = bundle_add_decode(m, &add, NULL);
    struct of_bundle *b;

    if (error) {
        return error;
    }
    b = find(c, add.bundle_id);
    if (!b) {
        error = open_bundle(c, add.bundle_id, add.flags, m, &b);
        if (error) {
            return error;
        }
    }
    b->used = clock_now_ms();
    error = b->is_closed ? OFPERR_OFPBFC_BUNDLE_CLOSED
            : b->flags != add.flags ? OFPERR_OFPBFC_BAD_FLAGS
            : c->n_bundle_bytes + m->len > MAX_BYTES ? OFPERR_OFPBFC_MSG_TOO_MANY : OFPERR_NONE;
    if (error) {
        drop(c, b);
        return error;
    }
    error = check_message(c->ofproto, &add.inner);
    if (!error) {
        bytes_put(&b->messages, m->data, m->len);
        c->n_bundle_bytes += m->len;
    }
    return error;
}

/* Committing. */

/* What is done once the tables have changed. */
struct followup {
    bool is_port_mod;
    struct port_mod_job port_mod;
    struct packet_out_job packet_out;
};

struct commit {
    struct ofconn *c;
    bool is_atomic;
    struct tables_change change;
    struct followup *followups;
    size_t n, capacity;
    struct act_buf acts;
};

static struct followup *
add_followup(struct commit *k)
{
    if (k->n == k->capacity) {
        k->followups = x2nrealloc(k->followups, &k->capacity, sizeof *k->followups);
    }
    return &k->followups[k->n++];
}

static enum ofperr
stage_flow_mod(struct commit *k, const struct msg *m)
{
    struct flow_mod fm;
    enum ofperr error = flow_mod_prepare(k->c, m, &fm, &k->acts);

    return error ? error : change_flow_mod(&k->change, &fm);
}

static enum ofperr
stage_group_mod(struct commit *k, const struct msg *m)
{
    struct group_mod gm;
    enum ofperr error = group_mod_decode(m, &gm);

    if (!error) {
        error = change_group_mod(&k->change, &gm);
        group_mod_uninit(&gm);
    }
    return error;
}

static enum ofperr
stage(struct commit *k, const struct msg *m)
{
    struct followup *f;

    switch (m->type) {
    case MSG_FLOW_MOD:
        return stage_flow_mod(k, m);
    case MSG_GROUP_MOD:
        return stage_group_mod(k, m);
    case MSG_PACKET_OUT:
        f = add_followup(k);
        f->is_port_mod = false;
        return packet_out_prepare(k->c, m, &f->packet_out);
    case MSG_PORT_MOD:
        if (k->is_atomic) {
            return OFPERR_OFPBFC_MSG_FAILED; /* It cannot be undone. */
        }
        f = add_followup(k);
        f->is_port_mod = true;
        return port_mod_prepare(k->c, m, &f->port_mod);
    default:
        return OFPERR_OFPBFC_MSG_UNSUP;
    }
}

/* Stages all messages; on an error says of which. */
static enum ofperr
stage_all(struct commit *k, const struct bytes *messages, struct bytes *out)
{
    enum ofperr error = OFPERR_NONE;
    size_t len;

    for (size_t at = 0; at < messages->len && !error; at += len) {
        const uint8_t *data = messages->data + at;
        struct bundle_add add;
        struct msg m;

        len = msg_stated_length(data);
        error = msg_decode(data, len, &m);
        error = error ? error : bundle_add_decode(&m, &add, NULL);
        error = error ? error : stage(k, &add.inner);
        if (error) {
            error_encode_reply(out, error, k->c->version, data, len);
        }
    }
    return error;
}

static void
follow_up(struct commit *k, bool success)
{
    for (size_t i = 0; i < k->n; i++) {
        struct followup *f = &k->followups[i];

        if (f->is_port_mod) {
            if (success) {
                port_mod_execute(&f->port_mod);
            }
        } else {
            if (success) {
                packet_out_execute(k->c, &f->packet_out);
            }
            packet_out_finish(&f->packet_out);
        }
    }
    free(k->followups);
}

/* What was carried out, to whom it may concern. */
static void
forward_all(struct ofconn *c, const struct bytes *messages)
{
    for (size_t at = 0; at < messages->len; at += msg_stated_length(messages->data + at)) {
        struct bundle_add add;
        struct msg m;

        if (!msg_decode(messages->data + at, msg_stated_length(messages->data + at), &m) &&
            !bundle_add_decode(&m, &add, NULL)) {
            conns_forward_request(c, &add.inner);
        }
    }
}

static enum ofperr
commit(struct ofconn *c, struct of_bundle *b, struct bytes *out)
{
    struct ofproto *p = c->ofproto;
    struct commit k = { .c = c, .is_atomic = b->flags & BUNDLE_ATOMIC, .acts = ACT_BUF_INIT };
    enum ofperr error;

    pthread_mutex_lock(&p->tables_mutex);
    change_begin(&k.change, p, c);
    error = stage_all(&k, &b->messages, out);
    if (error) {
        change_abort(&k.change);
    } else {
        change_commit(&k.change);
    }
    pthread_mutex_unlock(&p->tables_mutex);
    follow_up(&k, !error);
    if (!error && k.change.n_groups) {
        forward_all(c, &b->messages);
    }
    act_buf_uninit(&k.acts);
    return error ? OFPERR_OFPBFC_MSG_FAILED : OFPERR_NONE;
}

/* Control messages. */

static enum ofperr
do_open(struct ofconn *c, const struct bundle_control *bc, const struct msg *m, struct of_bundle *b)
{
    if (b) {
        drop(c, b);
        return OFPERR_OFPBFC_BAD_ID;
    }
    return open_bundle(c, bc->bundle_id, bc->flags, m, &b);
}

static enum ofperr
do_close(struct ofconn *c, const struct bundle_control *bc, struct of_bundle *b)
{
    enum ofperr error = b->is_closed ? OFPERR_OFPBFC_BUNDLE_CLOSED
                        : b->flags != bc->flags ? OFPERR_OFPBFC_BAD_FLAGS : OFPERR_NONE;

    b->is_closed = true;
    b->used = clock_now_ms();
    if (error) {
        drop(c, b);
    }
    return error;
}

static enum ofperr
do_commit(struct ofconn *c, const struct bundle_control *bc, struct of_bundle *b, struct bytes *out)
{
    enum ofperr error = b->flags != bc->flags ? OFPERR_OFPBFC_BAD_FLAGS : commit(c, b, out);

    drop(c, b);
    return error;
}

static enum ofperr
control(struct ofconn *c, const struct bundle_control *bc, const struct msg *m, struct bytes *out)
{
    struct of_bundle *b = find(c, bc->bundle_id);

    if (bc->type == BUNDLE_OPEN_REQUEST) {
        return do_open(c, bc, m, b);
    }
    if (!b) {
        return OFPERR_OFPBFC_BAD_ID;
    }
    if (bc->type == BUNDLE_CLOSE_REQUEST) {
        return do_close(c, bc, b);
    }
    if (bc->type == BUNDLE_COMMIT_REQUEST) {
        return do_commit(c, bc, b, out);
    }
    drop(c, b);
    return OFPERR_NONE;
}

enum ofperr
handle_bundle_control(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct bundle_control bc;
    enum ofperr error = bundle_control_decode(m, &bc);

    if (!error && bc.type <= BUNDLE_DISCARD_REPLY && bc.type & 1) {
        error = OFPERR_OFPBFC_BAD_TYPE;
    }
    if (!error && bc.type <= BUNDLE_DISCARD_REPLY) {
        error = control(c, &bc, m, out);
    }
    if (!error) {
        struct bundle_control reply = {
            .bundle_id = bc.bundle_id, /* The reference answers numbers that mean nothing with type 0. */
            .type = bc.type <= BUNDLE_DISCARD_REPLY ? bc.type + 1 : 0,
        };

        bundle_control_reply(out, m, &reply);
    }
    return error;
}
