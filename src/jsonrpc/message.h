/* JSON-RPC 1.0 messages (as RFC 7047 section 4 uses them).
 *
 * A message is one of four kinds; members that a kind does not have are null.  Once sent or received a message is owned
 * by one place; creating functions take over the values given.
 *
 * Threads: one at a time per message. */
#ifndef JSONRPC_MESSAGE_H
#define JSONRPC_MESSAGE_H 1

#include "json/json.h"

enum jsonrpc_type {
    JSONRPC_REQUEST, /* method, params, id */
    JSONRPC_NOTIFY,  /* method, params */
    JSONRPC_REPLY,   /* result, id */
    JSONRPC_ERROR,   /* error, id */
};

struct jsonrpc_msg {
    enum jsonrpc_type type;
    char *method;       /* Owned, unless 'whole' is there: then it is a part of that. */
    struct json *whole; /* The message as it was received; null: it was not, or stays text. */
    struct json *params, *result, *error, *id;

    /* A long reply of a connection that wants it so (jsonrpc_conn_set_long_results()) has, instead of 'result', the
     * text of that, an object or array whose insides nobody has looked at.  It is a part of 'text'; of one to be sent
     * (jsonrpc_conn_send_copy()), the sender's. */
    char *text; /* Owned; null in all others. */
    size_t text_len;
    const char *result_text;
    size_t result_len;

    /* Likewise a long request (jsonrpc_conn_set_long_params()) instead of 'params': it begins and ends as an array. */
    const char *params_text;
    size_t params_len;
};

/* A request with a new id, unique in the process, of which '*id' (unless null) gets a reference. */
struct jsonrpc_msg *jsonrpc_request(const char *method, struct json *params, struct json **id) MUST_CHECK;
struct jsonrpc_msg *jsonrpc_notify(const char *method, struct json *params) MUST_CHECK;
/* Answers to the request with 'id', which is only borrowed; 'result' and 'error' are taken. */
struct jsonrpc_msg *jsonrpc_reply(struct json *result, const struct json *id) MUST_CHECK;
struct jsonrpc_msg *jsonrpc_error(struct json *error, const struct json *id) MUST_CHECK;
void jsonrpc_msg_free(struct jsonrpc_msg *); /* Null is allowed. */

/* "request", "notification", "reply", "error". */
const char *jsonrpc_type_name(enum jsonrpc_type);

/* Reads a message from 'json', which is taken.  Sets '*msg', or returns an error that names the offending member. */
struct error *jsonrpc_msg_from_json(struct json *, struct jsonrpc_msg **msg) MUST_CHECK;

/* The same from the 'n' bytes at 'text', which are taken: a reply gets its result as text, and a request with the
 * method 'long_method' (null: none) its parameters. */
struct error *jsonrpc_msg_from_text(char *text, size_t n, const char *long_method, struct jsonrpc_msg **msg)
    MUST_CHECK;
/* Makes 'result' of a result that is there as text; without effect on others.  On error the message stays as it is. */
struct error *jsonrpc_msg_read_result(struct jsonrpc_msg *) MUST_CHECK;
/* Reads all of a message whose parameters are there as text, as jsonrpc_msg_from_json() would; without effect on
 * others.  On error it has no parameters. */
struct error *jsonrpc_msg_read_params(struct jsonrpc_msg *) MUST_CHECK;

/* Appends the message's text. */
void jsonrpc_msg_put(struct str *, const struct jsonrpc_msg *);

#endif
