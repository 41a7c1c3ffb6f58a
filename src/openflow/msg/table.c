#include "openflow/msg/table.h"

#include <stdlib.h>
#include <string.h>

#include "openflow/msg/prop.h"

#define NONE 0xff

/* One row per action, in the order of their printing: its number in 1.0, in 1.1, in 1.2 and later. */
static const struct {
    const char *name;
    uint8_t of10, of11, of12;
} actions[TABLE_ACTION_N] = {
    [TABLE_ACTION_OUTPUT] = { "output", 0, 0, 0 },
    [TABLE_ACTION_GROUP] = { "group", NONE, 22, 22 },
    [TABLE_ACTION_ENQUEUE] = { "enqueue", 11, NONE, NONE },
    [TABLE_ACTION_SET_FIELD] = { "set_field", NONE, NONE, 25 },
    [TABLE_ACTION_SET_VLAN_VID] = { "set_vlan_vid", 1, 1, NONE },
    [TABLE_ACTION_SET_VLAN_PCP] = { "set_vlan_pcp", 2, 2, NONE },
    [TABLE_ACTION_STRIP_VLAN] = { "strip_vlan", 3, 18, 18 },
    [TABLE_ACTION_PUSH_VLAN] = { "push_vlan", NONE, 17, 17 },
    [TABLE_ACTION_SET_ETH_SRC] = { "mod_dl_src", 4, 3, NONE },
    [TABLE_ACTION_SET_ETH_DST] = { "mod_dl_dst", 5, 4, NONE },
    [TABLE_ACTION_SET_IPV4_SRC] = { "mod_nw_src", 6, 5, NONE },
    [TABLE_ACTION_SET_IPV4_DST] = { "mod_nw_dst", 7, 6, NONE },
    [TABLE_ACTION_SET_IP_DSCP] = { "mod_nw_tos", 8, 7, NONE },
    [TABLE_ACTION_SET_IP_ECN] = { "mod_nw_ecn", NONE, 8, NONE },
    [TABLE_ACTION_SET_IP_TTL] = { "mod_nw_ttl", NONE, 23, 23 },
    [TABLE_ACTION_SET_L4_SRC] = { "mod_tp_src", 9, 9, NONE },
    [TABLE_ACTION_SET_L4_DST] = { "mod_tp_dst", 10, 10, NONE },
    [TABLE_ACTION_DEC_TTL] = { "dec_ttl", NONE, 24, 24 },
    [TABLE_ACTION_SET_MPLS_LABEL] = { "set_mpls_label", NONE, 13, NONE },
    [TABLE_ACTION_SET_MPLS_TC] = { "set_mpls_tc", NONE, 14, NONE },
    [TABLE_ACTION_SET_MPLS_TTL] = { "set_mpls_ttl", NONE, 15, 15 },
    [TABLE_ACTION_DEC_MPLS_TTL] = { "dec_mpls_ttl", NONE, 16, 16 },
    [TABLE_ACTION_PUSH_MPLS] = { "push_mpls", NONE, 19, 19 },
    [TABLE_ACTION_POP_MPLS] = { "pop_mpls", NONE, 20, 20 },
    [TABLE_ACTION_SET_QUEUE] = { "set_queue", NONE, 21, 21 },
};

static uint8_t
action_number(enum table_action a, enum of_version v)
{
    return v == OF10 ? actions[a].of10 : v == OF11 ? actions[a].of11 : actions[a].of12;
}

enum table_action
table_action_from_wire(uint16_t number, enum of_version v)
{
    enum table_action a = 0;

    while (a < TABLE_ACTION_N && (action_number(a, v) == NONE || action_number(a, v) != number)) {
        a++;
    }
    return a;
}

uint32_t
table_actions_from_wire(uint32_t bits, enum of_version v)
{
    uint32_t set = 0;

    for (int a = 0; a < TABLE_ACTION_N; a++) {
        uint8_t number = action_number(a, v);

        if (number != NONE && bits & 1u << number) {
            set |= 1u << a;
        }
    }
    return set;
}

uint32_t
table_actions_to_wire(uint32_t set, enum of_version v)
{
    uint32_t bits = 0;

    for (int a = 0; a < TABLE_ACTION_N; a++) {
        uint8_t number = action_number(a, v);

        if (number != NONE && set & 1u << a) {
            bits |= 1u << number;
        }
    }
    return bits;
}

void
table_actions_put(struct str *s, uint32_t set)
{
    const char *separator = "";

    for (int a = 0; a < TABLE_ACTION_N; a++) {
        if (set & 1u << a) {
            str_putf(s, "%s%s", separator, actions[a].name);
            separator = " ";
        }
    }
    if (!set) {
        str_puts(s, "<none>");
    }
}

/* Fields as bits: of 1.0's wildcards, of 1.1's table statistics, and by OXM number in 1.2. */

struct field_bit {
    uint32_t bit;
    enum field_id id;
};

static const struct field_bit of10_fields[] = {
    { 1 << 0, FIELD_IN_PORT }, { 1 << 1, FIELD_VLAN_VID }, { 1 << 2, FIELD_ETH_SRC }, { 1 << 3, FIELD_ETH_DST },
    { 1 << 4, FIELD_ETH_TYPE }, { 1 << 5, FIELD_NW_PROTO }, { 1 << 6, FIELD_TCP_SRC }, { 1 << 7, FIELD_TCP_DST },
    { 0x3f << 8, FIELD_IP_SRC }, { 0x3f << 14, FIELD_IP_DST }, { 1 << 20, FIELD_VLAN_PCP }, { 1 << 21, FIELD_NW_TOS },
};

static const struct field_bit of11_fields[] = {
    { 1 << 0, FIELD_IN_PORT }, { 1 << 1, FIELD_VLAN_VID }, { 1 << 2, FIELD_VLAN_PCP }, { 1 << 3, FIELD_ETH_TYPE },
    { 1 << 4, FIELD_NW_TOS }, { 1 << 5, FIELD_NW_PROTO }, { 1 << 6, FIELD_TCP_SRC }, { 1 << 7, FIELD_TCP_DST },
    { 1 << 8, FIELD_MPLS_LABEL }, { 1 << 9, FIELD_MPLS_TC }, { 1 << 11, FIELD_ETH_SRC }, { 1 << 12, FIELD_ETH_DST },
    { 1 << 13, FIELD_IP_SRC }, { 1 << 14, FIELD_IP_DST }, { 1 << 15, FIELD_METADATA },
};

static const enum field_id of12_fields[] = {
    FIELD_IN_PORT_OXM, FIELD_N /* in_phy_port */, FIELD_METADATA, FIELD_ETH_DST, FIELD_ETH_SRC, FIELD_ETH_TYPE,
    FIELD_VLAN_VID, FIELD_VLAN_PCP, FIELD_IP_DSCP, FIELD_NW_ECN, FIELD_NW_PROTO, FIELD_IP_SRC, FIELD_IP_DST,
    FIELD_TCP_SRC, FIELD_TCP_DST, FIELD_UDP_SRC, FIELD_UDP_DST, FIELD_SCTP_SRC, FIELD_SCTP_DST, FIELD_ICMP_TYPE,
    FIELD_ICMP_CODE, FIELD_ARP_OP, FIELD_ARP_SPA, FIELD_ARP_TPA, FIELD_ARP_SHA, FIELD_ARP_THA, FIELD_IPV6_SRC,
    FIELD_IPV6_DST, FIELD_IPV6_LABEL, FIELD_ICMPV6_TYPE, FIELD_ICMPV6_CODE, FIELD_ND_TARGET, FIELD_ND_SLL, FIELD_ND_TLL,
    FIELD_MPLS_LABEL, FIELD_MPLS_TC,
};

static void
fields_from_bits(uint32_t bits, const struct field_bit *rows, size_t n, struct field_set *set)
{
    for (size_t i = 0; i < n; i++) {
        if (bits & rows[i].bit) {
            field_set_add(set, rows[i].id);
        }
    }
}

static uint32_t
fields_to_bits(const struct field_set *set, const struct field_bit *rows, size_t n)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < n; i++) {
        if (field_set_has(set, rows[i].id)) {
            bits |= rows[i].bit;
        }
    }
    return bits;
}

static void
fields_from_of12(uint64_t bits, struct field_set *set)
{
    for (size_t i = 0; i < ARRAY_SIZE(of12_fields); i++) {
        if (bits >> i & 1 && of12_fields[i] != FIELD_N) {
            field_set_add(set, of12_fields[i]);
        }
    }
}

static uint64_t
fields_to_of12(const struct field_set *set)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < ARRAY_SIZE(of12_fields); i++) {
        if (of12_fields[i] != FIELD_N && field_set_has(set, of12_fields[i])) {
            bits |= UINT64_C(1) << i;
        }
    }
    return bits;
}

/* Statistics. */

#define INSTRUCTIONS_OF11 0x3e

static enum table_miss
miss_from_wire(uint32_t config)
{
    static const enum table_miss of[] = {
        TABLE_MISS_CONTROLLER, TABLE_MISS_CONTINUE, TABLE_MISS_DROP, TABLE_MISS_CONTROLLER
    };

    return of[config & 3];
}

static uint32_t
miss_to_wire(enum table_miss miss)
{
    return miss == TABLE_MISS_CONTINUE ? 1 : miss == TABLE_MISS_DROP ? 2 : 0;
}

static void
take_name(struct table_features *f, const uint8_t *wire)
{
    memcpy(f->name, wire, sizeof f->name);
    f->name[sizeof f->name - 1] = '\0';
}

static void
stats_of10(const uint8_t *p, struct table_stats *s, struct table_features *f)
{
    s->table_id = p[0];
    take_name(f, p + 4);
    fields_from_bits(get_be32(p + 36), of10_fields, ARRAY_SIZE(of10_fields), &f->match);
    f->wildcard = f->match;
    f->max_entries = get_be32(p + 40);
    s->n_active = get_be32(p + 44);
    s->n_lookups = get_be64(p + 48);
    s->n_matches = get_be64(p + 56);
}

static void
stats_of11(const uint8_t *p, struct table_stats *s, struct table_features *f)
{
    s->table_id = p[0];
    take_name(f, p + 8);
    fields_from_bits(get_be32(p + 40), of11_fields, ARRAY_SIZE(of11_fields), &f->wildcard);
    fields_from_bits(get_be32(p + 44), of11_fields, ARRAY_SIZE(of11_fields), &f->match);
    f->nonmiss.instructions = get_be32(p + 48) & INSTRUCTIONS_OF11;
    f->nonmiss.write.actions = table_actions_from_wire(get_be32(p + 52), OF11);
    f->nonmiss.apply.actions = table_actions_from_wire(get_be32(p + 56), OF11);
    f->miss = miss_from_wire(get_be32(p + 60));
    f->max_entries = get_be32(p + 64);
    s->n_active = get_be32(p + 68);
    s->n_lookups = get_be64(p + 72);
    s->n_matches = get_be64(p + 80);
}

static void
stats_of12(const uint8_t *p, struct table_stats *s, struct table_features *f)
{
    s->table_id = p[0];
    take_name(f, p + 8);
    fields_from_of12(get_be64(p + 40), &f->match);
    fields_from_of12(get_be64(p + 48), &f->wildcard);
    f->nonmiss.write.actions = table_actions_from_wire(get_be32(p + 56), OF12);
    f->nonmiss.apply.actions = table_actions_from_wire(get_be32(p + 60), OF12);
    fields_from_of12(get_be64(p + 64), &f->nonmiss.write.set_fields);
    fields_from_of12(get_be64(p + 72), &f->nonmiss.apply.set_fields);
    f->metadata_match = get_be64(p + 80);
    f->metadata_write = get_be64(p + 88);
    f->nonmiss.instructions = get_be32(p + 96) & INSTRUCTIONS_OF11;
    f->miss = miss_from_wire(get_be32(p + 100));
    f->max_entries = get_be32(p + 104);
    s->n_active = get_be32(p + 108);
    s->n_lookups = get_be64(p + 112);
    s->n_matches = get_be64(p + 120);
}

static size_t
stats_len(enum of_version v)
{
    return v == OF10 ? 64 : v == OF11 ? 88 : v == OF12 ? 128 : 24;
}

enum ofperr
table_stats_take(struct cursor *c, enum of_version v, struct table_stats *s, struct table_features *f)
{
    const uint8_t *p = cursor_take(c, stats_len(v));

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    memset(s, 0, sizeof *s);
    memset(f, 0, sizeof *f);
    f->eviction = f->vacancy = -1;
    f->any_properties = v <= OF12;
    switch (v) {
    case OF10: stats_of10(p, s, f); break;
    case OF11: stats_of11(p, s, f); break;
    case OF12: stats_of12(p, s, f); break;
    default:
        s->table_id = p[0];
        s->n_active = get_be32(p + 4);
        s->n_lookups = get_be64(p + 8);
        s->n_matches = get_be64(p + 16);
    }
    if (v == OF11 || v == OF12) {
        f->miss_table = f->nonmiss;
    }
    f->table_id = s->table_id;
    return OFPERR_NONE;
}

static void
put_name(struct bytes *b, const char *name)
{
    str_copy_cut(bytes_put_zeros(b, 32), name, 32);
}

static void
put_be32s(struct bytes *b, const uint32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bytes_put_be32(b, v[i]);
    }
}

static void
put_stats_of10(struct bytes *b, const struct table_stats *s, const struct table_features *f)
{
    bytes_put_u8(b, s->table_id);
    bytes_put_zeros(b, 3);
    put_name(b, f->name);
    bytes_put_be32(b, fields_to_bits(&f->wildcard, of10_fields, ARRAY_SIZE(of10_fields)));
    bytes_put_be32(b, f->max_entries);
}

static void
put_stats_of11(struct bytes *b, const struct table_stats *s, const struct table_features *f)
{
    bytes_put_u8(b, s->table_id);
    bytes_put_zeros(b, 7);
    put_name(b, f->name);
    put_be32s(b, (uint32_t[]) { fields_to_bits(&f->wildcard, of11_fields, ARRAY_SIZE(of11_fields)),
                                fields_to_bits(&f->match, of11_fields, ARRAY_SIZE(of11_fields)),
                                f->nonmiss.instructions & INSTRUCTIONS_OF11,
                                table_actions_to_wire(f->nonmiss.write.actions, OF11),
                                table_actions_to_wire(f->nonmiss.apply.actions, OF11), miss_to_wire(f->miss),
                                f->max_entries }, 7);
}

static void
put_stats_of12(struct bytes *b, const struct table_stats *s, const struct table_features *f)
{
    bytes_put_u8(b, s->table_id);
    bytes_put_zeros(b, 7);
    put_name(b, f->name);
    bytes_put_be64(b, fields_to_of12(&f->match));
    bytes_put_be64(b, fields_to_of12(&f->wildcard));
    bytes_put_be32(b, table_actions_to_wire(f->nonmiss.write.actions, OF12));
    bytes_put_be32(b, table_actions_to_wire(f->nonmiss.apply.actions, OF12));
    bytes_put_be64(b, fields_to_of12(&f->nonmiss.write.set_fields));
    bytes_put_be64(b, fields_to_of12(&f->nonmiss.apply.set_fields));
    bytes_put_be64(b, f->metadata_match);
    bytes_put_be64(b, f->metadata_write);
    put_be32s(b, (uint32_t[]) { f->nonmiss.instructions & INSTRUCTIONS_OF11, miss_to_wire(f->miss), f->max_entries },
              3);
}

void
table_stats_put(struct bytes *b, enum of_version v, const struct table_stats *s, const struct table_features *f)
{
    switch (v) {
    case OF10: put_stats_of10(b, s, f); break;
    case OF11: put_stats_of11(b, s, f); break;
    case OF12: put_stats_of12(b, s, f); break;
    default:
        bytes_put_u8(b, s->table_id);
        bytes_put_zeros(b, 3);
    }
    bytes_put_be32(b, s->n_active);
    bytes_put_be64(b, s->n_lookups);
    bytes_put_be64(b, s->n_matches);
}

/* Modification and description. */

#define PROP_EVICTION 2
#define PROP_VACANCY 3
#define CONFIG_EVICTION 4
#define CONFIG_VACANCY 8

struct vacancy {
    uint8_t down, up, now;
};

static enum ofperr
vacancy_prop(const struct prop *p, struct vacancy *v)
{
    if (p->body.left != 4) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    v->down = p->body.at[0];
    v->up = p->body.at[1];
    v->now = p->body.at[2];
    return v->up < v->down || v->up > 100 ? OFPERR_OFPBPC_BAD_VALUE : OFPERR_NONE; /* Percents. */
}

static enum ofperr
config_props(struct cursor *c, bool loose, uint32_t *eviction_flags, struct vacancy *vacancy)
{
    while (c->left) {
        struct prop p;
        enum ofperr error = prop_take(c, &p);

        if (!error) {
            error = p.type == PROP_EVICTION ? prop_be32(&p, eviction_flags)
                    : p.type == PROP_VACANCY ? vacancy_prop(&p, vacancy)
                    : loose ? OFPERR_NONE : prop_unknown(&p);
        }
        if (error) {
            return error;
        }
    }
    return OFPERR_NONE;
}

enum ofperr
table_mod_decode(const struct msg *m, bool loose, struct table_mod *tm)
{
    struct cursor c = m->body;
    const uint8_t *p = cursor_take(&c, 8);
    uint32_t config;
    struct vacancy vacancy = { 0, 0, 0 };
    enum ofperr error;

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    config = get_be32(p + 4);
    *tm = (struct table_mod) { .table_id = p[0], .eviction = -1, .vacancy = -1, .eviction_flags = UINT32_MAX };
    if (m->version <= OF12) {
        tm->miss = miss_from_wire(config);
    }
    if (m->version < OF14) {
        return OFPERR_NONE;
    }
    tm->eviction = (config & CONFIG_EVICTION) != 0;
    tm->vacancy = (config & CONFIG_VACANCY) != 0;
    error = config_props(&c, loose, &tm->eviction_flags, &vacancy);
    if (!error && vacancy.now) {
        error = OFPERR_OFPBPC_BAD_VALUE; /* It is for the switch to say. */
    }
    tm->vacancy_down = vacancy.down;
    tm->vacancy_up = vacancy.up;
    return error;
}

static void
put_vacancy(struct bytes *b, uint8_t down, uint8_t up, uint8_t now)
{
    prop_put(b, PROP_VACANCY, (uint8_t[]) { down, up, now, 0 }, 4);
}

static uint32_t
config_bits(int eviction, int vacancy)
{
    return (eviction > 0 ? CONFIG_EVICTION : 0) | (vacancy > 0 ? CONFIG_VACANCY : 0);
}

void
table_mod_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct table_mod *tm)
{
    size_t start = msg_start(b, MSG_TABLE_MOD, v, xid);

    bytes_put_u8(b, tm->table_id);
    bytes_put_zeros(b, 3);
    bytes_put_be32(b, v <= OF12 ? miss_to_wire(tm->miss) : v == OF13 ? 0 : config_bits(tm->eviction, tm->vacancy));
    if (v >= OF14) {
        if (tm->eviction_flags != UINT32_MAX) {
            prop_put_be32(b, PROP_EVICTION, tm->eviction_flags);
        }
        if (tm->vacancy > 0) {
            put_vacancy(b, tm->vacancy_down, tm->vacancy_up, 0);
        }
    }
    msg_finish(b, start);
}

enum ofperr
table_desc_take(struct cursor *c, enum of_version v UNUSED, struct table_desc *d)
{
    const uint8_t *p = c->at;
    struct vacancy vacancy = { 0, 0, 0 };
    struct cursor e;
    enum ofperr error;

    if (c->left < 8 || get_be16(p) < 8 || !cursor_take_sub(c, get_be16(p), &e) || !cursor_take(&e, 8)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    *d = (struct table_desc) {
        .table_id = p[2], .eviction_flags = UINT32_MAX,
        .eviction = (get_be32(p + 4) & CONFIG_EVICTION) != 0, .vacancy = (get_be32(p + 4) & CONFIG_VACANCY) != 0,
    };
    error = config_props(&e, true, &d->eviction_flags, &vacancy);
    d->vacancy_down = vacancy.down;
    d->vacancy_up = vacancy.up;
    d->vacancy_now = vacancy.now;
    return error;
}

void
table_desc_put(struct bytes *b, enum of_version v UNUSED, const struct table_desc *d)
{
    size_t start = b->len;

    bytes_put_be16(b, 0);
    bytes_put_u8(b, d->table_id);
    bytes_put_u8(b, 0);
    bytes_put_be32(b, config_bits(d->eviction, d->vacancy));
    if (d->eviction_flags != UINT32_MAX) {
        prop_put_be32(b, PROP_EVICTION, d->eviction_flags);
    }
    if (d->vacancy > 0) {
        put_vacancy(b, d->vacancy_down, d->vacancy_up, d->vacancy_now);
    }
    put_be16(b->data + start, b->len - start);
}

enum ofperr
table_status_decode(const struct msg *m, struct table_status *s)
{
    struct cursor c = m->body;
    const uint8_t *p = cursor_take(&c, 8);

    if (!p) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    s->reason = p[0];
    if (s->reason != TABLE_REASON_VACANCY_DOWN && s->reason != TABLE_REASON_VACANCY_UP) {
        return OFPERR_OFPBPC_BAD_VALUE;
    }
    return table_desc_take(&c, m->version, &s->desc);
}

void
table_status_encode(struct bytes *b, enum of_version v, const struct table_status *s)
{
    size_t start = msg_start(b, MSG_TABLE_STATUS, v, 0);

    bytes_put_u8(b, s->reason);
    bytes_put_zeros(b, 7);
    table_desc_put(b, v, &s->desc);
    msg_finish(b, start);
}
