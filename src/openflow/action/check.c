/* Consistency of actions with what a flow matches. */

#include "flow/tun_metadata.h"
#include "openflow/action/ops.h"
#include "sys/log.h"

LOG_MODULE(meta_flow)

static struct log_limit rl = LOG_LIMIT_INIT(60, 5);

void
act_expect(struct act_check *c, bool consistent)
{
    if (!consistent) {
        c->protocols &= PROTO_OF10_ANY;
    }
}

uint16_t
act_eth_type(const struct act_check *c)
{
    return c->match->mask.eth_type == BE16_MAX ? be16_to_cpu(c->match->flow.eth_type) : 0;
}

bool
act_is_ip(const struct act_check *c)
{
    return act_eth_type(c) == 0x0800 || act_eth_type(c) == 0x86dd;
}

enum ofperr
act_check_option(const struct field *f, unsigned int n_bits, struct act_check *c)
{
    const struct field *mapped;

    if (LIKELY(!field_is_option(f))) {
        return OFPERR_NONE;
    }
    c->used_options |= UINT64_C(1) << field_option_index(f);
    mapped = tun_map_field(c->options, f);
    if (!c->check_options) {
        return OFPERR_NONE;
    }
    if (!mapped) {
        return OFPERR_NXFMFC_INVALID_TLV_FIELD;
    }
    return n_bits > mapped->n_bits ? OFPERR_OFPBAC_BAD_SET_LEN : OFPERR_NONE;
}

/* Whether the range is inside the field, and the field here. */
static enum ofperr
check_subfield(const struct subfield *sf, struct act_check *c, const char *what)
{
    if (!sf->field || !sf->n_bits) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (act_check_range(sf)) {
        log_warn_rl(&rl, "bit offset %u and width %u exceeds %u-bit width of %s field %s", sf->ofs, sf->n_bits,
                    field_width(sf->field), what, sf->field->name);
        return OFPERR_OFPBAC_BAD_SET_LEN;
    }
    if (!field_prereqs_met_by_match(sf->field, &c->match->flow, &c->match->mask)) {
        log_warn_rl(&rl, "%s field %s lacks correct prerequisites", what, sf->field->name);
        return OFPERR_OFPBAC_MATCH_INCONSISTENT;
    }
    return act_check_option(sf->field, sf->ofs + sf->n_bits, c);
}

enum ofperr
act_check_src(const struct subfield *sf, struct act_check *c)
{
    return check_subfield(sf, c, "source");
}

enum ofperr
act_check_dst(const struct subfield *sf, struct act_check *c)
{
    enum ofperr error = check_subfield(sf, c, "destination");

    if (!error && !sf->field->writable) {
        log_warn_rl(&rl, "destination field %s is not writable", sf->field->name);
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    return error;
}

/* Actions inside actions see what the packet looks like here; what they change is theirs. */
static enum ofperr
check_list(char *at, char *end, struct act_check *c)
{
    if (c->depth++ > ACT_MAX_DEPTH) {
        return OFPERR_OFPBAC_TOO_MANY;
    }
    while (at < end) {
        struct act *a = (struct act *) (void *) at;
        enum ofperr error = act_ops_of(a)->check(a, c);

        if (error) {
            return error;
        }
        at += ROUND_UP(a->len, ACT_ALIGN);
    }
    c->depth--;
    return OFPERR_NONE;
}

enum ofperr
act_check_nested(struct act *a, size_t ofs, struct act_check *c)
{
    struct match *saved = c->match, copy = *saved;
    enum ofperr error;

    c->match = &copy;
    error = check_list((char *) a + ofs, (char *) a + a->len, c);
    c->match = saved;
    return error;
}

enum ofperr
act_check(struct act_buf *b, struct act_check *c)
{
    char *first = (char *) b->bytes.data;
    enum ofperr error;

    if (!b->bytes.len) {
        return OFPERR_NONE;
    }
    error = check_list(first, first + b->bytes.len, c);
    /* Last, so that an error of any action goes before that of a version which lacks one. */
    return error ? error : c->protocols ? OFPERR_NONE : OFPERR_OFPBAC_MATCH_INCONSISTENT;
}
