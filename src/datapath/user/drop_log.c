#include "datapath/user/drop_log.h"

#include <stdlib.h>

#include "flow/extract.h"
#include "packet/mbuf.h"

void
drop_log_init(struct drop_log *l)
{
    pthread_mutex_init(&l->mutex, NULL);
    atomic_store(&l->n, 0);
    l->sites = NULL;
}

void
drop_log_uninit(struct drop_log *l)
{
    pthread_mutex_destroy(&l->mutex);
    free(l->sites);
}

static struct drop_site *
find(struct drop_log *l, enum dp_drop reason, be32 in_port)
{
    unsigned int n = atomic_load_explicit(&l->n, memory_order_acquire);

    for (unsigned int i = 0; i < n; i++) {
        if (l->sites[i].reason == reason && l->sites[i].in_port == in_port) {
            return &l->sites[i];
        }
    }
    return n == DROP_LOG_SITES ? &l->sites[n] : NULL;
}

static struct drop_site *
add(struct drop_log *l, enum dp_drop reason, be32 in_port)
{
    struct drop_site *s;

    pthread_mutex_lock(&l->mutex);
    if (!l->sites) {
        l->sites = xcalloc(DROP_LOG_SITES + 1, sizeof *l->sites);
        l->sites[DROP_LOG_SITES] = (struct drop_site) { .reason = DP_N_DROPS, .in_port = BE32_MAX };
    }
    s = find(l, reason, in_port);
    if (!s) {
        s = &l->sites[atomic_load(&l->n)];
        *s = (struct drop_site) { .reason = reason, .in_port = in_port };
        atomic_fetch_add_explicit(&l->n, 1, memory_order_release);
    }
    pthread_mutex_unlock(&l->mutex);
    return s;
}

static void
keep(struct drop_log *l, struct drop_site *s, const struct flow *key, const struct packet *p)
{
    /* Another worker that is at it has a packet that is as recent. */
    if (pthread_mutex_trylock(&l->mutex)) {
        return;
    }
    memcpy(s->base, &key->lines[0], FLOW_LINE);
    s->packet_len = packet_size(p);
    memcpy(s->frame, packet_at(p), MIN(s->packet_len, DROP_LOG_BYTES));
    pthread_mutex_unlock(&l->mutex);
}

void
drop_log_count(struct drop_log *l, enum dp_drop reason, const struct flow *key, const struct packet *p, int64_t now)
{
    be32 in_port = key ? key->in_port : BE32_MAX;
    struct drop_site *s = find(l, reason, in_port);

    s = s ? s : add(l, reason, in_port);
    atomic_fetch_add_explicit(&s->n_packets, 1, memory_order_relaxed);
    if (p) {
        atomic_fetch_add_explicit(&s->n_bytes, packet_size(p), memory_order_relaxed);
    }
    if (atomic_exchange_explicit(&s->used, now, memory_order_relaxed) != now && key && p &&
        s != &l->sites[DROP_LOG_SITES]) {
        keep(l, s, key, p);
    }
}

static void
report(struct drop_log *l, struct drop_site *s, void (*cb)(void *aux, const struct dp_dropped *), void *aux)
{
    struct dp_dropped d = {
        .why = s->reason == DP_N_DROPS ? "other reasons" : dp_drop_texts[s->reason],
        .is_upcall = s->reason == DP_DROP_UPCALL_ERROR || s->reason == DP_DROP_USERSPACE ||
                     s->reason == DP_DROP_UNSUPPORTED,
        .n_packets = atomic_load(&s->n_packets), .n_bytes = atomic_load(&s->n_bytes), .used = atomic_load(&s->used),
    };
    uint8_t *frame = NULL;
    struct flow base = { .in_port = s->in_port };
    struct flow_offsets offsets;

    pthread_mutex_lock(&l->mutex);
    d.frame_len = s->packet_len;
    if (d.frame_len) {
        memcpy(&base.lines[0], s->base, FLOW_LINE);
        d.frame = frame = xzalloc(d.frame_len); /* Whole, or its headers would be of a packet that was cut. */
        memcpy(frame, s->frame, MIN(d.frame_len, DROP_LOG_BYTES));
    }
    pthread_mutex_unlock(&l->mutex);
    d.key = base;
    if (d.frame_len) {
        flow_extract_full(frame, d.frame_len, &base, &d.key, &offsets);
    }
    if (d.n_packets) {
        cb(aux, &d);
    }
    free(frame);
}

void
drop_log_for_each(struct drop_log *l, void (*cb)(void *aux, const struct dp_dropped *), void *aux)
{
    unsigned int n = atomic_load_explicit(&l->n, memory_order_acquire);

    for (unsigned int i = 0; i < n; i++) {
        report(l, &l->sites[i], cb, aux);
    }
    if (n == DROP_LOG_SITES) {
        report(l, &l->sites[n], cb, aux);
    }
}
