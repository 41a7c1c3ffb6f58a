/* Fuzz target: bytes to JSON-RPC messages, in pieces whose size the first byte chooses. */
#include <stdlib.h>

#include "jsonrpc/message.h"
#include "jsonrpc/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(struct json *json)
{
    struct jsonrpc_msg *msg;
    struct error *error = jsonrpc_msg_from_json(json, &msg);
    struct str s = STR_INIT;

    if (!error) {
        jsonrpc_msg_put(&s, msg);
    }
    error_free(error);
    jsonrpc_msg_free(msg);
    str_uninit(&s);
}

/* A long value is the same message as one that is not. */
static void
use_text(char *text, size_t len)
{
    char *copy = xmemdup(text, len + 1);
    struct jsonrpc_msg *msg, *expected = NULL;
    struct json *json;
    struct error *error = js_parse_take(copy, len, &json), *other = jsonrpc_msg_from_text(text, len, "m", &msg);

    error = error ? error : jsonrpc_msg_from_json(json, &expected);
    if (!error) {
        if (other || jsonrpc_msg_read_result(msg) || jsonrpc_msg_read_params(msg)) {
            abort();
        }
        if (msg->type != expected->type) {
            abort();
        }
    }
    error_free(error);
    error_free(other);
    jsonrpc_msg_free(msg);
    jsonrpc_msg_free(expected);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jsonrpc_parser parser;
    struct error *error = NULL;
    size_t piece;

    if (!size) {
        return 0;
    }
    piece = data[0] % 7 + 1;
    jsonrpc_parser_init(&parser, 10000);
    parser.long_from = data[0] & 0x80 ? 20 : SIZE_MAX;
    for (size_t i = 1; i < size && !error;) {
        size_t n = MIN(piece, size - i);
        size_t len;
        char *text, *exact = xmemdup(data + i, n); /* So that reading past the end is noticed. */
        struct json *json;

        i += jsonrpc_parser_feed(&parser, exact, n, &json, &error);
        free(exact);
        if (json) {
            use(json);
        }
        text = jsonrpc_parser_take_long(&parser, &len);
        if (text) {
            use_text(text, len);
        }
    }
    error_free(error);
    jsonrpc_parser_uninit(&parser);
    return 0;
}
