#include "openflow/msg/table.h"

#include <string.h>

#include "openflow/print/private.h"

enum ofperr
print_table_mod(struct printer *p, const struct msg *m)
{
    static const char *const misses[] = {
        [TABLE_MISS_CONTROLLER] = "controller", [TABLE_MISS_CONTINUE] = "continue", [TABLE_MISS_DROP] = "drop"
    };
    struct table_mod tm;
    enum ofperr error = table_mod_decode(m, true, &tm);

    if (error) {
        return error;
    }
    if (tm.table_id == 255) {
        str_puts(p->s, " table_id: ALL_TABLES");
    } else {
        str_puts(p->s, " table_id=");
        print_table_id(p, tm.table_id);
    }
    if (tm.miss != TABLE_MISS_DEFAULT) {
        str_putf(p->s, ", flow_miss_config=%s", misses[tm.miss]);
    }
    if (tm.eviction >= 0) {
        /* Flags were never meant to come from a controller in the reference, which says so. */
        str_putf(p->s, ", eviction=%s",
                 tm.eviction_flags != UINT32_MAX ? "***error***" : tm.eviction ? "on" : "off");
    }
    if (tm.vacancy >= 0) {
        str_putf(p->s, ", vacancy=%s", tm.vacancy ? "on" : "off");
        if (tm.vacancy) {
            str_putf(p->s, " vacancy:%u,%u", tm.vacancy_down, tm.vacancy_up);
        }
    }
    return OFPERR_NONE;
}

static void
put_desc(struct printer *p, const struct table_desc *d)
{
    static const struct print_bit names[] = {
        { TABLE_EVICT_OTHER, "OTHER" }, { TABLE_EVICT_IMPORTANCE, "IMPORTANCE" }, { TABLE_EVICT_LIFETIME, "LIFETIME" },
    };

    str_puts(p->s, "\n  table ");
    print_table_id(p, d->table_id);
    str_putf(p->s, ":\n   eviction=%s eviction_flags=", d->eviction > 0 ? "on" : "off");
    if (d->eviction_flags == UINT32_MAX) {
        str_puts(p->s, "(default)");
    } else {
        print_bits(p->s, d->eviction_flags, names, ARRAY_SIZE(names), "|");
    }
    str_putf(p->s, "\n   vacancy=%s", d->vacancy > 0 ? "on" : "off");
    if (d->vacancy > 0) {
        str_putf(p->s, " vacancy_down=%u%% vacancy_up=%u%% vacancy=%u%%", d->vacancy_down, d->vacancy_up,
                 d->vacancy_now);
    }
    str_putc(p->s, '\n');
}

enum ofperr
print_table_status(struct printer *p, const struct msg *m)
{
    struct table_status ts;
    enum ofperr error = table_status_decode(m, &ts);

    if (!error) {
        str_putf(p->s, " reason=%s\ntable_desc:-",
                 ts.reason == TABLE_REASON_VACANCY_DOWN ? "VACANCY_DOWN" : "VACANCY_UP");
        put_desc(p, &ts.desc);
    }
    return error;
}

enum ofperr
print_table_desc_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;

    while (c.left) {
        struct table_desc d;
        enum ofperr error = table_desc_take(&c, m->version, &d);

        if (error) {
            return error;
        }
        put_desc(p, &d);
    }
    return OFPERR_NONE;
}

/* Features.  A table is compared with the one before: what is the same is not repeated. */

struct table_entry {
    bool valid, has_stats;
    struct table_stats stats;
    struct table_features features;
};

/* Tables that can be reached from one that is 'table' or later. */
static void
next_after(const struct table_instruction_features *t, uint8_t table, uint64_t next[4])
{
    memcpy(next, t->next, 4 * sizeof *next);
    for (unsigned int i = 0; i <= table; i++) {
        next[i / 64] &= ~(UINT64_C(1) << i % 64);
    }
}

static bool
same_next(const struct table_instruction_features *a, const struct table_instruction_features *b, uint8_t table)
{
    uint64_t na[4], nb[4];

    next_after(a, table, na);
    next_after(b, table, nb);
    return !memcmp(na, nb, sizeof na);
}

static bool
same_actions(const struct table_action_features *a, const struct table_action_features *b)
{
    return a->actions == b->actions && !memcmp(&a->set_fields, &b->set_fields, sizeof a->set_fields);
}

static bool
same_instruction_features(const struct table_instruction_features *a, const struct table_instruction_features *b,
                          uint8_t table)
{
    return a->instructions == b->instructions && same_next(a, b, table) && same_actions(&a->write, &b->write) &&
           same_actions(&a->apply, &b->apply);
}

static bool
same_instructions(const struct table_features *a, const struct table_features *b)
{
    return same_instruction_features(&a->nonmiss, &b->nonmiss, b->table_id) &&
           same_instruction_features(&a->miss_table, &b->miss_table, b->table_id);
}

static bool
same_matching(const struct table_features *a, const struct table_features *b)
{
    return !memcmp(&a->match, &b->match, sizeof a->match) && !memcmp(&a->mask, &b->mask, sizeof a->mask) &&
           !memcmp(&a->wildcard, &b->wildcard, sizeof a->wildcard);
}

static bool
same_features(const struct table_features *a, const struct table_features *b)
{
    return a->metadata_match == b->metadata_match && a->metadata_write == b->metadata_write && a->miss == b->miss &&
           a->eviction == b->eviction && a->vacancy == b->vacancy && a->max_entries == b->max_entries &&
           same_instructions(a, b) && same_matching(a, b);
}

static bool
same_stats(const struct table_stats *a, const struct table_stats *b)
{
    return a->n_active == b->n_active && a->n_lookups == b->n_lookups && a->n_matches == b->n_matches;
}

static bool
is_empty_set(const struct field_set *s)
{
    return is_all_zeros(s, sizeof *s);
}

static void
put_fields(struct str *s, const char *title, const struct field_set *set)
{
    if (!is_empty_set(set)) {
        str_puts(s, title);
        field_set_put(s, set);
        str_putc(s, '\n');
    }
}

static void
put_action_features(struct str *s, const char *title, const struct table_action_features *f)
{
    str_putf(s, "      %s features:\n", title);
    if (f->actions) {
        str_puts(s, "        actions: ");
        table_actions_put(s, f->actions);
        str_putc(s, '\n');
    }
    put_fields(s, "        supported on Set-Field: ", &f->set_fields);
}

/* "1-253", "2-3,7". */
static void
put_next(struct str *s, const uint64_t next[4])
{
    const char *separator = "";

    for (unsigned int i = 0; i < 256; i++) {
        unsigned int end = i;

        if (!(next[i / 64] >> i % 64 & 1)) {
            continue;
        }
        while (end + 1 < 256 && next[(end + 1) / 64] >> (end + 1) % 64 & 1) {
            end++;
        }
        str_putf(s, end > i ? "%s%u-%u" : "%s%u", separator, i, end);
        separator = ",";
        i = end;
    }
}

static void
put_instruction_names(struct str *s, uint32_t bits)
{
    static const struct print_bit names[] = {
        { TABLE_INST_METER, "meter" }, { TABLE_INST_APPLY_ACTIONS, "apply_actions" },
        { TABLE_INST_CLEAR_ACTIONS, "clear_actions" }, { TABLE_INST_WRITE_ACTIONS, "write_actions" },
        { TABLE_INST_WRITE_METADATA, "write_metadata" }, { TABLE_INST_GOTO_TABLE, "goto_table" },
    };

    print_bits(s, bits, names, ARRAY_SIZE(names), " ");
}

static void
put_instruction_features(struct str *s, const struct table_instruction_features *t,
                         const struct table_instruction_features *prev)
{
    if (!is_all_zeros(t->next, sizeof t->next)) {
        str_puts(s, "      next tables: ");
        put_next(s, t->next);
        str_putc(s, '\n');
    }
    if (prev && t->instructions == prev->instructions) {
        if (t->instructions) {
            str_puts(s, "      (same instructions)\n");
        }
    } else if (t->instructions) {
        str_puts(s, "      instructions: ");
        put_instruction_names(s, t->instructions);
        str_putc(s, '\n');
    }
    if (prev && same_actions(&t->write, &prev->write) && same_actions(&t->apply, &prev->apply) &&
        !(is_empty_set(&t->write.set_fields) && is_empty_set(&t->apply.set_fields))) {
        str_puts(s, "      (same actions)\n");
    } else if (same_actions(&t->write, &t->apply)) {
        put_action_features(s, "Write-Actions and Apply-Actions", &t->write);
    } else {
        put_action_features(s, "Write-Actions", &t->write);
        put_action_features(s, "Apply-Actions", &t->apply);
    }
}

static bool
has_instructions(const struct table_instruction_features *t)
{
    return !is_all_zeros(t, sizeof *t);
}

static void
put_instructions(struct str *s, const struct table_features *f, const struct table_features *prev)
{
    if (prev && same_instructions(prev, f)) {
        if (has_instructions(&f->nonmiss)) {
            str_puts(s, "    (same instructions)\n");
        }
        return;
    }
    if (!has_instructions(&f->nonmiss) && !has_instructions(&f->miss_table)) {
        return;
    }
    if (same_instruction_features(&f->nonmiss, &f->miss_table, 0)) {
        str_puts(s, "    instructions (table miss and others):\n");
        put_instruction_features(s, &f->nonmiss, prev ? &prev->nonmiss : NULL);
    } else {
        str_puts(s, "    instructions (other than table miss):\n");
        put_instruction_features(s, &f->nonmiss, prev ? &prev->nonmiss : NULL);
        str_puts(s, "    instructions (table miss):\n");
        put_instruction_features(s, &f->miss_table, prev ? &prev->miss_table : NULL);
    }
}

static void
put_matching(struct str *s, const struct table_features *f, const struct table_features *prev)
{
    struct field_set wild, exact;

    if (is_empty_set(&f->match)) {
        return;
    }
    if (prev && same_matching(prev, f)) {
        str_puts(s, "    (same matching)\n");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(wild.bits); i++) {
        wild.bits[i] = f->match.bits[i] & f->wildcard.bits[i] & ~f->mask.bits[i];
        exact.bits[i] = f->match.bits[i] & ~f->wildcard.bits[i] & ~f->mask.bits[i];
    }
    str_puts(s, "    matching:\n");
    put_fields(s, "      arbitrary mask: ", &f->mask);
    put_fields(s, "      exact match or wildcard: ", &wild);
    put_fields(s, "      must exact match: ", &exact);
}

static void
put_features(struct str *s, const struct table_features *f, const struct table_features *prev)
{
    static const char *const misses[] = { "", "controller", "continue", "drop" };

    if (f->metadata_match || f->metadata_write) {
        str_putf(s, "    metadata: match=%#llx write=%#llx\n", (unsigned long long) f->metadata_match,
                 (unsigned long long) f->metadata_write);
    }
    if (f->miss != TABLE_MISS_DEFAULT) {
        str_putf(s, "    config=%s\n", misses[f->miss]);
    }
    if (f->eviction >= 0) {
        str_putf(s, "    eviction: %ssupported\n", f->eviction ? "" : "not ");
    }
    if (f->vacancy >= 0) {
        str_putf(s, "    vacancy events: %ssupported\n", f->vacancy ? "" : "not ");
    }
    if (f->max_entries) {
        str_putf(s, "    max_entries=%u\n", f->max_entries);
    }
    put_instructions(s, f, prev);
    put_matching(s, f, prev);
}

/* Consecutive tables without a name that are as the one before are one line. */

static void
put_dittos(struct str *s, struct print_ditto *d)
{
    if (d->any) {
        str_putf(s, d->first == d->last ? "  table %u: ditto\n\n" : "  tables %u...%u: ditto\n\n", d->first, d->last);
        d->any = false;
    }
}

static void
put_title(struct printer *p, const struct table_features *f)
{
    str_putf(p->s, "  table %u", f->table_id);
    if (f->name[0]) {
        str_putf(p->s, " (\"%s\")", f->name);
    }
    str_putc(p->s, ':');
}

static void
put_table(struct printer *p, const struct table_entry *e, const struct table_entry *prev, struct print_ditto *ditto)
{
    bool same = prev->valid && same_features(&prev->features, &e->features);
    bool same_numbers = !e->has_stats || same_stats(&prev->stats, &e->stats);
    const struct table_features *f = &e->features;

    if (same && same_numbers && !f->name[0]) {
        ditto->first = ditto->any ? ditto->first : f->table_id;
        ditto->last = f->table_id;
        ditto->any = true;
        return;
    }
    put_dittos(p->s, ditto);
    if (f->has_command && f->command != TABLE_FEATURES_REPLACE) {
        static const char *const commands[] = { "replace", "modify", "enable", "disable" };

        str_putf(p->s, "  command: %s\n", commands[f->command]);
    }
    put_title(p, f);
    if (same && same_numbers) {
        str_puts(p->s, " ditto\n");
        return;
    }
    str_putc(p->s, '\n');
    if (e->has_stats) {
        str_putf(p->s, "    active=%u, lookup=%llu, matched=%llu\n", e->stats.n_active,
                 (unsigned long long) e->stats.n_lookups, (unsigned long long) e->stats.n_matches);
    }
    if (same && f->any_properties) {
        str_puts(p->s, "    (same features)\n");
    } else {
        put_features(p->s, f, prev->valid ? &prev->features : NULL);
    }
    str_putc(p->s, '\n');
}

/* What comes after the last table is no blank line. */
static void
end_tables(struct str *s, struct print_ditto *d)
{
    put_dittos(s, d);
    if (s->len > 1 && s->text[s->len - 1] == '\n' && s->text[s->len - 2] == '\n') {
        str_truncate(s, s->len - 1);
    }
}

enum ofperr
print_table_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;
    struct table_entry e = { .has_stats = true }, prev = { .valid = false };
    struct print_ditto ditto = { false, 0, 0 };
    enum ofperr error = OFPERR_NONE;

    str_putc(p->s, '\n');
    while (c.left && !error) {
        error = table_stats_take(&c, m->version, &e.stats, &e.features);
        if (!error) {
            put_table(p, &e, &prev, &ditto);
            prev = e;
            prev.valid = true;
        }
    }
    end_tables(p->s, &ditto);
    return error;
}

void
print_tables_add(struct str *s, struct print_tables *t, const struct table_features *f)
{
    struct table_entry e = { .valid = true, .features = *f }, prev = { .valid = t->any, .features = t->prev };
    struct printer p = { .s = s };

    put_table(&p, &e, &prev, &t->ditto);
    t->prev = *f;
    t->any = true;
}

void
print_tables_end(struct str *s, struct print_tables *t)
{
    put_dittos(s, &t->ditto);
}

enum ofperr
print_table_features(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;
    struct table_entry e = { .has_stats = false }, prev = { .valid = false };
    struct print_ditto ditto = { false, 0, 0 };
    enum ofperr error = OFPERR_NONE;

    while (c.left && !error) {
        error = table_features_take(&c, m->version, true, &e.features, p->why);
        if (!error) {
            str_puts(p->s, prev.valid ? "" : "\n");
            put_table(p, &e, &prev, &ditto);
            prev = e;
            prev.valid = true;
        }
    }
    end_tables(p->s, &ditto);
    return error;
}
