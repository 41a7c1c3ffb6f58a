/* The parts of multipart requests (OpenFlow 1.3 §7.3.5), until the last one is there.
 *
 * What it is
 * ----------
 * Requests are told apart by their xids, so those of different xids may come mixed.  Empty parts are allowed in all
 * requests: some senders end a list with one.  More than one part with something in it is for requests about features
 * of tables alone, as in the reference: no other is so long.
 *
 * A request of which nothing has come for ASSEMBLER_TIMEOUT_MS is given up.
 *
 * Threads: none; an assembler is a connection's. */
#ifndef OPENFLOW_ASSEMBLER_H
#define OPENFLOW_ASSEMBLER_H 1

#include "base/hmap.h"
#include "base/list.h"
#include "openflow/msg.h"

enum { ASSEMBLER_TIMEOUT_MS = 1000 };

struct assembly {
    struct hmap_node by_xid;
    struct list in_order;    /* Behind those whose last part came earlier. */
    uint32_t xid;
    enum msg_type type;
    struct bytes *parts;     /* Whole messages: those that have something in them, or one, */
    bool is_empty;           /* of which this is true. */
    size_t n, capacity, n_bytes;
    int64_t due;             /* ms; when it is given up. */
};

struct msg_assembler {
    struct hmap assemblies;
    struct list in_order;
    size_t n_bytes, max_bytes; /* Of all. */
    struct assembly *done;   /* That the last call finished; null: it was one message. */
};

/* 'max_bytes': what all parts that wait may take, beyond the size of one message. */
void msg_assembler_init(struct msg_assembler *, size_t max_bytes);
void msg_assembler_uninit(struct msg_assembler *);

/* A statistics request, or a part of one.  False: more has to come.  True: 'whole' is to be handled, or refused with
 * '*error'; it is 'm' or the first of the parts, and the assembler's, like 'done', until the next
 * call.  Errors: OFPBRC_BAD_STAT if the parts do not belong together, OFPBRC_MULTIPART_BUFFER_OVERFLOW. */
bool msg_assembler_add(struct msg_assembler *, const struct msg *m, int64_t now, struct msg *whole,
                       enum ofperr *error);

/* Whether a message of which msg_decode() says that it is too short is an empty part. */
bool msg_assembler_takes_empty(const struct msg_assembler *, const struct msg *m);

/* When something is due to be given up next; INT64_MAX: nothing waits. */
int64_t msg_assembler_due(const struct msg_assembler *);
/* The first part of a request that is to be given up, which is the caller's; false if there is none. */
bool msg_assembler_give_up(struct msg_assembler *, int64_t now, struct bytes *part);

#endif
