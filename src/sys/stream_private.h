/* What the files of streams share: the connection's structure, sockets, and the face of TLS. */
#ifndef SYS_STREAM_PRIVATE_H
#define SYS_STREAM_PRIVATE_H 1

#include <sys/socket.h>

#include "sys/stream.h"

struct tls_session; /* One TLS connection; see tls.c. */

/* What is read by looking (stream_peek.c). */
struct stream_peek {
    bool on;
    bool is_look;   /* The next read is one after a read that got something. */
    uint8_t finds;  /* How often such reads have found something of late; 0: read as usual. */
    size_t held;    /* Bytes read that are still in the socket, no more than some kilobytes, ... */
    unsigned held_reads; /* ... and what read them, no more than some dozen times. */
};

struct stream {
    struct loop *loop;
    char *name;
    int fd;                    /* -1 while the name is being looked up. */
    int status;                /* As stream_status(). */
    stream_cb *cb;             /* Null until set. */
    void *aux;
    int wanted;                /* LOOP_READ | LOOP_WRITE, the user's. */
    int read_needs, write_needs; /* What the descriptor must be ready for to read, to write: TLS may swap them. */
    bool is_unix;
    bool connected;            /* The socket is; TLS may still be shaking hands. */
    bool reported;             /* STREAM_OPEN has been. */
    struct loop_fd poll;
    struct loop_task report;   /* Reports the end of opening. */
    struct loop_task again;    /* There is more to read than the descriptor shows. */
    struct loop_timer retry;   /* Unix: the listener's queue is full. */
    struct tls_session *tls;   /* Null without TLS. */
    struct resolver *resolver; /* Null unless looking a name up. */
    char *path;                /* Unix: the socket's file. */
    struct stream_peek peek;
};

/* A stream on a socket that is connected or connecting; starts TLS if 'tls' is not null. */
struct stream *stream_create(struct loop *, const char *name, int fd, bool is_unix, struct tls_session *);

/* Connects or binds a Unix socket to a path of any length.  0 or a negative errno. */
int stream_unix_connect(int fd, const char *path);
int stream_unix_bind(int fd, const char *path);

/* Looking, from stream_peek.c.  Starts it, if the system can do it; reads, as stream_read() does; takes what has been
 * read out of the socket (0 or a negative errno), which must be before it is closed: else the peer gets an error. */
void stream_peek_start(struct stream_peek *, int fd);
ssize_t stream_peek_read(struct stream_peek *, int fd, void *, size_t) MUST_CHECK;
int stream_peek_finish(struct stream_peek *, int fd);

/* TLS, from tls.c.  tls_session_create(): 0 or a negative errno, 'host' is for the server's name (null for servers). */
int tls_session_create(bool server, const char *host, struct tls_session **);
void tls_session_attach(struct tls_session *, int fd);
/* Each returns as stream_read() does, and sets '*needs' to the LOOP_READ or LOOP_WRITE that -EAGAIN waits for. */
int tls_session_handshake(struct tls_session *, const char *name, int *needs);
ssize_t tls_session_read(struct tls_session *, void *, size_t, int *needs);
ssize_t tls_session_write(struct tls_session *, const void *, size_t, int *needs);
bool tls_session_has_pending(const struct tls_session *);
const char *tls_session_peer_id(struct tls_session *);
void tls_session_destroy(struct tls_session *);

#endif
