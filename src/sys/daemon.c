#include "sys/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/clock.h"
#include "sys/cmdline.h"
#include "sys/daemon_private.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/signals.h"

LOG_MODULE(daemon_unix)

enum { RESTART_PAUSE_MS = 10000 };

static bool detach, monitor, overwrite_pidfile;
static bool change_directory = true;
static char *pidfile;          /* Absolute; null: none wanted. */
static int pidfile_fd = -1;    /* Holds the lock while the process lives. */
static int ready_fd = -1;      /* Write end of the pipe to whoever waits for daemon_ready(). */

void
daemon_set_detach(bool x)
{
    detach = x;
}

void
daemon_set_chdir(bool x)
{
    change_directory = x;
}

void
daemon_set_monitor(bool x)
{
    monitor = x;
}

void
daemon_set_overwrite_pidfile(bool x)
{
    overwrite_pidfile = x;
}

bool
daemon_is_detaching(void)
{
    return detach;
}

char *
daemon_default_pidfile(void)
{
    return xasprintf("%s/%s.pid", dirs_run(), log_program());
}

void
daemon_set_pidfile(const char *file)
{
    free(pidfile);
    pidfile = file ? dirs_resolve(dirs_run(), file) : daemon_default_pidfile();
}

/* Pid files. */

/* Who holds the lock on 'fd': a pid, 0 if nobody, or a negative errno. */
static pid_t
lock_holder(int fd)
{
    struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(fd, F_GETLK, &l)) {
        return -errno;
    }
    return l.l_type == F_UNLCK ? 0 : l.l_pid;
}

/* As daemon_read_pidfile(); the lock's holder is who counts, the text is for people.  '*call' names what failed. */
static pid_t
read_pidfile(const char *file, const char **call)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    char text[16] = "";
    pid_t pid;

    *call = "open";
    if (fd < 0) {
        return -errno;
    }
    *call = "read";
    pid = lock_holder(fd);
    if (!pid) {
        pid = -ESRCH;
    } else if (pid == -1 || pid == getpid()) {
        /* A holder in another pid namespace has no pid of ours; trust the text. */
        pid = read(fd, text, sizeof text - 1) > 0 ? atoi(text) : -EINVAL;
    }
    close(fd);
    return pid;
}

pid_t
daemon_read_pidfile(const char *file)
{
    const char *call;
    pid_t pid = read_pidfile(file, &call);

    if (pid < 0 && pid != -ESRCH) {
        log_warn("%s: %s: %s", file, call, strerror(-pid));
    }
    return pid;
}

static void
check_not_running(void)
{
    const char *call;
    pid_t pid;

    if (pidfile && !overwrite_pidfile) {
        pid = read_pidfile(pidfile, &call);
        if (pid > 0) {
            cmdline_fatal(0, "%s: already running as pid %ld, aborting", pidfile, (long) pid);
        } else if (pid != -ESRCH && pid != -ENOENT) {
            cmdline_fatal(0, "%s: pidfile check failed (%s), aborting", pidfile, strerror(-pid));
        }
    }
}

static void
write_pidfile(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *tmp = xasprintf("%s.tmp", pidfile);
    char text[16];
    int n = snprintf(text, sizeof text, "%ld\n", (long) getpid());

    pidfile_fd = open(tmp, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (pidfile_fd < 0) {
        cmdline_fatal(-errno, "%s: create failed", tmp);
    }
    if (fcntl(pidfile_fd, F_SETLK, &lock)) {
        cmdline_fatal(-errno, "%s: fcntl(F_SETLK) failed", tmp);
    }
    signals_cleanup_add(tmp);
    if (ftruncate(pidfile_fd, 0) || write(pidfile_fd, text, n) != n) {
        cmdline_fatal(-errno, "%s: write failed", tmp);
    }
    if (rename(tmp, pidfile)) {
        cmdline_fatal(-errno, "failed to rename \"%s\" to \"%s\"", tmp, pidfile);
    }
    signals_cleanup_remove(tmp);
    signals_cleanup_add(pidfile);
    free(tmp);
}

/* Forking. */

static void
notify(int *fd)
{
    if (*fd >= 0) {
        while (write(*fd, "", 1) < 0 && errno == EINTR) {
            continue;
        }
        close(*fd);
        *fd = -1;
    }
}

/* Waits for 'child' to say that it is ready on the read end 'fd'.  False if it has died, with its status. */
static bool
wait_until_ready(int fd, pid_t child, int *status)
{
    ssize_t n;
    char byte;

    do {
        n = read(fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    close(fd);
    if (n == 1) {
        return true;
    }
    while (waitpid(child, status, 0) < 0 && errno == EINTR) {
        continue;
    }
    return false;
}

/* Forks; the child gets a new 'ready_fd', the parent the end to wait at in '*wait_fd'.  Returns as fork(). */
static pid_t
fork_with_pipe(int *wait_fd)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC)) {
        cmdline_fatal(-errno, "pipe failed");
    }
    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        cmdline_fatal(-errno, "fork failed");
    } else if (!pid) {
        close(fds[0]);
        if (ready_fd >= 0) {
            close(ready_fd);
        }
        ready_fd = fds[1];
        signals_cleanup_forget();
    } else {
        close(fds[1]);
        *wait_fd = fds[0];
    }
    return pid;
}

static bool keeps[STDERR_FILENO + 1];

void
daemon_keep_open(int fd)
{
    keeps[fd] = true;
}

static void
leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++) {
        if (!keeps[fd]) {
            dup2(null, fd);
        }
    }
    if (null > 2) {
        close(null);
    }
    log_set_levels(LOG_TO_CONSOLE, LOG_LEVEL_OFF);
}

/* Lets go of what belongs to the user's process, before that is told that it may end. */
static void
leave_user(void)
{
    if (detach) {
        leave_terminal();
        if (change_directory) {
            (void) !chdir("/");
        }
    }
}

static NORETURN void
exit_as(int status)
{
    signals_cleanup_forget();
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

/* The user's process: waits, then exits as the daemon's start went. */
static void
detach_from_user(void)
{
    int fd = -1, status = 0;
    pid_t pid = fork_with_pipe(&fd);

    if (pid) {
        if (wait_until_ready(fd, pid, &status)) {
            _exit(EXIT_SUCCESS);
        }
        _exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
    }
    setsid();
}

static bool
means_defect(int status)
{
    static const int defects[] = { SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGPIPE, SIGSEGV, SIGXCPU, SIGXFSZ };

    for (size_t i = 0; WIFSIGNALED(status) && i < ARRAY_SIZE(defects); i++) {
        if (WTERMSIG(status) == defects[i]) {
            return true;
        }
    }
    return false;
}

static char *
status_text(int status)
{
    if (WIFEXITED(status)) {
        return xasprintf("exit status %d", WEXITSTATUS(status));
    }
    return xasprintf("killed (%s)%s", strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
}

static void
pause_restart(int64_t last_start)
{
    int64_t wait = last_start + RESTART_PAUSE_MS - clock_real_us() / 1000;

    if (last_start && wait > 0) {
        log_warn("%lld ms left before restarting", (long long) wait);
        usleep(wait * 1000);
    }
}

/* Looks after the daemon 'pid' until it ends for good, or returns in a new daemon. */
static void
look_after(pid_t pid)
{
    int64_t last_start = 0;
    int status, fd, n_crashes = 0;

    log_set_thread_name("monitor");
    daemon_title_set("monitoring pid %ld (healthy)", (long) pid);
    for (;;) {
        char *text, *crash;

        while (waitpid(pid, &status, 0) < 0) {
            if (errno != EINTR) {
                log_fatal("waitpid failed (%s)", strerror(errno));
            }
        }
        text = status_text(status);
        if (!means_defect(status)) {
            log_info("pid %ld died, %s, exiting", (long) pid, text);
            free(text);
            exit_as(WIFEXITED(status) ? status : 0);
        }
        crash = xasprintf("%d crashes: pid %ld died, %s", ++n_crashes, (long) pid, text);
        log_err("%s, restarting", crash);
        pause_restart(last_start);
        last_start = clock_real_us() / 1000;
        pid = fork_with_pipe(&fd);
        if (pid) {
            daemon_title_set("monitoring pid %ld (%s)", (long) pid, crash);
        }
        free(crash);
        free(text);
        if (!pid) {
            daemon_title_restore();
            log_set_thread_name("");
            return;
        }
        if (!wait_until_ready(fd, pid, &status) && !means_defect(status)) {
            exit_as(status);
        }
    }
}

static void
start_monitor(void)
{
    int fd = -1, status = 0;
    pid_t pid = fork_with_pipe(&fd);

    if (pid) {
        if (!wait_until_ready(fd, pid, &status)) {
            exit_as(status);
        }
        leave_user();
        notify(&ready_fd);
        look_after(pid);
    }
}

void
daemon_start(void)
{
    check_not_running();
    if (detach) {
        detach_from_user();
    }
    if (monitor) {
        start_monitor();
    }
    daemon_become_user();
    if (pidfile) {
        write_pidfile();
    }
}

void
daemon_ready(void)
{
    leave_user();
    notify(&ready_fd);
}
