#include "openflow/msg/group.h"

#include <stdlib.h>
#include <string.h>

#include "openflow/msg/prop.h"
#include "openflow/msg/table.h"
#include "openflow/oxm/oxm.h"

#define PROP_WEIGHT 0
#define PROP_WATCH_PORT 1
#define PROP_WATCH_GROUP 2
#define NTR_SELECTION_METHOD 1

static const char *const type_names[GROUP_N_TYPES] = { "all", "select", "indirect", "ff" };

const char *
group_type_name(enum group_type type)
{
    return type_names[type];
}

void
group_mod_init(struct group_mod *gm)
{
    *gm = (struct group_mod) { .command_bucket_id = BUCKET_ALL };
}

void
group_mod_uninit(struct group_mod *gm)
{
    for (size_t i = 0; i < gm->n_buckets; i++) {
        free((void *) gm->buckets[i].actions.first);
    }
    free(gm->buckets);
    free(gm->props.fields);
    group_mod_init(gm);
}

struct bucket *
group_mod_add_bucket(struct group_mod *gm)
{
    struct bucket *b;

    gm->buckets = xreallocarray(gm->buckets, gm->n_buckets + 1, sizeof *gm->buckets);
    b = &gm->buckets[gm->n_buckets++];
    *b = (struct bucket) { .bucket_id = BUCKET_ALL, .watch_port = OFPP_NONE, .watch_group = GROUP_ANY };
    return b;
}

/* Nicira's form in 1.0 is that of 1.5. */
static bool
has_bucket_ids(enum of_version v)
{
    return v == OF10 || v >= OF15;
}

static enum ofperr
bucket_prop(const struct prop *p, struct bucket *b)
{
    uint32_t port;
    enum ofperr error;

    switch (p->type) {
    case PROP_WEIGHT:
        if (p->body.left < 2) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        b->weight = get_be16(p->body.at);
        return OFPERR_NONE;
    case PROP_WATCH_PORT:
        error = prop_be32(p, &port);
        return error ? error : ofp_port_from_wire32(port, &b->watch_port) ? OFPERR_OFPGMFC_BAD_WATCH : OFPERR_NONE;
    case PROP_WATCH_GROUP: return prop_be32(p, &b->watch_group);
    }
    return prop_unknown(p);
}

static enum ofperr
bucket_actions(const void *p, size_t n, enum of_version v, struct bucket *b)
{
    struct act_buf acts = ACT_BUF_INIT;
    enum ofperr error = act_decode_actions(p, n, v, &acts);

    b->actions = act_span_clone(act_buf_span(&acts));
    act_buf_uninit(&acts);
    return error;
}

static enum ofperr
take_bucket_of11(struct cursor *c, enum of_version v, struct bucket *b)
{
    const uint8_t *p = c->at;
    size_t len;
    enum ofperr error;

    if (c->left < 16 || (len = get_be16(p)) < 16 || !cursor_take(c, len)) {
        return OFPERR_OFPGMFC_BAD_BUCKET;
    }
    if (len % 8) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    b->weight = get_be16(p + 2);
    error = ofp_port_from_wire32(get_be32(p + 4), &b->watch_port);
    b->watch_group = get_be32(p + 8);
    return error ? OFPERR_OFPGMFC_BAD_WATCH : bucket_actions(p + 16, len - 16, v, b);
}

static enum ofperr
take_bucket_of15(struct cursor *c, enum of_version v, enum group_type type, struct bucket *b)
{
    const uint8_t *p = c->at;
    size_t len, acts_len;
    struct cursor props;
    enum ofperr error;

    if (c->left < 8 || (len = get_be16(p)) < 8 || len % 8 || !cursor_take(c, len) ||
        (acts_len = get_be16(p + 2)) > len - 8) {
        return OFPERR_OFPGMFC_BAD_BUCKET;
    }
    b->bucket_id = get_be32(p + 4);
    b->weight = type == GROUP_TYPE_SELECT; /* The standard's default is 1. */
    error = bucket_actions(p + 8, acts_len, v, b);
    props = cursor_make(p + 8 + acts_len, len - 8 - acts_len);
    while (!error && props.left) {
        struct prop prop;

        error = prop_take(&props, &prop);
        if (!error) {
            error = bucket_prop(&prop, b);
        }
    }
    if (!error && b->bucket_id > BUCKET_MAX) {
        error = OFPERR_OFPGMFC_BAD_BUCKET;
    }
    return error;
}

static bool
bucket_id_is_used(const struct group_mod *gm, uint32_t id)
{
    for (size_t i = 0; i + 1 < gm->n_buckets; i++) {
        if (gm->buckets[i].bucket_id == id) {
            return true;
        }
    }
    return false;
}

static enum ofperr
take_buckets(struct cursor *c, enum of_version v, struct group_mod *gm)
{
    while (c->left) {
        struct bucket *b = group_mod_add_bucket(gm);
        enum ofperr error = has_bucket_ids(v) ? take_bucket_of15(c, v, gm->type, b) : take_bucket_of11(c, v, b);

        if (!error && has_bucket_ids(v) && bucket_id_is_used(gm, b->bucket_id)) {
            error = OFPERR_OFPGMFC_BAD_BUCKET;
        }
        if (error) {
            return error;
        }
    }
    return OFPERR_NONE;
}

/* Fields to hash: OXM entries without mask flag whose body is the mask. */
static enum ofperr
selection_fields(struct cursor c, struct group_props *gp)
{
    while (c.left) {
        struct group_field *f;
        const void *mask;
        const struct field *field;
        union field_value ones;
        size_t len = c.left >= 4 ? c.at[3] : 0;
        enum ofperr error = oxm_take_field(&c, &field);

        if (error) {
            return error;
        }
        if (field_is_option(field)) { /* As long as the entry says: any length stands for the whole. */
            if (!cursor_take(&c, len)) {
                return OFPERR_OFPBPC_BAD_LEN;
            }
            gp->fields = xreallocarray(gp->fields, gp->n_fields + 1, sizeof *gp->fields);
            gp->fields[gp->n_fields] = (struct group_field) { .field = field };
            field_value_all_ones(field, &gp->fields[gp->n_fields++].mask);
            continue;
        }
        mask = cursor_take(&c, field->wire_bytes);
        if (!mask) {
            return OFPERR_OFPBPC_BAD_LEN;
        }
        gp->fields = xreallocarray(gp->fields, gp->n_fields + 1, sizeof *gp->fields);
        f = &gp->fields[gp->n_fields++];
        *f = (struct group_field) { .field = field };
        memcpy(f->mask.bytes, mask, field->wire_bytes);
        field_value_all_ones(field, &ones);
        if (!field->maskable && memcmp(&ones, &f->mask, field->wire_bytes)) {
            return OFPERR_OFPBMC_BAD_MASK;
        }
    }
    return OFPERR_NONE;
}

static enum ofperr
selection_method(const struct prop *p, const struct group_mod *gm, struct group_props *gp)
{
    struct cursor c = p->body;
    const char *method;

    if (gm->type != GROUP_TYPE_SELECT) {
        return OFPERR_OFPBPC_BAD_VALUE;
    }
    if (!cursor_take(&c, 4) || !(method = cursor_take(&c, 16)) || !cursor_take_be64(&c, &gp->selection_param)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    if (method[15]) {
        return OFPERR_OFPBPC_BAD_VALUE;
    }
    memcpy(gp->selection_method, method, 16);
    if (!strcmp(gp->selection_method, "dp_hash") && c.left) {
        return OFPERR_OFPBPC_BAD_VALUE;
    }
    if (strcmp(gp->selection_method, "hash") && strcmp(gp->selection_method, "dp_hash")) {
        return OFPERR_OFPBPC_BAD_VALUE;
    }
    return selection_fields(c, gp);
}

static enum ofperr
take_props(struct cursor *c, struct group_mod *gm)
{
    while (c->left) {
        struct prop p;
        enum ofperr error = prop_take(c, &p);

        if (!error) {
            error = (p.vendor == OF_VENDOR_NTR || p.vendor == OF_VENDOR_NTR_COMPAT) &&
                            p.subtype == NTR_SELECTION_METHOD
                        ? selection_method(&p, gm, &gm->props) : prop_unknown(&p);
        }
        if (error) {
            return error;
        }
    }
    return OFPERR_NONE;
}

static enum ofperr
check_buckets(const struct group_mod *gm)
{
    for (size_t i = 0; i < gm->n_buckets; i++) {
        const struct bucket *b = &gm->buckets[i];
        bool watches = b->watch_port != OFPP_NONE || b->watch_group != GROUP_ANY;

        /* Buckets to be inserted come without the group's type. */
        if (b->weight && gm->type != GROUP_TYPE_SELECT && gm->command != GROUP_INSERT_BUCKET) {
            return OFPERR_OFPGMFC_INVALID_GROUP;
        }
        if (gm->type == GROUP_TYPE_FF && !watches) {
            return OFPERR_OFPGMFC_INVALID_GROUP;
        }
        if ((gm->type == GROUP_TYPE_ALL || gm->type == GROUP_TYPE_INDIRECT) && watches) {
            return OFPERR_OFPGMFC_WATCH_UNSUPPORTED;
        }
    }
    return OFPERR_NONE;
}

/* What the standards say about each command, beyond the form. */
static enum ofperr
check_command(const struct group_mod *gm, enum of_version v)
{
    enum ofperr error;

    switch (gm->command) {
    case GROUP_REMOVE_BUCKET:
        return gm->n_buckets ? OFPERR_OFPGMFC_BAD_BUCKET : OFPERR_NONE;
    case GROUP_INSERT_BUCKET:
        return check_buckets(gm);
    case GROUP_DELETE: /* 1.1 and 1.2 say nothing about its buckets. */
        return gm->n_buckets && v != OF11 && v != OF12 ? OFPERR_OFPGMFC_INVALID_GROUP : check_buckets(gm);
    case GROUP_ADD: case GROUP_MODIFY: case GROUP_ADD_OR_MOD:
        break;
    }
    error = check_buckets(gm);
    if (error) {
        return error;
    }
    return gm->type == GROUP_TYPE_INDIRECT && gm->n_buckets != 1 ? OFPERR_OFPGMFC_INVALID_GROUP : OFPERR_NONE;
}

static bool
command_is_known(uint16_t command)
{
    return command <= GROUP_INSERT_BUCKET || command == GROUP_REMOVE_BUCKET || command == GROUP_ADD_OR_MOD;
}

/* Buckets are put beside one or an end, removed one by one, from an end or all; other commands name none. */
static bool
bucket_id_suits(uint16_t command, uint32_t id)
{
    return command == GROUP_REMOVE_BUCKET || (command == GROUP_INSERT_BUCKET) == (id != BUCKET_ALL);
}

static enum ofperr
decode_into(const struct msg *m, struct group_mod *gm)
{
    struct cursor c = m->body, buckets;
    bool ids = has_bucket_ids(m->version);
    const uint8_t *p = cursor_take(&c, ids ? 16 : 8);
    enum ofperr error;

    if (ids && !bucket_id_suits(get_be16(p), get_be32(p + 12))) {
        return OFPERR_OFPGMFC_BAD_BUCKET;
    }
    if (!command_is_known(get_be16(p))) {
        return OFPERR_OFPGMFC_BAD_COMMAND;
    }
    gm->command = get_be16(p);
    gm->type = p[2];
    gm->group_id = get_be32(p + 4);
    if (p[2] >= GROUP_N_TYPES) {
        return OFPERR_OFPGMFC_BAD_TYPE;
    }
    if (ids) {
        gm->command_bucket_id = get_be32(p + 12);
        if (!cursor_take_sub(&c, get_be16(p + 8), &buckets)) {
            return OFPERR_OFPBRC_BAD_LEN;
        }
        error = take_buckets(&buckets, m->version, gm);
        if (!error) {
            error = take_props(&c, gm);
        }
    } else {
        error = take_buckets(&c, m->version, gm);
    }
    return error ? error : check_command(gm, m->version);
}

enum ofperr
group_mod_decode(const struct msg *m, struct group_mod *gm)
{
    enum ofperr error;

    group_mod_init(gm);
    error = decode_into(m, gm);
    if (error) {
        group_mod_uninit(gm);
    }
    return error;
}

/* Writing. */

static void
put_bucket_of11(struct bytes *b, enum of_version v, const struct bucket *bucket)
{
    size_t start = b->len;

    bytes_put_be16(b, 0);
    bytes_put_be16(b, bucket->weight);
    bytes_put_be32(b, ofp_to_u32(bucket->watch_port));
    bytes_put_be32(b, bucket->watch_group);
    bytes_put_zeros(b, 4);
    act_encode_actions(bucket->actions, v, b);
    put_be16(b->data + start, b->len - start);
}

static void
put_bucket_of15(struct bytes *b, enum of_version v, enum group_type type, const struct bucket *bucket)
{
    size_t start = b->len, acts;

    bytes_put_zeros(b, 4);
    bytes_put_be32(b, bucket->bucket_id);
    acts = b->len;
    act_encode_actions(bucket->actions, v, b);
    put_be16(b->data + start + 2, b->len - acts);
    if (bucket->weight || type == GROUP_TYPE_SELECT) {
        prop_put(b, PROP_WEIGHT, (uint8_t[]) { bucket->weight >> 8, bucket->weight, 0, 0 }, 4);
    }
    if (bucket->watch_port != OFPP_NONE) {
        prop_put_be32(b, PROP_WATCH_PORT, ofp_to_u32(bucket->watch_port));
    }
    if (bucket->watch_group != GROUP_ANY) {
        prop_put_be32(b, PROP_WATCH_GROUP, bucket->watch_group);
    }
    put_be16(b->data + start, b->len - start);
}

static void
put_buckets(struct bytes *b, enum of_version v, const struct group_mod *gm)
{
    for (size_t i = 0; i < gm->n_buckets; i++) {
        if (has_bucket_ids(v)) {
            put_bucket_of15(b, v, gm->type, &gm->buckets[i]);
        } else {
            put_bucket_of11(b, v, &gm->buckets[i]);
        }
    }
}

static void
put_props(struct bytes *b, enum of_version v, const struct group_props *gp)
{
    size_t start;

    if (!gp->selection_method[0]) {
        return;
    }
    start = prop_start_vendor(b, OF_VENDOR_NTR, NTR_SELECTION_METHOD);
    bytes_put_zeros(b, 4);
    bytes_put(b, gp->selection_method, 16);
    bytes_put_be64(b, gp->selection_param);
    for (size_t i = 0; i < gp->n_fields; i++) {
        oxm_put_entry(b, gp->fields[i].field, v == OF10 ? OF15 : v, &gp->fields[i].mask, NULL);
    }
    prop_end(b, start);
}

bool
group_mod_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct group_mod *gm)
{
    size_t start = msg_start(b, MSG_GROUP_MOD, v, xid), buckets;

    bytes_put_be16(b, gm->command);
    bytes_put_u8(b, gm->type);
    bytes_put_u8(b, 0);
    bytes_put_be32(b, gm->group_id);
    if (has_bucket_ids(v)) {
        bytes_put_zeros(b, 4);
        bytes_put_be32(b, gm->command_bucket_id);
    }
    buckets = b->len;
    put_buckets(b, v, gm);
    if (has_bucket_ids(v)) {
        if (b->len - buckets > UINT16_MAX) {
            bytes_truncate(b, start);
            return false;
        }
        put_be16(b->data + buckets - 8, b->len - buckets);
        put_props(b, v, &gm->props);
    }
    return msg_finish(b, start);
}

/* Requests, descriptions. */

enum ofperr
group_request_decode(const struct msg *m, uint32_t *group_id)
{
    *group_id = m->body.left >= 4 ? get_be32(m->body.at) : GROUP_ALL;
    return OFPERR_NONE;
}

void
group_request_encode(struct bytes *b, enum msg_type type, enum of_version v, uint32_t xid, uint32_t group_id)
{
    size_t start = msg_start(b, type, v, xid);

    if (msg_wire_find(type, v)->size) {
        bytes_put_be32(b, group_id);
        bytes_put_zeros(b, 4);
    }
    msg_finish(b, start);
}

static enum ofperr
desc_into(struct cursor *c, enum of_version v, struct group_mod *gm)
{
    const uint8_t *p = c->at;
    size_t header = has_bucket_ids(v) ? 16 : 8;
    struct cursor e, buckets;
    enum ofperr error;

    if (c->left < header || get_be16(p) < header || !cursor_take_sub(c, get_be16(p), &e) ||
        !cursor_take(&e, header)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (p[2] >= GROUP_N_TYPES) {
        return OFPERR_OFPGMFC_BAD_TYPE;
    }
    gm->type = p[2];
    gm->group_id = get_be32(p + 4);
    if (!has_bucket_ids(v)) {
        return take_buckets(&e, v, gm);
    }
    if (!cursor_take_sub(&e, get_be16(p + 8), &buckets)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    error = take_buckets(&buckets, v, gm);
    return error ? error : take_props(&e, gm);
}

enum ofperr
group_desc_take(struct cursor *c, enum of_version v, struct group_mod *gm)
{
    enum ofperr error;

    group_mod_init(gm);
    error = desc_into(c, v, gm);
    if (error) {
        group_mod_uninit(gm);
    }
    return error;
}

void
group_desc_put(struct bytes *b, enum of_version v, const struct group_mod *gm)
{
    size_t start = b->len, buckets;

    bytes_put_be16(b, 0);
    bytes_put_u8(b, gm->type);
    bytes_put_u8(b, 0);
    bytes_put_be32(b, gm->group_id);
    if (has_bucket_ids(v)) {
        bytes_put_zeros(b, 8);
    }
    buckets = b->len;
    put_buckets(b, v, gm);
    if (has_bucket_ids(v)) {
        put_be16(b->data + buckets - 8, b->len - buckets);
        put_props(b, v, &gm->props);
    }
    put_be16(b->data + start, b->len - start);
}

/* Statistics. */

enum ofperr
group_stats_take(struct cursor *c, enum of_version v, struct group_stats *s)
{
    bool has_duration = v == OF10 || v >= OF13;
    size_t header = has_duration ? 40 : 32;
    const uint8_t *p = c->at;
    struct cursor e;

    *s = (struct group_stats) { .duration_sec = UINT32_MAX, .duration_nsec = UINT32_MAX };
    if (c->left < header || get_be16(p) < header || !cursor_take_sub(c, get_be16(p), &e) ||
        !cursor_take(&e, header) || e.left % 16) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    s->group_id = get_be32(p + 4);
    s->ref_count = get_be32(p + 8);
    s->n_packets = get_be64(p + 16);
    s->n_bytes = get_be64(p + 24);
    if (has_duration) {
        s->duration_sec = get_be32(p + 32);
        s->duration_nsec = get_be32(p + 36);
    }
    s->n_buckets = e.left / 16;
    s->buckets = xcalloc(MAX(s->n_buckets, 1), sizeof *s->buckets);
    for (size_t i = 0; i < s->n_buckets; i++) {
        s->buckets[i].n_packets = get_be64(e.at + 16 * i);
        s->buckets[i].n_bytes = get_be64(e.at + 16 * i + 8);
    }
    return OFPERR_NONE;
}

void
group_stats_put(struct bytes *b, enum of_version v, const struct group_stats *s)
{
    bool has_duration = v == OF10 || v >= OF13;
    size_t start = b->len;

    bytes_put_zeros(b, 4);
    bytes_put_be32(b, s->group_id);
    bytes_put_be32(b, s->ref_count);
    bytes_put_zeros(b, 4);
    bytes_put_be64(b, s->n_packets);
    bytes_put_be64(b, s->n_bytes);
    if (has_duration) {
        bytes_put_be32(b, s->duration_sec);
        bytes_put_be32(b, s->duration_nsec);
    }
    for (size_t i = 0; i < s->n_buckets; i++) {
        bytes_put_be64(b, s->buckets[i].n_packets);
        bytes_put_be64(b, s->buckets[i].n_bytes);
    }
    put_be16(b->data + start, b->len - start);
}

void
group_stats_uninit(struct group_stats *s)
{
    free(s->buckets);
    s->buckets = NULL;
}

enum ofperr
group_features_decode(const struct msg *m, struct group_features *f)
{
    const uint8_t *p = m->body.at;

    f->types = get_be32(p);
    f->capabilities = get_be32(p + 4);
    for (int i = 0; i < GROUP_N_TYPES; i++) {
        f->max_groups[i] = get_be32(p + 8 + 4 * i);
        f->actions[i] = table_actions_from_wire(get_be32(p + 24 + 4 * i), m->version);
    }
    return OFPERR_NONE;
}

void
group_features_encode(struct bytes *b, const struct msg *request, const struct group_features *f)
{
    size_t start = msg_start_reply(b, MSG_GROUP_FEATURES_REPLY, request);

    bytes_put_be32(b, f->types);
    bytes_put_be32(b, f->capabilities);
    for (int i = 0; i < GROUP_N_TYPES; i++) {
        bytes_put_be32(b, f->max_groups[i]);
    }
    for (int i = 0; i < GROUP_N_TYPES; i++) {
        bytes_put_be32(b, table_actions_to_wire(f->actions[i], request->version));
    }
    msg_finish(b, start);
}
