#include "datapath/user/perf.h"

#include <math.h>
#include <stdatomic.h>

#include <rte_cycles.h>

#include "base/util.h"
#include "sys/log.h"

LOG_MODULE(pmd_perf)

/* With more rounds than this around a suspicious one, saying them makes the next ones suspicious. */
enum { MAX_SAID = 100, N_DASHES = 154 };

/* Ends of the first and the last but one bin. */
enum { MIN_LATENCY_NS = 100, MAX_LATENCY_NS = 10000000 };

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

static uint64_t all_ends[PERF_N_METRICS][PERF_BINS - 1], latency_ends[PERF_BINS - 1] /* Nanoseconds. */;

static void
compute_ends(void)
{
    for (int m = 0; m < PERF_N_METRICS; m++) {
        perf_bin_ends(m, all_ends[m]);
    }
    logarithmic_ends(latency_ends, MIN_LATENCY_NS, MAX_LATENCY_NS);
}

static pthread_once_t ends_once = PTHREAD_ONCE_INIT;

static unsigned int
bin_of(const uint64_t ends[PERF_BINS - 1], uint64_t value)
{
    unsigned int i = 0;

    while (i < PERF_BINS - 1 && value > ends[i]) {
        i++;
    }
    return i;
}

static void
count_in(struct perf *p, enum perf_metric which, uint64_t value)
{
    p->bins[which][bin_of(all_ends[which], value)]++;
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
    for (uint64_t i = 0; i < MAX(r->n_batches, UINT64_C(1)); i++) {
        count_in(p, PERF_PACKETS_PER_BATCH, divide(r->n_packets, r->n_batches));
    }
    count_in(p, PERF_QUEUE, r->queue);
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
    to->queue += r->queue;
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

/* Suspicious ones. */

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

    log_warn_rl(&limit, "Suspicious iteration (%s): iter=%llu duration=%.0f us", p->suspect_why,
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

/* Null if it is not. */
static const char *
why_suspicious(const struct perf_log *l, const struct perf_row *r)
{
    return r->cycles > l->us * (rte_get_tsc_hz() / 1000000) ? "Excessive total cycles"
           : r->queue && r->queue >= l->queue ? "Vhost RX queue full" : NULL;
}

static void
look_at(struct perf *p, const struct perf_row *r)
{
    struct perf_log l = perf_get_log();
    const char *why = why_suspicious(&l, r);

    if (why) {
        if (!p->suspect) {
            p->suspect = p->rounds.n;
            p->suspect_cycles = r->cycles;
            p->suspect_why = why;
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
    pthread_once(&ends_once, compute_ends);
    count(p, round);
    sum(&p->total, round);
    sum(row_of(&p->rounds, p->rounds.n + 1), round);
    sum(row_of(&p->milliseconds, ms), round);
    if (atomic_load_explicit(&is_logging, memory_order_relaxed)) {
        look_at(p, round);
    } else {
        p->suspect = 0;
    }
}

static uint64_t
ns_of(uint64_t cycles)
{
    return cycles * 1e9 / rte_get_tsc_hz();
}

void
perf_add_latency(struct perf *p, unsigned int n, uint64_t cycles)
{
    struct perf_latency *l = &p->latency;

    pthread_once(&ends_once, compute_ends);
    l->n += n;
    l->cycles += cycles * n;
    l->max = MAX(l->max, cycles);
    l->bins[bin_of(latency_ends, ns_of(cycles))] += n;
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
        [PERF_PACKETS_PER_BATCH] = ratio(t->n_packets, t->n_batches), [PERF_QUEUE] = ratio(t->queue, t->n),
        [PERF_UPCALLS] = ratio(t->n_upcalls, t->n),
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
                                     divide(r->n_packets, r->n_batches), r->queue, r->n_upcalls,
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
                                     divide(r->n_packets, r->n_batches), divide(r->queue, r->n), r->n_upcalls,
                                     divide(r->upcall_cycles, r->n_upcalls) };

        str_putf(s, "   %-12llu   ", (unsigned long long) r->id);
        put_figures(s, figures, ARRAY_SIZE(figures));
    }
}

/* What so many of a thousand packets need at most, microseconds: where the bin ends that the last of them is in. */
static double
latency_of_part(const struct perf_latency *l, unsigned int thousandths)
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < PERF_BINS - 1; i++) {
        n += l->bins[i];
        if (n * 1000 >= l->n * thousandths) {
            return MIN(latency_ends[i], ns_of(l->max)) / 1e3;
        }
    }
    return ns_of(l->max) / 1e3;
}

void
perf_put_latency(struct str *s, const struct perf_latency *l)
{
    static const unsigned int parts[] = { 500, 900, 990, 999 };

    str_putf(s, "  packets: %llu\n", (unsigned long long) l->n);
    if (!l->n) {
        return;
    }
    pthread_once(&ends_once, compute_ends);
    str_putf(s, "  mean: %.2f us\n", ns_of(l->cycles / l->n) / 1e3);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        str_putf(s, "  %g %%: at most %.2f us\n", parts[i] / 10.0, latency_of_part(l, parts[i]));
    }
    str_putf(s, "  max: %.2f us\n  %12s  %10s\n", ns_of(l->max) / 1e3, "up to (us)", "packets");
    for (unsigned int i = 0; i < PERF_BINS; i++) {
        if (i == PERF_BINS - 1 && l->bins[i]) {
            str_putf(s, "  %12s  %10llu\n", "more", (unsigned long long) l->bins[i]);
        } else if (l->bins[i]) {
            str_putf(s, "  %12.2f  %10llu\n", latency_ends[i] / 1e3, (unsigned long long) l->bins[i]);
        }
    }
}
