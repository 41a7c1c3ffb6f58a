#include "netdev/vhost_faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "base/num.h"
#include "netlink/unix_diag.h"
#include "sys/log.h"

LOG_MODULE(netdev_dpdk)

/* QEMU's docs/interop/vhost-user.rst, "Front-end message types". */
enum { RESET_OWNER = 4, SET_MEM_TABLE = 5, POSTCOPY_ADVISE = 28, POSTCOPY_END = 30 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list watched = LIST_INIT(&watched); /* Of struct vhost_faults. */
static bool is_watching;                          /* There is a thread for them. */
static int changed_fd = -1;                       /* Wakes it; made with the first one. */

void
vhost_faults_init(struct vhost_faults *f)
{
    *f = (struct vhost_faults) { 0 };
    list_init(&f->node);
}

static bool
is_watched(const struct vhost_faults *f)
{
    return !list_is_empty(&f->node);
}

/* --- The descriptors --- */

/* Calls 'cb' for each one of the process, until it says that it was the right one; that one, or -1. */
static int
find_descriptor(bool (*cb)(int fd, const void *aux), const void *aux)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;
    int found = -1;
    uint32_t fd;

    while (dir && found < 0 && (entry = readdir(dir))) {
        if (num_parse_u32(entry->d_name, 10, &fd) && cb(fd, aux)) {
            found = fd;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

/* Numbers of descriptors. */
struct numbers {
    size_t n;
    int *fds;
};

static bool
is_for_pages(int fd)
{
    char path[32], target[64];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    n = readlink(path, target, sizeof target - 1);
    target[MAX(n, 0)] = '\0';
    return !strcmp(target, "anon_inode:[userfaultfd]");
}

static bool
note_for_pages(int fd, const void *aux)
{
    struct numbers *known = *(struct numbers *const *) aux;

    if (is_for_pages(fd)) {
        known->fds = xrealloc(known->fds, (known->n + 1) * sizeof known->fds[0]);
        known->fds[known->n++] = fd;
    }
    return false;
}

static bool
is_new_for_pages(int fd, const void *aux)
{
    const struct numbers *known = aux;

    for (size_t i = 0; i < known->n; i++) {
        if (known->fds[i] == fd) {
            return false;
        }
    }
    return is_for_pages(fd);
}

static bool
leads_to(int fd, const void *aux)
{
    return !unix_diag_leads_to(fd, aux);
}

static int
find_connection(const char *path)
{
    struct stat at;

    return stat(path, &at) ? -1 : find_descriptor(leads_to, &at);
}

/* --- The watch --- */

/* The kernel wakes who waits there. */
static void
give_up(struct vhost_faults *f)
{
    atomic_store(&f->are_given_up, true);
    for (uint32_t i = 0; f->memory && i < f->memory->nregions; i++) {
        struct uffdio_range range = { f->memory->regions[i].host_user_addr, f->memory->regions[i].size };

        if (ioctl(f->pages, UFFDIO_UNREGISTER, &range)) {
            log_warn("vHost Device '%s': pages cannot be given up: %s", f->path, strerror(errno));
        }
    }
}

static void
look(struct vhost_faults *f)
{
    struct pollfd p = { .fd = f->connection, .events = POLLRDHUP };

    if (!f->has_ended && poll(&p, 1, 0) > 0) {
        f->has_ended = true;
        log_warn("vHost Device '%s': its monitor has gone before all pages of its memory have come", f->path);
        give_up(f);
    }
}

/* Those whose end is still to come, and the word that the list has changed. */
static struct pollfd *
what_to_wait_for(nfds_t *n)
{
    struct pollfd *p = xmalloc(sizeof *p);

    p[0] = (struct pollfd) { .fd = changed_fd, .events = POLLIN };
    *n = 1;
    LIST_FOR_EACH (f, struct vhost_faults, node, &watched) {
        if (!f->has_ended) {
            p = xrealloc(p, (*n + 1) * sizeof *p);
            p[(*n)++] = (struct pollfd) { .fd = f->connection, .events = POLLRDHUP };
        }
    }
    return p;
}

/* A descriptor that was closed meanwhile, and stands for something else now, wakes us once for nothing. */
static void *
watch(void *aux UNUSED)
{
    pthread_setname_np(pthread_self(), "vhost_faults");
    log_set_thread_name("vhost_faults");
    pthread_mutex_lock(&mutex);
    while (!list_is_empty(&watched)) {
        nfds_t n;
        struct pollfd *p = what_to_wait_for(&n);
        eventfd_t ignored;

        pthread_mutex_unlock(&mutex);
        poll(p, n, -1);
        free(p);
        pthread_mutex_lock(&mutex);
        eventfd_read(changed_fd, &ignored);
        LIST_FOR_EACH (f, struct vhost_faults, node, &watched) {
            look(f);
        }
    }
    is_watching = false;
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void
start_watch_locked(void)
{
    pthread_t thread;

    if (is_watching) {
        eventfd_write(changed_fd, 1);
        return;
    }
    if (changed_fd < 0 && (changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        out_of_memory();
    }
    if (pthread_create(&thread, NULL, watch, NULL)) {
        out_of_memory();
    }
    pthread_detach(thread);
    is_watching = true;
}

/* --- Messages --- */

static uint32_t
request_of(const void *message)
{
    uint32_t request;

    memcpy(&request, message, sizeof request);
    return request;
}

bool
vhost_faults_are_asked_for(const void *message)
{
    return request_of(message) == POSTCOPY_ADVISE;
}

static struct numbers before; /* The library's thread: those for pages that there were before the message. */

void
vhost_faults_before(struct vhost_faults *f, const void *message)
{
    uint32_t request = request_of(message);

    if (request == RESET_OWNER || request == POSTCOPY_ADVISE || request == POSTCOPY_END) {
        vhost_faults_end(f);
    }
    if (request == POSTCOPY_ADVISE) {
        struct numbers *known = &before;

        before.n = 0;
        find_descriptor(note_for_pages, &known);
    }
}

static void
hold_locked(struct vhost_faults *f, const char *path)
{
    int pages = find_descriptor(is_new_for_pages, &before), connection = find_connection(path);

    f->pages = pages < 0 ? -1 : fcntl(pages, F_DUPFD_CLOEXEC, 0);
    f->connection = connection < 0 ? -1 : fcntl(connection, F_DUPFD_CLOEXEC, 0);
    if (f->pages < 0 || f->connection < 0) {
        log_warn("vHost Device '%s': nobody will notice if its monitor goes before all pages of its memory have come: "
                 "%s is not found", path, f->pages < 0 ? "the library's descriptor for them" : "its connection");
        if (f->pages >= 0) {
            close(f->pages);
        }
        if (f->connection >= 0) {
            close(f->connection);
        }
        return;
    }
    f->path = xstrdup(path);
    list_push_back(&watched, &f->node);
    start_watch_locked();
}

void
vhost_faults_after(struct vhost_faults *f, int vid, const char *path, const void *message)
{
    pthread_mutex_lock(&mutex);
    if (request_of(message) == POSTCOPY_ADVISE) {
        hold_locked(f, path);
    }
    if (is_watched(f) && request_of(message) == SET_MEM_TABLE) {
        free(f->memory);
        f->memory = NULL;
        rte_vhost_get_mem_table(vid, &f->memory); /* Not before there is one: it does not look. */
        if (f->has_ended) {
            give_up(f); /* The message was the last one. */
        }
    }
    pthread_mutex_unlock(&mutex);
}

void
vhost_faults_begin(struct vhost_faults *f)
{
    vhost_faults_end(f);
    atomic_store(&f->are_given_up, false);
}

void
vhost_faults_end(struct vhost_faults *f)
{
    pthread_mutex_lock(&mutex);
    if (is_watched(f)) {
        list_remove(&f->node);
        close(f->pages);
        close(f->connection);
        free(f->path);
        free(f->memory);
        f->memory = NULL;
        f->has_ended = false;
        eventfd_write(changed_fd, 1);
    }
    pthread_mutex_unlock(&mutex);
}
