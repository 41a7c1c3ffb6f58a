/* clone: actions that work on a copy of the packet. */

#include "openflow/action/ops.h"

static enum ofperr
clone_decode(const struct act_wire *w, struct act_buf *out)
{
    size_t ofs = act_open(out, ACT_CLONE, sizeof(struct act_clone));
    enum ofperr error = act_decode_nested(w, 16, out);

    act_close(out, ofs);
    return error;
}

static void
clone_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    size_t start = act_begin(b, ACT_FORM_NX_CLONE);

    bytes_put_zeros(b, 6);
    act_encode_actions(act_clone_actions((const struct act_clone *) act), v, b);
    act_end(b, start);
}

static void
clone_format(struct act_writer *w, const struct act *act)
{
    struct act_span nested = act_clone_actions((const struct act_clone *) act);

    str_puts(w->s, "clone(");
    if (nested.len) {
        act_format_span(w, nested);
    } else {
        str_puts(w->s, "drop");
    }
    str_putc(w->s, ')');
}

static struct error *
clone_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    size_t ofs = act_open(p->out, ACT_CLONE, sizeof(struct act_clone));
    struct error *e = act_parse_nested(p, ACT_CLONE, arg);

    act_close(p->out, ofs);
    return e;
}

static enum ofperr
clone_check(struct act *act, struct act_check *c)
{
    return act_check_nested(act, sizeof(struct act_clone), c);
}

const struct act_ops act_clone_ops = {
    .decode = clone_decode, .encode = clone_encode, .format = clone_format, .parse = clone_parse,
    .check = clone_check,
};
