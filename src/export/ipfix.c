/* The cache of flows, messages, collectors. */
#include "export/ipfix.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/hmap.h"
#include "base/list.h"
#include "packet/headers.h"
#include "sys/address.h"
#include "sys/clock.h"
#include "sys/log.h"

LOG_MODULE(ipfix)

enum { VERSION = 10, SET_TEMPLATE = 2, SET_OPTIONS = 3, OPTIONS_TEMPLATE = 462, MAX_TEMPLATES_LEN = 1300,
       DEFAULT_PORT = 4739 };
enum end_reason { END_ACTIVE_TIMEOUT = 2, END_FORCED = 4, END_LACK_OF_RESOURCES = 5 };

/* What the records of an exporter's packets add up to. */
struct totals {
    uint64_t packets, in_unicast, in_multicast, in_broadcast, eg_unicast, eg_broadcast, eg_multicast, l2_octets;
    uint64_t octets, octets_squared, eg_multicast_octets;
    uint64_t tcp[6]; /* In the order of ipfix.def. */
};

struct cached {
    struct hmap_node node;       /* In ipfix->flows, by hash of domain and key. */
    struct list by_age;          /* In ipfix->by_age. */
    uint32_t domain_id;
    struct ipfix_kind kind;
    uint8_t *key;                /* Owned. */
    size_t key_len;
    int64_t begun;               /* ms on clock_now_ms(). */
    int64_t start_us, end_us;    /* Of the epoch. */
    uint64_t packets, l2_octets, octets, octets_squared, min_len, max_len, eg_multicast, eg_multicast_octets;
    struct totals totals;        /* When its last packet was sampled. */
};

struct domain {
    struct hmap_node node;       /* In ipfix->domains, by id. */
    uint32_t id;
    uint32_t sequence;
    int64_t templates_sent;      /* ms; INT64_MIN: never. */
};

struct ipfix {
    pthread_mutex_t mutex;       /* Guards all below. */
    uint32_t process_id;
    int *sockets;
    size_t n_sockets;
    int64_t active_timeout_ms, template_interval_ms, stats_interval_ms;
    uint32_t max_flows;
    char *virtual_id;            /* Null: none. */
    struct hmap flows, domains;
    struct list by_age;          /* struct cached, oldest first. */
    struct totals totals;
    struct ipfix_counters counters;
    int64_t stats_sent;          /* ms; INT64_MIN: never. */
};

/* Messages. */

static void
begin_message(struct bytes *b, uint32_t sequence, uint32_t domain_id, int64_t now_us)
{
    bytes_put_be16(b, VERSION);
    bytes_put_be16(b, 0);
    bytes_put_be32(b, (now_us + 999999) / 1000000);
    bytes_put_be32(b, sequence);
    bytes_put_be32(b, domain_id);
}

static size_t
begin_set(struct bytes *b, uint16_t id)
{
    bytes_put_be16(b, id);
    bytes_put_be16(b, 0);
    return b->len - 4;
}

static void
end_set(struct bytes *b, size_t begun)
{
    put_be16(b->data + begun + 2, b->len - begun);
}

/* Sends the message to each collector and empties 'b'. */
static void
send_message(struct ipfix *x, struct bytes *b)
{
    static struct log_limit limit = LOG_LIMIT_INIT(1, 5);

    put_be16(b->data + 2, b->len);
    for (size_t i = 0; i < x->n_sockets; i++) {
        if (send(x->sockets[i], b->data, b->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            x->counters.n_send_errors++;
            log_warn_rl(&limit, "sending to a collector failed: %s", strerror(errno));
        } else {
            x->counters.n_sent++;
        }
    }
    bytes_clear(b);
}

struct templates {
    struct ipfix *x;
    struct domain *domain;
    struct bytes message;
    size_t set;
    int64_t now_us;
};

static void
finish_templates(struct templates *t)
{
    if (t->message.len) {
        end_set(&t->message, t->set);
        send_message(t->x, &t->message);
    }
}

static void
add_template(void *t_, const struct ipfix_kind *k)
{
    struct templates *t = t_;

    if (t->message.len > MAX_TEMPLATES_LEN - 300) {
        finish_templates(t);
    }
    if (!t->message.len) {
        begin_message(&t->message, t->domain->sequence, t->domain->id, t->now_us);
        t->set = begin_set(&t->message, SET_TEMPLATE);
    }
    ipfix_put_template(&t->message, k, t->x->virtual_id != NULL);
}

/* Statistics of the exporting process, by its id (RFC 7011 §4.3).  They count as a record of the domain at hand, as in
 * the reference. */
static void
send_statistics(struct ipfix *x, struct domain *d, int64_t now, int64_t now_us)
{
    static const uint16_t options[] = { OPTIONS_TEMPLATE, 2, 1, 144, 4, 167, 8 };
    struct bytes b = BYTES_INIT;
    size_t set;

    begin_message(&b, d->sequence, 0, now_us);
    set = begin_set(&b, SET_OPTIONS);
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        bytes_put_be16(&b, options[i]);
    }
    end_set(&b, set);
    send_message(x, &b);
    begin_message(&b, d->sequence++, 0, now_us);
    set = begin_set(&b, OPTIONS_TEMPLATE);
    bytes_put_be32(&b, x->process_id);
    bytes_put_be64(&b, x->counters.n_send_errors);
    end_set(&b, set);
    send_message(x, &b);
    bytes_uninit(&b);
    x->stats_sent = now;
}

static void
send_templates(struct ipfix *x, struct domain *d, int64_t now, int64_t now_us)
{
    struct templates t = { .x = x, .domain = d, .message = BYTES_INIT, .now_us = now_us };

    ipfix_for_each_kind(add_template, &t);
    finish_templates(&t);
    bytes_uninit(&t.message);
    d->templates_sent = now;
}

static struct domain *
get_domain(struct ipfix *x, uint32_t id)
{
    struct domain *d;

    HMAP_FOR_EACH_WITH_HASH (e, struct domain, node, id, &x->domains) {
        if (e->id == id) {
            return e;
        }
    }
    d = xzalloc(sizeof *d);
    d->id = id;
    d->sequence = 1;
    d->templates_sent = INT64_MIN;
    hmap_insert(&x->domains, &d->node, id);
    return d;
}

/* Records. */

static void
put_counters(struct bytes *b, const struct cached *c, enum end_reason reason, int64_t export_us)
{
    const struct totals *t = &c->totals;
    const uint64_t common[] = {
        0, 0, c->packets, t->packets, t->in_unicast, t->in_multicast, t->in_broadcast, t->eg_unicast, t->eg_broadcast,
        c->eg_multicast, t->eg_multicast, c->l2_octets, t->l2_octets,
    };
    const uint64_t ip[] = {
        0, 0, c->octets, t->octets, c->octets_squared, t->octets_squared, c->min_len, c->max_len,
        c->eg_multicast_octets, t->eg_multicast_octets,
    };

    bytes_put_be32(b, export_us - c->start_us);
    bytes_put_be32(b, export_us - c->end_us);
    for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
        bytes_put_be64(b, common[i]);
    }
    bytes_put_u8(b, reason);
    for (size_t i = 0; c->kind.l3 != IPFIX_NO_IP && i < ARRAY_SIZE(ip); i++) {
        bytes_put_be64(b, ip[i]);
    }
    for (size_t i = 0; c->kind.l4 == IPFIX_TCP && i < ARRAY_SIZE(t->tcp); i++) {
        bytes_put_be64(b, t->tcp[i]);
    }
}

static void
send_record(struct ipfix *x, const struct cached *c, enum end_reason reason)
{
    struct domain *d = get_domain(x, c->domain_id);
    int64_t now = clock_now_ms(), now_us = clock_wall_us();
    struct bytes b = BYTES_INIT;
    size_t set;

    if (d->templates_sent == INT64_MIN || now - d->templates_sent >= x->template_interval_ms) {
        send_templates(x, d, now, now_us);
    }
    if (x->stats_sent == INT64_MIN || now - x->stats_sent >= x->stats_interval_ms) {
        send_statistics(x, d, now, now_us);
    }
    begin_message(&b, d->sequence++, d->id, now_us);
    set = begin_set(&b, ipfix_template(&c->kind));
    bytes_put(&b, c->key, c->key_len);
    if (x->virtual_id) {
        bytes_put_u8(&b, strlen(x->virtual_id));
        bytes_put(&b, x->virtual_id, strlen(x->virtual_id));
    }
    put_counters(&b, c, reason, (now_us + 999999) / 1000000 * 1000000);
    end_set(&b, set);
    send_message(x, &b);
    bytes_uninit(&b);
}

static void
end_flow(struct ipfix *x, struct cached *c, enum end_reason reason)
{
    send_record(x, c, reason);
    hmap_remove(&x->flows, &c->node);
    list_remove(&c->by_age);
    x->counters.n_current_flows--;
    free(c->key);
    free(c);
}

static struct cached *
oldest(struct ipfix *x)
{
    return list_is_empty(&x->by_age) ? NULL : CONTAINER_OF(x->by_age.next, struct cached, by_age);
}

/* Counting. */

static void
count_direction(struct ipfix *x, struct cached *c, const struct ipfix_packet *p, uint64_t octets)
{
    struct totals *t = &x->totals;
    bool is_broadcast = eth_addr_is_broadcast(p->flow->eth_dst), is_multicast = eth_addr_is_multicast(p->flow->eth_dst);

    if (!p->is_egress) {
        *(is_broadcast ? &t->in_broadcast : is_multicast ? &t->in_multicast : &t->in_unicast) += 1;
    } else if (!is_multicast) {
        t->eg_unicast++;
    } else if (is_broadcast) {
        t->eg_broadcast++;
    } else {
        t->eg_multicast++;
        c->eg_multicast++;
        t->eg_multicast_octets += octets;
        c->eg_multicast_octets += octets;
    }
}

static void
count_tcp(struct totals *t, uint16_t flags)
{
    static const uint16_t bits[] = { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG };

    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        t->tcp[i] += (flags & bits[i]) != 0;
    }
}

static void
count_ip(struct ipfix *x, struct cached *c, uint64_t octets)
{
    c->octets += octets;
    x->totals.octets += octets;
    c->octets_squared += octets * octets;
    x->totals.octets_squared += octets * octets;
    c->min_len = c->min_len ? MIN(c->min_len, octets) : octets;
    c->max_len = MAX(c->max_len, octets);
}

static void
count_kind(struct ipfix_counters *n, const struct ipfix_kind *k)
{
    bool is_bad = k->l4 == IPFIX_L4_OTHER;

    n->n_packets++;
    if (k->l3 == IPFIX_NO_IP) {
        return;
    }
    if (is_bad) {
        n->n_errors++;
        *(k->l3 == IPFIX_IPV4 ? &n->n_ipv4_errors : &n->n_ipv6_errors) += 1;
    } else {
        *(k->l3 == IPFIX_IPV4 ? &n->n_ipv4 : &n->n_ipv6) += 1;
    }
}

static void
count(struct ipfix *x, struct cached *c, const struct ipfix_packet *p)
{
    size_t l2 = ETH_HEADER_LEN + (c->kind.has_vlan ? VLAN_HEADER_LEN : 0);
    uint64_t octets = p->len > l2 ? p->len - l2 : 0;

    c->end_us = clock_wall_us();
    c->packets++;
    x->totals.packets++;
    c->l2_octets += p->len;
    x->totals.l2_octets += p->len;
    if (c->kind.l3 == IPFIX_NO_IP) {
        octets = 0;
    } else {
        count_ip(x, c, octets);
    }
    count_direction(x, c, p, octets);
    if (c->kind.l4 == IPFIX_TCP) {
        count_tcp(&x->totals, be16_to_cpu(p->flow->tcp_flags));
    }
    c->totals = x->totals;
}

static struct cached *
find(struct ipfix *x, uint32_t domain_id, const struct bytes *key, uint32_t hash)
{
    HMAP_FOR_EACH_WITH_HASH (c, struct cached, node, hash, &x->flows) {
        if (c->domain_id == domain_id && c->key_len == key->len && !memcmp(c->key, key->data, key->len)) {
            return c;
        }
    }
    return NULL;
}

static struct cached *
add(struct ipfix *x, const struct ipfix_packet *p, const struct ipfix_kind *k, const struct bytes *key, uint32_t hash)
{
    struct cached *c = xzalloc(sizeof *c);

    c->domain_id = p->domain_id;
    c->kind = *k;
    c->key = xmemdup(key->data, key->len);
    c->key_len = key->len;
    c->begun = clock_now_ms();
    c->start_us = clock_wall_us();
    hmap_insert(&x->flows, &c->node, hash);
    list_push_back(&x->by_age, &c->by_age);
    x->counters.n_flows++;
    x->counters.n_current_flows++;
    return c;
}

void
ipfix_sample(struct ipfix *x, const struct ipfix_packet *p)
{
    struct ipfix_kind k = ipfix_kind_of(p);
    struct bytes key = BYTES_INIT;
    struct cached *c;
    uint32_t hash;

    ipfix_put_key(&key, p, &k);
    hash = hash_bytes(key.data, key.len, p->domain_id);
    pthread_mutex_lock(&x->mutex);
    c = find(x, p->domain_id, &key, hash);
    c = c ? c : add(x, p, &k, &key, hash);
    count(x, c, p);
    count_kind(&x->counters, &k);
    if (!x->active_timeout_ms || !x->max_flows) {
        end_flow(x, c, END_ACTIVE_TIMEOUT);
    }
    while (x->counters.n_current_flows > x->max_flows) {
        end_flow(x, oldest(x), END_LACK_OF_RESOURCES);
    }
    pthread_mutex_unlock(&x->mutex);
    bytes_uninit(&key);
}

void
ipfix_run(struct ipfix *x)
{
    int64_t now = clock_now_ms();
    struct cached *c;

    pthread_mutex_lock(&x->mutex);
    while ((c = oldest(x)) != NULL && now - c->begun >= x->active_timeout_ms) {
        end_flow(x, c, END_ACTIVE_TIMEOUT);
    }
    pthread_mutex_unlock(&x->mutex);
}

void
ipfix_get_counters(struct ipfix *x, struct ipfix_counters *n)
{
    pthread_mutex_lock(&x->mutex);
    *n = x->counters;
    pthread_mutex_unlock(&x->mutex);
}

/* Begin and end. */

static void
open_target(struct ipfix *x, const char *target)
{
    struct address a;
    int fd;

    if (address_parse_active(target, DEFAULT_PORT, &a) || a.sa.ss_family == AF_UNSPEC) {
        log_err("%s: bad collector: it is not IP:PORT", target);
        return;
    }
    fd = socket(a.sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *) &a.sa, a.len)) {
        log_err("%s: collector cannot be reached: %s", target, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    x->sockets[x->n_sockets++] = fd;
}

struct ipfix *
ipfix_create(const struct ipfix_config *config)
{
    static _Atomic uint32_t last_process_id;
    struct ipfix *x = xzalloc(sizeof *x);

    pthread_mutex_init(&x->mutex, NULL);
    x->process_id = atomic_fetch_add(&last_process_id, 1) + 1;
    x->sockets = xcalloc(config->n_targets + 1, sizeof *x->sockets);
    for (size_t i = 0; i < config->n_targets; i++) {
        open_target(x, config->targets[i]);
    }
    x->active_timeout_ms = config->active_timeout_s * INT64_C(1000);
    x->template_interval_ms = config->template_interval_s * INT64_C(1000);
    x->stats_interval_ms = config->stats_interval_s * INT64_C(1000);
    x->max_flows = config->max_flows;
    x->virtual_id = config->virtual_id && config->virtual_id[0]
                    ? xasprintf("%.*s", (int) IPFIX_MAX_VIRTUAL_ID, config->virtual_id) : NULL;
    hmap_init(&x->flows);
    hmap_init(&x->domains);
    list_init(&x->by_age);
    x->stats_sent = INT64_MIN;
    return x;
}

void
ipfix_destroy(struct ipfix *x)
{
    struct cached *c;

    if (!x) {
        return;
    }
    while ((c = oldest(x)) != NULL) {
        end_flow(x, c, END_FORCED);
    }
    HMAP_FOR_EACH_SAFE (d, struct domain, node, &x->domains) {
        hmap_remove(&x->domains, &d->node);
        free(d);
    }
    for (size_t i = 0; i < x->n_sockets; i++) {
        close(x->sockets[i]);
    }
    hmap_uninit(&x->flows);
    hmap_uninit(&x->domains);
    pthread_mutex_destroy(&x->mutex);
    free(x->sockets);
    free(x->virtual_id);
    free(x);
}
