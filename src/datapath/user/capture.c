#include "datapath/user/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "datapath/user/capture_private.h"
#include "datapath/user/dp.h"
#include "packet/pcapng.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/signals.h"

LOG_MODULE(capture)

/* Those of a port. */
struct capture_list {
    unsigned int n;
    struct capture *captures[];
};

/* Somebody waits for the end of several. */
struct capture_stop {
    unsigned int n_left;
    capture_ended_cb *cb;
    void *aux;
};
struct capture_wait {
    struct list node;
    struct capture_stop *stop;
};

static struct list captures = LIST_INIT(&captures); /* In order of their numbers, those that ended, too. */
static unsigned int last_id;
static struct loop_wake wake;

static const size_t rings_size = CAPTURE_N_RINGS * sizeof(struct capture_ring);

/* --- Copying --- */

static void
put_packets(struct capture *c, struct capture_ring *ring, struct capture_record *head, struct packet *const *packets,
            unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        const struct packet *p = packets[i];

        head->length = packet_size(p);
        head->captured = MIN(head->length, c->options.snaplen);
        head->offload = packet_has_offload(p) ? p->offload : (struct packet_offload) { 0 };
        capture_ring_put(ring, head, packet_at(p));
    }
}

void
capture_burst_rcu(const struct port *port, unsigned int worker, bool is_out, unsigned int queue,
                  struct packet *const *packets, unsigned int n)
{
    const struct capture_list *l = rcu_get(&((struct port *) port)->captures);
    struct capture_record head = { .ns = capture_now_ns(), .is_out = is_out, .queue = queue };

    for (unsigned int i = 0; l && i < l->n; i++) {
        struct capture *c = l->captures[i];

        if (!atomic_load_explicit(&c->is_on, memory_order_relaxed)
            || !(is_out ? c->options.wants_out : c->options.wants_in)) {
            continue;
        }
        if (worker < CAPTURE_N_RINGS - 1) {
            put_packets(c, &c->rings[worker], &head, packets, n);
        } else {
            pthread_mutex_lock(&c->last_ring);
            put_packets(c, &c->rings[CAPTURE_N_RINGS - 1], &head, packets, n);
            pthread_mutex_unlock(&c->last_ring);
        }
    }
}

/* --- Lists of ports --- */

static void
set_list(struct port *port, struct capture_list *new)
{
    const struct capture_list *old = rcu_get_protected(&port->captures);

    rcu_set(&port->captures, new);
    if (old) {
        rcu_defer(free, (void *) old);
    }
}

/* The port's, with 'added' (null: none) and without 'removed' (null: none). */
static struct capture_list *
changed_list(struct port *port, struct capture *added, const struct capture *removed)
{
    const struct capture_list *old = rcu_get_protected(&port->captures);
    unsigned int n_old = old ? old->n : 0;
    struct capture_list *new = xzalloc(sizeof *new + (n_old + 1) * sizeof new->captures[0]);

    for (unsigned int i = 0; i < n_old; i++) {
        if (old->captures[i] != removed) {
            new->captures[new->n++] = old->captures[i];
        }
    }
    if (added) {
        new->captures[new->n++] = added;
    }
    if (!new->n) {
        free(new);
        return NULL;
    }
    return new;
}

static void
say_left(void *c_)
{
    struct capture *c = c_;

    atomic_store(&c->is_left, true); /* From now on the thread may be done with it, and so everybody. */
}

/* No burst finds it from now on; 'is_left' when none has it any more. */
static void
take_from_port(struct capture *c, const char *because)
{
    if (c->port) {
        c->left_because = because;
        set_list(c->port, changed_list(c->port, NULL, c));
        c->port = NULL;
        rcu_defer(say_left, c);
    }
}

void
capture_port_gone(struct port *port)
{
    LIST_FOR_EACH (c, struct capture, node, &captures) {
        if (c->port == port) {
            c->left_because = "the port is gone";
            c->port = NULL;
            say_left(c);
        }
    }
    free((void *) rcu_get_protected(&port->captures));
    rcu_set(&port->captures, NULL);
}

/* --- The end --- */

static void
free_capture(struct capture *c)
{
    list_remove(&c->node);
    pthread_mutex_destroy(&c->last_ring);
    free(c->why);
    free(c->name);
    free(c->path);
    free(c);
}

static void
forget_oldest(void)
{
    unsigned int n_ended = 0;

    LIST_FOR_EACH (c, struct capture, node, &captures) {
        n_ended += !c->rings;
    }
    LIST_FOR_EACH_SAFE (c, struct capture, node, &captures) {
        if (n_ended > CAPTURE_MAX_ENDED && !c->rings) {
            n_ended--;
            free_capture(c);
        }
    }
}

static struct capture_figures
figures_of(const struct capture *c)
{
    return (struct capture_figures) {
        .id = c->id, .port = c->name, .path = c->path, .options = &c->options,
        .ended = c->rings ? NULL : c->why ? c->why : c->left_because,
        .is_waiting = c->rings && !atomic_load(&c->is_on) && !atomic_load(&c->is_over),
        .seconds = ((c->rings ? clock_real_us() : c->ended_us) - c->began_us) / 1e6,
        .n_in = tally_get(&c->n_in), .n_out = tally_get(&c->n_out), .n_lost = tally_get(&c->n_lost),
        .n_dropped = c->rings ? capture_n_dropped(c) : c->n_dropped, .n_bytes = atomic_load(&c->file.n_bytes),
    };
}

static void
tell_waiting(struct capture *c)
{
    struct capture_figures f = figures_of(c);

    while (!list_is_empty(&c->waiting)) {
        struct capture_wait *w = CONTAINER_OF(list_pop_front(&c->waiting), struct capture_wait, node);
        struct capture_stop *stop = w->stop;

        free(w);
        stop->cb(stop->aux, &f);
        if (!--stop->n_left) {
            stop->cb(stop->aux, NULL);
            free(stop);
        }
    }
}

/* The thread is done. */
static void
finish(struct capture *c)
{
    pthread_join(c->thread, NULL);
    c->n_dropped = capture_n_dropped(c);
    c->ended_us = clock_real_us();
    munmap(c->rings, rings_size);
    c->rings = NULL;
    log_at(c->has_failed ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
           "capture %u of %s ended: %s; %llu packets in %s, %llu dropped", c->id, c->name,
           c->why ? c->why : c->left_because,
           (unsigned long long) (tally_get(&c->n_in) + tally_get(&c->n_out) - tally_get(&c->n_lost)), c->path,
           (unsigned long long) c->n_dropped);
    tell_waiting(c);
}

static void
on_wake(struct loop_wake *w UNUSED)
{
    LIST_FOR_EACH_SAFE (c, struct capture, node, &captures) {
        if (c->rings && atomic_load(&c->is_finished)) {
            finish(c);
        } else if (c->rings && atomic_load(&c->is_over)) {
            take_from_port(c, c->why);
        }
    }
    forget_oldest();
}

unsigned int
capture_stop(unsigned int id, const char *port, capture_ended_cb *cb, void *aux)
{
    struct capture_stop *stop = xzalloc(sizeof *stop);
    unsigned int n = 0;

    *stop = (struct capture_stop) { .cb = cb, .aux = aux };
    LIST_FOR_EACH (c, struct capture, node, &captures) {
        if (c->rings && (c->id == id || !port[0] || !strcmp(c->name, port))) {
            struct capture_wait *w = xzalloc(sizeof *w);

            w->stop = stop;
            list_push_back(&c->waiting, &w->node);
            n++;
            atomic_store(&c->file.hurries, true);
            take_from_port(c, "stopped");
        }
    }
    stop->n_left = n;
    if (!n) {
        free(stop);
    }
    return n;
}

void
dp_user_end_captures(void)
{
    bool is_any = !list_is_empty(&captures);

    LIST_FOR_EACH (c, struct capture, node, &captures) {
        atomic_store(&c->file.hurries, true);
        take_from_port(c, "the switch ends");
    }
    rcu_barrier_all(); /* Now each has been left. */
    LIST_FOR_EACH_SAFE (c, struct capture, node, &captures) {
        if (c->rings) {
            finish(c);
        }
        free_capture(c);
    }
    if (is_any || last_id) {
        loop_wake_uninit(&wake);
        last_id = 0;
    }
}

/* --- The beginning --- */

struct search {
    const char *name;
    struct port *port; /* Null: not found. */
};

static void
look_in_dp(void *s_, const struct datapath *up)
{
    const struct port_table *t = rcu_get_protected(&dp_cast(up)->ports);
    struct search *s = s_;

    for (uint32_t i = 0; t && i < t->n; i++) {
        if (t->ports[i] && !strcmp(t->ports[i]->netdev->name, s->name)) {
            s->port = t->ports[i];
        }
    }
}

static struct error *
find_port(const char *name, struct port **portp)
{
    struct search s = { .name = name };
    struct netdev *n = netdev_find(name);
    bool carries = n && n->class->has_packets, is_known = n != NULL;

    netdev_close(n);
    dp_user_for_each(look_in_dp, &s);
    *portp = s.port;
    if (is_known && !carries) {
        return error_new("%s: packets pass through this port from bridge to bridge without a device; capture at the "
                         "ports behind it", name);
    }
    return s.port ? NULL : error_new("%s: no such port%s", name, is_known ? " of the userspace datapath" : "");
}

static bool
is_being_written(const struct capture_file *f)
{
    LIST_FOR_EACH (c, struct capture, node, &captures) {
        if (c->rings && !c->file.is_fifo && !f->is_fifo && c->file.dev == f->dev && c->file.ino == f->ino) {
            return true;
        }
    }
    return false;
}

static unsigned int
n_going_on(void)
{
    unsigned int n = 0;

    LIST_FOR_EACH (c, struct capture, node, &captures) {
        n += c->rings != NULL;
    }
    return n;
}

/* The file with what it begins with, as far as somebody reads it. */
static struct error *
begin_file(struct capture *c, const struct port *port, const char *path)
{
    struct error *e = capture_file_open(&c->file, path, c->options.overwrites, PCAPNG_STATISTICS_SIZE);
    uint64_t unused;
    int error;

    if (e) {
        return e;
    }
    if (is_being_written(&c->file)) {
        e = error_new("%s: another capture writes this file", path);
    } else if ((error = capture_file_empty(&c->file)) != 0) {
        e = error_new("%s: %s", path, strerror(-error));
    } else {
        capture_put_head(c, port);
        error = c->file.is_fifo ? 0 : capture_file_flush(&c->file, &unused);
        e = error ? error_new("%s: %s", path, strerror(-error)) : NULL;
    }
    if (e) {
        (void) capture_file_close(&c->file);
    }
    return e;
}

/* Its memory and its thread. */
static struct error *
begin_thread(struct capture *c)
{
    void *rings = mmap(NULL, rings_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int error;

    if (rings == MAP_FAILED) {
        return error_new("no memory for a capture: %s", strerror(errno));
    }
    c->rings = rings;
    c->is_on = !c->file.is_fifo;
    /* It does not take the signal of a FIFO that nobody reads any more, either. */
    error = signals_thread_create(&c->thread, NULL, capture_write, c);
    if (error) {
        munmap(rings, rings_size);
        c->rings = NULL;
        return error_new("no thread for a capture: %s", strerror(error));
    }
    return NULL;
}

struct error *
capture_start(const char *name, const char *path, const struct capture_options *options, unsigned int *id)
{
    struct port *port;
    struct error *e = find_port(name, &port);
    struct capture *c;

    if (e) {
        return e;
    }
    if (n_going_on() >= CAPTURE_MAX) {
        return error_new("there are %d captures already", CAPTURE_MAX);
    }
    c = xzalloc(sizeof *c);
    c->options = *options;
    list_init(&c->waiting);
    list_init(&c->node);
    pthread_mutex_init(&c->last_ring, NULL);
    c->began_us = clock_real_us();
    c->started_ns = capture_now_ns();
    c->wake = &wake;
    c->name = xstrdup(name);
    c->path = xstrdup(path);
    e = begin_file(c, port, path);
    if (!e) {
        if (!last_id) {
            loop_wake_init(netdev_loop(), &wake, on_wake, NULL);
        }
        e = begin_thread(c);
        if (e) {
            (void) capture_file_close(&c->file);
        }
        last_id++;
    }
    if (e) {
        free_capture(c);
        return e;
    }
    *id = c->id = last_id;
    c->port = port;
    list_push_back(&captures, &c->node);
    set_list(port, changed_list(port, c, NULL));
    log_info("capture %u of %s begins: %s", c->id, name, path);
    return NULL;
}

void
capture_for_each(void (*cb)(void *aux, const struct capture_figures *), void *aux)
{
    LIST_FOR_EACH (c, struct capture, node, &captures) {
        struct capture_figures f = figures_of(c);

        cb(aux, &f);
    }
}
