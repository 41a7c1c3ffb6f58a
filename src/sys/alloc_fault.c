#include "sys/alloc_fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

static struct shared {
    atomic_long n_made; /* Since alloc_fault_begin(). */
    atomic_bool failed, finished;
} *shared;
static long fail_at = -1; /* In a child. */
static atomic_bool counting;

/* --- In the place of the system's --- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_vasprintf(char **s, const char *format, va_list args) PRINTF_FORMAT(2, 0);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *), void *aux);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_vasprintf(char **s, const char *format, va_list args) PRINTF_FORMAT(2, 0);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *), void *aux);

static bool
fails_now(void)
{
    if (!counting || atomic_fetch_add(&shared->n_made, 1) != fail_at) {
        return false;
    }
    shared->failed = true;
    errno = ENOMEM;
    return true;
}

void *
__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : __real_realloc(p, size);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}

int
__wrap_vasprintf(char **s, const char *format, va_list args)
{
    return fails_now() ? -1 : __real_vasprintf(s, format, args);
}

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *), void *aux)
{
    return fails_now() ? EAGAIN : __real_pthread_create(thread, attr, main, aux);
}

/* --- Children --- */

enum end {
    END_DONE,  /* There are fewer allocations: the scenario came to its end. */
    END_ENDED, /* The program ended as out_of_memory() does. */
    END_COPED, /* It did without, and the scenario came to its end. */
    END_WRONG, /* Anything else: a crash, another message, a failed assertion. */
};

static void NORETURN
run_child(int fd, void (*scenario)(void))
{
    prctl(PR_SET_DUMPABLE, 0); /* No core. */
    alarm(60);
    if (dup2(fd, STDERR_FILENO) < 0) {
        _exit(1);
    }
    alloc_fault_begin();
    scenario();
    counting = false;
    shared->finished = true;
    _exit(0);
}

static char *
read_all(int fd)
{
    struct str s = STR_INIT;
    char buffer[1024];
    ssize_t n;

    while ((n = read(fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR)) {
        str_putn(&s, buffer, MAX(n, 0));
    }
    return str_steal(&s);
}

static enum end
classify(int status, const char *output)
{
    if (shared->failed && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT
        && !strcmp(output, "virtual memory exhausted\n")) {
        return END_ENDED;
    }
    if (!shared->finished || status || *output) {
        return END_WRONG;
    }
    return shared->failed ? END_COPED : END_DONE;
}

/* Runs the scenario in a child where allocation 'n' (the first is 0) fails. */
static enum end
run_one(long n, void (*scenario)(void))
{
    int fds[2], status;
    char *output;
    enum end end;
    pid_t pid;

    shared->failed = shared->finished = false;
    fail_at = n;
    if (pipe(fds) || (pid = fork()) < 0) {
        perror("alloc_fault");
        exit(1);
    }
    if (!pid) {
        run_child(fds[1], scenario);
    }
    close(fds[1]);
    output = read_all(fds[0]);
    close(fds[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    end = classify(status, output);
    if (end == END_WRONG) {
        fprintf(stderr, "allocation %ld%s, status %#x: %s\n", n, shared->failed ? "" : " not reached", status, output);
    }
    free(output);
    return end;
}

int
alloc_fault_each(void (*before)(void), void (*scenario)(void), void (*after)(void), int *n_failed)
{
    int n_ended = 0;
    enum end end;

    setenv("CMOCKA_TEST_ABORT", "1", 1); /* An assertion ends a child instead of going on with the next test. */
    if (!shared) {
        shared = alloc_fault_shared(sizeof *shared);
    }
    *n_failed = 0;
    for (;;) {
        if (before) {
            before();
        }
        end = run_one(*n_failed, scenario);
        if (end == END_WRONG) {
            exit(1);
        }
        if (after) {
            after();
        }
        if (end == END_DONE) {
            unsetenv("CMOCKA_TEST_ABORT");
            return n_ended;
        }
        n_ended += end == END_ENDED;
        ++*n_failed;
    }
}

void
alloc_fault_begin(void)
{
    shared->n_made = 0;
    counting = true;
}

void *
alloc_fault_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        out_of_memory();
    }
    return p;
}
