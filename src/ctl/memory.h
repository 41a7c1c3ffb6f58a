/* What memory/show reports: counts of the things that take memory.
 *
 * A part registers a function that adds its counts; names are unique and the output is sorted by them.  Several parts
 * may add to one name. */
#ifndef CTL_MEMORY_H
#define CTL_MEMORY_H 1

#include "base/str.h"

struct memory_report;
typedef void memory_cb(struct memory_report *, void *aux);

void memory_register(memory_cb *, void *aux);
void memory_unregister(memory_cb *, void *aux);
/* Adds to the count of 'name'. */
void memory_add(struct memory_report *, const char *name, uint64_t count);

/* Appends "name:count name:count" of all registered parts. */
void memory_format(struct str *);

#endif
