/* What the database benchmark stands on: a server that is started and watched, and a client that costs little.
 *
 * The server runs as a child in a directory of its own.  What it does is measured by its own processor time
 * (rig_cpu_ns(): all of its threads and the children that it has waited for) and its resident memory, so that neither
 * this client nor other work on the machine counts.
 *
 * The client blocks.  It writes text that it is given and finds where a message ends by brackets and quotes; it does
 * not parse.  Anything unexpected ends the program with a message and status 1, the server with it.
 *
 * Threads: none. */
#ifndef BENCH_OVSDB_RIG_H
#define BENCH_OVSDB_RIG_H 1

#include <sys/types.h>

#include "base/str.h"

struct rig {
    const char *server, *tool, *appctl; /* Programs. */
    const char *dir;
    char *file, *socket, *control;
    pid_t pid;      /* 0: not running. */
    bool is_idle;   /* A server that does nothing. */
};

/* Prepares a rig in 'dir', which must exist, with an empty database file made from 'schema'. */
void rig_init(struct rig *, const char *dir, const char *server, const char *tool, const char *appctl,
              const char *schema);
/* Starts the server and waits until it answers. */
void rig_start(struct rig *);
/* Starts a server that does nothing: it answers each message with a fixed one.  With 'writes' it makes the system calls
 * that a database must: it waits for any of several clients, and appends what it read to a file before it answers. */
void rig_start_idle(struct rig *, bool writes);
/* Lets all the server's threads, or with null this program's, run on the 'nth' processor alone; -1: on any. */
void rig_pin(const struct rig *, int nth);
void rig_stop(struct rig *);
void rig_uninit(struct rig *);

int64_t rig_cpu_ns(const struct rig *);
/* The processor that the server's main thread ran on last. */
int rig_processor(const struct rig *);
int64_t rig_rss_bytes(const struct rig *);
/* Runs an ovs-appctl command and returns when it is done. */
void rig_appctl(struct rig *, const char *command);

int64_t now_ns(void); /* Monotonic. */
void die(const char *format, ...) PRINTF_FORMAT(1, 2) NORETURN;

struct client {
    int fd;
    char *in;           /* Received bytes: 'n' of them, 'used' at the start are done with. */
    size_t n, used, capacity;
    size_t scanned;     /* Bytes behind 'used' that the search for the end has seen. */
    int depth;
    bool in_string, escaped;
};

void client_open(struct client *, const struct rig *);
void client_close(struct client *);
void client_send(struct client *, const struct str *);
/* The next message, of '*len' bytes; valid until the next call. */
const char *client_receive(struct client *, size_t *len);
/* Ends the program if the reply says that something failed, an operation or a commit included. */
void check_reply(const char *text, size_t len);
/* Sends and waits for the reply, which is checked. */
void client_call(struct client *, const struct str *);

#endif
