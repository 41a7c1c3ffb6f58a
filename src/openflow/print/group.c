#include "openflow/msg/group.h"

#include "flow/field_text.h"
#include "openflow/msg/table.h"
#include "openflow/print/private.h"

static void
put_bucket_id(struct str *s, const char *name, uint32_t id)
{
    str_puts(s, name);
    switch (id) {
    case BUCKET_FIRST: str_puts(s, "first"); break;
    case BUCKET_LAST: str_puts(s, "last"); break;
    case BUCKET_ALL: str_puts(s, "all"); break;
    default: str_putf(s, "%u", id);
    }
}

static void
put_selection_field(struct str *s, const struct group_field *f)
{
    union field_value ones;

    str_puts(s, f->field->name);
    field_value_all_ones(f->field, &ones);
    if (memcmp(&ones, &f->mask, f->field->wire_bytes)) {
        str_putc(s, '=');
        field_format(s, f->field, &f->mask, NULL, NULL);
    }
}

static void
put_selection(struct str *s, const struct group_props *gp)
{
    if (!gp->selection_method[0]) {
        return;
    }
    str_putf(s, ",selection_method=%s", gp->selection_method);
    if (gp->selection_param) {
        str_putf(s, ",selection_method_param=%llu", (unsigned long long) gp->selection_param);
    }
    if (gp->n_fields == 1) {
        str_puts(s, ",fields=");
        put_selection_field(s, &gp->fields[0]);
    } else if (gp->n_fields) {
        str_puts(s, ",fields(");
        for (size_t i = 0; i < gp->n_fields; i++) {
            str_puts(s, i ? "," : "");
            put_selection_field(s, &gp->fields[i]);
        }
        str_putc(s, ')');
    }
}

static void
put_bucket(struct printer *p, const struct bucket *b, enum group_type type, bool has_ids)
{
    str_puts(p->s, ",bucket=");
    if (has_ids) {
        str_putf(p->s, "bucket_id:%u,", b->bucket_id);
    }
    if (has_ids ? type == GROUP_TYPE_SELECT && b->weight != 1 : type == GROUP_TYPE_SELECT && b->weight != 1) {
        str_putf(p->s, "weight:%u,", b->weight);
    }
    if (b->watch_port != OFPP_NONE) {
        str_puts(p->s, "watch_port:");
        print_port(p, b->watch_port);
        str_putc(p->s, ',');
    }
    if (b->watch_group != GROUP_ANY) {
        str_putf(p->s, "watch_group:%u,", b->watch_group);
    }
    print_actions(p, b->actions);
}

static bool
version_has_ids(enum of_version v)
{
    return v == OF10 || v >= OF15;
}

static void
put_buckets(struct printer *p, const struct group_mod *gm, enum of_version v)
{
    for (size_t i = 0; i < gm->n_buckets; i++) {
        put_bucket(p, &gm->buckets[i], gm->type, version_has_ids(v));
    }
}

void
print_group(struct printer *p, const struct group_mod *gm, enum of_version v)
{
    str_putf(p->s, "group_id=%u,type=%s", gm->group_id, group_type_name(gm->type));
    put_selection(p->s, &gm->props);
    put_buckets(p, gm, v);
}

void
print_group_desc(struct str *s, const struct group_mod *gm, const struct act_text *names)
{
    static const struct act_text none;
    struct printer p = { .s = s, .names = names ? names : &none };

    print_group(&p, gm, OF15);
}

static const char *
command_name(enum group_command command)
{
    switch (command) {
    case GROUP_ADD: return "ADD";
    case GROUP_MODIFY: return "MOD";
    case GROUP_DELETE: return "DEL";
    case GROUP_INSERT_BUCKET: return "INSERT_BUCKET";
    case GROUP_REMOVE_BUCKET: return "REMOVE_BUCKET";
    case GROUP_ADD_OR_MOD: return "ADD_OR_MOD";
    }
    return "";
}

enum ofperr
print_group_mod(struct printer *p, const struct msg *m)
{
    struct group_mod gm;
    enum ofperr error = group_mod_decode(m, &gm);
    bool buckets_only;

    if (error) {
        return error;
    }
    buckets_only = gm.command == GROUP_INSERT_BUCKET || gm.command == GROUP_REMOVE_BUCKET;
    str_putf(p->s, "\n %s ", command_name(gm.command));
    if (buckets_only && version_has_ids(m->version)) {
        put_bucket_id(p->s, "command_bucket_id:", gm.command_bucket_id);
        str_putc(p->s, ',');
    }
    if (buckets_only) {
        str_putf(p->s, "group_id=%u", gm.group_id);
        put_buckets(p, &gm, m->version);
    } else {
        print_group(p, &gm, m->version);
    }
    group_mod_uninit(&gm);
    return OFPERR_NONE;
}

enum ofperr
print_group_request(struct printer *p, const struct msg *m)
{
    uint32_t id;
    enum ofperr error = group_request_decode(m, &id);

    str_puts(p->s, " group_id=");
    if (id == GROUP_ALL) {
        str_puts(p->s, "ALL");
    } else if (id == GROUP_ANY) {
        str_puts(p->s, "ANY");
    } else {
        str_putf(p->s, "%u", id);
    }
    return error;
}

enum ofperr
print_group_desc_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;

    while (c.left) {
        struct group_mod gm;
        enum ofperr error = group_desc_take(&c, m->version, &gm);

        if (error) {
            return error;
        }
        str_puts(p->s, "\n ");
        print_group(p, &gm, m->version);
        group_mod_uninit(&gm);
    }
    return OFPERR_NONE;
}

static void
put_stats(struct str *s, const struct group_stats *gs)
{
    str_putf(s, "\n group_id=%u,", gs->group_id);
    if (gs->duration_sec != UINT32_MAX) {
        str_puts(s, "duration=");
        print_duration(s, gs->duration_sec, gs->duration_nsec);
        str_puts(s, "s,");
    }
    str_putf(s, "ref_count=%u,packet_count=%llu,byte_count=%llu", gs->ref_count, (unsigned long long) gs->n_packets,
             (unsigned long long) gs->n_bytes);
    for (size_t i = 0; i < gs->n_buckets; i++) {
        if (gs->buckets[i].n_packets != UINT64_MAX) {
            str_putf(s, ",bucket%zu:packet_count=%llu,byte_count=%llu", i,
                     (unsigned long long) gs->buckets[i].n_packets, (unsigned long long) gs->buckets[i].n_bytes);
        }
    }
}

enum ofperr
print_group_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;

    while (c.left) {
        struct group_stats gs;
        enum ofperr error = group_stats_take(&c, m->version, &gs);

        if (error) {
            return error;
        }
        put_stats(p->s, &gs);
        group_stats_uninit(&gs);
    }
    return OFPERR_NONE;
}

enum ofperr
print_group_features(struct printer *p, const struct msg *m)
{
    static const char *const titles[] = { "all", "select", "indirect", "fast failover" };
    struct group_features f;
    enum ofperr error = group_features_decode(m, &f);

    if (error) {
        return error;
    }
    str_putf(p->s, "\n Group table:\n    Types:  0x%x\n    Capabilities:  0x%x\n", f.types, f.capabilities);
    for (int i = 0; i < GROUP_N_TYPES; i++) {
        if (f.types & 1u << i) {
            str_putf(p->s, "    %s group:\n       max_groups=%#x\n       actions: ", titles[i], f.max_groups[i]);
            table_actions_put(p->s, f.actions[i]);
            str_putc(p->s, '\n');
        }
    }
    return OFPERR_NONE;
}
