/* The setters of OpenFlow 1.0 for Ethernet addresses.  Later versions say set_field. */

#include "flow/field_text.h"
#include "openflow/action/ops.h"

static struct error *
parse_mac(const char *text, struct eth_addr *mac)
{
    const struct field *f = field_of(FIELD_ETH_SRC);
    union field_value v, mask;
    struct error *e = field_parse(f, text, NULL, &v, &mask);

    if (e || !field_mask_is_exact(f, &mask)) {
        error_free(e);
        return error_new("invalid mac address %s", text);
    }
    memcpy(mac, &v, sizeof *mac);
    return NULL;
}

static void
put_mac(struct bytes *b, enum of_version v, enum act_form of10, enum act_form of11, enum field_id id,
        const struct eth_addr *mac)
{
    if (v <= OF11) {
        size_t start = act_begin(b, v == OF10 ? of10 : of11);

        bytes_put(b, mac, sizeof *mac);
        act_end(b, start);
    } else {
        act_put_set_field(b, v, id, mac);
    }
}

static enum ofperr
check_ethernet(struct act_check *c)
{
    return c->match->mask.packet_ns && c->match->flow.packet_ns ? OFPERR_OFPBAC_MATCH_INCONSISTENT : OFPERR_NONE;
}

/* Source. */

static enum ofperr
set_eth_src_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_eth_src *a = act_put(out, ACT_SET_ETH_SRC, sizeof *a);

    memcpy(&a->mac, w->data + 4, sizeof a->mac);
    return OFPERR_NONE;
}

static void
set_eth_src_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    put_mac(b, v, ACT_FORM_OF10_SET_DL_SRC, ACT_FORM_OF11_SET_DL_SRC, FIELD_ETH_SRC,
            &((const struct act_set_eth_src *) act)->mac);
}

static void
set_eth_src_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_dl_src:" ETH_ADDR_FMT, ETH_ADDR_ARGS(((const struct act_set_eth_src *) act)->mac));
}

static struct error *
set_eth_src_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_eth_src *a = act_put(p->out, ACT_SET_ETH_SRC, sizeof *a);

    return parse_mac(arg, &a->mac);
}

static enum ofperr
set_eth_src_check(struct act *act UNUSED, struct act_check *c)
{
    return check_ethernet(c);
}

const struct act_ops act_set_eth_src_ops = {
    .decode = set_eth_src_decode, .encode = set_eth_src_encode, .format = set_eth_src_format,
    .parse = set_eth_src_parse, .check = set_eth_src_check,
};

/* Destination. */

static enum ofperr
set_eth_dst_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_eth_dst *a = act_put(out, ACT_SET_ETH_DST, sizeof *a);

    memcpy(&a->mac, w->data + 4, sizeof a->mac);
    return OFPERR_NONE;
}

static void
set_eth_dst_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    put_mac(b, v, ACT_FORM_OF10_SET_DL_DST, ACT_FORM_OF11_SET_DL_DST, FIELD_ETH_DST,
            &((const struct act_set_eth_dst *) act)->mac);
}

static void
set_eth_dst_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "mod_dl_dst:" ETH_ADDR_FMT, ETH_ADDR_ARGS(((const struct act_set_eth_dst *) act)->mac));
}

static struct error *
set_eth_dst_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_set_eth_dst *a = act_put(p->out, ACT_SET_ETH_DST, sizeof *a);

    return parse_mac(arg, &a->mac);
}

static enum ofperr
set_eth_dst_check(struct act *act UNUSED, struct act_check *c)
{
    return check_ethernet(c);
}

const struct act_ops act_set_eth_dst_ops = {
    .decode = set_eth_dst_decode, .encode = set_eth_dst_encode, .format = set_eth_dst_format,
    .parse = set_eth_dst_parse, .check = set_eth_dst_check,
};
