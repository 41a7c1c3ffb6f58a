/* replace-flows and diff-flows: comparing the flows of switches and files.
 *
 * Flows are kept by what makes them the same one: table, priority and match.  Each has up to two versions, one from
 * each
 * source. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/hmap.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "flow/match_text.h"

/* What may differ between two versions of a flow. */
struct version {
    uint64_t cookie;
    uint16_t idle_timeout, hard_timeout, importance, flags;
    struct act_span actions; /* Owned. */
};

struct entry {
    struct hmap_node node;
    size_t order; /* Of appearance. */
    uint8_t table_id;
    uint16_t priority;
    struct word_map words;
    uint64_t *values; /* Mask and value of each word; owned. */
    struct version *versions[2];
};

struct table_set {
    struct hmap entries;
    size_t n;
    unsigned int usable; /* PROTO_* that can say all of the file's flows. */
};

static void
free_version(struct version *v)
{
    if (v) {
        free((void *) v->actions.first);
        free(v);
    }
}

static void
table_set_uninit(struct table_set *ts)
{
    HMAP_FOR_EACH_SAFE (e, struct entry, node, &ts->entries) {
        hmap_remove(&ts->entries, &e->node);
        free_version(e->versions[0]);
        free_version(e->versions[1]);
        free(e->values);
        free(e);
    }
    hmap_uninit(&ts->entries);
}

static size_t
values_size(const struct word_map *words)
{
    return 2 * word_map_count(words) * sizeof(uint64_t);
}

static uint32_t
hash_entry(uint8_t table, uint16_t priority, const uint64_t *values, size_t size)
{
    return hash_bytes(values, size, (uint32_t) table << 16 | priority);
}

static struct entry *
find_or_add(struct table_set *ts, uint8_t table, uint16_t priority, const struct match *m)
{
    struct word_map words = word_map_of(&m->mask);
    size_t size = values_size(&words), n = 0;
    uint64_t *values = xmalloc(MAX(size, 1));
    struct entry *e;
    uint32_t hash;

    WORD_MAP_FOR_EACH (i, &words) {
        values[n++] = flow_word(&m->mask, i);
        values[n++] = flow_word(&m->flow, i);
    }
    hash = hash_entry(table, priority, values, size);
    HMAP_FOR_EACH_WITH_HASH (old, struct entry, node, hash, &ts->entries) {
        if (old->table_id == table && old->priority == priority && word_map_equal(&old->words, &words) &&
            !memcmp(old->values, values, size)) {
            free(values);
            return old;
        }
    }
    e = xzalloc(sizeof *e);
    e->order = ts->n++;
    e->table_id = table;
    e->priority = priority;
    e->words = words;
    e->values = values;
    hmap_insert(&ts->entries, &e->node, hash);
    return e;
}

static void
entry_match(const struct entry *e, struct match *m)
{
    size_t n = 0;

    match_init_catchall(m);
    WORD_MAP_FOR_EACH (i, &e->words) {
        *flow_word_ptr(&m->mask, i) = e->values[n++];
        *flow_word_ptr(&m->flow, i) = e->values[n++];
    }
}

static void
set_version(struct entry *e, int index, struct version v)
{
    free_version(e->versions[index]);
    e->versions[index] = xmemdup(&v, sizeof v);
}

/* Reading. */

static void
read_file(struct table_set *ts, const char *file, const char *switch_name, int index)
{
    size_t len;
    char *text = ofctl_read_file(file, "open", &len), *line;
    struct line_iter it = { text, text + len, 0 };

    while ((line = ofctl_next_line(&it))) {
        struct flow_mod fm;
        unsigned int protocols;
        struct error *error = flow_mod_parse(&fm, line, FM_ADD,
                                             switch_name ? ofctl_names_to_accept(switch_name) : NULL, &protocols);
        struct entry *e;

        if (error) {
            cmdline_fatal(0, "%s:%d: %s", file, it.number, error_text(error));
        }
        ts->usable &= protocols;
        e = find_or_add(ts, fm.table_id == FM_TABLE_ANY ? 0 : fm.table_id, fm.priority, &fm.match);
        set_version(e, index, (struct version) { fm.new_cookie, fm.idle_timeout, fm.hard_timeout, fm.importance,
                                                 fm.flags, act_span_clone(fm.actions) });
        flow_mod_uninit(&fm);
    }
    free(text);
}

static void
take_flows(struct table_set *ts, const struct msg *m, int index)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct cursor c = m->body;

    while (c.left) {
        struct flow_stats fs;
        enum ofperr error = flow_stats_take(&c, m, &fs, &acts);

        if (error) {
            cmdline_fatal(0, "parse error in reply (%s)", ofperr_name(error));
        }
        /* Which counters are kept is no property of the flow here: dumps say it in some versions only. */
        set_version(find_or_add(ts, fs.table_id, fs.priority, &fs.match), index,
                    (struct version) { fs.cookie, fs.idle_timeout, fs.hard_timeout, fs.importance, 0,
                                       act_span_clone(fs.actions) });
    }
    act_buf_uninit(&acts);
}

static void
read_switch(struct table_set *ts, struct of_client *c, unsigned int protocol, int index)
{
    struct flow_request r = { .out_port = OFPP_NONE, .out_group = FM_GROUP_ANY, .table_id = 255 };
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    uint32_t xid = msg_new_xid();
    struct msg m;

    flow_request_encode(&b, protocol, xid, &r);
    ofctl_send(c, &b);
    do {
        ofctl_recv_xid(c, xid, &reply);
        if (msg_decode(reply.data, reply.len, &m) || m.type != MSG_FLOW_REPLY) {
            ofctl_print(stderr, reply.data, reply.len, NULL);
            exit(EXIT_FAILURE);
        }
        take_flows(ts, &m, index);
    } while (m.stat_flags & MSG_STAT_MORE);
    bytes_uninit(&reply);
}

static bool
same_version(const struct version *a, const struct version *b)
{
    return a->cookie == b->cookie && a->idle_timeout == b->idle_timeout && a->hard_timeout == b->hard_timeout &&
           a->importance == b->importance && act_span_equal(a->actions, b->actions);
}

/* By falling priority within a table, then in the order of appearance. */
static int
compare_entries(const void *a_, const void *b_)
{
    const struct entry *a = *(struct entry *const *) a_, *b = *(struct entry *const *) b_;

    if (a->table_id != b->table_id) {
        return a->table_id < b->table_id ? -1 : 1;
    }
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static struct entry **
sorted(const struct table_set *ts)
{
    struct entry **entries = xcalloc(MAX(ts->n, 1), sizeof *entries);
    size_t n = 0;

    HMAP_FOR_EACH (e, struct entry, node, &ts->entries) {
        entries[n++] = e;
    }
    if (n) {
        qsort(entries, n, sizeof *entries, compare_entries);
    }
    return entries;
}

/* replace-flows. */

static void
put_flow_mod(struct bytes *b, unsigned int protocol, const struct entry *e, const struct version *v,
             enum flow_mod_command command)
{
    struct flow_mod fm;

    flow_mod_init(&fm);
    entry_match(e, &fm.match);
    fm.command = command;
    fm.table_id = e->table_id;
    fm.priority = e->priority;
    fm.new_cookie = command == FM_ADD ? v->cookie : UINT64_MAX;
    fm.idle_timeout = v->idle_timeout;
    fm.hard_timeout = v->hard_timeout;
    fm.importance = v->importance;
    fm.flags = v->flags;
    if (command == FM_ADD) {
        fm.actions = v->actions;
    }
    if (!flow_mod_encode(b, protocol, msg_new_xid(), &fm)) {
        cmdline_fatal(0, "flow is too long for one message");
    }
}

enum { FILE_IDX, SWITCH_IDX };

static void
put_changes(struct bytes *b, unsigned int protocol, struct entry **entries, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (entries[i]->versions[SWITCH_IDX] && !entries[i]->versions[FILE_IDX]) {
            put_flow_mod(b, protocol, entries[i], entries[i]->versions[SWITCH_IDX], FM_DELETE_STRICT);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct version *file = entries[i]->versions[FILE_IDX], *sw = entries[i]->versions[SWITCH_IDX];

        if (file && (!sw || ofctl_options.readd || !same_version(file, sw))) {
            put_flow_mod(b, protocol, entries[i], file, FM_ADD);
        }
    }
}

void
ofctl_replace_flows(struct cmdline_ctx *ctx)
{
    struct table_set ts = { .entries = HMAP_INIT(&ts.entries), .usable = PROTO_ANY };
    struct bytes b = BYTES_INIT;
    struct entry **entries;
    unsigned int protocol, with_tables;
    struct of_client *c;

    if (ofctl_options.bundle) {
        ofctl_require_bundles();
    }
    read_file(&ts, ctx->argv[2], ctx->argv[1], FILE_IDX);
    /* The switch's own flows can be anywhere and of any kind. */
    with_tables = ts.usable & (PROTO_NXM_TID | PROTO_OF11_UP) & ofctl_options.protocols;
    c = ofctl_open_for_flows(ctx->argv[1], with_tables ? with_tables : ts.usable, &protocol);
    read_switch(&ts, c, protocol, SWITCH_IDX);
    entries = sorted(&ts);
    put_changes(&b, protocol, entries, ts.n);
    if (ofctl_options.bundle) {
        ofctl_run_bundle(c, &b);
        bytes_uninit(&b);
    } else {
        ofctl_must_transact_noreply(c, &b);
    }
    free(entries);
    table_set_uninit(&ts);
    of_client_close(c);
}

/* diff-flows. */

static bool
is_file(const char *source)
{
    struct stat st;

    if (source[0] == '/' || source[0] == '.') {
        return true;
    }
    return !strchr(source, ':') && !stat(source, &st);
}

static void
read_source(struct table_set *ts, const char *source, int index)
{
    unsigned int protocol;
    struct of_client *c;

    if (is_file(source)) {
        read_file(ts, source, NULL, index);
        return;
    }
    c = ofctl_open_for_dump(source, PROTO_ANY, &protocol);
    read_switch(ts, c, protocol, index);
    of_client_close(c);
}

static void
print_version(const struct entry *e, const struct version *v, char sign, const struct act_text *names)
{
    struct str s = STR_INIT;
    struct match m;

    str_putc(&s, sign);
    if (e->table_id) {
        str_puts(&s, "table=");
        of_table_put(&s, e->table_id, names->tables);
        str_putc(&s, ' ');
    }
    entry_match(e, &m);
    match_format(&s, &m, names->ports, e->priority);
    str_putc(&s, ' ');
    if (v->cookie) {
        str_putf(&s, "cookie=0x%llx ", (unsigned long long) v->cookie);
    }
    if (v->idle_timeout) {
        str_putf(&s, "idle_timeout=%u ", v->idle_timeout);
    }
    if (v->hard_timeout) {
        str_putf(&s, "hard_timeout=%u ", v->hard_timeout);
    }
    if (v->importance) {
        str_putf(&s, "importance=%u ", v->importance);
    }
    str_puts(&s, "actions=");
    act_format(&s, v->actions, names);
    puts(str_text(&s));
    str_uninit(&s);
}

void
ofctl_diff_flows(struct cmdline_ctx *ctx)
{
    struct table_set ts = { .entries = HMAP_INIT(&ts.entries), .usable = PROTO_ANY };
    const char *switch_name = !is_file(ctx->argv[1]) ? ctx->argv[1] : !is_file(ctx->argv[2]) ? ctx->argv[2] : NULL;
    static const struct act_text no_names = { NULL, NULL };
    const struct act_text *names;
    struct entry **entries;
    bool differ = false;

    read_source(&ts, ctx->argv[1], 0);
    read_source(&ts, ctx->argv[2], 1);
    names = switch_name ? ofctl_names_to_show(switch_name) : &no_names;
    entries = sorted(&ts);
    for (size_t i = 0; i < ts.n; i++) {
        const struct version *a = entries[i]->versions[0], *b = entries[i]->versions[1];

        if (a && b && same_version(a, b)) {
            continue;
        }
        differ = true;
        if (a) {
            print_version(entries[i], a, '-', names);
        }
        if (b) {
            print_version(entries[i], b, '+', names);
        }
    }
    free(entries);
    table_set_uninit(&ts);
    if (differ) {
        exit(2);
    }
}
