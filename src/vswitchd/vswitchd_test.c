#include "vswitchd/cfg.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strmap.h"
#include "ofproto/xbridge.h"
#include "vswitchd/identity.h"
#include "vswitchd/vlan.h"

struct wanted {
    int64_t size, age;
    bool on, off;
    int colour;
    const char *name;
    struct eth_addr mac;
    uint64_t dpid;
};

static const char *const colours[] = { "red", "green", NULL };
static const struct cfg_key keys[] = {
    { "size", CFG_INT, offsetof(struct wanted, size), .def = 7, .min = 5, .max = 10, .bad = CFG_DEFAULT },
    { "age", CFG_INT, offsetof(struct wanted, age), .def = 300, .min = 15, .max = 3600, .bad = CFG_CLAMP },
    { "on", CFG_BOOL, offsetof(struct wanted, on), .def = true },
    { "off", CFG_BOOL, offsetof(struct wanted, off), .def = false },
    { "colour", CFG_ENUM, offsetof(struct wanted, colour), .def = 1, .names = colours },
    { "name", CFG_TEXT, offsetof(struct wanted, name) },
    { "mac", CFG_MAC, offsetof(struct wanted, mac) },
    { "dpid", CFG_DPID, offsetof(struct wanted, dpid) },
};

static const char *
get(const void *aux, const char *key)
{
    return strmap_get(aux, key);
}

static void
count_report(void *aux, const char *text)
{
    assert_non_null(strchr(text, ':'));
    ++*(int *) aux;
}

static struct wanted
read_pairs(const char *const pairs[][2], size_t n, int *n_reports)
{
    struct strmap map = STRMAP_INIT(&map);
    struct cfg_source source = { get, &map };
    struct wanted w;

    memset(&w, 0xee, sizeof w);
    *n_reports = 0;
    for (size_t i = 0; i < n; i++) {
        (void) !strmap_put(&map, pairs[i][0], (void *) pairs[i][1]);
    }
    cfg_read(&w, keys, ARRAY_SIZE(keys), &source, count_report, n_reports);
    strmap_uninit(&map);
    return w;
}

static void
keys_that_are_absent_have_their_defaults(void **state UNUSED)
{
    int n;
    struct wanted w = read_pairs(NULL, 0, &n);

    assert_int_equal(n, 0);
    assert_int_equal(w.size, 7);
    assert_int_equal(w.age, 300);
    assert_true(w.on);
    assert_false(w.off);
    assert_int_equal(w.colour, 1);
    assert_null(w.name);
    assert_true(eth_addr_is_zero(w.mac));
    assert_int_equal(w.dpid, 0);
}

static void
good_values_are_read(void **state UNUSED)
{
    static const char *const pairs[][2] = {
        { "size", "5" }, { "age", "3600" }, { "on", "FALSE" }, { "off", "true" }, { "colour", "red" },
        { "name", "x" }, { "mac", "00:11:22:33:44:55" }, { "dpid", "00000000000000aB" },
    };
    int n;
    struct wanted w = read_pairs(pairs, ARRAY_SIZE(pairs), &n);

    assert_int_equal(n, 0);
    assert_int_equal(w.size, 5);
    assert_int_equal(w.age, 3600);
    assert_false(w.on);
    assert_true(w.off);
    assert_int_equal(w.colour, 0);
    assert_string_equal(w.name, "x");
    assert_int_equal(eth_addr_to_u64(w.mac), 0x001122334455);
    assert_int_equal(w.dpid, 0xab);
}

static void
bad_values_are_reported_and_replaced(void **state UNUSED)
{
    static const char *const pairs[][2] = {
        { "size", "11" }, { "age", "14" }, { "colour", "blue" }, { "mac", "00:11:22:33:44" }, { "dpid", "junk" },
    };
    int n;
    struct wanted w = read_pairs(pairs, ARRAY_SIZE(pairs), &n);

    assert_int_equal(n, 5);
    assert_int_equal(w.size, 7);  /* Rejected: the default. */
    assert_int_equal(w.age, 15);  /* Clamped: the bound. */
    assert_int_equal(w.colour, 1);
    assert_true(eth_addr_is_zero(w.mac));
    assert_int_equal(w.dpid, 0);
}

static void
numbers_must_be_numbers(void **state UNUSED)
{
    static const char *const bad[] = { "", "x", "5x", "5 ", "99999999999999999999" };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *const pairs[][2] = { { "size", bad[i] } };
        int n;

        assert_int_equal(read_pairs(pairs, 1, &n).size, 7);
        assert_int_equal(n, 1);
    }
}

static void
datapath_ids_have_16_digits_or_a_prefix(void **state UNUSED)
{
    uint64_t dpid;

    assert_true(cfg_parse_dpid("0xaa", &dpid));
    assert_int_equal(dpid, 0xaa);
    assert_true(cfg_parse_dpid("ffffffffffffffff", &dpid));
    assert_int_equal(dpid, UINT64_MAX);
    assert_false(cfg_parse_dpid("aa", &dpid));
    assert_false(cfg_parse_dpid("0000000000000000", &dpid));
    assert_false(cfg_parse_dpid("0x0", &dpid));
    assert_false(cfg_parse_dpid("0xfffffffffffffffff", &dpid));
    assert_false(cfg_parse_dpid("-000000000000001", &dpid));
}

static void
the_lowest_global_address_names_the_bridge(void **state UNUSED)
{
    static const uint64_t candidates[] = {
        0x001122334455, 0x020000000001 /* local */, 0x010000000001 /* multicast */, 0, 0x001122334444, 0x00ff00000000,
    };
    struct eth_addr best = { { 0 } };

    for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
        best = identity_lower_mac(best, eth_addr_from_u64(candidates[i]));
    }
    assert_int_equal(eth_addr_to_u64(best), 0x001122334444);
}

static void
the_default_address_comes_from_the_uuid(void **state UNUSED)
{
    struct uuid u;
    struct eth_addr a;

    assert_true(uuid_parse(&u, "7f56ddf5-433a-459c-aaaa-cafae564e175"));
    a = identity_default_mac(&u);
    assert_int_equal(eth_addr_to_u64(a), 0xf6dd567f9c45);
    assert_int_equal(identity_dpid(0, a), 0xf6dd567f9c45);
    assert_int_equal(identity_dpid(5, a), 5);
}

static bool
carries(const uint64_t *bits, int vlan)
{
    return !bits || bits[vlan / 64] >> vlan % 64 & 1;
}

static void
a_tag_alone_makes_an_access_port(void **state UNUSED)
{
    struct vlan_cfg c;

    vlan_cfg_init(&c, NULL, 5, (int64_t[]) { 7 }, 1, NULL, 0);
    assert_int_equal(c.mode, XVLAN_ACCESS);
    assert_int_equal(c.vlan, 5);
    assert_null(c.trunks);
    vlan_cfg_init(&c, NULL, -1, NULL, 0, NULL, 0);
    assert_int_equal(c.mode, XVLAN_TRUNK);
    assert_int_equal(c.vlan, -1);
    assert_null(c.trunks);
}

static void
trunks_limit_what_a_trunk_carries(void **state UNUSED)
{
    struct vlan_cfg c;

    vlan_cfg_init(&c, "trunk", 9, (int64_t[]) { 0, 4095, 70 }, 3, NULL, 0);
    assert_int_equal(c.mode, XVLAN_TRUNK);
    assert_int_equal(c.vlan, -1);
    assert_true(carries(c.trunks, 0) && carries(c.trunks, 70) && carries(c.trunks, 4095));
    assert_false(carries(c.trunks, 9) || carries(c.trunks, 71));
}

static void
a_native_vlan_is_always_carried(void **state UNUSED)
{
    struct vlan_cfg c;

    vlan_cfg_init(&c, "native-untagged", 9, (int64_t[]) { 70 }, 1, NULL, 0);
    assert_int_equal(c.mode, XVLAN_NATIVE_UNTAGGED);
    assert_true(carries(c.trunks, 9) && carries(c.trunks, 70));
    assert_false(carries(c.trunks, 10));
    vlan_cfg_init(&c, "native-tagged", -1, NULL, 0, NULL, 0);
    assert_int_equal(c.vlan, 0);
    assert_null(c.trunks);
}

static void
a_tunnel_port_has_customer_vlans(void **state UNUSED)
{
    struct vlan_cfg c;

    vlan_cfg_init(&c, "dot1q-tunnel", 100, NULL, 0, (int64_t[]) { 3 }, 1);
    assert_int_equal(c.mode, XVLAN_DOT1Q_TUNNEL);
    assert_int_equal(c.vlan, 100);
    assert_true(carries(c.cvlans, 3));
    assert_false(carries(c.cvlans, 4));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_are_absent_have_their_defaults),
        cmocka_unit_test(good_values_are_read),
        cmocka_unit_test(bad_values_are_reported_and_replaced),
        cmocka_unit_test(numbers_must_be_numbers),
        cmocka_unit_test(datapath_ids_have_16_digits_or_a_prefix),
        cmocka_unit_test(the_lowest_global_address_names_the_bridge),
        cmocka_unit_test(the_default_address_comes_from_the_uuid),
        cmocka_unit_test(a_tag_alone_makes_an_access_port),
        cmocka_unit_test(trunks_limit_what_a_trunk_carries),
        cmocka_unit_test(a_native_vlan_is_always_carried),
        cmocka_unit_test(a_tunnel_port_has_customer_vlans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
