/* Datapaths and their ports: show them, and make some by hand.
 *
 * A datapath made by hand has no bridge: what no flow matches is dropped.  When a bridge of its type appears, it goes
 * away, since the switch has one datapath of each type. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/num.h"
#include "netdev/netdev.h"
#include "ofproto/ct_job.h"
#include "ofproto/dpctl.h"

/* A port of such a datapath; not the local one. */
struct hand_port {
    struct list node;
    odp_port number;
    struct netdev *netdev;
    char *type;
    struct strmap options;  /* Key -> malloc()ed text. */
};

struct hand_dp {
    struct list node;       /* In 'by_hand'. */
    char *type, *name;
    struct datapath *dp;
    struct netdev *local;
    struct list ports;      /* struct hand_port */
};

static struct list by_hand = LIST_INIT(&by_hand);

static int
compare_dps(const void *a_, const void *b_)
{
    const struct dpctl_dp *a = a_, *b = b_;
    int order = strcmp(a->type, b->type);

    return order ? order : strcmp(a->name, b->name);
}

struct dpctl_dp *
dpctl_dps(size_t *n)
{
    struct dpctl_dp *all = xcalloc(1 + list_size(&by_hand), sizeof *all);

    *n = 0;
    LIST_FOR_EACH (h, struct hand_dp, node, &by_hand) {
        all[(*n)++] = (struct dpctl_dp) { h->type, h->name, h->dp, h };
    }
    for (struct backer *b = backer_first(); b; b = backer_next(b)) {
        all = xrealloc(all, (*n + 1) * sizeof *all);
        all[(*n)++] = (struct dpctl_dp) { b->xdp.type, b->xdp.name, b->xdp.dp, NULL };
    }
    qsort(all, *n, sizeof *all, compare_dps);
    return all;
}

/* "[TYPE@]NAME": the type, to be released, and the name within 'text'. */
static char *
split_name(const char *text, const char **name)
{
    const char *at = strchr(text, '@');

    *name = at ? at + 1 : text;
    return at ? xasprintf("%.*s", (int) (at - text), text) : xstrdup("system");
}

bool
dpctl_dp_by_name(const char *text, struct dpctl_dp *found)
{
    const char *name;
    char *type = split_name(text, &name);
    size_t n;
    struct dpctl_dp *all = dpctl_dps(&n);
    bool is_there = false;

    for (size_t i = 0; i < n && !is_there; i++) {
        is_there = !strcmp(all[i].type, type) && !strcmp(all[i].name, name);
        if (is_there) {
            *found = all[i];
        }
    }
    free(type);
    free(all);
    return is_there;
}

/* show */

const char *
dpctl_port_type(const char *dp_type, const struct netdev *netdev)
{
    return !strcmp(dp_type, "netdev") && !strcmp(netdev->class->type, "internal") ? "tap" : netdev->class->type;
}

static void
put_counter(struct str *s, const char *label, uint64_t v)
{
    if (v == UINT64_MAX) {
        str_putf(s, "%s?", label);
    } else {
        str_putf(s, "%s%llu", label, (unsigned long long) v);
    }
}

static void
put_stats(struct str *s, struct netdev *netdev)
{
    struct netdev_stats st;

    (void) netdev_get_stats(netdev, &st);
    put_counter(s, "    RX packets:", st.rx_packets);
    put_counter(s, " errors:", st.rx_errors);
    put_counter(s, " dropped:", st.rx_dropped);
    put_counter(s, " overruns:", st.rx_over_err);
    put_counter(s, " frame:", st.rx_frame_err);
    put_counter(s, "\n    TX packets:", st.tx_packets);
    put_counter(s, " errors:", st.tx_errors);
    put_counter(s, " dropped:", st.tx_dropped);
    str_puts(s, " aborted:? carrier:?\n");
    put_counter(s, "    collisions:", st.collisions);
    put_counter(s, "\n    RX bytes:", st.rx_bytes);
    put_counter(s, "  TX bytes:", st.tx_bytes);
    str_puts(s, "\n    UPCALL packets:? errors:?\n");
}

/* "(TYPE: KEY=VALUE, ...)"; nothing of system devices. */
static void
put_type(struct str *s, const char *type, const struct netdev *netdev)
{
    struct strmap config = STRMAP_INIT(&config);
    struct strmap_entry **entries;

    if (!strcmp(type, "system")) {
        return;
    }
    netdev_get_config(netdev, &config);
    entries = strmap_sorted(&config);
    str_putf(s, " (%s", type);
    for (size_t i = 0; i < strmap_count(&config); i++) {
        str_putf(s, "%s%s=%s", i ? ", " : ": ", entries[i]->key, (const char *) entries[i]->value);
    }
    str_putc(s, ')');
    free(entries);
    strmap_uninit_free(&config);
}

static void
put_port(void *d_, odp_port port, struct netdev *netdev)
{
    struct dpctl *d = d_;

    str_putf(&d->out, "  port %u: %s", port.n, netdev->name);
    put_type(&d->out, dpctl_port_type(d->type, netdev), netdev);
    str_putc(&d->out, '\n');
    if (d->statistics) {
        put_stats(&d->out, netdev);
    }
}

static void
put_dp(struct dpctl *d, const struct dpctl_dp *dp)
{
    struct dp_stats st;

    dp->dp->class->get_stats(dp->dp, &st);
    str_putf(&d->out, "%s@%s:\n  lookups: hit:%llu missed:%llu lost:%llu\n  flows: %llu\n", dp->type, dp->name,
             (unsigned long long) st.n_hit, (unsigned long long) st.n_missed, (unsigned long long) st.n_lost,
             (unsigned long long) st.n_flows);
    d->type = dp->type;
    dp->dp->class->port_for_each(dp->dp, put_port, d);
}

static void
show_all(struct dpctl *d)
{
    size_t n;
    struct dpctl_dp *all = dpctl_dps(&n);

    for (size_t i = 0; i < n; i++) {
        put_dp(d, &all[i]);
    }
    free(all);
}

void
dpctl_run_show(struct dpctl *d)
{
    struct dpctl_dp dp;

    if (!d->argc) {
        show_all(d);
    }
    for (int i = 0; i < d->argc; i++) {
        if (dpctl_dp_by_name(d->argv[i], &dp)) {
            put_dp(d, &dp);
        } else {
            dpctl_fail(d, -ENODEV, "opening datapath %s failed", d->argv[i]);
        }
    }
}

void
dpctl_run_dump_dps(struct dpctl *d)
{
    size_t n;
    struct dpctl_dp *all = dpctl_dps(&n);

    for (size_t i = 0; i < n; i++) {
        str_putf(&d->out, "%s@%s\n", all[i].type, all[i].name);
    }
    free(all);
}

/* Ports made by hand. */

/* "NAME[,KEY=VALUE]...". */
struct port_words {
    char *copy;             /* Holds the texts. */
    const char *name, *type; /* 'type' null: not said. */
    odp_port number;        /* ODP_PORT_NONE: not said. */
    struct strmap options;  /* Values within 'copy'. */
};

static bool
parse_port(struct dpctl *d, const char *text, struct port_words *p)
{
    char *save = NULL, *word;
    bool ok;

    *p = (struct port_words) { .copy = xstrdup(text), .number = ODP_PORT_NONE };
    strmap_init(&p->options);
    p->name = strtok_r(p->copy, ",", &save);
    ok = p->name != NULL;
    if (!ok) {
        dpctl_fail(d, 0, "%s is not a valid interface name", text);
    }
    while (ok && (word = strtok_r(NULL, ",", &save)) != NULL) {
        char *value = strchr(word, '=');
        uint32_t n;

        if (value) {
            *value++ = '\0';
        } else {
            value = word + strlen(word);
        }
        if (!strcmp(word, "type")) {
            p->type = value;
        } else if (strcmp(word, "port_no")) {
            (void) strmap_put(&p->options, word, value);
        } else if (num_parse_u32(value, 10, &n)) {
            p->number = ODP_PORT(n);
        } else {
            dpctl_fail(d, 0, "%s: bad port number '%s'", p->name, value);
            ok = false;
        }
    }
    return ok;
}

static void
port_words_uninit(struct port_words *p)
{
    strmap_uninit(&p->options);
    free(p->copy);
}

struct find_netdev {
    const char *name;
    odp_port number;
};

static void
compare_netdev(void *f_, odp_port number, struct netdev *netdev)
{
    struct find_netdev *f = f_;

    if (!strcmp(f->name, netdev->name)) {
        f->number = number;
    }
}

static bool
has_port(struct datapath *dp, const char *name)
{
    struct find_netdev f = { name, ODP_PORT_NONE };

    dp->class->port_for_each(dp, compare_netdev, &f);
    return !odp_port_equal(f.number, ODP_PORT_NONE);
}

/* A device has its packets received in one place. */
static bool
is_in_other_dp(const struct datapath *dp, const char *name)
{
    size_t n;
    struct dpctl_dp *all = dpctl_dps(&n);
    bool found = false;

    for (size_t i = 0; i < n && !found; i++) {
        found = all[i].dp != dp && has_port(all[i].dp, name);
    }
    free(all);
    return found;
}

static struct hand_port *
find_hand_port(const struct hand_dp *h, const char *name)
{
    LIST_FOR_EACH (p, struct hand_port, node, &h->ports) {
        if (!strcmp(p->netdev->name, name)) {
            return p;
        }
    }
    return NULL;
}

/* Sets an option; "" removes it. */
static void
set_option(struct strmap *options, const char *key, const char *value)
{
    free(value[0] ? strmap_put(options, key, xstrdup(value)) : strmap_remove(options, key));
}

static bool
apply_options(struct dpctl *d, struct hand_port *p, const struct strmap *options)
{
    struct error *error;

    STRMAP_FOR_EACH (e, options) {
        set_option(&p->options, e->key, e->value);
    }
    error = netdev_set_config(p->netdev, &p->options);
    if (error) {
        dpctl_fail(d, 0, "%s: failed to configure network device (%s)", p->netdev->name, error_text(error));
        error_free(error);
        return false;
    }
    return true;
}

static void
hand_port_destroy(struct hand_dp *h, struct hand_port *p)
{
    if (!odp_port_equal(p->number, ODP_PORT_NONE)) {
        h->dp->class->port_del(h->dp, p->number);
    }
    list_remove(&p->node);
    netdev_close(p->netdev);
    strmap_uninit_free(&p->options);
    free(p->type);
    free(p);
}

static void
add_port(struct dpctl *d, const struct dpctl_dp *dp, const struct port_words *w)
{
    const char *type = w->type ? w->type : "system";
    struct netdev *netdev = NULL;
    struct hand_port *p;
    int error = 0;

    if (has_port(dp->dp, w->name)) {
        error = -EEXIST;
    } else if (is_in_other_dp(dp->dp, w->name)) {
        error = -EBUSY;
    }
    if (error) {
        dpctl_fail(d, error, "adding %s to %s@%s failed", w->name, dp->type, dp->name);
        return;
    }
    error = netdev_open(w->name, strcmp(type, "internal") ? type : dp->dp->class->internal_type, &netdev);
    if (error) {
        dpctl_fail(d, error, "%s: failed to open network device", w->name);
        return;
    }
    p = xzalloc(sizeof *p);
    p->netdev = netdev;
    p->type = xstrdup(type);
    p->number = ODP_PORT_NONE;
    strmap_init(&p->options);
    list_push_back(&dp->hand->ports, &p->node);
    if (apply_options(d, p, &w->options)) {
        odp_port number = w->number;

        error = netdev->class->has_packets ? dp->dp->class->port_add(dp->dp, netdev, &number) : -EINVAL;
        if (!error) {
            p->number = number;
            return;
        }
        dpctl_fail(d, error, "adding %s to %s@%s failed", w->name, dp->type, dp->name);
    }
    hand_port_destroy(dp->hand, p);
}

static void
set_port(struct dpctl *d, const struct dpctl_dp *dp, const struct port_words *w)
{
    struct hand_port *p = find_hand_port(dp->hand, w->name);

    if (!p) {
        dpctl_fail(d, -ENODEV, "%s: failed to query port in %s@%s", w->name, dp->type, dp->name);
    } else if (w->type && strcmp(w->type, p->type)) {
        dpctl_fail(d, 0, "%s: can't change type from %s to %s", w->name, p->type, w->type);
    } else if (!odp_port_equal(w->number, ODP_PORT_NONE) && !odp_port_equal(w->number, p->number)) {
        dpctl_fail(d, 0, "%s: can't change port number from %u to %u", w->name, p->number.n, w->number.n);
    } else {
        (void) apply_options(d, p, &w->options); /* It has said why. */
    }
}

static void
del_port(struct dpctl *d, const struct dpctl_dp *dp, const char *name)
{
    struct hand_port *p = find_hand_port(dp->hand, name);
    uint32_t n;

    LIST_FOR_EACH (other, struct hand_port, node, &dp->hand->ports) {
        if (!p && num_parse_u32(name, 10, &n) && other->number.n == n) {
            p = other;
        }
    }
    if (p) {
        hand_port_destroy(dp->hand, p);
    } else if (!strcmp(name, dp->hand->local->name)) {
        dpctl_fail(d, -EINVAL, "deleting port %s from %s@%s failed", name, dp->type, dp->name);
    } else if (num_parse_u32(name, 10, &n)) {
        dpctl_fail(d, -ENODEV, "deleting port %s from %s@%s failed", name, dp->type, dp->name);
    } else {
        dpctl_fail(d, 0, "no port named %s", name);
    }
}

/* The datapath argv[0], if it may be changed by hand. */
static bool
find_changeable(struct dpctl *d, struct dpctl_dp *dp)
{
    if (!dpctl_dp_by_name(d->argv[0], dp)) {
        dpctl_fail(d, -ENODEV, "opening datapath");
        return false;
    }
    if (!dp->hand) {
        dpctl_fail(d, -EBUSY, "%s@%s belongs to the switch, which ovs-vsctl configures", dp->type, dp->name);
        return false;
    }
    return true;
}

typedef void port_func(struct dpctl *, const struct dpctl_dp *, const struct port_words *);

static void
for_each_port_word(struct dpctl *d, const struct dpctl_dp *dp, port_func *func)
{
    for (int i = 1; i < d->argc; i++) {
        struct port_words w;

        if (parse_port(d, d->argv[i], &w)) {
            func(d, dp, &w);
        }
        port_words_uninit(&w);
    }
}

void
dpctl_run_add_if(struct dpctl *d)
{
    struct dpctl_dp dp;

    if (find_changeable(d, &dp)) {
        for_each_port_word(d, &dp, add_port);
    }
}

void
dpctl_run_set_if(struct dpctl *d)
{
    struct dpctl_dp dp;

    if (find_changeable(d, &dp)) {
        for_each_port_word(d, &dp, set_port);
    }
}

void
dpctl_run_del_if(struct dpctl *d)
{
    struct dpctl_dp dp;

    if (find_changeable(d, &dp)) {
        for (int i = 1; i < d->argc; i++) {
            del_port(d, &dp, d->argv[i]);
        }
    }
}

/* Datapaths made by hand. */

static void
hand_dp_destroy(struct hand_dp *h)
{
    list_remove(&h->node);
    LIST_FOR_EACH_SAFE (p, struct hand_port, node, &h->ports) {
        hand_port_destroy(h, p);
    }
    ctl_jobs_end(h->dp);
    if (h->dp->class->conntrack) {
        ct_jobs_end(h->dp->class->conntrack(h->dp));
    }
    h->dp->class->destroy(h->dp);
    datapath_close(h->dp);
    netdev_close(h->local);
    free(h->type);
    free(h->name);
    free(h);
}

/* The local port has the datapath's name and number 0. */
static int
add_local(struct hand_dp *h)
{
    odp_port number = ODP_PORT(0);
    int error;

    if (is_in_other_dp(h->dp, h->name)) {
        return -EBUSY;
    }
    error = netdev_open(h->name, h->dp->class->internal_type, &h->local);
    return error ? error : h->dp->class->port_add(h->dp, h->local, &number);
}

static int
hand_dp_create(const char *type, const char *name, struct hand_dp **hp)
{
    struct hand_dp *h;
    struct datapath *dp;
    int error;

    if (!datapath_class_find(type, &(const char *) { NULL })) {
        return -EAFNOSUPPORT;
    }
    if (!name[0]) {
        return -EINVAL;
    }
    error = datapath_open(type, name, true, &dp);
    if (error) {
        return error;
    }
    h = xzalloc(sizeof *h);
    h->type = xstrdup(type);
    h->name = xstrdup(name);
    h->dp = dp;
    list_init(&h->ports);
    list_push_back(&by_hand, &h->node);
    error = add_local(h);
    if (error) {
        hand_dp_destroy(h);
        return error;
    }
    *hp = h;
    return 0;
}

void
dpctl_run_add_dp(struct dpctl *d)
{
    const char *name;
    char *type = split_name(d->argv[0], &name);
    struct dpctl_dp dp;
    struct hand_dp *h;
    int error = dpctl_dp_by_name(d->argv[0], &dp) ? -EEXIST : hand_dp_create(type, name, &h);

    if (error) {
        dpctl_fail(d, error, "add_dp");
    } else if (d->argc > 1) {
        dpctl_run_add_if(d);
    }
    free(type);
}

void
dpctl_run_del_dp(struct dpctl *d)
{
    struct dpctl_dp dp;

    if (find_changeable(d, &dp)) {
        hand_dp_destroy(dp.hand);
    }
}

void
dpctl_forget_dps(const char *type)
{
    LIST_FOR_EACH_SAFE (h, struct hand_dp, node, &by_hand) {
        if (!type || !strcmp(h->type, type)) {
            hand_dp_destroy(h);
        }
    }
}

/* Caches: there are none that could be sized. */

static bool
find_named(struct dpctl *d, struct dpctl_dp *dp)
{
    if (!dpctl_dp_by_name(d->argv[0], dp)) {
        dpctl_fail(d, -ENODEV, "Opening datapath %s failed", d->argv[0]);
        return false;
    }
    return true;
}

void
dpctl_run_cache_get(struct dpctl *d)
{
    struct dpctl_dp one, *all;
    size_t n;

    if (d->argc) {
        if (find_named(d, &one)) {
            str_putf(&d->out, "%s@%s:\n", one.type, one.name);
        }
        return;
    }
    all = dpctl_dps(&n);
    for (size_t i = 0; i < n; i++) {
        str_putf(&d->out, "%s@%s:\n", all[i].type, all[i].name);
    }
    free(all);
}

void
dpctl_run_cache_set(struct dpctl *d)
{
    struct dpctl_dp dp;
    uint32_t size;

    if (!num_parse_u32(d->argv[2], 10, &size)) {
        dpctl_fail(d, -EINVAL, "size is malformed");
    } else if (find_named(d, &dp)) {
        dpctl_fail(d, -EOPNOTSUPP, "Setting caches not supported");
    }
}

static void
put_offload_figures(struct str *s, const char *of, const struct dp_offload_figures *f)
{
    const struct { const char *name; uint64_t value; } rows[] = {
        { "Enqueued offloads", f->n_queued },
        { "Inserted offloads", f->n_rules },
        { "Cumulative Average latency (us)", f->mean_us },
        { "Cumulative Latency stddev (us)", f->deviation_us },
        { "Exponential Average latency (us)", f->recent_mean_us },
        { "Exponential Latency stddev (us)", f->recent_deviation_us },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        str_putf(s, "  %8s   %31s:%7llu\n", of, rows[i].name, (unsigned long long) rows[i].value);
    }
}

/* The threads together: what they have, and the means of their latencies. */
static void
add_offload_figures(struct dp_offload_figures *sum, const struct dp_offload_figures *f, unsigned int n)
{
    sum->n_queued += f->n_queued;
    sum->n_rules += f->n_rules;
    sum->mean_us += f->mean_us / n;
    sum->deviation_us += f->deviation_us / n;
    sum->recent_mean_us += f->recent_mean_us / n;
    sum->recent_deviation_us += f->recent_deviation_us / n;
}

void
dpctl_run_offload_stats(struct dpctl *d)
{
    struct dp_offload_figures sum = { 0 }, f;
    const struct datapath_class *class;
    unsigned int n;

    if (!dpctl_find_dp(d, 0)) {
        return;
    }
    class = d->dp->class;
    n = class->n_offload_threads ? class->n_offload_threads(d->dp) : 0;
    if (!n) {
        dpctl_fail(d, -EINVAL, "retrieving offload statistics");
        return;
    }
    for (unsigned int i = 0; i < n; i++) {
        class->offload_figures(d->dp, i, &f);
        add_offload_figures(&sum, &f, n);
    }
    str_puts(&d->out, "HW Offload stats:\n");
    put_offload_figures(&d->out, "   Total", &sum);
    for (unsigned int i = 0; i < n; i++) {
        char of[16];

        snprintf(of, sizeof of, "   [%3u]", i);
        class->offload_figures(d->dp, i, &f);
        put_offload_figures(&d->out, of, &f);
    }
}
