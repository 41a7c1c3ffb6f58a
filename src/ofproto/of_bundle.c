#include "ofproto/of_bundle.h"

#include <stdlib.h>

#include "flow/tun_metadata.h"
#include "ofproto/conns.h"
#include "ofproto/group.h"
#include "ofproto/of_bundle_commit.h"
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
    int64_t used;           /* ms: when something was last done with it... */
    int64_t used_turn;      /* ...and in which turn of the main loop that was. */
    struct bytes first;     /* The message that opened it. */
    struct bytes messages;  /* Those that add something, whole, one after the other. */
    struct prepared_flows prepared; /* What is known already of those of them that are flow-mods. */
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
forget_prepared(struct ofconn *c, struct of_bundle *b)
{
    c->n_prepared_bytes -= b->prepared.n_bytes;
    prepared_flows_uninit(&b->prepared);
}

static void
drop(struct ofconn *c, struct of_bundle *b)
{
    list_remove(&b->node);
    c->n_bundles--;
    c->n_bundle_bytes -= b->messages.len;
    forget_prepared(c, b);
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

/* Many messages come in a turn; one look at the clock is enough for all. */
static void
note_used(struct of_bundle *b)
{
    int64_t turn = loop_turn_began_us(ofproto_loop);

    if (b->used_turn != turn) {
        b->used_turn = turn;
        b->used = clock_now_ms();
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
    note_used(b);
    bytes_put(&b->first, m->data, m->len);
    list_push_back(&c->bundles, &b->node);
    c->n_bundles++;
    *bp = b;
    return OFPERR_NONE;
}

/* Adding. */

/* Whether nothing is wrong with a flow-mod, nor will be: it has no tunnel options, and what else decoding depends on
 * does not change.  It is complete then. */
static bool
prepare_flow_mod(struct ofconn *c, const struct msg *m, struct flow_mod *fm, struct act_buf *acts)
{
    bool deletes;

    if (flow_mod_decode_into(m, false, fm, acts) || tun_match_has_any(&fm->match) ||
        (fm->table_id >= 254 && fm->table_id != FM_TABLE_ANY)) {
        return false;
    }
    deletes = fm->command == FM_DELETE || fm->command == FM_DELETE_STRICT; /* Their actions are not looked at. */
    if ((deletes && fm->actions.len) || flow_mod_check(c, fm, acts, false) || fm->used_options) {
        return false;
    }
    fm->actions = act_buf_span(acts);
    return true;
}

/* Of any other flow-mod. */
static enum ofperr
check_flow_mod(struct ofconn *c, const struct msg *m, struct flow_mod *fm, struct act_buf *acts)
{
    enum ofperr error = flow_mod_decode_into(m, false, fm, acts);

    error = error ? error : options_check(c->ofproto, &fm->match, acts);
    if (!error && fm->table_id >= 254 && fm->table_id != FM_TABLE_ANY) {
        error = OFPERR_OFPBRC_EPERM;
    }
    return error ? error : flow_mod_check(c, fm, acts, false);
}

static enum ofperr
take_flow_mod(struct ofconn *c, struct of_bundle *b, const struct msg *m, size_t len)
{
    static struct act_buf acts = ACT_BUF_INIT; /* Kept: flow-mods come by the hundred thousand. */
    struct flow_mod fm;
    size_t before = b->prepared.n_bytes;

    if (!prepare_flow_mod(c, m, &fm, &acts)) {
        return check_flow_mod(c, m, &fm, &acts);
    }
    prepared_flows_put(&b->prepared, b->messages.len, len, &fm);
    c->n_prepared_bytes += b->prepared.n_bytes - before;
    return OFPERR_NONE;
}

/* What is wrong with a message by itself, whatever the switch looks like.  'len': with what it came in. */
static enum ofperr
take_message(struct ofconn *c, struct of_bundle *b, const struct msg *m, size_t len)
{
    struct act_buf acts = ACT_BUF_INIT;
    enum ofperr error = OFPERR_NONE;
    struct packet_out po;
    struct port_mod pm;
    struct group_mod gm;

    if (m->type == MSG_FLOW_MOD) {
        error = take_flow_mod(c, b, m, len);
    } else if (m->type == MSG_GROUP_MOD) {
        error = group_mod_decode(m, &gm);
        if (!error) {
            group_mod_uninit(&gm);
        }
    } else if (m->type == MSG_PACKET_OUT) {
        error = packet_out_decode(m, &po, &acts, NULL);
        error = error ? error : packet_out_check(c, &po, &acts);
    } else {
        error = port_mod_decode(m, false, &pm);
    }
    act_buf_uninit(&acts);
    return error;
}

/* It is worth having only where there is room. */
static void
limit_prepared(struct ofconn *c)
{
    if (c->n_bundle_bytes + c->n_prepared_bytes > MAX_BYTES) {
        LIST_FOR_EACH (b, struct of_bundle, node, &c->bundles) {
            forget_prepared(c, b);
        }
    }
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
    note_used(b);
    error = b->is_closed ? OFPERR_OFPBFC_BUNDLE_CLOSED
            : b->flags != add.flags ? OFPERR_OFPBFC_BAD_FLAGS
            : c->n_bundle_bytes + m->len > MAX_BYTES ? OFPERR_OFPBFC_MSG_TOO_MANY : OFPERR_NONE;
    if (error) {
        drop(c, b);
        return error;
    }
    error = take_message(c, b, &add.inner, m->len);
    if (!error) {
        bytes_put(&b->messages, m->data, m->len);
        c->n_bundle_bytes += m->len;
        limit_prepared(c);
    }
    return error;
}

/* Control messages. */

static enum ofperr
commit(struct ofconn *c, struct of_bundle *b, const struct msg *m, struct bytes *out)
{
    struct prepared_flows prepared = b->prepared;
    struct bytes messages = b->messages;

    c->n_bundle_bytes -= messages.len;
    c->n_prepared_bytes -= prepared.n_bytes;
    b->messages = (struct bytes) BYTES_INIT;
    b->prepared = (struct prepared_flows) { .store = NULL };
    return of_bundle_commit(c, b->flags & BUNDLE_ATOMIC, messages, prepared, m, out);
}

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
    note_used(b);
    if (error) {
        drop(c, b);
    }
    return error;
}

static enum ofperr
do_commit(struct ofconn *c, const struct bundle_control *bc, struct of_bundle *b, const struct msg *m,
          struct bytes *out)
{
    enum ofperr error = b->flags != bc->flags ? OFPERR_OFPBFC_BAD_FLAGS : commit(c, b, m, out);

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
        return do_commit(c, bc, b, m, out);
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
    if (!error && !c->job) { /* A commit that goes on answers later. */
        struct bundle_control reply = {
            .bundle_id = bc.bundle_id, /* The reference answers numbers that mean nothing with type 0. */
            .type = bc.type <= BUNDLE_DISCARD_REPLY ? bc.type + 1 : 0,
        };

        bundle_control_reply(out, m, &reply);
    }
    return error;
}
