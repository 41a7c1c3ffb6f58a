/* The C library's heap, for a daemon that holds many small things.
 *
 * What it is
 * ----------
 * Rows and strings of a large database are found through hash tables, so each look-up goes to another page; with pages
 * of 4 KB the processor spends much time on finding the pages, and the system on making them.  So while a database is
 * read from its file the heap grows in large steps, and heap_check() asks the system for huge pages for what it has
 * grown by.  A small heap stays as it is.
 *
 * While clients are served nobody waits for a huge page: a virtual machine's host may take milliseconds for one.  Where
 * the heap grows little by little, heap_keep_ahead() has a thread see to the next one shortly before it is needed.  A
 * bulk load is quicker than that, and gets small pages.
 *
 * Where the system has no huge pages, or malloc() is not the C library's, nothing changes.
 *
 * Threads: for one thread, of which the heap is; others have heaps of their own, left alone. */
#ifndef SYS_HEAP_H
#define SYS_HEAP_H 1

#include <stddef.h>

#include "base/util.h"

/* Sets the heap up for reading a large database: tables are in it, whose growth is fast then. */
void heap_set_up_loading(void);

/* Sets the heap up for serving.  Long texts (of requests, snapshots, compactions) are mapped one by one and given back
 * one by one: from the heap, hundreds of megabytes at its end would go back in one call, which takes tens of
 * milliseconds.  Left to itself, malloc puts them into the heap once it has seen some. */
void heap_set_up_serving(void);

/* To be called now and then while things are allocated, a few hundred KB apart at most; costs next to nothing. */
void heap_check(void);

/* To be called after each change while serving, with the address of what was allocated last (which is not read): sees
 * to it that the next huge page of the heap is there before it is needed.  Costs next to nothing. */
void heap_keep_ahead(const void *newest);

/* Asks for huge pages for the 'n' bytes at 'p', of a large block that is about to be filled. */
void heap_advise(void *p, size_t n);

/* Gives the memory of the whole huge pages between 'from' and 'to' back to the system, which has it at hand for what is
 * allocated next; what was in it is lost.  Returns where the rest begins, to be given back with what follows. */
char *heap_release(char *from, const char *to) MUST_CHECK;

#endif
