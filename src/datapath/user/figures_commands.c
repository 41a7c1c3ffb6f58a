/* datapath/queues and datapath/latency: what workers have received by each queue, and how long packets were here. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ctl/ctl.h"
#include "datapath/user/perf.h"
#include "datapath/user/user.h"

struct figures {
    struct str out;
    const char *name;             /* Of the datapath that is meant; null: all. */
    const struct datapath *dp;    /* The one at hand. */
    struct dp_user_worker worker; /* That at hand. */
    bool is_known;                /* There is one that was meant. */
    void (*put)(struct figures *);
};

static double
ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void
put_percent(struct str *s, double percent)
{
    if (percent < 0) {
        str_putf(s, "  %6s", "-");
    } else {
        str_putf(s, "  %6.1f", percent);
    }
}

static void
put_worker_name(struct str *s, const struct dp_user_worker *w)
{
    char *name = w->is_polling ? xasprintf("pmd %d", w->core) : xasprintf("worker %u", w->id);

    str_putf(s, "  %-10s", name);
    free(name);
}

/* --- datapath/queues --- */

static void
put_queue(void *f_, const struct dp_user_rxq *q)
{
    struct figures *f = f_;

    if (q->worker == f->worker.id) {
        put_worker_name(&f->out, &f->worker);
        str_putf(&f->out, "  %-16s  %5u  %14llu  %12llu  %10.2f", q->port, q->queue, (unsigned long long) q->n_packets,
                 (unsigned long long) q->n_bursts, ratio(q->n_packets, q->n_bursts));
        put_percent(&f->out, 100 * ratio(q->n_full, q->n_bursts));
        put_percent(&f->out, q->usage);
        str_puts(&f->out, "\n");
    }
}

static void
put_queues_of(void *f_, const struct dp_user_worker *w)
{
    struct figures *f = f_;

    f->worker = *w;
    dp_user_for_each_rxq(f->dp, 60, put_queue, f);
}

static void
put_worker(void *f_, const struct dp_user_worker *w)
{
    uint64_t cycles = w->busy_cycles + w->idle_cycles + w->sleep_cycles;
    struct figures *f = f_;

    put_worker_name(&f->out, w);
    str_putf(&f->out, "  %14llu  %10.2f  %14llu  %10.2f  %10llu  %10llu", (unsigned long long) w->n_packets,
             ratio(w->n_packets, w->n_bursts), (unsigned long long) w->n_tx_packets,
             ratio(w->n_tx_packets, w->n_tx_batches), (unsigned long long) w->n_missed,
             (unsigned long long) w->n_dropped);
    put_percent(&f->out, w->is_polling && cycles ? 100 * ratio(w->busy_cycles, cycles) : -1);
    str_puts(&f->out, "\n");
}

static void
put_queues(struct figures *f)
{
    str_putf(&f->out, "  %-10s  %-16s  %5s  %14s  %12s  %10s  %6s  %6s\n", "worker", "port", "queue", "packets",
             "bursts", "pkts/burst", "full %", "busy %");
    dp_user_for_each_worker(f->dp, put_queues_of, f);
    str_putf(&f->out, "\n  %-10s  %14s  %10s  %14s  %10s  %10s  %10s  %6s\n", "worker", "received", "pkts/burst",
             "sent", "pkts/burst", "upcalls", "dropped", "busy %");
    dp_user_for_each_worker(f->dp, put_worker, f);
}

/* --- datapath/latency --- */

static void
put_worker_latency(void *f_, const struct dp_user_worker *w)
{
    struct figures *f = f_;
    struct perf *perf = dp_user_copy_perf(f->dp, w->id);

    if (perf && w->is_polling) {
        str_putf(&f->out, "pmd thread numa_id %u core_id %d:\n", w->node, w->core);
    } else if (perf) {
        str_putf(&f->out, "worker %u:\n", w->id);
    }
    if (perf) {
        perf_put_latency(&f->out, &perf->latency);
        free(perf);
    }
}

static void
put_latency(struct figures *f)
{
    dp_user_for_each_worker(f->dp, put_worker_latency, f);
}

/* --- Commands --- */

static void
put_dp(void *f_, const struct datapath *dp)
{
    struct figures *f = f_;

    if (!f->name || !strcmp(f->name, dp->name)) {
        f->is_known = true;
        f->dp = dp;
        str_putf(&f->out, "%s@%s: %.1f s\n", dp->class->type, dp->name, dp_user_figures_ms(dp) / 1000.0);
        f->put(f);
    }
}

static void
answer(struct ctl_request *r, int argc, const char *argv[], void (*put)(struct figures *))
{
    struct figures f = { .out = STR_INIT, .put = put };

    if (argc > 1) {
        f.name = strchr(argv[1], '@') ? strchr(argv[1], '@') + 1 : argv[1];
    }
    dp_user_for_each(put_dp, &f);
    if (f.name && !f.is_known) {
        ctl_reply_error(r, "%s: no such userspace datapath", f.name);
    } else {
        ctl_reply(r, str_text(&f.out));
    }
    str_uninit(&f.out);
}

static void
cmd_queues(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    answer(r, argc, argv, put_queues);
}

static void
cmd_latency(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    answer(r, argc, argv, put_latency);
}

void
dp_user_figures_commands_register(void)
{
    ctl_register("datapath/queues", "[dp]", 0, 1, cmd_queues, NULL);
    ctl_register("datapath/latency", "[dp]", 0, 1, cmd_latency, NULL);
}
