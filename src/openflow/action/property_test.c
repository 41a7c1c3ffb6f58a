/* What holds for every row of text.def, wire.def and actions.def, tried with random arguments.
 *
 * Each name of an action, with arguments made from a pattern, is read from text, printed and read again; carried by
 * every version that can say it, and there written again as it was.  Where the version has the action, it is the same
 * text that comes back; elsewhere it is the action that the version says it with (translations[]).
 *
 * Each form on the wire is read in every version that has it, and is written again as what is stable from then on.  The
 * bytes are those that our encoder made in any version; for forms that it never writes, those of read_only[].
 *
 * A row without a pattern, or a form without bytes, fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "flow/field_text.h"
#include "openflow/action/ops.h"
#include "openflow/oxm/oxm.h"
#include "sys/log.h"

enum { ROUNDS = 200 };

static struct random rng;

static const struct {
    const char *keyword;
    enum act_type type;
} names[] = {
#define NAME(KEYWORD, ACTION) { KEYWORD, ACT_##ACTION },
#include "openflow/action/text.def"
};

static const struct {
    const char *keyword, *text;
} patterns[] = {
#define PATTERN(KEYWORD, TEXT) { KEYWORD, TEXT },
#include "openflow/action/property_patterns.def"
};

/* Text. */

static const struct field *
random_settable(bool with_short_header)
{
    for (;;) {
        const struct field *f = field_of(random_below(&rng, FIELD_N));

        bool only_in_ct = f->prereq == PREREQ_NONE && !strncmp(f->name, "ct_", 3);

        if (f->writable && !only_in_ct && (!with_short_header || oxm_header32(f, ACT_NX_NUMBERS))) {
            return f;
        }
    }
}

static void
put_range(struct str *s, const struct field *f, unsigned int n_bits)
{
    struct subfield sf = { f, random_below(&rng, field_width(f) - n_bits + 1), n_bits };

    oxm_format_subfield(s, &sf, NULL);
}

static void
put_register_range(struct str *s, unsigned int n_bits)
{
    put_range(s, field_of(FIELD_REG0 + random_below(&rng, 16)), n_bits);
}

static void
put_value(struct str *s)
{
    const struct field *f = random_settable(false);
    union field_value v, mask, ones;

    field_value_all_ones(f, &ones);
    mask = ones;
    for (size_t i = 0; i < f->wire_bytes; i++) {
        v.bytes[i] = random_u64(&rng) & ones.bytes[i];
    }
    if (f->maskable && random_below(&rng, 2)) {
        for (size_t i = 0; i < f->wire_bytes; i++) {
            mask.bytes[i] = random_u64(&rng) & ones.bytes[i];
            v.bytes[i] &= mask.bytes[i];
        }
        mask.bytes[f->wire_bytes - 1] |= 1 & ones.bytes[f->wire_bytes - 1];
    }
    if (f->format == FORMAT_PORT || f->format == FORMAT_PORT10) {
        field_value_from_u64(f, 1 + random_below(&rng, 0xfeff), &v);
    } else if (f->id == FIELD_VLAN_VID) {
        v.bytes[0] |= VLAN_PRESENT >> 8; /* The bit that says that there is a tag is always set. */
        mask.bytes[0] |= VLAN_PRESENT >> 8;
    }
    field_format(s, f, &v, &mask, NULL);
    str_putf(s, "->%s", f->name);
}

static void
put_load(struct str *s)
{
    const struct field *f = random_settable(true);
    unsigned int n_bits = 1 + random_below(&rng, MIN(field_width(f), 63));

    str_putf(s, "%llu->", (unsigned long long) (random_u64(&rng) & ((1ULL << n_bits) - 1)));
    put_range(s, f, n_bits);
}

static void
put_move(struct str *s)
{
    const struct field *src = random_settable(false), *dst = random_settable(false);
    unsigned int n_bits = 1 + random_below(&rng, MIN(field_width(src), field_width(dst)));

    put_range(s, src, n_bits);
    str_puts(s, "->");
    put_range(s, dst, n_bits);
}

static void
put_random(struct str *s, const char *what, size_t n)
{
    unsigned long long low, high;
    unsigned int n_bits;

    if (!strncmp(what, "mac", n)) {
        str_putf(s, "02:%02x:%02x:00:00:%02x", random_below(&rng, 256), random_below(&rng, 256),
                 random_below(&rng, 256));
    } else if (!strncmp(what, "ip", n)) {
        str_putf(s, "10.%u.%u.%u", random_below(&rng, 256), random_below(&rng, 256), random_below(&rng, 256));
    } else if (!strncmp(what, "ip6", n)) {
        str_putf(s, "2001:db8::%x", 1 + random_below(&rng, 65535));
    } else if (!strncmp(what, "hex", n)) {
        for (unsigned int i = 0, len = 1 + random_below(&rng, 20); i < len; i++) {
            str_putf(s, "%s%02x", i ? "." : "", random_below(&rng, 256));
        }
    } else if (!strncmp(what, "tos", n)) {
        str_putf(s, "%u", 4 * random_below(&rng, 64));
    } else if (!strncmp(what, "field", n)) {
        const struct field *f = random_settable(true);

        put_range(s, f, field_width(f));
    } else if (!strncmp(what, "value", n)) {
        put_value(s);
    } else if (!strncmp(what, "load", n)) {
        put_load(s);
    } else if (!strncmp(what, "move", n)) {
        put_move(s);
    } else if (sscanf(what, "reg:%u", &n_bits) == 1) {
        put_register_range(s, n_bits);
    } else if (sscanf(what, "%llu-%llu", &low, &high) == 2) {
        str_putf(s, "%llu", low + random_u64(&rng) % (high - low + 1));
    } else {
        fail_msg("unknown pattern %.*s", (int) n, what);
    }
}

static char *
make(const char *pattern)
{
    struct str s = STR_INIT;

    while (*pattern) {
        if (*pattern == '{') {
            size_t n = strcspn(++pattern, "}");

            put_random(&s, pattern, n);
            pattern += n + 1;
        } else {
            str_putc(&s, *pattern++);
        }
    }
    return str_steal(&s);
}

static unsigned int
parse(const char *text, struct act_buf *acts)
{
    unsigned int protocols = PROTO_ANY;
    struct error *e = act_parse(text, NULL, acts, &protocols);

    if (e) {
        fail_msg("%s: %s", text, error_text(e));
    }
    return protocols;
}

static char *
print(const struct act_buf *acts)
{
    struct str s = STR_INIT;

    act_format(&s, act_buf_span(acts), NULL);
    return str_steal(&s);
}


/* What a name of an action becomes in versions that have no such action: a pattern (fnmatch()) in which '@' stands for
 * the argument. */
static struct {
    const char *keyword;
    enum of_version first, last;
    const char *pattern;
    bool used;
} translations[] = {
    { "enqueue", OF11, OF15, "set_queue:*,output:*,pop_queue" },
    { "strip_vlan", OF11, OF15, "pop_vlan" },
    { "pop_vlan", OF10, OF10, "strip_vlan" },
    { "mod_vlan_vid", OF11, OF11, "push_vlan:0x8100,set_vlan_vid:@" },
    { "mod_vlan_vid", OF12, OF15, "push_vlan:0x8100,set_field:*->vlan_vid" },
    { "set_vlan_vid", OF10, OF10, "mod_vlan_vid:@" },
    { "set_vlan_vid", OF12, OF15, "set_field:*->vlan_vid" },
    { "mod_vlan_pcp", OF11, OF11, "push_vlan:0x8100,set_vlan_pcp:@" },
    { "mod_vlan_pcp", OF12, OF15, "push_vlan:0x8100,set_field:@->vlan_pcp" },
    { "set_vlan_pcp", OF10, OF10, "mod_vlan_pcp:@" },
    { "set_vlan_pcp", OF12, OF15, "set_field:@->vlan_pcp" },
    { "mod_dl_src", OF12, OF15, "set_field:@->eth_src" },
    { "mod_dl_dst", OF12, OF15, "set_field:@->eth_dst" },
    { "mod_nw_src", OF12, OF15, "set_field:@->ip_src" },
    { "mod_nw_dst", OF12, OF15, "set_field:@->ip_dst" },
    { "mod_nw_tos", OF12, OF15, "set_field:*->ip_dscp" },
    { "mod_nw_ecn", OF10, OF10, "load:*->NXM_NX_IP_ECN\\[]" },
    { "mod_nw_ecn", OF12, OF15, "set_field:@->nw_ecn" },
    { "mod_nw_ttl", OF10, OF10, "load:*->NXM_NX_IP_TTL\\[]" },
    { "set_nw_ttl", OF10, OF10, "load:*->NXM_NX_IP_TTL\\[]" },
    { "set_mpls_label", OF12, OF15, "set_field:@->mpls_label" },
    { "set_mpls_tc", OF12, OF15, "set_field:@->mpls_tc" },
    { "set_tunnel", OF12, OF15, "set_field:@->tun_id" },
    { "set_tunnel64", OF12, OF15, "set_field:@->tun_id" },
    { "set_field", OF10, OF14, "*load:*" },             /* With a mask, or where the version has no set_field. */
    { "set_field", OF10, OF11, "mod_*" },
    { "set_field", OF10, OF11, "set_vlan_*" },
    { "load", OF10, OF15, "*set_field:*" },             /* In 1.5, and of a tunnel option, whose length it says. */
    { "note", OF10, OF15, "note:@*" },                  /* Padded. */
    { "ct", OF10, OF11, "ct(*exec(load:*))" },
    { "clear_actions", OF10, OF10, "drop" },
    { "write_actions", OF10, OF10, "drop" },
    { "write_actions", OF11, OF11, "write_actions(output:*,mod_dl_src:*)" },
    { "goto_table", OF10, OF10, "resubmit(,@)" },
};

/* Names that a version counts as one that can say them, but refuses to read: as in the original. */
static struct {
    const char *keyword;
    enum of_version first, last;
    enum ofperr error;
    bool used;
} refused[] = {
    { "decap", OF10, OF12, OFPERR_OFPBAC_BAD_VENDOR_TYPE },
    { "dec_nsh_ttl", OF10, OF12, OFPERR_OFPBAC_BAD_VENDOR_TYPE },
    { "set_field", OF12, OF15, OFPERR_OFPBAC_BAD_SET_ARGUMENT }, /* in_port_oxm. */
    { "load", OF15, OF15, OFPERR_OFPBAC_BAD_SET_ARGUMENT },      /* More bits of arp_op than there are. */
};

static void
check_refused(const char *keyword, enum of_version v, enum ofperr error, const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        if (!strcmp(refused[i].keyword, keyword) && v >= refused[i].first && v <= refused[i].last &&
            error == refused[i].error) {
            refused[i].used = true;
            return;
        }
    }
    fail_msg("%s in %s: %s", text, of_version_name(v), ofperr_name(error));
}

static bool
is_translation(const char *pattern, const char *before, const char *after)
{
    const char *arg = before + strcspn(before, ":(");
    size_t n = strlen(arg);
    struct str s = STR_INIT;
    bool ok;

    n -= n > 1 && *arg == '(' ? 2 : n > 0;
    for (; *pattern; pattern++) {
        if (*pattern == '@') {
            str_putf(&s, "%.*s", (int) n, arg + 1);
        } else {
            str_putc(&s, *pattern);
        }
    }
    ok = !fnmatch(str_text(&s), after, 0);
    str_uninit(&s);
    return ok;
}

static void
check_translation(const char *keyword, enum of_version v, const char *before, const char *after)
{
    for (size_t i = 0; i < ARRAY_SIZE(translations); i++) {
        if (!strcmp(translations[i].keyword, keyword) && v >= translations[i].first && v <= translations[i].last &&
            is_translation(translations[i].pattern, before, after)) {
            translations[i].used = true;
            return;
        }
    }
    fail_msg("%s comes back from %s as %s", before, of_version_name(v), after);
}

/* Wire. */

static const struct {
    const char *name;
    bool vendor;
    uint32_t vendor_id;
    uint16_t number;
    enum of_version first, last;
} forms[ACT_N_FORMS] = {
#define VENDOR_OF 0
#define VENDOR_NX OF_VENDOR_NX
#define VENDOR_ONF OF_VENDOR_ONF
#define WIRE(FORM, KIND, NUMBER, FIRST, LAST, LENGTH, TAIL, ACTION) \
    [ACT_FORM_##FORM] = { #FORM, VENDOR_##KIND != 0, VENDOR_##KIND, NUMBER, FIRST, LAST },
#include "openflow/action/wire.def"
};

/* Forms that are read only, in one of their versions. */
static const struct {
    enum act_form form;
    const char *hex;
} read_only[] = {
    { ACT_FORM_NX_OUTPUT_REG2, "ffff0018 00002320 0020000f 01000001 00040000 00000000" },
    { ACT_FORM_NX_RESUBMIT, "ffff0010 00002320 00010005 00000000" },
    { ACT_FORM_NX_SAMPLE2, "ffff0020 00002320 00260064 00000001 00000002 00000003 00040000 00000000" },
    { ACT_FORM_NX_WRITE_METADATA, "ffff0020 00002320 00160000 00000000 00000000 00000012 00000000 000000ff" },
    { ACT_FORM_ONF_COPY_FIELD, "ffff0020 4f4e4600 0c800000 00100000 00000000 00010004 00010204 00000000" },
};

static struct bytes saved[ACT_N_FORMS][OF15 + 1];
static bool seen[ACT_N];

static enum act_form
form_of(const uint8_t *p, enum of_version v)
{
    bool vendor = get_be16(p) == 0xffff;

    for (int i = 1; i < ACT_N_FORMS; i++) {
        if (v >= forms[i].first && v <= forms[i].last && vendor == forms[i].vendor &&
            forms[i].number == (vendor ? get_be16(p + 8) : get_be16(p)) &&
            (!vendor || get_be32(p + 4) == forms[i].vendor_id)) {
            return i;
        }
    }
    fail_msg("we wrote an action that has no row");
    return ACT_FORM_NONE;
}

/* Keeps the actions of a list under their forms.  One that stands in another is kept with it around. */
static void
save(const uint8_t *p, size_t n, enum of_version v, const uint8_t *outer)
{
    for (const uint8_t *end = p + n; p < end; p += get_be16(p + 2)) {
        enum act_form form = form_of(p, v);
        const uint8_t *whole = outer ? outer : p;

        if (!saved[form][v].len) {
            bytes_put(&saved[form][v], whole, get_be16(whole + 2));
        }
        if (form == ACT_FORM_NX_CT) {
            save(p + 24, get_be16(p + 2) - 24, v, whole);
        }
    }
}

static void
save_instructions(const uint8_t *p, size_t n, enum of_version v)
{
    enum { WRITE = 3, APPLY = 4 };

    if (v == OF10) {
        save(p, n, v, NULL);
        return;
    }
    for (const uint8_t *end = p + n; p < end; p += get_be16(p + 2)) {
        if (get_be16(p) == APPLY || get_be16(p) == WRITE) {
            save(p + 8, get_be16(p + 2) - 8, v, NULL);
        }
    }
}

static void
note_types(struct act_span s)
{
    ACT_FOR_EACH (a, s) {
        seen[a->type] = true;
        if (a->type == ACT_CT) {
            note_types(act_ct_actions((const struct act_ct *) a));
        }
    }
}

/* The actions are written and read in the version, and are the same then as before, or what the version says for
 * them. */
static void
check_version(const char *keyword, const char *text, const struct act_buf *acts, enum of_version v)
{
    struct bytes first = BYTES_INIT, second = BYTES_INIT;
    struct act_buf again = ACT_BUF_INIT;
    enum ofperr error;
    char *after;

    act_encode_instructions(act_buf_span(acts), v, &first);
    error = act_decode_instructions(first.data, first.len, v, &again);
    if (error) {
        check_refused(keyword, v, error, text);
    } else {
        save_instructions(first.data, first.len, v);
        act_encode_instructions(act_buf_span(&again), v, &second);
        assert_int_equal(second.len, first.len);
        assert_true(!first.len || !memcmp(first.data, second.data, first.len));
        after = print(&again);
        if (strcmp(after, text)) {
            check_translation(keyword, v, text, after);
        }
        free(after);
    }
    act_buf_uninit(&again);
    bytes_uninit(&first);
    bytes_uninit(&second);
}

static void
check_text(const char *keyword, const char *given)
{
    struct act_buf acts = ACT_BUF_INIT, again = ACT_BUF_INIT;
    unsigned int protocols = parse(given, &acts);
    char *text = print(&acts), *after;

    note_types(act_buf_span(&acts));
    assert_int_equal(parse(text, &again), protocols);
    after = print(&again);
    assert_string_equal(after, text);
    free(after);
    for (enum of_version v = OF10; v <= OF15; v++) {
        if (proto_of_version(v) & protocols) {
            check_version(keyword, text, &again, v);
        }
    }
    free(text);
    act_buf_uninit(&acts);
    act_buf_uninit(&again);
}

static void
every_name_comes_back_from_text_and_wire(void **state UNUSED)
{
    bool tried[ARRAY_SIZE(names)] = { false };

    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        for (int k = 0; k < ROUNDS; k++) {
            char *text = make(patterns[i].text);

            check_text(patterns[i].keyword, text);
            free(text);
        }
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
            tried[k] |= !strcmp(patterns[i].keyword, names[k].keyword);
        }
    }
    for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
        if (!tried[k]) {
            fail_msg("%s has no pattern", names[k].keyword);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(translations); i++) {
        if (!translations[i].used) {
            fail_msg("%s never becomes %s", translations[i].keyword, translations[i].pattern);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        assert_true(refused[i].used);
    }
}

static void
every_action_was_among_them(void **state UNUSED)
{
    for (int type = 0; type < ACT_N; type++) {
        if (!seen[type]) {
            fail_msg("%s has no pattern", act_name(type));
        }
    }
}

/* Bytes of the form, if possible from the version. */
static const struct bytes *
example(enum act_form form, enum of_version v)
{
    static struct bytes b;

    if (saved[form][v].len) {
        return &saved[form][v];
    }
    for (enum of_version other = OF10; other <= OF15; other++) {
        if (saved[form][other].len) {
            return &saved[form][other];
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(read_only); i++) {
        if (read_only[i].form == form) { /* In no version was it written, or we were not here. */
            bytes_clear(&b);
            bytes_put_from_hex(&b, read_only[i].hex);
            return &b;
        }
    }
    return NULL;
}

static void
check_form(enum act_form form, enum of_version v)
{
    struct bytes first = BYTES_INIT, second = BYTES_INIT;
    struct act_buf acts = ACT_BUF_INIT, again = ACT_BUF_INIT;
    const struct bytes *b = example(form, v);
    char *text, *after;

    if (!b || act_decode_actions(b->data, b->len, v, &acts)) {
        fail_msg("%s in %s: no bytes that can be read", forms[form].name, of_version_name(v));
    }
    act_encode_actions(act_buf_span(&acts), v, &first);
    assert_int_equal(act_decode_actions(first.data, first.len, v, &again), OFPERR_NONE);
    act_encode_actions(act_buf_span(&again), v, &second);
    assert_int_equal(second.len, first.len);
    assert_memory_equal(second.data, first.data, first.len);
    text = print(&acts);
    after = print(&again);
    if (strcmp(text, after)) {
        char *keyword = xstrndup(text, strcspn(text, ":("));

        check_translation(keyword, v, text, after);
        free(keyword);
    }
    free(text);
    free(after);
    act_buf_uninit(&acts);
    act_buf_uninit(&again);
    bytes_uninit(&first);
    bytes_uninit(&second);
}

static void
every_form_is_read_and_written_in_each_of_its_versions(void **state UNUSED)
{
    for (enum act_form form = 1; form < ACT_N_FORMS; form++) {
        for (enum of_version v = forms[form].first; v <= forms[form].last; v++) {
            check_form(form, v);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_comes_back_from_text_and_wire),
        cmocka_unit_test(every_action_was_among_them),
        cmocka_unit_test(every_form_is_read_and_written_in_each_of_its_versions),
    };

    error_free(log_configure("off"));
    act_allow_debug();
    random_seed(&rng, 7);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
