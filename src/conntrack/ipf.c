#include "conntrack/ipf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "conntrack/private.h"
#include "packet/csum.h"
#include "packet/mbuf.h"
#include "sys/random.h"

enum { EXPIRE_STEP = 32 };

/* What fragments of one packet have in common. */
struct whole_key {
    struct ipv6_addr src, dst;
    uint32_t id, recirc_id;
    uint16_t zone;
    uint8_t proto, is_v6; /* IPv6: the protocol does not count (RFC 8200 §4.5). */
};
_Static_assert(sizeof(struct whole_key) == 44, "no padding, so that keys compare as bytes");

struct whole {
    struct hmap_node node;
    struct list by_age;    /* In ipf.wholes, oldest first. */
    struct whole_key key;
    int64_t expires;
    bool is_bad;           /* Overlaps: nothing of it goes on. */
    uint32_t len;          /* Of the whole, once the last fragment is here; else 0. */
    uint32_t n, n_bytes;
    struct list fragments; /* By offset. */
};

struct ipf {
    pthread_mutex_t mutex;
    uint64_t basis;
    struct hmap map;
    struct list wholes;
    struct ipf_status status;
    uint32_t longest_hold; /* Fragments that went at once. */
};

struct ipf *
ipf_create(void)
{
    struct ipf *ipf = xzalloc(sizeof *ipf);

    pthread_mutex_init(&ipf->mutex, NULL);
    ipf->basis = random_u64(sys_random());
    hmap_init(&ipf->map);
    list_init(&ipf->wholes);
    ipf->status = (struct ipf_status) { .enabled = { true, true }, .min_size = { IPF_MIN_V4, IPF_MIN_V6 },
                                        .max_frags = IPF_MAX_FRAGS };
    return ipf;
}

void
ct_fragment_free(struct ct_fragment *f)
{
    if (f->packet) {
        packet_free(f->packet);
    }
    free(f);
}

static void
remove_whole(struct ipf *ipf, struct whole *w)
{
    hmap_remove(&ipf->map, &w->node);
    list_remove(&w->by_age);
    free(w);
}

static void
drop_fragments(struct ipf *ipf, struct whole *w)
{
    while (!list_is_empty(&w->fragments)) {
        ct_fragment_free(CONTAINER_OF(list_pop_front(&w->fragments), struct ct_fragment, node));
    }
    ipf->status.n_frags -= w->n;
    w->n = 0;
}

void
ipf_destroy(struct ipf *ipf)
{
    while (!list_is_empty(&ipf->wholes)) {
        struct whole *w = CONTAINER_OF(ipf->wholes.next, struct whole, by_age);

        drop_fragments(ipf, w);
        remove_whole(ipf, w);
    }
    hmap_uninit(&ipf->map);
    pthread_mutex_destroy(&ipf->mutex);
    free(ipf);
}

static void
expire_whole(struct ipf *ipf, struct whole *w)
{
    ipf->status.n_expired[w->key.is_v6] += w->n;
    drop_fragments(ipf, w);
    remove_whole(ipf, w);
}

/* Drops packets until EXPIRE_STEP fragments have gone; true if there may be more. */
static bool
expire_locked(struct ipf *ipf, int64_t now)
{
    uint32_t n = 0;

    while (!list_is_empty(&ipf->wholes) && n < EXPIRE_STEP) {
        struct whole *w = CONTAINER_OF(ipf->wholes.next, struct whole, by_age);

        if (w->expires > now) {
            break;
        }
        n += w->n + 1;
        expire_whole(ipf, w);
    }
    ipf->longest_hold = MAX(ipf->longest_hold, n);
    return n >= EXPIRE_STEP;
}

void
ipf_expire(struct ipf *ipf, int64_t now)
{
    bool more;

    do {
        pthread_mutex_lock(&ipf->mutex);
        more = expire_locked(ipf, now);
        pthread_mutex_unlock(&ipf->mutex);
    } while (more);
}

uint32_t
ipf_longest_hold(const struct ipf *i)
{
    struct ipf *ipf = (struct ipf *) i;
    uint32_t n;

    pthread_mutex_lock(&ipf->mutex);
    n = ipf->longest_hold;
    pthread_mutex_unlock(&ipf->mutex);
    return n;
}

bool
ipf_is_empty(struct ipf *ipf)
{
    bool empty;

    pthread_mutex_lock(&ipf->mutex);
    empty = list_is_empty(&ipf->wholes);
    pthread_mutex_unlock(&ipf->mutex);
    return empty;
}

/* What a fragment says of itself. */
struct description {
    struct whole_key key;
    uint32_t start, end, at, l3_len;
    bool is_last;
};

static bool
describe_ipv4(const uint8_t *ip, size_t len, struct description *d)
{
    size_t header, total;
    uint16_t frag;
    be32 a;

    if (len < IP_HEADER_LEN || ip[0] >> 4 != 4) {
        return false;
    }
    header = (ip[0] & 15) * 4;
    total = get_be16(ip + 2);
    if (header < IP_HEADER_LEN || total <= header || total > len || csum_bytes(ip, header)) {
        return false;
    }
    frag = get_be16(ip + 6);
    memcpy(&a, ip + 12, sizeof a);
    d->key.src = ct_address4(a);
    memcpy(&a, ip + 16, sizeof a);
    d->key.dst = ct_address4(a);
    d->key.id = get_be16(ip + 4);
    d->key.proto = ip[9];
    d->start = (frag & IP_OFF_MASK) * 8;
    d->is_last = !(frag & IP_MF);
    d->at = header;
    d->l3_len = total;
    return true;
}

static bool
describe_ipv6(const uint8_t *ip, size_t len, struct description *d)
{
    size_t total, frag;
    uint16_t word;
    uint8_t proto;

    if (len < IPV6_HEADER_LEN || ip[0] >> 4 != 6) {
        return false;
    }
    total = IPV6_HEADER_LEN + get_be16(ip + 4);
    /* A first fragment must have all headers (RFC 7112 §5), as ct_ipv6_payload() finds. */
    if (total > len || !ct_ipv6_payload(ip, total, &proto, &frag) || !frag) {
        return false;
    }
    word = get_be16(ip + frag + 2);
    memcpy(&d->key.src, ip + 8, 16);
    memcpy(&d->key.dst, ip + 24, 16);
    d->key.id = get_be32(ip + frag + 4);
    d->start = word & 0xfff8;
    d->is_last = !(word & 1);
    d->at = frag + 8;
    d->l3_len = total;
    return true;
}

/* False: malformed. */
static bool
describe(const struct ct_packet *k, uint16_t zone, struct description *d)
{
    const uint8_t *frame = packet_at(k->packet);
    size_t l3 = k->offsets->l3, len = packet_size(k->packet);

    memset(d, 0, sizeof *d);
    d->key.is_v6 = k->key->eth_type == BE16(ETH_TYPE_IPV6);
    d->key.zone = zone;
    d->key.recirc_id = be32_to_cpu(k->key->recirc_id);
    if (l3 >= len || !(d->key.is_v6 ? describe_ipv6 : describe_ipv4)(frame + l3, len - l3, d)) {
        return false;
    }
    d->end = d->start + d->l3_len - d->at;
    d->at += l3;
    /* All but the last are of whole 8 bytes, and the whole is of 64 KiB at most. */
    return d->end > d->start && (d->is_last || !((d->end - d->start) & 7)) && d->end + IPV6_HEADER_LEN <= UINT16_MAX;
}

static struct whole *
find(struct ipf *ipf, const struct whole_key *key)
{
    HMAP_FOR_EACH_WITH_HASH (w, struct whole, node, hash_bytes(key, sizeof *key, ipf->basis), &ipf->map) {
        if (!memcmp(&w->key, key, sizeof *key)) {
            return w;
        }
    }
    return NULL;
}

static struct whole *
find_or_add(struct ipf *ipf, const struct whole_key *key, int64_t now)
{
    struct whole *w = find(ipf, key);

    if (w && w->expires <= now) {
        expire_whole(ipf, w);
        w = NULL;
    }
    if (!w) {
        w = xzalloc(sizeof *w);
        w->key = *key;
        w->expires = now + IPF_LIFE_MS;
        list_init(&w->fragments);
        hmap_insert(&ipf->map, &w->node, hash_bytes(key, sizeof *key, ipf->basis));
        list_push_back(&ipf->wholes, &w->by_age);
    }
    return w;
}

static struct ct_fragment *
keep(struct ct_packet *k, const struct description *d)
{
    struct ct_fragment *f = xzalloc_cacheline(sizeof *f);

    f->packet = k->packet;
    f->offsets = *k->offsets;
    f->lines = *k->lines;
    FLOW_FOR_EACH_LINE (i, f->lines) {
        f->key.lines[i] = k->key->lines[i];
    }
    f->start = d->start;
    f->end = d->end;
    f->at = d->at;
    k->packet = NULL;
    return f;
}

enum fit { FITS, OVERLAPS, REPEATS };

/* Where among the fragments it belongs. */
static enum fit
find_place(struct whole *w, const struct description *d, struct list **before)
{
    *before = &w->fragments;
    if ((w->len && d->end > w->len) || (d->is_last && w->len && d->end != w->len)) {
        return OVERLAPS;
    }
    LIST_FOR_EACH (f, struct ct_fragment, node, &w->fragments) {
        if (f->start == d->start && f->end == d->end) {
            return REPEATS;
        }
        if (d->start < f->end && f->start < d->end) {
            return OVERLAPS;
        }
        if (d->is_last && f->end > d->end) {
            return OVERLAPS;
        }
        if (f->start >= d->end) {
            *before = &f->node;
            return FITS;
        }
    }
    return FITS;
}

/* Puts the data of all fragments behind the headers of the first. */
static struct packet *
assemble(struct whole *w)
{
    struct ct_fragment *first = CONTAINER_OF(w->fragments.next, struct ct_fragment, node);
    /* IPv6: without the fragment header. */
    size_t l3 = first->offsets.l3, header = first->at - (w->key.is_v6 ? 8 : 0);
    struct packet *p = packet_new_uninit(header + w->len);
    const uint8_t *from = packet_at(first->packet);
    uint8_t *to;

    if (!p) {
        return NULL;
    }
    to = packet_at(p);
    memcpy(to, from, header);
    LIST_FOR_EACH (f, struct ct_fragment, node, &w->fragments) {
        memcpy(to + header + f->start, (const uint8_t *) packet_at(f->packet) + f->at, f->end - f->start);
    }
    if (w->key.is_v6) {
        size_t at = l3 + IPV6_HEADER_LEN, link = l3 + 6;

        while (at < header) { /* The header in front of the fragment header names what follows that. */
            link = at;
            at += to[at] == IP_PROTO_AH ? (to[at + 1] + 2) * 4u : (to[at + 1] + 1) * 8u;
        }
        to[link] = from[header];
        put_be16(to + l3 + 4, header - l3 - IPV6_HEADER_LEN + w->len);
    } else {
        struct ip_header *ip = (struct ip_header *) (to + l3);

        ip->frag_off = 0;
        ip->tot_len = cpu_to_be16(header - l3 + w->len);
        ip->csum = 0;
        ip->csum = csum_bytes(ip, header - l3);
    }
    return p;
}

/* The addresses of the translated whole, and its data. */
static bool
copy_back(struct ct_fragment *f, const struct packet *whole, size_t header, bool is_v6)
{
    const uint8_t *from = packet_at(whole);
    uint8_t *to;

    f->packet = packet_unshare(f->packet);
    if (!f->packet) {
        return false;
    }
    to = packet_at(f->packet);
    memcpy(to + f->at, from + header + f->start, f->end - f->start);
    to += f->offsets.l3;
    from += f->offsets.l3;
    if (is_v6) {
        memcpy(to + 8, from + 8, 32);
    } else {
        struct ip_header *ip = (struct ip_header *) to;

        ip->csum = csum_update(ip->csum, to + 12, from + 12, 8);
        memcpy(to + 12, from + 12, 8);
    }
    return true;
}

static void
tell(struct ct_fragment *f, const struct ct_packet *k)
{
    f->key.ct_state = k->key->ct_state;
    f->key.ct_zone = k->key->ct_zone;
    f->key.ct_mark = k->key->ct_mark;
    if (*k->lines & FLOW_LINE_CT) {
        f->key.lines[FLOW_LINE_OF(ct_label)] = k->key->lines[FLOW_LINE_OF(ct_label)];
        f->lines |= FLOW_LINE_CT;
    }
}

/* Tracks the whole and gives its fragments what came of it.  Without the mutex. */
static void
track_whole(struct conntrack *ct, const struct ct_action *a, struct whole *w, int64_t now, struct list *released)
{
    struct ct_fragment *first = CONTAINER_OF(w->fragments.next, struct ct_fragment, node);
    size_t header = first->at - (w->key.is_v6 ? 8 : 0);
    struct flow_offsets offsets = first->offsets;
    uint16_t lines = first->lines;
    struct flow key = first->key;
    struct ct_packet k = { assemble(w), &key, &lines, &offsets };

    if (k.packet) {
        conntrack_run_rcu(ct, a, &k, 1, now);
    }
    while (!list_is_empty(&w->fragments)) {
        struct ct_fragment *f = CONTAINER_OF(list_pop_front(&w->fragments), struct ct_fragment, node);

        /* Where a gateway changed the length, the pieces fit no more. */
        if (!k.packet || packet_size(k.packet) != header + w->len || !copy_back(f, k.packet, header, w->key.is_v6)) {
            ct_fragment_free(f);
            continue;
        }
        tell(f, &k);
        list_push_back(released, &f->node);
    }
    if (k.packet) {
        packet_free(k.packet);
    }
}

/* Adds the fragment.  Returns its packet if that is whole now (taken out of the table). */
static struct whole *
add_locked(struct ipf *ipf, struct ct_packet *k, const struct description *d, int64_t now)
{
    struct ipf_status *st = &ipf->status;
    struct whole *w = find_or_add(ipf, &d->key, now);
    enum fit fit = w->is_bad ? OVERLAPS : FITS;
    struct list *before;
    struct ct_fragment *f;

    fit = fit == FITS ? find_place(w, d, &before) : fit;
    if (fit != FITS) {
        st->n_overlapped[d->key.is_v6]++;
        if (d->key.is_v6 && fit == OVERLAPS && !w->is_bad) {
            w->is_bad = true;
            st->n_purged[IPF_V6] += w->n;
            drop_fragments(ipf, w);
        }
        return NULL;
    }
    f = keep(k, d);
    list_insert(before, &f->node);
    w->n++;
    w->n_bytes += d->end - d->start;
    w->len = d->is_last ? d->end : w->len;
    st->n_frags++;
    st->n_accepted[d->key.is_v6]++;
    if (!w->len || w->n_bytes != w->len) {
        return NULL;
    }
    st->n_completed[d->key.is_v6] += w->n;
    st->n_frags -= w->n;
    hmap_remove(&ipf->map, &w->node);
    list_remove(&w->by_age);
    return w;
}

static bool
is_acceptable_locked(struct ipf *ipf, const struct description *d)
{
    struct ipf_status *st = &ipf->status;

    if (!st->enabled[d->key.is_v6]) {
        return false;
    }
    if (!d->is_last && d->l3_len < st->min_size[d->key.is_v6]) {
        st->n_too_small[d->key.is_v6]++;
        return false;
    }
    return st->n_frags < st->max_frags;
}

void
conntrack_fragment_rcu(struct conntrack *ct, const struct ct_action *a, struct ct_packet *k, int64_t now,
                       struct list *released)
{
    struct ipf *ipf = ct->ipf;
    struct whole *w = NULL;
    struct description d;

    if (describe(k, a->zone, &d)) {
        pthread_mutex_lock(&ipf->mutex);
        expire_locked(ipf, now);
        if (is_acceptable_locked(ipf, &d)) {
            w = add_locked(ipf, k, &d, now);
        }
        pthread_mutex_unlock(&ipf->mutex);
    }
    if (k->packet) {
        conntrack_run_rcu(ct, a, k, 1, now); /* Which finds it invalid. */
    } else if (w) {
        track_whole(ct, a, w, now, released);
        free(w);
    }
}

/* Settings. */

void
conntrack_ipf_set_enabled(struct conntrack *ct, int family, bool enabled)
{
    pthread_mutex_lock(&ct->ipf->mutex);
    ct->ipf->status.enabled[family] = enabled;
    pthread_mutex_unlock(&ct->ipf->mutex);
}

int
conntrack_ipf_set_min(struct conntrack *ct, int family, uint32_t size)
{
    if (size < IPF_MIN_LIMIT) {
        return -EPERM;
    }
    pthread_mutex_lock(&ct->ipf->mutex);
    ct->ipf->status.min_size[family] = size;
    pthread_mutex_unlock(&ct->ipf->mutex);
    return 0;
}

int
conntrack_ipf_set_max_frags(struct conntrack *ct, uint32_t n)
{
    if (n > IPF_MAX_FRAGS_LIMIT) {
        return -EPERM;
    }
    pthread_mutex_lock(&ct->ipf->mutex);
    ct->ipf->status.max_frags = n;
    pthread_mutex_unlock(&ct->ipf->mutex);
    return 0;
}

void
conntrack_ipf_status(struct conntrack *ct, struct ipf_status *status)
{
    pthread_mutex_lock(&ct->ipf->mutex);
    *status = ct->ipf->status;
    pthread_mutex_unlock(&ct->ipf->mutex);
}

void
conntrack_ipf_for_each(struct conntrack *ct, void (*cb)(void *aux, const struct ipf_entry *), void *aux)
{
    pthread_mutex_lock(&ct->ipf->mutex);
    LIST_FOR_EACH (w, struct whole, by_age, &ct->ipf->wholes) {
        const struct ct_fragment *first = CONTAINER_OF(w->fragments.next, struct ct_fragment, node);
        struct ipf_entry e = { .src = w->key.src, .dst = w->key.dst, .is_v6 = w->key.is_v6, .id = w->key.id,
                               .recirc_id = w->key.recirc_id, .n = w->n, .zone = w->key.zone, .proto = w->key.proto,
                               .has_first = w->n && !first->start, .has_last = w->len != 0 };

        cb(aux, &e);
    }
    pthread_mutex_unlock(&ct->ipf->mutex);
}

struct ipf *
conntrack_ipf(struct conntrack *ct)
{
    return ct->ipf;
}
