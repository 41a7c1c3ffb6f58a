#include "netlink/rtnl_tc.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink/rtnl_tc_private.h"

/* A request has two tables of 256 numbers at most. */
enum { REQUEST_SIZE = 2560, ANSWER_SIZE = 32768 };

void
rtnl_tc_batch_init(struct rtnl_tc_batch *b)
{
    *b = (struct rtnl_tc_batch) { .buffer = xmalloc((size_t) RTNL_TC_BATCH * REQUEST_SIZE) };
}

void
rtnl_tc_batch_uninit(struct rtnl_tc_batch *b)
{
    free(b->buffer);
}

void
rtnl_tc_batch_clear(struct rtnl_tc_batch *b)
{
    b->n = 0;
    b->used = 0;
}

struct nlmsghdr *
rtnl_tc_begin(struct rtnl_tc_batch *b, uint16_t type, uint16_t flags, const struct tcmsg *tc, const char *kind)
{
    struct nlmsghdr *h = rtnl_begin(b->buffer + b->used, type, NLM_F_ACK | flags, tc, sizeof *tc);

    if (kind) {
        mnl_attr_put_strz(h, TCA_KIND, kind);
    }
    return h;
}

void
rtnl_tc_end(struct rtnl_tc_batch *b, const struct nlmsghdr *h)
{
    b->used += NLMSG_ALIGN(h->nlmsg_len);
    b->n++;
}

void
rtnl_tc_put_del_root(struct rtnl_tc_batch *b, int ifindex)
{
    rtnl_tc_end(b, rtnl_tc_begin(b, RTM_DELQDISC, 0, &(struct tcmsg) { .tcm_ifindex = ifindex,
                                                                       .tcm_parent = TC_H_ROOT }, NULL));
}

void
rtnl_tc_put_del_class(struct rtnl_tc_batch *b, int ifindex, unsigned int minor)
{
    rtnl_tc_end(b, rtnl_tc_begin(b, RTM_DELTCLASS, 0,
                                 &(struct tcmsg) { .tcm_ifindex = ifindex, .tcm_handle = rtnl_tc_handle(minor) },
                                 NULL));
}

/* Requests are numbered from 'first' on. */
static void
number(struct rtnl_tc_batch *b, uint32_t first)
{
    size_t at = 0;

    for (unsigned int i = 0; i < b->n; i++) {
        struct nlmsghdr *h = (struct nlmsghdr *) (b->buffer + at);

        h->nlmsg_seq = first + i;
        at += NLMSG_ALIGN(h->nlmsg_len);
    }
}

/* Takes note of the answers in a datagram; how many there were. */
static unsigned int
take_answers(struct rtnl_tc_batch *b, uint32_t first, const void *datagram, int n)
{
    unsigned int n_answers = 0;

    for (const struct nlmsghdr *h = datagram; mnl_nlmsg_ok(h, n); h = mnl_nlmsg_next(h, &n)) {
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
        uint32_t i = h->nlmsg_seq - first;

        if (h->nlmsg_type == NLMSG_ERROR && i < b->n && mnl_nlmsg_get_payload_len(h) >= sizeof *e) {
            b->errors[i] = e->error;
            n_answers++;
        }
    }
    return n_answers;
}

static int
receive_answers(struct mnl_socket *s, struct rtnl_tc_batch *b, uint32_t first, char *buffer)
{
    unsigned int n_answers = 0;

    while (n_answers < b->n) {
        int n = mnl_socket_recvfrom(s, buffer, ANSWER_SIZE);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        n_answers += n > 0 ? take_answers(b, first, buffer, n) : 0;
    }
    return 0;
}

int
rtnl_tc_batch_send(struct rtnl_tc_batch *b)
{
    static _Thread_local uint32_t next;
    struct mnl_socket *s = b->n ? mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC) : NULL;
    uint32_t first = next + 1;
    int error = 0, on = 1;

    if (!b->n) {
        return 0;
    }
    next += b->n;
    number(b, first);
    for (unsigned int i = 0; i < b->n; i++) {
        b->errors[i] = 0;
    }
    if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
        error = -errno;
    } else {
        char *buffer = xmalloc(ANSWER_SIZE);

        (void) !mnl_socket_setsockopt(s, NETLINK_CAP_ACK, &on, sizeof on); /* An answer repeats its request, then. */
        error = mnl_socket_sendto(s, b->buffer, b->used) < 0 ? -errno : receive_answers(s, b, first, buffer);
        free(buffer);
    }
    for (unsigned int i = 0; error && i < b->n; i++) {
        b->errors[i] = error;
    }
    if (s) {
        mnl_socket_close(s);
    }
    return error;
}

/* --- Questions --- */

static uint32_t
default_class(const char *kind, const struct nlattr *options)
{
    const struct nlattr *a;
    uint32_t found = 0;

    if (!strcmp(kind, "hfsc") && mnl_attr_get_payload_len(options) >= sizeof(struct tc_hfsc_qopt)) {
        struct tc_hfsc_qopt o;

        memcpy(&o, mnl_attr_get_payload(options), sizeof o);
        return o.defcls;
    }
    if (!strcmp(kind, "htb")) {
        mnl_attr_for_each_nested(a, options) {
            struct tc_htb_glob o;

            if (mnl_attr_get_type(a) == TCA_HTB_INIT && mnl_attr_get_payload_len(a) >= sizeof o) {
                memcpy(&o, mnl_attr_get_payload(a), sizeof o);
                found = o.defcls;
            }
        }
    }
    return found;
}

static bool
parse_qdisc(const struct nlmsghdr *h, void *out_)
{
    const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
    const struct nlattr *a, *options = NULL;
    struct rtnl_qdisc *out = out_;

    *out = (struct rtnl_qdisc) { .handle = 0 };
    if (mnl_nlmsg_get_payload_len(h) < sizeof *tc) {
        return false;
    }
    out->handle = tc->tcm_handle;
    mnl_attr_for_each(a, h, sizeof *tc) {
        if (mnl_attr_get_type(a) == TCA_KIND && mnl_attr_validate(a, MNL_TYPE_STRING) >= 0) {
            str_copy_cut(out->kind, mnl_attr_get_str(a), sizeof out->kind);
        } else if (mnl_attr_get_type(a) == TCA_OPTIONS) {
            options = a;
        }
    }
    out->default_class = options ? default_class(out->kind, options) : 0;
    return true;
}

/* With NLM_F_ECHO, or whoever listens to all changes gets the answer and we none; with NLM_F_ACK, since of what the
 * kernel has chosen by itself it may have nothing to say. */
enum { ONE = NLM_F_ECHO | NLM_F_ACK };

static struct nlmsghdr *
begin_question(char *buffer, uint16_t type, uint16_t flags, const struct tcmsg *tc)
{
    return rtnl_begin(buffer, type, flags, tc, sizeof *tc);
}

int
rtnl_tc_get_root(int ifindex, struct rtnl_qdisc *q)
{
    char buffer[64] ALIGNED(8);

    *q = (struct rtnl_qdisc) { .handle = 0 };
    return rtnl_transact(begin_question(buffer, RTM_GETQDISC, ONE, &(struct tcmsg) { .tcm_ifindex = ifindex,
                                                                                   .tcm_parent = TC_H_ROOT }),
                         RTM_NEWQDISC, parse_qdisc, q);
}

static void
parse_stats(const struct nlattr *stats, struct rtnl_class *c)
{
    const struct nlattr *a;

    mnl_attr_for_each_nested(a, stats) {
        struct gnet_stats_basic basic = { 0 };
        struct gnet_stats_queue queue;
        size_t n = mnl_attr_get_payload_len(a);

        if (mnl_attr_get_type(a) == TCA_STATS_BASIC && n >= sizeof(uint64_t) + sizeof(uint32_t)) {
            memcpy(&basic, mnl_attr_get_payload(a), MIN(n, sizeof basic));
            c->n_bytes = basic.bytes;
            c->n_packets = c->n_packets ? c->n_packets : basic.packets;
        } else if (mnl_attr_get_type(a) == TCA_STATS_PKT64 && n >= sizeof c->n_packets) {
            memcpy(&c->n_packets, mnl_attr_get_payload(a), sizeof c->n_packets);
        } else if (mnl_attr_get_type(a) == TCA_STATS_QUEUE && n >= sizeof queue) {
            memcpy(&queue, mnl_attr_get_payload(a), sizeof queue);
            c->n_dropped = queue.drops;
        }
    }
}

static bool
parse_class(const struct nlmsghdr *h, void *out_)
{
    const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
    struct rtnl_class *out = out_;
    const struct nlattr *a;

    *out = (struct rtnl_class) { .handle = 0 };
    if (mnl_nlmsg_get_payload_len(h) < sizeof *tc) {
        return false;
    }
    out->handle = tc->tcm_handle;
    out->parent = tc->tcm_parent;
    mnl_attr_for_each(a, h, sizeof *tc) {
        if (mnl_attr_get_type(a) == TCA_STATS2) {
            parse_stats(a, out);
        }
    }
    return true;
}

int
rtnl_tc_get_class(int ifindex, unsigned int minor, struct rtnl_class *c)
{
    char buffer[64] ALIGNED(8);
    int error;

    *c = (struct rtnl_class) { .handle = 0 };
    error = rtnl_transact(begin_question(buffer, RTM_GETTCLASS, ONE,
                                         &(struct tcmsg) { .tcm_ifindex = ifindex,
                                                           .tcm_handle = rtnl_tc_handle(minor),
                                                           .tcm_parent = rtnl_tc_handle(RTNL_TC_ROOT_CLASS) }),
                          RTM_NEWTCLASS, parse_class, c);
    return error || c->handle ? error : -ENOENT;
}

struct listing {
    void (*cb)(void *aux, const struct rtnl_class *);
    void *aux;
};

static int
list_class(const struct nlmsghdr *h, void *l_)
{
    const struct listing *l = l_;
    struct rtnl_class c;

    if (h->nlmsg_type == RTM_NEWTCLASS && parse_class(h, &c)) {
        l->cb(l->aux, &c);
    }
    return MNL_CB_OK;
}

int
rtnl_tc_each_class(int ifindex, void (*cb)(void *aux, const struct rtnl_class *), void *aux)
{
    char question[64] ALIGNED(8);
    struct nlmsghdr *h = begin_question(question, RTM_GETTCLASS, NLM_F_DUMP,
                                        &(struct tcmsg) { .tcm_ifindex = ifindex });
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    struct listing l = { cb, aux };
    char *buffer = xmalloc(ANSWER_SIZE);
    int more = -1;

    h->nlmsg_seq = 1;
    if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) >= 0 && mnl_socket_sendto(s, h, h->nlmsg_len) >= 0) {
        do {
            int n = mnl_socket_recvfrom(s, buffer, ANSWER_SIZE);

            more = n < 0 ? -1 : mnl_cb_run(buffer, n, 1, mnl_socket_get_portid(s), list_class, &l);
        } while (more > 0);
    }
    more = more < 0 ? -errno : 0;
    if (s) {
        mnl_socket_close(s);
    }
    free(buffer);
    return more;
}
