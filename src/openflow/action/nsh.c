/* Packet types: encap and decap of whole headers, and NSH's time to live. */

#include <ctype.h>
#include <string.h>

#include "base/num.h"
#include "openflow/action/ops.h"

enum { PROP_HEADER = 4, TLV_HEADER = 4 };

static const struct {
    const char *name;
    uint32_t packet_type;
} headers[] = {
    { "nsh", PT_NSH }, { "ethernet", PT_ETH }, { "mpls", PT_MPLS }, { "mpls_mc", PT_MPLS_MC },
};

static const char *
header_name(uint32_t packet_type)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(headers); i++) {
        if (headers[i].packet_type == packet_type) {
            return headers[i].name;
        }
    }
    return NULL;
}

/* Properties. */

bool
encap_prop_take(struct cursor *c, struct encap_prop *prop)
{
    const uint8_t *p;
    unsigned int len;

    memset(prop, 0, sizeof *prop);
    if (c->left < PROP_HEADER) {
        return false;
    }
    len = c->at[3];
    if (len < PROP_HEADER + 1 || ROUND_UP(len, 8) > c->left) {
        return false;
    }
    p = cursor_take(c, ROUND_UP(len, 8));
    prop->class = get_be16(p);
    prop->type = p[2];
    if (prop->type == ENCAP_NSH_MD_TYPE) {
        prop->md_type = p[PROP_HEADER];
    } else if (len < PROP_HEADER + TLV_HEADER || len - PROP_HEADER - TLV_HEADER < p[7]) {
        return false;
    } else {
        prop->tlv_class = get_be16(p + 4);
        prop->tlv_type = p[6];
        prop->tlv_len = p[7];
        prop->tlv_data = p + PROP_HEADER + TLV_HEADER;
    }
    return true;
}

static enum ofperr
check_props(struct cursor c)
{
    while (c.left) {
        struct encap_prop prop;
        bool known = c.left >= PROP_HEADER && get_be16(c.at) == ENCAP_CLASS_NSH &&
                     (c.at[2] == ENCAP_NSH_MD_TYPE || c.at[2] == ENCAP_NSH_TLV);

        if (!known) {
            return OFPERR_NXBAC_UNKNOWN_ED_PROP;
        }
        if (!encap_prop_take(&c, &prop)) {
            return OFPERR_NXBAC_BAD_ED_PROP;
        }
        if (prop.type == ENCAP_NSH_MD_TYPE && prop.md_type != 1 && prop.md_type != 2) {
            return OFPERR_NXBAC_BAD_ED_PROP;
        }
    }
    return OFPERR_NONE;
}

/* encap. */

static enum ofperr
encap_decode(const struct act_wire *w, struct act_buf *out)
{
    struct cursor props = act_cursor(w, 16);
    struct act_encap *a;
    enum ofperr error;

    if (!header_name(act_be32(w, 12))) {
        return OFPERR_NXBAC_BAD_HEADER_TYPE;
    }
    error = check_props(props);
    if (error) {
        return error;
    }
    a = act_put(out, ACT_ENCAP, sizeof *a + props.left);
    a->packet_type = act_be32(w, 12);
    a->hdr_size = act_be16(w, 10);
    a->props_len = props.left;
    memcpy(a->props, props.at, props.left);
    return OFPERR_NONE;
}

static void
encap_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_encap *a = (const struct act_encap *) act;
    size_t start = act_begin(b, ACT_FORM_NX_ENCAP);

    bytes_put_be16(b, a->hdr_size);
    bytes_put_be32(b, a->packet_type);
    bytes_put(b, a->props, a->props_len);
    act_end(b, start);
}

static void
format_prop(struct str *s, const struct encap_prop *prop)
{
    if (prop->type == ENCAP_NSH_MD_TYPE) {
        str_putf(s, "md_type=%u", prop->md_type);
    } else {
        str_putf(s, "tlv(0x%04x,%u,0x", prop->tlv_class, prop->tlv_type);
        str_put_hex(s, prop->tlv_data, prop->tlv_len);
        str_putc(s, ')');
    }
}

static void
encap_format(struct act_writer *w, const struct act *act)
{
    const struct act_encap *a = (const struct act_encap *) act;
    struct cursor c = cursor_make(a->props, a->props_len);
    struct encap_prop prop;

    str_putf(w->s, "encap(%s", header_name(a->packet_type));
    for (bool first = true; encap_prop_take(&c, &prop); first = false) {
        str_putc(w->s, first ? '(' : ',');
        format_prop(w->s, &prop);
    }
    str_puts(w->s, a->props_len ? "))" : ")");
}

static struct error *
parse_md_type(const char *value, struct bytes *props)
{
    uint8_t type;
    size_t start = props->len;

    if (!num_parse_u8(value, 0, &type) || (type != 1 && type != 2)) {
        return error_new("invalid md_type");
    }
    bytes_put_be16(props, ENCAP_CLASS_NSH);
    bytes_put_u8(props, ENCAP_NSH_MD_TYPE);
    bytes_put_u8(props, PROP_HEADER + 1);
    bytes_put_u8(props, type);
    bytes_pad_from(props, start, 8);
    return NULL;
}

/* "CLASS,TYPE,0xDATA". */
static struct error *
parse_tlv(char *value, struct bytes *props)
{
    char *class_text = strsep(&value, ","), *type_text = value ? strsep(&value, ",") : NULL;
    size_t start = props->len, data_len;
    uint16_t class;
    uint8_t type;

    if (!value || !num_parse_u16(class_text, 0, &class) || !num_parse_u8(type_text, 0, &type) ||
        strncmp(value, "0x", 2)) {
        return error_new("Invalid NSH TLV header: %s", class_text);
    }
    bytes_put_be16(props, ENCAP_CLASS_NSH);
    bytes_put_u8(props, ENCAP_NSH_TLV);
    bytes_put_u8(props, 0);
    bytes_put_be16(props, class);
    bytes_put_u8(props, type);
    bytes_put_u8(props, 0);
    bytes_put_from_hex(props, value + 2);
    data_len = props->len - start - PROP_HEADER - TLV_HEADER;
    if (data_len > 124) {
        return error_new("NSH TLV is too long (%zu bytes, at most 124)", data_len);
    }
    bytes_pad_from(props, start, 8);
    *(uint8_t *) bytes_at(props, start + 3) = props->len - start;
    *(uint8_t *) bytes_at(props, start + 7) = data_len;
    return NULL;
}

static struct error *
parse_props(char *text, struct bytes *props)
{
    char *key, *value;
    struct error *e = NULL;

    while (!e && act_take_key_value(&text, &key, &value)) {
        if (!strcmp(key, "md_type")) {
            e = parse_md_type(value, props);
        } else if (!strcmp(key, "tlv")) {
            e = parse_tlv(value, props);
        } else {
            e = error_new("Invalid property: %s", key);
        }
    }
    return e;
}

static struct error *
encap_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct bytes props = BYTES_INIT;
    char *key, *value;
    struct error *e;

    *p->protocols &= PROTO_OF13_UP;
    if (!act_take_key_value(&arg, &key, &value)) {
        return error_new("Missing encap hdr: %s", arg);
    }
    e = parse_props(value, &props);
    for (unsigned int i = 0; !e && i < ARRAY_SIZE(headers); i++) {
        if (!strcmp(headers[i].name, key)) {
            struct act_encap *a = act_put(p->out, ACT_ENCAP, sizeof *a + props.len);

            a->packet_type = headers[i].packet_type;
            a->props_len = props.len;
            if (props.len) {
                memcpy(a->props, props.data, props.len);
            }
            bytes_uninit(&props);
            return NULL;
        }
    }
    bytes_uninit(&props);
    return e ? e : error_new("Encap hdr not supported: %s", value);
}

/* What is known of the packet under its new header. */
static enum ofperr
encap_check(struct act *act, struct act_check *c)
{
    const struct act_encap *a = (const struct act_encap *) act;
    struct match *m = c->match;

    m->mask.packet_ns = UINT8_MAX;
    m->flow.packet_ns = a->packet_type >> 16;
    if (a->packet_type >> 16) {
        m->mask.eth_type = BE16_MAX;
        m->flow.eth_type = cpu_to_be16(a->packet_type);
    }
    return OFPERR_NONE;
}

const struct act_ops act_encap_ops = {
    .decode = encap_decode, .encode = encap_encode, .format = encap_format, .parse = encap_parse,
    .check = encap_check,
};

/* decap. */

static enum ofperr
decap_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_decap *a;
    enum ofperr error = act_zero(w, 10, 2);

    if (!error) {
        a = act_put(out, ACT_DECAP, sizeof *a);
        a->packet_type = act_be32(w, 12);
    }
    return error;
}

static void
decap_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    act_put_be32(b, ACT_FORM_NX_DECAP, ((const struct act_decap *) act)->packet_type);
}

static void
decap_format(struct act_writer *w, const struct act *act)
{
    uint32_t type = ((const struct act_decap *) act)->packet_type;

    str_puts(w->s, "decap(");
    if (type != PT_USE_NEXT_PROTO) {
        str_putf(w->s, "packet_type(ns=%u,type=%#x)", type >> 16, type & 0xffff);
    }
    str_putc(w->s, ')');
}

static struct error *
parse_packet_type(char *text, uint32_t *packet_type)
{
    uint16_t ns = 0, type = 0;
    char *key, *value;
    struct error *e = NULL;

    while (!e && act_take_key_value(&text, &key, &value)) {
        if (!strcmp(key, "ns")) {
            e = act_parse_u16(value, "namespace", &ns);
            if (!e && ns > 1) {
                e = error_new("Unsupported ns value: %u", ns);
            }
        } else if (!strcmp(key, "type")) {
            e = act_parse_u16(value, "type", &type);
        } else {
            e = error_new("Invalid packet_type argument: %s", key);
        }
    }
    *packet_type = (uint32_t) ns << 16 | type;
    return e;
}

static struct error *
decap_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_decap *a = act_put(p->out, ACT_DECAP, sizeof *a);
    char *key, *value;
    struct error *e = NULL;

    a->packet_type = PT_USE_NEXT_PROTO;
    while (!e && act_take_key_value(&arg, &key, &value)) {
        e = strcmp(key, "packet_type") ? error_new("Invalid decap argument: %s", key)
                                       : parse_packet_type(value, &a->packet_type);
    }
    return e;
}

/* What was under an Ethernet header may be known; under others only the packet tells. */
static enum ofperr
decap_check(struct act *act UNUSED, struct act_check *c)
{
    struct match *m = c->match;

    if (!m->flow.packet_ns && m->mask.eth_type) {
        m->mask.packet_ns = UINT8_MAX;
        m->flow.packet_ns = 1;
        return OFPERR_NONE;
    }
    m->mask.packet_ns = m->flow.packet_ns = 0;
    m->mask.eth_type = m->flow.eth_type = BE16(0);
    return OFPERR_NONE;
}

const struct act_ops act_decap_ops = {
    .decode = decap_decode, .encode = decap_encode, .format = decap_format, .parse = decap_parse,
    .check = decap_check,
};

/* dec_nsh_ttl. */

static enum ofperr
dec_nsh_ttl_decode(const struct act_wire *w UNUSED, struct act_buf *out)
{
    act_put(out, ACT_DEC_NSH_TTL, sizeof(struct act_dec_nsh_ttl));
    return OFPERR_NONE;
}

static void
dec_nsh_ttl_encode(const struct act *act UNUSED, enum of_version v UNUSED, struct bytes *b)
{
    act_put_plain(b, ACT_FORM_NX_DEC_NSH_TTL);
}

static void
dec_nsh_ttl_format(struct act_writer *w, const struct act *act UNUSED)
{
    str_puts(w->s, "dec_nsh_ttl");
}

static struct error *
dec_nsh_ttl_parse(struct act_parser *p, const char *keyword UNUSED, char *arg UNUSED)
{
    return act_parse_plain(p, ACT_DEC_NSH_TTL);
}

static enum ofperr
dec_nsh_ttl_check(struct act *act UNUSED, struct act_check *c)
{
    act_expect(c, act_eth_type(c) == 0x894f);
    return OFPERR_NONE;
}

const struct act_ops act_dec_nsh_ttl_ops = {
    .decode = dec_nsh_ttl_decode, .encode = dec_nsh_ttl_encode, .format = dec_nsh_ttl_format,
    .parse = dec_nsh_ttl_parse, .check = dec_nsh_ttl_check,
    .uses_origin = act_always_uses_origin,
};
