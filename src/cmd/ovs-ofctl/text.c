/* Commands that need no switch: printing, parsing, composing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "flow/compose.h"
#include "flow/exact_text.h"
#include "flow/extract.h"
#include "flow/match_text.h"
#include "openflow/action/key_value.h"
#include "openflow/hello.h"
#include "sys/log.h"

LOG_MODULE(ofp_msgs)

static void
print_hex_bytes(const struct bytes *b)
{
    struct str s = STR_INIT;

    print_hex(&s, b->data, b->len, false);
    fputs(str_text(&s), stdout);
    str_uninit(&s);
}

void
ofctl_ofp_print(struct cmdline_ctx *ctx)
{
    struct bytes b = BYTES_INIT;
    struct str s = STR_INIT;
    char *why = NULL;
    int verbosity = 2;

    if (ctx->argc > 2) {
        verbosity = atoi(ctx->argv[2]);
    }
    if (*bytes_put_from_hex(&b, ctx->argv[1])) {
        cmdline_fatal(0, "trailing garbage following hex bytes");
    }
    msg_print(&s, b.data, b.len, NULL, verbosity, &why);
    fputs(str_text(&s), stdout);
    if (why) {
        fflush(stdout);
        log_warn("%s", why);
        free(why);
    }
    str_uninit(&s);
    bytes_uninit(&b);
}

void
ofctl_ofp_parse(struct cmdline_ctx *ctx)
{
    const char *name = ctx->argv[1];
    FILE *f = strcmp(name, "-") ? fopen(name, "r") : stdin;
    uint8_t *message;

    if (!f) {
        cmdline_fatal(-errno, "%s: open", name);
    }
    ofctl_options.verbosity++;
    message = xmalloc(MSG_MAX);
    for (;;) {
        size_t n = fread(message, 1, MSG_HEADER, f), stated;

        if (!n && feof(f)) {
            break;
        }
        if (n < MSG_HEADER) {
            cmdline_fatal(0, "%s: unexpected end of file mid-message", name);
        }
        stated = msg_stated_length(message);
        if (stated < MSG_HEADER) {
            cmdline_fatal(0, "%s: ofp_header %zu too short", name, stated);
        }
        if (fread(message + MSG_HEADER, 1, stated - MSG_HEADER, f) < stated - MSG_HEADER) {
            cmdline_fatal(0, "%s: unexpected end of file mid-message", name);
        }
        ofctl_print(stdout, message, stated, NULL);
    }
    free(message);
}

void
ofctl_encode_hello(struct cmdline_ctx *ctx)
{
    uint32_t versions = strtoul(ctx->argv[1], NULL, 0);
    struct bytes b = BYTES_INIT;

    if (!versions) {
        cmdline_fatal(0, "invalid bitmap \"%s\"", ctx->argv[1]);
    }
    hello_encode(&b, versions, msg_new_xid());
    print_hex_bytes(&b);
    ofctl_print(stdout, b.data, b.len, NULL);
    bytes_uninit(&b);
}

void
ofctl_print_error(struct cmdline_ctx *ctx)
{
    enum ofperr error = ofperr_by_name(ctx->argv[1]);

    if (!error) {
        cmdline_fatal(0, "unknown error \"%s\"", ctx->argv[1]);
    }
    for (enum of_version v = OF_FIRST; v <= OF_LAST; v++) {
        struct ofperr_code code;

        if (ofperr_encode(error, v, &code)) {
            printf("OpenFlow %s: vendor %#x, type %d, code %d\n", of_version_number(v), code.vendor, code.type,
                   code.code);
        } else {
            printf("OpenFlow %s: vendor 0, type -1, code -1\n", of_version_number(v));
        }
    }
}

void
ofctl_encode_error_reply(struct cmdline_ctx *ctx)
{
    enum ofperr error = ofperr_by_name(ctx->argv[1]);
    struct bytes request = BYTES_INIT, b = BYTES_INIT;

    if (!error) {
        cmdline_fatal(0, "unknown error \"%s\"", ctx->argv[1]);
    }
    if (*bytes_put_from_hex(&request, ctx->argv[2])) {
        cmdline_fatal(0, "Trailing garbage in packet data");
    }
    if (request.len < MSG_HEADER) {
        cmdline_fatal(0, "Request too short");
    }
    error_encode_reply(&b, error, request.data[0], request.data, request.len);
    print_hex_bytes(&b);
    bytes_uninit(&b);
    bytes_uninit(&request);
}

/* Flows. */

static void
print_protocols(unsigned int usable, unsigned int *chosen)
{
    struct str s = STR_INIT;

    proto_put_set(&s, usable);
    printf("usable protocols: %s\n", str_text(&s));
    if (!(usable & ofctl_options.protocols)) {
        cmdline_fatal(0, "no usable protocol");
    }
    *chosen = ofctl_choose_protocol(usable);
    printf("chosen protocol: %s\n", proto_name(*chosen));
    str_uninit(&s);
}

static void
print_flow(const struct flow_mod *fm, unsigned int protocol)
{
    struct bytes b = BYTES_INIT;

    if (flow_mod_encode(&b, protocol, msg_new_xid(), fm)) {
        ofctl_print(stdout, b.data, b.len, NULL);
    }
    bytes_uninit(&b);
}

/* Any version will do, unless -O or -F says which: nothing is sent. */
static void
allow_all_protocols(void)
{
    if (ofctl_options.versions == 1u << OF10 && !ofctl_options.has_flow_format) {
        ofctl_options.protocols |= PROTO_ANY;
    }
}

void
ofctl_parse_flow(struct cmdline_ctx *ctx)
{
    struct flow_mod fm;
    unsigned int usable, chosen;
    struct error *error = flow_mod_parse(&fm, ctx->argv[1], FM_ADD, NULL, &usable);

    if (error) {
        cmdline_fatal(0, "%s", error_text(error));
    }
    allow_all_protocols();
    print_protocols(usable, &chosen);
    print_flow(&fm, chosen);
    flow_mod_uninit(&fm);
}

static void
free_flow_mods(struct flow_mod *fms, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        flow_mod_uninit(&fms[i]);
    }
    free(fms);
}

void
ofctl_parse_flows(struct cmdline_ctx *ctx)
{
    size_t len, n = 0, capacity = 0;
    char *text = ofctl_read_file(ctx->argv[1], "open failed", &len), *line;
    struct line_iter it = { text, text + len, 0 };
    struct flow_mod *fms = NULL;
    unsigned int usable = PROTO_ANY, chosen;

    while ((line = ofctl_next_line(&it))) {
        unsigned int protocols;
        struct error *error;

        if (n == capacity) {
            fms = x2nrealloc(fms, &capacity, sizeof *fms);
        }
        error = flow_mod_parse(&fms[n], line, FM_ADD, NULL, &protocols);
        if (error) {
            free_flow_mods(fms, n);
            cmdline_fatal(0, "%s:%d: %s", ctx->argv[1], it.number, error_text(error));
        }
        usable &= protocols;
        n++;
    }
    allow_all_protocols();
    print_protocols(usable, &chosen);
    for (size_t i = 0; i < n; i++) {
        print_flow(&fms[i], chosen);
    }
    free_flow_mods(fms, n);
    free(text);
}

/* parse-actions, parse-instructions: hexadecimal lines of the standard input as text. */

static bool
read_hex_line(struct bytes *b, char **line, size_t *size)
{
    while (getline(line, size, stdin) > 0) {
        char *comment = strchr(*line, '#');

        if (comment) {
            *comment = '\0';
        }
        bytes_clear(b);
        if ((*line)[strspn(*line, " \t\r\n")]) {
            const char *rest = bytes_put_from_hex(b, *line);

            if (rest[strspn(rest, " \t\r\n")]) {
                cmdline_fatal(0, "Trailing garbage in hex data");
            }
            return true;
        }
        putchar('\n');
    }
    return false;
}

static void
parse_actions(const char *version, bool instructions)
{
    struct bytes b = BYTES_INIT;
    struct act_buf acts = ACT_BUF_INIT;
    enum of_version v;
    char *line = NULL;
    size_t size = 0;

    if (!of_version_parse(version, &v)) {
        cmdline_fatal(0, "%s: not a valid OpenFlow version", version);
    }
    while (read_hex_line(&b, &line, &size)) {
        struct str s = STR_INIT;
        enum ofperr error;

        act_buf_clear(&acts);
        error = instructions ? act_decode_instructions(b.data, b.len, v, &acts)
                             : act_decode_actions(b.data, b.len, v, &acts);
        if (error) {
            printf("bad %s %s: %s\n\n", of_version_name(v), instructions ? "instructions" : "actions",
                   ofperr_name(error));
        } else {
            static const struct act_text no_names = { NULL, NULL };

            act_format(&s, act_buf_span(&acts), &no_names);
            printf("actions=%s\n\n", str_text(&s));
        }
        str_uninit(&s);
    }
    free(line);
    act_buf_uninit(&acts);
    bytes_uninit(&b);
}

void
ofctl_parse_actions(struct cmdline_ctx *ctx)
{
    parse_actions(ctx->argv[1], false);
}

void
ofctl_parse_instructions(struct cmdline_ctx *ctx)
{
    parse_actions(ctx->argv[1], true);
}

/* The packet's bytes themselves are the input. */
void
ofctl_parse_packet(struct cmdline_ctx *ctx UNUSED)
{
    struct bytes b = BYTES_INIT;
    struct str s = STR_INIT;
    size_t n;

    do {
        n = fread(bytes_put_uninit(&b, BUFSIZ), 1, BUFSIZ, stdin);
        b.len -= BUFSIZ - n;
    } while (n);
    print_packet(&s, b.data, b.len);
    fputs(str_text(&s), stdout);
    str_uninit(&s);
    bytes_uninit(&b);
}

/* "a=b, c=d": what the parser of key-value pairs makes of each argument. */
void
ofctl_parse_key_value(struct cmdline_ctx *ctx)
{
    for (int i = 1; i < ctx->argc; i++) {
        char *copy = xstrdup(ctx->argv[i]), *p = copy, *key, *value;
        const char *separator = "";

        while (act_take_key_value(&p, &key, &value)) {
            printf("%s%s", separator, key);
            if (*value) {
                printf("=%s", value);
            }
            separator = ", ";
        }
        putchar('\n');
        free(copy);
    }
}

/* Packets. */

/* Reads a flow as a packet's headers; exits if it is wrong. */
static void
parse_flow_of_packet(const char *text, struct flow *flow)
{
    struct error *error = exact_flow_parse(text, NULL, NULL, flow);

    if (error) {
        cmdline_fatal(0, "%s: %s", text, error_text(error));
    }
    if (!flow->in_port) {
        flow->in_port = cpu_to_be32(ofp_to_u32(OFPP_NONE));
    }
}

static void
show_flow(const char *title, const struct flow *flow)
{
    struct str s = STR_INIT;

    exact_flow_put(&s, flow, NULL, NULL);
    fprintf(stderr, "%s: %s", title, str_text(&s));
    str_uninit(&s);
}

/* Whether the frame says all that the flow says. */
static bool
check_composed(const struct flow *flow, const struct bytes *frame)
{
    struct flow md = { .in_port = cpu_to_be32(ofp_to_u32(OFPP_NONE)) }, extracted;
    struct flow_offsets offsets;

    flow_extract_full(frame->data, frame->len, &md, &extracted, &offsets);
    if (!memcmp(&extracted, flow, sizeof extracted)) {
        return true;
    }
    fprintf(stderr, "specified and extracted flows differ:\n");
    show_flow("specified", flow);
    putc('\n', stderr);
    show_flow("extracted", &extracted);
    return false;
}

static void
write_pcap(const struct bytes *frame)
{
    struct { uint32_t magic; uint16_t major, minor; uint32_t zone, sigfigs, snaplen, network; } file = {
        0xa1b2c3d4, 2, 4, 0, 0, 1518, 1
    };
    struct { uint32_t sec, usec, len, orig; } packet = { 0, 0, frame->len, frame->len };

    fwrite(&file, sizeof file, 1, stdout);
    fwrite(&packet, sizeof packet, 1, stdout);
    fwrite(frame->data, 1, frame->len, stdout);
}

void
ofctl_compose_packet(struct cmdline_ctx *ctx)
{
    struct bytes frame = BYTES_INIT, l7 = BYTES_INIT;
    struct flow flow;
    bool ok;

    parse_flow_of_packet(ctx->argv[1], &flow);
    if (ctx->argc > 2) {
        if (*bytes_put_from_hex(&l7, ctx->argv[2])) {
            cmdline_fatal(0, "%s: trailing garbage in packet data", ctx->argv[2]);
        }
        flow_compose(&flow, l7.data, l7.len, ofctl_options.bad_csum, &frame);
    } else {
        flow_compose(&flow, NULL, FLOW_DEFAULT_L7, ofctl_options.bad_csum, &frame);
    }
    if (ofctl_options.pcap) {
        write_pcap(&frame);
    } else if (ofctl_options.bare) {
        struct str s = STR_INIT;

        str_put_hex(&s, frame.data, frame.len);
        puts(str_text(&s));
        str_uninit(&s);
    } else {
        print_hex_bytes(&frame);
    }
    ok = check_composed(&flow, &frame);
    bytes_uninit(&frame);
    bytes_uninit(&l7);
    if (!ok) {
        exit(EXIT_FAILURE);
    }
}
