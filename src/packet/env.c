#include "packet/env.h"

#include <errno.h>
#include <glob.h>
#include <mntent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf_dyn.h>
#include <rte_version.h>

#include "base/str.h"
#include "packet/mbuf.h"
#include "packet/pool.h"
#include "sys/log.h"
#include "sys/work.h"

LOG_MODULE(dpdk)

/* Without huge pages the memory is reserved up front; pages that are not used cost nothing. */
#define DEFAULT_MEMORY_MB "1024"

enum { MAX_ARGS = 64 };

static struct {
    struct env_settings settings; /* The texts are ours. */
    pthread_mutex_t mutex;
    pthread_cond_t was_tried;
    enum { ENV_NEW, ENV_STARTING, ENV_TRIED } state; /* Under the mutex. */
    _Atomic bool started;
    char *failure;                /* Once tried; null if it started. */
    void (*done)(void *aux);      /* Under the mutex: of env_start_beside(). */
    void *aux;
} env = { .mutex = PTHREAD_MUTEX_INITIALIZER, .was_tried = PTHREAD_COND_INITIALIZER };

static void
copy_text(const char **to, const char *from)
{
    free((char *) *to);
    *to = from && from[0] ? xstrdup(from) : NULL;
}

void
env_configure(const struct env_settings *s)
{
    struct env_settings *to = &env.settings;

    pthread_mutex_lock(&env.mutex);
    if (env.state == ENV_NEW) {
        copy_text(&to->extra, s->extra);
        copy_text(&to->lcore_mask, s->lcore_mask);
        copy_text(&to->alloc_mem, s->alloc_mem);
        copy_text(&to->socket_mem, s->socket_mem);
        copy_text(&to->socket_limit, s->socket_limit);
        copy_text(&to->hugepage_dir, s->hugepage_dir);
        to->probes = s->probes;
    }
    pthread_mutex_unlock(&env.mutex);
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

/* Words of a command line; every one is allocated. */
struct args {
    int n;
    char *all[MAX_ARGS + 1];
};

static void
add(struct args *a, const char *option, const char *value)
{
    a->all[a->n++] = xstrdup(option);
    if (value) {
        a->all[a->n++] = xstrdup(value);
    }
}

static bool
has_any(const struct args *a, const char *const *words)
{
    return has_word(a->all, a->n, words);
}

static void
add_memory(struct args *a, const struct args *extra, bool has_huge_pages)
{
    static const char *const amounts[] = { "-m", "--socket-mem", "--in-memory", "--legacy-mem", "--no-huge", NULL };
    static const char *const limits[] = { "--socket-limit", NULL }, *const dirs[] = { "--huge-dir", NULL };
    const struct env_settings *s = &env.settings;
    bool wants_huge = s->socket_mem || s->alloc_mem || s->hugepage_dir || has_any(extra, dirs);

    if (has_any(extra, amounts)) {
        return;
    }
    if (!wants_huge || !has_huge_pages) {
        if (wants_huge) {
            log_warn("there are no free huge pages, or none are mounted: DPDK uses ordinary memory");
        }
        add(a, "--no-huge", NULL);
        add(a, "-m", s->alloc_mem && !s->socket_mem ? s->alloc_mem : DEFAULT_MEMORY_MB);
        return;
    }
    if (s->socket_mem) {
        add(a, "--socket-mem", s->socket_mem);
    } else if (s->alloc_mem) {
        add(a, "-m", s->alloc_mem);
    }
    if (s->socket_limit && !has_any(extra, limits)) {
        add(a, "--socket-limit", s->socket_limit);
    }
    if (s->hugepage_dir && !has_any(extra, dirs)) {
        add(a, "--huge-dir", s->hugepage_dir);
    }
}

static void
add_cores(struct args *a, const struct args *extra)
{
    static const char *const cores[] = { "-c", "-l", "--lcores", NULL };

    if (has_any(extra, cores)) {
        return;
    }
    if (env.settings.lcore_mask) {
        add(a, "-c", env.settings.lcore_mask);
    } else {
        char *core = xasprintf("%d", MAX(sched_getcpu(), 0));

        add(a, "-l", core);
        free(core);
    }
}

/* DPDK looks for PCI devices also where it takes none at its start, so that one can be asked for by its address later:
 * all that it may take is the bridge to the bus, for which it has no driver. */
static void
add_devices(struct args *a, const struct args *extra)
{
    static const char *const words[] = { "-a", "--allow", "-b", "--block", "--no-pci", NULL };

    if (env.settings.probes || has_any(extra, words)) {
        return;
    }
    if (access("/sys/bus/pci/devices", R_OK)) {
        add(a, "--no-pci", NULL);
    } else {
        add(a, "-a", "0000:00:00.0");
    }
}

/* The command line: ours and the settings', less what 'dpdk-extra' decides itself. */
static struct args
build_args(bool has_huge_pages)
{
    char *text = xstrdup(env.settings.extra ? env.settings.extra : ""), *save;
    struct args a = { 0 }, extra = { 0 };

    for (char *w = strtok_r(text, " \t", &save); w && extra.n < MAX_ARGS / 2; w = strtok_r(NULL, " \t", &save)) {
        add(&extra, w, NULL);
    }
    free(text);
    add(&a, log_program(), NULL);
    add(&a, "--no-shconf", NULL);
    add(&a, "--no-telemetry", NULL);
    add_memory(&a, &extra, has_huge_pages);
    add_devices(&a, &extra);
    add_cores(&a, &extra);
    for (int i = 0; i < extra.n; i++) {
        a.all[a.n++] = extra.all[i];
    }
    return a;
}

static void
args_free(struct args *a)
{
    for (int i = 0; i < a->n; i++) {
        free(a->all[i]);
    }
}

static char *
join(const struct args *a)
{
    struct str s = STR_INIT;

    for (int i = 0; i < a->n; i++) {
        str_putf(&s, "%s%s", i ? " " : "", a->all[i]);
    }
    return str_steal(&s);
}

char *
env_command_line(bool has_huge_pages)
{
    struct args a = build_args(has_huge_pages);
    char *text = join(&a);

    args_free(&a);
    return text;
}

/* Of any size. */
static bool
huge_pages_are_free(void)
{
    glob_t found;
    bool any = false;

    if (glob("/sys/kernel/mm/hugepages/*/free_hugepages", 0, NULL, &found)) {
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *f = fopen(found.gl_pathv[i], "re");
        unsigned long n;

        any |= f && fscanf(f, "%lu", &n) == 1 && n;
        if (f) {
            fclose(f);
        }
    }
    globfree(&found);
    return any;
}

/* Where files of huge pages can be made; DPDK does not start without such a place. */
static bool
huge_pages_are_mounted(void)
{
    FILE *f = setmntent("/proc/self/mounts", "re");
    const struct mntent *m;
    bool any = false;

    while (f && !any && (m = getmntent(f))) {
        any = !strcmp(m->mnt_type, "hugetlbfs") && !access(m->mnt_dir, R_OK | W_OK | X_OK);
    }
    if (f) {
        endmntent(f);
    }
    return any;
}

static char *
start(void)
{
    static const struct rte_mbuf_dynflag flag = { .name = "weft_offload" }, queue_flag = { .name = "weft_queue" };
    struct args args = build_args(huge_pages_are_free() && huge_pages_are_mounted());
    char *passed[MAX_ARGS + 1], *line = join(&args);
    int result;
    cpu_set_t affinity;
    bool restore = !pthread_getaffinity_np(pthread_self(), sizeof affinity, &affinity);

    log_info("Using %s", rte_version());
    log_info("EAL ARGS: %s", line);
    free(line);
    memcpy(passed, args.all, sizeof passed);
    redirect_log();
    result = rte_eal_init(args.n, passed); /* It permutes the array. */
    if (restore) {
        pthread_setaffinity_np(pthread_self(), sizeof affinity, &affinity);
    }
    args_free(&args);
    if (result < 0) {
        return xasprintf("DPDK did not start: %s", rte_strerror(rte_errno));
    }
    if (rte_mbuf_dynflag_register_bitnum(&flag, PACKET_F_OFFLOAD_BIT) < 0 ||
        rte_mbuf_dynflag_register_bitnum(&queue_flag, PACKET_F_QUEUE_BIT) < 0) {
        return xasprintf("DPDK has no packet flag left: %s", rte_strerror(rte_errno));
    }
    packet_common_pool = packet_pool_create("weft", PACKET_POOL_SIZE, PACKET_ROOM, PACKET_ANY_NODE);
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
