#include "rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct rig *running; /* For die(). */

void
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (running) {
        rig_stop(running);
    }
    exit(1);
}

int64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* --- Processes --- */

static void
run(const char *const argv[])
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        execv(argv[0], (char *const *) argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
        die("%s failed", argv[0]);
    }
}

void
rig_init(struct rig *r, const char *dir, const char *server, const char *tool, const char *appctl, const char *schema)
{
    *r = (struct rig) { .dir = dir, .server = server, .tool = tool, .appctl = appctl };
    r->file = xasprintf("%s/bench.db", dir);
    r->socket = xasprintf("%s/bench.sock", dir);
    r->control = xasprintf("%s/bench.ctl", dir);
    setenv("OVS_RUNDIR", dir, 1);
    setenv("OVS_LOGDIR", dir, 1);
    setenv("OVS_DBDIR", dir, 1);
    run((const char *[]) { tool, "create", r->file, schema, NULL });
}

static void
wait_for_server(struct rig *r)
{
    struct str request = STR_INIT;
    struct client c;

    str_puts(&request, "{\"method\":\"echo\",\"params\":[],\"id\":0}");
    client_open(&c, r);
    client_call(&c, &request);
    client_close(&c);
    str_uninit(&request);
}

/* The child dies with its parent, also when that is killed. */
static pid_t
fork_server(struct rig *r)
{
    pid_t parent = getpid(), pid;

    unlink(r->socket);
    pid = fork();
    if (pid < 0) {
        die("fork: %s", strerror(errno));
    }
    if (!pid && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)) {
        _exit(1);
    }
    return pid;
}

void
rig_start(struct rig *r)
{
    r->pid = fork_server(r);
    if (!r->pid) {
        char *remote = xasprintf("--remote=punix:%s", r->socket), *control = xasprintf("--unixctl=%s", r->control);

        execl(r->server, r->server, r->file, remote, control, "-vconsole:off", NULL);
        _exit(127);
    }
    r->is_idle = false;
    running = r;
    wait_for_server(r);
}

/* Where to write what a server writes for each transaction; -1 for one that does nothing. */
static int
open_record_file(const struct rig *r, bool writes)
{
    char *path = xasprintf("%s.records", r->socket);
    int fd = writes ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;

    if (writes && fd < 0) {
        die("%s: %s", path, strerror(errno));
    }
    free(path);
    return fd;
}

static void
wait_readable(int epoll)
{
    struct epoll_event event;

    while (epoll_wait(epoll, &event, 1, -1) < 0 && errno == EINTR) {
        continue;
    }
}

static void NORETURN
serve_nothing(int listener, int records)
{
    static const char reply[] = "{\"error\":null,\"id\":0,\"result\":[{\"uuid\":[\"uuid\","
                                "\"00000000-0000-0000-0000-000000000000\"]}]}";
    off_t end = 0;

    for (;;) {
        struct client c = { .fd = accept(listener, NULL, NULL) };
        struct epoll_event event = { .events = EPOLLIN };
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        ssize_t n;

        c.capacity = 65536;
        c.in = xmalloc(c.capacity);
        epoll_ctl(epoll, EPOLL_CTL_ADD, c.fd, &event);
        /* A message of the benchmark's client arrives whole and alone. */
        for (;;) {
            if (records >= 0) {
                wait_readable(epoll);
            }
            n = read(c.fd, c.in, c.capacity);
            if (n <= 0) {
                break;
            }
            if (records >= 0) {
                end += pwrite(records, c.in, n, end);
            }
            if (c.in[n - 1] == '}' && write(c.fd, reply, sizeof reply - 1) < 0) {
                break;
            }
        }
        close(epoll);
        client_close(&c);
    }
}

void
rig_start_idle(struct rig *r, bool writes)
{
    int records = open_record_file(r, writes);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unlink(r->socket);
    if (strlen(r->socket) >= sizeof un.sun_path) {
        die("%s: too long", r->socket);
    }
    memcpy(un.sun_path, r->socket, strlen(r->socket));
    if (fd < 0 || bind(fd, (struct sockaddr *) &un, sizeof un) || listen(fd, 5)) {
        die("%s: %s", r->socket, strerror(errno));
    }
    r->pid = fork();
    if (!r->pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_nothing(fd, records);
    }
    close(fd);
    if (records >= 0) {
        close(records);
    }
    r->is_idle = true;
    running = r;
}

/* The 'nth' of the processors that this program could use when it was first asked; -1: all of them. */
static void
find_cpus(int nth, cpu_set_t *set)
{
    static cpu_set_t all;

    if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof all, &all)) {
        die("sched_getaffinity: %s", strerror(errno));
    }
    CPU_ZERO(set);
    for (int cpu = 0, i = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && (nth < 0 || i++ == nth)) {
            CPU_SET(cpu, set);
        }
    }
    if (!CPU_COUNT(set)) {
        die("there are only %d processors", CPU_COUNT(&all));
    }
}

void
rig_pin(const struct rig *r, int nth)
{
    char *tasks = xasprintf("/proc/%d/task", r ? (int) r->pid : (int) getpid());
    DIR *dir;
    cpu_set_t set;

    find_cpus(nth, &set);
    if (!(dir = opendir(tasks))) {
        die("%s: %s", tasks, strerror(errno));
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL; ) {
        if (atoi(e->d_name) && sched_setaffinity(atoi(e->d_name), sizeof set, &set) && errno != ESRCH) {
            die("sched_setaffinity: %s", strerror(errno));
        }
    }
    closedir(dir);
    free(tasks);
}

void
rig_stop(struct rig *r)
{
    if (r->pid > 0) {
        pid_t pid = r->pid;

        running = NULL;
        r->pid = 0;
        kill(pid, r->is_idle ? SIGKILL : SIGTERM);
        for (int i = 0; waitpid(pid, NULL, WNOHANG) == 0; i++) {
            if (i == 2000) {
                kill(pid, SIGKILL);
            }
            usleep(10000);
        }
    }
}

void
rig_uninit(struct rig *r)
{
    rig_stop(r);
    free(r->file);
    free(r->socket);
    free(r->control);
}

void
rig_appctl(struct rig *r, const char *command)
{
    char *target = xasprintf("--target=%s", r->control);

    run((const char *[]) { r->appctl, target, command, NULL });
    free(target);
}

/* --- What it costs --- */

/* Field 'n' of /proc/PID/stat, as proc(5) counts them: from the fourth on, behind the program's name. */
static unsigned long
stat_field(pid_t pid, int n)
{
    char *path = xasprintf("/proc/%d/stat", (int) pid), line[1024] = "", *p;
    FILE *f = fopen(path, "re");

    if (!f || !fgets(line, sizeof line, f) || !(p = strrchr(line, ')'))) {
        die("%s: cannot read", path);
    }
    fclose(f);
    free(path);
    for (int i = 3; i <= n && p; i++) {
        p = strchr(p + 1, ' ');
    }
    if (!p) {
        die("/proc/%d/stat: too short", (int) pid);
    }
    return strtoul(p, NULL, 10);
}

/* Children that were waited for, in ns. */
static int64_t
children_ns(pid_t pid)
{
    return (int64_t) (stat_field(pid, 16) + stat_field(pid, 17)) * (INT64_C(1000000000) / sysconf(_SC_CLK_TCK));
}

int
rig_processor(const struct rig *r)
{
    return stat_field(r->pid, 39);
}

int64_t
rig_cpu_ns(const struct rig *r)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(r->pid, &clock) || clock_gettime(clock, &t)) {
        die("cannot read the processor time of the server");
    }
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec + children_ns(r->pid);
}

int64_t
rig_rss_bytes(const struct rig *r)
{
    char *path = xasprintf("/proc/%d/statm", (int) r->pid);
    FILE *f = fopen(path, "re");
    long pages = 0;

    if (!f || fscanf(f, "%*d %ld", &pages) != 1) {
        die("%s: cannot read", path);
    }
    fclose(f);
    free(path);
    return pages * (int64_t) sysconf(_SC_PAGESIZE);
}

/* --- The client --- */

void
client_open(struct client *c, const struct rig *r)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    *c = (struct client) { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    if (strlen(r->socket) >= sizeof un.sun_path) {
        die("%s: too long", r->socket);
    }
    memcpy(un.sun_path, r->socket, strlen(r->socket));
    while (connect(c->fd, (struct sockaddr *) &un, sizeof un)) {
        if ((errno != ENOENT && errno != ECONNREFUSED) || waitpid(r->pid, NULL, WNOHANG)) {
            die("%s: %s", r->socket, strerror(errno));
        }
        usleep(1000);
    }
}

void
client_close(struct client *c)
{
    close(c->fd);
    free(c->in);
    c->in = NULL;
}

void
client_send(struct client *c, const struct str *s)
{
    for (size_t done = 0; done < s->len;) {
        ssize_t n = send(c->fd, s->text + done, s->len - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            die("send: %s", strerror(errno));
        }
        done += MAX(n, 0);
    }
}

/* Looks for the end of the message at 'used'; its length, or 0. */
static size_t
find_end(struct client *c)
{
    const char *p = c->in + c->used + c->scanned, *end = c->in + c->n;

    for (; p < end; p++) {
        if (c->in_string) {
            if (c->escaped) {
                c->escaped = false;
            } else if (*p == '\\') {
                c->escaped = true;
            } else if (*p == '"') {
                c->in_string = false;
            }
        } else if (*p == '"') {
            c->in_string = true;
        } else if (*p == '{' || *p == '[') {
            c->depth++;
        } else if ((*p == '}' || *p == ']') && !--c->depth) {
            c->scanned = 0;
            return p + 1 - (c->in + c->used);
        }
    }
    c->scanned = end - (c->in + c->used);
    return 0;
}

static void
read_more(struct client *c)
{
    ssize_t n;

    memmove(c->in, c->in + c->used, c->n - c->used);
    c->n -= c->used;
    c->used = 0;
    if (c->capacity - c->n < 65536) {
        c->capacity = MAX(c->capacity * 2, 262144);
        c->in = xrealloc(c->in, c->capacity + 1);
    }
    do {
        n = read(c->fd, c->in + c->n, c->capacity - c->n);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        die("receive: %s", n ? strerror(errno) : "connection closed");
    }
    c->n += n;
}

const char *
client_receive(struct client *c, size_t *len)
{
    while (!(*len = c->n > c->used ? find_end(c) : 0)) {
        read_more(c);
    }
    c->used += *len;
    return c->in + c->used - *len;
}

void
check_reply(const char *text, size_t len)
{
    size_t n = MIN(len, 4096);

    /* What the server says about errors stands at one of the ends. */
    if ((!memmem(text, n, "\"error\":null", 12) && !memmem(text + len - n, n, "\"error\":null", 12))
        || memmem(text + len - n, n, "\"details\"", 9)) {
        die("error reply: %.*s", (int) MIN(n, 500), text);
    }
}

void
client_call(struct client *c, const struct str *s)
{
    const char *reply;
    size_t len;

    client_send(c, s);
    reply = client_receive(c, &len);
    check_reply(reply, len);
}
