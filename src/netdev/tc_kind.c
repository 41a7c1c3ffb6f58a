#include "netdev/tc_kind.h"

#include <errno.h>
#include <string.h>

#include "netdev/tc.h"
#include "sys/log.h"

/* As the reference's: who looks for these messages does so there. */
LOG_MODULE(netdev_linux)

static struct log_limit limit = LOG_LIMIT_INIT(60, 20);

static void
set_default(uint64_t *number, uint64_t otherwise)
{
    *number = *number ? MIN(*number, UINT32_MAX) : otherwise;
}

/* --- With classes --- */

static uint64_t
whole_bytes(uint64_t bits)
{
    return MAX(bits / 8, 1) * 8;
}

static void
complete_rate(struct tc_config *c, uint64_t link_bps, uint64_t most)
{
    c->shaping = (struct netdev_shaping) {
        .max_rate = whole_bytes(MIN(c->shaping.max_rate ? c->shaping.max_rate : link_bps, most)),
    };
}

/* A queue has between 'least' and the rate of all. */
static void
complete_queue(const struct tc_config *c, struct netdev_queue_shaping *q, uint64_t least)
{
    const uint64_t all = c->shaping.max_rate;

    q->min_rate = MIN(whole_bytes(MAX(q->min_rate, least)), all);
    q->max_rate = q->max_rate ? MAX(MIN(whole_bytes(q->max_rate), all), q->min_rate) : all;
}

/* A packet takes a second at most. */
static int
htb_complete(struct tc_config *c, const char *name UNUSED, uint64_t link_bps)
{
    const uint64_t mtu = c->mtu;

    complete_rate(c, link_bps, UINT64_MAX);
    for (size_t i = 0; i < c->n_queues; i++) {
        struct netdev_queue_shaping *q = &c->queues[i].shaping;

        complete_queue(c, q, mtu * 8);
        q->burst = MIN(MAX(q->burst / 8, mtu + 64), UINT32_MAX) * 8;
        q->priority = MIN(q->priority, UINT32_MAX);
    }
    return 0;
}

static void
htb_put_root(struct rtnl_tc_batch *b, int ifindex, const struct tc_config *c UNUSED)
{
    rtnl_tc_put_htb(b, ifindex);
}

static void
htb_put_class(struct rtnl_tc_batch *b, int ifindex, const struct tc_config *c, const struct netdev_queue_config *q)
{
    const uint64_t all = c->shaping.max_rate / 8;
    struct rtnl_tc_htb class = { .rate = all, .ceil = all, .mtu = c->mtu };

    if (q) {
        class.rate = q->shaping.min_rate / 8;
        class.ceil = q->shaping.max_rate / 8;
        class.burst = q->shaping.burst / 8;
        class.priority = q->shaping.priority;
    }
    rtnl_tc_put_htb_class(b, ifindex, q ? q->number + 1 : RTNL_TC_ROOT_CLASS, &class);
}

static int
hfsc_complete(struct tc_config *c, const char *name UNUSED, uint64_t link_bps)
{
    complete_rate(c, link_bps, (uint64_t) UINT32_MAX * 8);
    for (size_t i = 0; i < c->n_queues; i++) {
        struct netdev_queue_shaping *q = &c->queues[i].shaping;

        complete_queue(c, q, 8);
        q->burst = q->priority = 0;
    }
    return 0;
}

static void
hfsc_put_root(struct rtnl_tc_batch *b, int ifindex, const struct tc_config *c UNUSED)
{
    rtnl_tc_put_hfsc(b, ifindex);
}

static void
hfsc_put_class(struct rtnl_tc_batch *b, int ifindex, const struct tc_config *c, const struct netdev_queue_config *q)
{
    const uint64_t all = c->shaping.max_rate / 8;

    rtnl_tc_put_hfsc_class(b, ifindex, q ? q->number + 1 : RTNL_TC_ROOT_CLASS, q ? q->shaping.min_rate / 8 : all,
                           q ? q->shaping.max_rate / 8 : all);
}

/* --- Without --- */

static int
sfq_complete(struct tc_config *c, const char *name UNUSED, uint64_t link_bps UNUSED)
{
    struct netdev_shaping s = { .perturb = MIN(c->shaping.perturb, INT32_MAX), .quantum = c->shaping.quantum };

    set_default(&s.perturb, 10);
    set_default(&s.quantum, c->mtu);
    c->shaping = s;
    return 0;
}

static void
sfq_put_root(struct rtnl_tc_batch *b, int ifindex, const struct tc_config *c)
{
    rtnl_tc_put_sfq(b, ifindex, c->shaping.quantum, c->shaping.perturb);
}

static int
codel_complete(struct tc_config *c, const char *name UNUSED, uint64_t link_bps UNUSED)
{
    struct netdev_shaping s = {
        .target = c->shaping.target, .limit = c->shaping.limit, .interval = c->shaping.interval,
    };

    set_default(&s.target, 5000);
    set_default(&s.limit, 10240);
    set_default(&s.interval, 100000);
    c->shaping = s;
    return 0;
}

static void
codel_put_root(struct rtnl_tc_batch *b, int ifindex, const struct tc_config *c)
{
    rtnl_tc_put_codel(b, ifindex, c->shaping.target, c->shaping.limit, c->shaping.interval);
}

static int
fq_codel_complete(struct tc_config *c, const char *name UNUSED, uint64_t link_bps UNUSED)
{
    struct netdev_shaping s = {
        .target = c->shaping.target, .limit = c->shaping.limit, .interval = c->shaping.interval,
        .flows = c->shaping.flows, .quantum = c->shaping.quantum,
    };

    set_default(&s.target, 5000);
    set_default(&s.limit, 10240);
    set_default(&s.interval, 1000000);
    set_default(&s.flows, 1024);
    set_default(&s.quantum, 1514); /* A frame of an Ethernet, whatever the MTU. */
    c->shaping = s;
    return 0;
}

static void
fq_codel_put_root(struct rtnl_tc_batch *b, int ifindex, const struct tc_config *c)
{
    const struct netdev_shaping *s = &c->shaping;

    rtnl_tc_put_fq_codel(b, ifindex, s->target, s->limit, s->interval, s->flows, s->quantum);
}

static int
netem_complete(struct tc_config *c, const char *name, uint64_t link_bps UNUSED)
{
    struct netdev_shaping s = {
        .latency = MIN(c->shaping.latency, RTNL_TC_MAX_US), .jitter = MIN(c->shaping.jitter, RTNL_TC_MAX_US),
        .limit = c->shaping.limit, .loss = c->shaping.loss,
    };

    if (s.loss > 100) {
        log_warn_rl(&limit, "%s: loss should be a percentage value between 0 to 100, loss was %llu", name,
                    (unsigned long long) s.loss);
        return -EINVAL;
    }
    set_default(&s.limit, 1000);
    c->shaping = s;
    return 0;
}

static void
netem_put_root(struct rtnl_tc_batch *b, int ifindex, const struct tc_config *c)
{
    const struct netdev_shaping *s = &c->shaping;

    rtnl_tc_put_netem(b, ifindex, s->latency, s->jitter, s->limit, s->loss);
}

static int
noop_complete(struct tc_config *c, const char *name UNUSED, uint64_t link_bps UNUSED)
{
    c->shaping = (struct netdev_shaping) { .max_rate = 0 };
    return 0;
}

/* --- All of them --- */

static const struct tc_kind kinds[] = {
    { "linux-netem", "netem", netem_complete, netem_put_root, NULL },
    { "linux-fq_codel", "fq_codel", fq_codel_complete, fq_codel_put_root, NULL },
    { "linux-codel", "codel", codel_complete, codel_put_root, NULL },
    { "linux-hfsc", "hfsc", hfsc_complete, hfsc_put_root, hfsc_put_class },
    { "linux-noop", NULL, noop_complete, NULL, NULL },
    { "linux-sfq", "sfq", sfq_complete, sfq_put_root, NULL },
    { "linux-htb", "htb", htb_complete, htb_put_root, htb_put_class },
};

const char *const tc_types[] = {
    "linux-netem", "linux-fq_codel", "linux-codel", "linux-hfsc", "linux-noop", "linux-sfq", "linux-htb", NULL,
};

const struct tc_kind *
tc_kind_find(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!strcmp(kinds[i].type, type)) {
            return &kinds[i];
        }
    }
    return NULL;
}
