#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"

static struct list modules = LIST_INIT(&modules);
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* Guards all below, and the writing. */
static const char *program = "weft";
static __thread char thread_name[16];
static unsigned int sequence;
static int file_fd = -1;
static char *file_name;
static int syslog_facility = LOG_DAEMON;

static const char *const level_names[LOG_N_LEVELS] = { "OFF", "EMER", "ERR", "WARN", "INFO", "DBG" };
static const char *const destination_names[LOG_N_DESTINATIONS] = { "SYSLOG", "CONSOLE", "FILE" };
static enum log_level default_levels[LOG_N_DESTINATIONS] = { LOG_LEVEL_INFO, LOG_LEVEL_INFO, LOG_LEVEL_INFO };

static void
update_max(struct log_module *m)
{
    m->max = LOG_LEVEL_OFF;
    for (int d = 0; d < LOG_N_DESTINATIONS; d++) {
        bool absent = d == LOG_TO_FILE && file_fd < 0;

        m->max = MAX(m->max, absent ? LOG_LEVEL_OFF : m->levels[d]);
    }
}

void
log_register(struct log_module *m)
{
    memcpy(m->levels, default_levels, sizeof m->levels);
    m->honor_limits = true;
    update_max(m);
    list_push_back(&modules, &m->node);
}

void
log_set_program(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');

    program = slash ? slash + 1 : argv0;
}

const char *
log_program(void)
{
    return program;
}

void
log_set_thread_name(const char *name)
{
    str_copy_cut(thread_name, name, sizeof thread_name);
}

static void
put_time(struct str *line)
{
    int64_t now = clock_wall_ms();
    time_t seconds = now / 1000;
    char text[32];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    str_putf(line, "%s.%03dZ", text, (int) (now % 1000));
}

static void
write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);

        if (done < 0 && errno != EINTR) {
            return; /* Nowhere left to report it. */
        }
        p += MAX(done, 0);
        n -= MAX(done, 0);
    }
}

static void
log_write_v(struct log_module *m, enum log_level level, const char *format, va_list args)
{
    static const int priorities[LOG_N_LEVELS] = { 0, 1 /* LOG_ALERT */, 3, 4, 6, 7 };
    int saved_errno = errno;
    struct str line = STR_INIT;
    size_t text_at;

    pthread_mutex_lock(&mutex);
    put_time(&line);
    str_putf(&line, "|%05u|%s%s%s%s|%s|", ++sequence, m->name, thread_name[0] ? "(" : "", thread_name,
             thread_name[0] ? ")" : "", level_names[level]);
    text_at = line.len;
    str_putv(&line, format, args);
    str_putc(&line, '\n');
    if (level <= m->levels[LOG_TO_CONSOLE]) {
        write_all(STDERR_FILENO, line.text, line.len);
    }
    if (file_fd >= 0 && level <= m->levels[LOG_TO_FILE]) {
        write_all(file_fd, line.text, line.len);
    }
    if (level <= m->levels[LOG_TO_SYSLOG]) {
        line.text[line.len - 1] = '\0';
        syslog(priorities[level] | syslog_facility, "%s: %05u|%s|%s|%s", program, sequence, m->name,
               level_names[level], line.text + text_at);
    }
    pthread_mutex_unlock(&mutex);
    str_uninit(&line);
    errno = saved_errno;
}

void
log_write(struct log_module *m, enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_write_v(m, level, format, args);
    va_end(args);
}

/* Whether a message may pass; counts it otherwise. */
static bool
limit_take(struct log_limit *l, unsigned int *n_dropped, int64_t *since, int64_t *last)
{
    int64_t now = clock_now_ms();
    bool pass;

    pthread_mutex_lock(&mutex);
    if (l->last_fill) {
        l->tokens = MIN(l->tokens + (now - l->last_fill) * l->rate / 60000.0, l->burst);
    }
    l->last_fill = now;
    pass = l->tokens >= 1;
    if (pass) {
        l->tokens -= 1;
        *n_dropped = l->n_dropped;
        *since = now - l->first_dropped;
        *last = now - l->last_dropped;
        l->n_dropped = 0;
    } else {
        l->first_dropped = l->n_dropped ? l->first_dropped : now;
        l->last_dropped = now;
        l->n_dropped++;
    }
    pthread_mutex_unlock(&mutex);
    return pass;
}

void
log_write_limited(struct log_module *m, enum log_level level, struct log_limit *limit, const char *format, ...)
{
    unsigned int n_dropped = 0;
    int64_t since = 0, last = 0;
    va_list args;

    if (m->honor_limits) {
        if (!limit_take(limit, &n_dropped, &since, &last)) {
            return;
        }
        if (n_dropped) {
            log_write(m, level, "Dropped %u log messages in last %lld seconds (most recently, %lld seconds ago) due to "
                      "excessive rate", n_dropped, (long long) since / 1000, (long long) last / 1000);
        }
    }
    va_start(args, format);
    log_write_v(m, level, format, args);
    va_end(args);
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

static struct log_module *
find_module(const char *name)
{
    LIST_FOR_EACH (m, struct log_module, node, &modules) {
        if (!strcmp(m->name, name)) {
            return m;
        }
    }
    return NULL;
}

static void
set_level(struct log_module *m, int destination, enum log_level level)
{
    for (int d = 0; d < LOG_N_DESTINATIONS; d++) {
        if (destination < 0 || destination == d) {
            m->levels[d] = level;
        }
    }
    update_max(m);
}

struct error *
log_configure(const char *spec)
{
    char *copy = xstrdup(spec), *save = NULL;
    struct log_module *module = NULL;
    int level = -1, destination = -1;
    struct error *error = NULL;

    for (char *word = strtok_r(copy, " ,:\t", &save); word && !error; word = strtok_r(NULL, " ,:\t", &save)) {
        int l = find_name(level_names, LOG_N_LEVELS, word);
        int d = find_name(destination_names, LOG_N_DESTINATIONS, word);
        struct log_module *m = find_module(word);

        if (l >= 0) {
            level = l;
        } else if (d >= 0) {
            destination = d;
        } else if (m) {
            module = m;
        } else if (strcasecmp(word, "ANY")) {
            error = error_new("no destination, level, or module \"%s\"", word);
        }
    }
    if (!error) {
        level = level < 0 ? (int) LOG_LEVEL_DBG : level;
        LIST_FOR_EACH (m, struct log_module, node, &modules) {
            if (!module || module == m) {
                set_level(m, destination, level);
            }
        }
    }
    free(copy);
    return error;
}

int
log_open_file(const char *path)
{
    int fd;

    if (path) {
        free(file_name);
        file_name = xstrdup(path);
    }
    fd = open(file_name ? file_name : "", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0660);
    if (fd < 0) {
        return -errno;
    }
    log_close_file();
    pthread_mutex_lock(&mutex);
    file_fd = fd;
    pthread_mutex_unlock(&mutex);
    LIST_FOR_EACH (m, struct log_module, node, &modules) {
        update_max(m);
    }
    return 0;
}

void
log_close_file(void)
{
    pthread_mutex_lock(&mutex);
    if (file_fd >= 0) {
        close(file_fd);
        file_fd = -1;
    }
    pthread_mutex_unlock(&mutex);
    LIST_FOR_EACH (m, struct log_module, node, &modules) {
        update_max(m);
    }
}

const char *
log_file_name(void)
{
    return file_name;
}

char *
log_list_text(void)
{
    struct str s = STR_INIT;

    str_puts(&s, "                 console    syslog    file\n                 -------    ------    ------\n");
    LIST_FOR_EACH (m, struct log_module, node, &modules) {
        str_putf(&s, "%-16s  %4s       %4s       %4s\n", m->name, level_names[m->levels[LOG_TO_CONSOLE]],
                 level_names[m->levels[LOG_TO_SYSLOG]], level_names[m->levels[LOG_TO_FILE]]);
    }
    return str_steal(&s);
}

bool
log_honor_limits(const char *name, bool honor)
{
    if (name && !find_module(name)) {
        return false;
    }
    LIST_FOR_EACH (m, struct log_module, node, &modules) {
        if (!name || !strcmp(m->name, name)) {
            m->honor_limits = honor;
        }
    }
    return true;
}
