/* Small actions of the pipeline: exit, note, conjunction, fin_timeout, check_pkt_larger, delete_field, ct_clear and the
 * debugging aids. */

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "flow/field_text.h"
#include "openflow/action/ops.h"
#include "openflow/action/set_field.h"
#include "openflow/oxm/oxm.h"

static enum ofperr
anything_goes(struct act *act UNUSED, struct act_check *c UNUSED)
{
    return OFPERR_NONE;
}

/* Actions without arguments. */
#define PLAIN(ENUM, NAME, TEXT) \
    static enum ofperr \
    NAME##_decode(const struct act_wire *w UNUSED, struct act_buf *out) \
    { \
        act_put(out, ACT_##ENUM, sizeof(struct act_##NAME)); \
        return OFPERR_NONE; \
    } \
    PLAIN_REST(ENUM, NAME, TEXT)

#define PLAIN_REST(ENUM, NAME, TEXT) \
    static void \
    NAME##_encode(const struct act *act UNUSED, enum of_version v UNUSED, struct bytes *b) \
    { \
        act_put_plain(b, ACT_FORM_NX_##ENUM); \
    } \
    static void \
    NAME##_format(struct act_writer *w, const struct act *act UNUSED) \
    { \
        str_puts(w->s, TEXT); \
    } \
    static struct error * \
    NAME##_parse(struct act_parser *p, const char *keyword UNUSED, char *arg UNUSED) \
    { \
        return act_parse_plain(p, ACT_##ENUM); \
    } \
    const struct act_ops act_##NAME##_ops = { \
        .decode = NAME##_decode, .encode = NAME##_encode, .format = NAME##_format, .parse = NAME##_parse, \
        .check = anything_goes, \
    };

PLAIN(EXIT, exit, "exit")
PLAIN(CT_CLEAR, ct_clear, "ct_clear")

/* Aids for tests: refused unless allowed. */
static bool debug_allowed;

void
act_allow_debug(void)
{
    debug_allowed = true;
}

#define DEBUG(ENUM, NAME) \
    static enum ofperr \
    NAME##_decode(const struct act_wire *w UNUSED, struct act_buf *out) \
    { \
        if (!debug_allowed) { \
            return OFPERR_OFPBAC_BAD_VENDOR_TYPE; \
        } \
        act_put(out, ACT_##ENUM, sizeof(struct act_##NAME)); \
        return OFPERR_NONE; \
    } \
    PLAIN_REST(ENUM, NAME, #NAME)

DEBUG(DEBUG_SLOW, debug_slow)
DEBUG(DEBUG_RECIRC, debug_recirc)

/* note. */

static enum ofperr
note_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_note *a = act_put(out, ACT_NOTE, sizeof *a + w->len - 10);

    a->data_len = w->len - 10;
    memcpy(a->data, w->data + 10, a->data_len);
    return OFPERR_NONE;
}

static void
note_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_note *a = (const struct act_note *) act;
    size_t start = act_begin(b, ACT_FORM_NX_NOTE);

    bytes_put(b, a->data, a->data_len);
    act_end(b, start);
}

static void
note_format(struct act_writer *w, const struct act *act)
{
    const struct act_note *a = (const struct act_note *) act;

    str_puts(w->s, "note:");
    for (unsigned int i = 0; i < a->data_len; i++) {
        str_putf(w->s, "%s%02x", i ? "." : "", a->data[i]);
    }
}

static struct error *
note_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct bytes data = BYTES_INIT;
    struct act_note *a;

    while (*arg) {
        size_t before = data.len;

        arg += strspn(arg, ".");
        arg = (char *) bytes_put_from_hex(&data, arg);
        if (*arg && data.len == before) {
            bytes_uninit(&data);
            return error_new("bad hex digit in `note' argument");
        }
    }
    if (data.len > 65000) {
        bytes_uninit(&data);
        return error_new("note is too long");
    }
    a = act_put(p->out, ACT_NOTE, sizeof *a + data.len);
    a->data_len = data.len;
    memcpy(a->data, data.data ? data.data : (const uint8_t *) "", data.len);
    bytes_uninit(&data);
    return NULL;
}

const struct act_ops act_note_ops = {
    .decode = note_decode, .encode = note_encode, .format = note_format, .parse = note_parse,
    .check = anything_goes,
};

/* conjunction. */

static enum ofperr
conjunction_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_conjunction *a;

    if (w->data[11] < 2 || w->data[11] > 64 || w->data[10] >= w->data[11]) {
        return OFPERR_NXBAC_BAD_CONJUNCTION;
    }
    a = act_put(out, ACT_CONJUNCTION, sizeof *a);
    a->clause = w->data[10];
    a->n_clauses = w->data[11];
    a->id = act_be32(w, 12);
    return OFPERR_NONE;
}

static void
conjunction_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_conjunction *a = (const struct act_conjunction *) act;
    size_t start = act_begin(b, ACT_FORM_NX_CONJUNCTION);

    bytes_put_u8(b, a->clause);
    bytes_put_u8(b, a->n_clauses);
    bytes_put_be32(b, a->id);
    act_end(b, start);
}

static void
conjunction_format(struct act_writer *w, const struct act *act)
{
    const struct act_conjunction *a = (const struct act_conjunction *) act;

    str_putf(w->s, "conjunction(%u,%u/%u)", a->id, a->clause + 1u, a->n_clauses);
}

static struct error *
conjunction_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_conjunction *a = act_put(p->out, ACT_CONJUNCTION, sizeof *a);
    unsigned int id, clause, n;
    int used = -1;

    if (sscanf(arg, "%i , %u / %u %n", (int *) &id, &clause, &n, &used) != 3 || used < 0 || arg[used]) {
        return error_new("\"conjunction\" syntax is \"conjunction(id,i/n)\"");
    }
    if (n < 2) {
        return error_new("conjunction must have at least 2 clauses");
    }
    if (n > 64) {
        return error_new("conjunction must have at most 64 clauses");
    }
    if (clause < 1) {
        return error_new("clause index must be positive");
    }
    if (clause > n) {
        return error_new("clause index must be less than or equal to number of clauses");
    }
    a->id = id;
    a->clause = clause - 1;
    a->n_clauses = n;
    return NULL;
}

const struct act_ops act_conjunction_ops = {
    .decode = conjunction_decode, .encode = conjunction_encode, .format = conjunction_format,
    .parse = conjunction_parse, .check = anything_goes,
};

/* fin_timeout. */

static enum ofperr
fin_timeout_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_fin_timeout *a = act_put(out, ACT_FIN_TIMEOUT, sizeof *a);

    a->idle_timeout = act_be16(w, 10);
    a->hard_timeout = act_be16(w, 12);
    return OFPERR_NONE;
}

static void
fin_timeout_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_fin_timeout *a = (const struct act_fin_timeout *) act;
    size_t start = act_begin(b, ACT_FORM_NX_FIN_TIMEOUT);

    bytes_put_be16(b, a->idle_timeout);
    bytes_put_be16(b, a->hard_timeout);
    act_end(b, start);
}

static void
fin_timeout_format(struct act_writer *w, const struct act *act)
{
    const struct act_fin_timeout *a = (const struct act_fin_timeout *) act;

    str_puts(w->s, "fin_timeout(");
    if (a->idle_timeout) {
        str_putf(w->s, "idle_timeout=%u,", a->idle_timeout);
    }
    if (a->hard_timeout) {
        str_putf(w->s, "hard_timeout=%u,", a->hard_timeout);
    }
    str_chomp(w->s, ',');
    str_putc(w->s, ')');
}

static struct error *
fin_timeout_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_fin_timeout *a = act_put(p->out, ACT_FIN_TIMEOUT, sizeof *a);
    struct error *e = NULL;
    char *key, *value;

    while (!e && act_take_key_value(&arg, &key, &value)) {
        if (!strcmp(key, "idle_timeout")) {
            e = act_parse_u16(value, key, &a->idle_timeout);
        } else if (!strcmp(key, "hard_timeout")) {
            e = act_parse_u16(value, key, &a->hard_timeout);
        } else {
            e = error_new("invalid key '%s' in 'fin_timeout' argument", key);
        }
    }
    return e;
}

static enum ofperr
fin_timeout_check(struct act *act UNUSED, struct act_check *c)
{
    act_expect(c, act_is_ip(c) && c->match->mask.nw_proto == UINT8_MAX && c->match->flow.nw_proto == 6);
    return OFPERR_NONE;
}

const struct act_ops act_fin_timeout_ops = {
    .decode = fin_timeout_decode, .encode = fin_timeout_encode, .format = fin_timeout_format,
    .parse = fin_timeout_parse, .check = fin_timeout_check,
};

/* check_pkt_larger. */

static enum ofperr
check_pkt_larger_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_check_pkt_larger *a = act_put(out, ACT_CHECK_PKT_LARGER, sizeof *a);
    struct cursor c = act_cursor(w, 14);
    enum ofperr error;

    a->pkt_len = act_be16(w, 10);
    a->dst.ofs = act_be16(w, 12);
    a->dst.n_bits = 1;
    error = act_take_field(&c, &a->dst.field);
    if (error) {
        return error;
    }
    if (!is_all_zeros(c.at, c.left)) {
        return OFPERR_NXBRC_MUST_BE_ZERO;
    }
    if (!a->dst.field->writable) {
        act_warn("destination field %s is not writable", a->dst.field->name);
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    return act_check_range(&a->dst);
}

static void
check_pkt_larger_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_check_pkt_larger *a = (const struct act_check_pkt_larger *) act;
    size_t start = act_begin(b, ACT_FORM_NX_CHECK_PKT_LARGER);

    bytes_put_be16(b, a->pkt_len);
    bytes_put_be16(b, a->dst.ofs);
    oxm_put_field(b, a->dst.field, ACT_NX_NUMBERS);
    bytes_put_zeros(b, 24 - (b->len - start));
    act_end(b, start);
}

static void
check_pkt_larger_format(struct act_writer *w, const struct act *act)
{
    const struct act_check_pkt_larger *a = (const struct act_check_pkt_larger *) act;

    str_putf(w->s, "check_pkt_larger(%u)->", a->pkt_len);
    oxm_format_subfield(w->s, &a->dst, w->text->options);
}

static struct error *
check_pkt_larger_parse(struct act_parser *p, const char *keyword, char *arg)
{
    struct act_check_pkt_larger *a = act_put(p->out, ACT_CHECK_PKT_LARGER, sizeof *a);
    const char *tail;
    struct error *e;
    char *dst;

    e = act_split_arrow(arg, &dst);
    if (e) {
        return e;
    }
    arg[strcspn(arg, ")")] = '\0';
    e = act_parse_u16(arg, keyword, &a->pkt_len);
    e = e ? e : oxm_parse_subfield(dst, &a->dst, &tail);
    if (!e && *tail) {
        e = error_new("unexpected input following field syntax");
    }
    return !e && a->dst.n_bits != 1 ? error_new("Only 1-bit destination field is allowed") : e;
}

static enum ofperr
check_pkt_larger_check(struct act *act, struct act_check *c)
{
    return act_check_dst(&((const struct act_check_pkt_larger *) act)->dst, c);
}

const struct act_ops act_check_pkt_larger_ops = {
    .decode = check_pkt_larger_decode, .encode = check_pkt_larger_encode, .format = check_pkt_larger_format,
    .parse = check_pkt_larger_parse, .check = check_pkt_larger_check,
    .uses_origin = act_always_uses_origin, /* The rest of its list is what it decides about. */
};

/* delete_field: of tunnel options only. */

static enum ofperr
delete_field_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_delete_field *a = act_put(out, ACT_DELETE_FIELD, sizeof *a);
    struct cursor c = act_cursor(w, 10);
    enum ofperr error = oxm_take_field(&c, &a->field); /* What is behind it is ignored, as in the reference. */

    return error == OFPERR_OFPBMC_BAD_LEN ? OFPERR_OFPBMC_BAD_FIELD : error;
}

static void
delete_field_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    size_t start = act_begin(b, ACT_FORM_NX_DELETE_FIELD);

    oxm_put_field(b, ((const struct act_delete_field *) act)->field, ACT_NX_NUMBERS);
    bytes_put_zeros(b, 24 - (b->len - start));
    act_end(b, start);
}

static void
delete_field_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "delete_field:%s", ((const struct act_delete_field *) act)->field->name);
}

static struct error *
delete_field_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_delete_field *a = act_put(p->out, ACT_DELETE_FIELD, sizeof *a);

    a->field = oxm_field_by_name(arg, strlen(arg));
    return a->field ? NULL : error_new("unknown field `%s'", arg);
}

static enum ofperr
delete_field_check(struct act *act, struct act_check *c)
{
    const struct field *f = ((const struct act_delete_field *) act)->field;

    return field_is_option(f) ? act_check_option(f, 0, c) : OFPERR_OFPBAC_BAD_ARGUMENT;
}

const struct act_ops act_delete_field_ops = {
    .decode = delete_field_decode, .encode = delete_field_encode, .format = delete_field_format,
    .parse = delete_field_parse, .check = delete_field_check,
};
