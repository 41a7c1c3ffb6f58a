#include "packet/env.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf_dyn.h>
#include <rte_version.h>

#include "packet/mbuf.h"
#include "packet/pool.h"
#include "sys/log.h"
#include "sys/work.h"

LOG_MODULE(dpdk)

/* Without huge pages the memory is reserved up front; pages that are not used cost nothing. */
#define DEFAULT_MEMORY_MB "1024"

enum { MAX_ARGS = 64 };

static struct {
    char *extra;
    pthread_mutex_t mutex;
    pthread_cond_t was_tried;
    enum { ENV_NEW, ENV_STARTING, ENV_TRIED } state; /* Under the mutex. */
    _Atomic bool started;
    char *failure;                /* Once tried; null if it started. */
    void (*done)(void *aux);      /* Under the mutex: of env_start_beside(). */
    void *aux;
} env = { .mutex = PTHREAD_MUTEX_INITIALIZER, .was_tried = PTHREAD_COND_INITIALIZER };

void
env_configure(const char *extra)
{
    free(env.extra);
    env.extra = xstrdup(extra);
}

/* DPDK's log lines, without the newline, at levels that do not alarm: what matters comes back as an error. */
static ssize_t
log_line(void *cookie UNUSED, const char *text, size_t n)
{
    int level = rte_log_cur_msg_loglevel();

    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r')) {
        n--;
    }
    if (n) {
        if (level <= (int) RTE_LOG_ERR) {
            log_info("%.*s", (int) n, text);
        } else {
            log_dbg("%.*s", (int) n, text);
        }
    }
    return n + 1;
}

static void
redirect_log(void)
{
    static const cookie_io_functions_t functions = { .write = log_line };
    FILE *stream = fopencookie(NULL, "w", functions);

    if (stream) {
        setvbuf(stream, NULL, _IOLBF, 0);
        rte_openlog_stream(stream);
    }
    rte_log_set_global_level(RTE_LOG_NOTICE);
}

static bool
has_word(char *const *args, int n, const char *const *words)
{
    for (int i = 0; i < n; i++) {
        for (const char *const *w = words; *w; w++) {
            if (!strcmp(args[i], *w) || (!strncmp(args[i], *w, strlen(*w)) && args[i][strlen(*w)] == '=')) {
                return true;
            }
        }
    }
    return false;
}

/* The command line: ours, less what 'dpdk-extra' decides itself.  Every element is allocated. */
static int
build_args(char **args)
{
    static const char *const memory[] = { "-m", "--socket-mem", "--huge-dir", "--in-memory", "--legacy-mem", NULL };
    static const char *const devices[] = { "-a", "--allow", "-b", "--block", "--no-pci", NULL };
    static const char *const cores[] = { "-c", "-l", "--lcores", NULL };
    char *extra = xstrdup(env.extra ? env.extra : ""), *save, *words[MAX_ARGS / 2];
    int n = 0, n_words = 0;

    for (char *w = strtok_r(extra, " \t", &save); w && n_words < MAX_ARGS / 2; w = strtok_r(NULL, " \t", &save)) {
        words[n_words++] = w;
    }
    args[n++] = xstrdup(log_program());
    args[n++] = xstrdup("--no-shconf");
    args[n++] = xstrdup("--no-telemetry");
    if (!has_word(words, n_words, memory)) {
        args[n++] = xstrdup("--no-huge");
        args[n++] = xstrdup("-m");
        args[n++] = xstrdup(DEFAULT_MEMORY_MB);
    }
    if (!has_word(words, n_words, devices)) {
        args[n++] = xstrdup("--no-pci");
    }
    if (!has_word(words, n_words, cores)) {
        args[n++] = xstrdup("-l");
        args[n++] = xasprintf("%d", sched_getcpu() >= 0 ? sched_getcpu() : 0);
    }
    for (int i = 0; i < n_words; i++) {
        args[n++] = xstrdup(words[i]);
    }
    args[n] = NULL;
    free(extra);
    return n;
}

static char *
start(void)
{
    static const struct rte_mbuf_dynflag flag = { .name = "weft_offload" };
    char *args[MAX_ARGS + 1], *passed[MAX_ARGS + 1];
    int n = build_args(args), result;
    cpu_set_t affinity;
    bool restore = !pthread_getaffinity_np(pthread_self(), sizeof affinity, &affinity);

    memcpy(passed, args, sizeof passed);
    redirect_log();
    result = rte_eal_init(n, passed); /* It permutes the array. */
    if (restore) {
        pthread_setaffinity_np(pthread_self(), sizeof affinity, &affinity);
    }
    for (int i = 0; i < n; i++) {
        free(args[i]);
    }
    if (result < 0) {
        return xasprintf("DPDK did not start: %s", rte_strerror(rte_errno));
    }
    if (rte_mbuf_dynflag_register_bitnum(&flag, PACKET_F_OFFLOAD_BIT) < 0) {
        return xasprintf("DPDK has no packet flag left: %s", rte_strerror(rte_errno));
    }
    packet_common_pool = packet_pool_create("weft", PACKET_POOL_SIZE, PACKET_ROOM);
    if (!packet_common_pool) {
        return xasprintf("no memory for packets: %s", rte_strerror(rte_errno));
    }
    return NULL;
}

/* By the one who set ENV_STARTING. */
static void
try_to_start(void *unused UNUSED)
{
    char *failure = start();

    pthread_mutex_lock(&env.mutex);
    env.failure = failure;
    env.started = !failure;
    env.state = ENV_TRIED;
    pthread_cond_broadcast(&env.was_tried);
    if (env.done) {
        env.done(env.aux);
    }
    pthread_mutex_unlock(&env.mutex);
}

/* Whether the caller has to start it. */
static bool
begin(void (*done)(void *aux), void *aux)
{
    bool is_first;

    pthread_mutex_lock(&env.mutex);
    is_first = env.state == ENV_NEW;
    if (is_first) {
        env.state = ENV_STARTING;
        env.done = done;
        env.aux = aux;
    }
    pthread_mutex_unlock(&env.mutex);
    return is_first;
}

static bool
was_tried(void)
{
    bool tried;

    pthread_mutex_lock(&env.mutex);
    tried = env.state == ENV_TRIED;
    pthread_mutex_unlock(&env.mutex);
    return tried;
}

bool
env_start_beside(void (*done)(void *aux), void *aux)
{
    if (begin(done, aux)) {
        work_start(try_to_start, NULL);
    }
    return was_tried();
}

struct error *
env_start(void)
{
    if (begin(NULL, NULL)) {
        try_to_start(NULL);
    }
    pthread_mutex_lock(&env.mutex);
    while (env.state != ENV_TRIED) {
        pthread_cond_wait(&env.was_tried, &env.mutex);
    }
    pthread_mutex_unlock(&env.mutex);
    env_thread_register(); /* Another thread may have started it. */
    return env.failure ? error_new("%s", env.failure) : NULL;
}

bool
env_is_started(void)
{
    return env.started;
}

const char *
env_version(void)
{
    return rte_version();
}

void
env_thread_register(void)
{
    if (env.started && rte_lcore_id() == LCORE_ID_ANY && rte_thread_register()) {
        log_dbg("a thread goes without packet cache: %s", rte_strerror(rte_errno));
    }
}

void
env_thread_unregister(void)
{
    rte_thread_unregister();
}
