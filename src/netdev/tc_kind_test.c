/* What the kernel is told for each type of QoS.  The numbers are those that Debian's 3.1 was seen to send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "netdev/tc.h"
#include "netdev/tc_kind.h"

enum { GIGABIT = 1000000000 };

/* --- Requests as text --- */

static void
put_rate(struct str *s, const char *name, const struct tc_ratespec *r)
{
    str_putf(s, " %s=%u/%u/%u", name, r->rate, r->cell_log, r->mpu);
}

static void
put_htb(struct str *s, const struct nlattr *a)
{
    const char *value = (const char *) a + NLA_HDRLEN;
    uint32_t table[256];
    struct tc_htb_opt o;
    struct tc_htb_glob g;
    uint64_t rate;

    switch (a->nla_type) {
    case TCA_HTB_INIT:
        memcpy(&g, value, sizeof g);
        str_putf(s, " init=%u,%u,%u", g.version, g.rate2quantum, g.defcls);
        break;
    case TCA_HTB_PARMS:
        memcpy(&o, value, sizeof o);
        put_rate(s, "rate", &o.rate);
        put_rate(s, "ceil", &o.ceil);
        str_putf(s, " buffers=%u,%u quantum=%u prio=%u", o.buffer, o.cbuffer, o.quantum, o.prio);
        break;
    case TCA_HTB_RTAB: case TCA_HTB_CTAB:
        assert_int_equal(a->nla_len, NLA_HDRLEN + sizeof table);
        memcpy(table, value, sizeof table);
        str_putf(s, " [%u,%u..%u]", table[0], table[9], table[255]);
        break;
    case TCA_HTB_RATE64: case TCA_HTB_CEIL64:
        memcpy(&rate, value, sizeof rate);
        str_putf(s, " 64:%llu", (unsigned long long) rate);
        break;
    default:
        fail();
    }
}

/* Numbers of 32 bits. */
static void
put_words(struct str *s, const char *value, size_t n)
{
    for (size_t at = 0; at + sizeof(uint32_t) <= n; at += sizeof(uint32_t)) {
        uint32_t word;

        memcpy(&word, value + at, sizeof word);
        str_putf(s, " %u", word);
    }
}

static void
put_attributes(struct str *s, const char *kind, const char *value, size_t n)
{
    for (size_t at = 0; at < n;) {
        const struct nlattr *a = (const void *) (value + at);

        if (!strcmp(kind, "htb")) {
            put_htb(s, a);
        } else {
            str_putf(s, " %u:", a->nla_type);
            put_words(s, value + at + NLA_HDRLEN, a->nla_len - NLA_HDRLEN);
        }
        at += NLA_ALIGN(a->nla_len);
    }
}

static void
put_options(struct str *s, const char *kind, const struct nlattr *options)
{
    const char *value = (const char *) options + NLA_HDRLEN;
    size_t n = options->nla_len - NLA_HDRLEN;

    if (n == sizeof(struct tc_hfsc_qopt)) {
        struct tc_hfsc_qopt o;

        memcpy(&o, value, sizeof o);
        str_putf(s, " default=%u", o.defcls);
    } else if (!strcmp(kind, "sfq") || !strcmp(kind, "netem")) {
        put_words(s, value, n);
    } else {
        put_attributes(s, kind, value, n);
    }
}

static void
put_request(struct str *s, const struct nlmsghdr *h)
{
    const struct tcmsg *tc = NLMSG_DATA(h);
    const char *kind = "";

    str_puts(s, h->nlmsg_type == RTM_NEWQDISC ? "qdisc" : h->nlmsg_type == RTM_NEWTCLASS ? "class" : "?");
    str_putf(s, " %x:%x", tc->tcm_handle >> 16, tc->tcm_handle & 0xffff);
    str_putf(s, " in %x", tc->tcm_parent == TC_H_ROOT ? 0 : tc->tcm_parent & 0xffff);
    for (size_t at = NLMSG_LENGTH(sizeof *tc); at < h->nlmsg_len;) {
        const struct nlattr *a = (const void *) ((const char *) h + at);

        if (a->nla_type == TCA_KIND) {
            kind = (const char *) a + NLA_HDRLEN;
            str_putf(s, " %s", kind);
        } else {
            assert_int_equal(a->nla_type & NLA_TYPE_MASK, TCA_OPTIONS);
            put_options(s, kind, a);
        }
        at += NLA_ALIGN(a->nla_len);
    }
    str_puts(s, "\n");
}

/* What is asked of the kernel for 'c', to be completed. */
static void
check(const char *type, struct tc_config *c, const char *wanted)
{
    struct rtnl_tc_batch b;
    struct str s;
    size_t at = 0;

    c->kind = tc_kind_find(type);
    c->mtu = c->mtu ? c->mtu : 1500;
    assert_non_null(c->kind);
    assert_int_equal(c->kind->complete(c, "p", UINT64_C(10) * GIGABIT), 0);
    rtnl_tc_batch_init(&b);
    c->kind->put_root(&b, 7, c);
    if (c->kind->put_class) {
        c->kind->put_class(&b, 7, c, NULL);
        for (size_t i = 0; i < c->n_queues; i++) {
            c->kind->put_class(&b, 7, c, &c->queues[i]);
        }
    }
    str_init(&s);
    for (unsigned int i = 0; i < b.n; i++) {
        const struct nlmsghdr *h = (const void *) (b.buffer + at);

        assert_int_equal(((const struct tcmsg *) NLMSG_DATA(h))->tcm_ifindex, 7);
        put_request(&s, h);
        at += NLMSG_ALIGN(h->nlmsg_len);
    }
    assert_int_equal(at, b.used);
    assert_string_equal(str_text(&s), wanted);
    str_uninit(&s);
    rtnl_tc_batch_uninit(&b);
}

/* --- Tests --- */

static void
htb_has_a_class_for_all_and_one_for_each_queue(void **state UNUSED)
{
    struct netdev_queue_config q[] = {
        { .number = 0, .shaping = { .min_rate = 1000000 } },
        { .number = 3, .shaping = { .min_rate = 2000000, .max_rate = 5000000, .burst = 80000, .priority = 7 } },
    };
    struct tc_config c = { .shaping = { .max_rate = 10000000 }, .n_queues = 2, .queues = q };

    check("linux-htb", &c,
          "qdisc 1:0 in 0 htb init=3,10,1\n"
          "class 1:fffe in 0 htb rate=1250000/3/60 ceil=1250000/3/60 buffers=18750,18750 quantum=0 prio=0"
          " [750,1000..25600] [750,1000..25600]\n"
          "class 1:1 in fffe htb rate=125000/3/60 ceil=1250000/3/60 buffers=195500,19550 quantum=0 prio=0"
          " [7500,10000..256000] [750,1000..25600]\n"
          "class 1:4 in fffe htb rate=250000/3/60 ceil=625000/3/60 buffers=625000,250000 quantum=0 prio=7"
          " [3750,5000..128000] [1500,2000..51200]\n");
    assert_int_equal(tc_priority(3), 0x10004);
}

static void
htb_without_rates_has_the_link_s_and_a_packet_a_second(void **state UNUSED)
{
    struct netdev_queue_config q[] = { { .number = 0 } };
    struct tc_config c = { .n_queues = 1, .queues = q };

    check("linux-htb", &c,
          "qdisc 1:0 in 0 htb init=3,10,1\n"
          "class 1:fffe in 0 htb rate=1250000000/3/60 ceil=1250000000/3/60 buffers=18,18 quantum=0 prio=0"
          " [0,1..25] [0,1..25]\n"
          "class 1:1 in fffe htb rate=1500/3/60 ceil=1250000000/3/60 buffers=16291666,19 quantum=1500 prio=0"
          " [625000,833333..21333333] [0,1..25]\n");
    assert_int_equal(q[0].shaping.burst, 12512);
    assert_int_equal(q[0].shaping.min_rate, 12000);
}

static void
htb_goes_by_the_mtu(void **state UNUSED)
{
    struct netdev_queue_config q[] = { { .number = 0 } };
    struct tc_config c = { .mtu = 9000, .shaping = { .max_rate = 1000000 }, .n_queues = 1, .queues = q };

    check("linux-htb", &c,
          "qdisc 1:0 in 0 htb init=3,10,1\n"
          "class 1:fffe in 0 htb rate=125000/6/60 ceil=125000/6/60 buffers=1125000,1125000 quantum=0 prio=0"
          " [8000,80000..2048000] [8000,80000..2048000]\n"
          "class 1:1 in fffe htb rate=9000/6/60 ceil=125000/6/60 buffers=15736111,1133000 quantum=9000 prio=0"
          " [111111,1111111..28444444] [8000,80000..2048000]\n");
}

/* A queue has at most what all have, and may have what it is sure of. */
static void
htb_s_queues_fit_into_the_whole(void **state UNUSED)
{
    struct netdev_queue_config q[] = {
        { .number = 0, .shaping = { .min_rate = 2000000 } }, { .number = 1, .shaping = { .max_rate = 3000000 } },
        { .number = 2, .shaping = { .min_rate = 900000, .max_rate = 500000, .burst = 12519 } },
        { .number = 3, .shaping = { .burst = UINT64_MAX, .priority = UINT64_MAX } },
    };
    struct tc_config c = { .shaping = { .max_rate = 1000000 }, .n_queues = 4, .queues = q, .mtu = 1500 };

    assert_int_equal(tc_kind_find("linux-htb")->complete(&c, "p", GIGABIT), 0);
    assert_int_equal(q[0].shaping.min_rate, 1000000);
    assert_int_equal(q[0].shaping.max_rate, 1000000);
    assert_int_equal(q[1].shaping.max_rate, 1000000);
    assert_int_equal(q[2].shaping.min_rate, 900000);
    assert_int_equal(q[2].shaping.max_rate, 900000);
    assert_int_equal(q[2].shaping.burst, 12512);
    assert_int_equal(q[3].shaping.burst, (uint64_t) UINT32_MAX * 8);
    assert_int_equal(q[3].shaping.priority, UINT32_MAX);
}

/* Not so in Debian's 3.1, which cuts rates off at 32 bits of bytes a second. */
static void
htb_has_rates_of_more_than_32_bits(void **state UNUSED)
{
    struct netdev_queue_config q[] = { { .number = 0, .shaping = { .min_rate = 8 } } };
    struct tc_config c = { .shaping = { .max_rate = 40 * UINT64_C(1000000000) }, .n_queues = 1, .queues = q };

    check("linux-htb", &c,
          "qdisc 1:0 in 0 htb init=3,10,1\n"
          "class 1:fffe in 0 htb rate=4294967295/3/60 ceil=4294967295/3/60 buffers=4,4 quantum=0 prio=0"
          " 64:5000000000 64:5000000000 [0,0..6] [0,0..6]\n"
          "class 1:1 in fffe htb rate=1500/3/60 ceil=4294967295/3/60 buffers=16291666,4 quantum=1500 prio=0"
          " 64:5000000000 [625000,833333..21333333] [0,0..6]\n");
}

static void
htb_has_any_rate(void **state UNUSED)
{
    struct netdev_queue_config q[] = { { .number = 0, .shaping = { .min_rate = UINT64_MAX, .max_rate = 1 } } };
    struct tc_config most = { .shaping = { .max_rate = UINT64_MAX }, .n_queues = 1, .queues = q, .mtu = UINT32_MAX };
    struct tc_config least = { .shaping = { .max_rate = 1 }, .n_queues = 1, .queues = q, .mtu = 68 };
    struct tc_config *all[] = { &most, &least };
    struct rtnl_tc_batch b;

    rtnl_tc_batch_init(&b);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        all[i]->kind = tc_kind_find("linux-htb");
        assert_int_equal(all[i]->kind->complete(all[i], "p", GIGABIT), 0);
        all[i]->kind->put_class(&b, 1, all[i], NULL);
        all[i]->kind->put_class(&b, 1, all[i], &q[0]);
    }
    assert_int_equal(most.shaping.max_rate, UINT64_MAX - 7);
    assert_int_equal(least.shaping.max_rate, 8);
    assert_int_equal(b.n, 4);
    rtnl_tc_batch_uninit(&b);
}

static void
hfsc_has_curves(void **state UNUSED)
{
    struct netdev_queue_config q[] = {
        { .number = 0 }, { .number = 1, .shaping = { .min_rate = 4000000, .max_rate = 3000000 } },
        { .number = 3, .shaping = { .min_rate = 2000000, .max_rate = 8000000, .burst = 5, .priority = 5 } },
    };
    struct tc_config c = { .shaping = { .max_rate = 10000000 }, .n_queues = 3, .queues = q };

    check("linux-hfsc", &c,
          "qdisc 1:0 in 0 hfsc default=1\n"
          "class 1:fffe in 0 hfsc 1: 0 0 1250000 2: 0 0 1250000 3: 0 0 1250000\n"
          "class 1:1 in fffe hfsc 1: 0 0 1 2: 0 0 1 3: 0 0 1250000\n"
          "class 1:2 in fffe hfsc 1: 0 0 500000 2: 0 0 500000 3: 0 0 500000\n"
          "class 1:4 in fffe hfsc 1: 0 0 250000 2: 0 0 250000 3: 0 0 1000000\n");
}

static void
sfq_has_a_quantum_and_a_period(void **state UNUSED)
{
    check("linux-sfq", &(struct tc_config) { .mtu = 1400 }, "qdisc 1:0 in 0 sfq 1400 10 0 0 0\n");
    check("linux-sfq", &(struct tc_config) { .shaping = { .quantum = 3000, .perturb = 5, .limit = 9 } },
          "qdisc 1:0 in 0 sfq 3000 5 0 0 0\n");
    check("linux-sfq", &(struct tc_config) { .shaping = { .quantum = UINT64_MAX, .perturb = UINT64_MAX } },
          "qdisc 1:0 in 0 sfq 4294967295 2147483647 0 0 0\n");
}

static void
codel_has_target_limit_and_interval(void **state UNUSED)
{
    check("linux-codel", &(struct tc_config) { .mtu = 0 }, "qdisc 1:0 in 0 codel 1: 5000 2: 10240 3: 100000\n");
    check("linux-codel",
          &(struct tc_config) { .shaping = { .target = 10000, .limit = 100, .interval = 50000, .flows = 3 } },
          "qdisc 1:0 in 0 codel 1: 10000 2: 100 3: 50000\n");
}

static void
fq_codel_has_flows_too(void **state UNUSED)
{
    check("linux-fq_codel", &(struct tc_config) { .mtu = 1400 },
          "qdisc 1:0 in 0 fq_codel 1: 5000 2: 10240 3: 1000000 5: 1024 6: 1514\n");
    check("linux-fq_codel",
          &(struct tc_config) { .shaping = { .target = 10000, .limit = 100, .interval = 50000, .flows = 16,
                                             .quantum = 300 } },
          "qdisc 1:0 in 0 fq_codel 1: 10000 2: 100 3: 50000 5: 16 6: 300\n");
}

static void
netem_has_delay_and_loss(void **state UNUSED)
{
    struct tc_config c = { .kind = NULL };

    check("linux-netem", &c, "qdisc 1:0 in 0 netem 0 1000 0 0 0 0\n");
    check("linux-netem", &(struct tc_config) { .shaping = { .latency = 2000, .limit = 10, .loss = 50 } },
          "qdisc 1:0 in 0 netem 31250 10 2147483647 0 0 0\n");
    check("linux-netem", &(struct tc_config) { .shaping = { .latency = 999999, .loss = 3 } },
          "qdisc 1:0 in 0 netem 15624984 1000 128849018 0 0 0\n");
    /* Of later releases: jitter. */
    check("linux-netem", &(struct tc_config) { .shaping = { .latency = 1, .jitter = 2000, .loss = 100 } },
          "qdisc 1:0 in 0 netem 15 1000 4294967295 0 0 31250\n");
    check("linux-netem", &(struct tc_config) { .shaping = { .latency = UINT64_MAX } },
          "qdisc 1:0 in 0 netem 4294967281 1000 0 0 0 0\n");
    c.shaping.loss = 101;
    assert_int_equal(tc_kind_find("linux-netem")->complete(&c, "p", GIGABIT), -EINVAL);
}

static void
noop_is_a_type_without_anything(void **state UNUSED)
{
    assert_null(tc_kind_find("linux-noop")->name);
    assert_null(tc_kind_find("noop"));
    for (size_t i = 0; tc_types[i]; i++) {
        assert_string_equal(tc_kind_find(tc_types[i])->type, tc_types[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(htb_has_a_class_for_all_and_one_for_each_queue),
        cmocka_unit_test(htb_without_rates_has_the_link_s_and_a_packet_a_second),
        cmocka_unit_test(htb_goes_by_the_mtu),
        cmocka_unit_test(htb_s_queues_fit_into_the_whole),
        cmocka_unit_test(htb_has_rates_of_more_than_32_bits),
        cmocka_unit_test(htb_has_any_rate),
        cmocka_unit_test(hfsc_has_curves),
        cmocka_unit_test(sfq_has_a_quantum_and_a_period),
        cmocka_unit_test(codel_has_target_limit_and_interval),
        cmocka_unit_test(fq_codel_has_flows_too),
        cmocka_unit_test(netem_has_delay_and_loss),
        cmocka_unit_test(noop_is_a_type_without_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
