/* controller: a packet-in with a reason, to one controller, perhaps with user data and a pause of the pipeline. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "openflow/action/ops.h"
#include "openflow/packet_in_reason.h"

/* Properties of the second form. */
enum { PROP_MAX_LEN, PROP_CONTROLLER_ID, PROP_REASON, PROP_USERDATA, PROP_PAUSE, PROP_METER_ID };

static void
init(struct act_controller *a)
{
    a->max_len = UINT16_MAX;
    a->reason = OFPR_ACTION;
}

static enum ofperr
decode_short(const struct act_wire *w, struct act_buf *out)
{
    struct act_controller *a = act_put(out, ACT_CONTROLLER, sizeof *a);

    a->max_len = act_be16(w, 10);
    a->controller_id = act_be16(w, 12);
    a->reason = w->data[14];
    return OFPERR_NONE;
}

/* One property whose value of 'n' bytes is at 'p'.  Growing moves the action: hence the offset. */
static enum ofperr
decode_property(unsigned int type, const uint8_t *p, size_t n, struct act_buf *out, size_t ofs)
{
    static const uint8_t lengths[] = { [PROP_MAX_LEN] = 2, [PROP_CONTROLLER_ID] = 2, [PROP_REASON] = 1,
                                       [PROP_USERDATA] = 0, [PROP_PAUSE] = 0, [PROP_METER_ID] = 4 };
    struct act_controller *a = act_at(out, ofs);

    if (type >= ARRAY_SIZE(lengths)) {
        return OFPERR_OFPBPC_BAD_TYPE;
    }
    if (n < lengths[type]) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    switch (type) {
    case PROP_MAX_LEN: a->max_len = get_be16(p); break;
    case PROP_CONTROLLER_ID: a->controller_id = get_be16(p); break;
    case PROP_REASON: a->reason = *p; break;
    case PROP_PAUSE: a->pause = true; break;
    case PROP_METER_ID:
        a->has_meter = true;
        a->meter_id = get_be32(p);
        break;
    case PROP_USERDATA:
        bytes_truncate(&out->bytes, ofs + sizeof *a); /* The last one counts. */
        a->act.len = sizeof *a;
        act_grow(out, ofs, n);
        a = act_at(out, ofs);
        a->userdata_len = n;
        memcpy(a->userdata, p, n);
        break;
    }
    return OFPERR_NONE;
}

static enum ofperr
decode_long(const struct act_wire *w, struct act_buf *out)
{
    size_t ofs = act_open(out, ACT_CONTROLLER, sizeof(struct act_controller));
    struct cursor c = act_cursor(w, 16);

    init(act_at(out, ofs));
    while (c.left) {
        uint16_t type, length;
        const uint8_t *body;
        enum ofperr error;

        if (!cursor_take_be16(&c, &type) || !cursor_take_be16(&c, &length) || length < 4) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        body = cursor_take(&c, ROUND_UP(length, 8) - 4);
        if (!body) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        error = decode_property(type, body, length - 4, out, ofs);
        if (error) {
            return error;
        }
    }
    return OFPERR_NONE;
}

static enum ofperr
controller_decode(const struct act_wire *w, struct act_buf *out)
{
    enum ofperr error;

    if (w->form == ACT_FORM_NX_CONTROLLER) {
        return decode_short(w, out);
    }
    error = act_zero(w, 10, 6);
    return error ? error : decode_long(w, out);
}

static void
put_property(struct bytes *b, unsigned int type, const void *value, size_t n)
{
    size_t start = b->len;

    bytes_put_be16(b, type);
    bytes_put_be16(b, 4 + n);
    bytes_put(b, value, n);
    bytes_pad_from(b, start, 8);
}

static void
encode_long(const struct act_controller *a, struct bytes *b)
{
    be16 max_len = cpu_to_be16(a->max_len), id = cpu_to_be16(a->controller_id);
    be32 meter_id = cpu_to_be32(a->meter_id);

    bytes_put_zeros(b, 6);
    if (a->max_len != UINT16_MAX) {
        put_property(b, PROP_MAX_LEN, &max_len, 2);
    }
    if (a->controller_id) {
        put_property(b, PROP_CONTROLLER_ID, &id, 2);
    }
    if (a->reason != OFPR_ACTION) {
        put_property(b, PROP_REASON, &a->reason, 1);
    }
    if (a->userdata_len) {
        put_property(b, PROP_USERDATA, a->userdata, a->userdata_len);
    }
    if (a->pause) {
        put_property(b, PROP_PAUSE, NULL, 0);
    }
    if (a->has_meter) {
        put_property(b, PROP_METER_ID, &meter_id, 4);
    }
}

static void
controller_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_controller *a = (const struct act_controller *) act;
    bool long_form = a->userdata_len || a->pause || a->has_meter;
    size_t start = act_begin(b, long_form ? ACT_FORM_NX_CONTROLLER2 : ACT_FORM_NX_CONTROLLER);

    if (long_form) {
        encode_long(a, b);
    } else {
        bytes_put_be16(b, a->max_len);
        bytes_put_be16(b, a->controller_id);
        bytes_put_u8(b, a->reason);
    }
    act_end(b, start);
}

static void
put_userdata(struct str *s, const struct act_controller *a)
{
    str_puts(s, "userdata=");
    for (unsigned int i = 0; i < a->userdata_len; i++) {
        str_putf(s, "%s%02x", i ? "." : "", a->userdata[i]);
    }
    str_putc(s, ',');
}

static void
controller_format(struct act_writer *w, const struct act *act)
{
    const struct act_controller *a = (const struct act_controller *) act;

    if (a->reason == OFPR_ACTION && !a->controller_id && !a->userdata_len && !a->pause && !a->has_meter) {
        str_putf(w->s, "CONTROLLER:%u", a->max_len);
        return;
    }
    str_puts(w->s, "controller(");
    if (a->reason != OFPR_ACTION) {
        const char *name = packet_in_reason_name(a->reason);

        str_putf(w->s, name ? "reason=%s," : "reason=%s%u,", name ? name : "", a->reason);
    }
    if (a->max_len != UINT16_MAX) {
        str_putf(w->s, "max_len=%u,", a->max_len);
    }
    if (a->controller_id) {
        str_putf(w->s, "id=%u,", a->controller_id);
    }
    if (a->userdata_len) {
        put_userdata(w->s, a);
    }
    str_puts(w->s, a->pause ? "pause," : "");
    if (a->has_meter) {
        str_putf(w->s, "meter_id=%u,", a->meter_id);
    }
    str_chomp(w->s, ',');
    str_putc(w->s, ')');
}

/* Pairs of digits with dots between them where the writer likes. */
static struct error *
parse_userdata(const char *text, struct bytes *data)
{
    while (*text) {
        size_t before = data->len;

        text += strspn(text, ".");
        text = bytes_put_from_hex(data, text);
        if (data->len == before && *text) {
            return error_new("bad hex digit in `controller' action `userdata'");
        }
    }
    return NULL;
}

static struct error *
parse_reason(const char *text, uint8_t *reason)
{
    return packet_in_reason_parse(text, reason) ? NULL : error_new("unknown reason \"%s\"", text);
}

static struct error *
parse_meter(const char *text, struct act_controller *a)
{
    struct error *e = act_parse_u32(text, &a->meter_id);

    a->has_meter = !e && a->meter_id;
    return e;
}

static struct error *
parse_key(struct act_controller *a, const char *key, const char *value, struct bytes *userdata)
{
    if (!strcmp(key, "reason")) {
        return parse_reason(value, &a->reason);
    } else if (!strcmp(key, "max_len")) {
        return act_parse_u16(value, "max_len", &a->max_len);
    } else if (!strcmp(key, "id")) {
        return act_parse_u16(value, "id", &a->controller_id);
    } else if (!strcmp(key, "userdata")) {
        bytes_clear(userdata);
        return parse_userdata(value, userdata);
    } else if (!strcmp(key, "pause")) {
        a->pause = true;
        return NULL;
    } else if (!strcmp(key, "meter_id")) {
        return parse_meter(value, a);
    }
    return error_new("unknown key \"%s\" parsing controller action", key);
}

static struct error *
parse_keys(struct act_controller *a, char *arg, struct bytes *userdata)
{
    char *key, *value;
    struct error *e = NULL;

    if (*arg && strspn(arg, "0123456789") == strlen(arg)) {
        return act_parse_u16(arg, "max_len", &a->max_len);
    }
    while (!e && act_take_key_value(&arg, &key, &value)) {
        e = parse_key(a, key, value, userdata);
    }
    return e;
}

/* What the standard action can say becomes one. */
static void
put(struct act_parser *p, const struct act_controller *a, const struct bytes *userdata)
{
    if (a->reason == OFPR_ACTION && !a->controller_id && !userdata->len && !a->pause && !a->has_meter) {
        struct act_output *output = act_put(p->out, ACT_OUTPUT, sizeof *output);

        output->port = OFPP_CONTROLLER;
        output->max_len = a->max_len;
    } else {
        struct act_controller *to = act_put(p->out, ACT_CONTROLLER, sizeof *to + userdata->len);
        struct act head = to->act;

        *to = *a;
        to->act = head;
        to->userdata_len = userdata->len;
        if (userdata->len) {
            memcpy(to->userdata, userdata->data, userdata->len);
        }
    }
}

static struct error *
controller_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct bytes userdata = BYTES_INIT;
    struct act_controller a;
    struct error *e;

    memset(&a, 0, sizeof a);
    init(&a);
    e = parse_keys(&a, arg, &userdata);
    if (!e && userdata.len > UINT16_MAX - 100) {
        e = error_new("controller action has too much userdata");
    }
    if (!e) {
        put(p, &a, &userdata);
    }
    bytes_uninit(&userdata);
    return e;
}

static enum ofperr
controller_check(struct act *act UNUSED, struct act_check *c UNUSED)
{
    return OFPERR_NONE;
}

const struct act_ops act_controller_ops = {
    .decode = controller_decode, .encode = controller_encode, .format = controller_format,
    .parse = controller_parse, .check = controller_check,
    .uses_origin = act_always_uses_origin,
};
