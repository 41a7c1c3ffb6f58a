/* Groups: modification, descriptions, statistics, features.
 *
 * Group ids above GROUP_MAX are special.  Buckets have ids from 1.5 on (and in Nicira's form for 1.0).
 * Standards: OpenFlow 1.5 §7.3.4.3; Netronome's selection method. */
#ifndef OPENFLOW_MSG_GROUP_H
#define OPENFLOW_MSG_GROUP_H 1

#include "openflow/action/action.h"
#include "openflow/msg.h"
#include "openflow/port.h"

#define GROUP_MAX UINT32_C(0xffffff00)
#define GROUP_ALL UINT32_C(0xfffffffc)
#define GROUP_ANY UINT32_C(0xffffffff)

#define BUCKET_MAX UINT32_C(0xffffff00)
#define BUCKET_FIRST UINT32_C(0xfffffffd)
#define BUCKET_LAST UINT32_C(0xfffffffe)
#define BUCKET_ALL UINT32_C(0xffffffff)

enum group_type { GROUP_TYPE_ALL, GROUP_TYPE_SELECT, GROUP_TYPE_INDIRECT, GROUP_TYPE_FF, GROUP_N_TYPES };

enum group_command {
    GROUP_ADD = 0, GROUP_MODIFY = 1, GROUP_DELETE = 2, GROUP_INSERT_BUCKET = 3, GROUP_REMOVE_BUCKET = 5,
    GROUP_ADD_OR_MOD = 0x8000
};

/* "all", "select", "indirect", "ff". */
const char *group_type_name(enum group_type);

struct bucket {
    uint32_t bucket_id;  /* BUCKET_ALL where the version has none. */
    uint16_t weight;
    ofp_port watch_port; /* OFPP_NONE. */
    uint32_t watch_group; /* GROUP_ANY. */
    struct act_span actions; /* Owned. */
};

/* How a select group chooses. */
struct group_props {
    char selection_method[16]; /* "" if none. */
    uint64_t selection_param;
    struct group_field { const struct field *field; union field_value mask; } *fields; /* Owned. */
    size_t n_fields;
};

struct group_mod {
    enum group_command command;
    enum group_type type;
    uint32_t group_id;
    uint32_t command_bucket_id; /* BUCKET_ALL where it does not matter. */
    struct bucket *buckets; /* Owned. */
    size_t n_buckets;
    struct group_props props;
};

/* An add of nothing. */
void group_mod_init(struct group_mod *);
void group_mod_uninit(struct group_mod *);
/* Appends a bucket with nothing in it, valid until the next call. */
struct bucket *group_mod_add_bucket(struct group_mod *);

/* OFPGMFC_*.  On an error '*gm' needs no group_mod_uninit(). */
enum ofperr group_mod_decode(const struct msg *, struct group_mod *gm) MUST_CHECK;
bool group_mod_encode(struct bytes *, enum of_version, uint32_t xid, const struct group_mod *);

/* Requests for GROUP and GROUP_DESC: GROUP_ALL is all of them (before 1.5 always so for descriptions). */
enum ofperr group_request_decode(const struct msg *, uint32_t *group_id) MUST_CHECK;
void group_request_encode(struct bytes *, enum msg_type, enum of_version, uint32_t xid, uint32_t group_id);

/* A description: type, id, buckets and properties of 'gm' count.  On an error '*gm' needs no uninit. */
enum ofperr group_desc_take(struct cursor *, enum of_version, struct group_mod *gm) MUST_CHECK;
void group_desc_put(struct bytes *, enum of_version, const struct group_mod *gm);

struct group_stats {
    uint32_t group_id, ref_count;
    uint64_t n_packets, n_bytes;
    uint32_t duration_sec, duration_nsec; /* UINT32_MAX: unknown (1.1 and 1.2). */
    struct bucket_counter { uint64_t n_packets, n_bytes; } *buckets; /* Owned. */
    size_t n_buckets;
};

enum ofperr group_stats_take(struct cursor *, enum of_version, struct group_stats *) MUST_CHECK;
void group_stats_put(struct bytes *, enum of_version, const struct group_stats *);
void group_stats_uninit(struct group_stats *);

struct group_features {
    uint32_t types, capabilities;
    uint32_t max_groups[GROUP_N_TYPES];
    uint32_t actions[GROUP_N_TYPES]; /* Bits of enum table_action. */
};

enum ofperr group_features_decode(const struct msg *, struct group_features *) MUST_CHECK;
void group_features_encode(struct bytes *, const struct msg *request, const struct group_features *);

#endif
