/* Requests in several parts: those of a connection (openflow/assembler.h), and what becomes of requests that do not
 * end.
 *
 * Threads: main. */
#ifndef OFPROTO_MULTIPART_H
#define OFPROTO_MULTIPART_H 1

#include "ofproto/ofconn.h"

void multipart_init(struct ofconn *);
void multipart_uninit(struct ofconn *);

/* msg_decode() for the connection: it takes empty parts. */
enum ofperr multipart_decode(const struct ofconn *, const void *data, size_t len, struct msg *) MUST_CHECK;

/* As msg_assembler_add(), of any message. */
bool multipart_take(struct ofconn *, const struct msg *, struct msg *whole, enum ofperr *error) MUST_CHECK;

#endif
