/* What the kernel is told of each kind of queueing discipline. */
#include <string.h>

#include "netlink/rtnl_tc_private.h"

/* The kernel's clock of disciplines has 64 ns. */
enum { TICK_NS = 64 };

static uint32_t
ticks_of_us(uint32_t us)
{
    return MIN((uint64_t) us * 1000 / TICK_NS, UINT32_MAX);
}

/* How long 'n' bytes take.  'n' is below 2^33. */
static uint32_t
ticks_of_bytes(uint64_t n, uint64_t rate)
{
    return MIN(n * (1000000000 / TICK_NS) / rate, UINT32_MAX);
}

static struct nlmsghdr *
begin_root(struct rtnl_tc_batch *b, int ifindex, const char *kind)
{
    return rtnl_tc_begin(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL,
                         &(struct tcmsg) { .tcm_ifindex = ifindex, .tcm_handle = rtnl_tc_handle(0),
                                           .tcm_parent = TC_H_ROOT }, kind);
}

static struct nlmsghdr *
begin_class(struct rtnl_tc_batch *b, int ifindex, unsigned int minor, const char *kind)
{
    return rtnl_tc_begin(b, RTM_NEWTCLASS, NLM_F_CREATE,
                         &(struct tcmsg) { .tcm_ifindex = ifindex, .tcm_handle = rtnl_tc_handle(minor),
                                           .tcm_parent = rtnl_tc_handle(minor == RTNL_TC_ROOT_CLASS ? 0
                                                                        : RTNL_TC_ROOT_CLASS) }, kind);
}

void
rtnl_tc_put_htb(struct rtnl_tc_batch *b, int ifindex)
{
    const struct tc_htb_glob init = { .version = 3, .rate2quantum = 10, .defcls = RTNL_TC_DEFAULT_CLASS };
    struct nlmsghdr *h = begin_root(b, ifindex, "htb");
    struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);

    mnl_attr_put(h, TCA_HTB_INIT, sizeof init, &init);
    mnl_attr_nest_end(h, options);
    rtnl_tc_end(b, h);
}

/* tc-htb(8): what is smaller cannot be sent at once. */
static uint32_t
burst_ticks(const struct rtnl_tc_htb *c, uint64_t rate)
{
    return ticks_of_bytes(MAX(c->burst, rate / 1000000000 + c->mtu), rate);
}

/* How long a packet takes, by its size: kernels before 3.8 knew it from this alone, later ones look at the first
 * numbers to see what the link is. */
static struct tc_ratespec
fill_table(uint32_t table[256], const struct rtnl_tc_htb *c, uint64_t rate)
{
    struct tc_ratespec spec = { .mpu = 60, .rate = MIN(rate, UINT32_MAX) };

    while (c->mtu >> spec.cell_log > 255) {
        spec.cell_log++;
    }
    for (unsigned int i = 0; i < 256; i++) {
        table[i] = ticks_of_bytes(MAX((uint64_t) (i + 1) << spec.cell_log, spec.mpu), rate);
    }
    return spec;
}

void
rtnl_tc_put_htb_class(struct rtnl_tc_batch *b, int ifindex, unsigned int minor, const struct rtnl_tc_htb *c)
{
    struct nlmsghdr *h = begin_class(b, ifindex, minor, "htb");
    struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);
    uint32_t rates[256], ceils[256];
    struct tc_htb_opt o = {
        .rate = fill_table(rates, c, c->rate), .ceil = fill_table(ceils, c, c->ceil),
        .buffer = burst_ticks(c, c->rate), .cbuffer = burst_ticks(c, c->ceil), .prio = c->priority,
        .quantum = c->rate / 10 < c->mtu ? c->mtu : 0, /* The kernel's own would be too small. */
    };

    mnl_attr_put(h, TCA_HTB_PARMS, sizeof o, &o);
    if (c->rate > UINT32_MAX) {
        mnl_attr_put_u64(h, TCA_HTB_RATE64, c->rate);
    }
    if (c->ceil > UINT32_MAX) {
        mnl_attr_put_u64(h, TCA_HTB_CEIL64, c->ceil);
    }
    mnl_attr_put(h, TCA_HTB_RTAB, sizeof rates, rates);
    mnl_attr_put(h, TCA_HTB_CTAB, sizeof ceils, ceils);
    mnl_attr_nest_end(h, options);
    rtnl_tc_end(b, h);
}

void
rtnl_tc_put_hfsc(struct rtnl_tc_batch *b, int ifindex)
{
    const struct tc_hfsc_qopt o = { .defcls = RTNL_TC_DEFAULT_CLASS };
    struct nlmsghdr *h = begin_root(b, ifindex, "hfsc");

    mnl_attr_put(h, TCA_OPTIONS, sizeof o, &o);
    rtnl_tc_end(b, h);
}

void
rtnl_tc_put_hfsc_class(struct rtnl_tc_batch *b, int ifindex, unsigned int minor, uint32_t rate, uint32_t ceil)
{
    const struct tc_service_curve sure = { .m2 = rate }, most = { .m2 = ceil };
    struct nlmsghdr *h = begin_class(b, ifindex, minor, "hfsc");
    struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);

    mnl_attr_put(h, TCA_HFSC_RSC, sizeof sure, &sure);
    mnl_attr_put(h, TCA_HFSC_FSC, sizeof sure, &sure);
    mnl_attr_put(h, TCA_HFSC_USC, sizeof most, &most);
    mnl_attr_nest_end(h, options);
    rtnl_tc_end(b, h);
}

void
rtnl_tc_put_sfq(struct rtnl_tc_batch *b, int ifindex, uint32_t quantum, uint32_t perturb_s)
{
    const struct tc_sfq_qopt o = { .quantum = quantum, .perturb_period = perturb_s };
    struct nlmsghdr *h = begin_root(b, ifindex, "sfq");

    mnl_attr_put(h, TCA_OPTIONS, sizeof o, &o);
    rtnl_tc_end(b, h);
}

void
rtnl_tc_put_codel(struct rtnl_tc_batch *b, int ifindex, uint32_t target, uint32_t limit, uint32_t interval)
{
    struct nlmsghdr *h = begin_root(b, ifindex, "codel");
    struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);

    mnl_attr_put_u32(h, TCA_CODEL_TARGET, target);
    mnl_attr_put_u32(h, TCA_CODEL_LIMIT, limit);
    mnl_attr_put_u32(h, TCA_CODEL_INTERVAL, interval);
    mnl_attr_nest_end(h, options);
    rtnl_tc_end(b, h);
}

void
rtnl_tc_put_fq_codel(struct rtnl_tc_batch *b, int ifindex, uint32_t target, uint32_t limit, uint32_t interval,
                     uint32_t flows, uint32_t quantum)
{
    struct nlmsghdr *h = begin_root(b, ifindex, "fq_codel");
    struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);

    mnl_attr_put_u32(h, TCA_FQ_CODEL_TARGET, target);
    mnl_attr_put_u32(h, TCA_FQ_CODEL_LIMIT, limit);
    mnl_attr_put_u32(h, TCA_FQ_CODEL_INTERVAL, interval);
    mnl_attr_put_u32(h, TCA_FQ_CODEL_FLOWS, flows);
    mnl_attr_put_u32(h, TCA_FQ_CODEL_QUANTUM, quantum);
    mnl_attr_nest_end(h, options);
    rtnl_tc_end(b, h);
}

void
rtnl_tc_put_netem(struct rtnl_tc_batch *b, int ifindex, uint32_t latency, uint32_t jitter, uint32_t limit,
                  unsigned int loss_percent)
{
    const struct tc_netem_qopt o = {
        .latency = ticks_of_us(latency), .limit = limit, .loss = (uint64_t) UINT32_MAX * loss_percent / 100,
        .jitter = ticks_of_us(jitter),
    };
    struct nlmsghdr *h = begin_root(b, ifindex, "netem");

    mnl_attr_put(h, TCA_OPTIONS, sizeof o, &o);
    rtnl_tc_end(b, h);
}
