/* probe, ping, benchmark: echo requests. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "sys/clock.h"
#include "sys/random.h"

#define MAX_PAYLOAD (MSG_MAX - MSG_HEADER)

static void
put_echo(struct bytes *b, enum of_version v, uint32_t xid, const void *payload, size_t n)
{
    msg_put_simple(b, MSG_ECHO_REQUEST, v, xid, payload, n);
}

void
ofctl_probe(struct cmdline_ctx *ctx)
{
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;

    put_echo(&b, of_client_version(c), 0, NULL, 0);
    ofctl_send(c, &b);
    ofctl_recv_xid(c, 0, &reply);
    if (reply.len != MSG_HEADER) {
        cmdline_fatal(0, "reply does not match request");
    }
    bytes_uninit(&reply);
    of_client_close(c);
}

static size_t
payload_size(const char *text)
{
    int n;

    if (!num_parse_int(text, 10, &n) || n < 0 || (size_t) n > MAX_PAYLOAD) {
        cmdline_fatal(0, "payload must be between 0 and %d bytes", MAX_PAYLOAD);
    }
    return n;
}

/* What is wrong with the reply is printed, then everything goes on. */
static void
check_reply(const struct bytes *reply, const void *payload, size_t n)
{
    if (reply->data[1] != 3 || reply->len != MSG_HEADER + n || memcmp(reply->data + MSG_HEADER, payload, n)) {
        puts("Reply does not match request.  Reply:");
        ofctl_print(stdout, reply->data, reply->len, NULL);
    }
}

void
ofctl_ping(struct cmdline_ctx *ctx)
{
    size_t n = ctx->argc > 2 ? payload_size(ctx->argv[2]) : 64;
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    uint8_t *payload = xmalloc(MAX(n, 1));

    for (int i = 0; i < 10; i++) {
        uint32_t xid = msg_new_xid();
        int64_t start;

        for (size_t j = 0; j < n; j++) {
            payload[j] = random_below(sys_random(), 256);
        }
        put_echo(&b, of_client_version(c), xid, payload, n);
        start = clock_real_us();
        ofctl_send(c, &b);
        ofctl_recv(c, &reply);
        check_reply(&reply, payload, n);
        printf("%zu bytes from %s: xid=%08x time=%.1f ms\n", reply.len - MSG_HEADER, ctx->argv[1], ofctl_xid(&reply),
               (clock_real_us() - start) / 1000.0);
    }
    free(payload);
    bytes_uninit(&reply);
    of_client_close(c);
}

void
ofctl_benchmark(struct cmdline_ctx *ctx)
{
    size_t n = payload_size(ctx->argv[2]), size = MSG_HEADER + n;
    uint8_t *payload = xzalloc(MAX(n, 1));
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    struct of_client *c;
    int count;
    int64_t start;
    double ms;

    if (!num_parse_int(ctx->argv[3], 10, &count) || count < 0) {
        cmdline_fatal(0, "invalid count \"%s\"", ctx->argv[3]);
    }
    printf("Sending %d packets * %zu bytes (with header) = %zu bytes total\n", count, size, count * size);
    c = ofctl_open(ctx->argv[1]);
    start = clock_real_us();
    for (int i = 0; i < count; i++) {
        put_echo(&b, of_client_version(c), msg_new_xid(), payload, n);
        ofctl_send(c, &b);
        ofctl_recv(c, &reply);
    }
    ms = (clock_real_us() - start) / 1000.0;
    printf("Finished in %.1f ms (%.0f packets/s) (%.0f bytes/s)\n", ms, count / (ms / 1000.0),
           count * (double) size / (ms / 1000.0));
    free(payload);
    bytes_uninit(&reply);
    of_client_close(c);
}
