/* The log: modules, levels, destinations.
 *
 * A .c file that logs says LOG_MODULE(name) once, with the name under which people know that part of the switch
 * (vlog/list shows them), then calls log_err(), log_warn(), log_info() and log_dbg().  Messages that outside events can
 * provoke at will use the _rl forms with a 'struct log_limit', which let a burst through and then count what they hold
 * back.
 *
 * Three destinations (console, syslog, file) each have a level per module; a message goes where its level is at least
 * as severe; INFO by default.  The pattern of each destination can be changed (ovs-appctl(8)); by default a line is
 * TIME|SEQ|MODULE|LEVEL|TEXT.  Names that only the reference has are accepted too: see log_names.def.
 *
 * Threads: logging is safe from any thread but not from signal handlers; fast-path code does not log. */
#ifndef SYS_LOG_H
#define SYS_LOG_H 1

#include "base/error.h"
#include "base/list.h"
#include "base/str.h"

enum log_level { LOG_LEVEL_OFF, LOG_LEVEL_EMER, LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DBG,
                 LOG_N_LEVELS };
enum log_destination { LOG_TO_SYSLOG, LOG_TO_CONSOLE, LOG_TO_FILE, LOG_N_DESTINATIONS };

struct log_module {
    struct list node;                        /* In the list of all modules. */
    const char *name;
    enum log_level levels[LOG_N_DESTINATIONS];
    enum log_level max;                      /* The most verbose of 'levels': the fast test. */
    bool honor_limits;                       /* False after vlog/disable-rate-limit. */
};

/* A token bucket: 'burst' messages at once, then 'rate' a minute. */
struct log_limit {
    unsigned int rate, burst;
    double tokens;
    int64_t last_fill;      /* ms; 0: never. */
    unsigned int n_dropped; /* Since the last that got through. */
    int64_t first_dropped, last_dropped;
};

#define LOG_LIMIT_INIT(RATE, BURST) { .rate = (RATE), .burst = (BURST), .tokens = (BURST) }

#define LOG_MODULE(NAME) \
    static struct log_module log_this = { .name = STRINGIFY(NAME) }; \
    __attribute__((constructor)) static void log_register_this(void) { log_register(&log_this); }

/* Adds a module to the list of all; LOG_MODULE() does it before main(). */
void log_register(struct log_module *);

/* Write one message, whether its level is wanted or not; the second counts what 'limit' holds back.  Code calls the
 * macros below. */
void log_write(struct log_module *, enum log_level, const char *format, ...) PRINTF_FORMAT(3, 4);
void log_write_limited(struct log_module *, enum log_level, struct log_limit *, const char *format, ...)
    PRINTF_FORMAT(4, 5);

#define log_at(LEVEL, ...) ((LEVEL) <= log_this.max ? log_write(&log_this, LEVEL, __VA_ARGS__) : (void) 0)
#define log_emer(...) log_at(LOG_LEVEL_EMER, __VA_ARGS__)
#define log_err(...) log_at(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_dbg(...) log_at(LOG_LEVEL_DBG, __VA_ARGS__)

#define log_at_rl(LEVEL, LIMIT, ...) \
    ((LEVEL) <= log_this.max ? log_write_limited(&log_this, LEVEL, LIMIT, __VA_ARGS__) : (void) 0)
#define log_err_rl(LIMIT, ...) log_at_rl(LOG_LEVEL_ERR, LIMIT, __VA_ARGS__)
#define log_warn_rl(LIMIT, ...) log_at_rl(LOG_LEVEL_WARN, LIMIT, __VA_ARGS__)
#define log_info_rl(LIMIT, ...) log_at_rl(LOG_LEVEL_INFO, LIMIT, __VA_ARGS__)
#define log_dbg_rl(LIMIT, ...) log_at_rl(LOG_LEVEL_DBG, LIMIT, __VA_ARGS__)

/* Says it at EMER and exits with status 1 (log_fatal) or aborts (log_abort). */
#define log_fatal(...) (log_write(&log_this, LOG_LEVEL_EMER, __VA_ARGS__), exit(EXIT_FAILURE))

/* Applies a specification as -v and vlog/set take it: "[module] [destination] [level]" in any order, separated by
 * spaces, commas or colons; "PATTERN:destination:pattern"; "FACILITY:name".  Returns an error with the documented
 * wording. */
struct error *log_configure(const char *spec) MUST_CHECK;

/* Sets the level of all modules for one destination, or for all (-1).  Command-line tools set the console to WARN. */
void log_set_levels(int destination, enum log_level);

/* --syslog-method: "libc", "unix:FILE", "udp:IP:PORT", "null"; --syslog-target: "IP:PORT", in addition. */
struct error *log_set_syslog_method(const char *spec) MUST_CHECK;
struct error *log_set_syslog_target(const char *where) MUST_CHECK;

/* Writes "TEXT (DETAIL)" to console and file in their default pattern.  For signal handlers. */
void log_write_from_signal(struct log_module *, enum log_level, const char *text, const char *detail);

/* Opens (or, with null, reopens, if one was ever open) the log file.  Returns 0 or a negative errno value
 * and logs it. */
int log_open_file(const char *path) MUST_CHECK;
void log_close_file(void);
/* The file's name, or null. */
const char *log_file_name(void);

/* Texts for vlog/list and vlog/list-pattern; to be released with free(). */
char *log_list_text(void) MUST_CHECK;
char *log_list_pattern_text(void) MUST_CHECK;

/* Rate limits of one module (null: all): false if there is none of that name. */
bool log_honor_limits(const char *module, bool honor);

/* The name that stands in messages for this program (the part of argv[0] after the last slash); and for this
 * thread ("" for the main one). */
void log_set_program(const char *argv0);
const char *log_program(void);
void log_set_thread_name(const char *name);

#endif
