/* Pages of a virtual machine's memory that have not come yet, while it is moved by post-copy (vhost-user,
 * VHOST_USER_POSTCOPY_ADVISE; Linux's Documentation/admin-guide/mm/userfaultfd.rst).
 *
 * What it is
 * ----------
 * Whoever touches such a page waits, in the kernel, until the machine's monitor has brought it.  The monitor hears of
 * it, and wakes who waits, by a descriptor (userfaultfd(2)) that DPDK's vhost library made and gave it.  If the monitor
 * dies the kernel wakes nobody, since the library still holds the descriptor; and the library may never hear of the
 * end, since its thread waits for the worker to leave the machine, or for a page itself.  So a thread of ours watches
 * the connections of the machines whose pages are still to come.  When one ends, it has the kernel forget what is
 * missing there: who waits goes on, and nobody waits any more.  They find empty pages, in memory that they share with
 * nobody; what they read or write there counts as lost.
 *
 * How it works
 * ------------
 * The library tells nobody which descriptors it uses.  That for the pages is the one that was not there before the
 * message that asked for it (its thread handles one message at a time, and nobody else makes such descriptors); that of
 * the connection leads to the file which is the port's socket (netlink/unix_diag.h).  We hold duplicates of both, until
 * the monitor says that all pages have come, or the library is done with the connection.  So a monitor that lives, and
 * whose port is removed, still brings the page that somebody waits for, and only then sees the end of the connection.
 *
 * What ends a wait: that the connection ends, for whatever reason, while a worker waits; while the library's thread
 * waits for that worker, because of this machine or another one; while it waits for a page itself; while the main
 * thread removes the port or stops the switch.  If it ends before anybody waits, nobody ever does.
 *
 * Limits
 * ------
 * A monitor that lives, keeps its connection, and brings no pages stops all who serve its machine: post-copy is for
 * monitors to be trusted, and refused where it has not been allowed.  When a monitor sends another table of memory
 * while its rings run, the library may look at the rings there before we know of that table: if their pages have not
 * come, and the monitor dies at that moment, the library waits for ever.  A kernel that does not know where a
 * connection leads (unix_diag) leaves the machine without a watch, which the log says.
 *
 * Threads: a lock of its own; see the functions. */
#ifndef NETDEV_VHOST_FAULTS_H
#define NETDEV_VHOST_FAULTS_H 1

#include <stdatomic.h>

#include "base/list.h"

struct rte_vhost_memory;

struct vhost_faults {
    _Atomic bool are_given_up;

    /* Under the lock. */
    struct list node;           /* In the list of those that are watched; else of its own. */
    bool has_ended;             /* The connection. */
    int pages, connection;      /* Duplicates, while it is watched. */
    char *path;                 /* What it is called in the log, while it is watched. */
    struct rte_vhost_memory *memory; /* Where pages may be missing; null: nowhere. */
};

/* All pages are there, and nothing is watched.  vhost_faults_end() releases what it comes to hold. */
void vhost_faults_init(struct vhost_faults *);

/* Whether a message (the library's form of it begins like the one on the wire) says that pages will come later. */
bool vhost_faults_are_asked_for(const void *message);

/* Before and after the library handles each message of the device 'vid', whose socket is at 'path'.  The library's
 * thread. */
void vhost_faults_before(struct vhost_faults *, const void *message);
void vhost_faults_after(struct vhost_faults *, int vid, const char *path, const void *message);

/* A new connection begins, with all pages there.  The library's thread. */
void vhost_faults_begin(struct vhost_faults *);

/* The connection is over; nobody is at the machine's memory any more.  May be said again. */
void vhost_faults_end(struct vhost_faults *);

/* Whether what has just been read from the machine's memory or written to it counts as lost.  Any thread. */
static ALWAYS_INLINE bool
vhost_faults_are_given_up(const struct vhost_faults *f)
{
    return atomic_load_explicit(&f->are_given_up, memory_order_relaxed);
}

#endif
