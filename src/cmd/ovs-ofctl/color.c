/* Colours in the text of flows, as --color and the environment variable OVS_COLORS ask for them.
 *
 * The colour of a word depends on what follows it: "key=" and "key(" have one each, some keys have their own, a lone
 * word is a protocol or an action. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ovs-ofctl/ofctl.h"

/* SGR substrings, by the names that OVS_COLORS has. */
static struct { const char *name; char sgr[32]; } colors[] = {
    { "ac", "1;31" }, { "dr", "34" }, { "le", "31" }, { "pm", "36" }, { "pr", "35" }, { "sp", "33" }, { "vl", "32" },
};

enum { COLOR_ACTIONS, COLOR_DROP, COLOR_LEARN, COLOR_PARAM, COLOR_PAREN, COLOR_SPECIAL, COLOR_VALUE };

static void
read_environment(void)
{
    const char *env = getenv("OVS_COLORS");
    char *copy, *save = NULL;

    if (!env) {
        return;
    }
    copy = xstrdup(env);
    for (char *word = strtok_r(copy, ":", &save); word; word = strtok_r(NULL, ":", &save)) {
        char *eq = strchr(word, '=');

        for (size_t i = 0; eq && i < ARRAY_SIZE(colors); i++) {
            if (!strncmp(word, colors[i].name, 2) && eq == word + 2) {
                str_copy_cut(colors[i].sgr, eq + 1, sizeof colors[i].sgr);
            }
        }
    }
    free(copy);
}

/* When to colour, the first name of each the one that is offered. */
enum { COLOR_ALWAYS, COLOR_NEVER, COLOR_AUTO };
static const char *const when_names[][3] = {
    [COLOR_ALWAYS] = { "always", "yes", "force" },
    [COLOR_NEVER] = { "never", "no", "none" },
    [COLOR_AUTO] = { "auto", "tty", "if-tty" },
};

void
ofctl_put_color_words(struct str *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(when_names); i++) {
        str_putf(s, "%s ", when_names[i][0]);
    }
}

static size_t
parse_when(const char *when)
{
    for (size_t i = 0; i < ARRAY_SIZE(when_names); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(when_names[i]); k++) {
            if (!strcmp(when, when_names[i][k])) {
                return i;
            }
        }
    }
    cmdline_fatal(0, "incorrect value `%s' for --color", when);
}

void
ofctl_set_color(const char *text)
{
    size_t when = text ? parse_when(text) : COLOR_ALWAYS;
    const char *term = getenv("TERM");

    ofctl_options.color =
        when == COLOR_ALWAYS || (when == COLOR_AUTO && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb"));
    if (ofctl_options.color) {
        read_environment();
    }
}

static void
put_colored(struct str *s, int color, const char *text, size_t n)
{
    str_putf(s, "\033[%sm\033[K%.*s\033[m\033[K", colors[color].sgr, (int) n, text);
}

static bool
is_word(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && !strncmp(text, word, n);
}

static bool
is_one_of(const char *text, size_t n, const char *const *words)
{
    for (; *words; words++) {
        if (is_word(text, n, *words)) {
            return true;
        }
    }
    return false;
}

static int
color_of_key(const char *key, size_t n, char after)
{
    static const char *const special[] = { "table", "priority", "load", "output", "move", "group", "set_field",
                                           "resubmit", "enqueue", "exit", NULL };

    if (is_word(key, n, "actions")) {
        return COLOR_ACTIONS;
    }
    if (is_word(key, n, "learn")) {
        return COLOR_LEARN;
    }
    if (after == '(') {
        return COLOR_PAREN;
    }
    return is_one_of(key, n, special) ? COLOR_SPECIAL : COLOR_PARAM;
}

/* Colours one word and what follows it; returns the end of what was taken. */
static const char *
put_word(struct str *s, const char *p, bool in_actions, int *depth)
{
    size_t n = strcspn(p, "=(:, )");
    char after = p[n];

    if (!n) {
        str_putc(s, *p);
        return p + 1;
    }
    if (is_word(p, n, "CONTROLLER")) {
        str_putn(s, p, n); /* A port, whatever follows. */
        return p + n;
    }
    if (after == '=' || (after == ':' && in_actions)) {
        size_t value = strcspn(p + n + 1, after == '=' && !in_actions ? ", " : ",)");

        put_colored(s, color_of_key(p, n, after), p, n + 1);
        if (is_word(p, n, "actions")) {
            return p + n + 1;
        }
        str_putn(s, p + n + 1, value);
        return p + n + 1 + value;
    }
    if (after == '(') {
        ++*depth;
        put_colored(s, color_of_key(p, n, after), p, n + 1);
        return p + n + 1;
    }
    if (*depth) {
        str_putn(s, p, n);
    } else if (in_actions) {
        if (is_word(p, n, "drop")) {
            put_colored(s, COLOR_DROP, p, n);
        } else {
            str_putn(s, p, n);
        }
    } else {
        put_colored(s, COLOR_VALUE, p, n);
    }
    return p + n;
}

char *
ofctl_colorize(const char *text)
{
    struct str s = STR_INIT;
    bool in_actions = false;
    int depth = 0;

    for (const char *p = text; *p;) {
        if (!strncmp(p, "actions=", 8)) {
            in_actions = true;
        }
        if (*p == ')' && depth) {
            depth--;
            put_colored(&s, COLOR_PAREN, p, 1);
            p++;
        } else {
            p = put_word(&s, p, in_actions, &depth);
        }
    }
    return str_steal(&s);
}
