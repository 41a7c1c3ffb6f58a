/* A capture, for capture.c (whoever begins and ends it, and carries packets) and capture_writer.c (its thread).
 *
 * How one ends: the main thread takes it from its port, so that no burst finds it any more, and says 'is_left' when no
 * worker is at it.  Then the thread writes what is still in the rings and the last block, and says 'is_finished'.  If
 * the thread itself is to end it (a limit, an error), it closes the file, says 'is_over' and waits for the same. */
#ifndef DATAPATH_USER_CAPTURE_PRIVATE_H
#define DATAPATH_USER_CAPTURE_PRIVATE_H 1

#include <pthread.h>

#include "datapath/user/capture.h"
#include "datapath/user/capture_file.h"
#include "datapath/user/capture_ring.h"
#include "datapath/user/worker.h"
#include "sys/loop.h"

/* One for each worker, and one for all who execute actions for others. */
enum { CAPTURE_N_RINGS = MAX_WORKERS + 1 };

struct capture {
    struct capture_options options;
    struct capture_ring *rings;       /* CAPTURE_N_RINGS; in memory of its own, used as far as it is touched. */
    pthread_mutex_t last_ring;        /* Of those who put into the last ring. */
    _Atomic bool is_on;               /* Copies are wanted: there is somebody who reads. */

    /* The thread's. */
    struct capture_file file;
    uint64_t started_ns;              /* Since 1970. */
    int64_t began_us, ended_us;       /* On clock_real_us(). */
    uint64_t next_id;
    uint8_t copy[PACKET_MAX + 1];     /* Of a frame that is changed. */
    _Atomic uint64_t n_in, n_out, n_lost; /* Packets in the file, but for those lost when it was cut. */
    char *why;                        /* It ended; these are the main thread's when 'is_over'. */
    bool has_failed;                  /* It ended by an error. */

    _Atomic bool is_over, is_left, is_finished;
    struct loop_wake *wake;           /* For what of these the thread says. */

    /* The main thread's. */
    struct list node;
    unsigned int id;
    struct port *port;                /* Null when it has been taken from it. */
    char *name, *path;                /* Of the port; of the file. */
    const char *left_because;         /* Set before 'is_left'. */
    uint64_t n_dropped;               /* When it has ended. */
    pthread_t thread;
    struct list waiting;              /* struct capture_wait: for its end. */
};

/* Puts what the file begins with; the thread, 'capture_'. */
void capture_put_head(struct capture *, const struct port *);
void *capture_write(void *capture_);

/* Packets that were left out for want of room. */
uint64_t capture_n_dropped(const struct capture *);
uint64_t capture_now_ns(void);

#endif
