/* set_tunnel, set_queue, pop_queue: what travels beside the packet. */

#include "openflow/action/ops.h"

/* set_tunnel. */

static enum ofperr
set_tunnel_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_tunnel *a = act_put(out, ACT_SET_TUNNEL, sizeof *a);

    a->act.form = w->form;
    a->tun_id = w->form == ACT_FORM_NX_SET_TUNNEL ? act_be32(w, 12) : act_be64(w, 16);
    return OFPERR_NONE;
}

static bool
needs_64_bits(const struct act_set_tunnel *a)
{
    return a->act.form == ACT_FORM_NX_SET_TUNNEL64 || a->tun_id > UINT32_MAX;
}

static void
set_tunnel_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_set_tunnel *a = (const struct act_set_tunnel *) act;

    if (v >= OF12) {
        act_put_set_field_u64(b, v, FIELD_TUN_ID, a->tun_id);
    } else if (needs_64_bits(a)) {
        size_t start = act_begin(b, ACT_FORM_NX_SET_TUNNEL64);

        bytes_put_zeros(b, 6);
        bytes_put_be64(b, a->tun_id);
        act_end(b, start);
    } else {
        act_put_be32(b, ACT_FORM_NX_SET_TUNNEL, a->tun_id);
    }
}

static void
set_tunnel_format(struct act_writer *w, const struct act *act)
{
    const struct act_set_tunnel *a = (const struct act_set_tunnel *) act;

    str_putf(w->s, "set_tunnel%s:%#llx", needs_64_bits(a) ? "64" : "", (unsigned long long) a->tun_id);
}

static struct error *
set_tunnel_parse(struct act_parser *p, const char *keyword, char *arg)
{
    struct act_set_tunnel *a = act_put(p->out, ACT_SET_TUNNEL, sizeof *a);

    a->act.form = keyword[10] ? ACT_FORM_NX_SET_TUNNEL64 : ACT_FORM_NX_SET_TUNNEL;
    return act_parse_u64(arg, &a->tun_id);
}

static enum ofperr
anything_goes(struct act *act UNUSED, struct act_check *c UNUSED)
{
    return OFPERR_NONE;
}

const struct act_ops act_set_tunnel_ops = {
    .decode = set_tunnel_decode, .encode = set_tunnel_encode, .format = set_tunnel_format,
    .parse = set_tunnel_parse, .check = anything_goes,
};

/* set_queue. */

static enum ofperr
set_queue_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_queue *a = act_put(out, ACT_SET_QUEUE, sizeof *a);

    a->queue = act_be32(w, w->form == ACT_FORM_NX_SET_QUEUE ? 12 : 4);
    return OFPERR_NONE;
}

static void
set_queue_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    act_put_be32(b, v == OF10 ? ACT_FORM_NX_SET_QUEUE : ACT_FORM_OF11_SET_QUEUE,
                 ((const struct act_set_queue *) act)->queue);
}

static void
set_queue_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "set_queue:%u", ((const struct act_set_queue *) act)->queue);
}

static struct error *
set_queue_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_queue *a = act_put(p->out, ACT_SET_QUEUE, sizeof *a);

    return act_parse_u32(arg, &a->queue);
}

const struct act_ops act_set_queue_ops = {
    .decode = set_queue_decode, .encode = set_queue_encode, .format = set_queue_format, .parse = set_queue_parse,
    .check = anything_goes,
};

/* pop_queue. */

static enum ofperr
pop_queue_decode(const struct act_wire *w UNUSED, struct act_buf *out)
{
    act_put(out, ACT_POP_QUEUE, sizeof(struct act_pop_queue));
    return OFPERR_NONE;
}

static void
pop_queue_encode(const struct act *act UNUSED, enum of_version v UNUSED, struct bytes *b)
{
    act_put_plain(b, ACT_FORM_NX_POP_QUEUE);
}

static void
pop_queue_format(struct act_writer *w, const struct act *act UNUSED)
{
    str_puts(w->s, "pop_queue");
}

static struct error *
pop_queue_parse(struct act_parser *p, const char *keyword UNUSED, char *arg UNUSED)
{
    return act_parse_plain(p, ACT_POP_QUEUE);
}

const struct act_ops act_pop_queue_ops = {
    .decode = pop_queue_decode, .encode = pop_queue_encode, .format = pop_queue_format, .parse = pop_queue_parse,
    .check = anything_goes,
};
