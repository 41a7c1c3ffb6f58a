#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sys/log_private.h"

/* Levels and patterns as people set and see them: -v, vlog/set, vlog/list. */

/* A name of log_names.def that no module of this program has. */
struct alias {
    struct log_module module;
    const char *ours; /* Module that it stands for, or "none". */
};

#define LOG_NAME(NAME, OURS) { .module = { .name = #NAME }, .ours = #OURS },
static struct alias aliases[] = {
#include "sys/log_names.def"
};
#undef LOG_NAME

static struct log_module *
find_module(const char *name)
{
    LIST_FOR_EACH (m, struct log_module, node, &log_modules) {
        if (!strcasecmp(m->name, name)) {
            return m;
        }
    }
    return NULL;
}

/* Lists the documented names too, from the first use on. */
static void
add_aliases(void)
{
    static bool done;

    if (!done) {
        done = true;
        for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
            if (!find_module(aliases[i].module.name)) {
                log_register(&aliases[i].module);
            }
        }
    }
}

static const char *
alias_target(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (!strcasecmp(aliases[i].module.name, name)) {
            return aliases[i].ours;
        }
    }
    return "none";
}

/* Whether a setting for 'name' (null: all) concerns 'm'. */
static bool
concerns(const char *name, const struct log_module *m)
{
    return !name || !strcasecmp(name, m->name) || !strcmp(alias_target(name), m->name);
}

static void
set_levels(const char *name, int destination, enum log_level level)
{
    add_aliases();
    LIST_FOR_EACH (m, struct log_module, node, &log_modules) {
        if (concerns(name, m)) {
            for (int d = 0; d < LOG_N_DESTINATIONS; d++) {
                if (destination < 0 || destination == d) {
                    m->levels[d] = level;
                }
            }
        }
    }
    log_update_max();
}

void
log_set_levels(int destination, enum log_level level)
{
    set_levels(NULL, destination, level);
}

static int
find_name(const char *const names[], int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (!strcasecmp(names[i], name)) {
            return i;
        }
    }
    return -1;
}

/* "destination:pattern", the tail of a PATTERN specification. */
static struct error *
configure_pattern(char *spec)
{
    char *colon = strchr(spec, ':');
    int d;

    if (colon) {
        *colon = '\0';
    }
    d = find_name(log_destination_names, LOG_N_DESTINATIONS, spec);
    if (d < 0) {
        return error_new("unknown destination \"%s\"", spec);
    }
    pthread_mutex_lock(&log_mutex);
    log_set_pattern(d, colon ? colon + 1 : "");
    pthread_mutex_unlock(&log_mutex);
    return NULL;
}

/* Sorts one word into the three categories. */
static struct error *
classify(const char *word, char **module, int *destination, int *level)
{
    int d = find_name(log_destination_names, LOG_N_DESTINATIONS, word);
    int l = find_name(log_level_names, LOG_N_LEVELS, word);

    if (d >= 0) {
        if (*destination >= 0 && *destination != d) {
            return error_new("cannot specify multiple destinations");
        }
        *destination = d;
    } else if (l >= 0) {
        if (*level >= 0 && *level != l) {
            return error_new("cannot specify multiple levels");
        }
        *level = l;
    } else if (find_module(word)) {
        if (*module && strcasecmp(*module, word)) {
            return error_new("cannot specify multiple modules");
        }
        free(*module);
        *module = xstrdup(word);
    } else if (strcasecmp(word, "ANY")) {
        return error_new("no destination, level, or module \"%s\"", word);
    }
    return NULL;
}

static struct error *
configure_levels(char *spec)
{
    struct error *error = NULL;
    int destination = -1, level = -1;
    char *save = NULL, *module = NULL;

    for (char *w = strtok_r(spec, " ,:\t", &save); w && !error; w = strtok_r(NULL, " ,:\t", &save)) {
        error = classify(w, &module, &destination, &level);
    }
    if (!error) {
        set_levels(module, destination, level < 0 ? LOG_LEVEL_DBG : (enum log_level) level);
    }
    free(module);
    return error;
}

struct error *
log_configure(const char *spec)
{
    static const char separators[] = " ,:\t";
    char *copy = xstrdup(spec);
    char *first = copy + strspn(copy, separators);
    size_t n = strcspn(first, separators);
    struct error *error = NULL;

    add_aliases();
    if (n == 7 && !strncasecmp(first, "PATTERN", n)) {
        error = configure_pattern(first + n + (first[n] != '\0'));
    } else if (n == 8 && !strncasecmp(first, "FACILITY", n)) {
        if (!log_set_facility(first + n + (first[n] != '\0'))) {
            error = error_new("invalid facility");
        }
    } else {
        error = configure_levels(first);
    }
    free(copy);
    return error;
}

char *
log_list_text(void)
{
    struct str s = STR_INIT;
    const char *last = "";

    add_aliases();
    str_puts(&s, "                 console    syslog    file\n                 -------    ------    ------\n");
    LIST_FOR_EACH (m, struct log_module, node, &log_modules) {
        if (strcmp(last, m->name)) {
            str_putf(&s, "%-16s  %4s       %4s       %4s\n", m->name, log_level_names[m->levels[LOG_TO_CONSOLE]],
                     log_level_names[m->levels[LOG_TO_SYSLOG]], log_level_names[m->levels[LOG_TO_FILE]]);
        }
        last = m->name;
    }
    return str_steal(&s);
}

char *
log_list_pattern_text(void)
{
    struct str s = STR_INIT;

    str_puts(&s, "         prefix                            format\n         ------                            "
                 "------\n");
    pthread_mutex_lock(&log_mutex);
    for (int d = 0; d < LOG_N_DESTINATIONS; d++) {
        str_putf(&s, "%-7s  %-32s  %s\n", log_destination_names[d], d == LOG_TO_SYSLOG ? log_syslog_prefix() : "none",
                 log_pattern(d));
    }
    pthread_mutex_unlock(&log_mutex);
    return str_steal(&s);
}

bool
log_honor_limits(const char *name, bool honor)
{
    add_aliases();
    if (name && !find_module(name)) {
        return false;
    }
    LIST_FOR_EACH (m, struct log_module, node, &log_modules) {
        if (concerns(name, m)) {
            m->honor_limits = honor;
        }
    }
    return true;
}
