/* What holds for every row of flow/fields.def, tried with random values and masks: a condition on the field is read
 * from its text as it was, and comes back from a flow-mod of every protocol that can say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/random.h"
#include "flow/match_text.h"
#include "openflow/flow_syntax.h"
#include "openflow/msg/flow.h"
#include "openflow/oxm/registry.h"
#include "sys/log.h"

enum { ROUNDS = 60 };

static struct random rng;

/* What a match must say before it may say something about a field. */
static const char *const prerequisites[] = {
    [PREREQ_NONE] = "",
    [PREREQ_ETHERNET] = "",
    [PREREQ_VLAN_VID] = "dl_vlan=5",
    [PREREQ_MPLS] = "mpls",
    [PREREQ_IPV4] = "ip",
    [PREREQ_IPV6] = "ipv6",
    [PREREQ_IP] = "ip",
    [PREREQ_ARP] = "arp",
    [PREREQ_TCP] = "tcp",
    [PREREQ_UDP] = "udp6",
    [PREREQ_SCTP] = "sctp",
    [PREREQ_ICMPV4] = "icmp",
    [PREREQ_ICMPV6] = "icmp6",
    [PREREQ_ND] = "icmp6,icmp_type=135,icmp_code=0",
    [PREREQ_ND_SOLICIT] = "icmp6,icmp_type=135,icmp_code=0",
    [PREREQ_ND_ADVERT] = "icmp6,icmp_type=136,icmp_code=0",
    [PREREQ_NSH] = "dl_type=0x894f",
    [PREREQ_CT] = "ip,ct_state=+trk+est,ct_nw_proto=6", /* Without a protocol its ports are not sent. */
    [PREREQ_CT_IPV4] = "ip,ct_state=+trk+est",
    [PREREQ_CT_IPV6] = "ipv6,ct_state=+trk+est",
};

static void
parse(const char *match, struct flow_mod *fm, unsigned int *protocols)
{
    struct str s = STR_INIT;
    struct error *e;

    str_putf(&s, "%s%sactions=drop", match, match[0] ? "," : "");
    e = flow_mod_parse(fm, str_text(&s), FM_ADD, NULL, protocols);
    if (e) {
        print_error("%s: %s\n", str_text(&s), error_text(e));
    }
    assert_null(e);
    str_uninit(&s);
}

static char *
print(const struct match *m)
{
    struct str s = STR_INIT;

    match_format(&s, m, NULL, MATCH_DEFAULT_PRIORITY);
    return str_steal(&s);
}

/* A value that can stand in the field. */
static void
random_value(const struct field *f, union field_value *v)
{
    union field_value ones;

    field_value_all_ones(f, &ones);
    for (size_t i = 0; i < sizeof *v; i++) {
        v->bytes[i] = random_u64(&rng) & ones.bytes[i];
    }
    if (f->format == FORMAT_PORT10 || f->format == FORMAT_PORT) {
        field_value_from_u64(f, 1 + random_below(&rng, 0xfeff), v);
    } else if (f->format == FORMAT_PACKET_TYPE) {
        field_value_from_u64(f, 0x10000 + random_below(&rng, 0x10000), v);
    } else if (f->format == FORMAT_FRAG) {
        field_value_from_u64(f, random_below(&rng, 2) ? FLOW_FRAG_ANY | FLOW_FRAG_LATER : FLOW_FRAG_ANY, v);
    } else if (f->id == FIELD_NSH_TTL) {
        v->bytes[0] &= 63; /* Of the header's six bits. */
    } else if (f->id == FIELD_NSH_MDTYPE) {
        v->bytes[0] = 1 + random_below(&rng, 2); /* RFC 8300 §2.2. */
    } else if (f->id == FIELD_VLAN_TCI) {
        v->bytes[0] |= VLAN_PRESENT >> 8; /* Fixed matches cannot say an id without a tag. */
    }
}

/* All ones, the first bits, or any. */
static void
random_mask(const struct field *f, union field_value *mask)
{
    bool whole = !f->maskable || f->format == FORMAT_FRAG; /* Words are for some masks of fragments only. */
    unsigned int kind = whole ? 0 : random_below(&rng, 3), n = random_below(&rng, f->n_bits + 1);
    union field_value ones;

    field_value_all_ones(f, &ones);
    *mask = ones;
    if (kind == 1) {
        memset(mask, 0, sizeof *mask);
        bits_copy(&ones, f->wire_bytes, 0, mask, f->wire_bytes, f->n_bits - n, n);
    } else if (kind == 2) {
        random_value(f, mask);
    }
}

/* In OXM, a tag is its id with the bit that says that there is one, and then the priority as a whole: other masks of
 * vlan_tci lose the priority, or it lacks its prerequisite, as with the original. */
static bool
loses_priority(const struct match *m, unsigned int protocol)
{
    uint16_t mask = be16_to_cpu(m->mask.vlan_tci);
    bool has_tag = be16_to_cpu(m->flow.vlan_tci) & mask & VLAN_PRESENT;

    return protocol & PROTO_ANY_OXM && mask & VLAN_PCP_MASK &&
           (!has_tag || (mask & VLAN_PCP_MASK) != VLAN_PCP_MASK);
}

/* Counted as usable, as the original does, though the fixed match of 1.1 has no room for it. */
static bool
lacks_room(const struct match *m, unsigned int protocol)
{
    return protocol == PROTO_OF11 && field_is_any(field_of(FIELD_NW_ECN), &m->mask);
}

static void
check_protocol(const struct flow_mod *fm, unsigned int protocol, const char *text)
{
    struct bytes b = BYTES_INIT;
    struct flow_mod again;
    enum ofperr error;
    struct msg m;
    char *after;

    assert_true(flow_mod_encode(&b, protocol, 1, fm));
    assert_int_equal(msg_decode(b.data, b.len, &m), OFPERR_NONE);
    error = flow_mod_decode(&m, protocol & (PROTO_OF10_TID | PROTO_NXM_TID), &again);
    if (error) {
        print_error("%s in protocol %#x: %s\n", text, protocol, ofperr_name(error));
    }
    assert_int_equal(error, OFPERR_NONE);
    after = print(&again.match);
    if (strcmp(after, text)) {
        print_error("in protocol %#x\n", protocol);
    }
    assert_string_equal(after, text);
    assert_true(match_equal(&fm->match, &again.match));
    free(after);
    flow_mod_uninit(&again);
    bytes_uninit(&b);
}

static void
check_field(const struct field *f)
{
    unsigned int protocols;
    union field_value v, mask;
    struct flow_mod fm, read;
    char *text, *after;

    parse(prerequisites[f->prereq], &fm, &protocols);
    random_value(f, &v);
    random_mask(f, &mask);
    if (!match_set_field(&fm.match, f, &v, &mask)) {
        fail_msg("%s cannot be set", f->name);
    }
    text = print(&fm.match);
    parse(text, &read, &protocols);
    after = print(&read.match);
    assert_string_equal(after, text);
    if (!match_equal(&fm.match, &read.match)) {
        fail_msg("%s: %s is read as another match", f->name, text);
    }
    for (unsigned int p = 1; p & PROTO_ANY; p <<= 1) {
        if (p & protocols && !loses_priority(&read.match, p) && !lacks_room(&read.match, p)) {
            check_protocol(&read, p, text);
        }
    }
    free(text);
    free(after);
    flow_mod_uninit(&fm);
    flow_mod_uninit(&read);
}

static void
every_field_comes_back_from_text_and_wire(void **state UNUSED)
{
    random_seed(&rng, 5);
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        for (int i = 0; i < ROUNDS && oxm_row_first(f); i++) { /* Without a number only traces show the field. */
            check_field(f);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_field_comes_back_from_text_and_wire) };

    error_free(log_configure("off"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
