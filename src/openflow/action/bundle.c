/* bundle, bundle_load: choose one of several ports by a hash or by the first that is up. */

#include <stdlib.h>
#include <string.h>

#include "openflow/action/hash_fields.h"
#include "openflow/action/ops.h"
#include "openflow/oxm/oxm.h"
#include "sys/log.h"

LOG_MODULE(bundle)

static struct log_limit rl = LOG_LIMIT_INIT(60, 5);

enum { MAX_MEMBERS = 2048, MEMBER_TYPE_OFPORT = 2 };

static const char *const algorithms[] = { "active_backup", "hrw" };

/* Members that bundle_load writes are 16-bit port numbers. */
static enum ofperr
check_width(const struct subfield *dst)
{
    if (dst->n_bits < 16) {
        log_warn_rl(&rl, "bundle_load action requires at least 16 bit destination.");
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return OFPERR_NONE;
}

static enum ofperr
decode_dst(const struct act_wire *w, struct subfield *dst)
{
    enum ofperr error;

    memset(dst, 0, sizeof *dst);
    if (w->form == ACT_FORM_NX_BUNDLE) {
        return act_be16(w, 22) || act_be32(w, 24) ? OFPERR_OFPBAC_BAD_ARGUMENT : OFPERR_NONE;
    }
    error = act_field32(act_be32(w, 24), &dst->field);
    error = error ? error : act_set_ofs_nbits(dst, act_be16(w, 22));
    return error ? error : check_width(dst);
}

static enum ofperr
check_fixed_part(const struct act_wire *w)
{
    if (act_be16(w, 10) > BUNDLE_HRW || act_be16(w, 12) >= HASH_N_FIELDS || act_be16(w, 20) > MAX_MEMBERS) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (act_be32(w, 16) != MEMBER_TYPE_OFPORT) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return is_all_zeros(w->data + 28, 4) ? OFPERR_NONE : OFPERR_OFPBAC_BAD_ARGUMENT;
}

static enum ofperr
bundle_decode(const struct act_wire *w, struct act_buf *out)
{
    unsigned int n = act_be16(w, 20);
    enum ofperr error = w->len < 32 + 2 * n ? OFPERR_OFPBAC_BAD_LEN : check_fixed_part(w);
    struct act_bundle *a;
    struct subfield dst;

    error = error ? error : decode_dst(w, &dst);
    if (error) {
        return error;
    }
    a = act_put(out, ACT_BUNDLE, sizeof *a + n * sizeof a->members[0]);
    a->algorithm = act_be16(w, 10);
    a->fields = act_be16(w, 12);
    a->basis = act_be16(w, 14);
    a->n_members = n;
    a->dst = dst;
    for (unsigned int i = 0; i < n; i++) {
        a->members[i] = ofp_port_from_u16(act_be16(w, 32 + 2 * i));
    }
    return OFPERR_NONE;
}

static void
bundle_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_bundle *a = (const struct act_bundle *) act;
    size_t start = act_begin(b, a->dst.field ? ACT_FORM_NX_BUNDLE_LOAD : ACT_FORM_NX_BUNDLE);

    bytes_put_be16(b, a->algorithm);
    bytes_put_be16(b, a->fields);
    bytes_put_be16(b, a->basis);
    bytes_put_be32(b, MEMBER_TYPE_OFPORT);
    bytes_put_be16(b, a->n_members);
    bytes_put_be16(b, a->dst.field ? act_ofs_nbits(&a->dst) : 0);
    bytes_put_be32(b, a->dst.field ? oxm_header32(a->dst.field, ACT_NX_NUMBERS) : 0);
    bytes_put_zeros(b, 4);
    for (unsigned int i = 0; i < a->n_members; i++) {
        bytes_put_be16(b, ofp_port_to_u16(a->members[i]));
    }
    act_end(b, start);
}

static void
bundle_format(struct act_writer *w, const struct act *act)
{
    const struct act_bundle *a = (const struct act_bundle *) act;

    str_putf(w->s, "%s(%s,%u,%s,ofport,", a->dst.field ? "bundle_load" : "bundle", hash_fields_name(a->fields),
             a->basis, algorithms[a->algorithm]);
    if (a->dst.field) {
        oxm_format_subfield(w->s, &a->dst, w->text->options);
        str_putc(w->s, ',');
    }
    str_puts(w->s, "members:");
    for (unsigned int i = 0; i < a->n_members; i++) {
        str_puts(w->s, i ? "," : "");
        act_put_port(w, a->members[i]);
    }
    str_putc(w->s, ')');
}

/* The parts before the members: fields, basis, algorithm, member type, [destination,] the word "members". */
struct head {
    char *fields, *basis, *algorithm, *type, *dst, *delimiter;
};

static char *
take_part(char **rest)
{
    if (!*rest) {
        return NULL;
    }
    *rest += strspn(*rest, ", ");
    return strsep(rest, ", ");
}

/* The delimiter ends at the colon, behind which the members stand. */
static struct error *
take_head(char **rest, bool load, const char *text, struct head *h)
{
    char *save = *rest;

    h->fields = take_part(&save);
    h->basis = take_part(&save);
    h->algorithm = take_part(&save);
    h->type = take_part(&save);
    h->dst = load ? take_part(&save) : NULL;
    h->delimiter = save ? strsep(&save, ":") : NULL;
    *rest = save;
    return h->delimiter ? NULL : error_new("%s: not enough arguments to bundle action", text);
}

static struct error *
check_head(const struct head *h, const char *text, struct act_bundle *a)
{
    int hashed = hash_fields_parse(h->fields);

    if (strcmp(h->delimiter, "members") && strcmp(h->delimiter, "slaves")) {
        return error_new("%s: missing member delimiter, expected `members', got `%s'", text, h->delimiter);
    }
    if (hashed < 0) {
        return error_new("%s: unknown fields `%s'", text, h->fields);
    }
    a->fields = hashed;
    a->basis = strtoul(h->basis, NULL, 0);
    if (!strcmp(h->algorithm, algorithms[BUNDLE_ACTIVE_BACKUP])) {
        a->algorithm = BUNDLE_ACTIVE_BACKUP;
    } else if (!strcmp(h->algorithm, algorithms[BUNDLE_HRW])) {
        a->algorithm = BUNDLE_HRW;
    } else {
        return error_new("%s: unknown algorithm `%s'", text, h->algorithm);
    }
    return strcmp(h->type, "ofport") ? error_new("%s: unknown member_type `%s'", text, h->type) : NULL;
}

static struct error *
parse_members(struct act_parser *p, char *rest, size_t ofs)
{
    char *member;

    while ((member = strsep(&rest, ", []"))) {
        struct act_bundle *a;
        ofp_port port;

        if (!*member) {
            continue;
        }
        if (!ofp_port_parse(member, p->text->ports, &port)) {
            return error_new("%s: bad port number", member);
        }
        act_grow(p->out, ofs, sizeof port);
        a = act_at(p->out, ofs);
        a->members[a->n_members++] = port;
        if (a->n_members > MAX_MEMBERS) {
            return error_new("too many members (at most %d)", MAX_MEMBERS);
        }
    }
    return NULL;
}

static struct error *
parse_dst(const char *text, struct subfield *dst)
{
    const char *tail;
    struct error *e = oxm_parse_subfield(text, dst, &tail);

    if (!e && *tail) {
        e = error_new("%s: unexpected input following field syntax", text);
    }
    e = e ? e : act_require_short_header(dst->field, text, dst->field->name);
    if (!e && dst->n_bits > 64) {
        e = error_new("%s: bundle_load destination is wider than 64 bits", text);
    }
    return e;
}

static struct error *
bundle_parse(struct act_parser *p, const char *keyword, char *arg)
{
    bool load = !strcmp(keyword, "bundle_load");
    char *text = xstrdup(arg), *rest = arg;
    struct error *e;
    struct head h;

    e = take_head(&rest, load, text, &h);
    if (!e) {
        size_t ofs = act_open(p->out, ACT_BUNDLE, sizeof(struct act_bundle));

        e = check_head(&h, text, act_at(p->out, ofs));
        e = e || !load ? e : parse_dst(h.dst, &((struct act_bundle *) act_at(p->out, ofs))->dst);
        e = e ? e : parse_members(p, rest, ofs);
    }
    free(text);
    return e;
}

static enum ofperr
bundle_check(struct act *act, struct act_check *c)
{
    const struct act_bundle *a = (const struct act_bundle *) act;
    enum ofperr error = OFPERR_NONE;

    for (unsigned int i = 0; i < a->n_members; i++) {
        ofp_port p = a->members[i];

        if (p != OFPP_LOCAL && p != OFPP_NONE && ofp_to_u32(p) >= ofp_to_u32(c->max_ports)) {
            return OFPERR_OFPBAC_BAD_OUT_PORT;
        }
    }
    if (a->dst.field) {
        error = act_check_dst(&a->dst, c);
        error = error ? error : check_width(&a->dst);
    }
    return error;
}

const struct act_ops act_bundle_ops = {
    .decode = bundle_decode, .encode = bundle_encode, .format = bundle_format, .parse = bundle_parse,
    .check = bundle_check,
};
