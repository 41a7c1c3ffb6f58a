/* OpenFlow messages: the registry, headers, and what all bodies share.
 *
 * What it is
 * ----------
 * The rows of messages.def as a table.  A message has a type (what it means: MSG_FLOW_MOD) and one or more wire forms
 * (how a version carries it: OFPT 14 in every version, NXT 13 as well in 1.0).  msg_decode() reads a header and finds
 * the row; the bodies have a file each in openflow/msg/, with a plain struct, a decoder and an encoder for every
 * version.
 *
 * How it works
 * ------------
 * Reading: msg_decode() checks the header and the length of the body against the row, and leaves 'body' for the
 * decoder of that type, which takes from it with base/bytes.h cursors.
 *
 * Writing: msg_start() appends a header to a buffer and returns where it stands; the encoder appends the body;
 * msg_finish() writes the length.  Several messages may stand in one buffer one after the other: that is how
 * they are pipelined.  Statistics replies that may outgrow one message are written through 'struct msg_parts', which
 * begins a new message when the present one is full.
 *
 * Threads: pure functions, but for msg_new_xid().
 *
 * Limits: a message is at most 65535 bytes.
 *
 * Standards: OpenFlow 1.0 to 1.5, Nicira and ONF extensions. */
#ifndef OPENFLOW_MSG_H
#define OPENFLOW_MSG_H 1

#include "base/bytes.h"
#include "base/str.h"
#include "openflow/error.h"

#define MSG_MAX 65535
#define MSG_HEADER 8 /* Bytes of the header that all messages have. */

enum msg_type {
#define MESSAGE(TYPE, NAME) MSG_##TYPE,
#define WIRE(...)
#include "openflow/messages.def"
    MSG_N
};

enum msg_class {
    CLASS_OFPT, CLASS_NXT, CLASS_ONFT,
    CLASS_OFPST_REQUEST, CLASS_OFPST_REPLY, CLASS_NXST_REQUEST, CLASS_NXST_REPLY, CLASS_ONFST_REQUEST, CLASS_ONFST_REPLY
};

/* A row of messages.def: one form of a message. */
struct msg_wire {
    enum msg_type type;
    enum msg_class class;
    uint16_t number;
    enum of_version first, last;
    uint16_t size, unit;
};

/* A received message. */
struct msg {
    enum msg_type type;
    const struct msg_wire *wire;
    enum of_version version;
    uint32_t xid;
    uint16_t stat_flags;   /* Of statistics messages; else 0. */
    const uint8_t *data;   /* The whole message, not owned. */
    size_t len;
    struct cursor body;    /* After the header of its class. */
};

/* Statistics: more messages of the same request (from 1.3) or reply follow. */
enum { MSG_STAT_MORE = 1 };

/* "OFPT_FLOW_MOD", "NXST_FLOW reply": the name of a form; of a type, in the form that 'version' prefers.
 * The text lives as long as the program. */
const char *msg_wire_name(const struct msg_wire *);
const char *msg_type_name(enum msg_type, enum of_version version);

/* The form of 'type' in 'version' (of class 'class'); null if there is none. */
const struct msg_wire *msg_wire_find(enum msg_type, enum of_version version);
const struct msg_wire *msg_wire_find_class(enum msg_type, enum msg_class class, enum of_version version);

/* Reads the header of the message of 'len' bytes at 'data'; 'len' must be the length that the header states.  A hello
 * of an unknown version is accepted.  On an error 'version' and 'xid' are set if they could be read. */
enum ofperr msg_decode(const void *data, size_t len, struct msg *) MUST_CHECK;

/* The same without looking at lengths: for the beginning of a message quoted in an error, or cut off.  'body' holds
 * what is there. */
enum ofperr msg_decode_partial(const void *data, size_t len, struct msg *) MUST_CHECK;

/* If 'why' is not null it receives what msg_decode() had to say about a message that it refused ("received X with
 * incorrect length ..."), to be released by the caller; unchanged if there is nothing to say. */
enum ofperr msg_decode_why(const void *data, size_t len, struct msg *, char **why) MUST_CHECK;

/* Length that the header at 'data' (at least 4 bytes) states. */
static inline size_t msg_stated_length(const void *data) { return get_be16((const uint8_t *) data + 2); }

/* Whether it is a statistics request or reply, and such a reply. */
bool msg_class_is_stats(enum msg_class);
bool msg_class_is_reply(enum msg_class);

/* Returns a transaction id not used before by this process. */
uint32_t msg_new_xid(void);

/* Appends the header of 'type' in the form that 'version' prefers (or of class 'class'), with a length of zero, and
 * returns its offset in 'b'.  'type' must have such a form. */
size_t msg_start(struct bytes *b, enum msg_type, enum of_version version, uint32_t xid);
size_t msg_start_class(struct bytes *b, enum msg_type, enum msg_class class, enum of_version version, uint32_t xid);

/* Writes the length of the message at 'start', which ends where 'b' does.  Returns false, and removes the message,
 * if it is
 * too long. */
bool msg_finish(struct bytes *b, size_t start);

/* A whole message without body (or with 'n' bytes at 'body'). */
void msg_put_simple(struct bytes *b, enum msg_type, enum of_version version, uint32_t xid, const void *body, size_t n);

/* Starts a reply of 'type' to 'request': same version, xid and, for statistics, class. */
size_t msg_start_reply(struct bytes *b, enum msg_type, const struct msg *request);

/* A statistics reply (or request) of many entries. */
struct msg_parts {
    struct bytes *out;   /* Not owned. */
    size_t start;        /* Of the present message in 'out'. */
    size_t header;       /* Bytes of its header. */
    bool is_stats;       /* Others cannot continue in a further message. */
};

/* Begins.  The buffer's first message of the reply starts at its present end. */
void msg_parts_begin(struct msg_parts *, struct bytes *out, enum msg_type, const struct msg *request);
void msg_parts_begin_class(struct msg_parts *, struct bytes *out, enum msg_type, enum msg_class, enum of_version,
                           uint32_t xid);

/* To be called when an entry that began at offset 'entry' of 'out' has been appended.  If it makes the message too
 * long, the entry moves to a new message.  Returns false, and drops the entry, if it does not fit an empty message. */
bool msg_parts_entry(struct msg_parts *, size_t entry);

/* Moves the messages that are complete, all but the last, to 'done'. */
void msg_parts_take_complete(struct msg_parts *, struct bytes *done);

/* Finishes the last message. */
void msg_parts_end(struct msg_parts *);

#endif
