#include "datapath/user/perf.h"

#include <math.h>
#include <stdatomic.h>

#include <rte_cycles.h>

#include "base/util.h"
#include "sys/log.h"

LOG_MODULE(pmd_perf)

/* With more rounds than this around a suspicious one, saying them makes the next ones suspicious. */
enum { MAX_SAID = 100, N_DASHES = 154 };

static const struct metric {
    const char *name, *mean;   /* Titles of the histogram, and of the mean. */
    uint32_t min, max;         /* Ends of the first and the last but one bin. */
    bool is_logarithmic, is_whole;
} metrics[PERF_N_METRICS] = {
    [PERF_CYCLES] = { "cycles/it", "cycles/it", 500, 24000000, true, true },
    [PERF_PACKETS] = { "packets/it", "packets/it", 0, 1000, true, false },
    [PERF_CYCLES_PER_PACKET] = { "cycles/pkt", "cycles/pkt", 100, 30000, false, true },
    [PERF_PACKETS_PER_BATCH] = { "pkts/batch", "pkts/batch", 0, 32, false, false },
    [PERF_QUEUE] = { "max vhost qlen", "vhost qlen", 0, 512, true, false },
    [PERF_UPCALLS] = { "upcalls/it", "upcalls/it", 0, 30, false, false },
    [PERF_CYCLES_PER_UPCALL] = { "cycles/upcall", "cycles/upcall", 1000, 1000000, true, true },
};

/* Bins. */

/* From 'min' to 'max', each a like part larger than the one before; from 0, where that would be no number, 0 and then
 * from 1, each at least by one. */
static void
logarithmic_ends(uint64_t ends[PERF_BINS - 1], uint32_t min, uint32_t max)
{
    unsigned int first = min ? 0 : 1;
    double from = log(MAX(min, 1u)), step = (log(max) - from) / (PERF_BINS - 2 - first);

    ends[0] = 0;
    for (unsigned int i = first; i < PERF_BINS - 1; i++) {
        uint64_t end = exp(from + (i - first) * step);

        ends[i] = min || end > ends[i - 1] ? end : ends[i - 1] + 1;
    }
    ends[PERF_BINS - 2] = max;
}

void
perf_bin_ends(enum perf_metric which, uint64_t ends[PERF_BINS - 1])
{
    const struct metric *m = &metrics[which];

    if (m->is_logarithmic) {
        logarithmic_ends(ends, m->min, m->max);
        return;
    }
    for (unsigned int i = 0; i < PERF_BINS - 1; i++) {
        ends[i] = m->min + (uint64_t) (m->max - m->min) * i / (PERF_BINS - 2);
    }
}

static uint64_t all_ends[PERF_N_METRICS][PERF_BINS - 1];

static void
compute_ends(void)
{
    for (int m = 0; m < PERF_N_METRICS; m++) {
        perf_bin_ends(m, all_ends[m]);
    }
}

static void
count_in(struct perf *p, enum perf_metric which, uint64_t value)
{
    unsigned int i = 0;

    while (i < PERF_BINS - 1 && value > all_ends[which][i]) {
        i++;
    }
    p->bins[which][i]++;
}

/* Adding. */

static uint64_t
divide(uint64_t a, uint64_t b)
{
    return b ? a / b : 0;
}

static void
count(struct perf *p, const struct perf_row *r)
{
    count_in(p, PERF_CYCLES, r->cycles);
    count_in(p, PERF_PACKETS, r->n_packets);
    if (r->n_packets) {
        count_in(p, PERF_CYCLES_PER_PACKET, r->cycles / r->n_packets);
    }
    count_in(p, PERF_PACKETS_PER_BATCH, divide(r->n_packets, r->n_batches));
    count_in(p, PERF_QUEUE, 0);
    count_in(p, PERF_UPCALLS, r->n_upcalls);
    if (r->n_upcalls) {
        count_in(p, PERF_CYCLES_PER_UPCALL, r->upcall_cycles / r->n_upcalls);
    }
}

static void
sum(struct perf_row *to, const struct perf_row *r)
{
    to->n++;
    to->cycles += r->cycles;
    to->busy_cycles += r->n_packets ? r->cycles : 0;
    to->n_packets += r->n_packets;
    to->n_batches += r->n_batches;
    to->n_upcalls += r->n_upcalls;
    to->upcall_cycles += r->upcall_cycles;
}

/* The row of 'id': the last one, or a new one. */
static struct perf_row *
row_of(struct perf_history *h, uint64_t id)
{
    struct perf_row *row = &h->rows[(h->n - 1) % PERF_HISTORY];

    if (!h->n || row->id != id) {
        row = &h->rows[h->n++ % PERF_HISTORY];
        *row = (struct perf_row) { .id = id };
    }
    return row;
}

/* Too long ones. */

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct perf_log settings = PERF_LOG_DEFAULT; /* Guarded by it. */
static _Atomic bool is_logging;

struct perf_log
perf_get_log(void)
{
    struct perf_log l;

    pthread_mutex_lock(&log_mutex);
    l = settings;
    pthread_mutex_unlock(&log_mutex);
    return l;
}

static void
set_log(const struct perf_log *l)
{
    pthread_mutex_lock(&log_mutex);
    settings = *l;
    pthread_mutex_unlock(&log_mutex);
    atomic_store(&is_logging, l->is_on);
}

void
perf_set_log(const struct perf_log *l)
{
    set_log(l);
    log_info("pmd-perf-log-set: %s, before=%u, after=%u, extend=%s, us_thr=%u, q_thr=%u", l->is_on ? "on" : "off",
             l->before, l->after, l->extends ? "true" : "false", l->us, l->queue);
}

static void
say(struct perf *p, const struct perf_log *l)
{
    static struct log_limit limit = LOG_LIMIT_INIT(60, 60);
    uint64_t n = p->rounds.n - p->suspect + 1 + l->before;
    struct str s = STR_INIT;

    log_warn_rl(&limit, "Suspicious iteration (Excessive total cycles): iter=%llu duration=%.0f us",
                (unsigned long long) p->suspect, 1e6 * p->suspect_cycles / rte_get_tsc_hz());
    perf_put_rounds(&s, p, n);
    log_warn_rl(&limit, "Neighborhood of suspicious iteration:\n%.*s", (int) s.len - 1, str_text(&s));
    str_uninit(&s);
    p->suspect = 0;
    if (n > MAX_SAID) {
        struct perf_log safe = PERF_LOG_DEFAULT;

        safe.is_on = l->is_on;
        safe.us = l->us;
        safe.queue = l->queue;
        set_log(&safe);
    }
}

static void
look_at(struct perf *p, uint64_t cycles)
{
    struct perf_log l = perf_get_log();

    if (cycles > l.us * (rte_get_tsc_hz() / 1000000)) {
        if (!p->suspect) {
            p->suspect = p->rounds.n;
            p->suspect_cycles = cycles;
            p->say_at = p->rounds.n + l.after;
        } else if (l.extends) {
            p->say_at = p->rounds.n + l.after;
        }
    }
    if (p->suspect && p->rounds.n >= p->say_at) {
        say(p, &l);
    }
}

void
perf_add(struct perf *p, const struct perf_row *round, uint64_t ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, compute_ends);
    count(p, round);
    sum(&p->total, round);
    sum(row_of(&p->rounds, p->rounds.n + 1), round);
    sum(row_of(&p->milliseconds, ms), round);
    if (atomic_load_explicit(&is_logging, memory_order_relaxed)) {
        look_at(p, round->cycles);
    } else {
        p->suspect = 0;
    }
}

/* Text. */

static double
ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* Cells are 21 wide, with two spaces between them. */
static void
put_means(struct str *s, const struct perf_row *t)
{
    const double means[PERF_N_METRICS] = {
        [PERF_CYCLES] = ratio(t->cycles, t->n), [PERF_PACKETS] = ratio(t->n_packets, t->n),
        [PERF_CYCLES_PER_PACKET] = ratio(t->busy_cycles, t->n_packets),
        [PERF_PACKETS_PER_BATCH] = ratio(t->n_packets, t->n_batches), [PERF_UPCALLS] = ratio(t->n_upcalls, t->n),
        [PERF_CYCLES_PER_UPCALL] = ratio(t->upcall_cycles, t->n_upcalls),
    };

    for (int m = 0; m < PERF_N_METRICS; m++) {
        str_putf(s, "%s%-21s", m ? "  " : "   ", metrics[m].mean);
    }
    str_puts(s, "\n");
    for (int m = 0; m < PERF_N_METRICS; m++) {
        str_putf(s, metrics[m].is_whole ? "%s%-21.0f" : "%s%-21.5f", m ? "  " : "   ", means[m]);
    }
    str_puts(s, "\n");
}

static void
put_bins(struct str *s, const struct perf *p, unsigned int bin)
{
    for (int m = 0; m < PERF_N_METRICS; m++) {
        uint64_t ends[PERF_BINS - 1];

        perf_bin_ends(m, ends);
        str_puts(s, m ? "  " : "   ");
        if (bin < PERF_BINS - 1) {
            str_putf(s, "%-9llu ", (unsigned long long) ends[bin]);
        } else {
            str_puts(s, ">         ");
        }
        str_putf(s, "%-11llu", (unsigned long long) p->bins[m][bin]);
    }
    str_puts(s, "\n");
}

void
perf_put_histograms(struct str *s, const struct perf *p)
{
    str_puts(s, "Histograms\n");
    for (int m = 0; m < PERF_N_METRICS; m++) {
        str_putf(s, "%s%-21s", m ? "  " : "   ", metrics[m].name);
    }
    str_puts(s, "\n");
    for (unsigned int i = 0; i < PERF_BINS; i++) {
        put_bins(s, p, i);
    }
    for (int i = 0; i < N_DASHES; i++) {
        str_puts(s, "-");
    }
    str_puts(s, "\n");
    put_means(s, &p->total);
}

static void
put_figures(struct str *s, const uint64_t *figures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        str_putf(s, "%s%-11llu", i ? "  " : "", (unsigned long long) figures[i]);
    }
    str_puts(s, "\n");
}

static uint64_t
n_rows(const struct perf_history *h, uint64_t wanted)
{
    return MIN(wanted, MIN(h->n, (uint64_t) PERF_HISTORY));
}

void
perf_put_rounds(struct str *s, const struct perf *p, uint64_t n)
{
    str_puts(s, "   iter                cycles       packets      cycles/pkt   pkts/batch   vhost qlen   upcalls      "
             "cycles/upcall\n");
    n = n_rows(&p->rounds, n);
    for (uint64_t i = 0; i < n; i++) {
        const struct perf_row *r = &p->rounds.rows[(p->rounds.n - 1 - i) % PERF_HISTORY];
        const uint64_t figures[] = { r->cycles, r->n_packets, divide(r->cycles, r->n_packets),
                                     divide(r->n_packets, r->n_batches), 0, r->n_upcalls,
                                     divide(r->upcall_cycles, r->n_upcalls) };

        str_putf(s, "   %-17llu   ", (unsigned long long) r->id);
        put_figures(s, figures, ARRAY_SIZE(figures));
    }
}

void
perf_put_milliseconds(struct str *s, const struct perf *p, uint64_t n)
{
    str_puts(s, "   ms             iterations   cycles/it    Kpps         cycles/pkt   pkts/batch   vhost qlen   "
             "upcalls      cycles/upcall\n");
    n = n_rows(&p->milliseconds, n);
    for (uint64_t i = 0; i < n; i++) {
        const struct perf_row *r = &p->milliseconds.rows[(p->milliseconds.n - 1 - i) % PERF_HISTORY];
        const uint64_t figures[] = { r->n, divide(r->cycles, r->n), r->n_packets, divide(r->busy_cycles, r->n_packets),
                                     divide(r->n_packets, r->n_batches), 0, r->n_upcalls,
                                     divide(r->upcall_cycles, r->n_upcalls) };

        str_putf(s, "   %-12llu   ", (unsigned long long) r->id);
        put_figures(s, figures, ARRAY_SIZE(figures));
    }
}
