#include "openflow/msg/packet.h"

#include <stdlib.h>

#include "flow/extract.h"
#include "flow/match_text.h"
#include "openflow/print/private.h"

/* The fields that a packet of this kind has, as conditions: that is how a flow is written. */

static void
fix(struct match *m, enum field_id id)
{
    field_set_ones(field_of(id), &m->mask);
}

static void
fix_transport(struct match *m)
{
    const struct flow *f = &m->flow;

    if (f->nw_frag & FLOW_FRAG_LATER) {
        return;
    }
    m->mask.tp_src = m->mask.tp_dst = BE16_MAX;
    if (f->nw_proto == 6) {
        fix(m, FIELD_TCP_FLAGS);
    }
    if (f->eth_type == BE16(0x86dd) && f->nw_proto == 58 &&
        (f->tp_src == BE16(135) || f->tp_src == BE16(136)) && !f->tp_dst) {
        fix(m, FIELD_ND_TARGET);
        memset(&m->mask.arp_sha, 0xff, sizeof m->mask.arp_sha);
        memset(&m->mask.arp_tha, 0xff, sizeof m->mask.arp_tha);
    }
}

static void
fix_ip(struct match *m)
{
    const struct flow *f = &m->flow;

    if (f->eth_type == BE16(0x0800)) {
        fix(m, FIELD_IP_SRC);
        fix(m, FIELD_IP_DST);
    } else {
        fix(m, FIELD_IPV6_SRC);
        fix(m, FIELD_IPV6_DST);
        fix(m, FIELD_IPV6_LABEL);
    }
    m->mask.nw_proto = m->mask.nw_tos = m->mask.nw_ttl = 0xff;
    m->mask.nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    switch (f->nw_proto) {
    case 1: case 58: case 6: case 17: case 132: case 2: fix_transport(m); break;
    }
}

/* Down to the bottom of the stack, as far as it was read. */
static void
fix_mpls(struct match *m)
{
    for (int i = 0; i < FLOW_MPLS_LABELS; i++) {
        m->mask.mpls_lse[i] = BE32_MAX;
        if (m->flow.mpls_lse[i] & BE32(0x100)) {
            break;
        }
        if (i + 1 < FLOW_MPLS_LABELS && !m->flow.mpls_lse[i + 1]) {
            break;
        }
    }
}

static void
fix_nsh(struct match *m)
{
    m->mask.nsh_flags = m->mask.nsh_ttl = m->mask.nsh_mdtype = m->mask.nsh_np = 0xff;
    m->mask.nsh_path = BE32_MAX;
    memset(m->mask.nsh_context, 0xff, sizeof m->mask.nsh_context);
    m->mask.nw_proto = m->mask.nw_tos = m->mask.nw_ttl = 0xff;
    m->mask.nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
}

static void
packet_match(const struct flow *f, struct match *m)
{
    match_init_catchall(m);
    m->flow = *f;
    memset(&m->mask.eth_src, 0xff, 6);
    memset(&m->mask.eth_dst, 0xff, 6);
    m->mask.eth_type = m->mask.vlan_tci = BE16_MAX;
    switch (be16_to_cpu(f->eth_type)) {
    case 0x0800: case 0x86dd: fix_ip(m); break;
    case 0x0806: case 0x8035:
        m->mask.nw_src = m->mask.nw_dst = BE32_MAX;
        m->mask.nw_proto = 0xff;
        memset(&m->mask.arp_sha, 0xff, 6);
        memset(&m->mask.arp_tha, 0xff, 6);
        break;
    case 0x8847: case 0x8848: fix_mpls(m); break;
    case 0x894f: fix_nsh(m); break;
    }
    if (flow_has_vlan(f)) {
        m->mask.vlan2_tci = BE16_MAX;
    }
    match_normalize(m);
}

/* The checksum of the transport header, as it stands in the packet. */
static void
put_checksum(struct str *s, const struct flow *f, const uint8_t *l4, size_t n)
{
    bool v4 = f->eth_type == BE16(0x0800), v6 = f->eth_type == BE16(0x86dd);

    if (!v4 && !v6) {
        return;
    }
    /* What stands there is shown for later fragments too. */
    if (f->nw_proto == 6 && n >= 20) {
        str_putf(s, " tcp_csum:%x", get_be16(l4 + 16));
    } else if (f->nw_proto == 17 && n >= 8) {
        str_putf(s, " udp_csum:%x", get_be16(l4 + 6));
    } else if (f->nw_proto == 132 && n >= 12) {
        str_putf(s, " sctp_csum:%x", get_be32(l4 + 8));
    } else if (v4 && f->nw_proto == 1 && n >= 8) {
        str_putf(s, " icmp_csum:%x", get_be16(l4 + 2));
    } else if (v6 && f->nw_proto == 58 && n >= 4) {
        str_putf(s, " icmp6_csum:%x", get_be16(l4 + 2));
    }
}

void
print_packet(struct str *s, const void *packet, size_t len)
{
    struct flow_offsets offsets;
    struct flow flow;
    struct match m;

    flow_extract_full(packet, len, NULL, &flow, &offsets);
    packet_match(&flow, &m);
    match_format(s, &m, NULL, MATCH_DEFAULT_PRIORITY);
    if (offsets.l4 != FLOW_NO_OFFSET && offsets.l4 <= len) {
        put_checksum(s, &flow, (const uint8_t *) packet + offsets.l4, len - offsets.l4);
    }
    str_putc(s, '\n');
}

static void
put_packet(struct printer *p, const void *packet, size_t len)
{
    if (p->verbosity > 0) {
        print_packet(p->s, packet, len);
    }
    if (p->verbosity > 2) {
        print_hex(p->s, packet, len, false);
    }
}

/* Bytes as "01.02.03". */
static void
put_dotted(struct str *s, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        str_putf(s, "%s%02x", i ? "." : "", bytes[i]);
    }
}

static void
put_stack(struct str *s, const struct continuation *k)
{
    str_puts(s, " continuation.stack=(top)");
    for (size_t i = 0; i < k->n_stack; i++) {
        struct cursor c = k->stack[i];

        while (c.left > 1 && !c.at[0]) {
            (void) cursor_take(&c, 1);
        }
        str_puts(s, " 0x");
        for (size_t j = 0; j < c.left; j++) {
            str_putf(s, j ? "%02x" : "%x", c.at[j]);
        }
    }
    str_puts(s, " (bottom)\n");
}

static struct act_span
sub_span(const struct act_buf *b, size_t start, size_t end)
{
    return (struct act_span) { end > start ? bytes_at(&b->bytes, start) : NULL, end - start };
}

static void
put_continuation_actions(struct printer *p, const struct continuation *k)
{
    str_puts(p->s, " continuation.actions=");
    for (size_t i = 0; i < k->n_steps; i++) {
        const struct continuation_step *step = &k->steps[i];

        str_putf(p->s, "%sunroll_xlate(table=%u, cookie=%llu),", i ? "," : "", step->table,
                 (unsigned long long) step->cookie);
        act_format(p->s, sub_span(&k->actions, step->start, step->end), p->names);
    }
    str_putc(p->s, '\n');
}

/* The bridge's id is private to the switch, which writes it in the order of its own memory. */
static void
put_bridge(struct str *s, const struct uuid *uuid)
{
    const uint8_t *b = (const uint8_t *) uuid;

    str_puts(s, " continuation.bridge=");
    for (int word = 0; word < 4; word++) {
        const uint8_t *w = b + 4 * word;
        static const char *const formats[] = {
            "%02x%02x%02x%02x-", "%02x%02x-%02x%02x-", "%02x%02x-%02x%02x", "%02x%02x%02x%02x"
        };

        str_putf(s, formats[word], w[3], w[2], w[1], w[0]);
    }
    str_putc(s, '\n');
}

static enum ofperr
put_continuation(struct printer *p, const struct packet_in *pin, enum of_version v)
{
    struct continuation k;
    enum ofperr error = continuation_decode(pin->continuation, v, &k);

    if (!error) {
        if (k.has_bridge) {
            put_bridge(p->s, &k.bridge);
        }
        if (k.n_stack) {
            put_stack(p->s, &k);
        }
        if (k.mirrors) {
            str_putf(p->s, " continuation.mirrors=0x%x\n", k.mirrors);
        }
        if (k.conntracked) {
            str_puts(p->s, " continuation.conntracked=true\n");
        }
        if (k.n_steps) {
            put_continuation_actions(p, &k);
        }
        if (act_buf_span(&k.action_set).len) {
            str_puts(p->s, " continuation.action_set=");
            act_format(p->s, act_buf_span(&k.action_set), p->names);
            str_putc(p->s, '\n');
        }
        if (k.has_odp_port) {
            str_putf(p->s, " continuation.odp_port=%u\n", k.odp_port);
        }
    }
    continuation_uninit(&k);
    return error;
}

const char *
print_packet_in_reason(unsigned int reason)
{
    return reason == OFPR_EXPLICIT_MISS || reason == OFPR_IMPLICIT_MISS ? "" : packet_in_reason_name(reason);
}

static void
put_reason(struct str *s, unsigned int reason)
{
    const char *name = print_packet_in_reason(reason);

    if (name) {
        str_puts(s, name);
    } else {
        str_putf(s, "%u", reason);
    }
}

enum ofperr
print_packet_in(struct printer *p, const struct msg *m)
{
    struct packet_in pin;
    enum ofperr error = packet_in_decode(m, &pin, p->why);
    struct str *s = p->s;

    if (error) {
        return error;
    }
    if (pin.table_id) {
        str_puts(s, " table_id=");
        print_table_id(p, pin.table_id);
    }
    if (pin.cookie != PACKET_COOKIE_NONE) {
        str_putf(s, " cookie=0x%llx", (unsigned long long) pin.cookie);
    }
    str_putf(s, " total_len=%zu ", pin.total_len);
    print_match(p, &pin.metadata, MATCH_DEFAULT_PRIORITY);
    str_puts(s, " (via ");
    put_reason(s, pin.reason);
    str_putf(s, ") data_len=%zu", pin.packet_len);
    if (pin.buffer_id == BUFFER_NONE) {
        str_puts(s, " (unbuffered)");
        if (pin.total_len != pin.packet_len && pin.total_len < pin.packet_len) {
            str_puts(s, " (***total_len < data_len***)");
        } else if (pin.total_len != pin.packet_len) {
            str_puts(s, " (***total_len != data_len***)");
        }
    } else {
        str_putf(s, " buffer=0x%08x", pin.buffer_id);
        if (pin.total_len < pin.packet_len) {
            str_puts(s, " (***total_len < data_len***)");
        }
    }
    str_putc(s, '\n');
    if (pin.userdata_len) {
        str_puts(s, " userdata=");
        put_dotted(s, pin.userdata, pin.userdata_len);
        str_putc(s, '\n');
    }
    if (pin.continuation.left) {
        error = put_continuation(p, &pin, m->version);
        if (error) {
            return error;
        }
    }
    put_packet(p, pin.packet, pin.packet_len);
    return OFPERR_NONE;
}

enum ofperr
print_packet_out(struct printer *p, const struct msg *m)
{
    struct packet_out po;
    struct act_buf acts = ACT_BUF_INIT;
    enum ofperr error = packet_out_decode(m, &po, &acts, p->why);

    if (!error) {
        str_putc(p->s, ' ');
        print_match(p, &po.metadata, MATCH_DEFAULT_PRIORITY);
        str_putc(p->s, ' ');
        print_actions(p, po.actions);
        if (po.buffer_id == BUFFER_NONE) {
            str_putf(p->s, " data_len=%zu\n", po.packet_len);
            if (po.packet_len) {
                put_packet(p, po.packet, po.packet_len);
            }
        } else {
            str_putf(p->s, " buffer=0x%08x\n", po.buffer_id);
        }
    }
    act_buf_uninit(&acts);
    return error;
}
