#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/dirs.h"
#include "sys/log_private.h"

LOG_MODULE(vlog)

struct list log_modules = LIST_INIT(&log_modules);
pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
const char *const log_level_names[LOG_N_LEVELS] = { "OFF", "EMER", "ERR", "WARN", "INFO", "DBG" };
const char *const log_destination_names[LOG_N_DESTINATIONS] = { "SYSLOG", "CONSOLE", "FILE" };

static const char *program = "weft";
static __thread char thread_name[16];
static unsigned int sequence;
static int file_fd = -1;
static char *file_name;

static void
update_max(struct log_module *m)
{
    enum log_level max = LOG_LEVEL_OFF;

    for (int d = 0; d < LOG_N_DESTINATIONS; d++) {
        bool absent = d == LOG_TO_FILE && file_fd < 0;

        max = MAX(max, absent ? LOG_LEVEL_OFF : m->levels[d]);
    }
    m->max = max;
}

void
log_update_max(void)
{
    LIST_FOR_EACH (m, struct log_module, node, &log_modules) {
        update_max(m);
    }
}

void
log_register(struct log_module *m)
{
    struct list *at = &log_modules;

    for (int d = 0; d < LOG_N_DESTINATIONS; d++) {
        m->levels[d] = LOG_LEVEL_INFO;
    }
    m->honor_limits = true;
    update_max(m);
    LIST_FOR_EACH (other, struct log_module, node, &log_modules) {
        if (strcmp(other->name, m->name) > 0) {
            at = &other->node;
            break;
        }
    }
    list_insert(at, &m->node);
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

const char *
log_thread_name(void)
{
    return thread_name;
}

bool
log_file_is_open(void)
{
    return file_fd >= 0;
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
write_line(enum log_destination d, int fd, const struct log_message *m)
{
    struct str line = STR_INIT;

    log_format(&line, log_pattern(d), m, 0);
    str_putc(&line, '\n');
    write_all(fd, line.text, line.len);
    str_uninit(&line);
}

static void
log_write_v(struct log_module *module, enum log_level level, const char *format, va_list args)
{
    int saved_errno = errno;
    char *text = xvasprintf(format, args);
    struct log_message m = { .module = module, .level = level, .text = text };

    pthread_mutex_lock(&log_mutex);
    m.sequence = ++sequence;
    if (level <= module->levels[LOG_TO_CONSOLE]) {
        write_line(LOG_TO_CONSOLE, STDERR_FILENO, &m);
    }
    if (level <= module->levels[LOG_TO_SYSLOG]) {
        log_syslog_write(&m);
    }
    if (file_fd >= 0 && level <= module->levels[LOG_TO_FILE]) {
        write_line(LOG_TO_FILE, file_fd, &m);
    }
    pthread_mutex_unlock(&log_mutex);
    free(text);
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

    pthread_mutex_lock(&log_mutex);
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
    pthread_mutex_unlock(&log_mutex);
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

/* The signal handler's way: nothing here allocates or locks. */

static size_t
put_number(char *p, unsigned int value, int width)
{
    for (int i = width; i-- > 0; value /= 10) {
        p[i] = '0' + value % 10;
    }
    return width;
}

/* Days since 1970-01-01 to year, month, day (Gregorian). */
static void
civil_from_days(long days, unsigned int *year, unsigned int *month, unsigned int *day)
{
    long z = days + 719468, era = z / 146097, doe = z - era * 146097;
    long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    long doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = yoe + era * 400 + (*month <= 2);
}

static size_t
put_signal_time(char *p, bool with_ms)
{
    int64_t now = clock_wall_ms();
    long seconds = now / 1000, in_day = seconds % 86400;
    unsigned int year, month, day;
    size_t n = 0;

    civil_from_days(seconds / 86400, &year, &month, &day);
    n += put_number(p + n, year, 4);
    p[n++] = '-';
    n += put_number(p + n, month, 2);
    p[n++] = '-';
    n += put_number(p + n, day, 2);
    p[n++] = 'T';
    n += put_number(p + n, in_day / 3600, 2);
    p[n++] = ':';
    n += put_number(p + n, in_day / 60 % 60, 2);
    p[n++] = ':';
    n += put_number(p + n, in_day % 60, 2);
    if (with_ms) {
        p[n++] = '.';
        n += put_number(p + n, now % 1000, 3);
    }
    p[n++] = 'Z';
    return n;
}

static size_t
put_text(char *p, const char *text)
{
    size_t n = strlen(text);

    memcpy(p, text, n);
    return n;
}

void
log_write_from_signal(struct log_module *m, enum log_level level, const char *text, const char *detail)
{
    char line[256];
    unsigned int number = ++sequence;

    for (int d = LOG_TO_CONSOLE; d <= LOG_TO_FILE; d++) {
        int fd = d == LOG_TO_CONSOLE ? STDERR_FILENO : file_fd;
        size_t n = 0;

        if (fd < 0 || level > m->levels[d] || strlen(text) + strlen(detail) > 128) {
            continue;
        }
        n += put_signal_time(line, d == LOG_TO_FILE);
        line[n++] = '|';
        n += put_number(line + n, number, 5);
        line[n++] = '|';
        n += put_text(line + n, m->name);
        if (thread_name[0]) {
            line[n++] = '(';
            n += put_text(line + n, thread_name);
            line[n++] = ')';
        }
        line[n++] = '|';
        n += put_text(line + n, log_level_names[level]);
        line[n++] = '|';
        n += put_text(line + n, text);
        n += put_text(line + n, " (");
        n += put_text(line + n, detail);
        n += put_text(line + n, ")\n");
        write_all(fd, line, n);
    }
}

/* The file. */

int
log_open_file(const char *path)
{
    int fd;

    if (path) {
        free(file_name);
        file_name = dirs_absolute(path);
    } else if (!file_name) {
        return 0;
    }
    fd = open(file_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0660);
    if (fd < 0) {
        int error = errno;

        log_warn("failed to open %s for logging: %s", file_name, strerror(error));
        return -error;
    }
    log_close_file();
    pthread_mutex_lock(&log_mutex);
    file_fd = fd;
    pthread_mutex_unlock(&log_mutex);
    log_update_max();
    log_info("opened log file %s", file_name);
    return 0;
}

void
log_close_file(void)
{
    if (file_fd >= 0) {
        log_info("closing log file");
        pthread_mutex_lock(&log_mutex);
        close(file_fd);
        file_fd = -1;
        pthread_mutex_unlock(&log_mutex);
        log_update_max();
    }
}

const char *
log_file_name(void)
{
    return file_name;
}
