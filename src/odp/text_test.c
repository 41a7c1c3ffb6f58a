#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/random.h"
#include "odp/text.h"

/* Texts as the reference's dpctl/dump-flows prints them for what dpctl/add-flow was given. */
static const struct {
    const char *in;
    const char *brief; /* Null: as 'in'. */
} flows[] = {
    { "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:01,"
      "dst=00:00:00:00:00:02/ff:00:00:00:00:00),"
      "eth_type(0x1234)", NULL },
    { "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(),eth_type(0x0800),"
      "ipv4(proto=17,tos=0x20/0xfc,frag=no),udp(src=5/0xff,dst=7)",
      /* The reference keeps the eth() of a flow that was put in by hand. */
      "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),"
      "ipv4(proto=17,tos=0x20/0xfc,frag=no),udp(src=5/0xff,dst=7)" },
    { "in_port(1),eth(),eth_type(0x0800),ipv4(proto=17),udp()", "recirc_id(0),in_port(1),eth(),eth_type(0x0800),"
      "ipv4(proto=17)" },
    { "in_port(1),eth(),eth_type(0x0800),ipv4()", "recirc_id(0),in_port(1),eth(),eth_type(0x0800)" },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x8100),vlan(vid=5/0xff),encap(eth_type(0x0800))", NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x8100),vlan(vid=5,pcp=0),encap(eth_type(0x0800),ipv4(frag=no))",
      NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x8100),vlan(vid=5/0x0),encap(eth_type(0x0800))", NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x88a8),vlan(vid=5,pcp=0),encap(eth_type(0x8100),vlan(vid=6,pcp=1),"
      "encap(eth_type(0x0800),ipv4(frag=no)))", NULL },
    { "skb_mark(0x6),ct_state(+trk+new-est),ct_zone(5),ct_label(0x55),dp_hash(0x5/0xf),in_port(1),eth(),"
      "eth_type(0x1234)",
      "skb_mark(0x6),ct_state(+new-est+trk),ct_zone(0x5),ct_label(0x55),recirc_id(0),dp_hash(0x5/0xf),in_port(1),"
      "eth(),"
      "eth_type(0x1234)" },
    { "skb_mark(0),ct_state(-trk),ct_zone(0),ct_mark(0),ct_label(0),recirc_id(0),dp_hash(0),in_port(1),eth(),"
      "eth_type(0x1234)", NULL },
    { "skb_mark(0x0),ct_state(0x0/0xff),in_port(1),eth(),eth_type(0x1234)",
      "skb_mark(0),ct_state(-new-est-rel-rpl-inv-trk-snat-dnat),recirc_id(0),in_port(1),eth(),eth_type(0x1234)" },
    { "in_port(1),eth(),eth_type(0x0800),ipv4(proto=6),tcp(src=1),tcp_flags(0x12/0xfff)",
      "recirc_id(0),in_port(1),eth(),eth_type(0x0800),ipv4(proto=6),tcp(src=1),tcp_flags(syn|ack)" },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x0800),ipv4(proto=6),tcp(src=1),tcp_flags(+syn-ack)", NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x0800),ipv4(proto=6),tcp(src=1),tcp_flags(0)", NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=later)", NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x86dd),ipv6(label=0,proto=58,tclass=0x5/0xfc),icmpv6(type=135,code=0),"
      "nd(target=fe80::2,sll=00:00:00:00:00:05)", NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x8847),mpls(label=5/0xff,tc=0/0,ttl=6/0x0,bos=1/1)", NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x8847),mpls(label=5,tc=1,ttl=64,bos=0,label=6,tc=1,ttl=64,bos=1)",
      NULL },
    { "recirc_id(0),in_port(1),eth(),eth_type(0x0806),arp(sip=1.2.3.4,op=1,"
      "tha=00:00:00:00:00:01/ff:ff:ff:ff:ff:00)", NULL },
    { "in_port(1),eth(),eth_type(0x1234/0)", "recirc_id(0),in_port(1),eth()" },
    { "tunnel(tun_id=0x5/0xf,src=1.1.1.1/255.0.0.0,dst=2.2.2.2,tos=0,ttl=64,flags(-df+csum+key)),in_port(1),eth(),"
      "eth_type(0x1234)",
      "tunnel(tun_id=0x5/0xf,src=1.1.1.1/255.0.0.0,dst=2.2.2.2,ttl=64,flags(-df+csum+key)),recirc_id(0),"
      "in_port(1),eth(),"
      "eth_type(0x1234)" },
    { "tunnel(tun_id=0x5,ipv6_src=::1,ipv6_dst=::2,ttl=64,flags(key)),recirc_id(0),in_port(1),eth(),"
      "eth_type(0x1234)", NULL },
    { "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,vxlan(gbp(id=5,flags=0x8)),flags(key)),recirc_id(0),"
      "in_port(1),"
      "eth(),eth_type(0x1234)", NULL },
    { "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,gtpu(flags=0x30,msgtype=255),flags(key)),recirc_id(0),"
      "in_port(1),"
      "eth(),eth_type(0x1234)", NULL },
    { "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,geneve({class=0xffff,type=0x80,len=4,0xa/0xf}),flags(key)),"
      "recirc_id(0),in_port(1),eth(),eth_type(0x1234)", NULL },
    { "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,geneve({class=0xffff,type=0x80,len=4,0xa}{class=0xffff,"
      "type=0x81,len=0}),flags(key)),recirc_id(0),in_port(1),eth(),eth_type(0x1234)", NULL },
    { "recirc_id(0x5),in_port(1),packet_type(ns=1,id=0x800),eth_type(0x0800),ipv4(proto=6)", NULL },
    { "in_port(p1), eth() eth_type(0x1234)", "recirc_id(0),in_port(1),eth(),eth_type(0x1234)" },
};

static const char *
name_of(const struct odp_names *names UNUSED, odp_port port)
{
    return port.n == 1 ? "p1" : port.n == 2 ? "p2" : NULL;
}

static bool
find_name(const struct odp_names *names UNUSED, const char *name, odp_port *port)
{
    *port = ODP_PORT(!strcmp(name, "p1") ? 1 : 2);
    return !strcmp(name, "p1") || !strcmp(name, "p2");
}

static const struct odp_names names = { name_of, find_name };

static void
flows_print_as_the_reference_prints_them(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
        struct flow key, mask;
        struct str s = STR_INIT;
        struct error *e = odp_flow_parse(flows[i].in, &names, &key, &mask);

        if (e) {
            fail_msg("%s: %s", flows[i].in, error_text(e));
        }
        odp_flow_format(&s, &key, &mask, NULL, false);
        assert_string_equal(str_text(&s), flows[i].brief ? flows[i].brief : flows[i].in);
        str_uninit(&s);
    }
}

static void
a_verbose_flow_shows_what_is_wildcarded(void **state UNUSED)
{
    struct str s = STR_INIT;
    struct flow key, mask;

    assert_null(odp_flow_parse("in_port(1),eth(),eth_type(0x8100),vlan(vid=0/0,pcp=3),encap(eth_type(0x0806),arp())",
                               NULL, &key, &mask));
    odp_flow_format(&s, &key, &mask, &names, true);
    assert_string_equal(str_text(&s),
        "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/0),recirc_id(0),"
        "dp_hash(0/0),"
        "in_port(p1),packet_type(ns=0/0,id=0/0),eth(src=00:00:00:00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/"
        "00:00:00:00:00:00),eth_type(0x8100),vlan(vid=0/0x0,pcp=3),encap(eth_type(0x0806),arp(sip=0.0.0.0/0.0.0.0,"
        "tip=0.0.0.0/0.0.0.0,op=0/0,sha=00:00:00:00:00:00/00:00:00:00:00:00,"
        "tha=00:00:00:00:00:00/00:00:00:00:00:00))");
    str_uninit(&s);
}

static void
a_flow_without_a_tag_is_not_one_with_a_tag(void **state UNUSED)
{
    struct flow key, mask;

    assert_null(odp_flow_parse("in_port(1),eth(),eth_type(0x1234)", NULL, &key, &mask));
    assert_int_equal(mask.vlan_tci, BE16_MAX);
    assert_null(odp_flow_parse("in_port(1),eth(),eth_type(0x8100),vlan(vid=7),encap(eth_type(0x1234))", NULL,
    &key, &mask));
    assert_int_equal(key.vlan_tci, BE16(0x1007));
    assert_int_equal(mask.vlan_tci, BE16(0x1fff));
    assert_int_equal(key.eth_type, BE16(0x1234));
    assert_int_equal(key.vlan_tpid, BE16(0x8100));
}

static void
wrong_flows_are_refused_with_the_place(void **state UNUSED)
{
    static const char *const wrong[] = {
        "foo(5)", "in_port(nope)", "eth(src=zz)", "eth(src=00:00:00:00:00:01", "recirc_id(0x5/)", "ipv4(proto=256)",
        "vlan(vid=4096)", "ct_state(+foo)", "tcp_flags(syn|)", "mpls(label=1)", "encap(", "tunnel(src=1.1.1.1",
        "tunnel(geneve({class=0xffff,type=0x80,len=200,0xa}))", "ipv4(frag=maybe)", "packet_type(ns=2,id=5)",
        "encap(encap(encap(eth())))", "vlan(vid=5,cfi=0)",
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char *text = xasprintf("in_port(1),%s", wrong[i]), *expected = xasprintf("syntax error at %s", wrong[i]);
        struct flow key, mask;
        struct error *e = odp_flow_parse(text, NULL, &key, &mask);

        assert_non_null(e);
        if (!strstr(wrong[i], "encap(enc") && !strstr(wrong[i], "encap(")) {
            assert_string_equal(error_text(e), expected);
        }
        error_free(e);
        free(text);
        free(expected);
    }
}

static const struct {
    const char *in, *out; /* 'out' null: as 'in'. */
} actions[] = {
    { "drop", NULL }, { "", "drop" }, { "1,2,3", NULL }, { "p1,p2,77", "1,2,77" }, { "userspace(pid=5)", NULL },
    { "userspace(pid=5,userdata(0102030405))", NULL },
    { "userspace(pid=5,slow_path(0x3))", "userspace(pid=5,slow_path(cfm,bfd))" },
    { "userspace(pid=5,slow_path(controller,action))", NULL },
    { "userspace(pid=5,sFlow(vid=9,pcp=7,output=2),actions)", NULL },
    { "userspace(pid=5,flow_sample(probability=123,collector_set_id=1234,obs_domain_id=2345,obs_point_id=3456,"
      "output_port=10,ingress))", NULL },
    { "userspace(pid=5,flow_sample(probability=123,collector_set_id=1234,obs_domain_id=2345,obs_point_id=3456,"
      "output_port=10))", NULL },
    { "userspace(pid=5,ipfix(output_port=10),tunnel_out_port=10)", NULL },
    { "userspace(pid=5,controller(reason=1,dont_send=0,continuation=0,recirc_id=5,rule_cookie=0x12,controller_id=0,"
      "max_len=65535),actions,tunnel_out_port=4)", NULL },
    { "set(eth(src=00:01:02:03:04:05,dst=00:11:12:13:14:15))", NULL },
    { "set(eth(src=00:01:02:03:04:05/ff:00:00:00:00:00))", "set(eth(src=00:00:00:00:00:00/ff:00:00:00:00:00))" },
    { "set(ipv4(src=1.2.3.4,ttl=5,tos=0x3/0x3,dst=5.5.5.0/255.255.255.0))",
      "set(ipv4(src=1.2.3.4,dst=5.5.5.0/255.255.255.0,tos=0x3/0x3,ttl=5))" },
    { "set(ipv6(src=::1,label=0x5,tclass=0x3,hlimit=9))", NULL }, { "set(tcp(src=1,dst=2))", NULL },
    { "set(udp(src=1/0xff))", NULL }, { "set(sctp(src=1))", NULL }, { "set(icmp(type=1))", NULL },
    { "set(arp(sip=1.1.1.1,op=2))", NULL }, { "set(nd(target=::5,sll=00:00:00:00:00:01))", NULL },
    { "set(nd_ext(nd_reserved=0x5,nd_options_type=1))", NULL }, { "set(mpls(label=5,tc=1,ttl=6,bos=1))", NULL },
    { "set(skb_mark(0x5))", NULL }, { "set(skb_mark(0x5/0xff))", NULL }, { "set(skb_priority(0x5))", NULL },
    { "push_vlan(vid=5,pcp=1)", NULL }, { "push_vlan(tpid=0x88a8,vid=5,pcp=1,cfi=0)", NULL }, { "pop_vlan", NULL },
    { "push_mpls(label=10,tc=0,ttl=64,bos=1,eth_type=0x8847)", NULL }, { "pop_mpls(eth_type=0x800)", NULL },
    { "push_eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)", NULL }, { "pop_eth", NULL }, { "pop_nsh()", NULL },
    { "recirc(0x5)", NULL }, { "hash(l4(0)),recirc(0x1)", NULL }, { "hash(sym_l4(0))", NULL },
      { "sample(sample=10.0%,actions(1,2))", NULL },
    { "clone(1,2)", NULL }, { "clone(clone(1),2)", NULL }, { "trunc(100),1", NULL },
    { "check_pkt_len(size=200,gt(1),le(2))", NULL }, { "check_pkt_len(size=200,gt(drop),le(ct(commit)))", NULL },
    { "ct", NULL }, { "ct()", "ct" }, { "ct(commit)", NULL },
    { "ct(force_commit,zone=5,mark=0x5/0xff,label=0x5/0xff,helper=ftp,timeout=ovs_tp_0,nat)", NULL },
    { "ct(commit,nat(src=1.1.1.1-1.1.1.5:10-20,persistent,random))", NULL },
    { "ct(nat(dst=[::1]-[::5]:10))", NULL }, { "ct(nat(dst=1.1.1.1))", NULL }, { "ct(commit,nat(src=::1))", NULL },
    { "ct(commit,nat(src=fe80::1,persistent))", NULL }, { "ct_clear,1", NULL }, { "meter(5)", NULL },
    { "lb_output(5)", NULL },
};

static void
actions_print_as_the_reference_prints_them(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        struct bytes b = BYTES_INIT;
        struct str s = STR_INIT;
        struct error *e = odp_actions_parse(actions[i].in, &names, &b);

        if (e) {
            fail_msg("%s: %s", actions[i].in, error_text(e));
        }
        odp_actions_format(&s, b.data, b.len, NULL);
        assert_string_equal(str_text(&s), actions[i].out ? actions[i].out : actions[i].in);
        str_uninit(&s);
        bytes_uninit(&b);
    }
}

static void
an_echo_has_all_members_and_says_how_a_key_fits(void **state UNUSED)
{
    static const struct { const char *in, *out; enum odp_fit fit; } keys[] = {
        { "", "<empty>", ODP_FIT_PERFECT },
        { "eth_type(0x0806),arp(op=1)",
          "eth_type(0x0806),arp(sip=0.0.0.0,tip=0.0.0.0,op=1,sha=00:00:00:00:00:00,tha=00:00:00:00:00:00)",
          ODP_FIT_PERFECT },
        { "eth_type(0x88a8),vlan(vid=9,pcp=0),encap(eth_type(0x8100),vlan(vid=5,pcp=1),encap(eth_type(0x1234)))", NULL,
          ODP_FIT_PERFECT },
        { "eth_type(0x8100),vlan(vid=9,pcp=0)", NULL, ODP_FIT_TOO_LITTLE },
        { "eth_type(0x8100),encap()", NULL, ODP_FIT_TOO_LITTLE },
        { "eth_type(0x8847)", NULL, ODP_FIT_TOO_LITTLE },
        { "eth_type(0x1234),tcp(src=1,dst=2)", NULL, ODP_FIT_TOO_MUCH },
        { "skb_mark(0x1),skb_mark(0x2)", NULL, ODP_FIT_ERROR },
        { "eth_type(0x8100),vlan(vid=9,pcp=0),vlan(vid=9,pcp=0),encap()", NULL, ODP_FIT_ERROR },
    };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct odp_echo echo;
        struct flow key;

        assert_null(odp_flow_echo(keys[i].in, &names, &key, &echo));
        assert_string_equal(str_text(&echo.text), keys[i].out ? keys[i].out : keys[i].in);
        assert_int_equal(echo.fit, keys[i].fit);
        str_uninit(&echo.text);
    }
}

static void
wrong_actions_are_refused(void **state UNUSED)
{
    static const char *const wrong[] = {
        "foo", "1,foo", "set(foo(5))", "clone(1", "trunc()", "push_vlan(vid=5000,pcp=0)", "1)",
        "sample(sample=101%,actions(1))",
        "check_pkt_len(size=1,gt(1))", "ct(foo)", "ct(nat(src=1.1.1.5-1.1.1.1))", "userspace(pid=x)",
        "set(eth(src=1))",
        "set(tunnel(src=1.1.1.1))", "userspace(pid=5,slow_path(foo))", "hash(foo(0))", "recirc(0x5",
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct bytes b = BYTES_INIT;
        struct error *e = odp_actions_parse(wrong[i], NULL, &b);

        if (!e) {
            fail_msg("%s was accepted", wrong[i]);
        }
        error_free(e);
        bytes_uninit(&b);
    }
}

static void
nesting_is_bounded(void **state UNUSED)
{
    struct str s = STR_INIT;
    struct bytes b = BYTES_INIT;
    struct error *e;

    for (int i = 0; i < 10000; i++) {
        str_puts(&s, "clone(");
    }
    e = odp_actions_parse(str_text(&s), NULL, &b);
    assert_non_null(e);
    error_free(e);
    str_uninit(&s);
    bytes_uninit(&b);
}

static void
malformed_actions_print_without_harm(void **state UNUSED)
{
    struct random r;

    random_seed(&r, 5);
    for (int i = 0; i < 20000; i++) {
        struct bytes b = BYTES_INIT;
        struct str s = STR_INIT;
        unsigned int k = random_below(&r, ARRAY_SIZE(actions));

        assert_null(odp_actions_parse(actions[k].in, &names, &b));
        for (unsigned int n = random_below(&r, 6); b.len && n; n--) {
            b.data[random_below(&r, b.len)] = random_below(&r, 4) ? random_below(&r, 40) : random_u64(&r);
        }
        bytes_truncate(&b, b.len - random_below(&r, b.len + 1) / 4);
        odp_actions_format(&s, b.data, b.len, &names);
        str_uninit(&s);
        bytes_uninit(&b);
    }
}

static void
ufids_are_read_from_the_front(void **state UNUSED)
{
    const char *text = "ufid:c01a7110-693f-4752-8730-8ce520f7614c, in_port(1)";
    struct uuid ufid;
    struct str s = STR_INIT;

    assert_true(odp_ufid_parse(&text, &ufid));
    assert_string_equal(text, "in_port(1)");
    odp_ufid_format(&s, &ufid);
    assert_string_equal(str_text(&s), "ufid:c01a7110-693f-4752-8730-8ce520f7614c");
    str_uninit(&s);
    assert_false(odp_ufid_parse(&text, &ufid));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_print_as_the_reference_prints_them),
        cmocka_unit_test(a_verbose_flow_shows_what_is_wildcarded),
        cmocka_unit_test(a_flow_without_a_tag_is_not_one_with_a_tag),
        cmocka_unit_test(wrong_flows_are_refused_with_the_place),
        cmocka_unit_test(actions_print_as_the_reference_prints_them),
        cmocka_unit_test(an_echo_has_all_members_and_says_how_a_key_fits),
        cmocka_unit_test(wrong_actions_are_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(malformed_actions_print_without_harm),
        cmocka_unit_test(ufids_are_read_from_the_front),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
