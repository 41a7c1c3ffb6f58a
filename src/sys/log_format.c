#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/log_private.h"

/* How the patterns of messages are written out: ovs-appctl(8), "vlog/set PATTERN". */

static const char *const default_patterns[LOG_N_DESTINATIONS] = {
    [LOG_TO_SYSLOG] = "ovs|%05N|%c%T|%p|%m",
    [LOG_TO_CONSOLE] = "%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m",
    [LOG_TO_FILE] = "%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m",
};
static char *patterns[LOG_N_DESTINATIONS]; /* Null: the default. */
static int64_t start_ms;

__attribute__((constructor)) static void
note_start(void)
{
    start_ms = clock_real_us() / 1000;
}

const char *
log_pattern(enum log_destination d)
{
    return patterns[d] ? patterns[d] : default_patterns[d];
}

void
log_set_pattern(enum log_destination d, const char *pattern)
{
    free(patterns[d]);
    patterns[d] = xstrdup(pattern);
}

/* strftime() that also turns each run of # into digits of the second. */
static void
put_time(struct str *s, const char *template, bool utc)
{
    int64_t now = clock_wall_ms();
    time_t seconds = now / 1000;
    char text[256], digits[16];
    struct tm tm;

    if (utc) {
        gmtime_r(&seconds, &tm);
    } else {
        localtime_r(&seconds, &tm);
    }
    if (!strftime(text, sizeof text, template, &tm)) {
        text[0] = '\0';
    }
    snprintf(digits, sizeof digits, "%03d000000", (int) (now % 1000));
    for (const char *p = text, *d = digits; *p; p++) {
        if (*p == '#') {
            str_putc(s, *d ? *d++ : '0');
        } else {
            str_putc(s, *p);
            d = digits;
        }
    }
}

/* Reads an optional "{template}" at '*p' and moves past it. */
static void
put_time_spec(struct str *s, const char **p, bool utc)
{
    const char *end = **p == '{' ? strchr(*p, '}') : NULL;

    if (end) {
        char *template = xstrndup(*p + 1, end - *p - 1);

        put_time(s, template, utc);
        free(template);
        *p = end + 1;
    } else {
        put_time(s, "%Y-%m-%d %H:%M:%S", utc);
    }
}

static void
put_host(struct str *s)
{
    char name[256] = "";

    gethostname(name, sizeof name - 1);
    str_puts(s, name);
}

static int
syslog_priority(enum log_level level)
{
    static const int priorities[LOG_N_LEVELS] = { 6, 1, 3, 4, 6, 7 };

    return priorities[level];
}

/* The expansion of one escape, whose letter is at '*p'; moves past it. */
static void
put_escape(struct str *s, const char **p, const struct log_message *m, int facility)
{
    const char *thread = log_thread_name();

    switch (*(*p)++) {
    case 'A': str_puts(s, log_program()); break;
    case 'B': str_putf(s, "%d", facility + syslog_priority(m->level)); break;
    case 'c': str_puts(s, m->module->name); break;
    case 'd': put_time_spec(s, p, false); break;
    case 'D': put_time_spec(s, p, true); break;
    case 'E': put_host(s); break;
    case 'm': str_puts(s, m->text); break;
    case 'N': str_putf(s, "%u", m->sequence); break;
    case 'n': str_putc(s, '\n'); break;
    case 'p': str_puts(s, log_level_names[m->level]); break;
    case 'P': str_putf(s, "%ld", (long) getpid()); break;
    case 'r': str_putf(s, "%" PRId64, clock_real_us() / 1000 - start_ms); break;
    case 't': str_puts(s, thread[0] ? thread : "main"); break;
    case 'T':
        if (thread[0]) {
            str_putf(s, "(%s)", thread);
        }
        break;
    default: str_putc(s, (*p)[-1]); break;
    }
}

/* Widens what begins at 'start' to 'width'. */
static void
pad(struct str *s, size_t start, size_t width, char with, bool left)
{
    size_t len = s->len - start, add = width > len ? width - len : 0;

    str_put_fill(s, left ? ' ' : with, add);
    if (add && !left) {
        memmove(s->text + start + add, s->text + start, len);
        memset(s->text + start, with, add);
    }
}

void
log_format(struct str *s, const char *p, const struct log_message *m, int facility)
{
    enum { MAX_WIDTH = 1000 };

    while (*p) {
        size_t start = s->len, width = 0;
        bool left = false;
        char with = ' ';

        if (*p != '%') {
            str_putc(s, *p++);
            continue;
        }
        p++;
        if (*p == '-') {
            left = true;
            p++;
        }
        if (*p == '0') {
            with = '0';
            p++;
        }
        while (isdigit((unsigned char) *p)) {
            width = MIN(width * 10 + (*p - '0'), MAX_WIDTH);
            p++;
        }
        if (!*p) {
            break;
        }
        put_escape(s, &p, m, facility);
        pad(s, start, width, with, left);
    }
}
