/* The file of a capture: a regular one that did not exist before, or a FIFO that somebody reads.
 *
 * What it is
 * ----------
 * Blocks (packet/pcapng.h) are collected and written by the buffer.  If a regular file cannot take all, it is cut
 * behind the last whole block that leaves room for one more of 'reserve' bytes.  A FIFO is opened when somebody reads
 * it, and what its reader does not take is waited with until the capture is to end.
 *
 * Names are the daemon's user's to reach.  Nothing is replaced that has the name already, unless the caller says so;
 * symbolic links are never followed.
 *
 * Threads: one at a time; 'hurries' may be set by any. */
#ifndef DATAPATH_USER_CAPTURE_FILE_H
#define DATAPATH_USER_CAPTURE_FILE_H 1

#include <stdatomic.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/error.h"

struct capture_file {
    char *path;
    int fd;                   /* -1: a FIFO that nobody reads yet. */
    bool is_fifo;
    dev_t dev;                /* Of a regular file. */
    ino_t ino;
    uint32_t reserve;         /* Bytes. */
    size_t last_size;         /* Of the last block that was written, if that is a packet; else 0. */
    struct bytes buffer;      /* Whole blocks that are still to be written. */
    _Atomic uint64_t n_bytes; /* That the file has. */
    _Atomic bool hurries;     /* Do not wait for the reader of a FIFO much longer. */
};

/* Opens 'path', absolute; 'overwrites': also a regular file that exists, and is as it is until it is emptied. */
struct error *capture_file_open(struct capture_file *, const char *path, bool overwrites, uint32_t reserve) MUST_CHECK;
/* 0 or a negative errno value.  Nothing is done to a FIFO. */
int capture_file_empty(struct capture_file *);
/* Opens a FIFO that was not open yet: 0, -EAGAIN while nobody reads it, or another negative errno value. */
int capture_file_open_fifo(struct capture_file *);
/* Closes and releases; 0 or what closing reported as a negative errno value. */
int capture_file_close(struct capture_file *);

/* Writes what is in the buffer; 0 or a negative errno value.  Then '*n_lost' is the number of packets that are not in
 * the file, and the file ends with a whole block, if it is a regular one. */
int capture_file_flush(struct capture_file *, uint64_t *n_lost);

#endif
