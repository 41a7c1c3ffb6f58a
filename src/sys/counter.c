#include "sys/counter.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"

static struct list counters = LIST_INIT(&counters);
static unsigned int n_samples;

void
counter_register(struct counter *c)
{
    list_push_back(&counters, &c->node);
}

static uint64_t
total_of(struct counter *c)
{
    if (c->read) {
        counter_raise_to(c, c->read(c));
    }
    return atomic_load_explicit(&c->total, memory_order_relaxed);
}

void
counter_sample(void)
{
    unsigned int period = n_samples % COUNTER_N_MIN;
    unsigned int minute = n_samples / COUNTER_N_MIN % COUNTER_N_HOUR;

    LIST_FOR_EACH (c, struct counter, node, &counters) {
        uint64_t total = total_of(c);
        uint32_t growth = total - c->last;

        c->last = total;
        c->min[period] = growth;
        c->hour[minute] = period ? c->hour[minute] + growth : growth;
    }
    n_samples++;
}

/* Several files may count under one name. */
bool
counter_read(const char *name, uint64_t *total)
{
    bool found = false;

    *total = 0;
    LIST_FOR_EACH (c, struct counter, node, &counters) {
        if (!strcmp(c->name, name)) {
            *total += total_of(c);
            found = true;
        }
    }
    return found;
}

static double
rate(const uint32_t *values, size_t n, double seconds)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return sum / seconds;
}

void
counter_format(struct str *s)
{
    struct str rows = STR_INIT;
    unsigned int never = 0;
    uint32_t hash = 0; /* Of the names of the events that were hit: tells patterns of activity apart. */

    LIST_FOR_EACH (c, struct counter, node, &counters) {
        uint64_t total = total_of(c);
        uint32_t now = c->min[(n_samples + COUNTER_N_MIN - 1) % COUNTER_N_MIN];

        if (!total) {
            never++;
            continue;
        }
        hash = hash_string(c->name, hash);
        str_putf(&rows, "%-24s %5.1f/sec %9.3f/sec %13.4f/sec   total: %" PRIu64 "\n", c->name, now / 5.0,
                 rate(c->min, COUNTER_N_MIN, 60), rate(c->hour, COUNTER_N_HOUR, 3600), total);
    }
    str_putf(s, "Event coverage, avg rate over last: 5 seconds, last minute, last hour,  hash=%08" PRIx32 ":\n%s"
             "%u events never hit\n", hash, str_text(&rows), never);
    str_uninit(&rows);
}
