/* Control commands about workers: which core polls which queue and how much of its time that takes, and what workers
 * have done.  Sleeping workers are what the reference calls its main thread. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "base/num.h"
#include "base/str.h"
#include "ctl/ctl.h"
#include "datapath/user/capture.h"
#include "datapath/user/perf.h"
#include "datapath/user/user.h"
#include "sys/clock.h"

struct show {
    struct str out;
    struct datapath *dp;
    const char *name;    /* Of the datapath that is meant; null: all. */
    unsigned int n_dps;  /* There are so many... */
    bool is_known;       /* ...and one of them has the name. */
    uint32_t core;       /* Only this one; UINT32_MAX: all. */
    uint32_t seconds;
    bool no_histograms;
    uint32_t n_rounds, n_ms; /* Of the histories. */
    struct dp_user_worker sum; /* Of those that do not poll. */
    void (*each)(void *show, const struct dp_user_worker *);
};

/* Polling workers. */

/* The queues of a worker, in order of names and numbers. */
struct queues {
    unsigned int worker;
    size_t n, capacity;
    struct dp_user_rxq *rxqs;
};

static void
add_queue(void *qs_, const struct dp_user_rxq *q)
{
    struct queues *qs = qs_;

    if (q->worker == qs->worker) {
        if (qs->n >= qs->capacity) {
            qs->rxqs = x2nrealloc(qs->rxqs, &qs->capacity, sizeof *qs->rxqs);
        }
        qs->rxqs[qs->n++] = *q;
    }
}

static int
compare_queues(const void *a_, const void *b_)
{
    const struct dp_user_rxq *a = a_, *b = b_;
    int c = strcmp(a->port, b->port);

    return c ? c : a->queue < b->queue ? -1 : a->queue > b->queue;
}

static void
put_usage(struct str *s, double usage, const char *format)
{
    if (usage < 0) {
        str_puts(s, "NOT AVAIL\n");
    } else {
        str_putf(s, format, usage);
    }
}

/* What a worker does beside its queues takes no time that could be told. */
static void
put_worker_queues(void *s_, const struct dp_user_worker *w)
{
    struct queues qs = { .worker = w->id };
    struct show *s = s_;
    double usage = -1;

    str_putf(&s->out, "  isolated : %s\n", w->is_isolated ? "true" : "false");
    dp_user_for_each_rxq(s->dp, s->seconds, add_queue, &qs);
    if (qs.n) {
        qsort(qs.rxqs, qs.n, sizeof *qs.rxqs, compare_queues);
    }
    for (size_t i = 0; i < qs.n; i++) {
        str_putf(&s->out, "  port: %-16s  queue-id: %2u (enabled)   pmd usage: ", qs.rxqs[i].port, qs.rxqs[i].queue);
        put_usage(&s->out, qs.rxqs[i].usage, "%2.0f %%\n");
        usage = MAX(usage, qs.rxqs[i].usage);
    }
    if (qs.n) {
        str_puts(&s->out, "  overhead: ");
        put_usage(&s->out, MIN(usage, 0), "%2.0f %%\n");
    }
    free(qs.rxqs);
}

static void
put_worker_sleep(void *s_, const struct dp_user_worker *w)
{
    struct show *s = s_;

    str_putf(&s->out, "  max sleep: %4u us\n", dp_user_sleep_us(s->dp, w->core));
}

static void
put_worker(void *s_, const struct dp_user_worker *w)
{
    struct show *s = s_;

    if (w->is_polling && (s->core == UINT32_MAX || s->core == (uint32_t) w->core)) {
        str_putf(&s->out, "pmd thread numa_id %u core_id %d:\n", w->node, w->core);
        s->each(s, w);
    }
}

/* Performance. */

static double
ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void
put_hits(struct str *s, const char *name, uint64_t n, uint64_t passes)
{
    str_putf(s, "  - %-18s  %10llu  (%5.1f %%", name, (unsigned long long) n, 100 * ratio(n, passes));
}

static void
put_cycles(struct str *s, const struct dp_user_worker *w, double seconds)
{
    uint64_t rounds = w->n_busy_rounds + w->n_idle_rounds, cycles = w->busy_cycles + w->idle_cycles;
    double hz = rte_get_tsc_hz();

    str_putf(s, "  Iterations:           %10llu  (%.2f us/it)\n", (unsigned long long) rounds,
             ratio(1e6 * cycles / hz, rounds));
    str_putf(s, "  - Used TSC cycles:  %12llu  (%5.1f %% of total cycles)\n", (unsigned long long) cycles,
             100 * ratio(cycles, seconds * hz));
    str_putf(s, "  - idle iterations:    %10llu  (%5.1f %% of used cycles)\n", (unsigned long long) w->n_idle_rounds,
             100 * ratio(w->idle_cycles, cycles));
    str_putf(s, "  - busy iterations:    %10llu  (%5.1f %% of used cycles)\n", (unsigned long long) w->n_busy_rounds,
             100 * ratio(w->busy_cycles, cycles));
    str_putf(s, "  - sleep iterations:   %10llu  (%5.1f %% of iterations)\n", (unsigned long long) w->n_sleeps,
             100 * ratio(w->n_sleeps, rounds));
    str_putf(s, "  Sleep time (us):      %10.0f  (%3.0f us/iteration avg.)\n", 1e6 * w->sleep_cycles / hz,
             ratio(1e6 * w->sleep_cycles / hz, rounds));
}

/* The signature cache takes the place of that which the reference calls SMC; the others do not exist here. */
static void
put_performance(struct str *s, const struct dp_user_worker *w, double seconds)
{
    uint64_t passes = w->n_packets + w->n_recirculated;

    str_putf(s, "  Rx packets:           %10llu  (%.0f Kpps", (unsigned long long) w->n_packets,
             ratio(w->n_packets / 1000.0, seconds));
    if (w->is_polling) {
        str_putf(s, ", %.0f cycles/pkt", ratio(w->busy_cycles, w->n_packets));
    }
    str_putf(s, ")\n  Datapath passes:      %10llu  (%.2f passes/pkt)\n", (unsigned long long) passes,
             ratio(passes, w->n_packets));
    put_hits(s, "PHWOL hits:", w->n_hit_mark, passes);
    str_puts(s, ")\n");
    put_hits(s, "Simple Match hits:", 0, passes);
    str_puts(s, ")\n");
    put_hits(s, "EMC hits:", 0, passes);
    str_puts(s, ")\n");
    put_hits(s, "SMC hits:", w->n_hit_cache, passes);
    str_puts(s, ")\n");
    put_hits(s, "Megaflow hits:", w->n_hit_megaflow, passes);
    str_putf(s, ", %.2f subtbl lookups/hit)\n", w->n_hit_megaflow ? ratio(w->n_masks, w->n_hit_megaflow) : 0);
    put_hits(s, "Upcalls:", w->n_missed - w->n_lost, passes);
    if (w->is_polling) {
        str_putf(s, ", %.1f us/upcall", ratio(1e6 * w->upcall_cycles / rte_get_tsc_hz(), w->n_missed));
    }
    str_puts(s, ")\n");
    put_hits(s, "Lost upcalls:", w->n_lost, passes);
    str_putf(s, ")\n  Tx packets:           %10llu  (%.0f Kpps)\n", (unsigned long long) w->n_tx_packets,
             ratio(w->n_tx_packets / 1000.0, seconds));
    str_putf(s, "  Tx batches:           %10llu  (%.2f pkts/batch)\n", (unsigned long long) w->n_tx_batches,
             ratio(w->n_tx_packets, w->n_tx_batches));
}

static void
put_head(struct show *s, double seconds)
{
    int64_t now = clock_wall_ms();
    time_t second = now / 1000;
    struct tm tm;

    gmtime_r(&second, &tm);
    str_putf(&s->out, "\nTime: %02d:%02d:%02d.%03d\nMeasurement duration: %.3f s\n\n", tm.tm_hour, tm.tm_min,
             tm.tm_sec, (int) (now % 1000), seconds);
}

/* What was measured of single rounds, as far as it is wanted. */
static void
put_rounds(struct show *s, const struct dp_user_worker *w)
{
    struct perf *perf = dp_user_copy_perf(s->dp, w->id);

    if (perf && !s->no_histograms) {
        str_puts(&s->out, "\n");
        perf_put_histograms(&s->out, perf);
    }
    if (perf && s->n_rounds) {
        str_puts(&s->out, "\n");
        perf_put_rounds(&s->out, perf, s->n_rounds);
    }
    if (perf && s->n_ms) {
        str_puts(&s->out, "\n");
        perf_put_milliseconds(&s->out, perf, s->n_ms);
    }
    free(perf);
}

static void
put_worker_performance(void *s_, const struct dp_user_worker *w)
{
    struct show *s = s_;
    double seconds = dp_user_figures_ms(s->dp) / 1000.0;

    if (!w->is_polling) {
#define ADD(MEMBER) s->sum.MEMBER += w->MEMBER
        ADD(n_packets);
        ADD(n_recirculated);
        ADD(n_hit_mark);
        ADD(n_hit_cache);
        ADD(n_hit_megaflow);
        ADD(n_missed);
        ADD(n_lost);
        ADD(n_masks);
        ADD(n_tx_packets);
        ADD(n_tx_batches);
#undef ADD
        return;
    }
    if (s->core == UINT32_MAX || s->core == (uint32_t) w->core) {
        put_head(s, seconds);
        str_putf(&s->out, "pmd thread numa_id %u core_id %d:\n\n", w->node, w->core);
        put_cycles(&s->out, w, seconds);
        put_performance(&s->out, w, seconds);
        put_rounds(s, w);
    }
}

static void
put_dp_performance(struct show *s)
{
    double seconds = dp_user_figures_ms(s->dp) / 1000.0;

    memset(&s->sum, 0, sizeof s->sum);
    dp_user_for_each_worker(s->dp, put_worker_performance, s);
    if (s->core == UINT32_MAX) {
        put_head(s, seconds);
        str_puts(&s->out, "main thread:\n\n");
        put_performance(&s->out, &s->sum, seconds);
    }
}

/* Commands. */

static void
put_dp(void *s_, const struct datapath *dp)
{
    struct show *s = s_;

    if (!s->name || !strcmp(s->name, dp->name)) {
        s->dp = (struct datapath *) dp;
        if (s->each == put_worker_sleep) {
            str_putf(&s->out, "Default max sleep: %4u us\n", dp_user_sleep_us(dp, -1));
        }
        if (s->each) {
            dp_user_for_each_worker(dp, put_worker, s);
        } else {
            put_dp_performance(s);
        }
    }
}

static bool
takes_number(const char *option)
{
    return !strcmp(option, "-pmd") || !strcmp(option, "-secs") || !strcmp(option, "-it") || !strcmp(option, "-ms");
}

/* What is measured is kept for a minute, in intervals of five seconds.  0: all of it. */
static uint32_t
measured_seconds(uint32_t n)
{
    return !n || n > 60 ? 60 : (n + 4) / 5 * 5;
}

/* "[-pmd core] [-secs secs] [-nh] [-it n] [-ms n] [dp]". */
static bool
parse(struct show *s, struct ctl_request *r, int argc, const char *argv[])
{
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        uint32_t n;

        if (!strcmp(option, "-nh")) {
            s->no_histograms = true;
            continue;
        }
        if (!takes_number(option)) {
            s->name = strchr(option, '@') ? strchr(option, '@') + 1 : option;
        } else if (i + 1 == argc || !num_parse_u32(argv[++i], 10, &n)) {
            ctl_reply_error(r, "%s needs a number", option);
            return false;
        } else if (!strcmp(option, "-pmd")) {
            s->core = n;
        } else if (!strcmp(option, "-secs")) {
            s->seconds = measured_seconds(n);
        } else if (!strcmp(option, "-it")) {
            s->n_rounds = n;
        } else {
            s->n_ms = n;
        }
    }
    return true;
}

static void
compare_name(void *s_, const struct datapath *dp)
{
    struct show *s = s_;

    s->n_dps++;
    s->is_known |= s->name && !strcmp(s->name, dp->name);
}

/* As in the reference: a single datapath is meant whatever the name; of several one must be named. */
static bool
settle_name(struct show *s, struct ctl_request *r)
{
    dp_user_for_each(compare_name, s);
    s->name = s->is_known ? s->name : NULL;
    if (!s->is_known && s->n_dps != 1) {
        ctl_reply_error(r, "please specify an existing datapath");
        return false;
    }
    return true;
}

static void
cmd_show(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    bool is_sleep = !strcmp(argv[0], "dpif-netdev/pmd-sleep-show");
    struct show s = { .out = STR_INIT, .core = UINT32_MAX, .seconds = 60,
                      .each = is_sleep ? put_worker_sleep : put_worker_queues };

    if (parse(&s, r, argc, argv) && settle_name(&s, r)) {
        if (!is_sleep) {
            str_putf(&s.out, "Displaying last %u seconds pmd usage %%\n", s.seconds);
        }
        dp_user_for_each(put_dp, &s);
        ctl_reply(r, str_text(&s.out));
    }
    str_uninit(&s.out);
}

static void
cmd_performance(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct show s = { .out = STR_INIT, .core = UINT32_MAX };

    if (parse(&s, r, argc, argv) && settle_name(&s, r)) {
        dp_user_for_each(put_dp, &s);
        ctl_reply(r, str_text(&s.out));
    }
    str_uninit(&s.out);
}

static void
clear_dp(void *s_, const struct datapath *dp)
{
    const struct show *s = s_;

    if (!s->name || !strcmp(s->name, dp->name)) {
        dp_user_clear_figures((struct datapath *) dp);
    }
}

static void
cmd_clear(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct show s = { .core = UINT32_MAX };

    if (parse(&s, r, argc, argv) && settle_name(&s, r)) {
        dp_user_for_each(clear_dp, &s);
        ctl_reply(r, "");
    }
}

static void
find_dp(void *s_, const struct datapath *dp)
{
    struct show *s = s_;

    if (!s->name || !strcmp(s->name, dp->name)) {
        s->dp = (struct datapath *) dp;
    }
}

/* pmd-rxq-rebalance, bond-show: "[dp]".  Bonds whose load the datapath balances do not exist. */
static void
cmd_of_dp(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct show s = { .core = UINT32_MAX };

    if (!parse(&s, r, argc, argv)) {
        return;
    }
    dp_user_for_each(find_dp, &s);
    dp_user_for_each(compare_name, &s);
    if (!s.dp || (!s.name && s.n_dps > 1)) {
        ctl_reply_error(r, "please specify an existing datapath");
    } else if (!strcmp(argv[0], "dpif-netdev/bond-show")) {
        ctl_reply(r, "");
    } else {
        dp_user_rebalance(s.dp);
        ctl_reply(r, "pmd rxq rebalance requested.\n");
    }
}

/* Reads the options into 'l'; false: they are none. */
static bool
parse_perf_log(struct perf_log *l, int argc, const char *argv[])
{
    bool ok = true;

    for (int i = 1; i < argc && ok; i++) {
        const char *o = argv[i];
        uint32_t *number = !strcmp(o, "-b") ? &l->before : !strcmp(o, "-a") ? &l->after
                           : !strcmp(o, "-us") ? &l->us : !strcmp(o, "-q") ? &l->queue : NULL;

        if (number) {
            ok = ++i < argc && num_parse_u32(argv[i], 10, number);
        } else if (!strcmp(o, "on") || !strcmp(o, "off")) {
            l->is_on = !strcmp(o, "on");
        } else if (!strcmp(o, "-e") || !strcmp(o, "-ne")) {
            l->extends = !strcmp(o, "-e");
        } else {
            ok = false;
        }
    }
    return ok && l->before < PERF_HISTORY && l->after < PERF_HISTORY;
}

static void
cmd_perf_log(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct perf_log l = perf_get_log();

    if (parse_perf_log(&l, argc, argv)) {
        perf_set_log(&l);
        ctl_reply(r, "");
    } else {
        ctl_reply_error(r, "Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off] [-b before] [-a after] [-e|-ne] "
                        "[-us usec] [-q qlen]");
    }
}

void
dp_user_commands_register(void)
{
    static const char options[] = "[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]";

    ctl_register("dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 0, 5, cmd_show, NULL);
    ctl_register("dpif-netdev/pmd-sleep-show", "[dp]", 0, 1, cmd_show, NULL);
    ctl_register("dpif-netdev/pmd-perf-show", options, 0, 8, cmd_performance, NULL);
    ctl_register("dpif-netdev/pmd-perf-log-set", "on|off [-b before] [-a after] [-e|-ne] [-us usec] [-q qlen]", 0, 10,
                 cmd_perf_log, NULL);
    ctl_register("dpif-netdev/pmd-stats-show", NULL, 0, 8, cmd_performance, NULL);
    ctl_register("dpif-netdev/pmd-stats-clear", "[-pmd core] [dp]", 0, 3, cmd_clear, NULL);
    ctl_register("dpif-netdev/pmd-rxq-rebalance", "[dp]", 0, 1, cmd_of_dp, NULL);
    ctl_register("dpif-netdev/bond-show", "[dp]", 0, 1, cmd_of_dp, NULL);
    dp_user_figures_commands_register();
    capture_commands_register();
}
