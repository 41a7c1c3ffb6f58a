/* Captures: packets as flows, and the OpenFlow messages that TCP connections in them carried. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/hmap.h"
#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "flow/exact_text.h"
#include "flow/extract.h"
#include "packet/pcap.h"
#include "sys/log.h"

LOG_MODULE(pcap)

enum { MAX_AHEAD = 1 << 20 }; /* Bytes that may have arrived before those in front of them. */
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4 };

/* Opens the file or says why not; returns 0 or what 'parse-pcap' exits with. */
static int
open_capture(const char *name, struct pcap_file **f)
{
    int error = pcap_open(name, "r", f);
    const char *why = error == -EPROTO ? "End of file" : strerror(-error);

    if (error == -EPROTO) {
        log_warn("failed to read pcap header: %s", why);
    } else if (error) {
        log_warn("%s: failed to open pcap file for reading (%s)", name, why);
    }
    if (error) {
        fprintf(stderr, "ovs-ofctl: %s: open failed (%s)\n", name, why);
    }
    return error == -EPROTO ? 255 : -error;
}

static void
report_end(const char *name, int error)
{
    if (error < 0) {
        fprintf(stderr, "ovs-ofctl: %s: read failed (%s)\n", name, strerror(-error));
        exit(EXIT_FAILURE);
    }
}

void
ofctl_parse_pcap(struct cmdline_ctx *ctx)
{
    struct flow md = { .in_port = cpu_to_be32(ofp_to_u32(OFPP_NONE)) };
    struct bytes frame = BYTES_INIT;

    for (int i = 1; i < ctx->argc; i++) {
        struct pcap_file *f;
        int status = open_capture(ctx->argv[i], &f);

        if (status) {
            exit(status);
        }
        while ((status = pcap_read(f, &frame)) > 0) {
            struct str s = STR_INIT;
            struct flow flow;

            flow_extract_full(frame.data, frame.len, &md, &flow, NULL);
            exact_flow_put(&s, &flow, NULL, NULL);
            puts(str_text(&s));
            str_uninit(&s);
        }
        report_end(ctx->argv[i], status);
        pcap_close(f);
    }
    bytes_uninit(&frame);
}

/* Streams: one direction of a TCP connection. */

struct ends {
    be32 src, dst;
    be16 src_port, dst_port;
};

/* A piece that has come before what belongs in front of it. */
struct piece {
    struct list node; /* In stream->ahead, in order of arrival. */
    uint32_t seq;
    size_t len;
    uint8_t data[];
};

struct stream {
    struct hmap_node node;
    struct ends ends;
    uint32_t next;       /* Sequence number of the next byte. */
    struct bytes data;   /* In order, not yet a whole message. */
    struct list ahead;   /* struct piece. */
    size_t n_ahead;      /* Bytes of them. */
};

struct reader {
    const struct cmdline_ctx *ctx;
    struct hmap streams;
    int64_t when_us;     /* Of the present frame. */
    bool any;            /* Something has been printed. */
};

static void
clear_ahead(struct stream *st)
{
    while (!list_is_empty(&st->ahead)) {
        free(CONTAINER_OF(list_pop_front(&st->ahead), struct piece, node));
    }
    st->n_ahead = 0;
}

static void
remove_stream(struct reader *r, struct stream *st)
{
    hmap_remove(&r->streams, &st->node);
    clear_ahead(st);
    bytes_uninit(&st->data);
    free(st);
}

static struct stream *
find_stream(struct reader *r, const struct ends *ends)
{
    HMAP_FOR_EACH_WITH_HASH (st, struct stream, node, hash_bytes(ends, sizeof *ends, 0), &r->streams) {
        if (!memcmp(&st->ends, ends, sizeof *ends)) {
            return st;
        }
    }
    return NULL;
}

static struct stream *
new_stream(struct reader *r, const struct ends *ends, uint32_t next)
{
    struct stream *st = xzalloc(sizeof *st);

    st->ends = *ends;
    st->next = next;
    list_init(&st->ahead);
    hmap_insert(&r->streams, &st->node, hash_bytes(ends, sizeof *ends, 0));
    return st;
}

/* Appends what of the segment is new; false if it begins later than the next byte. */
static bool
append_segment(struct stream *st, uint32_t seq, const uint8_t *data, size_t len)
{
    uint32_t seen = st->next - seq;

    if ((int32_t) seen < 0) {
        return false;
    }
    if (seen < len) {
        bytes_put(&st->data, data + seen, len - seen);
        st->next += len - seen;
    }
    return true;
}

static void
keep_for_later(struct stream *st, uint32_t seq, const uint8_t *data, size_t len)
{
    struct piece *p;

    if (st->n_ahead + len > MAX_AHEAD) {
        return;
    }
    p = xmalloc(sizeof *p + len);
    p->seq = seq;
    p->len = len;
    memcpy(p->data, data, len);
    list_push_back(&st->ahead, &p->node);
    st->n_ahead += len;
}

/* Appends what was kept and fits now. */
static void
catch_up(struct stream *st)
{
    bool again = true;

    while (again) {
        again = false;
        LIST_FOR_EACH_SAFE (p, struct piece, node, &st->ahead) {
            if (append_segment(st, p->seq, p->data, p->len)) {
                st->n_ahead -= p->len;
                list_remove(&p->node);
                free(p);
                again = true;
            }
        }
    }
}

static void
print_heading(struct reader *r, const struct ends *e)
{
    time_t seconds = r->when_us / 1000000;
    char text[16];
    struct tm tm;

    if (r->any) {
        putchar('\n');
    }
    r->any = true;
    if (ofctl_options.timestamp) {
        strftime(text, sizeof text, "%H:%M:%S", localtime_r(&seconds, &tm));
        printf("%s.%03d ", text, (int) (r->when_us % 1000000 / 1000));
    }
    printf(IP_FMT ".%u > " IP_FMT ".%u:\n", IP_ARGS(e->src), be16_to_cpu(e->src_port),
           IP_ARGS(e->dst), be16_to_cpu(e->dst_port));
}

/* Prints the whole messages; false if what stands there is none. */
static bool
print_messages(struct reader *r, struct stream *st)
{
    size_t at = 0;

    while (st->data.len - at >= MSG_HEADER) {
        size_t len = msg_stated_length(st->data.data + at);

        if (len < MSG_HEADER) {
            return false;
        }
        if (st->data.len - at < len) {
            break;
        }
        print_heading(r, &st->ends);
        ofctl_print(stdout, st->data.data + at, len, NULL);
        at += len;
    }
    bytes_pull(&st->data, at);
    return true;
}

static void
take_segment(struct reader *r, const struct ends *ends, unsigned int flags, uint32_t seq, const uint8_t *data,
             size_t len)
{
    struct stream *st = find_stream(r, ends);

    if (flags & TCP_SYN) {
        if (st) {
            remove_stream(r, st);
        }
        new_stream(r, ends, seq + 1);
        return;
    }
    if (!st) {
        st = new_stream(r, ends, seq);
    }
    if (!append_segment(st, seq, data, len)) {
        keep_for_later(st, seq, data, len);
    }
    catch_up(st);
    if (!print_messages(r, st) || flags & (TCP_FIN | TCP_RST)) {
        remove_stream(r, st);
    }
}

static bool
is_wanted_port(const struct reader *r, uint16_t port)
{
    if (r->ctx->argc <= 2) {
        return port == 6633 || port == 6653;
    }
    for (int i = 2; i < r->ctx->argc; i++) {
        if (atoi(r->ctx->argv[i]) == port) {
            return true;
        }
    }
    return false;
}

static void
take_frame(struct reader *r, const struct bytes *frame)
{
    struct flow_offsets offsets;
    const uint8_t *tcp;
    struct ends ends;
    struct flow flow;
    size_t len, header;

    flow_extract_full(frame->data, frame->len, NULL, &flow, &offsets);
    if (flow.eth_type != BE16(0x0800) || flow.nw_proto != 6 || offsets.l4 == FLOW_NO_OFFSET) {
        return;
    }
    if (!is_wanted_port(r, be16_to_cpu(flow.tp_src)) && !is_wanted_port(r, be16_to_cpu(flow.tp_dst))) {
        return;
    }
    tcp = frame->data + offsets.l4;
    len = frame->len - offsets.l3_pad - offsets.l4;
    header = len >= 20 ? (tcp[12] >> 4) * 4u : 0;
    if (header < 20 || header > len) {
        return;
    }
    ends = (struct ends) { flow.nw_src, flow.nw_dst, flow.tp_src, flow.tp_dst };
    take_segment(r, &ends, tcp[13], get_be32(tcp + 4), tcp + header, len - header);
}

void
ofctl_ofp_parse_pcap(struct cmdline_ctx *ctx)
{
    struct reader r = { .ctx = ctx };
    struct bytes frame = BYTES_INIT;
    struct pcap_file *f;
    int status;

    if (open_capture(ctx->argv[1], &f)) {
        exit(EXIT_FAILURE);
    }
    ofctl_options.verbosity++;
    hmap_init(&r.streams);
    while ((status = pcap_read_at(f, &frame, &r.when_us)) > 0) {
        take_frame(&r, &frame);
    }
    report_end(ctx->argv[1], status);
    HMAP_FOR_EACH_SAFE (st, struct stream, node, &r.streams) {
        remove_stream(&r, st);
    }
    hmap_uninit(&r.streams);
    bytes_uninit(&frame);
    pcap_close(f);
}
