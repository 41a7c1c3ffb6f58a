#include <stdlib.h>

#include "flow/match_text.h"
#include "openflow/msg/ct_flush.h"
#include "openflow/msg/ipfix.h"
#include "openflow/msg/monitor.h"
#include "openflow/msg/tlv.h"
#include "openflow/print/private.h"

/* Flow monitors. */

enum ofperr
print_monitor_request(struct printer *p, const struct msg *m)
{
    static const struct print_bit flags[] = {
        { MONITOR_INITIAL, "initial" }, { MONITOR_ADD, "add" }, { MONITOR_DELETE, "delete" },
        { MONITOR_MODIFY, "modify" }, { MONITOR_ACTIONS, "actions" }, { MONITOR_OWN, "own" },
    };
    struct cursor c = m->body;

    while (c.left) {
        struct monitor_request r;
        enum ofperr error = monitor_request_take(&c, m, &r, p->why);

        if (error) {
            if (p->s->text[p->s->len - 1] != ':') {
                str_putc(p->s, '\n');
            }
            return error;
        }
        str_putf(p->s, "\n id=%u flags=", r.id);
        print_bits(p->s, r.flags, flags, ARRAY_SIZE(flags), ",");
        if (r.out_port != OFPP_NONE) {
            str_puts(p->s, " out_port=");
            print_port(p, r.out_port);
        }
        if (r.table_id != 255) {
            str_puts(p->s, " table=");
            print_table_id(p, r.table_id);
        }
        if (!is_all_zeros(&r.match.mask, sizeof r.match.mask)) {
            str_putc(p->s, ' ');
            print_match(p, &r.match, MATCH_DEFAULT_PRIORITY);
        }
    }
    return OFPERR_NONE;
}

enum ofperr
print_monitor_cancel(struct printer *p, const struct msg *m)
{
    uint32_t id;
    enum ofperr error = monitor_cancel_decode(m, &id);

    str_putf(p->s, " id=%u", id);
    return error;
}

static void
put_update(struct printer *p, const struct monitor_update *u)
{
    static const char *const events[] = {
        "INITIAL", "ADDED", "DELETED", "MODIFIED", "ABBREV", "PAUSED", "RESUMED"
    };
    struct str *s = p->s;

    str_putf(s, "\n event=%s", events[u->event]);
    if (u->event == MONITOR_EV_ABBREV) {
        str_putf(s, " xid=0x%x", u->xid);
    }
    if (u->event >= MONITOR_EV_ABBREV) {
        return;
    }
    if (u->event == MONITOR_EV_DELETED) {
        const char *reason = flow_removed_reason_name(u->reason);

        str_puts(s, " reason=");
        if (reason) {
            str_puts(s, reason);
        } else {
            str_putf(s, "%u", u->reason);
        }
    }
    str_puts(s, " table=");
    print_table_id(p, u->table_id);
    if (u->idle_timeout) {
        str_putf(s, " idle_timeout=%u", u->idle_timeout);
    }
    if (u->hard_timeout) {
        str_putf(s, " hard_timeout=%u", u->hard_timeout);
    }
    str_putf(s, " cookie=%#llx ", (unsigned long long) u->cookie);
    print_match(p, &u->match, MATCH_DEFAULT_PRIORITY);
    str_chomp(s, ' '); /* Of a match of all packets nothing is written. */
    if (u->actions.len) {
        if (s->text[s->len - 1] != ' ') {
            str_putc(s, ' ');
        }
        print_actions(p, u->actions);
    }
}

enum ofperr
print_monitor_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;
    struct act_buf acts = ACT_BUF_INIT;
    enum ofperr error = OFPERR_NONE;

    while (c.left && !error) {
        struct monitor_update u;

        error = monitor_update_take(&c, m, &u, &acts, p->why);
        if (!error) {
            put_update(p, &u);
        }
    }
    act_buf_uninit(&acts);
    return error;
}

/* The TLV table. */

static enum ofperr
put_maps(struct printer *p, struct cursor maps)
{
    str_puts(p->s, "mapping table:\n  class  type  length  match field\n ------  ----  ------  --------------");
    while (maps.left) {
        struct tlv_map map;
        enum ofperr error = tlv_map_take(&maps, &map, p->why);

        if (error) {
            return error;
        }
        str_putf(p->s, "\n %#6x  %#4x  %6u  tun_metadata%u", map.option_class, map.option_type, map.option_len,
                 map.index);
    }
    return OFPERR_NONE;
}

/* All or nothing is printed, so the maps are looked at first. */
static enum ofperr
check_maps(struct printer *p, struct cursor maps, unsigned int *space)
{
    *space = 0;
    while (maps.left) {
        struct tlv_map map;
        enum ofperr error = tlv_map_take(&maps, &map, p->why);

        if (error) {
            return error;
        }
        *space += map.option_len;
    }
    return OFPERR_NONE;
}

enum ofperr
print_tlv_mod(struct printer *p, const struct msg *m)
{
    enum tlv_command command;
    struct cursor maps;
    unsigned int space;
    enum ofperr error = tlv_mod_decode(m, &command, &maps, p->why);

    if (!error) {
        error = check_maps(p, maps, &space);
    }
    if (error) {
        return error;
    }
    if (command == TLV_CLEAR) {
        str_puts(p->s, "\n CLEAR");
        return OFPERR_NONE;
    }
    str_puts(p->s, command == TLV_ADD ? "\n ADD " : "\n DEL ");
    return put_maps(p, maps);
}

enum ofperr
print_tlv_reply(struct printer *p, const struct msg *m)
{
    struct tlv_reply r;
    struct cursor maps;
    unsigned int space;
    enum ofperr error = tlv_reply_decode(m, &r, &maps);

    if (!error) {
        error = check_maps(p, maps, &space);
    }
    if (error) {
        return error;
    }
    str_putf(p->s, "\n max option space=%u max fields=%u\n allocated option space=%u\n\n ", r.max_option_space,
             r.max_fields, space);
    return put_maps(p, maps);
}

/* Connection tracking. */

enum ofperr
print_ct_flush_zone(struct printer *p, const struct msg *m)
{
    uint16_t zone;
    enum ofperr error = ct_flush_zone_decode(m, &zone);

    if (!error) {
        str_putf(p->s, " zone_id=%u", zone);
    }
    return error;
}

enum ofperr
print_ct_flush(struct printer *p, const struct msg *m)
{
    struct ct_flush f;
    enum ofperr error = ct_flush_decode(m, &f);

    if (!error) {
        str_putc(p->s, ' ');
        ct_flush_put(p->s, &f);
    }
    return error;
}

/* IPFIX. */

static void
put_ipfix(struct str *s, const struct ipfix_stats *st, size_t indent)
{
    str_putf(s, "flows=%llu, current flows=%llu, sampled pkts=%llu, ipv4 ok=%llu, ipv6 ok=%llu, tx pkts=%llu\n",
             (unsigned long long) st->total_flows, (unsigned long long) st->current_flows,
             (unsigned long long) st->packets, (unsigned long long) st->ipv4_packets,
             (unsigned long long) st->ipv6_packets, (unsigned long long) st->tx_packets);
    str_put_fill(s, ' ', indent);
    str_putf(s, "pkts errs=%llu, ipv4 errs=%llu, ipv6 errs=%llu, tx errs=%llu\n",
             (unsigned long long) st->error_packets, (unsigned long long) st->ipv4_error_packets,
             (unsigned long long) st->ipv6_error_packets, (unsigned long long) st->tx_errors);
}

enum ofperr
print_ipfix_bridge(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;

    while (c.left) {
        struct ipfix_stats st;
        enum ofperr error = ipfix_stats_take(&c, &st);

        if (error) {
            return error;
        }
        str_puts(p->s, "\n  bridge ipfix: ");
        put_ipfix(p->s, &st, 16);
    }
    return OFPERR_NONE;
}

enum ofperr
print_ipfix_flow(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;

    str_putf(p->s, " %zu ids\n", c.left / 88);
    while (c.left) {
        struct ipfix_stats st;
        enum ofperr error = ipfix_stats_take(&c, &st);

        if (error) {
            return error;
        }
        str_putf(p->s, "  id %3u: ", st.collector_set_id);
        put_ipfix(p->s, &st, 10);
    }
    return OFPERR_NONE;
}
