/* mod-port, mod-table, get-frags, set-frags. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "openflow/hello.h"
#include "openflow/msg/switch.h"
#include "openflow/msg/table.h"

/* Sends a request that has one answer of the given type, and returns it; exits with what came otherwise. */
static void
transact(struct of_client *c, struct bytes *request, enum msg_type type, struct bytes *reply, struct msg *m)
{
    uint32_t xid = ofctl_xid(request);

    ofctl_send(c, request);
    ofctl_recv_xid(c, xid, reply);
    if (msg_decode(reply->data, reply->len, m) || m->type != type) {
        ofctl_print(stderr, reply->data, reply->len, NULL);
        exit(EXIT_FAILURE);
    }
}

static bool
is_wanted(const struct port_desc *d, const char *name, bool has_number, ofp_port number)
{
    return has_number ? d->port == number : !strcmp(d->name, name);
}

/* A number is one of those that descriptions have, of any version: nothing is to be said of it. */
static bool
parse_number(const char *text, ofp_port *number)
{
    uint32_t n;

    if (num_parse_u32(text, 10, &n)) {
        *number = n <= UINT16_MAX ? ofp_port_from_u16(n) : OFP_PORT(n);
        return true;
    }
    return ofp_port_parse(text, NULL, number);
}

/* Looks for the port among the descriptions of one message. */
static bool
find_in(struct cursor c, enum of_version v, const char *name, struct port_desc *found)
{
    ofp_port number;
    bool has_number = parse_number(name, &number);
    struct port_desc d;

    while (c.left && !port_desc_take(&c, v, &d)) {
        if (is_wanted(&d, name, has_number, number)) {
            *found = d;
            return true;
        }
    }
    return false;
}

static bool
fetch_desc(struct of_client *c, const char *name, struct port_desc *d)
{
    enum of_version v = of_client_version(c);
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    uint32_t xid = msg_new_xid();
    bool found = false, more = true;
    struct switch_features f;
    struct cursor ports;
    struct msg m;

    if (v < OF13) {
        msg_put_simple(&b, MSG_FEATURES_REQUEST, v, xid, NULL, 0);
        transact(c, &b, MSG_FEATURES_REPLY, &reply, &m);
        found = !switch_features_decode(&m, &f, &ports) && find_in(ports, v, name, d);
        more = !found && reply.len + 64 > MSG_MAX;
    }
    if (more) {
        port_desc_request_encode(&b, v, xid = msg_new_xid(), OFPP_NONE);
        ofctl_send(c, &b);
    }
    while (more) {
        ofctl_recv_xid(c, xid, &reply);
        if (msg_decode(reply.data, reply.len, &m) || m.type != MSG_PORT_DESC_REPLY) {
            ofctl_print(stderr, reply.data, reply.len, NULL);
            exit(EXIT_FAILURE);
        }
        found = found || find_in(m.body, v, name, d);
        more = m.stat_flags & MSG_STAT_MORE;
    }
    bytes_uninit(&reply);
    return found;
}

/* What each word sets; with "no" in front, the opposite. */
static const struct {
    const char *name;
    uint32_t bit;
    bool sets; /* The word itself sets the bit. */
} port_words[] = {
    { "up", PORT_CONFIG_DOWN, false }, { "down", PORT_CONFIG_DOWN, true }, { "stp", PORT_CONFIG_NO_STP, false },
    { "receive", PORT_CONFIG_NO_RECV, false }, { "receive-stp", PORT_CONFIG_NO_RECV_STP, false },
    { "flood", PORT_CONFIG_NO_FLOOD, false }, { "forward", PORT_CONFIG_NO_FWD, false },
    { "packet-in", PORT_CONFIG_NO_PACKET_IN, false },
};

/* Whether "no" may stand before the word: "up" and "down" are each other's opposite. */
static bool
may_negate(size_t i)
{
    return port_words[i].bit != PORT_CONFIG_DOWN;
}

void
ofctl_put_port_words(struct str *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(port_words); i++) {
        str_putf(s, "%s ", port_words[i].name);
        if (may_negate(i)) {
            str_putf(s, "no-%s ", port_words[i].name);
        }
    }
}

static void
parse_port_action(const char *text, struct port_mod *pm)
{
    const char *word = text;
    bool no = !strncasecmp(word, "no", 2) && strcasecmp(word, "no");

    if (no) {
        word += word[2] == '-' ? 3 : 2;
    }
    for (size_t i = 0; i < ARRAY_SIZE(port_words); i++) {
        if (!strcasecmp(word, port_words[i].name) && (!no || may_negate(i))) {
            pm->mask = port_words[i].bit;
            pm->config = port_words[i].sets != no ? port_words[i].bit : 0;
            return;
        }
    }
    cmdline_fatal(0, "unknown mod-port command '%s'", text);
}

void
ofctl_mod_port(struct cmdline_ctx *ctx)
{
    struct port_mod pm = { .port = OFPP_NONE };
    struct bytes b = BYTES_INIT;
    struct port_desc d;
    struct of_client *c;

    parse_port_action(ctx->argv[3], &pm);
    c = ofctl_open(ctx->argv[1]);
    if (!fetch_desc(c, ctx->argv[2], &d)) {
        cmdline_fatal(0, "%s: couldn't find port `%s'", ctx->argv[1], ctx->argv[2]);
    }
    pm.port = d.port;
    pm.mac = d.mac;
    port_mod_encode(&b, of_client_version(c), msg_new_xid(), &pm);
    ofctl_must_transact_noreply(c, &b);
    of_client_close(c);
}

/* Fragments. */

static void
fetch_config(struct of_client *c, struct switch_config *config)
{
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    struct msg m;

    msg_put_simple(&b, MSG_GET_CONFIG_REQUEST, of_client_version(c), msg_new_xid(), NULL, 0);
    transact(c, &b, MSG_GET_CONFIG_REPLY, &reply, &m);
    if (switch_config_decode(&m, config)) {
        cmdline_fatal(0, "%s: bad reply to config request", of_client_name(c));
    }
    bytes_uninit(&reply);
}

void
ofctl_get_frags(struct cmdline_ctx *ctx)
{
    struct of_client *c = ofctl_open(ctx->argv[1]);
    struct switch_config config;

    fetch_config(c, &config);
    puts(frag_mode_name(config.frags));
    of_client_close(c);
}

void
ofctl_set_frags(struct cmdline_ctx *ctx)
{
    struct switch_config config;
    struct bytes b = BYTES_INIT;
    enum frag_mode mode;
    struct of_client *c;

    if (!frag_mode_parse(ctx->argv[2], &mode)) {
        cmdline_fatal(0, "%s: unknown fragment handling mode", ctx->argv[2]);
    }
    c = ofctl_open(ctx->argv[1]);
    fetch_config(c, &config);
    if (config.frags != mode) {
        config.frags = mode;
        switch_config_encode(&b, MSG_SET_CONFIG, of_client_version(c), msg_new_xid(), &config);
        ofctl_must_transact_noreply(c, &b);
        fetch_config(c, &config);
        if (config.frags != mode) {
            cmdline_fatal(0, "%s: setting fragment handling mode failed (this switch probably doesn't support mode "
                          "\"%s\")", ctx->argv[1], frag_mode_name(mode));
        }
    }
    of_client_close(c);
}

/* Tables. */

enum table_setting { SET_MISS, SET_EVICTION, SET_VACANCY, SET_NAME };

enum {
    IN_11_12 = 1u << OF11 | 1u << OF12,
    FROM_14 = 1u << OF14 | 1u << OF15,
    FROM_13 = 1u << OF13 | FROM_14,
};

/* What may be set, and the versions that can say it; behind a colon stands a value. */
static const struct table_word {
    const char *name;
    enum table_setting setting;
    int value; /* Of SET_MISS an enum table_miss, of SET_EVICTION and SET_VACANCY whether. */
    uint32_t versions;
} table_words[] = {
    { "controller", SET_MISS, TABLE_MISS_CONTROLLER, IN_11_12 },
    { "continue", SET_MISS, TABLE_MISS_CONTINUE, IN_11_12 },
    { "drop", SET_MISS, TABLE_MISS_DROP, IN_11_12 },
    { "evict", SET_EVICTION, 1, FROM_14 },
    { "noevict", SET_EVICTION, 0, FROM_14 },
    { "vacancy:", SET_VACANCY, 1, FROM_14 },
    { "novacancy", SET_VACANCY, 0, FROM_14 },
    { "name:", SET_NAME, 0, FROM_13 },
};

static const char all_tables[] = "all";

void
ofctl_put_table_words(struct str *s)
{
    str_putf(s, "%s ", all_tables);
}

void
ofctl_put_table_settings(struct str *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(table_words); i++) {
        str_putf(s, "%s ", table_words[i].name);
    }
}

static uint8_t
parse_percent(const char *text, const char *which)
{
    uint8_t percent;

    if (!text || !*text) {
        cmdline_fatal(0, "Vacancy %s value missing", which);
    }
    if (!num_parse_u8(text, 10, &percent) || percent > 100) {
        cmdline_fatal(0, "Invalid vacancy %s value \"%s\"", which, text);
    }
    return percent;
}

/* "DOWN,UP" */
static void
parse_vacancy(const char *text, struct table_mod *tm)
{
    char *copy = xstrdup(text), *comma = strchr(copy, ',');

    if (comma) {
        *comma++ = '\0';
    }
    tm->vacancy = 1;
    tm->vacancy_down = parse_percent(copy, "down");
    tm->vacancy_up = parse_percent(comma, "up");
    free(copy);
    if (tm->vacancy_down > tm->vacancy_up) {
        cmdline_fatal(0, "Invalid vacancy range, vacancy up should be greater than vacancy down (%s)",
                      ofperr_name(OFPERR_OFPBPC_BAD_VALUE));
    }
}

static const struct table_word *
find_table_word(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(table_words); i++) {
        const char *name = table_words[i].name;
        size_t n = strlen(name);

        if (name[n - 1] == ':' ? !strncmp(text, name, n) : !strcmp(text, name)) {
            return &table_words[i];
        }
    }
    cmdline_fatal(0, "invalid table_mod setting %s", text);
}

static enum table_setting
parse_table_setting(const char *text, struct table_mod *tm, uint32_t *versions)
{
    const struct table_word *word = find_table_word(text);

    *versions = word->versions;
    if (word->setting == SET_MISS) {
        tm->miss = word->value;
    } else if (word->setting == SET_EVICTION) {
        tm->eviction = word->value;
    } else if (word->setting == SET_VACANCY && word->value) {
        parse_vacancy(text + strlen(word->name), tm);
    } else if (word->setting == SET_VACANCY) {
        tm->vacancy = 0;
    }
    return word->setting;
}

/* From 1.4 on what is not changed must be said as it is. */
static void
keep_the_rest(struct of_client *c, enum table_setting setting, struct table_mod *tm)
{
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    struct table_desc d;
    struct cursor cursor;
    struct msg m;

    msg_put_simple(&b, MSG_TABLE_DESC_REQUEST, of_client_version(c), msg_new_xid(), NULL, 0);
    transact(c, &b, MSG_TABLE_DESC_REPLY, &reply, &m);
    cursor = m.body;
    while (cursor.left && !table_desc_take(&cursor, m.version, &d)) {
        if (d.table_id != tm->table_id) {
            continue;
        }
        if (setting == SET_VACANCY) {
            tm->eviction = d.eviction;
            tm->eviction_flags = d.eviction_flags;
        } else {
            tm->vacancy = d.vacancy;
            tm->vacancy_down = d.vacancy_down;
            tm->vacancy_up = d.vacancy_up;
        }
    }
    bytes_uninit(&reply);
}

/* Puts the name into the table's entry of a part of a reply, if it is there. */
static bool
patch_table_name(struct bytes *part, size_t body, uint8_t table, const char *name)
{
    uint8_t *p = part->data + body, *end = part->data + part->len;
    bool found = false;

    while (end - p >= 64 && get_be16(p) >= 64 && get_be16(p) <= end - p) {
        if (p[2] == table) {
            memset(p + 8, 0, 32);
            str_copy_cut((char *) p + 8, name, 32);
            found = true;
        }
        p += get_be16(p);
    }
    return found;
}

/* Appends to 'all' the request that would leave all tables as the switch says they are, but 'table', which gets the
 * name. */
static void
request_all_renamed(struct of_client *c, uint8_t table, const char *name, uint32_t new_xid, struct bytes *all)
{
    struct bytes request = BYTES_INIT, part = BYTES_INIT;
    enum of_version v = of_client_version(c);
    uint32_t xid = msg_new_xid();
    bool more, found = false;
    struct msg m;

    msg_put_simple(&request, MSG_TABLE_FEATURES_REQUEST, v, xid, NULL, 0);
    ofctl_send(c, &request);
    do {
        ofctl_recv_xid(c, xid, &part);
        if (msg_decode(part.data, part.len, &m) || m.type != MSG_TABLE_FEATURES_REPLY) {
            ofctl_print(stderr, part.data, part.len, NULL);
            exit(EXIT_FAILURE);
        }
        more = m.stat_flags & MSG_STAT_MORE;
        found |= patch_table_name(&part, m.body.at - part.data, table, name);
        msg_put_simple(&request, MSG_TABLE_FEATURES_REQUEST, v, new_xid, m.body.at, m.body.left);
        memcpy(request.data + 8, part.data + 8, 4); /* Kind and flags. */
        bytes_put(all, request.data, request.len);
        bytes_clear(&request);
    } while (more);
    if (!found) {
        cmdline_fatal(0, "switch does not have table %u", table);
    }
    bytes_uninit(&request);
    bytes_uninit(&part);
}

/* From 1.5 on a request may speak of one table. */
static void
put_table_name(struct bytes *b, enum of_version v, uint32_t xid, uint8_t table, const char *name)
{
    struct table_features f = { .table_id = table, .command = TABLE_FEATURES_MODIFY, .has_command = true,
                                .eviction = -1, .vacancy = -1, .metadata_match = UINT64_MAX,
                                .metadata_write = UINT64_MAX, .max_entries = 1000000 };
    size_t start = msg_start(b, MSG_TABLE_FEATURES_REQUEST, v, xid);

    str_copy_cut(f.name, name, sizeof f.name);
    table_features_put(b, v, &f);
    msg_finish(b, start);
}

static void
set_table_name(struct of_client *c, uint8_t table, const char *name)
{
    struct bytes b = BYTES_INIT, part = BYTES_INIT;
    uint32_t xid = msg_new_xid();

    request_all_renamed(c, table, name, xid, &b);
    if (of_client_version(c) >= OF15) {
        bytes_clear(&b);
        put_table_name(&b, of_client_version(c), xid, table, name);
    }
    ofctl_send(c, &b);
    do {
        ofctl_recv_xid(c, xid, &part);
        if (part.data[1] == 1) {
            ofctl_print(stderr, part.data, part.len, NULL);
            exit(EXIT_FAILURE);
        }
    } while (ofctl_more_follow(&part));
    bytes_uninit(&part);
}

void
ofctl_mod_table(struct cmdline_ctx *ctx)
{
    struct table_mod tm = { .eviction = -1, .vacancy = -1, .eviction_flags = UINT32_MAX };
    enum table_setting setting;
    struct bytes b = BYTES_INIT;
    uint32_t versions, usable;
    struct of_client *c;

    if (!strcasecmp(ctx->argv[2], all_tables)) {
        tm.table_id = 255;
    } else if (!of_table_parse(ctx->argv[2], ofctl_names_to_accept(ctx->argv[1])->tables, &tm.table_id)) {
        cmdline_fatal(0, "unknown table \"%s\"", ctx->argv[2]);
    }
    setting = parse_table_setting(ctx->argv[3], &tm, &versions);
    if (setting == SET_NAME && tm.table_id == 255) {
        cmdline_fatal(0, "invalid table_mod setting %s", ctx->argv[3]);
    }
    usable = versions & ofctl_options.versions;
    if (!usable) {
        struct str s = STR_INIT;

        of_versions_put_names(&s, versions);
        cmdline_fatal(0, "table_mod '%s' requires one of the OpenFlow versions %s", ctx->argv[3], str_text(&s));
    }
    c = ofctl_open_versions(ctx->argv[1], usable);
    if (setting == SET_NAME) {
        set_table_name(c, tm.table_id, ctx->argv[3] + 5);
    } else {
        if (setting != SET_MISS) {
            keep_the_rest(c, setting, &tm);
        }
        table_mod_encode(&b, of_client_version(c), msg_new_xid(), &tm);
        ofctl_must_transact_noreply(c, &b);
    }
    of_client_close(c);
}
