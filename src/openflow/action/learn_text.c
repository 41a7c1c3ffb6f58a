/* learn as text. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "flow/field_text.h"
#include "openflow/action/learn.h"
#include "openflow/action/set_field.h"
#include "openflow/oxm/oxm.h"

enum { DEFAULT_PRIORITY = 32768 };

/* What is being read: 'orig' is the whole argument, which messages show. */
struct learn_parser {
    struct act_parser *p;
    const char *orig;
    size_t ofs;
};

static bool
is_whole_field(const struct subfield *sf)
{
    return !sf->ofs && sf->n_bits == field_width(sf->field);
}

static bool
same_subfield(const struct subfield *a, const struct subfield *b)
{
    return a->field == b->field && a->ofs == b->ofs && a->n_bits == b->n_bits;
}

/* Writing. */

/* The immediate as a value of the field. */
static void
imm_to_value(const struct learn_spec *s, union field_value *v)
{
    size_t n = s->dst.field->wire_bytes;

    memset(v, 0, n);
    bits_copy(s->imm, s->imm_len, 0, v->bytes, n, 0, MIN(s->n_bits, n * 8));
}

static void
format_match(struct act_writer *w, const struct learn_spec *s)
{
    union field_value v;

    if (s->src_type == LEARN_SRC_FIELD) {
        oxm_format_subfield(w->s, &s->dst, w->text->options);
        if (!same_subfield(&s->src, &s->dst)) {
            str_putc(w->s, '=');
            oxm_format_subfield(w->s, &s->src, w->text->options);
        }
    } else if (is_whole_field(&s->dst)) {
        imm_to_value(s, &v);
        str_putf(w->s, "%s=", s->dst.field->name);
        field_format(w->s, s->dst.field, &v, NULL, w->text->ports);
    } else {
        oxm_format_subfield(w->s, &s->dst, w->text->options);
        str_putc(w->s, '=');
        bytes_format_hex(w->s, s->imm, s->imm_len);
    }
}

static void
format_spec(struct act_writer *w, const struct learn_spec *s)
{
    str_putc(w->s, ',');
    switch (s->dst_type) {
    case LEARN_DST_MATCH:
        format_match(w, s);
        break;
    case LEARN_DST_LOAD:
        str_puts(w->s, "load:");
        if (s->src_type == LEARN_SRC_IMMEDIATE) {
            bytes_format_hex(w->s, s->imm, s->imm_len);
        } else {
            oxm_format_subfield(w->s, &s->src, w->text->options);
        }
        str_puts(w->s, "->");
        oxm_format_subfield(w->s, &s->dst, w->text->options);
        break;
    case LEARN_DST_OUTPUT:
        str_puts(w->s, "output:");
        oxm_format_subfield(w->s, &s->src, w->text->options);
        break;
    }
}

static void
format_number(struct str *s, const char *name, unsigned int n)
{
    if (n) {
        str_putf(s, ",%s=%u", name, n);
    }
}

void
learn_format(struct act_writer *w, const struct act *act)
{
    const struct act_learn *a = (const struct act_learn *) act;

    str_puts(w->s, "learn(table=");
    act_put_table(w, a->table);
    format_number(w->s, "idle_timeout", a->idle_timeout);
    format_number(w->s, "hard_timeout", a->hard_timeout);
    format_number(w->s, "fin_idle_timeout", a->fin_idle_timeout);
    format_number(w->s, "fin_hard_timeout", a->fin_hard_timeout);
    if (a->priority != DEFAULT_PRIORITY) {
        str_putf(w->s, ",priority=%u", a->priority);
    }
    str_puts(w->s, a->flags & LEARN_SEND_FLOW_REM ? ",send_flow_rem" : "");
    str_puts(w->s, a->flags & LEARN_DELETE_LEARNED ? ",delete_learned" : "");
    if (a->cookie) {
        str_putf(w->s, ",cookie=%#llx", (unsigned long long) a->cookie);
    }
    format_number(w->s, "limit", a->limit);
    if (a->flags & LEARN_WRITE_RESULT) {
        str_puts(w->s, ",result_dst=");
        oxm_format_subfield(w->s, &a->result_dst, w->text->options);
    }
    LEARN_SPEC_FOR_EACH (s, a) {
        format_spec(w, s);
    }
    str_putc(w->s, ')');
}

/* Reading. */

static struct error *
parse_whole_subfield(const char *text, struct subfield *sf)
{
    const char *tail;
    struct error *e = oxm_parse_subfield(text, sf, &tail);

    if (!e && *tail) {
        e = error_new("%s: unexpected input following field syntax", text);
    }
    return e;
}

/* Appends a spec with the low bits of a right-aligned value. */
static void
put_immediate(struct learn_parser *lp, enum learn_dst dst_type, const struct subfield *dst, const uint8_t *value,
              size_t n)
{
    struct learn_spec *s = learn_put_spec(lp->p->out, lp->ofs, 2 * DIV_ROUND_UP(dst->n_bits, 16));

    s->n_bits = dst->n_bits;
    s->src_type = LEARN_SRC_IMMEDIATE;
    s->dst_type = dst_type;
    s->dst = *dst;
    bits_copy(value, n, 0, s->imm, s->imm_len, 0, MIN(dst->n_bits, n * 8));
}

static void
put_from_field(struct learn_parser *lp, enum learn_dst dst_type, const struct subfield *dst, const struct subfield *src)
{
    struct learn_spec *s = learn_put_spec(lp->p->out, lp->ofs, 0);

    s->n_bits = src->n_bits;
    s->src_type = LEARN_SRC_FIELD;
    s->dst_type = dst_type;
    s->src = *src;
    if (dst) {
        s->dst = *dst;
    }
}

/* A value for all of a field is written as the field's values are. */
static struct error *
parse_whole_value(struct learn_parser *lp, const struct subfield *dst, const char *value)
{
    union field_value v, mask;
    struct error *e = field_parse(dst->field, value, lp->p->text->ports, &v, &mask);

    if (!e && !field_mask_is_exact(dst->field, &mask)) {
        e = error_new("%s: wildcards not allowed here", value);
    }
    if (!e) {
        put_immediate(lp, LEARN_DST_MATCH, dst, v.bytes, dst->field->wire_bytes);
    }
    return e;
}

static struct error *
parse_part_value(struct learn_parser *lp, const struct subfield *dst, const char *value)
{
    uint8_t bytes[ACT_LOAD_MAX];
    const char *tail;

    if (field_parse_int(value, bytes, sizeof bytes, &tail) || *tail) {
        return error_new("%s: cannot parse integer value", lp->orig);
    }
    if (!act_value_fits(bytes, dst->n_bits)) {
        return error_new("%s: value %s does not fit into %u bits", lp->orig, value, dst->n_bits);
    }
    put_immediate(lp, LEARN_DST_MATCH, dst, bytes, sizeof bytes);
    return NULL;
}

/* "FIELD", "FIELD=FIELD", "FIELD=VALUE". */
static struct error *
parse_match(struct learn_parser *lp, const char *name, const char *value)
{
    struct subfield dst, src;
    struct error *e, *not_field;

    e = parse_whole_subfield(name, &dst);
    if (e) {
        error_free(e);
        return error_new("%s: unknown keyword %s", lp->orig, name);
    }
    e = act_require_short_header(dst.field, lp->orig, name);
    if (e) {
        return e;
    }
    if (!*value) {
        put_from_field(lp, LEARN_DST_MATCH, &dst, &dst);
        return NULL;
    }
    not_field = parse_whole_subfield(value, &src);
    if (!not_field) {
        if (src.n_bits != dst.n_bits) {
            return error_new("%s: bit widths of %s (%u) and %s (%u) differ", lp->orig, name, src.n_bits, value,
                             dst.n_bits);
        }
        put_from_field(lp, LEARN_DST_MATCH, &dst, &src);
        return act_require_short_header(src.field, lp->orig, value);
    }
    e = is_whole_field(&dst) ? parse_whole_value(lp, &dst, value) : parse_part_value(lp, &dst, value);
    if (e) {
        struct error *both = error_new("%s: %s value %s cannot be parsed as a subfield (%s) or an immediate value (%s)",
                                       lp->orig, name, value, error_text(not_field), error_text(e));

        error_free(e);
        e = both;
    }
    error_free(not_field);
    return e;
}

/* "load:VALUE->FIELD", "load:FIELD->FIELD". */
static struct error *
parse_load(struct learn_parser *lp, char *value)
{
    char *whole = xstrdup(value), *dst_text;
    struct subfield src, dst;
    uint8_t bytes[ACT_LOAD_MAX];
    const char *tail;
    struct error *e;

    e = act_split_arrow(value, &dst_text);
    if (!e && !field_parse_int(value, bytes, sizeof bytes, &tail) && !*tail) {
        e = parse_whole_subfield(dst_text, &dst);
        if (!e && !act_value_fits(bytes, dst.n_bits)) {
            e = error_new("%s: value does not fit into %u bits", whole, dst.n_bits);
        }
        e = e ? e : act_require_short_header(dst.field, lp->orig, dst.field->name);
        if (!e) {
            put_immediate(lp, LEARN_DST_LOAD, &dst, bytes, sizeof bytes);
        }
    } else if (!e) {
        e = parse_whole_subfield(value, &src);
        if (e) {
            error_free(e);
            e = error_new("%s: unknown field `%.*s'", whole, (int) strcspn(whole, "[-"), whole);
        }
        e = e ? e : parse_whole_subfield(dst_text, &dst);
        if (!e && src.n_bits != dst.n_bits) {
            e = error_new("%s: source field is %u bits wide but destination is %u bits wide", whole, src.n_bits,
                          dst.n_bits);
        }
        e = e ? e : act_require_short_header(src.field, lp->orig, src.field->name);
        e = e ? e : act_require_short_header(dst.field, lp->orig, dst.field->name);
        if (!e) {
            put_from_field(lp, LEARN_DST_LOAD, &dst, &src);
        }
    }
    free(whole);
    return e;
}

static struct error *
parse_output(struct learn_parser *lp, const char *value)
{
    struct subfield src;
    struct error *e = parse_whole_subfield(value, &src);

    e = e ? e : act_require_short_header(src.field, lp->orig, src.field->name);
    if (!e) {
        put_from_field(lp, LEARN_DST_OUTPUT, NULL, &src);
    }
    return e;
}

static struct error *
parse_spec(struct learn_parser *lp, const char *key, char *value)
{
    return !strcmp(key, "load")     ? parse_load(lp, value)
           : !strcmp(key, "output") ? parse_output(lp, value)
                                    : parse_match(lp, key, value);
}

static struct error *
parse_result_dst(const char *value, struct act_learn *a)
{
    struct error *e = parse_whole_subfield(value, &a->result_dst);

    if (!e && !a->result_dst.field->writable) {
        e = error_new("%s is read-only", value);
    }
    if (!e && a->result_dst.n_bits != 1) {
        e = error_new("result_dst in 'learn' action must be a single bit");
    }
    a->flags |= LEARN_WRITE_RESULT;
    return e;
}

static struct error *
parse_table(struct learn_parser *lp, const char *value, uint8_t *table)
{
    if (!act_parse_table(lp->p->text, value, table)) {
        return error_new("unknown table \"%s\"", value);
    }
    return *table == 255 ? error_new("%s: table id 255 not valid for `learn' action", lp->orig) : NULL;
}

/* Decimal digits as far as they go, and of what is too large the low bits are stored: neither is an error with the
 * reference. */
static long long
number_of(const char *value)
{
    return strtoll(value, NULL, 10);
}

/* The keywords that are not specs.  '*known' is false for those. */
static struct error *
parse_parameter(struct learn_parser *lp, const char *key, const char *value, bool *known)
{
    struct act_learn *a = act_at(lp->p->out, lp->ofs);
    const struct {
        const char *key;
        uint16_t *to;
    } numbers[] = {
        { "idle_timeout", &a->idle_timeout },         { "hard_timeout", &a->hard_timeout },
        { "fin_idle_timeout", &a->fin_idle_timeout }, { "fin_hard_timeout", &a->fin_hard_timeout },
        { "priority", &a->priority },
    };

    *known = true;
    for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (!strcmp(key, numbers[i].key)) {
            *numbers[i].to = number_of(value);
            return NULL;
        }
    }
    if (!strcmp(key, "table")) {
        return parse_table(lp, value, &a->table);
    } else if (!strcmp(key, "cookie")) {
        a->cookie = strtoull(value, NULL, 0);
        return NULL;
    } else if (!strcmp(key, "limit")) {
        a->limit = number_of(value);
        return NULL;
    } else if (!strcmp(key, "result_dst")) {
        return parse_result_dst(value, a);
    } else if (!strcmp(key, "send_flow_rem")) {
        a->flags |= LEARN_SEND_FLOW_REM;
        return NULL;
    } else if (!strcmp(key, "delete_learned")) {
        a->flags |= LEARN_DELETE_LEARNED;
        return NULL;
    }
    *known = false;
    return NULL;
}

struct error *
learn_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    size_t ofs = act_open(p->out, ACT_LEARN, sizeof(struct act_learn));
    char *orig = xstrdup(arg), *key, *value;
    struct learn_parser lp = { p, orig, ofs };
    struct act_learn *a = act_at(p->out, ofs);
    struct error *e = NULL;

    a->table = 1;
    a->priority = DEFAULT_PRIORITY;
    while (!e && act_take_key_value(&arg, &key, &value)) {
        bool known;

        e = parse_parameter(&lp, key, value, &known);
        if (!known) {
            e = parse_spec(&lp, key, value);
        }
    }
    free(orig);
    return e;
}
