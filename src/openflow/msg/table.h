/* Flow tables: statistics, modification, description, features.
 *
 * What 1.1 and 1.2 say in table statistics, later versions say in table features; 'struct table_features' is both.
 * Standards: OpenFlow 1.5 §7.3.5.18. */
#ifndef OPENFLOW_MSG_TABLE_H
#define OPENFLOW_MSG_TABLE_H 1

#include "flow/field.h"
#include "openflow/msg.h"

/* A set of match fields. */
struct field_set {
    uint64_t bits[DIV_ROUND_UP(FIELD_N, 64)];
};

static inline void field_set_add(struct field_set *s, enum field_id id) { s->bits[id / 64] |= UINT64_C(1) << id % 64; }
static inline bool
field_set_has(const struct field_set *s, enum field_id id)
{
    return s->bits[id / 64] >> id % 64 & 1;
}

/* Appends the names in order, with what neighbours have in common written once: "eth_{src,dst,type} reg0...reg15". */
void field_set_put(struct str *s, const struct field_set *);

/* Actions as table and group features know them: rows of table_actions. */
enum table_action {
    TABLE_ACTION_OUTPUT, TABLE_ACTION_GROUP, TABLE_ACTION_ENQUEUE, TABLE_ACTION_SET_FIELD, TABLE_ACTION_SET_VLAN_VID,
    TABLE_ACTION_SET_VLAN_PCP, TABLE_ACTION_STRIP_VLAN, TABLE_ACTION_PUSH_VLAN, TABLE_ACTION_SET_ETH_SRC,
    TABLE_ACTION_SET_ETH_DST, TABLE_ACTION_SET_IPV4_SRC, TABLE_ACTION_SET_IPV4_DST, TABLE_ACTION_SET_IP_DSCP,
    TABLE_ACTION_SET_IP_ECN, TABLE_ACTION_SET_IP_TTL, TABLE_ACTION_SET_L4_SRC, TABLE_ACTION_SET_L4_DST,
    TABLE_ACTION_DEC_TTL, TABLE_ACTION_SET_MPLS_LABEL, TABLE_ACTION_SET_MPLS_TC, TABLE_ACTION_SET_MPLS_TTL,
    TABLE_ACTION_DEC_MPLS_TTL, TABLE_ACTION_PUSH_MPLS, TABLE_ACTION_POP_MPLS, TABLE_ACTION_SET_QUEUE, TABLE_ACTION_N
};

/* From and to the bits of the wire (bit N: action type N of 'version'). */
uint32_t table_actions_from_wire(uint32_t bits, enum of_version);
uint32_t table_actions_to_wire(uint32_t actions, enum of_version);
/* The action of a number, TABLE_ACTION_N if it is none of ours. */
enum table_action table_action_from_wire(uint16_t number, enum of_version);
/* Appends "output group set_field", or "<none>". */
void table_actions_put(struct str *s, uint32_t actions);

/* Instructions, with the numbers of the wire as bits. */
enum {
    TABLE_INST_GOTO_TABLE = 1 << 1, TABLE_INST_WRITE_METADATA = 1 << 2, TABLE_INST_WRITE_ACTIONS = 1 << 3,
    TABLE_INST_APPLY_ACTIONS = 1 << 4, TABLE_INST_CLEAR_ACTIONS = 1 << 5, TABLE_INST_METER = 1 << 6
};

/* What becomes of packets that match nothing (1.1 and 1.2). */
enum table_miss { TABLE_MISS_DEFAULT, TABLE_MISS_CONTROLLER, TABLE_MISS_CONTINUE, TABLE_MISS_DROP };

struct table_action_features {
    uint32_t actions; /* Bits of enum table_action. */
    struct field_set set_fields;
};

struct table_instruction_features {
    uint64_t next[4];      /* Tables that goto_table reaches: bit N of the whole is table N. */
    uint32_t instructions; /* TABLE_INST_*. */
    struct table_action_features write, apply;
};

enum table_features_command {
    TABLE_FEATURES_REPLACE,
    TABLE_FEATURES_MODIFY,
    TABLE_FEATURES_ENABLE,
    TABLE_FEATURES_DISABLE
};

struct table_features {
    uint8_t table_id;
    uint8_t command;               /* Of 1.5 requests: enum table_features_command. */
    bool has_command;
    char name[32];
    uint64_t metadata_match, metadata_write;
    uint8_t miss;                  /* enum table_miss. */
    int8_t eviction, vacancy;      /* Supported: 1, 0, -1 unknown. */
    uint32_t max_entries;          /* 0: unknown. */
    bool any_properties;           /* False: the message said nothing of what follows. */
    struct table_instruction_features nonmiss, miss_table; /* For flows, for the table-miss flow. */
    struct field_set match, mask, wildcard; /* Matchable; with arbitrary masks; may be left out. */
};

struct table_stats {
    uint8_t table_id;
    uint32_t n_active;
    uint64_t n_lookups, n_matches;
};

/* Takes one entry of a TABLE reply.  '*f' receives what the version says about features there. */
enum ofperr table_stats_take(struct cursor *, enum of_version, struct table_stats *,
                             struct table_features *f) MUST_CHECK;
void table_stats_put(struct bytes *, enum of_version, const struct table_stats *, const struct table_features *);

/* TABLE_MOD.  What a version cannot say is -1 or TABLE_MISS_DEFAULT. */
struct table_mod {
    uint8_t table_id;
    enum table_miss miss;
    int eviction; /* 1, 0, -1. */
    uint32_t eviction_flags; /* UINT32_MAX: not said. */
    int vacancy;
    uint8_t vacancy_down, vacancy_up; /* Per cent. */
};

enum {
    TABLE_EVICT_OTHER = 1, TABLE_EVICT_IMPORTANCE = 2, TABLE_EVICT_LIFETIME = 4
};

enum ofperr table_mod_decode(const struct msg *, bool loose, struct table_mod *) MUST_CHECK;
void table_mod_encode(struct bytes *, enum of_version, uint32_t xid, const struct table_mod *);

/* TABLE_DESC (1.4 and later). */
struct table_desc {
    uint8_t table_id;
    int eviction;
    uint32_t eviction_flags; /* UINT32_MAX: not said. */
    int vacancy;
    uint8_t vacancy_down, vacancy_up, vacancy_now;
};

/* Takes one table of a TABLE_DESC reply, appends one. */
enum ofperr table_desc_take(struct cursor *, enum of_version, struct table_desc *) MUST_CHECK;
void table_desc_put(struct bytes *, enum of_version, const struct table_desc *);

enum { TABLE_REASON_VACANCY_DOWN = 3, TABLE_REASON_VACANCY_UP = 4 };

struct table_status {
    uint8_t reason;
    struct table_desc desc;
};

/* The body of TABLE_STATUS (OpenFlow 1.4 and later), read and written. */
enum ofperr table_status_decode(const struct msg *, struct table_status *) MUST_CHECK;
void table_status_encode(struct bytes *, enum of_version, const struct table_status *);

/* Takes one table of a TABLE_FEATURES request or reply, appends one.  Errors: OFPTFFC_*, OFPBPC_*; 'why' as in
 * msg_decode_why(). */
enum ofperr table_features_take(struct cursor *, enum of_version, bool loose, struct table_features *,
                                char **why) MUST_CHECK;
void table_features_put(struct bytes *, enum of_version, const struct table_features *);

#endif
