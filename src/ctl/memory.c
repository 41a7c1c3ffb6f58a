#include "ctl/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/strmap.h"
#include "sys/clock.h"
#include "sys/log.h"

LOG_MODULE(memory)

enum { WATCH_MS = 10000, NOTABLE_GROWTH = 50 /* Per cent. */ };

struct reporter {
    struct list node;
    memory_cb *cb;
    void *aux;
};

struct memory_report {
    struct strmap counts; /* Of uint64_t, owned. */
};

static struct list reporters = LIST_INIT(&reporters);

void
memory_register(memory_cb *cb, void *aux)
{
    struct reporter *r = xmalloc(sizeof *r);

    r->cb = cb;
    r->aux = aux;
    list_push_back(&reporters, &r->node);
}

void
memory_unregister(memory_cb *cb, void *aux)
{
    LIST_FOR_EACH_SAFE (r, struct reporter, node, &reporters) {
        if (r->cb == cb && r->aux == aux) {
            list_remove(&r->node);
            free(r);
        }
    }
}

void
memory_add(struct memory_report *report, const char *name, uint64_t count)
{
    uint64_t *sum = strmap_get(&report->counts, name);

    if (!sum) {
        sum = xzalloc(sizeof *sum);
        strmap_put(&report->counts, name, sum);
    }
    *sum += count;
}

void
memory_format(struct str *s)
{
    struct memory_report report = { STRMAP_INIT(&report.counts) };
    struct strmap_entry **sorted;

    LIST_FOR_EACH (r, struct reporter, node, &reporters) {
        r->cb(&report, r->aux);
    }
    sorted = strmap_sorted(&report.counts);
    for (size_t i = 0; i < strmap_count(&report.counts); i++) {
        str_putf(s, "%s%s:%" PRIu64, i ? " " : "", sorted[i]->key, *(uint64_t *) sorted[i]->value);
    }
    free(sorted);
    strmap_uninit_free(&report.counts);
}

/* --- What the log says --- */

static void
log_counts(void)
{
    struct str s = STR_INIT;

    memory_format(&s);
    if (s.len) {
        log_info("%s", str_text(&s));
    }
    str_uninit(&s);
}

static void
watch(struct loop_timer *t)
{
    struct memory_watch *w = CONTAINER_OF(t, struct memory_watch, timer);
    int64_t now = clock_now_ms();
    double seconds = (now - w->since) / 1000.0;
    struct rusage usage;

    loop_timer_set(t, now + WATCH_MS);
    if (getrusage(RUSAGE_SELF, &usage)) {
        return;
    }
    if (!w->peak_kb) {
        log_info("%ld kB peak resident set size after %.1f seconds", usage.ru_maxrss, seconds);
    } else if (usage.ru_maxrss >= w->peak_kb + w->peak_kb * NOTABLE_GROWTH / 100) {
        log_info("peak resident set size grew %.0f%% in last %.1f seconds, from %ld kB to %ld kB",
                 100.0 * (usage.ru_maxrss - w->peak_kb) / w->peak_kb, seconds, w->peak_kb, usage.ru_maxrss);
    } else {
        return;
    }
    w->peak_kb = usage.ru_maxrss;
    w->since = now;
    log_counts();
}

void
memory_watch_begin(struct memory_watch *w, struct loop *loop)
{
    w->peak_kb = 0;
    w->since = clock_now_ms();
    loop_timer_init(loop, &w->timer, watch, w);
    loop_timer_set(&w->timer, w->since + WATCH_MS);
}

void
memory_watch_end(struct memory_watch *w)
{
    loop_timer_cancel(&w->timer);
}
