/* What the application gateways share: the table of expectations, and changes of a TCP payload's length.
 *
 * A gateway that shortened or lengthened what one end sent moves the sequence numbers of all that this end sends later,
 * and what the other end acknowledges, the other way.  'skew' has, for each direction, by how much, before and after
 * the place of the last change: retransmissions of what came before that place are moved by the former. */
#include "conntrack/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "packet/csum.h"
#include "packet/mbuf.h"

enum { EXPECTATIONS_MAX = 65536, PER_CONNECTION = 16, LIFE_MS = 300000, PORT_TRIES = 64, OPT_SACK = 5 };

struct skew {
    uint32_t from;         /* Sequence number, as sent, from which on 'after' holds. */
    int32_t before, after;
    bool is_set;
};

struct ct_alg {
    bool has_parent;
    struct ct_tuple parent;
    struct skew skew[CT_N_DIRS]; /* Under the connection's lock. */
    struct list expectations;    /* Under the mutex of the expectations. */
    unsigned int n_expectations;
    struct ct_ftp_line lines[];  /* With CT_HELPER_FTP: CT_N_DIRS of them. */
};

struct expectation {
    struct hmap_node node;
    struct ct_expectation_link link;
    struct list of_conn;
    struct ct_alg *alg;
    struct ct_tuple tuple;       /* src_port 0. */
    struct ct_expected expected;
    int64_t expires;
};

struct ct_expectations {
    pthread_mutex_t mutex;
    struct hmap map;
    struct list all;             /* struct ct_expectation_link: of all of them, oldest first, and the marks of walks. */
    _Atomic uint32_t n;
};

void
ct_expectations_init(struct conntrack *ct)
{
    struct ct_expectations *e = ct->expectations = xzalloc(sizeof *e);

    pthread_mutex_init(&e->mutex, NULL);
    hmap_init(&e->map);
    list_init(&e->all);
}

static void
remove_expectation(struct ct_expectations *es, struct expectation *e)
{
    hmap_remove(&es->map, &e->node);
    list_remove(&e->link.node);
    list_remove(&e->of_conn);
    e->alg->n_expectations--;
    atomic_fetch_sub(&es->n, 1);
    free(e);
}

/* The connections must be gone. */
void
ct_expectations_uninit(struct conntrack *ct)
{
    hmap_uninit(&ct->expectations->map);
    pthread_mutex_destroy(&ct->expectations->mutex);
    free(ct->expectations);
}

static struct ct_tuple
any_port(const struct ct_tuple *t)
{
    struct ct_tuple any = *t;

    any.src_port = 0;
    return any;
}

static struct expectation *
find(struct conntrack *ct, const struct ct_tuple *any, int64_t now)
{
    HMAP_FOR_EACH_WITH_HASH (e, struct expectation, node, ct_hash(ct, any), &ct->expectations->map) {
        if (ct_tuple_equal(&e->tuple, any) && e->expires > now) {
            return e;
        }
    }
    return NULL;
}

bool
ct_expectation_find(struct conntrack *ct, const struct ct_tuple *t, int64_t now, bool take, struct ct_expected *out)
{
    struct ct_expectations *es = ct->expectations;
    struct ct_tuple any = any_port(t);
    struct expectation *e;

    if (!atomic_load_explicit(&es->n, memory_order_relaxed)) {
        return false;
    }
    pthread_mutex_lock(&es->mutex);
    e = find(ct, &any, now);
    if (e) {
        *out = e->expected;
        if (take) {
            remove_expectation(es, e);
        }
    }
    pthread_mutex_unlock(&es->mutex);
    return e;
}

/* The tuple with which the other end of 'c' connects to the port 'port' that the end of 'dir' announced. */
static struct ct_tuple
tuple_to_announced(const struct ct_conn *c, int dir, be16 port)
{
    const struct ct_tuple *theirs = &c->tuple[!dir];

    return (struct ct_tuple) { theirs->src, theirs->dst, 0, port, theirs->zone, theirs->proto, theirs->kind };
}

/* Whether nobody else is expected there.  (The same announcement, sent again, is no other.) */
static bool
is_free(struct conntrack *ct, const struct ct_conn *c, const struct ct_tuple *t, be16 port, int64_t now)
{
    const struct expectation *e = find(ct, t, now);

    return !e || (e->alg == c->alg && e->expected.dst_port == port);
}

/* A port under which the other end sees 'port': the same if that is free. */
static bool
choose_port(struct conntrack *ct, const struct ct_conn *c, int dir, be16 port, be16 *seen, int64_t now)
{
    bool is_translated = memcmp(&c->tuple[!dir].dst, &c->tuple[dir].src, sizeof c->tuple[dir].src);

    for (unsigned int i = 0; i < PORT_TRIES; i++) {
        uint16_t n = be16_to_cpu(port) + i;
        struct ct_tuple t;

        *seen = cpu_to_be16(n < 1024 && i ? n + 1024 : n);
        t = tuple_to_announced(c, dir, *seen);
        if (!is_translated || is_free(ct, c, &t, port, now)) {
            return true;
        }
    }
    return false;
}

/* Forgets the oldest of a connection that announces too much, and a former one of the same tuple. */
static void
make_room(struct conntrack *ct, struct ct_alg *alg, const struct ct_tuple *t, int64_t now)
{
    struct ct_expectations *es = ct->expectations;
    struct expectation *same = find(ct, t, now);

    if (same) {
        remove_expectation(es, same);
    }
    if (alg->n_expectations >= PER_CONNECTION) {
        remove_expectation(es, CONTAINER_OF(alg->expectations.next, struct expectation, of_conn));
    }
}

static void
add_expectation(struct conntrack *ct, const struct ct_conn *c, int dir, const struct ct_tuple *t, be16 port,
                int64_t now)
{
    struct ct_expectations *es = ct->expectations;
    struct expectation *e = xzalloc(sizeof *e);

    e->tuple = *t;
    e->alg = c->alg;
    e->expires = now + LIFE_MS;
    e->expected = (struct ct_expected) {
        .parent = c->tuple[CT_ORIG], .mark = c->mark, .label = { c->label[0], c->label[1] },
        .src = c->tuple[dir].dst, .dst = c->tuple[dir].src, .dst_port = port,
    };
    hmap_insert(&es->map, &e->node, ct_hash(ct, t));
    list_push_back(&es->all, &e->link.node);
    list_push_back(&c->alg->expectations, &e->of_conn);
    c->alg->n_expectations++;
    atomic_fetch_add(&es->n, 1);
}

bool
ct_expect(struct conntrack *ct, struct ct_conn *c, int dir, be16 port, be16 *seen_port, int64_t now)
{
    struct ct_expectations *es = ct->expectations;
    bool ok = atomic_load_explicit(&es->n, memory_order_relaxed) < EXPECTATIONS_MAX;
    struct ct_tuple t;

    pthread_mutex_lock(&es->mutex);
    ok = ok && ct_conn_is_live(c) && (*seen_port || choose_port(ct, c, dir, port, seen_port, now));
    if (ok) {
        t = tuple_to_announced(c, dir, *seen_port);
        make_room(ct, c->alg, &t, now);
        add_expectation(ct, c, dir, &t, port, now);
    }
    pthread_mutex_unlock(&es->mutex);
    return ok;
}

void
conntrack_expectations_begin(struct conntrack *ct, struct ct_expectation_walk *w)
{
    struct ct_expectations *es = ct->expectations;

    w->at.is_mark = w->end.is_mark = true;
    pthread_mutex_lock(&es->mutex);
    list_push_front(&es->all, &w->at.node);
    list_push_back(&es->all, &w->end.node);
    pthread_mutex_unlock(&es->mutex);
}

static void
describe(const struct expectation *e, struct ct_expectation_entry *out)
{
    *out = (struct ct_expectation_entry) { e->tuple, e->expected.parent, e->expected.mark, { 0 } };
    memcpy(out->label, e->expected.label, sizeof out->label);
}

bool
conntrack_expectations_step(struct conntrack *ct, struct ct_expectation_walk *w, unsigned int n, const uint16_t *zone,
                            void (*cb)(void *aux, const struct ct_expectation_entry *), void *aux)
{
    struct list *next;

    pthread_mutex_lock(&ct->expectations->mutex);
    while ((next = w->at.node.next) != &w->end.node && n--) {
        const struct ct_expectation_link *link = CONTAINER_OF(next, struct ct_expectation_link, node);
        const struct expectation *e = link->is_mark ? NULL : CONTAINER_OF(link, struct expectation, link);
        struct ct_expectation_entry out;

        list_remove(&w->at.node);
        list_insert(next->next, &w->at.node);
        if (e && (!zone || *zone == e->tuple.zone)) {
            describe(e, &out);
            cb(aux, &out);
        }
    }
    pthread_mutex_unlock(&ct->expectations->mutex);
    return next == &w->end.node;
}

void
conntrack_expectations_end(struct conntrack *ct, struct ct_expectation_walk *w)
{
    pthread_mutex_lock(&ct->expectations->mutex);
    list_remove(&w->at.node);
    list_remove(&w->end.node);
    pthread_mutex_unlock(&ct->expectations->mutex);
}

void
ct_alg_attach(struct ct_conn *c, enum ct_helper helper, const struct ct_expected *expected)
{
    if (!helper && !expected) {
        return;
    }
    c->alg = xzalloc(sizeof *c->alg + (helper == CT_HELPER_FTP ? CT_N_DIRS * sizeof c->alg->lines[0] : 0));
    c->flags |= CONN_HAS_ALG;
    list_init(&c->alg->expectations);
    c->helper = helper;
    if (expected) {
        c->alg->has_parent = true;
        c->alg->parent = expected->parent;
        c->flags |= CONN_RELATED;
    }
}

void
ct_alg_forget(struct conntrack *ct, struct ct_conn *c)
{
    if (!c->alg) {
        return;
    }
    pthread_mutex_lock(&ct->expectations->mutex);
    while (!list_is_empty(&c->alg->expectations)) {
        remove_expectation(ct->expectations, CONTAINER_OF(c->alg->expectations.next, struct expectation, of_conn));
    }
    pthread_mutex_unlock(&ct->expectations->mutex);
}

void
ct_alg_free(struct conntrack *ct, struct ct_conn *c)
{
    ct_alg_forget(ct, c);
    free(c->alg);
    c->alg = NULL;
}

struct ct_ftp_line *
ct_alg_ftp_line(struct ct_conn *c, int dir)
{
    return &c->alg->lines[dir];
}

const struct ct_tuple *
ct_alg_shown_tuple(const struct ct_conn *c)
{
    return ct_has_alg(c) && c->alg->has_parent ? &c->alg->parent : &c->tuple[CT_ORIG];
}

/* Sequence numbers. */

static int32_t
skew_at(const struct skew *s, uint32_t seq)
{
    return (int32_t) (seq - s->from) >= 0 ? s->after : s->before;
}

/* What the other end acknowledges is moved already. */
static uint32_t
unskew(const struct skew *s, uint32_t ack)
{
    return ack - ((int32_t) (ack - s->after - s->from) >= 0 ? s->after : s->before);
}

static void
write_u32(const struct ct_parsed *p, uint8_t *at, uint32_t v)
{
    uint8_t bytes[4];

    put_be32(bytes, v);
    ct_l4_write(p, at, bytes, sizeof bytes);
}

/* RFC 2018: the blocks that the other end has. */
static void
unskew_sacks(const struct ct_parsed *p, const struct skew *s)
{
    uint8_t *o = p->l4 + TCP_HEADER_LEN, *end = p->l4 + (p->l4[12] >> 4) * 4;

    while (o < end && o[0] != 0) {
        size_t size = o[0] == 1 ? 1 : end - o < 2 ? 0 : o[1];

        if (!size || size > (size_t) (end - o) || (size < 2 && o[0] != 1)) {
            return;
        }
        if (o[0] == OPT_SACK) {
            for (size_t i = 2; i + 4 <= size; i += 4) {
                write_u32(p, o + i, unskew(s, get_be32(o + i)));
            }
        }
        o += size;
    }
}

void
ct_alg_before(struct ct_conn *c, int dir, const struct ct_parsed *p)
{
    struct skew s;

    if (p->related || p->tuple.proto != IP_PROTO_TCP) {
        return;
    }
    ct_conn_lock(c);
    s = c->alg->skew[!dir];
    ct_conn_unlock(c);
    if (s.is_set && p->l4[13] & TCP_ACK) {
        write_u32(p, p->l4 + 8, unskew(&s, get_be32(p->l4 + 8)));
        unskew_sacks(p, &s);
    }
}

static void
move_sequence(const struct ct_parsed *p, const struct skew *s)
{
    uint32_t seq = get_be32(p->l4 + 4);

    if (s->is_set) {
        write_u32(p, p->l4 + 4, seq + skew_at(s, seq));
    }
}

void
ct_alg_after(struct conntrack *ct, struct ct_conn *c, int dir, struct ct_packet *packet, struct ct_parsed *p,
             int64_t now)
{
    struct skew before;

    if (p->related) {
        return;
    }
    if (c->helper == CT_HELPER_TFTP && p->tuple.proto == IP_PROTO_UDP) {
        ct_tftp_run(ct, c, dir, p, now);
    } else if (p->tuple.proto == IP_PROTO_TCP) {
        /* The packet itself begins where the skew is still the old one. */
        ct_conn_lock(c);
        before = c->alg->skew[dir];
        ct_conn_unlock(c);
        if (c->helper == CT_HELPER_FTP) {
            ct_ftp_run(ct, c, dir, packet, p, now);
        }
        if (packet->packet) {
            move_sequence(p, &before);
        }
    }
}

/* Notes that what the end of 'dir' sends from 'seq' on is longer by 'n'. */
static void
note_skew(struct ct_conn *c, int dir, uint32_t seq, int32_t n)
{
    struct skew *s = &c->alg->skew[dir];

    ct_conn_lock(c);
    /* A retransmission changes the same place again. */
    if (!s->is_set || (int32_t) (seq - s->from) > 0) {
        s->before = s->is_set ? s->after : 0;
        s->after = s->before + n;
        s->from = seq;
        s->is_set = true;
    }
    ct_conn_unlock(c);
}

/* The packet with 'n' bytes at its end to be used; another one if there is no room. */
static bool
grow(struct ct_packet *packet, struct ct_parsed *p, size_t size)
{
    struct packet *old = packet->packet, *new;
    uint8_t *from = packet_at(old), *to;

    if (size <= packet_size(old) + packet_tailroom(old)) {
        packet_set_size(old, size);
        return true;
    }
    new = packet_new_uninit(size);
    if (!new) {
        return false;
    }
    to = packet_at(new);
    memcpy(to, from, packet_size(old));
    if (packet_has_offload(old)) {
        packet_set_offload(new, &old->offload);
    }
    p->l3 = to + (p->l3 - from);
    p->l4 = to + (p->l4 - from);
    packet->packet = new;
    packet_free(old);
    return true;
}

static void
write_ip_length(const struct ct_parsed *p)
{
    struct ip_header *ip = (struct ip_header *) p->l3;

    if (p->is_v6) {
        put_be16(p->l3 + 4, p->l3_len - IPV6_HEADER_LEN);
    } else {
        be16 new = cpu_to_be16(p->l3_len);

        ip->csum = csum_update16(ip->csum, ip->tot_len, new);
        ip->tot_len = new;
    }
}

bool
ct_alg_replace(struct ct_conn *c, int dir, struct ct_packet *packet, struct ct_parsed *p, size_t at, size_t old_n,
               const void *new, size_t n)
{
    size_t l3 = p->l3 - (uint8_t *) packet_at(packet->packet), end = l3 + p->l3_len;
    uint32_t seq = get_be32(p->l4 + 4) + at - (p->l4[12] >> 4) * 4;
    size_t tail = p->l4_len - at - old_n;

    /* Padding behind the IP packet is of no use to anybody. */
    if (p->l3_len - old_n + n > UINT16_MAX || !grow(packet, p, MAX(end, end - old_n + n))) {
        return false;
    }
    memmove(p->l4 + at + n, p->l4 + at + old_n, tail);
    memcpy(p->l4 + at, new, n);
    packet_set_size(packet->packet, end - old_n + n);
    packet->offsets->l3_pad = 0;
    p->l3_len += n - old_n;
    p->l4_len += n - old_n;
    if (n != old_n) {
        write_ip_length(p);
        note_skew(c, dir, seq + 1, (int32_t) n - (int32_t) old_n);
    }
    ct_l4_csum_renew(p);
    return true;
}
