/* multipath: hash the packet, and put the number of a link into a field. */

#include <stdlib.h>
#include <string.h>

#include "openflow/action/hash_fields.h"
#include "openflow/action/ops.h"
#include "openflow/oxm/oxm.h"

static const char *const algorithms[] = { "modulo_n", "hash_threshold", "hrw", "iter_hash" };

enum { N_PARTS = 6 };

/* Whether the destination can hold every link's number. */
static bool
links_fit(unsigned int n_links, const struct subfield *dst)
{
    return dst->n_bits >= 17 || n_links <= 1u << dst->n_bits;
}

static enum ofperr
multipath_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_multipath *a;
    struct subfield dst;
    enum ofperr error;

    error = act_field32(act_be32(w, 28), &dst.field);
    error = error ? error : act_set_ofs_nbits(&dst, act_be16(w, 26));
    if (error) {
        return error;
    }
    if (act_be16(w, 10) >= HASH_N_FIELDS || act_be16(w, 16) >= ARRAY_SIZE(algorithms) ||
        !links_fit(act_be16(w, 18) + 1u, &dst)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_MULTIPATH, sizeof *a);
    a->fields = act_be16(w, 10);
    a->basis = act_be16(w, 12);
    a->algorithm = act_be16(w, 16);
    a->max_link = act_be16(w, 18);
    a->arg = act_be32(w, 20);
    a->dst = dst;
    return OFPERR_NONE;
}

static void
multipath_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_multipath *a = (const struct act_multipath *) act;
    size_t start = act_begin(b, ACT_FORM_NX_MULTIPATH);

    bytes_put_be16(b, a->fields);
    bytes_put_be16(b, a->basis);
    bytes_put_be16(b, 0);
    bytes_put_be16(b, a->algorithm);
    bytes_put_be16(b, a->max_link);
    bytes_put_be32(b, a->arg);
    bytes_put_be16(b, 0);
    bytes_put_be16(b, act_ofs_nbits(&a->dst));
    bytes_put_be32(b, oxm_header32(a->dst.field, ACT_NX_NUMBERS));
    act_end(b, start);
}

static void
multipath_format(struct act_writer *w, const struct act *act)
{
    const struct act_multipath *a = (const struct act_multipath *) act;

    str_putf(w->s, "multipath(%s,%u,%s,%u,%u,", hash_fields_name(a->fields), a->basis, algorithms[a->algorithm],
             a->max_link + 1u, a->arg);
    oxm_format_subfield(w->s, &a->dst, w->text->options);
    str_putc(w->s, ')');
}

static int
find_algorithm(const char *name)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(algorithms); i++) {
        if (!strcmp(algorithms[i], name)) {
            return i;
        }
    }
    return -1;
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
        e = error_new("%s: multipath destination is wider than 64 bits", text);
    }
    return e;
}

static struct error *
parse_parts(char *const parts[N_PARTS], const char *text, struct act_multipath *a)
{
    int hashed = hash_fields_parse(parts[0]), algorithm = find_algorithm(parts[2]);
    int n_links = atoi(parts[3]);
    struct error *e;

    if (hashed < 0) {
        return error_new("%s: unknown fields `%s'", text, parts[0]);
    }
    if (algorithm < 0) {
        return error_new("%s: unknown algorithm `%s'", text, parts[2]);
    }
    if (n_links < 1 || n_links > 65536) {
        return error_new("%s: n_links %d is not in valid range 1 to 65536", text, n_links);
    }
    e = parse_dst(parts[5], &a->dst);
    if (!e && !links_fit(n_links, &a->dst)) {
        e = error_new("%s: %d-bit destination field has %u possible values, less than specified n_links %d", text,
                      a->dst.n_bits, 1u << a->dst.n_bits, n_links);
    }
    a->fields = hashed;
    a->basis = atoi(parts[1]);
    a->algorithm = algorithm;
    a->max_link = n_links - 1;
    a->arg = strtoul(parts[4], NULL, 0);
    return e;
}

static struct error *
multipath_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    char *text = xstrdup(arg), *rest = arg, *parts[N_PARTS];
    struct error *e = NULL;

    for (int i = 0; i < N_PARTS; i++) {
        if (rest) {
            rest += strspn(rest, ", ");
        }
        parts[i] = rest && *rest ? strsep(&rest, ", ") : NULL;
    }
    if (!parts[N_PARTS - 1]) {
        e = error_new("%s: not enough arguments to multipath action", text);
    } else {
        e = parse_parts(parts, text, act_put(p->out, ACT_MULTIPATH, sizeof(struct act_multipath)));
    }
    free(text);
    return e;
}

static enum ofperr
multipath_check(struct act *act, struct act_check *c)
{
    return act_check_dst(&((const struct act_multipath *) act)->dst, c);
}

const struct act_ops act_multipath_ops = {
    .decode = multipath_decode, .encode = multipath_encode, .format = multipath_format, .parse = multipath_parse,
    .check = multipath_check,
};
