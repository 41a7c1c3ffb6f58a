/* ct: send the packet through the connection tracker. */

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "openflow/action/ops.h"
#include "openflow/oxm/oxm.h"

static const struct {
    uint16_t alg;
    const char *name;
    uint8_t nw_proto; /* The only one that the helper understands. */
} algs[] = { { CT_ALG_FTP, "ftp", 6 }, { CT_ALG_TFTP, "tftp", 17 } };

/* A nat action without arguments only undoes translation; everything else that is nested needs a commit. */
static bool
needs_commit(const struct act_ct *a)
{
    ACT_FOR_EACH (nested, act_ct_actions(a)) {
        if (nested->type != ACT_NAT || ((const struct act_nat *) nested)->flags) {
            return true;
        }
    }
    return false;
}

static enum ofperr
take_zone(const struct act_wire *w, struct act_ct *a)
{
    enum ofperr error;

    if (!act_be32(w, 12)) {
        a->zone = act_be16(w, 16);
        return OFPERR_NONE;
    }
    error = act_field32(act_be32(w, 12), &a->zone_src.field);
    error = error ? error : act_set_ofs_nbits(&a->zone_src, act_be16(w, 16));
    if (!error && a->zone_src.n_bits != 16) {
        act_warn("zone n_bits %u not within valid range [16..16]", a->zone_src.n_bits);
        return OFPERR_OFPBAC_BAD_SET_LEN;
    }
    return error;
}

static enum ofperr
take_fixed(const struct act_wire *w, struct act_ct *a)
{
    enum ofperr error = take_zone(w, a);

    a->flags = act_be16(w, 10);
    a->table = w->data[18];
    a->alg = act_be16(w, 22);
    if (error) {
        return error;
    }
    a->flags &= CT_COMMIT | CT_FORCE; /* Others are for later versions to know. */
    return a->flags == CT_FORCE ? OFPERR_OFPBAC_BAD_ARGUMENT : OFPERR_NONE;
}

static enum ofperr
ct_decode(const struct act_wire *w, struct act_buf *out)
{
    size_t ofs = act_open(out, ACT_CT, sizeof(struct act_ct));
    enum ofperr error = take_fixed(w, act_at(out, ofs));
    const struct act_ct *a;

    error = error ? error : act_decode_nested(w, 24, out);
    a = act_close(out, ofs);
    if (!error && !(a->flags & CT_COMMIT) && needs_commit(a)) {
        act_warn("CT action requires commit flag if actions other than NAT without arguments are specified.");
        error = OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return error;
}

static void
ct_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_ct *a = (const struct act_ct *) act;
    size_t start = act_begin(b, ACT_FORM_NX_CT);

    bytes_put_be16(b, a->flags);
    if (a->zone_src.field) {
        bytes_put_be32(b, oxm_header32(a->zone_src.field, ACT_NX_NUMBERS));
        bytes_put_be16(b, act_ofs_nbits(&a->zone_src));
    } else {
        bytes_put_be32(b, 0);
        bytes_put_be16(b, a->zone);
    }
    bytes_put_u8(b, a->table);
    bytes_put_zeros(b, 3);
    bytes_put_be16(b, a->alg);
    act_encode_actions(act_ct_actions(a), v, b);
    act_end(b, start);
}

/* A nat that stands first has its own keyword. */
static void
format_nested(struct act_writer *w, struct act_span s)
{
    if (s.len && s.first->type == ACT_NAT) {
        const struct act *next = act_next(s.first);

        act_ops_of(s.first)->format(w, s.first);
        str_putc(w->s, ',');
        s.len -= (const char *) next - (const char *) s.first;
        s.first = next;
    }
    if (s.len) {
        str_puts(w->s, "exec(");
        act_format_span(w, s);
        str_puts(w->s, "),");
    }
}

static void
format_alg(struct str *s, uint16_t alg)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(algs); i++) {
        if (algs[i].alg == alg) {
            str_putf(s, "alg=%s,", algs[i].name);
            return;
        }
    }
    if (alg) {
        str_putf(s, "alg=%u,", alg);
    }
}

static void
ct_format(struct act_writer *w, const struct act *act)
{
    const struct act_ct *a = (const struct act_ct *) act;

    str_puts(w->s, "ct(");
    str_puts(w->s, a->flags & CT_COMMIT ? "commit," : "");
    str_puts(w->s, a->flags & CT_FORCE ? "force," : "");
    if (a->table != CT_TABLE_NONE) {
        str_puts(w->s, "table=");
        act_put_table(w, a->table);
        str_putc(w->s, ',');
    }
    if (a->zone_src.field) {
        str_puts(w->s, "zone=");
        oxm_format_subfield(w->s, &a->zone_src, w->text->options);
        str_putc(w->s, ',');
    } else if (a->zone) {
        str_putf(w->s, "zone=%u,", a->zone);
    }
    format_nested(w, act_ct_actions(a));
    format_alg(w->s, a->alg);
    str_chomp(w->s, ',');
    str_putc(w->s, ')');
}

static struct error *
parse_alg(const char *value, uint16_t *alg)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(algs); i++) {
        if (!strcmp(algs[i].name, value)) {
            *alg = algs[i].alg;
            return NULL;
        }
    }
    return error_new("invalid conntrack helper \"%s\"", value);
}

static struct error *
parse_zone(const char *value, struct act_ct *a)
{
    const char *tail;
    struct error *e;

    memset(&a->zone_src, 0, sizeof a->zone_src);
    if (num_parse_u16(value, 0, &a->zone)) {
        return NULL;
    }
    e = oxm_parse_subfield(value, &a->zone_src, &tail);
    if (!e && *tail) {
        e = error_new("%s: unexpected input following field syntax", value);
    }
    e = e ? e : act_require_short_header(a->zone_src.field, value, a->zone_src.field->name);
    if (!e && a->zone_src.n_bits > 64) {
        e = error_new("%s: a zone has 16 bits", value);
    }
    return e;
}

static struct error *
parse_table(struct act_parser *p, const char *value, uint8_t *table)
{
    if (!act_parse_table(p->text, value, table)) {
        return error_new("unknown table %s", value);
    }
    return *table == CT_TABLE_NONE ? error_new("invalid table %#x", *table) : NULL;
}

/* Nested actions are put behind, which moves what 'ofs' is the place of. */
static struct error *
parse_key(struct act_parser *p, size_t ofs, const char *key, char *value)
{
    struct act_ct *a = act_at(p->out, ofs);

    if (!strcmp(key, "commit")) {
        a->flags |= CT_COMMIT;
    } else if (!strcmp(key, "force")) {
        a->flags |= CT_FORCE;
    } else if (!strcmp(key, "table")) {
        return parse_table(p, value, &a->table);
    } else if (!strcmp(key, "zone")) {
        return parse_zone(value, a);
    } else if (!strcmp(key, "alg")) {
        return parse_alg(value, &a->alg);
    } else if (!strcmp(key, "nat")) {
        return act_nat_ops.parse(p, key, value);
    } else if (!strcmp(key, "exec")) {
        return act_parse_nested(p, ACT_CT, value);
    } else {
        return error_new("invalid argument to \"ct\" action: `%s'", key);
    }
    return NULL;
}

static struct error *
ct_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    size_t ofs = act_open(p->out, ACT_CT, sizeof(struct act_ct));
    struct act_ct *a = act_at(p->out, ofs);
    struct error *e = NULL;
    char *key, *value;

    a->table = CT_TABLE_NONE;
    while (!e && act_take_key_value(&arg, &key, &value)) {
        e = parse_key(p, ofs, key, value);
    }
    a = act_close(p->out, ofs);
    if (!e && a->flags & CT_FORCE && !(a->flags & CT_COMMIT)) {
        e = error_new("\"force\" flag requires \"commit\" flag.");
    }
    return e;
}

static enum ofperr
ct_check(struct act *act, struct act_check *c)
{
    const struct act_ct *a = (const struct act_ct *) act;
    enum ofperr error;

    if (!act_is_ip(c)) {
        return OFPERR_OFPBAC_MATCH_INCONSISTENT;
    }
    if (a->zone_src.field) {
        error = act_check_src(&a->zone_src, c);
        if (error) {
            return error;
        }
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(algs); i++) {
        if (algs[i].alg == a->alg && c->match->flow.nw_proto != algs[i].nw_proto) {
            return OFPERR_OFPBAC_MATCH_INCONSISTENT;
        }
    }
    return act_check_nested(act, sizeof *a, c);
}

const struct act_ops act_ct_ops = {
    .decode = ct_decode, .encode = ct_encode, .format = ct_format, .parse = ct_parse, .check = ct_check,
};
