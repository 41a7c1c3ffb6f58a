#include "sys/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/log.h"

LOG_MODULE(fatal_signal)

static const int fatal[] = { SIGTERM, SIGINT, SIGHUP, SIGALRM };

/* The files, read by the signal handler: changed only with the fatal signals blocked. */
static char **files;
static size_t n_files, capacity;
static pid_t owner;
static volatile sig_atomic_t watch_pipes[NSIG]; /* Write end + 1 of the signal's watch; 0: none. */

static void
block_fatal(sigset_t *old)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
        sigaddset(&set, fatal[i]);
    }
    pthread_sigmask(SIG_BLOCK, &set, old);
}

static void
restore(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

int
signals_thread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *), void *aux)
{
    static const int faults[] = { SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP };
    sigset_t set, old;
    int error;

    sigfillset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        sigdelset(&set, faults[i]);
    }
    pthread_sigmask(SIG_BLOCK, &set, &old);
    error = pthread_create(thread, attr, main, aux);
    restore(&old);
    return error;
}

static void
remove_files(void)
{
    if (owner == getpid()) {
        for (size_t i = 0; i < n_files; i++) {
            unlink(files[i]);
        }
        n_files = 0;
    }
}

static void
on_fatal(int signo)
{
    char text[64] = "terminating with signal ";
    size_t n = strlen(text);

    if (signo >= 10) {
        text[n++] = '0' + signo / 10;
    }
    text[n++] = '0' + signo % 10;
    text[n] = '\0';
    log_write_from_signal(&log_this, LOG_LEVEL_WARN, text, sigdescr_np(signo));
    remove_files();
    signal(signo, SIG_DFL);
    raise(signo); /* Delivered when this handler returns. */
}

void
signals_init(void)
{
    static bool done;

    if (!done) {
        done = true;
        owner = getpid();
        signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
            struct sigaction old, new = { .sa_handler = on_fatal };

            sigfillset(&new.sa_mask);
            if (!sigaction(fatal[i], NULL, &old) && old.sa_handler == SIG_DFL) {
                sigaction(fatal[i], &new, NULL);
            }
        }
        atexit(remove_files);
    }
}

void
signals_cleanup_add(const char *path)
{
    sigset_t old;

    signals_init();
    block_fatal(&old);
    owner = getpid();
    if (n_files == capacity) {
        files = x2nrealloc(files, &capacity, sizeof *files);
    }
    files[n_files++] = xstrdup(path);
    restore(&old);
}

void
signals_cleanup_remove(const char *path)
{
    sigset_t old;

    block_fatal(&old);
    for (size_t i = 0; i < n_files; i++) {
        if (!strcmp(files[i], path)) {
            free(files[i]);
            files[i] = files[--n_files];
            break;
        }
    }
    if (!n_files) {
        free(files);
        files = NULL;
        capacity = 0;
    }
    restore(&old);
}

int
signals_cleanup_unlink(const char *path)
{
    int error = unlink(path) ? -errno : 0;

    signals_cleanup_remove(path);
    return error;
}

void
signals_cleanup_forget(void)
{
    sigset_t old;

    block_fatal(&old);
    while (n_files) {
        free(files[--n_files]);
    }
    free(files);
    files = NULL;
    capacity = 0;
    owner = getpid();
    restore(&old);
}

/* Watching. */

static void
on_watched(int signo)
{
    int saved_errno = errno;

    if (watch_pipes[signo]) {
        (void) !write(watch_pipes[signo] - 1, "", 1);
    }
    errno = saved_errno;
}

static void
on_pipe(struct loop_fd *f, int events UNUSED)
{
    struct signal_watch *w = f->aux;
    char buf[64];

    while (read(w->pipe[0], buf, sizeof buf) > 0) {
        continue;
    }
    w->cb(w);
}

void
signal_watch_start(struct loop *loop, struct signal_watch *w, int signo, void (*cb)(struct signal_watch *), void *aux)
{
    struct sigaction sa = { .sa_handler = on_watched, .sa_flags = SA_RESTART };

    *w = (struct signal_watch) { .signo = signo, .cb = cb, .aux = aux };
    if (pipe2(w->pipe, O_NONBLOCK | O_CLOEXEC)) {
        log_fatal("cannot make a pipe: %s", strerror(errno));
    }
    loop_fd_start(loop, &w->fd, w->pipe[0], LOOP_READ, on_pipe, w);
    watch_pipes[signo] = w->pipe[1] + 1;
    sigaction(signo, &sa, NULL);
}

void
signal_watch_stop(struct signal_watch *w)
{
    signal(w->signo, SIG_DFL);
    watch_pipes[w->signo] = 0;
    loop_fd_stop(&w->fd);
    close(w->pipe[0]);
    close(w->pipe[1]);
}
