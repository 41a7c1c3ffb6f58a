/* Bundles: many changes as one.  Standards: OpenFlow 1.4 §7.3.9, ONF extension 230 for 1.3. */
#ifndef OPENFLOW_MSG_BUNDLE_H
#define OPENFLOW_MSG_BUNDLE_H 1

#include "openflow/msg.h"

enum bundle_control_type {
    BUNDLE_OPEN_REQUEST, BUNDLE_OPEN_REPLY, BUNDLE_CLOSE_REQUEST, BUNDLE_CLOSE_REPLY, BUNDLE_COMMIT_REQUEST,
    BUNDLE_COMMIT_REPLY, BUNDLE_DISCARD_REQUEST, BUNDLE_DISCARD_REPLY
};

enum { BUNDLE_ATOMIC = 1, BUNDLE_ORDERED = 2 };

struct bundle_control {
    uint32_t bundle_id;
    uint16_t type;  /* enum bundle_control_type. */
    uint16_t flags; /* BUNDLE_*. */
};

enum ofperr bundle_control_decode(const struct msg *, struct bundle_control *) MUST_CHECK;
void bundle_control_encode(struct bytes *, enum of_version, uint32_t xid, const struct bundle_control *);
void bundle_control_reply(struct bytes *, const struct msg *request, const struct bundle_control *);

struct bundle_add {
    uint32_t bundle_id;
    uint16_t flags;
    struct msg inner; /* Points into the message. */
};

/* OFPBFC_MSG_UNSUP, MSG_BAD_XID, BAD_VERSION, MSG_BAD_LEN.  'why' as in msg_decode_why(). */
enum ofperr bundle_add_decode(const struct msg *, struct bundle_add *, char **why) MUST_CHECK;

/* Appends a bundle-add around the message of 'n' bytes at 'inner', taking over its version and xid. */
bool bundle_add_encode(struct bytes *, uint32_t bundle_id, uint16_t flags, const void *inner, size_t n);

#endif
