/* tunnel(..): the outer header of a packet that came out of a tunnel. */
#include "odp/member.h"

static const struct member basic[] = {
    MEMBER("tun_id", tun_id, 0, 64, HEX), MEMBER("src", tun_src, 0, 32, IPV4), MEMBER("dst", tun_dst, 0, 32, IPV4),
    MEMBER("ipv6_src", tun_ipv6_src, 0, 128, IPV6), MEMBER("ipv6_dst", tun_ipv6_dst, 0, 128, IPV6),
    MEMBER("tos", tun_tos, 0, 8, HEX), MEMBER("ttl", tun_ttl, 0, 8, DEC), MEMBER("tp_src", tun_tp_src, 0, 16, DEC),
    MEMBER("tp_dst", tun_tp_dst, 0, 16, DEC),
};
static const struct member flags = MEMBER("flags", tun_flags, 12, 4, TUN_FLAGS);

static const struct member gbp[] = {
    MEMBER("id", tun_gbp_id, 0, 16, DEC), MEMBER("flags", tun_gbp_flags, 0, 8, HEX),
};
static const struct member erspan[] = {
    MEMBER("ver", tun_erspan_ver, 4, 4, DEC), MEMBER("idx", tun_erspan_idx, 12, 20, HEX),
    MEMBER("dir", tun_erspan_dir, 7, 1, DEC), MEMBER("hwid", tun_erspan_hwid, 2, 6, HEX),
};
static const struct member gtpu[] = {
    MEMBER("flags", tun_gtpu_flags, 0, 8, HEX), MEMBER("msgtype", tun_gtpu_msgtype, 0, 8, DEC),
};
/* Parts with parentheses of their own. */
static const struct attr_text parts[] = {
    { "vxlan(gbp", 0, ARRAY_SIZE(gbp), gbp }, { "erspan", 0, ARRAY_SIZE(erspan), erspan },
    { "gtpu", 0, ARRAY_SIZE(gtpu), gtpu },
};

bool
tunnel_is_present(const struct flow *flow)
{
    return flow_used_lines(flow, FLOW_LINE_TUNNEL | FLOW_LINE_TUNNEL_MISC | FLOW_LINE_TUNNEL_OPT);
}

/* Raw Geneve options: class, type, length in words, data. */
static void
put_options(struct str *s, const struct flow *flow, const struct flow *mask)
{
    struct cursor c = cursor_make(flow->tun_metadata, flow->tun_opt_len);
    const uint8_t *mask_at = mask ? mask->tun_metadata : NULL, *head;

    if (!c.left) {
        return;
    }
    str_puts(s, "geneve(");
    while ((head = cursor_take(&c, 4)) != NULL) {
        size_t n = (head[3] & 31) * 4, ofs = head + 4 - flow->tun_metadata;
        const uint8_t *data = cursor_take(&c, n);

        if (!data) {
            break;
        }
        str_putf(s, "{class=%#x,type=%#x,len=%zu", get_be16(head), head[2], n);
        if (n) {
            str_puts(s, ",0x");
            for (size_t i = 0, started = 0; i < n; i++) {
                if (started || data[i] || i == n - 1) {
                    str_putf(s, started ? "%02x" : "%x", data[i]);
                    started = 1;
                }
            }
            if (mask_at && !is_all_ones(mask_at + ofs, n)) {
                str_puts(s, "/0x");
                for (size_t i = 0, started = 0; i < n; i++) {
                    if (started || mask_at[ofs + i] || i == n - 1) {
                        str_putf(s, started ? "%02x" : "%x", mask_at[ofs + i]);
                        started = 1;
                    }
                }
            }
        }
        str_putc(s, '}');
    }
    str_puts(s, "),");
}

static void
put_part(struct str *s, const struct attr_text *a, const struct flow *flow, const struct flow *mask)
{
    struct flow used;

    if (mask) {
        flow_mask(&used, flow, mask);
    } else {
        used = *flow;
    }
    if (attr_is_any(a, &used)) {
        attr_put(s, a, flow, mask, false, NULL);
        if (strchr(a->name, '(')) {
            str_chomp(s, ',');
            str_puts(s, "),");
        }
    }
}

void
tunnel_put(struct str *s, const struct flow *flow, const struct flow *mask, bool all UNUSED)
{
    str_puts(s, "tunnel(");
    for (size_t i = 0; i < ARRAY_SIZE(basic); i++) {
        const struct member *m = &basic[i];
        bool is_id = m->kind == MEMBER_HEX && m->n_bits == 64;

        /* Only what the header has: zeros are not carried. */
        if (member_is_any(m, flow) ? !mask || member_is_any(m, mask)
                                   : is_id && flow->tun_flags & BE16(TUN_KEY) && (!mask || mask->tun_id)) {
            str_putf(s, "%s=", m->name);
            member_put(s, m, flow, mask, NULL);
            str_putc(s, ',');
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        put_part(s, &parts[i], flow, mask);
    }
    put_options(s, flow, mask);
    if (!mask || member_is_any(&flags, mask)) {
        str_puts(s, "flags(");
        member_put(s, &flags, flow, mask, NULL);
        str_puts(s, ")");
    }
    str_chomp(s, ',');
    str_puts(s, "),");
}

/* Reading. */

static bool
scan_hex_bytes(const char **p, uint8_t *bytes, size_t n)
{
    size_t digits;

    if (!scan_literal(p, "0x")) {
        return false;
    }
    digits = strspn(*p, "0123456789abcdefABCDEF");
    if (!digits || digits > 2 * n) {
        return false;
    }
    memset(bytes, 0, n);
    for (size_t i = 0; i < digits; i++) {
        char c = (*p)[digits - 1 - i];
        uint8_t v = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;

        bytes[n - 1 - i / 2] |= v << (i % 2 ? 4 : 0);
    }
    *p += digits;
    return true;
}

/* One "{class=..,type=..,len=..,0x../0x..}" at 'ofs' of the options. */
static bool
scan_option(const char **p, struct flow *flow, struct flow *mask, unsigned int ofs)
{
    uint64_t class, type, len;
    uint8_t *at = flow->tun_metadata + ofs;

    if (!scan_literal(p, "class=") || !scan_number(p, 16, &class) || !scan_literal(p, ",type=") ||
        !scan_number(p, 8, &type) || !scan_literal(p, ",len=") || !scan_number(p, 7, &len) || len % 4 ||
        ofs + 4 + len > MIN(sizeof flow->tun_metadata, (size_t) UINT8_MAX)) {
        return false;
    }
    put_be16(at, class);
    at[2] = type;
    at[3] = len / 4;
    if (mask) {
        memset(mask->tun_metadata + ofs, 0xff, 4 + len);
    }
    if (len && (!scan_literal(p, ",") || !scan_hex_bytes(p, at + 4, len))) {
        return false;
    }
    if (len && scan_literal(p, "/") && (!mask || !scan_hex_bytes(p, mask->tun_metadata + ofs + 4, len))) {
        return false;
    }
    flow->tun_opt_len = ofs + 4 + len;
    return scan_literal(p, "}");
}

static bool
scan_options(const char **p, struct flow *flow, struct flow *mask)
{
    while (scan_literal(p, "{")) {
        if (!scan_option(p, flow, mask, flow->tun_opt_len)) {
            return false;
        }
    }
    if (mask) {
        mask->tun_opt_len = UINT8_MAX;
    }
    return scan_literal(p, ")");
}

static bool
scan_part(const char **p, struct flow *flow, struct flow *mask)
{
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (scan_literal(p, parts[i].name)) {
            return scan_literal(p, "(") && attr_scan(p, &parts[i], NULL, flow, mask) &&
                   (!strchr(parts[i].name, '(') || scan_literal(p, ")"));
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(basic); i++) {
        size_t n = strlen(basic[i].name);

        if (!strncmp(*p, basic[i].name, n) && (*p)[n] == '=') {
            *p += n + 1;
            return member_scan(p, &basic[i], NULL, flow, mask);
        }
    }
    return false;
}

bool
tunnel_scan(const char **p, struct flow *flow, struct flow *mask)
{
    for (scan_separators(p); !scan_literal(p, ")"); scan_separators(p)) {
        bool ok;

        if (scan_literal(p, "flags(")) {
            ok = member_scan(p, &flags, NULL, flow, mask) && scan_literal(p, ")");
        } else if (scan_literal(p, "geneve(")) {
            ok = scan_options(p, flow, mask);
        } else {
            ok = scan_part(p, flow, mask);
        }
        if (!ok) {
            return false;
        }
    }
    if (flow->tun_id) {
        flow->tun_flags |= BE16(TUN_KEY);
    }
    return true;
}
