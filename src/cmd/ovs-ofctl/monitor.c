/* monitor and snoop: printing what a switch sends, until the connection ends or ovs-appctl says "exit". */
#include "openflow/msg/monitor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <time.h>

#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "ctl/ctl.h"
#include "flow/match_text.h"
#include "openflow/action/key_value.h"
#include "openflow/hello.h"
#include "openflow/msg/packet.h"
#include "openflow/msg/switch.h"
#include "sys/daemon.h"

struct monitor {
    struct of_client *client;
    const struct act_text *names;
    FILE *out;
    bool blocked, done;
    bool resume;                     /* Packets that wait with a continuation go on at once. */
    const char *snooped;             /* The switch as the user called it, if nothing is sent to it; else null. */
    bool any;                        /* Something has come. */
    uint32_t barrier_xid;            /* Of 'barrier'. */
    struct ctl_request *barrier;     /* Waits for the barrier's reply; null if nobody does. */
};

static void
put_timestamp(FILE *f)
{
    int64_t now = clock_wall_ms();
    time_t seconds = now / 1000;
    char text[32];
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(f, "%s.%03d: ", text, (int) (now % 1000));
}

/* Prints what is sent, as what is received. */
static void
send_and_show(struct monitor *m, struct bytes *message)
{
    fprintf(m->out, "send: ");
    ofctl_print_more(m->out, message->data, message->len, m->names, 2);
    fflush(m->out);
    ofctl_send(m->client, message);
}

static void
resume_packet(struct monitor *m, const struct bytes *message)
{
    struct packet_in pin;
    struct bytes b = BYTES_INIT;
    struct msg msg;

    if (!msg_decode(message->data, message->len, &msg) && msg.type == MSG_PACKET_IN2 &&
        !packet_in_decode(&msg, &pin, NULL) && pin.continuation.left) {
        packet_in_encode_resume(&b, msg.version, msg.xid, &pin);
        send_and_show(m, &b);
    }
}

static void
show_message(struct monitor *m, const struct bytes *message)
{
    m->any = true;
    if (ofctl_options.timestamp) {
        put_timestamp(m->out);
    }
    ofctl_print_more(m->out, message->data, message->len, m->names, 2);
    fflush(m->out);
    if (m->barrier && ofctl_xid(message) == m->barrier_xid && message->data[1] != 1) {
        ctl_reply(m->barrier, NULL);
        m->barrier = NULL;
    }
    if (m->resume) {
        resume_packet(m, message);
    }
}

static void
arrived(struct of_client *c, void *m_)
{
    struct monitor *m = m_;
    struct bytes message = BYTES_INIT;
    int error;

    while (!m->blocked && !of_client_try_recv(c, &message)) {
        show_message(m, &message);
    }
    bytes_uninit(&message);
    if (!m->blocked && of_client_is_closed(c, &error)) {
        if (error == -ECONNRESET && m->snooped && !m->any) {
            cmdline_fatal(error, "%s: failed to connect to socket", m->snooped);
        } else {
            cmdline_fatal(0, "vconn_recv (%s)", error == -ECONNRESET ? "End of file" : strerror(-error));
        }
    }
}

/* Control commands. */

static void
ctl_exit(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *m_)
{
    struct monitor *m = m_;

    m->done = true;
    ctl_reply(r, NULL);
}

static void
ctl_send(struct ctl_request *r, int argc, const char *argv[], void *m_)
{
    struct monitor *m = m_;
    struct str reply = STR_INIT;

    for (int i = 1; i < argc; i++) {
        struct bytes b = BYTES_INIT;

        if (*bytes_put_from_hex(&b, argv[i])) {
            ctl_reply_error(r, "Trailing garbage in hex data");
            bytes_uninit(&b);
            str_uninit(&reply);
            return;
        }
        if (b.len < MSG_HEADER) {
            ctl_reply_error(r, "Message too short for OpenFlow");
            bytes_uninit(&b);
            str_uninit(&reply);
            return;
        }
        put_be16(b.data + 2, b.len);
        send_and_show(m, &b);
        str_puts(&reply, "sent\n");
    }
    ctl_reply(r, str_text(&reply));
    str_uninit(&reply);
}

static void
ctl_packet_out(struct ctl_request *r, int argc UNUSED, const char *argv[], void *m_)
{
    struct monitor *m = m_;
    struct act_buf acts = ACT_BUF_INIT;
    struct bytes packet = BYTES_INIT, b = BYTES_INIT;
    struct packet_out po;
    unsigned int usable;
    struct error *error = ofctl_parse_packet_out(argv[1], m->names, &po, &packet, &acts, &usable);
    unsigned int protocol = proto_of_version(of_client_version(m->client));

    if (!error && packet_out_encode(&b, protocol & -protocol, msg_new_xid(), &po)) {
        ofctl_print_more(m->out, b.data, b.len, m->names, 0);
        fflush(m->out);
        ofctl_send(m->client, &b);
    }
    ctl_reply_take_error(r, error);
    act_buf_uninit(&acts);
    bytes_uninit(&packet);
}

static void
ctl_barrier(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *m_)
{
    struct monitor *m = m_;
    struct bytes b = BYTES_INIT;

    if (m->barrier) {
        ctl_reply_error(r, "already waiting for barrier reply");
        return;
    }
    m->barrier = r;
    m->barrier_xid = msg_new_xid();
    msg_put_simple(&b, MSG_BARRIER_REQUEST, of_client_version(m->client), m->barrier_xid, NULL, 0);
    ofctl_send(m->client, &b);
}

static void
ctl_set_output_file(struct ctl_request *r, int argc UNUSED, const char *argv[], void *m_)
{
    struct monitor *m = m_;
    FILE *f = fopen(argv[1], "a");

    if (!f) {
        ctl_reply_error(r, strerror(errno));
        return;
    }
    if (m->out != stderr) {
        fclose(m->out);
    }
    m->out = f;
    ctl_reply(r, NULL);
}

static void
ctl_block(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *m_)
{
    struct monitor *m = m_;

    if (m->blocked) {
        ctl_reply(r, "already blocking\n");
        return;
    }
    m->blocked = true;
    ctl_reply(r, NULL);
}

static void
ctl_unblock(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *m_)
{
    struct monitor *m = m_;

    if (!m->blocked) {
        ctl_reply(r, "already unblocked\n");
        return;
    }
    m->blocked = false;
    ctl_reply(r, NULL);
    arrived(m->client, m);
}

static void
run(struct of_client *c, const struct act_text *names, const char *snooped, bool resume)
{
    struct monitor m = { .client = c, .names = names, .out = stderr, .resume = resume, .snooped = snooped };
    struct ctl_server *server = ctl_server_create_or_exit(ofctl_loop(), ofctl_options.unixctl);

    ctl_register("exit", "", 0, 0, ctl_exit, &m);
    ctl_register("ofctl/set-output-file", "FILE", 1, 1, ctl_set_output_file, &m);
    ctl_register("ofctl/block", "", 0, 0, ctl_block, &m);
    ctl_register("ofctl/unblock", "", 0, 0, ctl_unblock, &m);
    if (!snooped) {
        ctl_register("ofctl/send", "OFMSG...", 1, INT_MAX, ctl_send, &m);
        ctl_register("ofctl/packet-out", "\"in_port=<port> packet=<hex data> actions=...\"", 1, 1, ctl_packet_out, &m);
        ctl_register("ofctl/barrier", "", 0, 0, ctl_barrier, &m);
    }
    of_client_notify(c, arrived, &m);
    daemon_ready();
    arrived(c, &m);
    while (!m.done) {
        loop_run_once(ofctl_loop(), true);
    }
    ctl_server_destroy(server);
    of_client_close(c);
}

/* Arguments of monitor. */

static void
set_switch_config(struct of_client *c, int miss_send_len, bool invalid_ttl)
{
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    uint32_t xid = msg_new_xid();
    struct switch_config config;
    struct msg m;

    msg_put_simple(&b, MSG_GET_CONFIG_REQUEST, of_client_version(c), xid, NULL, 0);
    ofctl_send(c, &b);
    ofctl_recv_xid(c, xid, &reply);
    if (msg_decode(reply.data, reply.len, &m) || m.type != MSG_GET_CONFIG_REPLY || switch_config_decode(&m, &config)) {
        ofctl_print(stderr, reply.data, reply.len, NULL);
        exit(EXIT_FAILURE);
    }
    if (miss_send_len >= 0) {
        config.miss_send_len = miss_send_len;
    }
    if (invalid_ttl) {
        config.invalid_ttl_to_controller = 1;
    }
    switch_config_encode(&b, MSG_SET_CONFIG, of_client_version(c), msg_new_xid(), &config);
    ofctl_must_transact_noreply(c, &b);
    bytes_uninit(&reply);
}

/* One word of "watch:": false if it is none of the flags. */
static bool
parse_watch_flag(const char *key, uint16_t *flags)
{
    static const struct { const char *word; uint16_t bit; } words[] = {
        { "!initial", MONITOR_INITIAL }, { "!add", MONITOR_ADD }, { "!delete", MONITOR_DELETE },
        { "!modify", MONITOR_MODIFY }, { "!actions", MONITOR_ACTIONS }, { "!own", MONITOR_OWN }, { "!abbrev", 0 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (!strcmp(key, words[i].word)) {
            *flags &= ~words[i].bit;
            return true;
        }
    }
    return false;
}

static struct error *
parse_watch_key(const char *spec, const char *key, const char *value, const struct act_text *names,
                struct monitor_request *r)
{
    union field_value mask;
    const struct field *f;

    if (parse_watch_flag(key, &r->flags) || match_parse_shorthand(&r->match, key)) {
        return NULL;
    }
    if (!*value) {
        return error_new("%s: field %s missing value", spec, key);
    }
    if (!strcmp(key, "table")) {
        return of_table_parse(value, names->tables, &r->table_id) ? NULL : error_new("unknown table \"%s\"", value);
    }
    if (!strcmp(key, "out_port")) {
        return ofp_port_parse(value, names->ports, &r->out_port)
               ? NULL : error_new("%s is not a valid OpenFlow port", value);
    }
    if (!strcmp(key, "out_group")) {
        return num_parse_u32(value, 0, &r->out_group) ? NULL : error_new("invalid out_group \"%s\"", value);
    }
    f = field_by_name(key);
    return f ? match_parse_field(&r->match, f, value, names->ports, &mask)
             : error_new("%s: unknown keyword %s", spec, key);
}

static void
watch(struct of_client *c, const char *spec, const struct act_text *accept)
{
    static uint32_t next_id;
    struct monitor_request r = {
        .id = next_id++,
        .flags = MONITOR_FLAGS_ALL, .out_port = OFPP_NONE, .out_group = FM_GROUP_ANY, .table_id = 255,
    };
    char *copy = xstrdup(spec), *p = copy, *key, *value;
    struct bytes b = BYTES_INIT;

    while (act_take_key_value(&p, &key, &value)) {
        struct error *error = parse_watch_key(spec, key, value, accept, &r);

        if (error) {
            cmdline_fatal(0, "%s", error_text(error));
        }
    }
    free(copy);
    monitor_request_encode(&b, of_client_version(c), msg_new_xid(), &r);
    if (ofctl_options.verbosity) {
        ofctl_print(stdout, b.data, b.len, NULL);
    }
    ofctl_dump(c, &b, NULL);
    fflush(stdout);
}

/* Chooses how packets are to be sent: the best form that the switch knows, or the one asked for. */
static void
set_packet_in_format(struct of_client *c)
{
    enum of_version v = of_client_version(c);
    bool chosen = ofctl_options.has_packet_in_format;
    enum packet_in_format tries[2] = { PACKET_IN_NXT2, PACKET_IN_NXT };
    size_t n = v == OF10 ? 2 : 1;

    if (chosen) {
        tries[0] = ofctl_options.packet_in_format;
        n = 1;
    }
    for (size_t i = 0; i < n; i++) {
        struct bytes b = BYTES_INIT, reply = BYTES_INIT;
        bool ok;

        packet_in_format_encode(&b, v, msg_new_xid(), tries[i]);
        ok = ofctl_transact_noreply(c, &b, &reply);
        bytes_uninit(&reply);
        if (ok) {
            return;
        }
        if (chosen) {
            cmdline_fatal(0, "%s: failed to set packet in format to %s", of_client_name(c),
                          packet_in_format_name(tries[i]));
        }
    }
}

static void
check_invalid_ttl_versions(void)
{
    uint32_t versions = 1u << OF10 | 1u << OF11 | 1u << OF12;

    if (!(ofctl_options.versions & versions)) {
        cmdline_fatal(0,
                      "invalid_ttl requires one of the OpenFlow versions OpenFlow10, OpenFlow11, OpenFlow12 but none "
                      "is enabled (use -O)");
    }
    ofctl_options.versions &= versions;
}

void
ofctl_monitor(struct cmdline_ctx *ctx)
{
    struct of_client *c;
    bool resume = false;

    for (int i = 2; i < ctx->argc; i++) {
        int n;

        if (!strcmp(ctx->argv[i], "invalid_ttl")) {
            check_invalid_ttl_versions();
        } else if (!strcmp(ctx->argv[i], "resume")) {
            resume = true;
        } else if (strncmp(ctx->argv[i], "watch:", 6) && !num_parse_int(ctx->argv[i], 10, &n)) {
            cmdline_fatal(0, "%s: unsupported \"monitor\" argument", ctx->argv[i]);
        }
    }
    daemon_keep_open(STDERR_FILENO);
    daemon_start();
    c = ofctl_open(ctx->argv[1]);
    for (int i = 2; i < ctx->argc; i++) {
        const char *arg = ctx->argv[i];

        if (!strcmp(arg, "invalid_ttl")) {
            set_switch_config(c, -1, true);
        } else if (!strcmp(arg, "resume")) {
            set_switch_config(c, UINT16_MAX, false);
        } else if (!strncmp(arg, "watch:", 6)) {
            watch(c, arg + 6, ofctl_names_to_accept(ctx->argv[1]));
        } else {
            set_switch_config(c, atoi(arg), false);
        }
    }
    set_packet_in_format(c);
    run(c, ofctl_names_to_show(ctx->argv[1]), NULL, resume);
}

void
ofctl_snoop(struct cmdline_ctx *ctx)
{
    struct of_client *c;

    daemon_keep_open(STDERR_FILENO);
    daemon_start();
    c = ofctl_open_service(ctx->argv[1], "snoop", OF_CONN_RAW);
    run(c, ofctl_names_to_show(NULL), ctx->argv[1], false);
}
