/* The replica against a real server: the one in $OVSDB_SERVER, else the one on PATH; skipped where there is none.
 *
 *   this test -- two replicas ("a", "b") -- unix:DIR/db.sock -- ovsdb-server -- DIR/conf.db */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "ovsdb/idl/vswitch_idl.h"

static char directory[] = "/tmp/idl-test.XXXXXX";
static char *remote;
static pid_t server;
static struct schema *schema;
static struct loop *loop;

static void
run(const char *format, ...)
{
    va_list args;
    char *command;

    va_start(args, format);
    command = xvasprintf(format, args);
    va_end(args);
    if (system(command)) {
        fail_msg("%s", command);
    }
    free(command);
}

static const char *
program(const char *variable, const char *name)
{
    const char *value = getenv(variable);

    return value ? value : name;
}

static void
start_server(void)
{
    char *socket = xasprintf("--remote=punix:%s/db.sock", directory), *file = xasprintf("%s/conf.db", directory);
    char *path = xasprintf("%s/db.sock", directory);

    server = fork();
    if (!server) {
        execlp(program("OVSDB_SERVER", "ovsdb-server"), "ovsdb-server", socket, "--no-chdir", "-vconsole:off",
               "-vfile:off", "-vsyslog:off", file, (char *) NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000 && access(path, F_OK); i++) {
        usleep(10000);
    }
    free(socket);
    free(file);
    free(path);
}

static void
stop_server(void)
{
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
}

static int
set_up(void **state UNUSED)
{
    assert_non_null(mkdtemp(directory));
    remote = xasprintf("unix:%s/db.sock", directory);
    setenv("OVS_RUNDIR", directory, 1);
    run("%s create %s/conf.db %s", program("OVSDB_TOOL", "ovsdb-tool"), directory, getenv("SCHEMA"));
    start_server();
    schema = vs_schema();
    loop = loop_create();
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    loop_destroy(loop);
    schema_unref(schema);
    stop_server();
    run("rm -r %s", directory);
    free(remote);
    return 0;
}

static struct idl *
replica(void)
{
    struct idl *idl = idl_create(loop, schema, remote, true);

    for (unsigned i = 0; i < VS_N_TABLES; i++) {
        idl_add_table(idl, i, IDL_ALERT);
    }
    return idl;
}

/* Runs the loop until 'idl' has its contents. */
static void
fill(struct idl *idl)
{
    while (!idl_is_filled(idl)) {
        assert_true(idl_block(idl, idl_seqno(idl), clock_now_ms() + 10000));
    }
}

/* Runs the loop until 'idl' has seen something new. */
static void
next(struct idl *idl, unsigned seqno)
{
    assert_true(idl_block(idl, seqno, clock_now_ms() + 10000));
}

static const struct vs_queue *
only_queue(struct idl *idl)
{
    const struct vs_queue *q = vs_queue_first(idl);

    assert_non_null(q);
    assert_null(vs_queue_next(q));
    return q;
}

static void
remove_all_queues(struct idl *idl)
{
    struct idl_txn *txn = idl_txn_create(idl);

    VS_QUEUE_FOR_EACH (q, idl) {
        idl_delete(&q->row);
    }
    assert_in_range(idl_txn_commit_block(txn), IDL_UNCHANGED, IDL_SUCCESS);
    idl_txn_destroy(txn);
    idl_clear_changes(idl);
}

static void
add_queue(struct idl *idl, int64_t dscp)
{
    struct idl_txn *txn = idl_txn_create(idl);
    struct vs_queue *q = vs_queue_insert(txn);

    vs_queue_dscp_set(q, dscp);
    assert_int_equal(idl_txn_commit_block(txn), IDL_SUCCESS);
    idl_txn_destroy(txn);
}

static void
what_one_writes_the_other_sees_as_a_change(void **state UNUSED)
{
    struct idl *a = replica(), *b = replica();
    unsigned seqno;

    idl_start(a);
    idl_start(b);
    fill(a);
    fill(b);
    idl_clear_changes(b);
    seqno = idl_seqno(b);
    add_queue(a, 5);
    next(b, seqno);
    assert_int_equal(vs_queue_dscp(only_queue(b), -1), 5);
    assert_true(idl_is_inserted(idl_first_change(b, VS_QUEUE)));
    idl_clear_changes(b);
    assert_null(idl_first_change(b, VS_QUEUE));

    seqno = idl_seqno(b);
    remove_all_queues(a);
    next(b, seqno);
    assert_null(vs_queue_first(b));
    assert_true(idl_is_deleted(idl_first_change(b, VS_QUEUE)));
    idl_destroy(a);
    idl_destroy(b);
}

static void
a_change_names_its_columns(void **state UNUSED)
{
    struct idl *a = replica();
    struct idl_txn *txn;
    const struct idl_row *row;

    idl_start(a);
    fill(a);
    add_queue(a, 1);
    idl_clear_changes(a);
    txn = idl_txn_create(a);
    idl_put_key(&only_queue(a)->row, VS_QUEUE_OTHER_CONFIG, "k", "v");
    assert_string_equal(vs_queue_other_config(only_queue(a), "k"), "v");
    assert_int_equal(idl_txn_commit_block(txn), IDL_SUCCESS);
    idl_txn_destroy(txn);
    row = idl_first_change(a, VS_QUEUE);
    assert_non_null(row);
    assert_true(idl_column_changed(row, VS_QUEUE_OTHER_CONFIG));
    assert_false(idl_column_changed(row, VS_QUEUE_DSCP));
    assert_string_equal(vs_queue_other_config(only_queue(a), "k"), "v");
    remove_all_queues(a);
    idl_destroy(a);
}

static void
elements_of_a_map_change_where_they_are(void **state UNUSED)
{
    struct idl *a = replica();
    struct idl_txn *txn;

    idl_start(a);
    fill(a);
    add_queue(a, 1);
    for (int round = 0; round < 3; round++) {
        const struct idl_row *row = &only_queue(a)->row;

        txn = idl_txn_create(a);
        idl_put_key(row, VS_QUEUE_OTHER_CONFIG, "same", "x");
        idl_put_key(row, VS_QUEUE_OTHER_CONFIG, "round", round ? "later" : "first");
        idl_put_key(row, VS_QUEUE_OTHER_CONFIG, "gone", "x");
        idl_remove_key(row, VS_QUEUE_OTHER_CONFIG, "gone");
        assert_null(idl_get_key(row, VS_QUEUE_OTHER_CONFIG, "gone"));
        assert_in_range(idl_txn_commit_block(txn), IDL_UNCHANGED, IDL_SUCCESS);
        idl_txn_destroy(txn);
        assert_string_equal(vs_queue_other_config(only_queue(a), "round"), round ? "later" : "first");
        assert_string_equal(vs_queue_other_config(only_queue(a), "same"), "x");
        assert_int_equal(idl_count(row, VS_QUEUE_OTHER_CONFIG), 2);
    }
    remove_all_queues(a);
    idl_destroy(a);
}

static void
new_rows_may_refer_to_each_other(void **state UNUSED)
{
    struct idl *a = replica();
    struct idl_txn *txn;
    struct vs_bridge *bridge;
    struct vs_port *port;
    struct vs_interface *iface;
    struct vs_open_vswitch *root;
    struct uuid provisional;

    idl_start(a);
    fill(a);
    txn = idl_txn_create(a);
    idl_verify_empty(txn, VS_OPEN_VSWITCH);
    root = vs_open_vswitch_insert(txn);
    bridge = vs_bridge_insert(txn);
    port = vs_port_insert(txn);
    iface = vs_interface_insert(txn);
    provisional = bridge->row.uuid;
    vs_bridge_name_set(bridge, "br0");
    vs_port_name_set(port, "br0");
    vs_interface_name_set(iface, "br0");
    idl_put_ref(&port->row, VS_PORT_INTERFACES, &iface->row);
    idl_put_ref(&bridge->row, VS_BRIDGE_PORTS, &port->row);
    idl_put_ref(&root->row, VS_OPEN_VSWITCH_BRIDGES, &bridge->row);
    assert_ptr_equal(vs_open_vswitch_bridges(root, 0), bridge);
    if (idl_txn_commit_block(txn) != IDL_SUCCESS) {
        fail_msg("%s", idl_txn_error(txn));
    }
    assert_non_null(idl_row_get(a, VS_BRIDGE, idl_txn_uuid(txn, &provisional)));
    idl_txn_destroy(txn);
    assert_string_equal(vs_interface_name(vs_port_interfaces(vs_bridge_ports(vs_bridge_first(a), 0), 0)), "br0");
    assert_null(vs_bridge_next(vs_bridge_first(a)));
    idl_destroy(a);
}

static void
a_value_that_changed_meanwhile_means_try_again(void **state UNUSED)
{
    struct idl *a = replica(), *b = replica();
    struct idl_txn *txn;

    idl_start(a);
    fill(a);
    add_queue(a, 1);
    idl_start(b);
    fill(b);
    txn = idl_txn_create(b);
    idl_verify(&only_queue(b)->row, VS_QUEUE_DSCP);
    vs_queue_dscp_set(only_queue(b), 3);
    {
        struct idl_txn *other = idl_txn_create(a);

        vs_queue_dscp_set(only_queue(a), 2);
        assert_int_equal(idl_txn_commit_block(other), IDL_SUCCESS);
        idl_txn_destroy(other);
    }
    assert_int_equal(idl_txn_commit_block(txn), IDL_TRY_AGAIN);
    idl_txn_destroy(txn);
    assert_int_equal(vs_queue_dscp(only_queue(b), -1), 2);
    remove_all_queues(a);
    idl_destroy(a);
    idl_destroy(b);
}

static void
a_constraint_violation_is_told_as_the_server_told_it(void **state UNUSED)
{
    struct idl *a = replica();
    struct idl_txn *txn;

    idl_start(a);
    fill(a);
    txn = idl_txn_create(a);
    vs_queue_dscp_set(vs_queue_insert(txn), 64);
    assert_int_equal(idl_txn_commit_block(txn), IDL_ERROR);
    assert_string_equal(idl_txn_error(txn), "{\"details\":\"64 is not in the valid range 0 to 63 (inclusive)\","
                                            "\"error\":\"constraint violation\"}");
    idl_txn_destroy(txn);
    assert_null(vs_queue_first(a));
    idl_destroy(a);
}

static void
nothing_changed_is_not_sent_and_counters_count_only_changes(void **state UNUSED)
{
    struct idl *a = replica();
    const struct vs_open_vswitch *root;
    int64_t before;
    struct idl_txn *txn;

    idl_start(a);
    fill(a);
    root = vs_open_vswitch_first(a);
    before = vs_open_vswitch_next_cfg(root);
    txn = idl_txn_create(a);
    vs_open_vswitch_next_cfg_set(root, before);
    idl_increment(&root->row, VS_OPEN_VSWITCH_NEXT_CFG);
    assert_int_equal(idl_txn_commit_block(txn), IDL_UNCHANGED);
    idl_txn_destroy(txn);
    txn = idl_txn_create(a);
    vs_open_vswitch_system_type_set(root, "test");
    idl_increment(&root->row, VS_OPEN_VSWITCH_NEXT_CFG);
    assert_int_equal(idl_txn_commit_block(txn), IDL_SUCCESS);
    assert_int_equal(idl_txn_incremented(txn), before + 1);
    idl_txn_destroy(txn);
    assert_int_equal(vs_open_vswitch_next_cfg(root), before + 1);
    idl_destroy(a);
}

static void
a_dry_run_changes_nothing(void **state UNUSED)
{
    struct idl *a = replica();
    struct idl_txn *txn;

    idl_start(a);
    fill(a);
    txn = idl_txn_create(a);
    idl_txn_set_dry_run(txn);
    vs_queue_dscp_set(vs_queue_insert(txn), 6);
    assert_int_equal(idl_txn_commit_block(txn), IDL_SUCCESS);
    idl_txn_destroy(txn);
    assert_null(vs_queue_first(a));
    idl_destroy(a);
}

static void
a_restart_of_the_server_reports_only_what_differs(void **state UNUSED)
{
    struct idl *a = replica();
    unsigned seqno;

    idl_start(a);
    fill(a);
    add_queue(a, 7);
    add_queue(a, 8);
    idl_clear_changes(a);
    stop_server();
    start_server();
    do {
        seqno = idl_seqno(a);
        next(a, seqno);
    } while (!idl_is_filled(a));
    assert_null(idl_first_change(a, VS_QUEUE));
    assert_null(idl_first_change(a, VS_BRIDGE));
    assert_int_equal(idl_n_rows(a, VS_QUEUE), 2);
    remove_all_queues(a);
    idl_destroy(a);
}

static void
of_two_that_want_a_lock_one_has_it(void **state UNUSED)
{
    struct idl *a = replica(), *b = replica();
    struct idl_txn *txn;

    idl_set_lock(a, "test_lock");
    idl_set_lock(b, "test_lock");
    idl_start(a);
    fill(a);
    assert_true(idl_has_lock(a));
    idl_start(b);
    fill(b);
    assert_false(idl_has_lock(b));
    assert_true(idl_is_lock_contended(b));
    txn = idl_txn_create(b);
    vs_queue_dscp_set(vs_queue_insert(txn), 6);
    assert_int_equal(idl_txn_commit_block(txn), IDL_NOT_LOCKED);
    idl_txn_destroy(txn);
    idl_destroy(a);
    while (!idl_has_lock(b)) {
        next(b, idl_seqno(b));
    }
    add_queue(b, 6);
    remove_all_queues(b);
    idl_destroy(b);
}

static void
a_condition_limits_the_rows(void **state UNUSED)
{
    struct idl *a = replica(), *b = replica();
    struct json *where;

    idl_start(a);
    fill(a);
    add_queue(a, 1);
    add_queue(a, 2);
    assert_null(js_parse_string("[[\"dscp\",\"==\",2]]", &where));
    idl_set_condition_take(b, VS_QUEUE, where);
    idl_start(b);
    fill(b);
    assert_int_equal(vs_queue_dscp(only_queue(b), -1), 2);
    remove_all_queues(a);
    idl_destroy(a);
    idl_destroy(b);
}

/* The dscp of the queues that 'idl' shows, in order, as digits. */
static const char *
dscps(struct idl *idl)
{
    static char text[10];
    size_t n = 0;

    for (int dscp = 0; dscp < 10; dscp++) {
        VS_QUEUE_FOR_EACH (q, idl) {
            if (vs_queue_dscp(q, -1) == dscp && n < sizeof text - 1) {
                text[n++] = (char) ('0' + dscp);
            }
        }
    }
    text[n] = '\0';
    return text;
}

static void
set_condition(struct idl *idl, const char *text)
{
    struct json *where = NULL;

    if (text) {
        assert_null(js_parse_string(text, &where));
    }
    idl_set_condition_take(idl, VS_QUEUE, where);
}

static void
wait_for_conditions(struct idl *idl)
{
    assert_false(idl_conditions_hold(idl));
    while (!idl_conditions_hold(idl)) {
        next(idl, idl_seqno(idl));
    }
}

static void
a_condition_may_change_at_any_time(void **state UNUSED)
{
    struct idl *a = replica();

    idl_start(a);
    fill(a);
    assert_true(idl_conditions_hold(a));
    for (int i = 1; i <= 4; i++) {
        add_queue(a, i);
    }
    set_condition(a, "[[\"dscp\",\"==\",2],[\"dscp\",\"==\",4]]");
    wait_for_conditions(a);
    assert_string_equal(dscps(a), "24");
    set_condition(a, "[]");
    set_condition(a, "[[\"dscp\",\"==\",1]]");
    set_condition(a, "[[\"dscp\",\"==\",3]]"); /* While the first is under way. */
    wait_for_conditions(a);
    assert_string_equal(dscps(a), "3");
    stop_server();
    set_condition(a, "[[\"dscp\",\"==\",1]]");
    while (idl_is_filled(a)) {
        next(a, idl_seqno(a));
    }
    start_server();
    fill(a);
    assert_string_equal(dscps(a), "1");
    set_condition(a, NULL);
    wait_for_conditions(a);
    assert_string_equal(dscps(a), "1234");
    remove_all_queues(a);
    idl_destroy(a);
}

/* Checks an index against the table: the same rows, in order. */
static void
check_index(struct idl *idl, const struct idl_index *index, bool descending)
{
    struct idl_range range;
    const struct idl_row *last = NULL;
    size_t n = 0;

    for (const struct idl_row *r = idl_range_first(&range, index, NULL, 0, NULL, 0); r; r = idl_range_next(&range)) {
        if (last) {
            const int c = datum_compare(idl_get(last, VS_QUEUE_DSCP), idl_get(r, VS_QUEUE_DSCP),
                                        idl_type(r, VS_QUEUE_DSCP));

            assert_true((descending ? -c : c) < 0 || (!c && memcmp(&last->uuid, &r->uuid, sizeof r->uuid) < 0));
        }
        last = r;
        n++;
    }
    assert_int_equal(n, idl_n_rows(idl, VS_QUEUE));
}

static size_t
count_range(const struct idl_index *index, int64_t from, int64_t to)
{
    const struct datum low = { .n = 1, .one.integer = from }, high = { .n = 1, .one.integer = to };
    const struct datum *lows[] = { &low }, *highs[] = { &high };
    struct idl_range range;
    size_t n = 0;

    for (const struct idl_row *r = idl_range_first(&range, index, lows, 1, highs, 1); r; r = idl_range_next(&range)) {
        n++;
    }
    return n;
}

/* Does something at random to the queues. */
static void
stir(struct idl *idl, struct random *random)
{
    struct idl_txn *txn = idl_txn_create(idl);

    for (int i = 0; i < 20; i++) {
        vs_queue_dscp_set(vs_queue_insert(txn), random_below(random, 10));
    }
    VS_QUEUE_FOR_EACH (q, idl) {
        if (!random_below(random, 3)) {
            vs_queue_dscp_set(q, random_below(random, 10));
        } else if (!idl_row_is_new(&q->row) && !random_below(random, 4)) {
            idl_delete(&q->row);
        }
    }
    assert_int_equal(idl_txn_commit_block(txn), IDL_SUCCESS);
    idl_txn_destroy(txn);
    idl_clear_changes(idl);
}

static void
an_index_follows_every_change_and_gives_ranges(void **state UNUSED)
{
    const struct idl_order up = { VS_QUEUE_DSCP, false }, down = { VS_QUEUE_DSCP, true };
    struct idl *a = replica();
    struct idl_index *rising = idl_index_create(a, VS_QUEUE, &up, 1), *falling;
    struct random random;

    random_seed(&random, 1);
    idl_start(a);
    fill(a);
    stir(a, &random);
    falling = idl_index_create(a, VS_QUEUE, &down, 1);
    for (int i = 0; i < 10; i++) {
        size_t between = 0;

        stir(a, &random);
        check_index(a, rising, false);
        check_index(a, falling, true);
        VS_QUEUE_FOR_EACH (q, a) {
            between += vs_queue_dscp(q, -1) >= 3 && vs_queue_dscp(q, -1) <= 6;
        }
        assert_int_equal(count_range(rising, 3, 6), between);
        assert_int_equal(count_range(falling, 6, 3), between);
        assert_int_equal(count_range(rising, 6, 3), 0);
    }
    const struct datum seven = { .n = 1, .one.integer = 7 }, *values[] = { &seven };
    const struct idl_row *found = idl_index_find(rising, values, 1);

    assert_int_equal(found ? idl_get_int(found, VS_QUEUE_DSCP, -1) : 7, 7);
    stop_server(); /* Everything is fetched anew, and nothing of it has changed. */
    start_server();
    next(a, idl_seqno(a));
    fill(a);
    check_index(a, rising, false);
    remove_all_queues(a);
    check_index(a, rising, false);
    idl_destroy(a);
}

static void
a_row_with_a_uuid_of_its_own_stays_after_the_transaction(void **state UNUSED)
{
    const struct idl_order order = { VS_QUEUE_DSCP, false };
    struct idl *a = replica();
    struct idl_index *index = idl_index_create(a, VS_QUEUE, &order, 1);
    struct uuid uuid;
    struct idl_txn *txn;

    assert_true(uuid_parse(&uuid, "01234567-89ab-cdef-0123-456789abcdef"));
    idl_start(a);
    fill(a);
    txn = idl_txn_create(a);
    idl_set_int(idl_insert(txn, VS_QUEUE, &uuid), VS_QUEUE_DSCP, 5);
    assert_int_equal(count_range(index, 0, 9), 0); /* Not the server's yet. */
    assert_int_equal(idl_txn_commit_block(txn), IDL_SUCCESS);
    idl_txn_destroy(txn);
    assert_non_null(idl_row_get(a, VS_QUEUE, &uuid));
    assert_int_equal(vs_queue_dscp(only_queue(a), -1), 5);
    assert_true(idl_is_inserted(&only_queue(a)->row));
    assert_int_equal(count_range(index, 5, 5), 1);
    remove_all_queues(a);
    idl_destroy(a);
}

static void
of_a_server_without_cluster_nobody_is_asked_for_a_leader(void **state UNUSED)
{
    char *remotes = xasprintf("unix:%s/nothing,%s", directory, remote);
    struct idl *a = idl_create(loop, schema, remotes, true);

    idl_add_table(a, VS_QUEUE, IDL_ALERT);
    idl_set_leader_only(a, true);
    idl_start(a);
    fill(a);
    add_queue(a, 3);
    assert_string_equal(dscps(a), "3");
    remove_all_queues(a);
    idl_destroy(a);
    free(remotes);
}

static void
a_column_that_is_only_written_need_not_be_replicated(void **state UNUSED)
{
    struct idl *a = replica(), *b = idl_create(loop, schema, remote, true);
    struct idl_txn *txn;

    idl_add_column(b, VS_QUEUE, COL_UUID, IDL_ALERT);
    idl_start(a);
    idl_start(b);
    fill(a);
    fill(b);
    add_queue(a, 6);
    while (!vs_queue_first(b)) {
        next(b, idl_seqno(b));
    }
    assert_int_equal(vs_queue_dscp(only_queue(b), -1), -1);
    txn = idl_txn_create(b);
    idl_set_empty(&only_queue(b)->row, VS_QUEUE_DSCP); /* What reads show already: sent nevertheless. */
    assert_int_equal(idl_txn_commit_block(txn), IDL_SUCCESS);
    idl_txn_destroy(txn);
    while (vs_queue_dscp(only_queue(a), -1) != -1) {
        next(a, idl_seqno(a));
    }
    remove_all_queues(a);
    idl_destroy(a);
    idl_destroy(b);
}

static void
without_retrying_a_missing_server_is_an_error(void **state UNUSED)
{
    struct idl *a = idl_create(loop, schema, "unix:/nonexistent/a,unix:/nonexistent/b", false);
    const int64_t start = clock_now_ms();

    idl_add_table(a, VS_QUEUE, IDL_ALERT);
    idl_start(a);
    while (!idl_error(a)) {
        next(a, idl_seqno(a));
    }
    assert_string_equal(idl_error(a), "unix:/nonexistent/a,unix:/nonexistent/b: database connection failed (No such "
                                      "file or directory)");
    assert_true(clock_now_ms() - start < 5000);
    idl_destroy(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_writes_the_other_sees_as_a_change),
        cmocka_unit_test(a_change_names_its_columns),
        cmocka_unit_test(elements_of_a_map_change_where_they_are),
        cmocka_unit_test(new_rows_may_refer_to_each_other),
        cmocka_unit_test(a_value_that_changed_meanwhile_means_try_again),
        cmocka_unit_test(a_constraint_violation_is_told_as_the_server_told_it),
        cmocka_unit_test(nothing_changed_is_not_sent_and_counters_count_only_changes),
        cmocka_unit_test(a_dry_run_changes_nothing),
        cmocka_unit_test(a_restart_of_the_server_reports_only_what_differs),
        cmocka_unit_test(of_two_that_want_a_lock_one_has_it),
        cmocka_unit_test(a_condition_limits_the_rows),
        cmocka_unit_test(a_condition_may_change_at_any_time),
        cmocka_unit_test(an_index_follows_every_change_and_gives_ranges),
        cmocka_unit_test(a_row_with_a_uuid_of_its_own_stays_after_the_transaction),
        cmocka_unit_test(of_a_server_without_cluster_nobody_is_asked_for_a_leader),
        cmocka_unit_test(a_column_that_is_only_written_need_not_be_replicated),
        cmocka_unit_test(without_retrying_a_missing_server_is_an_error),
    };

    if (system("command -v ${OVSDB_SERVER:-ovsdb-server} ${OVSDB_TOOL:-ovsdb-tool} >/dev/null")) {
        return 77;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
