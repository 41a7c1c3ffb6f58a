#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "sys/address.h"
#include "sys/log_private.h"

/* The ways to the system's log: libc's syslog(), a datagram socket, nothing; and one more target over UDP. */

enum method { METHOD_LIBC, METHOD_UNIX, METHOD_UDP, METHOD_NULL };

static enum method method = METHOD_LIBC;
static bool method_chosen;
static int method_fd = -1, target_fd = -1;
static int facility = LOG_DAEMON;
static bool facility_chosen;
static bool opened;

static const char *const facility_names[] = {
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "clock", "ftp", "ntp", "audit", "alert",
    "clock2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
};
/* RFC 5424 numbers: clock (cron) is 9, then authpriv would be 10, which has no name here. */
static const int facility_numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                                        23 };

bool
log_set_facility(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(facility_names); i++) {
        if (!strcasecmp(name, facility_names[i])) {
            facility = facility_numbers[i] << 3;
            facility_chosen = true;
            return true;
        }
    }
    return false;
}

const char *
log_syslog_prefix(void)
{
    switch (method) {
    case METHOD_LIBC: return "<%B> %D{%h %e %T} %E %A:";
    case METHOD_UNIX: case METHOD_UDP: return "<%B>";
    default: return "";
    }
}

static int
connect_unix(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    str_copy_cut(un.sun_path, path, sizeof un.sun_path);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &un, sizeof un)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int
connect_udp(const char *where)
{
    struct address a;
    int fd;

    if (address_parse_active(where, 514, &a) || a.sa.ss_family == AF_UNSPEC) {
        return -1;
    }
    fd = socket(a.sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &a.sa, a.len)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

struct error *
log_set_syslog_method(const char *spec)
{
    if (!strcmp(spec, "libc")) {
        method = METHOD_LIBC;
    } else if (!strcmp(spec, "null")) {
        method = METHOD_NULL;
    } else if (!strncmp(spec, "unix:", 5) && spec[5]) {
        method = METHOD_UNIX;
        method_fd = connect_unix(spec + 5);
    } else if (!strncmp(spec, "udp:", 4) && spec[4]) {
        method = METHOD_UDP;
        method_fd = connect_udp(spec + 4);
    } else {
        return error_new("unsupported syslog method '%s'", spec);
    }
    method_chosen = true;
    return NULL;
}

struct error *
log_set_syslog_target(const char *where)
{
    int fd = connect_udp(where);

    if (fd < 0) {
        return error_new("%s: bad syslog target", where);
    }
    if (target_fd >= 0) {
        close(target_fd);
    }
    target_fd = fd;
    return NULL;
}

/* Before the first message: what the environment says, where no option has. */
static void
open_method(void)
{
    const char *spec = getenv("OVS_SYSLOG_METHOD");

    opened = true;
    if (!method_chosen && spec && spec[0]) {
        error_free(log_set_syslog_method(spec));
    }
    if (method == METHOD_LIBC) {
        openlog(log_program(), LOG_NDELAY, LOG_DAEMON);
    }
}

static void
send_line(int fd, const char *prefix, const struct log_message *m, int with_facility)
{
    struct str line = STR_INIT;

    log_format(&line, prefix, m, with_facility);
    log_format(&line, log_pattern(LOG_TO_SYSLOG), m, with_facility);
    (void) !send(fd, str_text(&line), line.len, MSG_NOSIGNAL);
    str_uninit(&line);
}

void
log_syslog_write(const struct log_message *m)
{
    static const int priorities[LOG_N_LEVELS] = { LOG_INFO, LOG_ALERT, LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

    if (!opened) {
        open_method();
    }
    if (method == METHOD_LIBC) {
        struct str line = STR_INIT;

        log_format(&line, log_pattern(LOG_TO_SYSLOG), m, facility);
        syslog(priorities[m->level] | facility, "%s", str_text(&line));
        str_uninit(&line);
    } else if (method_fd >= 0) {
        send_line(method_fd, log_syslog_prefix(), m, facility);
    }
    if (target_fd >= 0) {
        send_line(target_fd, "<%B>", m, facility_chosen ? facility : LOG_LOCAL0);
    }
}
