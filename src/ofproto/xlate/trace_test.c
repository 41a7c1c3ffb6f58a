/* Traces against the recorded output of the reference program (cases/FILE; tests/conform/record-traces makes them). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "ofproto/xlate/sim.h"
#include "sys/rcu_cmocka.h"

static const char *cases_dir;

/* Splits a line into words; single quotes keep spaces. */
static int
split(char *line, const char *words[], int max)
{
    int n = 0;

    for (char *p = line; n < max; ) {
        char *end;

        p += strspn(p, " ");
        if (!*p) {
            break;
        }
        if (*p == '\'') {
            end = strchr(++p, '\'');
        } else {
            end = p + strcspn(p, " ");
        }
        words[n++] = p;
        if (!end || !*end) {
            break;
        }
        *end = '\0';
        p = end + 1;
    }
    return n;
}

static void
run_trace(struct sim *sim, const char *line, struct str *reply)
{
    char *copy = xstrdup(line);
    const char *words[16];
    int n = split(copy, words, 16);
    bool is_packet_out = !strcmp(words[0], "trace-packet-out");
    struct error *e = (is_packet_out ? trace_packet_out_command : trace_command)(n, words, &sim->host, reply);

    if (e) {
        str_putf(reply, "%s\n", error_text(e));
        error_free(e);
    }
    free(copy);
}

/* As the recorder did. */
static void
trim_lines(struct str *s)
{
    struct str out = STR_INIT;

    for (size_t i = 0; i < s->len; i++) {
        if (s->text[i] == '\n') {
            while (str_chomp(&out, ' ')) {
                continue;
            }
        }
        str_putc(&out, s->text[i]);
    }
    str_uninit(s);
    *s = out;
}

/* The numbers of recirculation contexts and the scores of buckets are the reference's own. */
static void
hide_own_numbers(struct str *s)
{
    static const char *const before[] = { ",recirc_id=", "recirc(", "recirc_id=", ": score " };
    struct str out = STR_INIT;

    for (const char *p = str_text(s); *p;) {
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(before) && !n; i++) {
            n = !strncmp(p, before[i], strlen(before[i])) ? strlen(before[i]) : 0;
        }
        str_putn(&out, p, MAX(n, 1));
        p += MAX(n, 1);
        if (n && (p[-(ptrdiff_t) n] != 'r' || strncmp(p, "0,", 2))) {
            str_putc(&out, '?');
            p += strspn(p, "x0123456789abcdef");
        }
    }
    str_uninit(s);
    *s = out;
}

/* Datapath actions without their order: each output with the packet as it then is (tags, other changes), sorted.
 * Floods go to the ports in an order of the reference's own. */

struct packet_state {
    char tags[8][64];
    int n_tags;       /* Of those pushed; may go below zero: popped of the original's. */
    int n_popped;
    char other[1024];
};

static void
put_state(struct str *s, const struct packet_state *p)
{
    str_putf(s, "%d", p->n_popped);
    for (int i = 0; i < p->n_tags; i++) {
        str_putf(s, "+%s", p->tags[i]);
    }
    str_puts(s, p->other);
}

static int
compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static void
apply_token(struct packet_state *p, const char *token, char **outputs, int *n)
{
    struct str s = STR_INIT;

    if (!strncmp(token, "push_vlan", 9)) {
        snprintf(p->tags[p->n_tags++ & 7], sizeof p->tags[0], "%s", token);
    } else if (!strcmp(token, "pop_vlan")) {
        if (p->n_tags) {
            p->n_tags--;
        } else {
            p->n_popped++;
        }
    } else if (strchr(token, '(')) {
        snprintf(p->other + strlen(p->other), sizeof p->other - strlen(p->other), ",%s", token);
    } else {
        put_state(&s, p);
        outputs[(*n)++] = xasprintf("%s:%s", token, str_text(&s));
        str_uninit(&s);
    }
}

static char *
canonical(const char *actions)
{
    struct packet_state p = { .n_tags = 0 };
    char *outputs[256], *copy = xstrdup(actions);
    struct str s = STR_INIT;
    int n = 0, depth = 0;

    for (char *at = copy, *start = copy; ; at++) {
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        if ((*at == ',' && !depth) || !*at) {
            bool end = !*at;

            *at = '\0';
            if (*start && n < 256) {
                apply_token(&p, start, outputs, &n);
            }
            start = at + 1;
            if (end) {
                break;
            }
        }
    }
    if (!n) {
        put_state(&s, &p);
    }
    qsort(outputs, n, sizeof *outputs, compare_strings);
    for (int i = 0; i < n; i++) {
        str_putf(&s, "%s;", outputs[i]);
        free(outputs[i]);
    }
    free(copy);
    return str_steal(&s);
}

static bool
same_line(const char *a, const char *b)
{
    static const char prefix[] = "Datapath actions: ";
    size_t n = sizeof prefix - 1;
    char *ca, *cb;
    bool same;

    if (!strcmp(a, b)) {
        return true;
    }
    if (strncmp(a, prefix, n) || strncmp(b, prefix, n)) {
        return false;
    }
    ca = canonical(a + n);
    cb = canonical(b + n);
    same = !strcmp(ca, cb);
    free(ca);
    free(cb);
    return same;
}

static bool
same_output(const char *expected_, const char *got_)
{
    char *expected = xstrdup(expected_), *got = xstrdup(got_), *save_e = NULL, *save_g = NULL;
    char *e = strtok_r(expected, "\n", &save_e), *g = strtok_r(got, "\n", &save_g);
    bool same = true;

    while (same && e && g) {
        same = same_line(e, g);
        e = strtok_r(NULL, "\n", &save_e);
        g = strtok_r(NULL, "\n", &save_g);
    }
    same = same && !e && !g;
    free(expected);
    free(got);
    return same;
}

struct run {
    struct sim sim;
    struct str expected, got;
    char *command;
    const char *file;
    int n, n_failed;
};

static void
finish_trace(struct run *r)
{
    if (r->command) {
        hide_own_numbers(&r->expected);
        hide_own_numbers(&r->got);
        trim_lines(&r->got);
        r->n++;
        if (!same_output(str_text(&r->expected), str_text(&r->got))) {
            r->n_failed++;
            fprintf(stderr, "%s: %s\nexpected:\n%s\ngot:\n%s\n", r->file, r->command, str_text(&r->expected),
                          str_text(&r->got));
        }
        free(r->command);
        r->command = NULL;
        str_clear(&r->expected);
        str_clear(&r->got);
    }
}

static void
run_line(struct run *r, const char *line)
{
    if (line[0] == '|') {
        size_t head = line[1] == '!' ? 3 : 2;

        str_putf(&r->expected, "%s\n", strlen(line) > head ? line + head : "");
        return;
    }
    finish_trace(r);
    if (!line[0] || line[0] == '#') {
        return;
    } else if (!strcmp(line, "reset")) {
        LIST_FOR_EACH (b, struct xbridge, node, &r->sim.xdp.bridges) {
            sim_delete_flows(b);
        }
    } else if (!strncmp(line, "trace", 5)) {
        r->command = xstrdup(line);
        run_trace(&r->sim, line, &r->got);
    } else if (!sim_run_line(&r->sim, line)) {
        fail_msg("%s: cannot run: %s", r->file, line);
    }
}

static void
run_file(const char *file)
{
    struct run r = { .file = file };
    char *path = xasprintf("%s/%s", cases_dir, file), *line = NULL;
    FILE *f = fopen(path, "r");
    size_t capacity = 0;
    ssize_t n;

    if (!f) {
        fail_msg("%s: cannot be read", path);
        return;
    }
    sim_init(&r.sim);
    while ((n = getline(&line, &capacity, f)) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        run_line(&r, line);
    }
    finish_trace(&r);
    fclose(f);
    free(line);
    free(path);
    sim_uninit(&r.sim);
    str_uninit(&r.expected);
    str_uninit(&r.got);
    if (r.n_failed || !r.n) {
        fail_msg("%s: %d of %d traces differ", file, r.n_failed, r.n);
    }
    print_message("%s: %d traces\n", file, r.n);
}

static void
actions_trace_as_in_the_reference(void **state UNUSED)
{
    run_file("actions");
}

static void
normal_switching_traces_as_in_the_reference(void **state UNUSED)
{
    run_file("normal");
}

static void
pipelines_trace_as_in_the_reference(void **state UNUSED)
{
    run_file("pipeline");
}

static void
both_sides_of_a_check_of_lengths_carry_out_what_they_wrote(void **state UNUSED)
{
    run_file("check_pkt_larger");
}

static void
groups_trace_as_in_the_reference(void **state UNUSED)
{
    run_file("group");
}

static void
meters_trace_as_in_the_reference(void **state UNUSED)
{
    run_file("meter");
}

static void
packet_types_trace_as_in_the_reference(void **state UNUSED)
{
    run_file("nsh");
}

static void
connection_tracking_traces_as_in_the_reference(void **state UNUSED)
{
    run_file("ct");
}

static void
samples_and_learning_trace_as_in_the_reference(void **state UNUSED)
{
    run_file("sample");
}

static void
recirculation_traces_as_in_the_reference(void **state UNUSED)
{
    run_file("recirc");
}

static void
flows_are_learned_in_all_forms_as_in_the_reference(void **state UNUSED)
{
    run_file("learn");
}

static void
bundle_and_multipath_look_at_what_the_reference_looks_at(void **state UNUSED)
{
    run_file("choose");
}

static void
reserved_ports_queues_and_messages_trace_as_in_the_reference(void **state UNUSED)
{
    run_file("ports");
}

static void
all_forms_of_ct_and_nat_trace_as_in_the_reference(void **state UNUSED)
{
    run_file("ct_forms");
}

static void
loops_chains_and_action_sets_end_as_in_the_reference(void **state UNUSED)
{
    run_file("limits");
}

static void
clones_and_buckets_write_action_sets_as_in_the_reference(void **state UNUSED)
{
    run_file("action_sets");
}

static void
arguments_are_checked_as_in_the_reference(void **state UNUSED)
{
    run_file("arguments");
}

int
main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_trace_as_in_the_reference),
        cmocka_unit_test(normal_switching_traces_as_in_the_reference),
        cmocka_unit_test(pipelines_trace_as_in_the_reference),
        cmocka_unit_test(both_sides_of_a_check_of_lengths_carry_out_what_they_wrote),
        cmocka_unit_test(groups_trace_as_in_the_reference),
        cmocka_unit_test(meters_trace_as_in_the_reference),
        cmocka_unit_test(samples_and_learning_trace_as_in_the_reference),
        cmocka_unit_test(recirculation_traces_as_in_the_reference),
        cmocka_unit_test(packet_types_trace_as_in_the_reference),
        cmocka_unit_test(connection_tracking_traces_as_in_the_reference),
        cmocka_unit_test(flows_are_learned_in_all_forms_as_in_the_reference),
        cmocka_unit_test(bundle_and_multipath_look_at_what_the_reference_looks_at),
        cmocka_unit_test(reserved_ports_queues_and_messages_trace_as_in_the_reference),
        cmocka_unit_test(all_forms_of_ct_and_nat_trace_as_in_the_reference),
        cmocka_unit_test(loops_chains_and_action_sets_end_as_in_the_reference),
        cmocka_unit_test(clones_and_buckets_write_action_sets_as_in_the_reference),
        cmocka_unit_test(arguments_are_checked_as_in_the_reference),
    };

    cases_dir = argc > 1 ? argv[1] : "cases";
    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
