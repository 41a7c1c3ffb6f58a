/* The match of OpenFlow 1.0 (§5.2.3), member by member, wildcards as "*". */
#include "openflow/print/private.h"

enum {
    W_IN_PORT = 1 << 0, W_DL_VLAN = 1 << 1, W_DL_SRC = 1 << 2, W_DL_DST = 1 << 3, W_DL_TYPE = 1 << 4,
    W_NW_PROTO = 1 << 5, W_TP_SRC = 1 << 6, W_TP_DST = 1 << 7, W_NW_SRC_SHIFT = 8, W_NW_DST_SHIFT = 14,
    W_DL_VLAN_PCP = 1 << 20, W_NW_TOS = 1 << 21
};

struct text10 {
    struct str *s;
    const uint8_t *p;
    uint32_t wild;
};

/* Words that stand for dl_type, and for nw_proto too; says which of them need not be shown. */
static void
put_shorthand(struct text10 *t, bool *skip_type, bool *skip_proto)
{
    uint16_t type = get_be16(t->p + 22);
    uint8_t proto = t->p[25];
    const char *word = NULL;

    *skip_type = *skip_proto = false;
    if (t->wild & W_DL_TYPE) {
        return;
    }
    if (type == 0x0800) {
        word = t->wild & W_NW_PROTO ? NULL : proto == 1 ? "icmp" : proto == 6 ? "tcp" : proto == 17 ? "udp"
               : proto == 132 ? "sctp" : NULL;
        *skip_proto = word != NULL;
        word = word ? word : "ip";
    } else if (type == 0x0806) {
        word = "arp";
    } else if (type == 0x8035) {
        word = "rarp";
    }
    if (word) {
        *skip_type = true;
        str_putf(t->s, "%s,", word);
    }
}

static void
put_number(struct text10 *t, const char *name, uint32_t bit, unsigned int value)
{
    if (t->wild & bit) {
        str_putf(t->s, "%s=*,", name);
    } else {
        str_putf(t->s, "%s=%u,", name, value);
    }
}

static void
put_eth(struct text10 *t, const char *name, uint32_t bit, const uint8_t *p)
{
    if (t->wild & bit) {
        str_putf(t->s, "%s=*,", name);
    } else {
        str_putf(t->s, "%s=%02x:%02x:%02x:%02x:%02x:%02x,", name, p[0], p[1], p[2], p[3], p[4], p[5]);
    }
}

static void
put_ip(struct text10 *t, const char *name, unsigned int shift, const uint8_t *p)
{
    unsigned int wild_bits = t->wild >> shift & 63;

    if (wild_bits >= 32) {
        str_putf(t->s, "%s=*,", name);
        return;
    }
    str_putf(t->s, "%s=%u.%u.%u.%u", name, p[0], p[1], p[2], p[3]);
    if (wild_bits) {
        str_putf(t->s, "/%u", 32 - wild_bits);
    }
    str_putc(t->s, ',');
}

static void
put_port(struct text10 *t)
{
    if (t->wild & W_IN_PORT) {
        str_puts(t->s, "in_port=*,");
    } else {
        str_puts(t->s, "in_port=");
        ofp_port_put(t->s, ofp_port_from_u16(get_be16(t->p + 4)), NULL);
        str_putc(t->s, ',');
    }
}

static void
put_type(struct text10 *t)
{
    if (t->wild & W_DL_TYPE) {
        str_puts(t->s, "dl_type=*,");
    } else {
        str_putf(t->s, "dl_type=0x%04x,", get_be16(t->p + 22));
    }
}

void
print_match10(struct str *s, const uint8_t *p)
{
    struct text10 t = { s, p, get_be32(p) };
    bool skip_type, skip_proto, is_icmp = p[25] == 1;

    put_shorthand(&t, &skip_type, &skip_proto);
    put_port(&t);
    put_number(&t, "dl_vlan", W_DL_VLAN, get_be16(p + 18));
    put_number(&t, "dl_vlan_pcp", W_DL_VLAN_PCP, p[20]);
    put_eth(&t, "dl_src", W_DL_SRC, p + 6);
    put_eth(&t, "dl_dst", W_DL_DST, p + 12);
    if (!skip_type) {
        put_type(&t);
    }
    put_ip(&t, "nw_src", W_NW_SRC_SHIFT, p + 28);
    put_ip(&t, "nw_dst", W_NW_DST_SHIFT, p + 32);
    if (!skip_proto) {
        bool is_arp = skip_type && get_be16(p + 22) != 0x0800;

        put_number(&t, is_arp ? "arp_op" : "nw_proto", W_NW_PROTO, p[25]);
    }
    put_number(&t, "nw_tos", W_NW_TOS, p[24]);
    put_number(&t, is_icmp ? "icmp_type" : "tp_src", W_TP_SRC, get_be16(p + 36));
    put_number(&t, is_icmp ? "icmp_code" : "tp_dst", W_TP_DST, get_be16(p + 38));
    str_truncate(s, s->len - 1);
}
