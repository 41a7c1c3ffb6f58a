/* What controller and switch agree on about their connection: roles, asynchronous messages, formats; and errors. */
#ifndef OPENFLOW_MSG_CONTROL_H
#define OPENFLOW_MSG_CONTROL_H 1

#include "openflow/msg.h"

/* Roles, with the numbers of 1.2 and later. */
enum of_role { ROLE_NOCHANGE, ROLE_EQUAL, ROLE_PRIMARY, ROLE_SECONDARY };

/* "nochange", "equal", "primary", "secondary". */
const char *of_role_name(enum of_role);

struct role_msg {
    enum of_role role;
    bool has_generation;
    uint64_t generation;
};

/* ROLE_REQUEST and ROLE_REPLY, of both classes.  OFPRRFC_BAD_ROLE. */
enum ofperr role_decode(const struct msg *, struct role_msg *) MUST_CHECK;
void role_request_encode(struct bytes *, enum of_version, uint32_t xid, const struct role_msg *);
void role_reply_encode(struct bytes *, const struct msg *request, const struct role_msg *);

enum role_reason { ROLE_REASON_PRIMARY_REQUEST, ROLE_REASON_CONFIG, ROLE_REASON_EXPERIMENTER, ROLE_REASON_N };

struct role_status {
    enum of_role role;
    uint8_t reason; /* enum role_reason. */
    uint64_t generation; /* All ones: unknown. */
};

enum ofperr role_status_decode(const struct msg *, struct role_status *) MUST_CHECK;
/* Nothing before 1.3, which has no such message: then returns false. */
bool role_status_encode(struct bytes *, enum of_version, const struct role_status *);

/* Asynchronous messages that a controller wants: bit N of a mask is reason N. */
enum async_kind {
    ASYNC_PACKET_IN, ASYNC_PORT_STATUS, ASYNC_FLOW_REMOVED, ASYNC_ROLE_STATUS, ASYNC_TABLE_STATUS,
    ASYNC_REQUESTFORWARD, ASYNC_N
};

struct async_config {
    uint32_t primary[ASYNC_N];   /* As primary or equal. */
    uint32_t secondary[ASYNC_N];
};

/* "PACKET_IN", ...: as printed. */
const char *async_kind_name(enum async_kind);

/* What a new connection gets. */
void async_config_default(enum of_version, struct async_config *);

/* SET_ASYNC of every form and GET_ASYNC_REPLY.  '*config' holds the present settings and is changed where the
 * message says
 * something.  'loose' ignores what is not known.  OFPACFC_INVALID for bits that the version does not have (and
 * '*why', if
 * not null, receives words for it). */
enum ofperr async_config_decode(const struct msg *, bool loose, struct async_config *, char **why) MUST_CHECK;
void async_reply_encode(struct bytes *, const struct msg *request, const struct async_config *);
void async_set_encode(struct bytes *, enum of_version, uint32_t xid, const struct async_config *);

/* Packet-in formats (NXT_SET_PACKET_IN_FORMAT).  '*raw' (null allowed) receives the number of the wire. */
enum packet_in_format { PACKET_IN_STANDARD, PACKET_IN_NXT, PACKET_IN_NXT2, PACKET_IN_N_FORMATS };
const char *packet_in_format_name(enum packet_in_format);
bool packet_in_format_parse(const char *text, enum packet_in_format *);
/* Appends the names, a blank behind each (sys/cmdline.h). */
void packet_in_formats_put_choice(struct str *);
enum ofperr packet_in_format_decode(const struct msg *, enum packet_in_format *, uint32_t *raw) MUST_CHECK;
void packet_in_format_encode(struct bytes *, enum of_version, uint32_t xid, enum packet_in_format);

/* Flow formats of 1.0 (NXT_SET_FLOW_FORMAT): '*protocol' becomes PROTO_OF10 or PROTO_NXM; OFPBRC_EPERM for others. */
enum ofperr flow_format_decode(const struct msg *, unsigned int *protocol, uint32_t *raw) MUST_CHECK;
void flow_format_encode(struct bytes *, uint32_t xid, bool nxm);

enum ofperr flow_mod_table_id_decode(const struct msg *, bool *enable) MUST_CHECK;
void flow_mod_table_id_encode(struct bytes *, uint32_t xid, bool enable);

/* OFPBRC... NXBRC_MUST_BE_ZERO if the padding is not zero. */
enum ofperr controller_id_decode(const struct msg *, uint16_t *id) MUST_CHECK;
void controller_id_encode(struct bytes *, enum of_version, uint32_t xid, uint16_t id);

/* ERROR.  'payload' is the text of a failed hello, else the beginning of the request. */
struct error_msg {
    enum ofperr error; /* OFPERR_NONE if the numbers are unknown. */
    struct ofperr_code code;
    struct cursor payload;
};

/* OFPBRC_BAD_LEN if it is cut off; unknown numbers are no error. */
enum ofperr error_decode(const struct msg *, struct error_msg *) MUST_CHECK;

/* Appends the error for the request of 'n' bytes at 'request', whose version and xid it takes over; at least 64 bytes
 * of it are quoted.  'version' is for a request of a version that we do not speak. */
void error_encode_reply(struct bytes *, enum ofperr, enum of_version version, const void *request, size_t n);
/* The error that refuses a hello, with a text. */
void error_encode_hello(struct bytes *, enum ofperr, enum of_version version, uint32_t xid, const char *text);

#endif
