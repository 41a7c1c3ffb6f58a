/* Actions that send the packet somewhere: output, output to a field's port, truncated output, enqueue, group. */

#include <stdlib.h>
#include <string.h>

#include "openflow/action/ops.h"
#include "openflow/oxm/oxm.h"

enum { TRUNC_MIN_LEN = 14 };

/* output. */

static enum ofperr
output_decode(const struct act_wire *w, struct act_buf *out)
{
    ofp_port port = ofp_port_from_u16(act_be16(w, 4));
    uint16_t max_len = act_be16(w, 6);
    struct act_output *a;

    if (w->form == ACT_FORM_OF11_OUTPUT) {
        enum ofperr error = ofp_port_from_wire32(act_be32(w, 4), &port);

        if (error) {
            return error;
        }
        max_len = act_be16(w, 8);
    }
    a = act_put(out, ACT_OUTPUT, sizeof *a);
    a->port = port;
    a->max_len = max_len;
    return ofp_port_check_output(port, OFPP_MAX);
}

static void
put_output(struct bytes *b, enum of_version v, ofp_port port, uint16_t max_len)
{
    size_t start = act_begin(b, v == OF10 ? ACT_FORM_OF10_OUTPUT : ACT_FORM_OF11_OUTPUT);

    if (v == OF10) {
        bytes_put_be16(b, ofp_port_to_u16(port));
    } else {
        bytes_put_be32(b, ofp_to_u32(port));
    }
    bytes_put_be16(b, max_len);
    act_end(b, start);
}

static void
output_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_output *a = (const struct act_output *) act;

    put_output(b, v, a->port, a->max_len);
}

static void
output_format(struct act_writer *w, const struct act *act)
{
    const struct act_output *a = (const struct act_output *) act;

    str_puts(w->s, ofp_port_is_real(a->port) ? "output:" : "");
    act_put_port(w, a->port);
    if (a->port == OFPP_CONTROLLER) {
        str_putf(w->s, ":%u", a->max_len);
    }
}

static bool
may_be_truncated(ofp_port p)
{
    return ofp_port_is_real(p) || p == OFPP_LOCAL || p == OFPP_IN_PORT;
}

/* "port=PORT,max_len=N". */
static struct error *
parse_trunc(struct act_parser *p, char *arg)
{
    struct act_output_trunc *a = act_put(p->out, ACT_OUTPUT_TRUNC, sizeof *a);
    char *key, *value;
    struct error *e = NULL;

    while (!e && act_take_key_value(&arg, &key, &value)) {
        if (!strcmp(key, "port")) {
            if (!ofp_port_parse(value, p->text->ports, &a->port)) {
                e = error_new("output to unknown truncate port: %s", value);
            } else if (!may_be_truncated(a->port)) {
                e = error_new("output to unsupported truncate port: %s", value);
            }
        } else if (!strcmp(key, "max_len")) {
            e = act_parse_u32(value, &a->max_len);
            if (!e && a->max_len < TRUNC_MIN_LEN) {
                e = error_new("max_len %u is less than the minimum value %d", a->max_len, TRUNC_MIN_LEN);
            }
        } else {
            e = error_new("invalid key '%s' in output_trunc argument", key);
        }
    }
    return e;
}

static struct error *
parse_reg(struct act_parser *p, const char *arg)
{
    struct subfield src;
    struct act_output_reg *a;
    const char *tail;
    struct error *e = oxm_parse_subfield(arg, &src, &tail);

    if (e || *tail) {
        error_free(e);
        return error_new("%s: output to unknown port", arg);
    }
    if (src.n_bits > 64) {
        return error_new("%s: output to a field of more than 64 bits", arg);
    }
    a = act_put(p->out, ACT_OUTPUT_REG, sizeof *a);
    a->src = src;
    a->max_len = UINT16_MAX;
    return NULL;
}

static struct error *
output_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_output *a;
    ofp_port port;

    if (ofp_port_parse(arg, p->text->ports, &port)) {
        a = act_put(p->out, ACT_OUTPUT, sizeof *a);
        a->port = port;
        a->max_len = port == OFPP_CONTROLLER ? UINT16_MAX : 0;
        return NULL;
    }
    return strstr(arg, "port") && strstr(arg, "max_len") ? parse_trunc(p, arg) : parse_reg(p, arg);
}

static enum ofperr
output_check(struct act *act, struct act_check *c)
{
    return ofp_port_check_output(((const struct act_output *) act)->port, c->max_ports);
}

const struct act_ops act_output_ops = {
    .decode = output_decode, .encode = output_encode, .format = output_format, .parse = output_parse,
    .check = output_check,
    .uses_origin = act_always_uses_origin,
};

/* Output to the port that a field holds. */

static enum ofperr
output_reg_decode(const struct act_wire *w, struct act_buf *out)
{
    bool short_form = w->form == ACT_FORM_NX_OUTPUT_REG;
    struct subfield src = { NULL, 0, 0 };
    struct cursor c = act_cursor(w, 14);
    struct act_output_reg *a;
    enum ofperr error;

    if (short_form) {
        error = act_field32(act_be32(w, 12), &src.field);
        error = !error && act_zero_from(w, 18) ? OFPERR_OFPBAC_BAD_ARGUMENT : error;
    } else {
        error = act_take_field(&c, &src.field);
        error = error ? error : act_zero(w, w->len - c.left, c.left);
    }
    error = error ? error : act_set_ofs_nbits(&src, act_be16(w, 10));
    if (!error) {
        a = act_put(out, ACT_OUTPUT_REG, sizeof *a);
        a->src = src;
        a->max_len = act_be16(w, short_form ? 16 : 12);
    }
    return error;
}

static void
output_reg_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_output_reg *a = (const struct act_output_reg *) act;
    bool short_form = oxm_header32(a->src.field, ACT_NX_NUMBERS);
    size_t start = act_begin(b, short_form ? ACT_FORM_NX_OUTPUT_REG : ACT_FORM_NX_OUTPUT_REG2);

    bytes_put_be16(b, act_ofs_nbits(&a->src));
    if (short_form) {
        bytes_put_be32(b, oxm_header32(a->src.field, ACT_NX_NUMBERS));
        bytes_put_be16(b, a->max_len);
        bytes_put_zeros(b, 6);
    } else {
        bytes_put_be16(b, a->max_len);
        oxm_put_field(b, a->src.field, ACT_NX_NUMBERS);
    }
    act_end(b, start);
}

static void
output_reg_format(struct act_writer *w, const struct act *act)
{
    str_puts(w->s, "output:");
    oxm_format_subfield(w->s, &((const struct act_output_reg *) act)->src, w->text->options);
}

static enum ofperr
output_reg_check(struct act *act, struct act_check *c)
{
    return act_check_src(&((const struct act_output_reg *) act)->src, c);
}

const struct act_ops act_output_reg_ops = {
    .decode = output_reg_decode, .encode = output_reg_encode, .format = output_reg_format, .parse = output_parse,
    .check = output_reg_check,
    .uses_origin = act_always_uses_origin,
};

/* Truncated output. */

static enum ofperr
output_trunc_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_output_trunc *a;

    if (act_be32(w, 12) < TRUNC_MIN_LEN) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_OUTPUT_TRUNC, sizeof *a);
    a->port = ofp_port_from_u16(act_be16(w, 10));
    a->max_len = act_be32(w, 12);
    return OFPERR_NONE;
}

static void
output_trunc_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_output_trunc *a = (const struct act_output_trunc *) act;
    size_t start = act_begin(b, ACT_FORM_NX_OUTPUT_TRUNC);

    bytes_put_be16(b, ofp_port_to_u16(a->port));
    bytes_put_be32(b, a->max_len);
    act_end(b, start);
}

static void
output_trunc_format(struct act_writer *w, const struct act *act)
{
    const struct act_output_trunc *a = (const struct act_output_trunc *) act;

    str_puts(w->s, "output(port=");
    act_put_port(w, a->port);
    str_putf(w->s, ",max_len=%u)", a->max_len);
}

static enum ofperr
output_trunc_check(struct act *act, struct act_check *c)
{
    const struct act_output_trunc *a = (const struct act_output_trunc *) act;

    return may_be_truncated(a->port) ? ofp_port_check_output(a->port, c->max_ports) : OFPERR_OFPBAC_BAD_OUT_PORT;
}

const struct act_ops act_output_trunc_ops = {
    .decode = output_trunc_decode, .encode = output_trunc_encode, .format = output_trunc_format,
    .parse = output_parse, .check = output_trunc_check,
    .uses_origin = act_always_uses_origin,
};

/* enqueue: to real ports, LOCAL and IN_PORT. */

static enum ofperr
enqueue_port_error(ofp_port p, ofp_port max)
{
    return may_be_truncated(p) ? ofp_port_check_output(p, max) : OFPERR_OFPBAC_BAD_OUT_PORT;
}

static enum ofperr
enqueue_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_enqueue *a = act_put(out, ACT_ENQUEUE, sizeof *a);

    a->port = ofp_port_from_u16(act_be16(w, 4));
    a->queue = act_be32(w, 12);
    return enqueue_port_error(a->port, OFPP_MAX);
}

static void
enqueue_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_enqueue *a = (const struct act_enqueue *) act;

    if (v == OF10) {
        size_t start = act_begin(b, ACT_FORM_OF10_ENQUEUE);

        bytes_put_be16(b, ofp_port_to_u16(a->port));
        bytes_put_zeros(b, 6);
        bytes_put_be32(b, a->queue);
        act_end(b, start);
    } else {
        act_put_be32(b, ACT_FORM_OF11_SET_QUEUE, a->queue);
        put_output(b, v, a->port, UINT16_MAX);
        act_put_plain(b, ACT_FORM_NX_POP_QUEUE);
    }
}

static void
enqueue_format(struct act_writer *w, const struct act *act)
{
    const struct act_enqueue *a = (const struct act_enqueue *) act;

    str_puts(w->s, "enqueue:");
    act_put_port(w, a->port);
    str_putf(w->s, ":%u", a->queue);
}

static struct error *
enqueue_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    char *rest = arg, *port = strsep(&rest, ":,"), *queue = strsep(&rest, ":,");
    struct act_enqueue *a;

    if (!*port || !queue) {
        return error_new("\"enqueue\" syntax is \"enqueue:PORT:QUEUE\" or \"enqueue(PORT,QUEUE)\"");
    }
    a = act_put(p->out, ACT_ENQUEUE, sizeof *a);
    if (!ofp_port_parse(port, p->text->ports, &a->port)) {
        return error_new("%s: enqueue to unknown port", port);
    }
    return act_parse_u32(queue, &a->queue);
}

static enum ofperr
enqueue_check(struct act *act, struct act_check *c)
{
    return enqueue_port_error(((const struct act_enqueue *) act)->port, c->max_ports);
}

const struct act_ops act_enqueue_ops = {
    .decode = enqueue_decode, .encode = enqueue_encode, .format = enqueue_format, .parse = enqueue_parse,
    .check = enqueue_check,
    .uses_origin = act_always_uses_origin,
};

/* group. */

static enum ofperr
group_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_group *a = act_put(out, ACT_GROUP, sizeof *a);

    a->group_id = act_be32(w, w->form == ACT_FORM_NX_GROUP ? 12 : 4);
    return OFPERR_NONE;
}

static void
group_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    act_put_be32(b, v == OF10 ? ACT_FORM_NX_GROUP : ACT_FORM_OF11_GROUP, ((const struct act_group *) act)->group_id);
}

static void
group_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "group:%u", ((const struct act_group *) act)->group_id);
}

static struct error *
group_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_group *a = act_put(p->out, ACT_GROUP, sizeof *a);

    return act_parse_u32(arg, &a->group_id);
}

static enum ofperr
group_check(struct act *act UNUSED, struct act_check *c UNUSED)
{
    return OFPERR_NONE;
}

const struct act_ops act_group_ops = {
    .decode = group_decode, .encode = group_encode, .format = group_format, .parse = group_parse,
    .check = group_check,
    .uses_origin = act_always_uses_origin,
};
