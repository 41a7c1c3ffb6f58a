/* What memory/show reports, and the log when memory grows: counts of the things that take memory.
 *
 * A part registers a function that adds its counts; names are unique and the output is sorted by them.  Several parts
 * may add to one name. */
#ifndef CTL_MEMORY_H
#define CTL_MEMORY_H 1

#include "base/str.h"
#include "sys/loop.h"

struct memory_report;
typedef void memory_cb(struct memory_report *, void *aux);

void memory_register(memory_cb *, void *aux);
void memory_unregister(memory_cb *, void *aux);
/* Adds to the count of 'name'. */
void memory_add(struct memory_report *, const char *name, uint64_t count);

/* Appends "name:count name:count" of all registered parts. */
void memory_format(struct str *);

/* Says in the log how much memory the process has after ten seconds, and from then on, looking every ten seconds, each
 * time that the most it ever had has grown by half. */
struct memory_watch {
    struct loop_timer timer;
    int64_t since; /* ms */
    long peak_kb;  /* As of then; 0: nothing was said yet. */
};

void memory_watch_begin(struct memory_watch *, struct loop *);
void memory_watch_end(struct memory_watch *);

#endif
