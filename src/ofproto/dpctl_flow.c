/* Megaflows by hand: dumps, and changes (it leaves flows that are not its own alone). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "flow/exact_text.h"
#include "netdev/netdev.h"
#include "ofproto/dpctl.h"

enum file_verb { VERB_ADD, VERB_MODIFY, VERB_DELETE };

static void
put_flow_stats(struct str *s, const struct dp_flow_stats *st)
{
    str_putf(s, "packets:%llu, bytes:%llu, used:", (unsigned long long) st->n_packets,
             (unsigned long long) st->n_bytes);
    if (st->used) {
        str_putf(s, "%.3fs", (clock_now_ms() - st->used) / 1000.0);
    } else {
        str_puts(s, "never");
    }
    if (st->tcp_flags) {
        static const char letters[] = "FSRP.UEC";

        str_puts(s, ", flags:");
        for (int i = 0; i < 8; i++) {
            if (st->tcp_flags >> i & 1) {
                str_putc(s, letters[i]);
            }
        }
    }
}

static enum dp_offloaded
offloaded_of(const struct datapath *dp, const struct dp_flow *f)
{
    return dp->class->flow_offloaded ? dp->class->flow_offloaded(f) : DP_NOT_OFFLOADED;
}

static void
put_offload(struct str *s, const struct dpctl *d, enum dp_offloaded offloaded, bool of_bridge)
{
    if (d->more && !of_bridge) {
        str_puts(s, offloaded == DP_OFFLOADED ? ", offloaded:yes, dp:dpdk"
                    : offloaded == DP_PARTLY_OFFLOADED ? ", offloaded:partial, dp:ovs" : ", dp:ovs");
    }
}

static void
put_flow(struct str *s, const struct dpctl *d, struct datapath *dp, const struct dp_flow *f,
         const struct dp_names *names, bool of_bridge)
{
    struct dp_flow_stats st;
    struct flow key, mask;
    const void *actions;
    size_t len;

    dp->class->flow_get(f, &key, &mask, &st);
    if (d->more) {
        struct uuid ufid;

        dp->class->flow_ufid(f, &ufid);
        odp_ufid_format(s, &ufid);
        str_puts(s, of_bridge ? " " : ", ");
    }
    odp_flow_format(s, &key, &mask, names ? &names->names : NULL, d->more);
    str_puts(s, ", ");
    put_flow_stats(s, &st);
    put_offload(s, d, offloaded_of(dp, f), of_bridge);
    str_puts(s, ", actions:");
    actions = dp->class->flow_actions(f, &len);
    odp_actions_format(s, actions, len, names ? &names->names : NULL);
    str_putc(s, '\n');
}

/* Dumps. */

enum { FLOWS_A_STEP = 32 };

struct dump {
    struct ctl_job job;
    struct dpctl *d;               /* Owned. */
    struct datapath *dp;           /* The job's 'on'. */
    struct dp_flow_position at;
    struct str *out;               /* Of the step. */
    bool with_names;               /* Else numbers. */
    struct dp_names names;
    const struct ofproto *bridge;  /* Only flows of this bridge, while it is there; null: all. */
    bool has_filter, with_title;
    unsigned int types;            /* 1 << enum dp_offloaded of those to show. */
    struct match filter;
    size_t n;
};

static bool
is_of_bridge(const struct ofproto *bridge, const struct flow *key)
{
    const struct xport *in = xdp_port_rcu(&bridge->backer->xdp, ODP_PORT(be32_to_cpu(key->in_port)));

    return in && in->bridge->ofproto == bridge;
}

static void
dump_one(void *dump_, struct dp_flow *f)
{
    struct dump *dump = dump_;
    struct dp_flow_stats st;
    struct flow key, mask;

    if (!(dump->types >> offloaded_of(dump->dp, f) & 1)) {
        return;
    }
    dump->dp->class->flow_get(f, &key, &mask, &st);
    if (dump->bridge && !is_of_bridge(dump->bridge, &key)) {
        return;
    }
    if (dump->has_filter) {
        struct flow both;

        flow_mask(&both, &dump->filter.mask, &mask); /* What the megaflow does not look at may be anything. */
        if (!flow_equal_masked(&key, &dump->filter.flow, &both)) {
            return;
        }
    }
    if (!dump->n++ && dump->with_title) {
        str_puts(dump->out, "flow-dump from the main thread:\n");
    }
    put_flow(dump->out, dump->d, dump->dp, f, dump->with_names ? &dump->names : NULL, dump->bridge != NULL);
}

static bool
step_dump(struct ctl_job *job, struct str *out)
{
    struct dump *dump = CONTAINER_OF(job, struct dump, job);

    dump->out = out;
    return dump->dp->class->flow_walk(dump->dp, &dump->at, FLOWS_A_STEP, dump_one, dump);
}

static void
destroy_dump(struct ctl_job *job)
{
    struct dump *dump = CONTAINER_OF(job, struct dump, job);

    dpctl_free(dump->d);
    free(dump);
}

/* A dump of 'dp'; the command is answered by it. */
static void
start_dump(struct dpctl *d, const struct dump *what)
{
    static const struct ctl_job_ops ops = { step_dump, destroy_dump };
    struct dump *dump = xzalloc_cacheline(sizeof *dump);

    *dump = *what;
    dump->job = (struct ctl_job) { .ops = &ops, .on = what->bridge ? (const void *) what->bridge : what->dp };
    dump->with_names = dpctl_shows_names(d);
    dump->names = dp_names_of(dump->dp);
    d->job = &dump->job;
}

enum { NOT_OFFLOADED = 1 << DP_NOT_OFFLOADED, PARTLY_OFFLOADED = 1 << DP_PARTLY_OFFLOADED,
       OFFLOADED = 1 << DP_OFFLOADED, ALL_TYPES = NOT_OFFLOADED | PARTLY_OFFLOADED | OFFLOADED };

/* "type=": which flows, by where they run.  No word at all is no flow. */
static bool
parse_types(struct dpctl *d, const char *text, unsigned int *types)
{
    static const struct { const char *word; unsigned int types; } known[] = {
        { "ovs", NOT_OFFLOADED | PARTLY_OFFLOADED }, { "tc", 0 }, { "dpdk", OFFLOADED }, { "offloaded", OFFLOADED },
        { "non-offloaded", NOT_OFFLOADED }, { "partially-offloaded", PARTLY_OFFLOADED }, { "all", ALL_TYPES },
    };

    *types = 0;
    for (const char *word = text; *word;) {
        size_t n = strcspn(word, ","), i = 0;

        while (i < ARRAY_SIZE(known) && (strlen(known[i].word) != n || memcmp(known[i].word, word, n))) {
            i++;
        }
        if (i == ARRAY_SIZE(known)) {
            dpctl_fail(d, -EINVAL, "Failed to parse type (%.*s)", (int) n, word);
            return false;
        }
        *types |= known[i].types;
        word += n + (word[n] == ',');
    }
    return true;
}

/* Ports of a filter are the datapath's. */
struct filter_names {
    struct port_names names;
    struct dp_names dp_names;
};

static bool
find_for_filter(const struct port_names *n, const char *name, ofp_port *port)
{
    struct filter_names *f = CONTAINER_OF(n, struct filter_names, names);
    odp_port odp;

    if (!f->dp_names.names.find(&f->dp_names.names, name, &odp)) {
        return false;
    }
    *port = OFP_PORT(odp.n);
    return true;
}

static bool
parse_filter(struct dump *dump, const char *text)
{
    struct filter_names names = { { NULL, find_for_filter }, dp_names_of(dump->dp) };
    struct error *error = exact_match_parse(text, &names.names, &dump->filter);

    dump->has_filter = true;
    if (error) {
        dpctl_fail(dump->d, 0, "Failed to parse filter (%s: %s)", text, error_text(error));
        error_free(error);
    }
    return !error;
}

/* "pmd=": the flows of one worker; all are everybody's, as those of the main thread (-1) are there. */
static bool
parse_pmd(struct dpctl *d, const char *text, bool *any)
{
    int pmd;

    if (!strcmp(text, "-1")) {
        return true;
    }
    if (!num_parse_int(text, 10, &pmd)) {
        dpctl_fail(d, -EINVAL, "pmd=%s is no number of a thread", text);
        return false;
    }
    *any = false;
    return true;
}

/* Takes the last argument if it is "NAME=.." and there was none of them yet. */
static bool
take_named(struct dpctl *d, const char *name, const char **value)
{
    const char *last = d->argc ? d->argv[d->argc - 1] : "";
    size_t n = strlen(name);

    if (*value || strncmp(last, name, n)) {
        return false;
    }
    *value = last + n;
    d->argc--;
    return true;
}

/* As in the reference: a single word before "filter=" and the others is the datapath; of several the first may be one,
 * and nobody looks at the rest. */
static bool
find_dp_to_dump(struct dpctl *d)
{
    struct dpctl_dp dp;

    return dpctl_find_dp(d, d->argc > 1 && !dpctl_dp_by_name(d->argv[0], &dp) ? d->argc : 0);
}

void
dpctl_run_dump_flows(struct dpctl *d)
{
    const char *filter = NULL, *types = NULL, *pmd = NULL;
    struct dump dump = { .d = d, .types = ALL_TYPES };
    bool any = true;

    while (take_named(d, "filter=", &filter) || take_named(d, "type=", &types) || take_named(d, "pmd=", &pmd)) {
    }
    if ((pmd && !parse_pmd(d, pmd, &any)) || !find_dp_to_dump(d)) {
        return;
    }
    dump.dp = d->dp;
    dump.with_title = !pmd;
    if ((filter && !parse_filter(&dump, filter)) || (types && !parse_types(d, types, &dump.types))) {
        return;
    }
    if (any && dump.types) {
        start_dump(d, &dump);
    }
}

void
dpctl_dump_bridge(struct dpctl *d, const struct ofproto *bridge)
{
    start_dump(d, &(struct dump) { .d = d, .dp = bridge->backer->xdp.dp, .bridge = bridge, .types = ALL_TYPES });
}

/* Changes. */

/* Takes a flow's name off the text, if it begins with one; else 'ufid' is zero.  False, with the error said, if it is
 * none. */
static bool
take_ufid(struct dpctl *d, const char **text, struct uuid *ufid)
{
    *ufid = (struct uuid) { 0 };
    if (!strncmp(*text, "ufid:", 5) && !odp_ufid_parse(text, ufid)) {
        dpctl_fail(d, -EINVAL, "parsing flow ufid");
        return false;
    }
    return true;
}

static struct error *
parse_key(struct dpctl *d, const char *text, struct flow *key, struct flow *mask)
{
    struct dp_names names = dp_names_of(d->dp);

    return odp_flow_parse(text, &names.names, key, mask);
}

/* Installs or changes a flow; with --clear the counters of a flow that is there begin anew. */
static int
put_flow_by_hand(struct dpctl *d, const struct flow *key, const struct flow *mask, const struct bytes *actions,
                 const struct uuid *ufid, enum file_verb verb, struct dp_flow_stats *stats)
{
    struct datapath *dp = d->dp;
    struct dp_flow *f = dp->class->flow_lookup(dp, key);
    bool create = verb == VERB_ADD || d->may_create;
    int error;

    if (f && verb == VERB_MODIFY && d->clear) {
        dp->class->flow_del(dp, f, stats);
        stats = NULL;
        create = true;
    }
    error = dp->class->flow_put(dp, key, mask, actions->data, actions->len, NULL, create, verb == VERB_MODIFY, stats);
    f = error || uuid_is_zero(ufid) ? NULL : dp->class->flow_lookup(dp, key);
    if (f) {
        dp->class->flow_set_ufid(dp, f, ufid);
    }
    return error;
}

static void
put_by_hand(struct dpctl *d, const char *text, const char *actions_text, enum file_verb verb)
{
    struct dp_names names = dp_names_of(d->dp);
    struct dp_flow_stats stats = { 0 };
    struct bytes actions = BYTES_INIT;
    struct flow key, mask;
    struct error *bad;
    struct uuid ufid;
    int error;

    if (!take_ufid(d, &text, &ufid)) {
        return;
    }
    bad = parse_key(d, text, &key, &mask);
    if (bad) {
        dpctl_fail(d, -EINVAL, "parsing flow key (%s)", error_text(bad));
        error_free(bad);
        return;
    }
    bad = odp_actions_parse(actions_text, &names.names, &actions);
    if (bad) {
        dpctl_fail(d, -EINVAL, "parsing actions");
        error_free(bad);
    } else {
        error = be32_to_cpu(key.in_port) == ODP_PORT_NONE.n /* It says none. */
                    ? -EINVAL : put_flow_by_hand(d, &key, &mask, &actions, &ufid, verb, &stats);
        if (error) {
            dpctl_fail(d, error, "updating flow table");
        } else if (d->statistics) {
            put_flow_stats(&d->out, &stats);
            str_putc(&d->out, '\n');
        }
    }
    bytes_uninit(&actions);
}

static void
delete_by_hand(struct dpctl *d, const char *text)
{
    struct datapath *dp = d->dp;
    struct dp_flow_stats stats;
    struct flow key, mask;
    struct error *error;
    struct dp_flow *f;
    struct uuid ufid;

    if (!take_ufid(d, &text, &ufid)) {
        return;
    }
    error = parse_key(d, text, &key, &mask);
    if (error) {
        dpctl_fail(d, -EINVAL, "%s", error_text(error));
        error_free(error);
        return;
    }
    f = uuid_is_zero(&ufid) ? dp->class->flow_lookup(dp, &key) : dp->class->flow_find_ufid(dp, &ufid);
    if (!f || dp->class->flow_del(dp, f, &stats)) {
        dpctl_fail(d, -ENOENT, "deleting flow");
        str_puts(&d->out, "Perhaps you need to specify a UFID?\n");
    } else if (d->statistics) {
        put_flow_stats(&d->out, &stats);
        str_putc(&d->out, '\n');
    }
}

void
dpctl_run_add_flow(struct dpctl *d)
{
    if (dpctl_find_dp(d, 2)) {
        put_by_hand(d, d->argv[0], d->argv[1], VERB_ADD);
    }
}

void
dpctl_run_mod_flow(struct dpctl *d)
{
    if (dpctl_find_dp(d, 2)) {
        put_by_hand(d, d->argv[0], d->argv[1], VERB_MODIFY);
    }
}

void
dpctl_run_del_flow(struct dpctl *d)
{
    if (dpctl_find_dp(d, 1)) {
        delete_by_hand(d, d->argv[0]);
    }
}

void
dpctl_run_get_flow(struct dpctl *d)
{
    struct dp_names names;
    struct dp_flow *f;
    const char *text;
    struct uuid ufid;

    if (!dpctl_find_dp(d, 1)) {
        return;
    }
    text = d->argv[0];
    if (!take_ufid(d, &text, &ufid)) {
        return;
    }
    if (text == d->argv[0]) {
        dpctl_fail(d, 0, "parsing flow ufid");
        return;
    }
    f = d->dp->class->flow_find_ufid(d->dp, &ufid);
    if (!f) {
        dpctl_fail(d, -ENOENT, "getting flow");
        return;
    }
    names = dp_names_of(d->dp);
    put_flow(&d->out, d, d->dp, f, dpctl_shows_names(d) ? &names : NULL, false);
}

/* Files: one flow a line, each a transaction of its own. */

/* Takes "add ", "modify " or "delete " off the front. */
static enum file_verb
take_verb(char **line, enum file_verb otherwise)
{
    static const char *const words[] = { [VERB_ADD] = "add", [VERB_MODIFY] = "modify", [VERB_DELETE] = "delete" };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t n = strlen(words[i]);

        if (!strncmp(*line, words[i], n) && strchr(" \t", (*line)[n])) {
            *line += n + strspn(*line + n, " \t");
            return i;
        }
    }
    return otherwise;
}

static void
run_line(struct dpctl *d, char *line, unsigned int number, enum file_verb verb)
{
    char *flow, *actions, *save = NULL;

    line += strspn(line, " \t");
    line[strcspn(line, "#\r\n")] = '\0';
    if (!*line) {
        return;
    }
    verb = take_verb(&line, verb);
    flow = strtok_r(line, " \t", &save);
    actions = strtok_r(NULL, " \t", &save);
    if (!flow || (verb != VERB_DELETE && !actions)) {
        dpctl_fail(d, 0, "Failed parsing line number %u, skipped!", number);
    } else if (verb == VERB_DELETE) {
        delete_by_hand(d, flow);
    } else {
        put_by_hand(d, flow, actions, verb);
    }
}

enum { LINES_A_STEP = 8 };

struct file_job {
    struct ctl_job job;
    struct dpctl *d;               /* Owned. */
    FILE *file;
    enum file_verb verb;
    unsigned int number;           /* Of the line, which is owned. */
    char *line;
    size_t size;
};

/* What is wrong with a line is said, and does not keep the others from being carried out. */
static bool
step_file(struct ctl_job *job, struct str *out)
{
    struct file_job *j = CONTAINER_OF(job, struct file_job, job);
    bool is_last = false;

    for (int i = 0; i < LINES_A_STEP && !is_last; i++) {
        is_last = getline(&j->line, &j->size, j->file) < 0;
        if (!is_last) {
            run_line(j->d, j->line, ++j->number, j->verb);
        }
    }
    str_puts(out, str_text(&j->d->out));
    str_clear(&j->d->out);
    return is_last;
}

static void
destroy_file(struct ctl_job *job)
{
    struct file_job *j = CONTAINER_OF(job, struct file_job, job);

    free(j->line);
    fclose(j->file);
    dpctl_free(j->d);
    free(j);
}

static void
start_file(struct dpctl *d, const char *path, enum file_verb verb)
{
    static const struct ctl_job_ops ops = { step_file, destroy_file };
    FILE *file = fopen(path, "re");
    struct file_job *j;

    if (!file) {
        dpctl_fail(d, -errno, "Opening file \"%s\" failed", path);
        d->failed = false;
        return;
    }
    j = xzalloc(sizeof *j);
    *j = (struct file_job) { .job = { .ops = &ops, .on = d->dp }, .d = d, .file = file, .verb = verb };
    d->job = &j->job;
}

void
dpctl_run_add_flows(struct dpctl *d)
{
    if (dpctl_find_dp(d, 1)) {
        start_file(d, d->argv[0], VERB_ADD);
    }
}

void
dpctl_run_mod_flows(struct dpctl *d)
{
    if (dpctl_find_dp(d, 1)) {
        start_file(d, d->argv[0], VERB_MODIFY);
    }
}

/* All of them: those that come meanwhile may be left. */
struct flush {
    struct ctl_job job;
    struct dpctl *d;               /* Owned. */
    struct datapath *dp;           /* The job's 'on'. */
    struct dp_flow_position at;
};

static void
delete_one(void *dp_, struct dp_flow *f)
{
    struct datapath *dp = dp_;

    (void) !dp->class->flow_del(dp, f, NULL); /* It may be gone already. */
}

static bool
step_flush(struct ctl_job *job, struct str *out UNUSED)
{
    struct flush *j = CONTAINER_OF(job, struct flush, job);

    return j->dp->class->flow_walk(j->dp, &j->at, FLOWS_A_STEP, delete_one, j->dp);
}

static void
destroy_flush(struct ctl_job *job)
{
    struct flush *j = CONTAINER_OF(job, struct flush, job);

    dpctl_free(j->d);
    free(j);
}

static void
start_flush(struct dpctl *d)
{
    static const struct ctl_job_ops ops = { step_flush, destroy_flush };
    struct flush *j = xzalloc(sizeof *j);

    *j = (struct flush) { .job = { .ops = &ops, .on = d->dp }, .d = d, .dp = d->dp };
    d->job = &j->job;
}

/* "[DP] [FILE]": a single argument is a datapath if there is one of that name. */
void
dpctl_run_del_flows(struct dpctl *d)
{
    struct dpctl_dp unused;
    bool has_file = d->argc > 1 || (d->argc == 1 && !dpctl_dp_by_name(d->argv[0], &unused));

    if (!dpctl_find_dp(d, has_file)) {
        return;
    }
    if (has_file) {
        start_file(d, d->argv[0], VERB_DELETE);
    } else {
        start_flush(d);
    }
}

void
dpctl_run_parse_actions(struct dpctl *d)
{
    for (int i = 0; i < d->argc; i++) {
        struct bytes odp = BYTES_INIT;
        struct error *error = odp_actions_parse(d->argv[i], NULL, &odp);

        if (error) {
            error_free(error);
            dpctl_fail(d, -EINVAL, "odp_actions_from_string");
        } else {
            odp_actions_format(&d->out, odp.data, odp.len, NULL);
            str_putc(&d->out, '\n');
        }
        bytes_uninit(&odp);
        if (error) {
            return;
        }
    }
}
