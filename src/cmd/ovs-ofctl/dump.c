/* Commands that ask one thing and print the answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "openflow/msg/queue.h"
#include "openflow/msg/switch.h"
#include "openflow/msg/table.h"

/* A request without a body. */
static void
dump_trivial(const char *switch_name, struct of_client *c, enum msg_type type)
{
    struct bytes b = BYTES_INIT;

    msg_put_simple(&b, type, of_client_version(c), msg_new_xid(), NULL, 0);
    ofctl_dump(c, &b, ofctl_names_to_show(switch_name));
}

/* Statistics that exist from 'first' on: others of the allowed versions will not do. */
static struct of_client *
open_at_least(const struct cmdline_ctx *ctx, enum of_version first)
{
    uint32_t versions = ofctl_options.versions & ~((1u << first) - 1);

    if (!versions) {
        cmdline_fatal(0, "%s needs OpenFlow %s or later ('-O %s')", ctx->argv[0], of_version_number(first),
                      of_version_name(first));
    }
    return ofctl_open_versions(ctx->argv[1], versions);
}

void
ofctl_dump_desc(struct cmdline_ctx *ctx)
{
    struct of_client *c = ofctl_open(ctx->argv[1]);

    dump_trivial(NULL, c, MSG_DESC_REQUEST);
    of_client_close(c);
}

void
ofctl_dump_tables(struct cmdline_ctx *ctx)
{
    struct of_client *c = ofctl_open(ctx->argv[1]);

    dump_trivial(ctx->argv[1], c, MSG_TABLE_REQUEST);
    of_client_close(c);
}

/* Adds the tables of one part of the reply; whether more parts follow. */
static bool
add_tables(struct str *s, struct print_tables *tables, const struct bytes *reply)
{
    struct msg m;
    enum ofperr error = msg_decode(reply->data, reply->len, &m);

    if (error || m.type != MSG_TABLE_FEATURES_REPLY) {
        ofctl_print(stderr, reply->data, reply->len, NULL);
        exit(EXIT_FAILURE);
    }
    while (m.body.left && !error) {
        struct table_features f;

        error = table_features_take(&m.body, m.version, true, &f, NULL);
        if (!error) {
            print_tables_add(s, tables, &f);
        }
    }
    if (error) {
        cmdline_fatal(0, "parse error in reply (%s)", ofperr_name(error));
    }
    return ofctl_more_follow(reply);
}

void
ofctl_dump_table_features(struct cmdline_ctx *ctx)
{
    struct of_client *c = open_at_least(ctx, OF13);
    struct bytes request = BYTES_INIT, reply = BYTES_INIT;
    struct print_tables tables = { .any = false };
    struct str s = STR_INIT;
    uint32_t xid = msg_new_xid();

    msg_put_simple(&request, MSG_TABLE_FEATURES_REQUEST, of_client_version(c), xid, NULL, 0);
    ofctl_send(c, &request);
    do {
        ofctl_recv_xid(c, xid, &reply);
    } while (add_tables(&s, &tables, &reply));
    print_tables_end(&s, &tables);
    fputs(str_text(&s), stdout);
    str_uninit(&s);
    bytes_uninit(&reply);
    of_client_close(c);
}

void
ofctl_dump_table_desc(struct cmdline_ctx *ctx)
{
    struct of_client *c = open_at_least(ctx, OF14);

    dump_trivial(ctx->argv[1], c, MSG_TABLE_DESC_REQUEST);
    of_client_close(c);
}

void
ofctl_dump_ipfix_bridge(struct cmdline_ctx *ctx)
{
    struct of_client *c = ofctl_open(ctx->argv[1]);

    dump_trivial(NULL, c, MSG_IPFIX_BRIDGE_REQUEST);
    of_client_close(c);
}

void
ofctl_dump_ipfix_flow(struct cmdline_ctx *ctx)
{
    struct of_client *c = ofctl_open(ctx->argv[1]);

    dump_trivial(NULL, c, MSG_IPFIX_FLOW_REQUEST);
    of_client_close(c);
}

/* Whether a features reply could not hold all the ports, or its version does not have them there. */
static bool
lacks_ports(const struct bytes *features)
{
    struct msg m;
    struct switch_features f;
    struct cursor ports;

    if (msg_decode(features->data, features->len, &m) || m.type != MSG_FEATURES_REPLY ||
        switch_features_decode(&m, &f, &ports)) {
        return false;
    }
    return m.version >= OF13 || features->len + (m.version == OF10 ? 48 : 64) > MSG_MAX;
}

void
ofctl_show(struct cmdline_ctx *ctx)
{
    const struct act_text *names = ofctl_names_to_show(ctx->argv[1]);
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    enum of_version v = of_client_version(c);
    uint32_t xid = msg_new_xid();
    bool more;

    msg_put_simple(&b, MSG_FEATURES_REQUEST, v, xid, NULL, 0);
    ofctl_send(c, &b);
    ofctl_recv_xid(c, xid, &reply);
    more = lacks_ports(&reply);
    if (more && v < OF13) {
        /* The ports that are there would be printed twice. */
        put_be16(reply.data + 2, 32);
        bytes_truncate(&reply, 32);
    }
    ofctl_print(stdout, reply.data, reply.len, names);
    if (more) {
        port_desc_request_encode(&b, v, msg_new_xid(), OFPP_NONE);
        ofctl_dump(c, &b, names);
    }
    dump_trivial(ctx->argv[1], c, MSG_GET_CONFIG_REQUEST);
    bytes_uninit(&reply);
    of_client_close(c);
}

/* Ports. */

void
ofctl_dump_ports(struct cmdline_ctx *ctx)
{
    ofp_port port = ctx->argc > 2 ? ofctl_port(ctx->argv[1], ctx->argv[2]) : OFPP_NONE;
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT;

    port_stats_request_encode(&b, of_client_version(c), msg_new_xid(), port);
    ofctl_dump(c, &b, ofctl_names_to_show(ctx->argv[1]));
    of_client_close(c);
}

void
ofctl_dump_ports_desc(struct cmdline_ctx *ctx)
{
    ofp_port port = ctx->argc > 2 ? ofctl_port(ctx->argv[1], ctx->argv[2]) : OFPP_NONE;
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT;

    port_desc_request_encode(&b, of_client_version(c), msg_new_xid(), port);
    ofctl_dump(c, &b, ofctl_names_to_show(ctx->argv[1]));
    of_client_close(c);
}

/* Queues. */

static bool
is_all_queues(const char *text)
{
    return !strcasecmp(text, "ALL") || !strcasecmp(text, "ANY");
}

/* Any port or queue is left out, or named "ANY". */
static struct queue_request
queue_request(const struct cmdline_ctx *ctx)
{
    struct queue_request r = { OFPP_NONE, QUEUE_ALL };

    if (ctx->argc > 2) {
        r.port = ofctl_port(ctx->argv[1], ctx->argv[2]);
    }
    if (ctx->argc > 3 && !is_all_queues(ctx->argv[3]) && !num_parse_u32(ctx->argv[3], 0, &r.queue)) {
        cmdline_fatal(0, "invalid queue \"%s\"", ctx->argv[3]);
    }
    return r;
}

void
ofctl_queue_stats(struct cmdline_ctx *ctx)
{
    struct queue_request r = queue_request(ctx);
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT;

    if (r.port == OFPP_ALL) {
        r.port = OFPP_NONE;
    }
    queue_stats_request_encode(&b, of_client_version(c), msg_new_xid(), &r);
    ofctl_dump(c, &b, ofctl_names_to_show(ctx->argv[1]));
    of_client_close(c);
}

/* OpenFlow 1.0 asks about one port at a time: then all of them are asked for, one after the other. */
static void
queue_config_of_all_ports(struct of_client *c, const struct queue_request *r, const struct act_text *names)
{
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    uint32_t xid = msg_new_xid();
    struct switch_features f;
    struct cursor ports;
    struct msg m;

    msg_put_simple(&b, MSG_FEATURES_REQUEST, OF10, xid, NULL, 0);
    ofctl_send(c, &b);
    ofctl_recv_xid(c, xid, &reply);
    if (msg_decode(reply.data, reply.len, &m) || m.type != MSG_FEATURES_REPLY ||
        switch_features_decode(&m, &f, &ports)) {
        ofctl_print(stderr, reply.data, reply.len, NULL);
        exit(EXIT_FAILURE);
    }
    while (ports.left) {
        struct queue_request one = *r;
        struct port_desc d;

        if (port_desc_take(&ports, OF10, &d)) {
            break;
        }
        if (ofp_port_is_real(d.port)) {
            one.port = d.port;
            queue_config_request_encode(&b, OF10, msg_new_xid(), &one);
            ofctl_dump(c, &b, names);
        }
    }
    bytes_uninit(&reply);
}

void
ofctl_queue_get_config(struct cmdline_ctx *ctx)
{
    const struct act_text *names = ofctl_names_to_show(ctx->argv[1]);
    struct queue_request r = queue_request(ctx);
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT;

    if (of_client_version(c) == OF10 && r.port == OFPP_NONE) {
        queue_config_of_all_ports(c, &r, names);
    } else {
        queue_config_request_encode(&b, of_client_version(c), msg_new_xid(), &r);
        ofctl_dump(c, &b, names);
    }
    of_client_close(c);
}

/* Flows. */

static void
parse_request(const struct cmdline_ctx *ctx, bool aggregate, struct flow_request *r, unsigned int *usable)
{
    struct flow_mod fm;
    struct error *error = flow_mod_parse(&fm, ctx->argc > 2 ? ctx->argv[2] : "", FM_DELETE,
                                         ofctl_names_to_accept(ctx->argv[1]), usable);

    if (error) {
        cmdline_fatal(0, "%s", error_text(error));
    }
    *r = (struct flow_request) {
        .aggregate = aggregate, .match = fm.match, .cookie = fm.cookie, .cookie_mask = fm.cookie_mask,
        .out_port = fm.out_port, .out_group = fm.out_group, .table_id = fm.table_id,
    };
    flow_mod_uninit(&fm);
    /* Requests for statistics have a table's number in every version. */
    *usable |= *usable & PROTO_OF10_TID ? PROTO_OF10 : 0;
    *usable |= *usable & PROTO_NXM_TID ? PROTO_NXM : 0;
}

void
ofctl_dump_aggregate(struct cmdline_ctx *ctx)
{
    struct flow_request r;
    unsigned int usable, protocol;
    struct of_client *c;
    struct bytes b = BYTES_INIT;

    parse_request(ctx, true, &r, &usable);
    c = ofctl_open_for_dump(ctx->argv[1], usable, &protocol);
    flow_request_encode(&b, protocol, msg_new_xid(), &r);
    ofctl_dump(c, &b, NULL);
    of_client_close(c);
}

/* Takes the flows of one reply; the age of Nicira's form is not shown in this way of printing. */
static void
collect_flows(const struct msg *m, struct dumped_flow ***flows, size_t *n, size_t *capacity)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct cursor c = m->body;

    while (c.left) {
        struct dumped_flow *f = xmalloc(sizeof *f);
        enum ofperr error = flow_stats_take(&c, m, &f->stats, &acts);

        if (error) {
            cmdline_fatal(0, "parse error in reply (%s)", ofperr_name(error));
        }
        if (m->wire->class == CLASS_NXST_REPLY) {
            f->stats.idle_age = f->stats.hard_age = -1;
        }
        f->stats.actions = act_span_clone(f->stats.actions);
        if (*n == *capacity) {
            *flows = x2nrealloc(*flows, capacity, sizeof **flows);
        }
        (*flows)[(*n)++] = f;
    }
    act_buf_uninit(&acts);
}

static void
print_flows(struct dumped_flow **flows, size_t n, const struct act_text *names)
{
    struct str s = STR_INIT;

    for (size_t i = 0; i < n; i++) {
        str_clear(&s);
        print_flow_stats(&s, &flows[i]->stats, names, !ofctl_options.no_stats);
        if (ofctl_options.color) {
            char *text = ofctl_colorize(str_text(&s));

            puts(text);
            free(text);
        } else {
            puts(str_text(&s));
        }
        free((void *) flows[i]->stats.actions.first);
        free(flows[i]);
    }
    str_uninit(&s);
}

/* One flow a line, without the message's name, in the order asked for. */
static void
dump_flows_as_list(struct of_client *c, struct bytes *request, const struct act_text *names)
{
    struct dumped_flow **flows = NULL;
    size_t n = 0, capacity = 0;
    struct bytes reply = BYTES_INIT;
    uint32_t xid = ofctl_xid(request);
    struct msg m;

    ofctl_send(c, request);
    do {
        ofctl_recv_xid(c, xid, &reply);
        if (msg_decode(reply.data, reply.len, &m) || m.type != MSG_FLOW_REPLY) {
            ofctl_print(stderr, reply.data, reply.len, NULL);
            exit(EXIT_FAILURE);
        }
        collect_flows(&m, &flows, &n, &capacity);
    } while (m.stat_flags & MSG_STAT_MORE);
    ofctl_sort_flows(flows, n);
    print_flows(flows, n, names);
    free(flows);
    bytes_uninit(&reply);
}

/* The plain way, with colours: the message's text line by line. */
static void
dump_flows_in_color(struct of_client *c, struct bytes *request)
{
    struct bytes reply = BYTES_INIT;
    struct str s = STR_INIT;
    uint32_t xid = ofctl_xid(request);
    struct msg m;
    char *save = NULL;

    ofctl_send(c, request);
    do {
        ofctl_recv_xid(c, xid, &reply);
        str_clear(&s);
        msg_print(&s, reply.data, reply.len, NULL, ofctl_options.verbosity + 1, NULL);
        for (char *line = strtok_r(s.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
            char *text = line[0] == ' ' ? ofctl_colorize(line) : xstrdup(line);

            puts(text);
            free(text);
        }
    } while (!msg_decode_partial(reply.data, reply.len, &m) && m.stat_flags & MSG_STAT_MORE);
    str_uninit(&s);
    bytes_uninit(&reply);
}

void
ofctl_dump_flows(struct cmdline_ctx *ctx)
{
    bool as_list = ofctl_options.n_sort_keys || ofctl_shows_names() || ofctl_options.no_stats;
    struct flow_request r;
    unsigned int usable, protocol;
    struct of_client *c;
    struct bytes b = BYTES_INIT;

    parse_request(ctx, false, &r, &usable);
    c = ofctl_open_for_dump(ctx->argv[1], usable, &protocol);
    flow_request_encode(&b, protocol, msg_new_xid(), &r);
    if (as_list) {
        dump_flows_as_list(c, &b, ofctl_names_to_show(ctx->argv[1]));
    } else if (ofctl_options.color) {
        dump_flows_in_color(c, &b);
    } else {
        ofctl_dump(c, &b, NULL);
    }
    of_client_close(c);
}
