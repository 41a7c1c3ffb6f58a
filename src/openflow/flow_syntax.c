#include "openflow/flow_syntax.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/words.h"
#include "flow/match_text.h"
#include "openflow/action/key_value.h"
#include "openflow/oxm/oxm.h"
#include "sys/log.h"

LOG_MODULE(ofp_match)

static struct log_limit rl = LOG_LIMIT_INIT(60, 5);

/* What is being read. */
struct syntax {
    struct flow_mod *fm;
    const struct act_text *names;
    unsigned int protocols;
};

/* Whether the log says that the match has changed: not of TCP flags and fragments alone, as the reference. */
static bool
shows(const struct match *before, const struct match *after)
{
    struct flow a = before->mask, b = after->mask;

    a.tcp_flags = b.tcp_flags = 0;
    a.nw_frag = b.nw_frag = 0;
    return memcmp(&a, &b, sizeof a) != 0;
}

bool
match_normalize_prereqs(struct match *m, bool log)
{
    struct str pre = STR_INIT, post = STR_INIT;
    struct match before;

    if (!match_drop_unmet(m, &before)) {
        return false;
    }
    if (log && shows(&before, m)) {
        match_format(&pre, &before, NULL, MATCH_DEFAULT_PRIORITY);
        match_format(&post, m, NULL, MATCH_DEFAULT_PRIORITY);
        log_info_rl(&rl, "normalization changed ofp_match, details:");
        log_info_rl(&rl, " pre: %s", str_text(&pre));
        log_info_rl(&rl, "post: %s", str_text(&post));
        str_uninit(&pre);
        str_uninit(&post);
    }
    return true;
}

/* Which commands a keyword is for. */
enum {
    FOR_ADD = 1 << FM_ADD,
    FOR_MODIFY = 1 << FM_MODIFY | 1 << FM_MODIFY_STRICT,
    FOR_DELETE = 1 << FM_DELETE | 1 << FM_DELETE_STRICT,
    FOR_CHANGE = FOR_ADD | FOR_MODIFY,
    FOR_PRIORITY = FOR_CHANGE | 1 << FM_DELETE_STRICT,
    FOR_ALL = FOR_CHANGE | FOR_DELETE
};

/* Words without values. */

static const struct {
    const char *word;
    uint16_t flag;
    unsigned int protocols;
    unsigned int commands;
} flag_words[] = {
    { "send_flow_rem", FM_SEND_FLOW_REM, PROTO_ANY, FOR_CHANGE },
    { "check_overlap", FM_CHECK_OVERLAP, PROTO_ANY, FOR_CHANGE },
    { "reset_counts", FM_RESET_COUNTS, PROTO_OF12_UP, FOR_CHANGE },
    { "no_packet_counts", FM_NO_PACKET_COUNTS, PROTO_OF13_UP, FOR_CHANGE },
    { "no_byte_counts", FM_NO_BYTE_COUNTS, PROTO_OF13_UP, FOR_CHANGE },
    { "allow_hidden_fields", FM_HIDDEN_FIELDS, PROTO_ANY, FOR_ALL },
    { "no_readonly_table", FM_NO_READONLY, PROTO_ANY, FOR_ALL },
};

/* Keywords with values. */

static struct error *
parse_table(struct syntax *s, const char *value)
{
    if (!of_table_parse(value, s->names->tables, &s->fm->table_id)) {
        return error_new("unknown table \"%s\"", value);
    }
    if (s->fm->table_id != FM_TABLE_ANY) {
        s->protocols &= PROTO_TID;
    }
    return NULL;
}

static struct error *
parse_u16(const char *value, const char *key, uint16_t *v)
{
    return num_parse_u16(value, 0, v) ? NULL : error_new("invalid %s \"%s\"", key, value);
}

static struct error *
parse_priority(struct syntax *s, const char *value)
{
    uint16_t priority;
    struct error *e = parse_u16(value, "priority", &priority);

    s->fm->priority = priority;
    return e;
}

static struct error *
parse_idle_timeout(struct syntax *s, const char *value)
{
    return parse_u16(value, "idle_timeout", &s->fm->idle_timeout);
}

static struct error *
parse_hard_timeout(struct syntax *s, const char *value)
{
    return parse_u16(value, "hard_timeout", &s->fm->hard_timeout);
}

static struct error *
parse_importance(struct syntax *s, const char *value)
{
    return parse_u16(value, "importance", &s->fm->importance);
}

static struct error *
parse_out_port(struct syntax *s, const char *value)
{
    return ofp_port_parse(value, s->names->ports, &s->fm->out_port)
               ? NULL : error_new("%s is not a valid OpenFlow port", value);
}

static struct error *
parse_out_group(struct syntax *s, const char *value)
{
    s->protocols &= PROTO_OF11_UP;
    return num_parse_u32(value, 0, &s->fm->out_group) ? NULL : error_new("invalid numeric format %s", value);
}

static struct error *
parse_u64(const char *text, uint64_t *v)
{
    int64_t negative;

    if (num_parse_u64(text, 0, v)) {
        return NULL;
    }
    if (num_parse_s64(text, 0, &negative)) {
        *v = negative;
        return NULL;
    }
    return error_new("invalid numeric format %s", text);
}

/* "cookie=V/M": a filter. */
static struct error *
parse_cookie_filter(struct syntax *s, const char *value, const char *slash)
{
    char *first = xstrndup(value, slash - value);
    struct error *e;

    e = s->fm->command == FM_ADD ? error_new("flow additions cannot use a cookie mask") : NULL;
    e = e ? e : parse_u64(first, &s->fm->cookie);
    e = e ? e : parse_u64(slash + 1, &s->fm->cookie_mask);
    free(first);
    s->fm->cookie &= s->fm->cookie_mask;
    if (!(1 << s->fm->command & FOR_DELETE)) {
        s->fm->new_cookie = UINT64_MAX; /* Stays as it is.  Without a filter it becomes 0. */
    }
    s->protocols &= PROTO_OF10_NXM_ANY | PROTO_OF11_UP;
    return e;
}

static struct error *
parse_cookie(struct syntax *s, const char *value)
{
    const char *slash = strchr(value, '/');

    if (slash) {
        return parse_cookie_filter(s, value, slash);
    }
    if (1 << s->fm->command & FOR_DELETE) {
        return error_new("cannot set cookie (to match on a cookie, specify a mask, e.g. cookie=%s/-1)", value);
    }
    s->fm->modify_cookie = s->fm->command != FM_ADD;
    return parse_u64(value, &s->fm->new_cookie);
}

static struct error *
ignore(struct syntax *s UNUSED, const char *value UNUSED)
{
    return NULL;
}

static const struct {
    const char *key;
    struct error *(*parse)(struct syntax *s, const char *value);
    unsigned int commands;
} keys[] = {
    { "table", parse_table, FOR_ALL },
    { "priority", parse_priority, FOR_PRIORITY },
    { "cookie", parse_cookie, FOR_ALL },
    { "idle_timeout", parse_idle_timeout, FOR_CHANGE },
    { "hard_timeout", parse_hard_timeout, FOR_CHANGE },
    { "importance", parse_importance, FOR_ADD },
    { "out_port", parse_out_port, FOR_DELETE },
    { "out_group", parse_out_group, FOR_DELETE },
    /* What dump-flows shows besides, so that its output can be read back. */
    { "duration", ignore, FOR_ALL },
    { "n_packets", ignore, FOR_ALL },
    { "n_bytes", ignore, FOR_ALL },
    { "idle_age", ignore, FOR_ALL },
    { "hard_age", ignore, FOR_ALL },
};

/* The flags' words, and behind them the keywords with values; filled before main(). */
enum { FIRST_KEY = ARRAY_SIZE(flag_words) };
static struct words keywords = WORDS_INIT;

__attribute__((constructor)) static void
index_keywords(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(flag_words); i++) {
        words_add(&keywords, flag_words[i].word, i);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++) {
        words_add(&keywords, keys[i].key, FIRST_KEY + i);
    }
}

static struct error *
parse_field(struct syntax *s, const struct field *f, const char *value)
{
    union field_value mask;
    struct error *e = match_parse_field(&s->fm->match, f, *value ? value : "0/0", s->names->ports, &mask);

    if (!e) {
        s->protocols &= oxm_match_protocols(f, &mask);
    }
    return e;
}

/* The fixed matches of OpenFlow 1.0 and 1.1 know nothing of what is in an IPv6 packet. */
static unsigned int
protocols_of_match(const struct match *m)
{
    bool ip6 = m->mask.eth_type && m->flow.eth_type == BE16(0x86dd);

    return ip6 && (m->mask.nw_proto || m->mask.nw_tos || m->mask.tp_src || m->mask.tp_dst) ? PROTO_NXM_OXM_ANY
                                                                                        : PROTO_ANY;
}

static struct error *
parse_keyword(struct syntax *s, const char *key, const char *value)
{
    const struct field *f = field_by_name(key);
    unsigned int command = 1u << s->fm->command;
    int word;

    if (f) {
        return parse_field(s, f, value);
    }
    if (match_parse_shorthand(&s->fm->match, key)) {
        return NULL;
    }
    word = words_find(&keywords, key, strlen(key));
    if (word >= 0 && word < FIRST_KEY && flag_words[word].commands & command) {
        s->fm->flags |= flag_words[word].flag;
        s->protocols &= flag_words[word].protocols;
        return NULL;
    }
    if (!*value) {
        return error_new("field %s missing value", key);
    }
    if (word >= FIRST_KEY && keys[word - FIRST_KEY].commands & command) {
        return keys[word - FIRST_KEY].parse(s, value);
    }
    return error_new("unknown keyword %s", key);
}

static struct error *
parse_keywords(struct syntax *s, char *text)
{
    char *key, *value;
    struct error *e = NULL;

    while (!e && act_take_key_value(&text, &key, &value)) {
        e = parse_keyword(s, key, value);
    }
    return e;
}

static struct error *
check_actions(struct syntax *s, struct act_buf *acts)
{
    struct match copy = s->fm->match;
    struct act_check c = {
        .match = &copy, .protocols = s->protocols, .max_ports = OFPP_MAX, .table = s->fm->table_id,
    };
    enum ofperr error = act_check(acts, &c);

    if (!error && !c.protocols) {
        error = OFPERR_OFPBAC_MATCH_INCONSISTENT;
    }
    s->protocols = c.protocols;
    return error ? error_new("actions are invalid with specified match (%s)", ofperr_name(error)) : NULL;
}

static struct error *
parse_actions(struct syntax *s, char *text)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct error *e;

    e = act_parse_in_place(text, s->names, &acts, &s->protocols);
    e = e ? e : check_actions(s, &acts);
    if (!e) {
        s->fm->actions = act_buf_steal(&acts);
    }
    act_buf_uninit(&acts);
    return e;
}

/* Cuts the text where the actions begin, and returns them; null if there are none. */
static char *
split_actions(char *text)
{
    char *word = strstr(text, "action"), *equals = word ? strchr(word, '=') : NULL;

    if (!equals) {
        return NULL;
    }
    *word = '\0';
    return equals + 1;
}

static struct error *
parse_text(struct syntax *s, char *text)
{
    bool with_actions = 1 << s->fm->command & FOR_CHANGE;
    char *actions = with_actions ? split_actions(text) : NULL;
    struct error *e;

    if (with_actions && !actions) {
        return error_new("must specify an action");
    }
    e = parse_keywords(s, text);
    if (e) {
        return e;
    }
    s->protocols &= protocols_of_match(&s->fm->match);
    match_normalize_prereqs(&s->fm->match, true);
    return actions ? parse_actions(s, actions) : NULL;
}

/* Takes the command's word from the front of the text. */
static enum flow_mod_command
take_command(char **text)
{
    static const struct { const char *word; enum flow_mod_command command; } words[] = {
        { "add", FM_ADD }, { "modify", FM_MODIFY }, { "mod", FM_MODIFY }, { "modify_strict", FM_MODIFY_STRICT },
        { "delete", FM_DELETE }, { "del", FM_DELETE }, { "delete_strict", FM_DELETE_STRICT },
    };
    size_t n;

    *text += strspn(*text, " \t\r\n");
    n = strcspn(*text, " \t\r\n");
    for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
        if (strlen(words[i].word) == n && !memcmp(*text, words[i].word, n)) {
            *text += n;
            return words[i].command;
        }
    }
    return FM_ADD;
}

struct error *
flow_mod_parse_in_place(struct flow_mod *fm, char *text, int command, const struct act_text *names,
                        unsigned int *protocols)
{
    static const struct act_text plain = { NULL, NULL, NULL };
    struct syntax s = { fm, names ? names : &plain, PROTO_ANY };
    struct error *e;

    flow_mod_init(fm);
    fm->command = command == FLOW_COMMAND_FROM_TEXT ? take_command(&text) : (enum flow_mod_command) command;
    e = parse_text(&s, text);
    *protocols = s.protocols;
    if (e) {
        flow_mod_uninit(fm);
    }
    return e;
}

struct error *
flow_mod_parse(struct flow_mod *fm, const char *text, int command, const struct act_text *names,
               unsigned int *protocols)
{
    char *copy = xstrdup(text);
    struct error *e = flow_mod_parse_in_place(fm, copy, command, names, protocols);

    free(copy);
    return e;
}
