#include "openflow/msg/flow.h"

#include "flow/match_text.h"
#include "openflow/msg/control.h"
#include "openflow/oxm/oxm.h"
#include "openflow/print/private.h"

static const char *const commands[] = { "ADD", "MOD", "MOD_STRICT", "DEL", "DEL_STRICT" };

static const struct print_bit flag_names[] = {
    { FM_SEND_FLOW_REM, "send_flow_rem " }, { FM_CHECK_OVERLAP, "check_overlap " },
    { FM_RESET_COUNTS, "reset_counts " }, { FM_NO_PACKET_COUNTS, "no_packet_counts " },
    { FM_NO_BYTE_COUNTS, "no_byte_counts " },
};

static void
put_flags(struct str *s, uint32_t flags)
{
    if (flags) {
        print_bits(s, flags, flag_names, ARRAY_SIZE(flag_names), "");
    }
}

static void
put_cookies(struct str *s, const struct flow_mod *fm)
{
    bool sets = fm->command == FM_ADD || fm->modify_cookie || fm->add_if_missing;

    if (sets && fm->new_cookie && fm->new_cookie != UINT64_MAX) {
        str_putf(s, "cookie:0x%llx ", (unsigned long long) fm->new_cookie);
    }
    if (fm->cookie_mask) {
        str_putf(s, "cookie:0x%llx/0x%llx ", (unsigned long long) fm->cookie, (unsigned long long) fm->cookie_mask);
    }
}

void
print_flow_mod(struct str *s, const struct flow_mod *fm, enum of_version v, const struct act_text *names,
               const char *match)
{
    struct printer p = { .s = s, .names = names };
    size_t len;

    str_putf(s, "%s ", commands[fm->command]);
    if (fm->table_id) {
        str_puts(s, "table:");
        print_table_id(&p, fm->table_id);
        str_putc(s, ' ');
    }
    len = s->len;
    if (match) {
        str_puts(s, match);
    } else {
        print_match(&p, &fm->match, fm->priority);
    }
    if (s->len > len) {
        str_putc(s, ' ');
    }
    put_cookies(s, fm);
    if (fm->idle_timeout) {
        str_putf(s, "idle:%u ", fm->idle_timeout);
    }
    if (fm->hard_timeout) {
        str_putf(s, "hard:%u ", fm->hard_timeout);
    }
    if (match && fm->priority != MATCH_DEFAULT_PRIORITY) {
        str_putf(s, "pri:%d ", fm->priority);
    }
    if (fm->importance) {
        str_putf(s, "importance:%u ", fm->importance);
    }
    if (fm->buffer_id != FM_BUFFER_NONE) {
        str_putf(s, "buf:0x%x ", fm->buffer_id);
    }
    if (fm->out_port != OFPP_NONE) {
        str_puts(s, "out_port:");
        print_port(&p, fm->out_port);
        str_putc(s, ' ');
    }
    /* Before 1.2 counters are always reset, which nobody wants to read. */
    put_flags(s, fm->flags & ~(v < OF12 ? FM_RESET_COUNTS : 0));
    print_actions(&p, fm->actions);
}

/* The match of an OpenFlow 1.0 flow-mod as it is on the wire: for those who want to see everything. */
static void
put_wire_match(struct str *s, const struct msg *m)
{
    enum { NX_MATCH_LEN = 24, NX_HEADER = 32 }; /* In the body of Nicira's flow-mod. */

    if (m->wire->class == CLASS_NXT) {
        oxm_format_bytes(s, m->body.at + NX_HEADER, get_be16(m->body.at + NX_MATCH_LEN));
    } else {
        print_match10(s, m->body.at);
    }
}

/* As a switch decodes it that knows nothing of its own tables and ports. */
static enum ofperr
decode_flow_mod(const struct msg *m, struct flow_mod *fm, struct act_buf *acts)
{
    enum ofperr error = flow_mod_decode_into(m, true, fm, acts);
    struct match match;
    struct act_check check = {
        .match = &match, .max_ports = OFPP_MAX, .table = fm->table_id,
        .protocols = m->version == OF10 ? PROTO_OF10_ANY : proto_of_version(m->version),
    };

    if (!error) {
        match = fm->match;
        error = act_check(acts, &check);
        fm->actions = act_buf_span(acts);
    }
    return error;
}

enum ofperr
print_flow_mod_msg(struct printer *p, const struct msg *m)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct flow_mod fm;
    enum ofperr error = decode_flow_mod(m, &fm, &acts);

    if (!error) {
        struct str match = STR_INIT;
        bool is_verbose = p->verbosity >= 3 && m->version == OF10;

        if (is_verbose) {
            put_wire_match(&match, m);
        }
        str_putc(p->s, ' ');
        print_flow_mod(p->s, &fm, m->version, p->names, is_verbose ? str_text(&match) : NULL);
        str_uninit(&match);
    }
    act_buf_uninit(&acts);
    return error;
}

static void
put_reason(struct str *s, unsigned int reason)
{
    const char *name = flow_removed_reason_name(reason);

    if (name) {
        str_puts(s, name);
    } else {
        str_putf(s, "%u", reason);
    }
}

enum ofperr
print_flow_removed(struct printer *p, const struct msg *m)
{
    struct flow_removed fr;
    enum ofperr error = flow_removed_decode(m, &fr);

    if (error) {
        return error;
    }
    str_putc(p->s, ' ');
    print_match(p, &fr.match, fr.priority);
    str_puts(p->s, " reason=");
    put_reason(p->s, fr.reason);
    if (fr.table_id != 255) {
        str_puts(p->s, " table_id=");
        print_table_id(p, fr.table_id);
    }
    if (fr.cookie) {
        str_putf(p->s, " cookie:0x%llx", (unsigned long long) fr.cookie);
    }
    str_puts(p->s, " duration");
    print_duration(p->s, fr.duration_sec, fr.duration_nsec);
    str_putf(p->s, "s idle%u", fr.idle_timeout);
    if (fr.hard_timeout) {
        str_putf(p->s, " hard%u", fr.hard_timeout);
    }
    str_putf(p->s, " pkts%llu bytes%llu\n", (unsigned long long) fr.n_packets, (unsigned long long) fr.n_bytes);
    return OFPERR_NONE;
}

enum ofperr
print_flow_request(struct printer *p, const struct msg *m)
{
    struct flow_request r;
    enum ofperr error = flow_request_decode(m, &r);

    if (error) {
        return error;
    }
    if (r.table_id != 255) {
        str_puts(p->s, " table=");
        print_table_id(p, r.table_id);
    }
    if (r.out_port != OFPP_NONE) {
        str_puts(p->s, " out_port=");
        print_port(p, r.out_port);
    }
    str_putc(p->s, ' ');
    print_match(p, &r.match, MATCH_DEFAULT_PRIORITY);
    str_chomp(p->s, ' ');
    return OFPERR_NONE;
}

/* Then also table 0 is named. */
static bool
has_table_name(const struct act_text *names, uint8_t table)
{
    return names && names->tables && names->tables->name(names->tables, table);
}

void
print_flow_stats(struct str *s, const struct flow_stats *fs, const struct act_text *names, bool show_stats)
{
    struct printer p = { .s = s, .names = names };
    size_t len;

    str_putc(s, ' ');
    if (show_stats || fs->cookie) {
        str_puts(s, "cookie=0x");
        str_put_xint(s, fs->cookie, 0);
        str_puts(s, ", ");
    }
    if (show_stats) {
        str_puts(s, "duration=");
        print_duration(s, fs->duration_sec, fs->duration_nsec);
        str_puts(s, "s, ");
    }
    if (show_stats || fs->table_id || has_table_name(names, fs->table_id)) {
        str_puts(s, "table=");
        print_table_id(&p, fs->table_id);
        str_puts(s, ", ");
    }
    if (show_stats) {
        str_puts(s, "n_packets=");
        print_counter(s, fs->n_packets);
        str_puts(s, ", n_bytes=");
        print_counter(s, fs->n_bytes);
        str_puts(s, ", ");
    }
    if (fs->idle_timeout) {
        str_putf(s, "idle_timeout=%u, ", fs->idle_timeout);
    }
    if (fs->hard_timeout) {
        str_putf(s, "hard_timeout=%u, ", fs->hard_timeout);
    }
    put_flags(s, fs->flags);
    if (fs->importance) {
        str_putf(s, "importance=%u, ", fs->importance);
    }
    if (show_stats && fs->idle_age >= 0) {
        str_puts(s, "idle_age=");
        str_put_int(s, fs->idle_age);
        str_puts(s, ", ");
    }
    if (show_stats && fs->hard_age >= 0 && (uint32_t) fs->hard_age != fs->duration_sec) {
        str_putf(s, "hard_age=%d, ", fs->hard_age);
    }
    len = s->len;
    print_match(&p, &fs->match, fs->priority);
    if (s->len > len) {
        str_putc(s, ' ');
    }
    print_actions(&p, fs->actions);
}

enum ofperr
print_flow_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;
    struct act_buf acts = ACT_BUF_INIT;
    enum ofperr error = OFPERR_NONE;

    while (c.left && !error) {
        struct flow_stats fs;

        error = flow_stats_take(&c, m, &fs, &acts);
        if (!error) {
            str_putc(p->s, '\n');
            print_flow_stats(p->s, &fs, p->names, true);
        }
    }
    act_buf_uninit(&acts);
    return error;
}

enum ofperr
print_aggregate_reply(struct printer *p, const struct msg *m)
{
    struct aggregate_stats as;
    enum ofperr error = aggregate_stats_decode(m, &as);

    if (!error) {
        str_puts(p->s, " packet_count=");
        print_counter(p->s, as.n_packets);
        str_puts(p->s, " byte_count=");
        print_counter(p->s, as.n_bytes);
        str_putf(p->s, " flow_count=%u", as.n_flows);
    }
    return error;
}

enum ofperr
print_flow_mod_table_id(struct printer *p, const struct msg *m)
{
    bool enable;
    enum ofperr error = flow_mod_table_id_decode(m, &enable);

    str_puts(p->s, enable ? " enable" : " disable");
    return error;
}

enum ofperr
print_flow_format(struct printer *p, const struct msg *m)
{
    unsigned int protocol;
    uint32_t raw;

    str_puts(p->s, " format=");
    if (flow_format_decode(m, &protocol, &raw)) {
        str_puts(p->s, "(unknown)");
        *p->why = xasprintf("NXT_SET_FLOW_FORMAT message specified invalid flow format %u", raw);
    } else {
        str_puts(p->s, protocol == PROTO_NXM ? "nxm" : "openflow10");
    }
    return OFPERR_NONE;
}
