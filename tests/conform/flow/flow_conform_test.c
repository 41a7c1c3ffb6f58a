/* The flow syntax, actions and match entries against what the reference makes of the same text (see 'record').
 *
 * Every recorded line is one case; where we mean to differ, differences.txt has the line with our own result, and a
 * comment with the reason. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "flow/match_text.h"
#include "openflow/flow_syntax.h"
#include "openflow/msg/flow.h"
#include "openflow/oxm/oxm.h"
#include "sys/log.h"

static const char *directory;
static bool verbose;

/* Files of lines of fields between tabs. */

struct file {
    char **lines;
    size_t n, capacity;
};

static struct file differences;

static struct file
read_file(const char *name)
{
    struct file f = { NULL, 0, 0 };
    char *path = xasprintf("%s/%s", directory, name), *line = NULL;
    size_t size = 0;
    FILE *in = fopen(path, "r");

    if (!in) {
        print_error("cannot open %s\n", path);
        exit(1);
    }
    free(path);
    while (in && getline(&line, &size, in) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (f.n == f.capacity) {
            f.lines = x2nrealloc(f.lines, &f.capacity, sizeof *f.lines);
        }
        f.lines[f.n++] = xstrdup(line);
    }
    free(line);
    fclose(in);
    return f;
}

static void
free_file(struct file *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->lines[i]);
    }
    free(f->lines);
}

/* Our own result for a case, if it is to differ: the text behind "KEY\t". */
static const char *
difference(const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < differences.n; i++) {
        if (!strncmp(differences.lines[i], key, n) && differences.lines[i][n] == '\t') {
            return differences.lines[i] + n + 1;
        }
    }
    return NULL;
}

/* Counts and shows what differs. */
static size_t
compare(const char *key, const char *expected, const char *ours)
{
    const char *meant = difference(key);

    if (!strcmp(meant ? meant : expected, ours)) {
        return 0;
    }
    if (verbose) {
        printf("%s\n  expected %s\n  but got  %s\n", key, meant ? meant : expected, ours);
    } else {
        print_error("%s\n  expected %s\n  but got  %s\n", key, meant ? meant : expected, ours);
    }
    return 1;
}

/* Flows. */

static unsigned int
protocol_of(const char *name, unsigned int usable)
{
    enum of_version v;
    unsigned int set;

    set = !strcmp(name, "NXM") ? PROTO_OF10_NXM_ANY : of_version_parse(name, &v) ? proto_of_version(v) : 0;
    set &= usable;
    return set & -set;
}

static void
put_number(struct str *s, const char *name, unsigned int n)
{
    if (n) {
        str_putf(s, "%s:%u ", name, n);
    }
}

/* As the reference prints a flow-mod. */
static void
print_flow_mod(struct str *s, const struct flow_mod *fm)
{
    static const char *const flags[] = { "send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts",
                                         "no_byte_counts" };
    size_t start;

    if (fm->table_id && fm->table_id != FM_TABLE_ANY) {
        str_putf(s, "table:%u ", fm->table_id);
    }
    start = s->len;
    match_format(s, &fm->match, NULL, fm->priority);
    str_puts(s, s->len > start ? " " : "");
    if (fm->new_cookie && fm->new_cookie != UINT64_MAX) {
        str_putf(s, "cookie:%#llx ", (unsigned long long) fm->new_cookie);
    }
    put_number(s, "idle", fm->idle_timeout);
    put_number(s, "hard", fm->hard_timeout);
    put_number(s, "importance", fm->importance);
    for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
        if (fm->flags & 1 << i && (i != 2 || fm->flags & FM_RESET_COUNTS)) {
            str_putf(s, "%s ", flags[i]);
        }
    }
    str_puts(s, "actions=");
    act_format(s, fm->actions, NULL);
}

static enum ofperr
check_decoded(const struct flow_mod *fm, unsigned int protocol)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct match copy = fm->match;
    struct act_check c = { .match = &copy, .protocols = protocol, .max_ports = OFPP_MAX, .table = fm->table_id };
    enum ofperr error;

    act_put_span(&acts, fm->actions);
    error = act_check(&acts, &c);
    act_buf_uninit(&acts);
    return error;
}

/* Through the wire and back. */
static void
put_round_trip(struct str *s, const struct flow_mod *fm, unsigned int protocol)
{
    struct bytes wire = BYTES_INIT;
    struct flow_mod again;
    struct msg m;
    enum ofperr error;

    assert_true(flow_mod_encode(&wire, protocol, 1, fm));
    error = msg_decode(wire.data, wire.len, &m);
    error = error ? error : flow_mod_decode(&m, protocol & PROTO_TID, &again);
    if (!error) {
        error = check_decoded(&again, protocol);
        if (!error) {
            again.flags &= ~(proto_version(protocol) < OF12 ? FM_RESET_COUNTS : 0);
            print_flow_mod(s, &again);
        }
        flow_mod_uninit(&again);
    }
    if (error) {
        str_putf(s, "decode error: %s", ofperr_name(error));
    }
    bytes_uninit(&wire);
}

static void
put_flow_result(struct str *s, const char *protocol_name, const char *text)
{
    struct flow_mod fm;
    unsigned int usable, protocol;
    struct error *e = flow_mod_parse(&fm, text, FM_ADD, NULL, &usable);

    if (e) {
        str_putf(s, "-\terror: %s", error_text(e));
        error_free(e);
        return;
    }
    proto_put_set(s, usable);
    str_putc(s, '\t');
    protocol = protocol_of(protocol_name, usable);
    if (protocol) {
        put_round_trip(s, &fm, protocol);
    } else {
        str_puts(s, "error: no usable protocol");
    }
    flow_mod_uninit(&fm);
}

static void
flows_print_as_the_reference_prints_them(void **state UNUSED)
{
    struct file f = read_file("flows.txt");
    size_t n_wrong = 0;

    for (size_t i = 0; i < f.n; i++) {
        char *flow = strchr(f.lines[i], '\t'), *usable = strchr(flow + 1, '\t');
        struct str ours = STR_INIT;

        *flow = *usable = '\0';
        put_flow_result(&ours, f.lines[i], flow + 1);
        *flow = '\t';
        n_wrong += compare(f.lines[i], usable + 1, str_text(&ours));
        str_uninit(&ours);
    }
    print_message("%zu of %zu flows differ\n", n_wrong, f.n);
    free_file(&f);
    assert_int_equal(n_wrong, 0);
}

/* The actions of a flow on the wire, as a list without instructions. */
static void
put_wire(struct str *s, const char *version, const char *text)
{
    struct bytes wire = BYTES_INIT;
    struct flow_mod fm;
    unsigned int usable;
    enum of_version v = OF10;
    struct error *e = flow_mod_parse(&fm, text, FM_ADD, NULL, &usable);

    if (e) {
        str_putf(s, "error: %s", error_text(e));
        error_free(e);
        return;
    }
    if (strcmp(version, "NXM")) {
        assert_true(of_version_parse(version, &v));
    }
    act_encode_actions(fm.actions, v, &wire);
    str_put_hex(s, wire.data, wire.len);
    bytes_uninit(&wire);
    flow_mod_uninit(&fm);
}

static void
actions_are_on_the_wire_what_the_reference_sends(void **state UNUSED)
{
    struct file f = read_file("wire.txt");
    size_t n_wrong = 0;

    for (size_t i = 0; i < f.n; i++) {
        char *flow = strchr(f.lines[i], '\t'), *digits = strchr(flow + 1, '\t');
        struct str ours = STR_INIT;
        char *key;

        *flow = *digits = '\0';
        put_wire(&ours, f.lines[i], flow + 1);
        key = xasprintf("wire %s\t%s", f.lines[i], flow + 1);
        n_wrong += compare(key, digits + 1, str_text(&ours));
        free(key);
        str_uninit(&ours);
    }
    print_message("%zu of %zu action lists differ\n", n_wrong, f.n);
    free_file(&f);
    assert_int_equal(n_wrong, 0);
}

/* Bytes as an action list, in words, or the error. */
static void
put_decoded(struct str *s, const char *version, const char *digits)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct bytes wire = BYTES_INIT;
    enum of_version v;
    enum ofperr error;

    assert_true(of_version_parse(version, &v));
    bytes_put_from_hex(&wire, digits);
    error = act_decode_actions(wire.data, wire.len, v, &acts);
    if (error) {
        str_putf(s, "error: %s", ofperr_name(error));
    } else {
        str_puts(s, "actions=");
        act_format(s, act_buf_span(&acts), NULL);
    }
    act_buf_uninit(&acts);
    bytes_uninit(&wire);
}

static void
damaged_actions_are_refused_as_the_reference_refuses_them(void **state UNUSED)
{
    struct file f = read_file("damaged.txt");
    size_t n_wrong = 0;

    for (size_t i = 0; i < f.n; i++) {
        char *digits = strchr(f.lines[i], '\t'), *expected = strchr(digits + 1, '\t');
        struct str ours = STR_INIT;

        *digits = *expected = '\0';
        put_decoded(&ours, f.lines[i], digits + 1);
        *digits = '\t';
        n_wrong += compare(f.lines[i], expected + 1, str_text(&ours));
        str_uninit(&ours);
    }
    print_message("%zu of %zu damaged lists differ\n", n_wrong, f.n);
    free_file(&f);
    assert_int_equal(n_wrong, 0);
}

/* Entries. */

static void
put_oxm_result(struct str *s, const char *command, const char *text)
{
    enum oxm_strictness strictness = strstr(command, "--strict") ? OXM_STRICT : OXM_LOOSE;
    const char *version = strstr(command, "OpenFlow");
    struct bytes in = BYTES_INIT, out = BYTES_INIT;
    struct oxm_cookie cookie = { 0, 0 };
    enum of_version v = OF10;
    struct match m;
    enum ofperr error;
    struct error *e = oxm_parse_text(text, &in);

    if (e) {
        str_putf(s, "ovs-ofctl: %s", error_text(e));
        error_free(e);
        bytes_uninit(&in);
        return;
    }
    if (version) {
        assert_true(of_version_parse(version, &v));
    }
    error = oxm_decode_match(in.data, in.len, strictness, &m, version ? NULL : &cookie);
    if (error) {
        str_putf(s, "nx_pull_match() returned error %s", ofperr_name(error));
    } else {
        oxm_encode_match(&m, v, &cookie, &out);
        oxm_format_bytes(s, out.data, out.len);
    }
    bytes_uninit(&in);
    bytes_uninit(&out);
}

static void
entries_are_read_and_written_as_the_reference_does(void **state UNUSED)
{
    struct file f = read_file("oxm.txt");
    size_t n_wrong = 0;

    for (size_t i = 0; i < f.n; i++) {
        char *text = strchr(f.lines[i], '\t'), *expected = strchr(text + 1, '\t');
        struct str ours = STR_INIT;

        *text = *expected = '\0';
        put_oxm_result(&ours, f.lines[i], text + 1);
        *text = '\t';
        n_wrong += compare(f.lines[i], expected + 1, str_text(&ours));
        str_uninit(&ours);
    }
    print_message("%zu of %zu matches differ\n", n_wrong, f.n);
    free_file(&f);
    assert_int_equal(n_wrong, 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_print_as_the_reference_prints_them),
        cmocka_unit_test(actions_are_on_the_wire_what_the_reference_sends),
        cmocka_unit_test(damaged_actions_are_refused_as_the_reference_refuses_them),
        cmocka_unit_test(entries_are_read_and_written_as_the_reference_does),
    };
    struct error *e;
    int failed;

    if (argc < 2) {
        fprintf(stderr, "usage: %s DIRECTORY [-v]\n", argv[0]);
        return 1;
    }
    directory = argv[1];
    verbose = argc > 2;
    e = log_configure("off");
    error_free(e);
    differences = read_file("differences.txt");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    free_file(&differences);
    return failed;
}
