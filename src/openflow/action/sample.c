/* sample: a packet in so many goes to a set of flow collectors. */

#include <string.h>

#include "base/num.h"
#include "openflow/action/ops.h"
#include "openflow/oxm/oxm.h"

/* The fourth form: an id is a constant, or a field and a range of 32 bits at most. */
static enum ofperr
take_id(const struct act_wire *w, size_t ofs, struct sample_id *id)
{
    enum ofperr error;

    if (!act_be32(w, ofs)) {
        id->value = act_be32(w, ofs + 4);
        return OFPERR_NONE;
    }
    error = act_field32(act_be32(w, ofs), &id->src.field);
    error = error ? error : act_set_ofs_nbits(&id->src, act_be16(w, ofs + 4));
    error = error ? error : act_zero(w, ofs + 6, 2);
    return !error && id->src.n_bits > 32 ? OFPERR_OFPBAC_BAD_SET_LEN : error;
}

/* Port, direction, zeros: the end of all forms but the first. */
static enum ofperr
take_end(const struct act_wire *w, size_t ofs, struct act_sample *a)
{
    a->sampling_port = ofp_port_from_u16(act_be16(w, ofs));
    if (w->form == ACT_FORM_NX_SAMPLE2) {
        return OFPERR_NONE;
    }
    a->direction = w->data[ofs + 2];
    return a->direction > SAMPLE_EGRESS ? OFPERR_OFPBAC_BAD_ARGUMENT : act_zero_from(w, ofs + 3);
}

static enum ofperr
sample_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_sample *a = act_put(out, ACT_SAMPLE, sizeof *a);
    enum ofperr error;

    a->probability = act_be16(w, 10);
    a->collector_set_id = act_be32(w, 12);
    a->sampling_port = OFPP_NONE;
    if (!a->probability) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (w->form == ACT_FORM_NX_SAMPLE4) {
        error = take_id(w, 16, &a->obs_domain);
        error = error ? error : take_id(w, 24, &a->obs_point);
        return error ? error : take_end(w, 32, a);
    }
    a->obs_domain.value = act_be32(w, 16);
    a->obs_point.value = act_be32(w, 20);
    return w->form == ACT_FORM_NX_SAMPLE ? OFPERR_NONE : take_end(w, 24, a);
}

static void
put_id(struct bytes *b, const struct sample_id *id)
{
    if (id->src.field) {
        bytes_put_be32(b, oxm_header32(id->src.field, ACT_NX_NUMBERS));
        bytes_put_be16(b, act_ofs_nbits(&id->src));
        bytes_put_be16(b, 0);
    } else {
        bytes_put_be32(b, 0);
        bytes_put_be32(b, id->value);
    }
}

static enum act_form
form_of(const struct act_sample *a)
{
    return a->obs_domain.src.field || a->obs_point.src.field ? ACT_FORM_NX_SAMPLE4
           : a->direction                                    ? ACT_FORM_NX_SAMPLE3
           : a->sampling_port != OFPP_NONE                   ? ACT_FORM_NX_SAMPLE2
                                                             : ACT_FORM_NX_SAMPLE;
}

static void
sample_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_sample *a = (const struct act_sample *) act;
    enum act_form form = form_of(a);
    size_t start = act_begin(b, form);

    bytes_put_be16(b, a->probability);
    bytes_put_be32(b, a->collector_set_id);
    if (form == ACT_FORM_NX_SAMPLE4) {
        put_id(b, &a->obs_domain);
        put_id(b, &a->obs_point);
    } else {
        bytes_put_be32(b, a->obs_domain.value);
        bytes_put_be32(b, a->obs_point.value);
    }
    if (form != ACT_FORM_NX_SAMPLE) {
        bytes_put_be16(b, ofp_port_to_u16(a->sampling_port));
        bytes_put_u8(b, a->direction);
        bytes_put_zeros(b, 5);
    }
    act_end(b, start);
}

static void
format_id(struct act_writer *w, const char *name, const struct sample_id *id)
{
    str_putf(w->s, ",%s=", name);
    if (id->src.field) {
        oxm_format_subfield(w->s, &id->src, w->text->options);
    } else {
        str_putf(w->s, "%u", id->value);
    }
}

static void
sample_format(struct act_writer *w, const struct act *act)
{
    static const char *const directions[] = { "", ",ingress", ",egress" };
    const struct act_sample *a = (const struct act_sample *) act;

    str_putf(w->s, "sample(probability=%u,collector_set_id=%u", a->probability, a->collector_set_id);
    format_id(w, "obs_domain_id", &a->obs_domain);
    format_id(w, "obs_point_id", &a->obs_point);
    if (a->sampling_port != OFPP_NONE) {
        str_puts(w->s, ",sampling_port=");
        act_put_port(w, a->sampling_port);
    }
    str_putf(w->s, "%s)", directions[a->direction]);
}

/* A number or a field of at most 32 bits. */
static struct error *
parse_id(const char *key, const char *value, struct sample_id *id)
{
    const char *tail;
    struct error *e;

    if (num_parse_u32(value, 0, &id->value)) {
        return NULL;
    }
    e = oxm_parse_subfield(value, &id->src, &tail);
    if (e || *tail) {
        error_free(e);
        return error_new("invalid numeric format %s", value);
    }
    if (id->src.n_bits > 32) {
        return error_new("size of %s field (%u) exceeds maximum (32)", key, id->src.n_bits);
    }
    return act_require_short_header(id->src.field, value, id->src.field->name);
}

static struct error *
parse_key(struct act_parser *p, struct act_sample *a, const char *key, const char *value)
{
    struct error *e;

    if (!strcmp(key, "probability")) {
        e = act_parse_u16(value, "probability", &a->probability);
        return !e && !a->probability ? error_new("invalid probability value \"%s\"", value) : e;
    } else if (!strcmp(key, "collector_set_id")) {
        return act_parse_u32(value, &a->collector_set_id);
    } else if (!strcmp(key, "obs_domain_id")) {
        return parse_id(key, value, &a->obs_domain);
    } else if (!strcmp(key, "obs_point_id")) {
        return parse_id(key, value, &a->obs_point);
    } else if (!strcmp(key, "sampling_port")) {
        return ofp_port_parse(value, p->text->ports, &a->sampling_port) ? NULL : error_new("%s: unknown port", value);
    } else if (!strcmp(key, "ingress") || !strcmp(key, "egress")) {
        a->direction = *key == 'i' ? SAMPLE_INGRESS : SAMPLE_EGRESS;
        return NULL;
    }
    return error_new("invalid key \"%s\" in \"sample\" argument", key);
}

static struct error *
sample_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_sample *a = act_put(p->out, ACT_SAMPLE, sizeof *a);
    struct error *e = NULL;
    char *key, *value;

    a->sampling_port = OFPP_NONE;
    while (!e && act_take_key_value(&arg, &key, &value)) {
        e = parse_key(p, a, key, value);
    }
    return !e && !a->probability ? error_new("non-zero \"probability\" must be specified on sample") : e;
}

static enum ofperr
sample_check(struct act *act, struct act_check *c)
{
    const struct act_sample *a = (const struct act_sample *) act;
    enum ofperr error = a->obs_domain.src.field ? act_check_src(&a->obs_domain.src, c) : OFPERR_NONE;

    return error || !a->obs_point.src.field ? error : act_check_src(&a->obs_point.src, c);
}

const struct act_ops act_sample_ops = {
    .decode = sample_decode, .encode = sample_encode, .format = sample_format, .parse = sample_parse,
    .check = sample_check,
};
