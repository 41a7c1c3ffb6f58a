/* Commands about groups, meters and tunnel metadata. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "flow/field_text.h"
#include "openflow/action/key_value.h"
#include "openflow/msg/bundle.h"
#include "openflow/msg/group.h"
#include "openflow/msg/group_syntax.h"
#include "openflow/msg/meter.h"
#include "openflow/msg/meter_syntax.h"
#include "openflow/msg/packet.h"
#include "openflow/msg/tlv.h"

/* Groups. */

struct group_batch {
    const char *switch_name;
    unsigned int usable;
    struct group_mod *mods;
    size_t n, capacity;
};

static void
add_group(struct group_batch *b, const char *text, int command, const char *file, int line)
{
    unsigned int protocols;
    struct error *error;

    if (b->n == b->capacity) {
        b->mods = x2nrealloc(b->mods, &b->capacity, sizeof *b->mods);
    }
    error = group_mod_parse(&b->mods[b->n], text, command, ofctl_names_to_accept(b->switch_name), &protocols);
    if (error && file) {
        cmdline_fatal(0, "%s:%d: %s", file, line, error_text(error));
    } else if (error) {
        cmdline_fatal(0, "%s", error_text(error));
    }
    b->usable &= protocols;
    b->n++;
}

static void
add_groups_of_file(struct group_batch *b, const char *file, int command)
{
    size_t len;
    char *text = ofctl_read_file(file, "open failed", &len), *line;
    struct line_iter it = { text, text + len, 0 };

    while ((line = ofctl_next_line(&it))) {
        add_group(b, line, command, file, it.number);
    }
    free(text);
}

/* Versions 1.1 to 1.4 have no commands for single buckets; with 1.0 groups are an extension that has. */
static void
require_bucket_commands(const struct group_mod *gm, enum of_version v)
{
    if (gm->command == GROUP_INSERT_BUCKET && v > OF10 && v < OF15) {
        cmdline_fatal(0, "insert-bucket needs OpenFlow 1.5 or later ('-O OpenFlow15')");
    }
}

static void
send_groups(struct group_batch *b)
{
    struct bytes messages = BYTES_INIT;
    unsigned int protocol;
    struct of_client *c;

    if (ofctl_options.bundle) {
        ofctl_require_bundles();
    }
    c = ofctl_open_for_flows(b->switch_name, b->usable, &protocol);
    for (size_t i = 0; i < b->n; i++) {
        require_bucket_commands(&b->mods[i], of_client_version(c));
        if (!group_mod_encode(&messages, of_client_version(c), msg_new_xid(), &b->mods[i])) {
            cmdline_fatal(0, "group is too long for one message");
        }
        if (!ofctl_options.bundle) {
            ofctl_must_transact_noreply(c, &messages);
        }
        group_mod_uninit(&b->mods[i]);
    }
    if (ofctl_options.bundle) {
        ofctl_run_bundle(c, &messages);
    }
    bytes_uninit(&messages);
    free(b->mods);
    of_client_close(c);
}

static void
run_group_command(struct cmdline_ctx *ctx, int command)
{
    struct group_batch b = { .switch_name = ctx->argv[1], .usable = PROTO_ANY };
    const char *text = ctx->argc > 2 ? ctx->argv[2] : "";

    if (!strcmp(text, "-")) {
        add_groups_of_file(&b, "-", command);
    } else {
        add_group(&b, text, command, NULL, 0);
    }
    send_groups(&b);
}

void
ofctl_add_group(struct cmdline_ctx *ctx)
{
    bool from_file = ctx->argc > 2 && !strcmp(ctx->argv[2], "-");

    run_group_command(ctx, from_file ? GROUP_COMMAND_FROM_TEXT : GROUP_ADD);
}

void
ofctl_add_groups(struct cmdline_ctx *ctx)
{
    struct group_batch b = { .switch_name = ctx->argv[1], .usable = PROTO_ANY };

    add_groups_of_file(&b, ctx->argc > 2 ? ctx->argv[2] : "-", GROUP_COMMAND_FROM_TEXT);
    send_groups(&b);
}

void
ofctl_mod_group(struct cmdline_ctx *ctx)
{
    run_group_command(ctx, ofctl_options.may_create ? GROUP_ADD_OR_MOD : GROUP_MODIFY);
}

void
ofctl_del_groups(struct cmdline_ctx *ctx)
{
    run_group_command(ctx, GROUP_DELETE);
}

void
ofctl_insert_buckets(struct cmdline_ctx *ctx)
{
    run_group_command(ctx, GROUP_INSERT_BUCKET);
}

void
ofctl_remove_buckets(struct cmdline_ctx *ctx)
{
    run_group_command(ctx, GROUP_REMOVE_BUCKET);
}

static void
dump_groups(struct cmdline_ctx *ctx, enum msg_type type)
{
    const char *group = ctx->argc > 2 ? ctx->argv[2] : "all";
    uint32_t id;
    struct of_client *c;
    struct bytes b = BYTES_INIT;

    group += strncmp(group, "group_id=", 9) ? 0 : 9;
    if (!group_id_parse(group, &id)) {
        cmdline_fatal(0, "%s: unknown group", group);
    }
    c = ofctl_open(ctx->argv[1]);
    group_request_encode(&b, type, of_client_version(c), msg_new_xid(), id);
    ofctl_dump(c, &b, ofctl_names_to_show(ctx->argv[1]));
    of_client_close(c);
}

void
ofctl_dump_groups(struct cmdline_ctx *ctx)
{
    dump_groups(ctx, MSG_GROUP_DESC_REQUEST);
}

void
ofctl_dump_group_stats(struct cmdline_ctx *ctx)
{
    dump_groups(ctx, MSG_GROUP_REQUEST);
}

void
ofctl_dump_group_features(struct cmdline_ctx *ctx)
{
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT;

    msg_put_simple(&b, MSG_GROUP_FEATURES_REQUEST, of_client_version(c), msg_new_xid(), NULL, 0);
    ofctl_dump(c, &b, NULL);
    of_client_close(c);
}

/* Prints the group in the first version that can say it. */
void
ofctl_parse_group(struct cmdline_ctx *ctx)
{
    struct bytes b = BYTES_INIT;
    struct group_mod gm;
    unsigned int usable;
    struct error *error = group_mod_parse(&gm, ctx->argv[1], GROUP_COMMAND_FROM_TEXT, ofctl_names_to_accept(NULL),
                                          &usable);
    unsigned int protocol;
    enum of_version version;
    struct str protocols = STR_INIT;

    if (error) {
        cmdline_fatal(0, "%s", error_text(error));
    }
    protocol = usable & ofctl_options.protocols ? usable & ofctl_options.protocols : usable;
    version = proto_version(protocol & -protocol);
    proto_put_set(&protocols, usable);
    printf("usable protocols: %s\nchosen version: %s\n", str_text(&protocols), of_version_name(version));
    str_uninit(&protocols);
    if (group_mod_encode(&b, version, msg_new_xid(), &gm)) {
        ofctl_print(stdout, b.data, b.len, NULL);
    }
    bytes_uninit(&b);
    group_mod_uninit(&gm);
}

/* The bundle command: flows, groups and packet-outs of a file as one change. */

/* Takes the first word if it is 'word'. */
static bool
take_word(char **text, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(*text, word, n) || !strchr(" \t", (*text)[n])) { /* Also at the end. */
        return false;
    }
    *text += n;
    *text += strspn(*text, " \t");
    return true;
}

static struct error *
encode_bundle_line(char *line, const char *switch_name, enum of_version v, unsigned int protocol, struct bytes *out)
{
    const struct act_text *names = ofctl_names_to_accept(switch_name);
    unsigned int usable = 0;
    struct error *error;
    bool ok = true;

    if (take_word(&line, "flow")) {
        struct flow_mod fm;

        error = flow_mod_parse(&fm, line, FLOW_COMMAND_FROM_TEXT, names, &usable);
        if (!error && usable & protocol) {
            ok = flow_mod_encode(out, protocol, msg_new_xid(), &fm);
            flow_mod_uninit(&fm);
        }
    } else if (take_word(&line, "group")) {
        struct group_mod gm;

        error = group_mod_parse(&gm, line, GROUP_COMMAND_FROM_TEXT, names, &usable);
        if (!error && usable & protocol) {
            ok = group_mod_encode(out, v, msg_new_xid(), &gm);
            group_mod_uninit(&gm);
        }
    } else if (take_word(&line, "packet-out")) {
        struct act_buf acts = ACT_BUF_INIT;
        struct bytes packet = BYTES_INIT;
        struct packet_out po;

        error = ofctl_parse_packet_out(line, names, &po, &packet, &acts, &usable);
        if (!error && usable & protocol) {
            ok = packet_out_encode(out, protocol, msg_new_xid(), &po);
        }
        act_buf_uninit(&acts);
        bytes_uninit(&packet);
    } else {
        return error_new("Unsupported bundle message type: %.*s", (int) strcspn(line, ", \t\r\n"), line);
    }
    if (!error && !(usable & protocol)) {
        return error_new("cannot be said in %s", proto_name(protocol));
    }
    return error ? error : ok ? NULL : error_new("too long for one message");
}

void
ofctl_bundle(struct cmdline_ctx *ctx)
{
    size_t len;
    char *text = ofctl_read_file(ctx->argv[2], "open failed", &len), *line;
    struct line_iter it = { text, text + len, 0 };
    struct bytes messages = BYTES_INIT;
    unsigned int protocol;
    struct of_client *c;

    ofctl_require_bundles();
    c = ofctl_open_for_flows(ctx->argv[1], PROTO_OF13_UP, &protocol);
    while ((line = ofctl_next_line(&it))) {
        struct error *error = encode_bundle_line(line, ctx->argv[1], of_client_version(c), protocol, &messages);

        if (error) {
            cmdline_fatal(0, "%s:%d: %s", ctx->argv[2], it.number, error_text(error));
        }
    }
    ofctl_run_bundle(c, &messages);
    bytes_uninit(&messages);
    free(text);
    of_client_close(c);
}

/* Meters (OpenFlow 1.3 and later). */

static void
run_meter_command(struct cmdline_ctx *ctx, enum meter_command command)
{
    struct bytes b = BYTES_INIT;
    unsigned int usable, protocol;
    struct of_client *c;
    struct meter_mod mm;
    struct error *error = meter_mod_parse(&mm, ctx->argc > 2 ? ctx->argv[2] : "meter=all", command, &usable);

    if (error) {
        cmdline_fatal(0, "%s", error_text(error));
    }
    c = ofctl_open_for_flows(ctx->argv[1], usable, &protocol);
    if (!meter_mod_encode(&b, of_client_version(c), msg_new_xid(), &mm)) {
        cmdline_fatal(0, "meter is too long for one message");
    }
    ofctl_must_transact_noreply(c, &b);
    meter_mod_uninit(&mm);
    of_client_close(c);
}

void
ofctl_add_meter(struct cmdline_ctx *ctx)
{
    run_meter_command(ctx, METER_ADD);
}

void
ofctl_mod_meter(struct cmdline_ctx *ctx)
{
    run_meter_command(ctx, METER_MODIFY);
}

void
ofctl_del_meters(struct cmdline_ctx *ctx)
{
    run_meter_command(ctx, METER_DELETE);
}

static void
dump_meters(struct cmdline_ctx *ctx, enum msg_type type)
{
    struct bytes b = BYTES_INIT;
    unsigned int usable = PROTO_OF13_UP, protocol;
    struct meter_mod mm = { .meter_id = METER_ALL };
    struct of_client *c;

    if (ctx->argc > 2) {
        struct error *error = meter_mod_parse(&mm, ctx->argv[2], METER_DELETE, &usable);

        if (error) {
            cmdline_fatal(0, "%s", error_text(error));
        }
    }
    c = ofctl_open_for_flows(ctx->argv[1], usable, &protocol);
    meter_request_encode(&b, type, of_client_version(c), msg_new_xid(), mm.meter_id);
    ofctl_dump(c, &b, NULL);
    of_client_close(c);
}

void
ofctl_dump_meters(struct cmdline_ctx *ctx)
{
    dump_meters(ctx, MSG_METER_CONFIG_REQUEST);
}

void
ofctl_meter_stats(struct cmdline_ctx *ctx)
{
    dump_meters(ctx, MSG_METER_REQUEST);
}

void
ofctl_meter_features(struct cmdline_ctx *ctx)
{
    dump_meters(ctx, MSG_METER_FEATURES_REQUEST);
}

/* Tunnel metadata: "{class=0xffff,type=0,len=4}->tun_metadata0,...". */

static bool
parse_number(const char *text, unsigned long max, unsigned long *v)
{
    char *end;

    errno = 0;
    *v = strtoul(text, &end, 0);
    return !errno && end != text && !*end && *v <= max;
}

static struct error *
parse_tlv_key(const char *key, const char *value, struct tlv_map *map)
{
    unsigned long v;

    if (!strcmp(key, "class") && parse_number(value, UINT16_MAX, &v)) {
        map->option_class = v;
    } else if (!strcmp(key, "type") && parse_number(value, UINT8_MAX, &v)) {
        map->option_type = v;
    } else if (!strcmp(key, "len") && parse_number(value, 124, &v) && v % 4 == 0) {
        map->option_len = v;
    } else if (!strcmp(key, "len")) {
        return error_new("%s: not a valid tun_metadata option length", value);
    } else {
        return error_new("invalid tlv mapping");
    }
    return NULL;
}

/* Takes one mapping from '*text'. */
static struct error *
take_tlv_map(char **text, struct tlv_map *map)
{
    char *open = *text + strspn(*text, ", "), *close = strchr(open, '}'), *rest, *end, *save = NULL;
    unsigned long index;

    *map = (struct tlv_map) { 0 };
    if (*open != '{' || !close || strncmp(close + 1, "->tun_metadata", 14)) {
        return error_new("invalid tlv mapping");
    }
    *close = '\0';
    for (char *part = strtok_r(open + 1, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(part, '=');
        struct error *error;

        if (!eq) {
            return error_new("invalid tlv mapping");
        }
        *eq = '\0';
        error = parse_tlv_key(part, eq + 1, map);
        if (error) {
            return error;
        }
    }
    rest = close + 15;
    index = strtoul(rest, &end, 10);
    if (end == rest || index > 63) {
        return error_new("%s: not a valid tun_metadata field", rest);
    }
    map->index = index;
    *text = end + strspn(end, ", ");
    return NULL;
}

static void
run_tlv_command(struct cmdline_ctx *ctx, enum tlv_command command)
{
    char *copy = xstrdup(ctx->argc > 2 ? ctx->argv[2] : ""), *p = copy;
    struct tlv_map *maps = NULL;
    size_t n = 0, capacity = 0;
    struct bytes b = BYTES_INIT;
    struct of_client *c;

    while (*p) {
        struct error *error;

        if (n == capacity) {
            maps = x2nrealloc(maps, &capacity, sizeof *maps);
        }
        error = take_tlv_map(&p, &maps[n++]);
        if (error) {
            cmdline_fatal(0, "%s", error_text(error));
        }
    }
    c = ofctl_open(ctx->argv[1]);
    tlv_mod_encode(&b, of_client_version(c), msg_new_xid(), command, maps, n);
    ofctl_must_transact_noreply(c, &b);
    of_client_close(c);
    free(maps);
    free(copy);
}

void
ofctl_add_tlv_map(struct cmdline_ctx *ctx)
{
    run_tlv_command(ctx, TLV_ADD);
}

void
ofctl_del_tlv_map(struct cmdline_ctx *ctx)
{
    run_tlv_command(ctx, ctx->argc > 2 ? TLV_DELETE : TLV_CLEAR);
}

void
ofctl_dump_tlv_map(struct cmdline_ctx *ctx)
{
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct bytes b = BYTES_INIT;

    msg_put_simple(&b, MSG_TLV_TABLE_REQUEST, of_client_version(c), msg_new_xid(), NULL, 0);
    ofctl_dump(c, &b, NULL);
    of_client_close(c);
}
