/* Actions as text: the list, keywords and numbers; each action's own part is its family's. */

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/num.h"
#include "base/words.h"
#include "openflow/action/verify.h"
#include "openflow/oxm/oxm.h"
#include "openflow/table_names.h"

static const struct {
    const char *keyword;
    enum act_type type;
} names[] = {
#define NAME(KEYWORD, ACTION) { KEYWORD, ACT_##ACTION },
#include "openflow/action/text.def"
};

static const struct act_ops *const ops[ACT_N] = {
#define ACTION(ENUM, NAME, KIND) [ACT_##ENUM] = &act_##NAME##_ops,
#include "openflow/action/actions.def"
};

/* Keywords and values. */

/* What characters mean between keywords and values. */
enum { SEPARATOR = 1 << 0, DELIMITER = 1 << 1, PARENTHESIS = 1 << 2, END = 1 << 3 };

static const uint8_t meanings[256] = {
    ['\0'] = END, [','] = SEPARATOR, [' '] = SEPARATOR, ['\t'] = SEPARATOR, ['\r'] = SEPARATOR, ['\n'] = SEPARATOR,
    [':'] = DELIMITER, ['='] = DELIMITER, ['('] = DELIMITER | PARENTHESIS, [')'] = PARENTHESIS,
};

static unsigned int
meaning(char c)
{
    return meanings[(unsigned char) c];
}

/* The first character from 'at' on that has one of these meanings; 'any' includes END. */
static char *
skip_to(char *at, unsigned int any)
{
    while (!(meaning(*at) & any)) {
        at++;
    }
    return at;
}

/* Where the value ends that begins at 'value': at a separator outside parentheses. */
static char *
end_of_value(char *value)
{
    int level = 0;

    for (;; value++) {
        value = skip_to(value, (level ? 0 : SEPARATOR) | PARENTHESIS | END);
        if (!(meaning(*value) & PARENTHESIS)) {
            return value;
        }
        level = *value == '(' ? level + 1 : level > 0 ? level - 1 : 0;
    }
}

/* The closing parenthesis of the one that was opened before 'value'; the end of the text if it is missing. */
static char *
closing_parenthesis(char *value)
{
    for (int level = 1;; value++) {
        value = skip_to(value, PARENTHESIS | END);
        level += *value == '(' ? 1 : *value == ')' ? -1 : 0;
        if (!level || !*value) {
            return value;
        }
    }
}

bool
act_take_key_value(char **text, char **key, char **value)
{
    char *at = *text, *end, delimiter;

    while (meaning(*at) & SEPARATOR) {
        at++;
    }
    *key = at;
    if (!*at) {
        *text = at;
        return false;
    }
    at = skip_to(at, DELIMITER | SEPARATOR | END);
    delimiter = *at;
    if (!(meaning(delimiter) & DELIMITER)) {
        *text = at + (delimiter != '\0');
        *at = '\0';
        *value = at;
        return true;
    }
    *at++ = '\0';
    *value = at;
    if (delimiter == '(') {
        end = closing_parenthesis(at);
        if (!end[0]) {
            *text = end;
            return true;
        }
        if (meaning(end[1]) & (SEPARATOR | END)) {
            *text = end + 1;
            *end = '\0';
            return true;
        }
        end = end_of_value(end + 1);
    } else {
        end = end_of_value(at);
    }
    *text = end + (*end != '\0');
    *end = '\0';
    return true;
}

/* Numbers. */

struct error *
act_parse_u8(const char *text, const char *name, uint8_t *v)
{
    return num_parse_u8(text, 0, v) ? NULL : error_new("invalid %s \"%s\"", name, text);
}

struct error *
act_parse_u16(const char *text, const char *name, uint16_t *v)
{
    return num_parse_u16(text, 0, v) ? NULL : error_new("invalid %s \"%s\"", name, text);
}

struct error *
act_parse_u64(const char *text, uint64_t *v)
{
    char *tail;

    errno = 0;
    *v = strtoull(text, &tail, 0);
    return errno == EINVAL || errno == ERANGE || tail == text || *tail ? error_new("invalid numeric format %s", text)
                                                                       : NULL;
}

struct error *
act_parse_u32(const char *text, uint32_t *v)
{
    uint64_t x;
    struct error *e = act_parse_u64(text, &x);

    *v = x;
    return !e && x > UINT32_MAX ? error_new("value %s exceeds maximum 4294967295", text) : e;
}

struct error *
act_require_short_header(const struct field *f, const char *context, const char *name)
{
    return oxm_header32(f, ACT_NX_NUMBERS)
               ? NULL : error_new("%s: experimenter OXM field '%s' not supported", context, name);
}

bool
act_parse_table(const struct act_text *t, const char *text, uint8_t *table)
{
    return of_table_parse(text, t->tables, table);
}

void
act_put_table(struct act_writer *w, uint8_t table)
{
    of_table_put(w->s, table, w->text->tables);
}

struct error *
act_parse_plain(struct act_parser *p, enum act_type type)
{
    act_put(p->out, type, sizeof(struct act));
    return NULL;
}

/* Lists. */

static struct words keywords = WORDS_INIT; /* The rows of 'names'; filled before main(). */

__attribute__((constructor)) static void
index_keywords(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
        words_add(&keywords, names[i].keyword, i);
    }
}

static void
put_output(struct act_parser *p, ofp_port port)
{
    struct act_output *a = act_put(p->out, ACT_OUTPUT, sizeof *a);

    a->port = port;
    a->max_len = port == OFPP_CONTROLLER ? UINT16_MAX : 0;
}

static struct error *
parse_one(struct act_parser *p, const char *key, char *value)
{
    int row = words_find_any_case(&keywords, key, strlen(key)), type = row >= 0 ? (int) names[row].type : -1;
    ofp_port port;

    if (type >= 0 && act_is_instruction(type) && !p->instructions) {
        if (type != ACT_METER) {
            return error_new("%s instruction not allowed here", act_name(type));
        }
        if (p->outer != ACT_N) {
            return error_new("%s action doesn't support nested action meter", act_name(p->outer));
        }
        *p->protocols &= PROTO_OF15_UP; /* Where it is an action. */
    }
    if (type >= 0) {
        return ops[type]->parse(p, names[row].keyword, value);
    }
    if (!strcasecmp(key, "apply_actions")) {
        return error_new("apply_actions is the default instruction");
    }
    if (*key && ofp_port_parse(key, p->text->ports, &port)) {
        put_output(p, port);
        return NULL;
    }
    return error_new("unknown action %s", key);
}

static struct error *
parse_list(struct act_parser *p, char *text)
{
    char *key, *value;
    bool drop = false;
    size_t start = p->out->bytes.len;

    if (p->depth > ACT_MAX_DEPTH) {
        return error_new("actions are nested too deeply");
    }
    while (act_take_key_value(&text, &key, &value)) {
        struct error *e = NULL;

        if (!strcasecmp(key, "drop") && !drop) {
            drop = true;
        } else {
            e = parse_one(p, key, value);
        }
        if (!e && drop && p->out->bytes.len > start) {
            e = error_new("\"drop\" must not be accompanied by any other action or instruction");
        }
        if (e) {
            return e;
        }
    }
    return NULL;
}

struct error *
act_parse_nested(struct act_parser *p, enum act_type outer, char *text)
{
    struct act_parser inner = *p;

    inner.outer = outer;
    inner.depth++;
    inner.instructions = false;
    return parse_list(&inner, text);
}

static struct error *
parse_all(char *text, const struct act_text *t, bool instructions, struct act_buf *out, unsigned int *protocols)
{
    static const struct act_text plain = { NULL, NULL, NULL };
    struct act_parser p = { out, t ? t : &plain, protocols, 0, ACT_N, instructions };
    struct error *e = parse_list(&p, text);

    return e ? e : act_check_order(act_buf_span(out));
}

static struct error *
parse_copy(const char *text, const struct act_text *t, bool instructions, struct act_buf *out, unsigned int *protocols)
{
    char *copy = xstrdup(text);
    struct error *e = parse_all(copy, t, instructions, out, protocols);

    free(copy);
    return e;
}

struct error *
act_parse_in_place(char *text, const struct act_text *t, struct act_buf *out, unsigned int *protocols)
{
    return parse_all(text, t, true, out, protocols);
}

struct error *
act_parse(const char *text, const struct act_text *t, struct act_buf *out, unsigned int *protocols)
{
    return parse_copy(text, t, true, out, protocols);
}

struct error *
act_parse_actions(const char *text, const struct act_text *t, struct act_buf *out, unsigned int *protocols)
{
    return parse_copy(text, t, false, out, protocols);
}

void
act_format_span(struct act_writer *w, struct act_span s)
{
    bool first = true;

    ACT_FOR_EACH (a, s) {
        if (!first) {
            str_putc(w->s, ',');
        }
        first = false;
        act_ops_of(a)->format(w, a);
    }
}

void
act_format(struct str *s, struct act_span acts, const struct act_text *t)
{
    static const struct act_text plain = { NULL, NULL, NULL };
    struct act_writer w = { s, t ? t : &plain };

    if (acts.len) {
        act_format_span(&w, acts);
    } else {
        str_puts(s, "drop");
    }
}
