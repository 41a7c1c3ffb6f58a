/* packet-out, and its syntax, which monitor and bundle take too. */
#include "openflow/msg/packet.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd/ovs-ofctl/ofctl.h"
#include "flow/field.h"
#include "flow/match_text.h"
#include "openflow/action/key_value.h"

#define ETH_HEADER_LEN 14

static struct error *
parse_hex_packet(const char *text, struct bytes *packet)
{
    bytes_clear(packet);
    if (*bytes_put_from_hex(packet, text)) {
        return error_new("Trailing garbage in packet data");
    }
    if (packet->len < ETH_HEADER_LEN) {
        return error_new("Packet data too short for Ethernet");
    }
    return NULL;
}

static struct error *
parse_in_port(const char *text, const struct act_text *names, struct match *m)
{
    ofp_port port;

    if (!ofp_port_parse(text, names->ports, &port)) {
        return error_new("%s is not a valid OpenFlow port", text);
    }
    match_set_u64(m, FIELD_IN_PORT_OXM, ofp_to_u32(port));
    return NULL;
}

/* Whether a message may say it of a packet: what is in no header, and a controller may set. */
static bool
is_pipeline_field(const struct field *f)
{
    bool is_tunnel = field_is_option(f) || (f->id >= FIELD_TUN_ID && f->id <= FIELD_TUN_GTPU_MSGTYPE);
    bool is_register = f->id >= FIELD_REG0 && f->id <= FIELD_XXREG7;

    return (is_tunnel && f->writable) || is_register || f->id == FIELD_METADATA || f->id == FIELD_IN_PORT ||
           f->id == FIELD_IN_PORT_OXM || f->id == FIELD_PACKET_TYPE;
}

/* A keyword that is neither in_port, packet nor actions names a field that travels with the packet. */
static struct error *
parse_metadata(const char *key, const char *value, const struct act_text *names, struct match *m)
{
    const struct field *f = field_by_name(key);
    union field_value mask;

    if (!*value) {
        return error_new("field %s missing value", key);
    }
    if (!f) {
        return error_new("unknown keyword %s", key);
    }
    if (!is_pipeline_field(f)) {
        return error_new("%s is not a valid pipeline field for PACKET_OUT", key);
    }
    return match_parse_field(m, f, value, names->ports, &mask);
}

/* Cuts the text before "actions=" and returns what follows it; null if there is none. */
static char *
split_actions(char *text)
{
    for (char *p = strstr(text, "action"); p; p = strstr(p + 1, "action")) {
        size_t n = strcspn(p, "=(, \t");
        bool at_start = p == text || strchr(", \t", p[-1]);

        if (at_start && p[n] == '=' && (n == 6 || (n == 7 && p[6] == 's'))) {
            *p = '\0';
            return p + n + 1;
        }
    }
    return NULL;
}

static struct error *
parse_keys(char *text, const struct act_text *names, struct packet_out *po, struct bytes *packet)
{
    char *key, *value;

    while (act_take_key_value(&text, &key, &value)) {
        struct error *error;

        if (!strcmp(key, "in_port")) {
            error = parse_in_port(value, names, &po->metadata);
        } else if (!strcmp(key, "packet_type")) {
            error = parse_metadata(key, value, names, &po->metadata);
        } else if (!strcmp(key, "packet")) {
            error = error_wrap(parse_hex_packet(value, packet), "packet");
        } else {
            error = parse_metadata(key, value, names, &po->metadata);
        }
        if (error) {
            return error;
        }
    }
    return NULL;
}

struct error *
ofctl_parse_packet_out(const char *text, const struct act_text *names, struct packet_out *po, struct bytes *packet,
                       struct act_buf *acts, unsigned int *usable)
{
    char *copy = xstrdup(text), *actions = split_actions(copy);
    struct error *error;

    *po = (struct packet_out) { .buffer_id = BUFFER_NONE };
    *usable = PROTO_ANY;
    match_set_u64(&po->metadata, FIELD_IN_PORT_OXM, ofp_to_u32(OFPP_NONE));
    error = parse_keys(copy, names, po, packet);
    if (!error && !packet->len) {
        error = error_new("must specify packet");
    }
    if (!error && actions) {
        error = act_parse_actions(actions, names, acts, usable);
    }
    free(copy);
    po->packet = packet->data;
    po->packet_len = packet->len;
    po->actions = act_buf_span(acts);
    return error;
}

/* The old form: IN_PORT ACTIONS PACKET... */
static void
parse_old_form(struct cmdline_ctx *ctx, struct packet_out *po, struct act_buf *acts, unsigned int *usable)
{
    const struct act_text *names = ofctl_names_to_accept(ctx->argv[1]);
    struct error *error;

    *po = (struct packet_out) { .buffer_id = BUFFER_NONE };
    *usable = PROTO_ANY;
    match_set_u64(&po->metadata, FIELD_IN_PORT_OXM, ofp_to_u32(ofctl_port(ctx->argv[1], ctx->argv[2])));
    error = act_parse_actions(ctx->argv[3], names, acts, usable);
    if (error) {
        cmdline_fatal(0, "%s", error_text(error));
    }
    po->actions = act_buf_span(acts);
}

static void
send_packet(struct of_client *c, unsigned int protocol, const struct packet_out *po)
{
    struct bytes b = BYTES_INIT;

    if (!packet_out_encode(&b, protocol, msg_new_xid(), po)) {
        cmdline_fatal(0, "packet is too long for one message");
    }
    ofctl_must_transact_noreply(c, &b);
}

static void
send_old_form(struct cmdline_ctx *ctx)
{
    struct act_buf acts = ACT_BUF_INIT;
    unsigned int usable, protocol;
    struct packet_out po;
    struct of_client *c;

    parse_old_form(ctx, &po, &acts, &usable);
    c = ofctl_open_for_flows(ctx->argv[1], usable, &protocol);
    for (int i = 4; i < ctx->argc; i++) {
        struct bytes packet = BYTES_INIT;
        struct error *error = parse_hex_packet(ctx->argv[i], &packet);

        if (error) {
            cmdline_fatal(0, "%s", error_text(error));
        }
        po.packet = packet.data;
        po.packet_len = packet.len;
        send_packet(c, protocol, &po);
        bytes_uninit(&packet);
    }
    of_client_close(c);
    act_buf_uninit(&acts);
}

void
ofctl_packet_out(struct cmdline_ctx *ctx)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct bytes packet = BYTES_INIT;
    unsigned int usable, protocol;
    struct packet_out po;
    struct of_client *c;
    struct error *error;

    if (ctx->argc > 4) {
        send_old_form(ctx);
        return;
    }
    if (ctx->argc == 4) {
        cmdline_fatal(0, "'packet-out' command takes either two arguments, or at least four");
    }
    error = ofctl_parse_packet_out(ctx->argv[2], ofctl_names_to_accept(ctx->argv[1]), &po, &packet, &acts, &usable);
    if (error) {
        cmdline_fatal(0, "%s", error_text(error));
    }
    c = ofctl_open_for_flows(ctx->argv[1], usable, &protocol);
    send_packet(c, protocol, &po);
    of_client_close(c);
    bytes_uninit(&packet);
    act_buf_uninit(&acts);
}
