#include "openflow/msg/group_syntax.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "flow/field_text.h"
#include "openflow/action/key_value.h"
#include "openflow/protocol.h"

struct syntax {
    struct group_mod *gm;
    const struct act_text *names;
    unsigned int protocols;
    bool has_id, has_type, has_command_bucket, has_method, has_param, has_fields;
};

bool
group_id_parse(const char *text, uint32_t *id)
{
    if (!strcasecmp(text, "all")) {
        *id = GROUP_ALL;
    } else if (!strcasecmp(text, "any")) {
        *id = GROUP_ANY;
    } else {
        return num_parse_u32(text, 0, id);
    }
    return true;
}

static bool
takes_type(enum group_command c)
{
    return c == GROUP_ADD || c == GROUP_MODIFY || c == GROUP_ADD_OR_MOD;
}

static bool
takes_buckets(enum group_command c)
{
    return takes_type(c) || c == GROUP_INSERT_BUCKET;
}

static bool
takes_command_bucket(enum group_command c)
{
    return c == GROUP_INSERT_BUCKET || c == GROUP_REMOVE_BUCKET;
}

static struct error *
parse_u32(const char *text, uint32_t *v)
{
    return num_parse_u32(text, 0, v) ? NULL : error_new("invalid numeric format %s", text);
}

/* Keys of the group. */

static struct error *
parse_id(struct syntax *s, const char *value)
{
    s->has_id = true;
    if (!strcasecmp(value, "all")) {
        s->gm->group_id = GROUP_ALL;
        return NULL;
    }
    if (!num_parse_u32(value, 0, &s->gm->group_id)) {
        return error_new("invalid numeric format %s", value);
    }
    if (s->gm->group_id > GROUP_MAX && s->gm->group_id != GROUP_ALL) {
        return error_new("invalid group id %u", s->gm->group_id);
    }
    return NULL;
}

static struct error *
parse_type(struct syntax *s, const char *value)
{
    s->has_type = true;
    if (!takes_type(s->gm->command)) {
        return error_new("type is not needed");
    }
    if (!strcmp(value, "fast_failover")) {
        s->gm->type = GROUP_TYPE_FF;
        return NULL;
    }
    for (int i = 0; i < GROUP_N_TYPES; i++) {
        if (!strcmp(value, group_type_name(i))) {
            s->gm->type = i;
            return NULL;
        }
    }
    return error_new("invalid group type %s", value);
}

static struct error *
parse_command_bucket(struct syntax *s, const char *value)
{
    if (!takes_command_bucket(s->gm->command)) {
        return error_new("command bucket id is not needed");
    }
    s->has_command_bucket = true;
    if (!strcmp(value, "all")) {
        s->gm->command_bucket_id = BUCKET_ALL;
    } else if (!strcmp(value, "first")) {
        s->gm->command_bucket_id = BUCKET_FIRST;
    } else if (!strcmp(value, "last")) {
        s->gm->command_bucket_id = BUCKET_LAST;
    } else {
        struct error *error = parse_u32(value, &s->gm->command_bucket_id);

        if (error || s->gm->command_bucket_id > BUCKET_MAX) {
            error_free(error);
            return error_new("invalid command bucket id %s", value);
        }
    }
    return NULL;
}

static struct error *
parse_method(struct syntax *s, const char *value)
{
    if (!takes_type(s->gm->command)) {
        return error_new("selection method is not needed");
    }
    if (strlen(value) >= sizeof s->gm->props.selection_method) {
        return error_new("selection method is longer than %zu bytes long", sizeof s->gm->props.selection_method - 1);
    }
    s->has_method = true;
    str_copy_cut(s->gm->props.selection_method, value, sizeof s->gm->props.selection_method);
    return NULL;
}

static struct error *
parse_param(struct syntax *s, const char *value)
{
    s->has_param = true;
    return num_parse_u64(value, 0, &s->gm->props.selection_param) ? NULL
                                                                  : error_new("invalid numeric format %s", value);
}

/* The value is the mask; one of its own it cannot have. */
static struct error *
parse_field_mask(const struct field *f, const char *value, union field_value *mask)
{
    union field_value mask_of_value = { { 0 } };
    struct error *error = field_parse(f, value, NULL, mask, &mask_of_value);
    bool has_mask = strchr(value, '/') && !is_all_ones(mask_of_value.bytes, f->wire_bytes);

    if (error) {
        return error;
    }
    if (has_mask || is_all_zeros(mask_of_value.bytes, f->wire_bytes)) {
        return error_new("%s: wildcards not allowed here", value);
    }
    if (is_all_zeros(mask->bytes, f->wire_bytes)) {
        return error_new(": values are wildcards here and must not be all-zeros");
    }
    return NULL;
}

static bool
has_field(const struct group_props *gp, const struct field *f)
{
    for (size_t i = 0; i < gp->n_fields; i++) {
        if (gp->fields[i].field == f) {
            return true;
        }
    }
    return false;
}

/* "ip_src,tcp_dst=0xff00". */
static struct error *
parse_fields(struct syntax *s, const char *text)
{
    char *copy = xstrdup(text), *p = copy, *key, *value;
    struct group_props *gp = &s->gm->props;
    struct error *error = NULL;

    s->has_fields = true;
    while (!error && act_take_key_value(&p, &key, &value)) {
        const struct field *f = field_by_name(key);
        struct group_field *gf;

        if (!f || has_field(gp, f)) {
            error = f ? error_new("%s: duplicate field", key) : error_new(": unknown field %s", key);
            break;
        }
        gp->fields = xreallocarray(gp->fields, gp->n_fields + 1, sizeof *gp->fields);
        gf = &gp->fields[gp->n_fields++];
        *gf = (struct group_field) { .field = f };
        if (*value) {
            error = parse_field_mask(f, value, &gf->mask);
        } else {
            field_value_all_ones(f, &gf->mask);
        }
    }
    free(copy);
    return error;
}

static struct error *
parse_key(struct syntax *s, const char *key, const char *value)
{
    static const struct {
        const char *key;
        struct error *(*parse)(struct syntax *, const char *);
    } keys[] = {
        { "group_id", parse_id }, { "type", parse_type }, { "command_bucket_id", parse_command_bucket },
        { "selection_method", parse_method }, { "selection_method_param", parse_param }, { "fields", parse_fields },
    };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (!strcmp(key, keys[i].key)) {
            return *value ? keys[i].parse(s, value) : error_new("field %s missing value", key);
        }
    }
    return error_new("unknown keyword %s", key);
}

/* Buckets. */

/* Length of the piece up to the next comma or space outside parentheses. */
static size_t
piece_len(const char *p)
{
    int depth = 0;
    size_t n = 0;

    for (; p[n] && (depth || !strchr(", \t\r\n", p[n])); n++) {
        depth += p[n] == '(' ? 1 : p[n] == ')' && depth ? -1 : 0;
    }
    return n;
}

static struct error *
parse_bucket_key(struct syntax *s, struct bucket *b, const char *key, const char *value)
{
    if (!strcmp(key, "weight")) {
        return num_parse_u16(value, 0, &b->weight) ? NULL : error_new("invalid weight \"%s\"", value);
    }
    if (!strcmp(key, "watch_port")) {
        bool ok = ofp_port_parse(value, s->names->ports, &b->watch_port) &&
                  (ofp_port_is_real(b->watch_port) || b->watch_port == OFPP_CONTROLLER || b->watch_port == OFPP_NONE);

        return ok ? NULL : error_new("%s: invalid watch_port", value);
    }
    if (!strcmp(key, "watch_group")) {
        struct error *error = parse_u32(value, &b->watch_group);

        return error || b->watch_group <= GROUP_MAX ? error : error_new("invalid watch_group id %u", b->watch_group);
    }
    if (!num_parse_u32(value, 0, &b->bucket_id) || b->bucket_id > BUCKET_MAX) {
        return error_new("invalid bucket_id id %s", value);
    }
    return NULL;
}

/* If the piece is one of a bucket's own keys, its parts. */
static bool
split_bucket_key(const char *piece, size_t n, char **key, char **value)
{
    static const char *const keys[] = { "weight", "watch_port", "watch_group", "bucket_id" };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        size_t len = strlen(keys[i]);

        if (n > len && !strncmp(piece, keys[i], len) && (piece[len] == ':' || piece[len] == '=')) {
            *key = xstrdup(keys[i]);
            *value = xstrndup(piece + len + 1, n - len - 1);
            return true;
        }
    }
    return false;
}

static struct error *
parse_bucket(struct syntax *s, const char *text)
{
    struct bucket *b = group_mod_add_bucket(s->gm);
    struct str actions = STR_INIT;
    struct act_buf acts = ACT_BUF_INIT;
    struct error *error = NULL;
    unsigned int protocols = PROTO_ANY;
    bool has_weight = false;

    b->weight = s->gm->type == GROUP_TYPE_SELECT;
    for (const char *p = text; *p && !error;) {
        char *key, *value;
        size_t n;

        p += strspn(p, ", \t\r\n");
        n = piece_len(p);
        if (split_bucket_key(p, n, &key, &value)) {
            error = parse_bucket_key(s, b, key, value);
            has_weight = has_weight || !strcmp(key, "weight");
            free(key);
            free(value);
        } else if (n) {
            size_t skip = !strncmp(p, "actions=", 8) ? 8 : !strncmp(p, "action=", 7) ? 7 : 0;

            str_puts(&actions, actions.len && n > skip ? "," : "");
            str_putn(&actions, p + skip, n - skip);
        }
        p += n;
    }
    if (!error) {
        error = act_parse_actions(str_text(&actions), s->names, &acts, &protocols);
    }
    if (!error && s->gm->type == GROUP_TYPE_FF && s->has_type && b->watch_port == OFPP_NONE &&
        b->watch_group == GROUP_ANY) {
        error = error_new("fast failover bucket requires watch_port or watch_group");
    }
    if (!error && has_weight && s->has_type && s->gm->type != GROUP_TYPE_SELECT) {
        error = error_new("Only select groups can have bucket weights.");
    }
    s->protocols &= protocols;
    b->actions = act_span_clone(act_buf_span(&acts));
    act_buf_uninit(&acts);
    str_uninit(&actions);
    return error;
}

/* The first "bucket=" (or "bucket:") at the beginning of a word; null if there is none. */
static char *
find_bucket(char *text)
{
    for (char *p = strstr(text, "bucket"); p; p = strstr(p + 1, "bucket")) {
        if ((p == text || strchr(", \t\r\n", p[-1])) && (p[6] == '=' || p[6] == ':')) {
            return p;
        }
    }
    return NULL;
}

static bool
id_is_used(const struct group_mod *gm, uint32_t id)
{
    for (size_t i = 0; i < gm->n_buckets; i++) {
        if (gm->buckets[i].bucket_id == id) {
            return true;
        }
    }
    return false;
}

/* Buckets without an id get the lowest free ones. */
static void
number_buckets(struct group_mod *gm)
{
    uint32_t next = 0;

    for (size_t i = 0; i < gm->n_buckets; i++) {
        if (gm->buckets[i].bucket_id == BUCKET_ALL) {
            while (id_is_used(gm, next)) {
                next++;
            }
            gm->buckets[i].bucket_id = next;
        }
    }
}

/* What belongs together, and what must be there. */
static struct error *
check(const struct syntax *s)
{
    const struct group_mod *gm = s->gm;

    if (!s->has_id) {
        return error_new("must specify a group_id");
    }
    if (takes_type(gm->command) && !s->has_type) {
        return error_new("must specify a type");
    }
    if (takes_command_bucket(gm->command) && !s->has_command_bucket) {
        return error_new("must specify a command bucket id");
    }
    if (gm->command == GROUP_INSERT_BUCKET && gm->command_bucket_id == BUCKET_ALL) {
        return error_new("command_bucket_id=all is not permitted");
    }
    if (gm->type == GROUP_TYPE_INDIRECT && gm->n_buckets > 1) {
        return error_new("Indirect groups can have at most one bucket.");
    }
    if (s->has_fields && strcmp(gm->props.selection_method, "hash")) {
        return error_new("fields may only be specified with \"selection_method=hash\"");
    }
    if (s->has_param && !s->has_method) {
        return error_new("selection_method_param is only allowed with \"selection_method\"");
    }
    return NULL;
}

static struct error *
parse_text(struct syntax *s, char *text)
{
    char *bucket = find_bucket(text), *key, *value;
    struct error *error = NULL;

    if (bucket && !takes_buckets(s->gm->command)) {
        return error_new("bucket is not needed");
    }
    if (bucket) {
        *bucket = '\0';
    }
    while (!error && act_take_key_value(&text, &key, &value)) {
        error = parse_key(s, key, value);
    }
    while (!error && bucket) {
        char *this = bucket + 7;

        bucket = find_bucket(this);
        if (bucket) {
            *bucket = '\0';
        }
        error = parse_bucket(s, this);
    }
    if (error) {
        return error;
    }
    number_buckets(s->gm);
    return check(s);
}

static enum group_command
take_command(char **text)
{
    static const struct { const char *word; enum group_command command; } commands[] = {
        { "add", GROUP_ADD }, { "modify", GROUP_MODIFY }, { "mod", GROUP_MODIFY }, { "add_or_mod", GROUP_ADD_OR_MOD },
        { "delete", GROUP_DELETE }, { "del", GROUP_DELETE }, { "insert_bucket", GROUP_INSERT_BUCKET },
        { "insert", GROUP_INSERT_BUCKET }, { "remove_bucket", GROUP_REMOVE_BUCKET }, { "remove", GROUP_REMOVE_BUCKET },
    };
    size_t n = strcspn(*text, " \t");

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strlen(commands[i].word) == n && !strncmp(*text, commands[i].word, n)) {
            *text += n;
            return commands[i].command;
        }
    }
    return GROUP_ADD;
}

struct error *
group_mod_parse(struct group_mod *gm, const char *text, int command, const struct act_text *names,
                unsigned int *protocols)
{
    static const struct act_text plain = { NULL, NULL, NULL };
    struct syntax s = { .gm = gm, .names = names ? names : &plain, .protocols = PROTO_ANY };
    char *copy = xstrdup(text), *at = copy + strspn(copy, " \t");
    struct error *error;

    group_mod_init(gm);
    gm->command = command == GROUP_COMMAND_FROM_TEXT ? take_command(&at) : (enum group_command) command;
    if (gm->command == GROUP_DELETE && !*at) {
        at = copy + strlen(copy);
        s.has_id = true;
        gm->group_id = GROUP_ALL;
    }
    error = parse_text(&s, at);
    if (gm->command == GROUP_REMOVE_BUCKET) { /* With 1.0 groups are an extension, which has what 1.5 has. */
        s.protocols &= PROTO_OF10_ANY | PROTO_OF15_UP;
    }
    *protocols = s.protocols;
    if (error) {
        group_mod_uninit(gm);
    }
    free(copy);
    return error;
}
