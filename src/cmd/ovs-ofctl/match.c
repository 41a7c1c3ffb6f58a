/* Commands about the wire forms of matches, for tests. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovs-ofctl/ofctl.h"
#include "flow/match_text.h"
#include "openflow/msg/fixed_match.h"
#include "openflow/oxm/oxm.h"

/* Extensible matches. */

/* What becomes of the entries: read as a match and written again, or the error. */
static void
convert_entries(const struct bytes *in, enum of_version v)
{
    struct oxm_cookie cookie = { 0, 0 };
    struct match match;
    enum ofperr error = oxm_decode_match(in->data, in->len, ofctl_options.strict ? OXM_STRICT : OXM_LOOSE, &match,
                                         &cookie);
    struct bytes out = BYTES_INIT;
    struct str s = STR_INIT;

    if (error) {
        printf("nx_pull_match() returned error %s\n", ofperr_name(error));
        return;
    }
    oxm_encode_match(&match, v, &cookie, &out);
    oxm_format_bytes(&s, out.data, out.len);
    puts(str_text(&s));
    str_uninit(&s);
    bytes_uninit(&out);
}

static void
convert_lines(enum of_version v)
{
    struct bytes entries = BYTES_INIT;
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        struct error *error;

        line[strcspn(line, "\n")] = '\0';
        if (!line[0] || line[0] == '#') {
            puts(line);
            continue;
        }
        line[strcspn(line, "#")] = '\0';
        for (size_t n = strlen(line); n && isspace((unsigned char) line[n - 1]); n--) {
            line[n - 1] = '\0';
        }
        if (!line[0]) {
            puts("");
            continue;
        }
        bytes_clear(&entries);
        error = oxm_parse_text(line, &entries);
        if (error) {
            cmdline_fatal(0, "%s", error_text(error));
        }
        convert_entries(&entries, v);
    }
    free(line);
    bytes_uninit(&entries);
}

void
ofctl_parse_nxm(struct cmdline_ctx *ctx UNUSED)
{
    convert_lines(OF10);
}

void
ofctl_parse_oxm(struct cmdline_ctx *ctx)
{
    enum of_version v;

    if (!of_version_parse(ctx->argv[1], &v) || v < OF12) {
        cmdline_fatal(0, "%s: not a valid version for OXM", ctx->argv[1]);
    }
    convert_lines(v);
}

/* Fixed matches. */

/* The bytes of the next line that has some, and only 'n' of them; exits if there are others. */
static bool
next_match(struct bytes *b, size_t n)
{
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    while (!found && getline(&line, &size, stdin) > 0) {
        line[strcspn(line, "#\n")] = '\0';
        if (!line[strspn(line, " \t\r")]) {
            continue;
        }
        bytes_clear(b);
        bytes_put_from_hex(b, line);
        if (b->len != n) {
            cmdline_fatal(0, "Input is %zu bytes, expected %zu", b->len, n);
        }
        found = true;
    }
    free(line);
    return found;
}

static void
print_match(const struct match *m)
{
    struct str s = STR_INIT;

    match_format(&s, m, NULL, MATCH_DEFAULT_PRIORITY);
    puts(str_text(&s));
    str_uninit(&s);
}

/* Bytes that writing the match again changes, then an empty line. */
static void
print_differences(const struct bytes *before, const struct bytes *after)
{
    for (size_t i = 0; i < before->len; i++) {
        if (before->data[i] != after->data[i]) {
            printf("%2zu: %02x -> %02x\n", i, before->data[i], after->data[i]);
        }
    }
    puts("");
}

void
ofctl_parse_ofp10_match(struct cmdline_ctx *ctx UNUSED)
{
    struct bytes in = BYTES_INIT, out = BYTES_INIT;

    while (next_match(&in, MATCH10_LEN)) {
        struct match m;

        match10_decode(in.data, &m, NULL);
        print_match(&m);
        bytes_clear(&out);
        match10_encode(&out, &m);
        print_differences(&in, &out);
    }
    bytes_uninit(&in);
    bytes_uninit(&out);
}

void
ofctl_parse_ofp11_match(struct cmdline_ctx *ctx UNUSED)
{
    struct bytes in = BYTES_INIT, out = BYTES_INIT;

    while (next_match(&in, MATCH11_LEN)) {
        struct match m;
        enum ofperr error = match11_decode(in.data, &m);

        if (error) {
            printf("bad ofp11_match: %s\n\n", ofperr_name(error));
            continue;
        }
        print_match(&m);
        bytes_clear(&out);
        match11_encode(&out, &m);
        print_differences(&in, &out);
    }
    bytes_uninit(&in);
    bytes_uninit(&out);
}

/* VLAN matches in every form. */

static void
print_tci(const struct match *m)
{
    printf(" -> %04x/%04x\n", be16_to_cpu(m->flow.vlan_tci), be16_to_cpu(m->mask.vlan_tci));
}

static void
check_text(const struct match *m)
{
    struct str s = STR_INIT;
    unsigned int usable;
    struct flow_mod fm;
    struct error *error;

    match_format(&s, m, NULL, MATCH_DEFAULT_PRIORITY);
    error = flow_mod_parse(&fm, str_text(&s), FM_DELETE, NULL, &usable);
    if (error) {
        cmdline_fatal(0, "%s", error_text(error));
    }
    printf("%s", str_text(&s));
    print_tci(&fm.match);
    flow_mod_uninit(&fm);
    str_uninit(&s);
}

/* Prints the entries and leaves them in 'b'. */
static void
print_entries(const char *title, const struct match *m, enum of_version v, struct bytes *b)
{
    struct str s = STR_INIT;

    bytes_clear(b);
    oxm_encode_match(m, v, NULL, b);
    oxm_format_bytes(&s, b->data, b->len);
    printf("%s: %s", title, str_text(&s));
    str_uninit(&s);
}

static void
check_nxm(const struct match *m, struct bytes *b)
{
    struct match again;

    print_entries("NXM", m, OF10, b);
    if (oxm_decode_match(b->data, b->len, OXM_STRICT, &again, NULL)) {
        cmdline_fatal(0, "what was written cannot be read");
    }
    print_tci(&again);
}

/* What the entries say, each for itself. */
static void
check_oxm(const struct match *m, struct bytes *b)
{
    uint16_t vid = 0, vid_mask = 0;
    struct cursor c;
    int pcp = -1;

    print_entries("OXM", m, OF12, b);
    c = cursor_make(b->data, b->len);
    while (c.left) {
        union field_value v, mask;
        const struct field *f;
        bool has_mask;

        if (oxm_take_entry(&c, &f, &v, &mask, &has_mask)) {
            cmdline_fatal(0, "what was written cannot be read");
        }
        if (f->id == FIELD_VLAN_VID) {
            vid = get_be16(v.bytes);
            vid_mask = has_mask ? get_be16(mask.bytes) : 0x1fff;
        } else if (f->id == FIELD_VLAN_PCP) {
            pcp = v.bytes[0];
        }
    }
    printf(" -> %04x/%04x,", vid, vid_mask);
    if (pcp < 0) {
        puts("--");
    } else {
        printf("%02x\n", pcp);
    }
}

static void
check_of10(const struct match *m, struct bytes *b)
{
    enum { WILD_VLAN = 1 << 1, WILD_PCP = 1 << 20 };
    struct match again;
    uint32_t wild;

    bytes_clear(b);
    match10_encode(b, m);
    wild = get_be32(b->data);
    match10_decode(b->data, &again, NULL);
    printf("OF1.0: %04x/%d,%02x/%d", get_be16(b->data + 18), (wild & WILD_VLAN) != 0, b->data[20],
           (wild & WILD_PCP) != 0);
    print_tci(&again);
}

static void
check_of11(const struct match *m, struct bytes *b)
{
    enum { WILD_VLAN = 1 << 1, WILD_PCP = 1 << 2 };
    struct match again;
    uint32_t wild;

    bytes_clear(b);
    match11_encode(b, m);
    wild = get_be32(b->data + 8);
    if (match11_decode(b->data, &again)) {
        cmdline_fatal(0, "what was written cannot be read");
    }
    printf("OF1.1: %04x/%d,%02x/%d", get_be16(b->data + 36), (wild & WILD_VLAN) != 0, b->data[38],
           (wild & WILD_PCP) != 0);
    print_tci(&again);
}

void
ofctl_check_vlan(struct cmdline_ctx *ctx)
{
    struct bytes b = BYTES_INIT;
    struct match m;

    match_init_catchall(&m);
    m.mask.vlan_tci = cpu_to_be16(strtoul(ctx->argv[2], NULL, 16));
    m.flow.vlan_tci = cpu_to_be16(strtoul(ctx->argv[1], NULL, 16)) & m.mask.vlan_tci;
    check_text(&m);
    check_nxm(&m, &b);
    check_oxm(&m, &b);
    check_of10(&m, &b);
    check_of11(&m, &b);
    bytes_uninit(&b);
}
