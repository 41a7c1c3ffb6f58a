/* Byte streams to and from other programs: Unix sockets, TCP, TLS.
 *
 * What it is
 * ----------
 * 'struct stream' is a connection, 'struct stream_listener' waits for them.  Both are named by a target, the way that
 * every program's manual page has it:
 *
 *   active   unix:FILE  tcp:HOST[:PORT]  ssl:HOST[:PORT]
 *   passive  punix:FILE  ptcp:[PORT][:IP]  pssl:[PORT][:IP]  pfd:FD
 *
 * HOST is a name, an IPv4 address or an IPv6 address in brackets; a scope ("%eth0") may follow inside them.  A FILE
 * that is not absolute is in the run directory.  The caller says which port is meant where none is given (6640 for
 * OVSDB, 6653 for OpenFlow).  TLS takes its keys from sys/tls.h.
 *
 * How it works
 * ------------
 * Everything is non-blocking on the loop of the thread.  stream_open() starts; when the connection is made, TLS
 * handshake included, or has failed, the callback runs with STREAM_OPEN and stream_status() says which.  From then on
 * the callback runs while the stream is ready for what stream_want() asked for.  stream_read() and stream_write() move
 * what can be moved now.  The callback may close the stream.
 *
 * Listeners set the mode of Unix socket files to 0770 less the umask, replace a stale one, and remove theirs at the
 * end, also when the process is ended by a signal.
 *
 * Threads: all for the loop's own thread.  Names are looked up on a thread of their own, so nothing blocks.
 *
 * Limits: Unix socket paths longer than the system's 107 bytes are reached through /proc/self/fd.  A read or write is
 * what one system call gives. */
#ifndef SYS_STREAM_H
#define SYS_STREAM_H 1

#include <sys/types.h>

#include "base/str.h"
#include "sys/loop.h"

struct stream;
struct stream_listener;

/* The peer has closed the stream in order: where an error is wanted, among negative errno values.  stream_strerror()
 * gives the text of either. */
enum { STREAM_EOF = -4096 };
const char *stream_strerror(int error);

enum { STREAM_PORT_OVSDB = 6640, STREAM_PORT_OPENFLOW = 6653 };

/* Events for the callback: LOOP_READ, LOOP_WRITE and, once, STREAM_OPEN when the opening has ended. */
enum { STREAM_OPEN = 4 };

typedef void stream_cb(struct stream *, int events, void *aux);
/* Takes over 'stream', which is open or still in its TLS handshake and has no callback yet. */
typedef void stream_accept_cb(struct stream_listener *, struct stream *stream, void *aux);

/* What a target may begin with. */
enum stream_kind { STREAM_UNIX, STREAM_TCP, STREAM_TLS, STREAM_FD };
struct stream_method {
    const char *name; /* "tcp:" */
    enum stream_kind kind;
    bool is_passive;
    const char *form; /* For help texts: what follows the name, and what that means. */
    const char *help;
};

/* The method that 'target' begins with, null if it is none of ours; each of them in turn, null behind the last. */
const struct stream_method *stream_target_method(const char *target);
const struct stream_method *stream_method_at(size_t i);

/* Appends the names of the active methods, or of all, a blank behind each: words for completion (sys/cmdline.h). */
void stream_put_active_methods(struct str *);
void stream_put_methods(struct str *);

/* Whether 'target' has the form of an active (passive) target; says nothing about its being reachable. */
bool stream_target_is_active(const char *target);
bool stream_target_is_passive(const char *target);

/* Whether probes of who is at the target make sense: not of Unix sockets, whose end is always noticed. */
bool stream_target_needs_probes(const char *target);

/* Whether 'text' begins with "METHOD:", known or not. */
bool stream_target_has_method(const char *text);
/* Takes the first target, as a new string, from a list of them with commas between, and moves '*list' behind it; null
 * if there is none left.  A comma that no "METHOD:" follows is part of a target's path, and blanks around a target are
 * not. */
char *stream_targets_take(const char **list) MUST_CHECK;

/* Starts to connect to 'target'.  Returns 0 and sets '*stream', or returns a negative errno value: -EAFNOSUPPORT for a
 * target of no known kind or with a bad address.  What can be told at once (no such socket file) is reported by the
 * callback too, never by the callback before this function has returned. */
int stream_open(struct loop *, const char *target, uint16_t default_port, stream_cb *, void *aux,
                struct stream **stream)
    MUST_CHECK;

/* Takes over a connected descriptor.  'name' appears in messages. */
struct stream *stream_from_fd(struct loop *, int fd, const char *name) MUST_CHECK;

/* Sets the callback of an accepted stream and what it wants (LOOP_READ | LOOP_WRITE). */
void stream_set_callback(struct stream *, stream_cb *, void *aux);
void stream_want(struct stream *, int events);

/* Tells an accepted stream that its peer sends requests and waits for the answer to each.  If it turns out that the
 * next one is there as soon as the answer is, requests of a Unix socket are taken out of it only when there is nothing
 * more to read, for which the user must read until -EAGAIN, now or when it is told again that there is something: if
 * they were taken out before, the peer would be woken each time, for nothing. */
void stream_expect_requests(struct stream *);

/* -EINPROGRESS while opening, 0 when open, else the error that ended it. */
int stream_status(const struct stream *);
/* Whether STREAM_OPEN is still to come. */
bool stream_is_opening(const struct stream *);

/* Read up to 'n' bytes.  Return the number read or written, 0 (read) at the end of the stream, -EAGAIN when nothing can
 * be moved now, or another negative errno value, after which the stream is only good for closing. */
ssize_t stream_read(struct stream *, void *p, size_t n) MUST_CHECK;
ssize_t stream_write(struct stream *, const void *p, size_t n) MUST_CHECK;

void stream_close(struct stream *); /* Null is allowed. */

/* The target, or for an accepted stream "tcp:IP:PORT", "ssl:IP:PORT", "unix#N". */
const char *stream_name(const struct stream *);
/* The port at the far end and here; 0 if there is none. */
uint16_t stream_remote_port(const struct stream *);
uint16_t stream_local_port(const struct stream *);
/* The same of the stream's peer. */
bool stream_needs_probes(const struct stream *);
/* The common name in the peer's certificate, or null. */
const char *stream_peer_id(const struct stream *);
/* Sets the differentiated services code point of the packets; no effect on Unix sockets.  0 or a negative errno. */
int stream_set_dscp(struct stream *, uint8_t dscp);

/* Starts to listen.  Returns 0 and sets '*listener', or a negative errno value and logs the reason. */
int stream_listen(struct loop *, const char *target, uint16_t default_port, stream_accept_cb *, void *aux,
                  struct stream_listener **listener) MUST_CHECK;
void stream_listener_close(struct stream_listener *); /* Null is allowed. */
/* The target as given, and the port that is bound (0 for a Unix socket). */
const char *stream_listener_name(const struct stream_listener *);
uint16_t stream_listener_port(const struct stream_listener *);
/* The code point for the connections to come. */
int stream_listener_set_dscp(struct stream_listener *, uint8_t dscp);

#endif
