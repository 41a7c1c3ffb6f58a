/* Signals, and the files that must not outlive the process.
 *
 * Files (sockets, pid files) given to cleanup_add() are removed at exit and when SIGTERM, SIGINT, SIGHUP or SIGALRM end
 * the process, which then dies of that signal, as its parent expects.  A program that wants a signal for itself
 * watches it: its callback then runs on the loop, and the signal no longer ends the process.
 *
 * Threads: main thread.  Removal works in the process that added the file only, not in its forks. */
#ifndef SYS_SIGNALS_H
#define SYS_SIGNALS_H 1

#include <pthread.h>

#include "sys/loop.h"

/* Ignores SIGPIPE and arms the removal of files.  Called by cmdline_init(). */
void signals_init(void);

/* Remember, forget, or remove at once and forget a file. */
void signals_cleanup_add(const char *path);
void signals_cleanup_remove(const char *path);
int signals_cleanup_unlink(const char *path); /* 0 or a negative errno value. */
/* Forgets all files without removing them: in a forked child. */
void signals_cleanup_forget(void);

struct signal_watch {
    struct loop_fd fd; /* The read end of a pipe. */
    int pipe[2];
    int signo;
    void (*cb)(struct signal_watch *);
    void *aux;
};

/* Runs 'cb' on the loop after 'signo' has arrived, until stopped. */
void signal_watch_start(struct loop *, struct signal_watch *, int signo, void (*cb)(struct signal_watch *), void *aux);
void signal_watch_stop(struct signal_watch *);

/* pthread_create() of a thread that takes none of the process's signals, only those of its own faults: with these
 * blocked, too, a fault would end the process without who reports it.  Any thread. */
int signals_thread_create(pthread_t *, const pthread_attr_t *, void *(*main)(void *), void *aux);

#endif
