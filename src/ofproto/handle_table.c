/* Requests about flow tables: what they are, what they can do, what they do when they are full. */
#include <limits.h>
#include <stdlib.h>

#include "ofproto/credits.h"
#include "ofproto/evict.h"
#include "ofproto/ofconn.h"
#include "ofproto/vacancy.h"
#include "openflow/msg/table.h"

#define HIDDEN_TABLE 254 /* The switch's own: there, but not for controllers. */

/* The database's name before OpenFlow's; null if it has none. */
static const char *
table_name(const struct ofproto *p, unsigned int id)
{
    return p->tables[id].name ? p->tables[id].name : p->tables[id].of_name;
}

/* What every table can do: anything. */
static void
describe_fields(struct table_features *f)
{
    for (const struct field *field = fields; field < fields + FIELD_N; field++) {
        field_set_add(&f->match, field->id);
        field_set_add(&f->wildcard, field->id);
        if (field->maskable) {
            field_set_add(&f->mask, field->id);
        }
        if (field->writable) {
            field_set_add(&f->nonmiss.apply.set_fields, field->id);
        }
    }
}

static void
describe_table(const struct ofproto *p, enum of_version v, unsigned int id, struct table_features *f)
{
    memset(f, 0, sizeof *f);
    f->table_id = id;
    if (table_name(p, id)) {
        str_copy_cut(f->name, table_name(p, id), sizeof f->name);
    }
    f->metadata_match = f->metadata_write = UINT64_MAX;
    f->max_entries = p->tables[id].max_flows == UINT_MAX ? 1000000 : p->tables[id].max_flows;
    f->miss = atomic_load(&p->xb.table_miss[id]);
    f->eviction = f->vacancy = -1;
    f->any_properties = true;
    describe_fields(f);
    f->nonmiss.instructions = TABLE_INST_WRITE_METADATA | TABLE_INST_WRITE_ACTIONS | TABLE_INST_APPLY_ACTIONS |
                              TABLE_INST_CLEAR_ACTIONS | (id < 253 ? TABLE_INST_GOTO_TABLE : 0) |
                              (v < OF15 ? TABLE_INST_METER : 0); /* An action from 1.5 on. */
    for (unsigned int next = id + 1; next < 254; next++) {
        f->nonmiss.next[next / 64] |= UINT64_C(1) << next % 64;
    }
    f->nonmiss.apply.actions = (1u << TABLE_ACTION_N) - 1;
    f->nonmiss.write = f->nonmiss.apply;
    f->miss_table = f->nonmiss;
}

enum ofperr
handle_table_stats(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct ofproto *p = c->ofproto;
    struct msg_parts parts;

    credits_settle();
    msg_parts_begin(&parts, out, MSG_TABLE_REPLY, m);
    for (unsigned int i = 0; i < 254; i++) {
        uint64_t n_matches = atomic_load(&p->xb.table_matches[i]);
        struct table_stats ts = {
            .table_id = i, .n_active = p->tables[i].n_flows, .n_matches = n_matches,
            .n_lookups = n_matches + atomic_load(&p->xb.table_misses[i]),
        };
        struct table_features f;
        size_t entry = out->len;

        describe_table(p, m->version, i, &f);
        table_stats_put(out, m->version, &ts, &f);
        msg_parts_entry(&parts, entry);
    }
    msg_parts_end(&parts);
    return OFPERR_NONE;
}

/* Whether 'f' asks for nothing but what the table is, apart from its name. */
static bool
is_only_renamed(const struct ofproto *p, enum of_version v, const struct table_features *f)
{
    struct table_features is, wanted = *f;

    describe_table(p, v, f->table_id, &is);
    return wanted.metadata_match == is.metadata_match && wanted.metadata_write == is.metadata_write &&
           (!wanted.max_entries || wanted.max_entries == is.max_entries) &&
           (!wanted.has_command || wanted.command == TABLE_FEATURES_REPLACE ||
            wanted.command == TABLE_FEATURES_MODIFY);
}

/* Whether every table is well described, and once. */
static enum ofperr
check_features(const struct msg *m, uint64_t seen[4])
{
    struct cursor body = m->body;

    while (body.left) {
        struct table_features f;
        enum ofperr error = table_features_take(&body, m->version, false, &f, NULL);
        uint64_t bit = UINT64_C(1) << f.table_id % 64;

        if (error) {
            return error;
        }
        if (seen[f.table_id / 64] & bit) {
            return OFPERR_NXTFFC_DUP_TABLE;
        }
        seen[f.table_id / 64] |= bit;
    }
    return OFPERR_NONE;
}

/* A name that comes from the database stays; none at all leaves it, too. */
static bool
may_be_renamed(const struct table_state *t, const char *name)
{
    const size_t most = sizeof((struct table_features *) NULL)->name - 1;

    return !name[0] || !t->name || !t->name[0] || !strncmp(t->name, name, most);
}

/* Names are all that can be changed. */
static enum ofperr
change_features(struct ofconn *c, const struct msg *m)
{
    struct ofproto *p = c->ofproto;
    struct cursor body = m->body;

    while (body.left) {
        struct table_features f;
        enum ofperr error = table_features_take(&body, m->version, false, &f, NULL);

        if (error) {
            return error;
        }
        if (f.table_id == HIDDEN_TABLE || !is_only_renamed(p, m->version, &f) ||
            !may_be_renamed(&p->tables[f.table_id], f.name)) {
            return OFPERR_OFPTFFC_EPERM;
        }
        free(p->tables[f.table_id].of_name);
        p->tables[f.table_id].of_name = f.name[0] ? xstrdup(f.name) : NULL;
    }
    return OFPERR_NONE;
}

/* Of all parts; each was decoded before. */
static enum ofperr
change_features_of_all_parts(struct ofconn *c, const struct msg *m)
{
    const struct assembly *a = c->assembler.done;
    enum ofperr error = OFPERR_NONE;
    uint64_t seen[4] = { 0 };
    struct msg part;

    if (!a) {
        error = check_features(m, seen);
        return error ? error : change_features(c, m);
    }
    for (size_t i = 0; i < a->n && !error; i++) {
        error = msg_decode(a->parts[i].data, a->parts[i].len, &part);
        error = error ? error : check_features(&part, seen);
    }
    for (size_t i = 0; i < a->n && !error; i++) {
        error = msg_decode(a->parts[i].data, a->parts[i].len, &part);
        error = error ? error : change_features(c, &part);
    }
    return error;
}

enum ofperr
handle_table_features(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    enum ofperr error = change_features_of_all_parts(c, m);
    struct msg_parts parts;

    if (error) {
        return error;
    }
    msg_parts_begin(&parts, out, MSG_TABLE_FEATURES_REPLY, m);
    for (unsigned int i = 0; i < 254; i++) {
        struct table_features f;
        size_t entry = out->len;

        describe_table(c->ofproto, m->version, i, &f);
        table_features_put(out, m->version, &f);
        msg_parts_entry(&parts, entry);
    }
    msg_parts_end(&parts);
    return OFPERR_NONE;
}

enum ofperr
handle_table_desc(struct ofconn *c, const struct msg *m, struct bytes *out)
{
    struct msg_parts parts;

    msg_parts_begin(&parts, out, MSG_TABLE_DESC_REPLY, m);
    for (unsigned int i = 0; i < 254; i++) {
        size_t entry = out->len;
        struct table_desc d;

        vacancy_describe(c->ofproto, i, &d);
        table_desc_put(out, m->version, &d);
        msg_parts_entry(&parts, entry);
    }
    msg_parts_end(&parts);
    return OFPERR_NONE;
}

static void
modify_table(struct ofproto *p, enum of_version v, unsigned int id, const struct table_mod *tm)
{
    struct table_state *t = &p->tables[id];

    if (v <= OF12) {
        atomic_store(&p->xb.table_miss[id], tm->miss);
    }
    if (tm->eviction >= 0) {
        pthread_mutex_lock(&p->tables_mutex);
        t->of_evict = tm->eviction;
        evict_settings_changed(t);
        pthread_mutex_unlock(&p->tables_mutex);
    }
    if (tm->vacancy >= 0) {
        vacancy_configure(p, id, tm->vacancy, tm->vacancy_down, tm->vacancy_up);
    }
}

enum ofperr
handle_table_mod(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct ofproto *p = c->ofproto;
    struct table_mod tm;
    enum ofperr error = table_mod_decode(m, false, &tm);

    if (error) {
        return error;
    }
    if (tm.table_id == HIDDEN_TABLE) {
        return OFPERR_OFPTMFC_EPERM;
    }
    for (unsigned int i = tm.table_id == 255 ? 0 : tm.table_id; i <= (tm.table_id == 255 ? 253u : tm.table_id); i++) {
        modify_table(p, m->version, i, &tm);
    }
    backer_changed(p->backer);
    return OFPERR_NONE;
}
