#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "openflow/conn.h"

/* One side of a connection; what happens to it becomes a trace. */
struct side {
    struct of_conn *conn;
    struct str trace;
    bool close_on_message, pause_on_message;
    int message_us;            /* What a message takes. */
    unsigned int n_messages;
    uint32_t xid;              /* Of the last one. */
};

static void
opened(struct of_conn *c, void *s_)
{
    struct side *s = s_;

    str_putf(&s->trace, "open %d;", of_conn_version(c));
}

static void
message(struct of_conn *c, const uint8_t *p, size_t len, void *s_)
{
    struct side *s = s_;
    int64_t until = clock_real_us() + s->message_us;

    s->n_messages++;
    s->xid = get_be32(p + 4);
    if (s->message_us) {
        while (clock_real_us() < until) {
        }
    } else {
        str_putf(&s->trace, "type %d len %zu;", p[1], len);
    }
    if (s->pause_on_message) {
        of_conn_set_reading(c, false);
    }
    if (s->close_on_message) {
        s->conn = NULL;
        of_conn_close(c);
    }
}

static void
closed(struct of_conn *c UNUSED, int error, void *s_)
{
    struct side *s = s_;

    str_putf(&s->trace, "closed %d;", -error);
}

static const struct of_conn_ops ops = { opened, message, closed, NULL };

struct pair {
    struct loop *loop;
    struct side a, b;
    int raw; /* The bare descriptor instead of 'b', -1 if there is none. */
};

static void
make_pair(struct pair *p, uint32_t versions_a, uint32_t versions_b)
{
    int fds[2];

    *p = (struct pair) { .loop = loop_create(), .raw = -1 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    p->a.conn = of_conn_accept(p->loop, stream_from_fd(p->loop, fds[0], "a"), versions_a, 0, &ops, &p->a);
    if (versions_b) {
        p->b.conn = of_conn_accept(p->loop, stream_from_fd(p->loop, fds[1], "b"), versions_b, 0, &ops, &p->b);
    } else {
        p->raw = fds[1];
    }
}

static void
run(struct pair *p)
{
    for (int i = 0; i < 20; i++) {
        loop_run_once(p->loop, false);
    }
}

static void
destroy(struct pair *p)
{
    of_conn_close(p->a.conn);
    of_conn_close(p->b.conn);
    if (p->raw >= 0) {
        close(p->raw);
    }
    str_uninit(&p->a.trace);
    str_uninit(&p->b.trace);
    loop_destroy(p->loop);
}

static void
both_sides_choose_the_highest_common_version(void **state UNUSED)
{
    struct pair p;

    make_pair(&p, 0x52, 0x3e);
    run(&p);
    assert_string_equal(str_text(&p.a.trace), "open 4;");
    assert_string_equal(str_text(&p.b.trace), "open 4;");
    destroy(&p);
}

static void
without_a_common_version_the_connection_ends_with_the_peers(void **state UNUSED)
{
    struct pair p;

    make_pair(&p, 0x10, 0x02);
    run(&p);
    assert_string_equal(str_text(&p.a.trace), "");
    of_conn_close(p.b.conn);
    p.b.conn = NULL;
    run(&p);
    assert_string_equal(str_text(&p.a.trace), "closed 71;"); /* EPROTO. */
    assert_string_equal(of_conn_hello_failure(p.a.conn),
                        "version negotiation failed (we support version 0x04, peer supports version 0x01)");
    destroy(&p);
}

static void
who_was_refused_and_does_not_close_is_closed(void **state UNUSED)
{
    struct pair p;

    make_pair(&p, 0x10, 0x02);
    while (!p.a.trace.len || !p.b.trace.len) {
        loop_run_once(p.loop, true);
    }
    assert_string_equal(str_text(&p.a.trace), "closed 71;");
    destroy(&p);
}

static void
messages_arrive_whole_and_in_order_however_they_are_cut(void **state UNUSED)
{
    static const uint8_t wire[] = { 1, 0, 0, 8, 0, 0, 0, 1, 1, 18, 0, 8, 0, 0, 0, 2, 1, 19, 0, 10, 0, 0, 0, 3, 9, 9 };
    struct pair p;

    make_pair(&p, 0x02, 0);
    for (size_t i = 0; i < sizeof wire; i++) {
        assert_int_equal(write(p.raw, wire + i, 1), 1);
        run(&p);
    }
    assert_string_equal(str_text(&p.a.trace), "open 1;type 18 len 8;type 19 len 10;");
    destroy(&p);
}

static void
an_echo_request_is_answered_with_its_payload(void **state UNUSED)
{
    static const uint8_t wire[] = { 1, 0, 0, 8, 0, 0, 0, 1, 1, 2, 0, 10, 0, 0, 0, 7, 5, 6 };
    static const uint8_t want[] = { 1, 3, 0, 10, 0, 0, 0, 7, 5, 6 };
    uint8_t got[64];
    struct pair p;

    make_pair(&p, 0x02, 0);
    assert_int_equal(write(p.raw, wire, sizeof wire), sizeof wire);
    run(&p);
    assert_int_equal(read(p.raw, got, sizeof got), 8 + sizeof want); /* Its own hello first. */
    assert_memory_equal(got + 8, want, sizeof want);
    assert_string_equal(str_text(&p.a.trace), "open 1;");
    destroy(&p);
}

static void
a_request_of_another_version_is_refused_and_an_echo_is_answered(void **state UNUSED)
{
    static const uint8_t wire[] = { 1, 0, 0, 8, 0, 0, 0, 1, 4, 18, 0, 8, 0, 0, 0, 2, 9, 18, 0, 8, 0, 0, 0, 3,
                                    9, 2, 0, 8, 0, 0, 0, 4, 4, 1, 0, 8, 0, 0, 0, 5 };
    static const uint8_t want[] = { 4, 1, 0, 20, 0, 0, 0, 2, 0, 1, 0, 0, 4, 18, 0, 8, 0, 0, 0, 2,
                                    1, 1, 0, 20, 0, 0, 0, 3, 0, 1, 0, 0, 9, 18, 0, 8, 0, 0, 0, 3,
                                    9, 3, 0, 8, 0, 0, 0, 4 };
    uint8_t got[64];
    struct pair p;

    make_pair(&p, 0x02, 0);
    assert_int_equal(write(p.raw, wire, sizeof wire), sizeof wire);
    run(&p);
    assert_int_equal(read(p.raw, got, sizeof got), 8 + sizeof want); /* Its own hello first. */
    assert_memory_equal(got + 8, want, sizeof want);
    assert_string_equal(str_text(&p.a.trace), "open 1;type 1 len 8;"); /* Errors may have any version. */
    destroy(&p);
}

static void
nonsense_ends_the_connection(void **state UNUSED)
{
    static const uint8_t wires[][16] = {
        { 1, 0, 0, 7, 0, 0, 0, 1 },                           /* Shorter than a header. */
        { 1, 18, 0, 8, 0, 0, 0, 1 },                          /* No hello. */
    };

    for (size_t i = 0; i < ARRAY_SIZE(wires); i++) {
        struct pair p;

        make_pair(&p, 0x02, 0);
        assert_int_equal(write(p.raw, wires[i], 16), 16);
        run(&p);
        assert_true(str_ends_with(&p.a.trace, "closed 71;"));
        destroy(&p);
    }
}

static void
an_orderly_end_and_a_cut_message_are_told_apart(void **state UNUSED)
{
    static const uint8_t wire[] = { 1, 0, 0, 8, 0, 0, 0, 1, 1, 18, 0, 8, 0, 0 };

    for (size_t len = 8; len <= sizeof wire; len += 6) {
        uint8_t hello[8];
        struct pair p;

        make_pair(&p, 0x02, 0);
        run(&p);
        assert_int_equal(read(p.raw, hello, sizeof hello), sizeof hello); /* Unread data would reset the connection. */
        assert_int_equal(write(p.raw, wire, len), len);
        close(p.raw);
        p.raw = -1;
        run(&p);
        assert_true(str_ends_with(&p.a.trace, len == 8 ? "open 1;closed 0;" : "open 1;closed 71;"));
        destroy(&p);
    }
}

static void
what_was_sent_before_the_end_is_read_even_if_writing_fails(void **state UNUSED)
{
    static const uint8_t wire[] = { 1, 0, 0, 8, 0, 0, 0, 1, 1, 18, 0, 8, 0, 0, 0, 1 };
    struct pair p;

    make_pair(&p, 0x02, 0);
    assert_int_equal(write(p.raw, wire, sizeof wire), sizeof wire);
    close(p.raw);
    p.raw = -1;
    run(&p);
    assert_true(str_ends_with(&p.a.trace, "open 1;type 18 len 8;closed 32;"));
    destroy(&p);
}

static void
much_output_is_queued_and_written_as_the_peer_reads(void **state UNUSED)
{
    struct bytes b = BYTES_INIT;
    struct pair p;

    make_pair(&p, 0x02, 0x02);
    run(&p);
    of_conn_set_reading(p.b.conn, false);
    for (int i = 0; i < 1000; i++) {
        size_t start = msg_start(&b, MSG_ECHO_REPLY, OF10, i);

        bytes_put_zeros(&b, 5000);
        msg_finish(&b, start);
    }
    of_conn_send(p.a.conn, &b);
    run(&p);
    assert_true(of_conn_queued(p.a.conn) > 0);
    of_conn_set_reading(p.b.conn, true);
    for (int i = 0; i < 1000 && of_conn_n_received(p.b.conn) < 1001; i++) {
        loop_run_once(p.loop, false);
    }
    assert_int_equal(of_conn_n_received(p.b.conn), 1001);
    assert_int_equal(of_conn_queued(p.a.conn), 0);
    destroy(&p);
}

static void
the_owner_may_close_from_inside_a_message(void **state UNUSED)
{
    static const uint8_t wire[] = { 1, 0, 0, 8, 0, 0, 0, 1, 1, 18, 0, 8, 0, 0, 0, 2, 1, 18, 0, 8, 0, 0, 0, 3 };
    struct pair p;

    make_pair(&p, 0x02, 0);
    p.a.close_on_message = true;
    assert_int_equal(write(p.raw, wire, sizeof wire), sizeof wire);
    run(&p);
    assert_string_equal(str_text(&p.a.trace), "open 1;type 18 len 8;");
    destroy(&p);
}

/* What takes long. */

enum { MANY = 400, LONG_US = 100 };

/* A hello and MANY requests, each of which takes LONG_US. */
static void
ask_much(struct pair *p)
{
    static const uint8_t hello[] = { 1, 0, 0, 8, 0, 0, 0, 1 };
    uint8_t wire[MANY][8];

    make_pair(p, 0x02, 0);
    loop_use_rcu(p->loop);
    assert_int_equal(write(p->raw, hello, sizeof hello), sizeof hello);
    run(p);
    p->a.message_us = LONG_US;
    for (uint32_t i = 0; i < MANY; i++) {
        const uint8_t m[] = { 1, 18, 0, 8, 0, 0, (i + 1) >> 8, i + 1 };

        memcpy(wire[i], m, sizeof m);
    }
    assert_int_equal(write(p->raw, wire, sizeof wire), sizeof wire);
}

/* Runs until they are all delivered; returns the most that came in one turn. */
static unsigned int
most_in_a_turn(struct pair *p, unsigned int n)
{
    unsigned int most = 0;

    while (p->a.n_messages < n) {
        unsigned int before = p->a.n_messages;

        loop_run_once(p->loop, true);
        most = MAX(most, p->a.n_messages - before);
        assert_int_equal(p->a.xid, p->a.n_messages);
    }
    return most;
}

static void
much_that_is_asked_for_at_once_is_delivered_over_many_turns_and_in_order(void **state UNUSED)
{
    struct pair p;

    ask_much(&p);
    assert_in_range(most_in_a_turn(&p, MANY), 1, 10);
    destroy(&p);
}

static void
an_echo_does_not_wait_for_what_others_have_asked_for(void **state UNUSED)
{
    static const uint8_t wire[] = { 1, 0, 0, 8, 0, 0, 0, 1, 1, 2, 0, 8, 0, 0, 0, 7 };
    struct side side = { .trace = STR_INIT };
    struct of_conn *other;
    uint8_t got[16];
    struct pair p;
    int fds[2];

    ask_much(&p);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    other = of_conn_accept(p.loop, stream_from_fd(p.loop, fds[0], "other"), 0x02, 0, &ops, &side);
    assert_int_equal(write(fds[1], wire, sizeof wire), sizeof wire);
    for (int i = 0; i < 3; i++) {
        loop_run_once(p.loop, false);
    }
    assert_in_range(p.a.n_messages, 1, MANY / 2);
    assert_int_equal(read(fds[1], got, sizeof got), sizeof got);
    assert_memory_equal(got + 8, ((const uint8_t[]) { 1, 3, 0, 8, 0, 0, 0, 7 }), 8);
    of_conn_close(other);
    close(fds[1]);
    str_uninit(&side.trace);
    destroy(&p);
}

static void
what_is_left_is_delivered_before_the_end_of_the_connection(void **state UNUSED)
{
    struct pair p;

    ask_much(&p);
    assert_int_equal(shutdown(p.raw, SHUT_WR), 0);
    most_in_a_turn(&p, MANY);
    run(&p);
    assert_string_equal(str_text(&p.a.trace), "open 1;closed 0;");
    destroy(&p);
}

static void
who_stops_reading_gets_what_is_left_when_it_reads_again(void **state UNUSED)
{
    struct pair p;

    ask_much(&p);
    most_in_a_turn(&p, 20);
    p.a.pause_on_message = true;
    most_in_a_turn(&p, p.a.n_messages + 1);
    for (unsigned int i = p.a.n_messages, n = i + 3; i < n; i++) {
        run(&p);
        assert_int_equal(p.a.n_messages, i);
        of_conn_set_reading(p.a.conn, true);
        run(&p);
    }
    p.a.pause_on_message = false;
    of_conn_set_reading(p.a.conn, true);
    most_in_a_turn(&p, MANY);
    destroy(&p);
}

static void
the_owner_may_close_while_there_is_a_rest(void **state UNUSED)
{
    struct pair p;

    ask_much(&p);
    most_in_a_turn(&p, 1);
    of_conn_close(p.a.conn);
    p.a.conn = NULL;
    run(&p);
    assert_in_range(p.a.n_messages, 1, MANY / 2);
    destroy(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_choose_the_highest_common_version),
        cmocka_unit_test(without_a_common_version_the_connection_ends_with_the_peers),
        cmocka_unit_test(who_was_refused_and_does_not_close_is_closed),
        cmocka_unit_test(messages_arrive_whole_and_in_order_however_they_are_cut),
        cmocka_unit_test(an_echo_request_is_answered_with_its_payload),
        cmocka_unit_test(a_request_of_another_version_is_refused_and_an_echo_is_answered),
        cmocka_unit_test(nonsense_ends_the_connection),
        cmocka_unit_test(an_orderly_end_and_a_cut_message_are_told_apart),
        cmocka_unit_test(what_was_sent_before_the_end_is_read_even_if_writing_fails),
        cmocka_unit_test(much_output_is_queued_and_written_as_the_peer_reads),
        cmocka_unit_test(the_owner_may_close_from_inside_a_message),
        cmocka_unit_test(much_that_is_asked_for_at_once_is_delivered_over_many_turns_and_in_order),
        cmocka_unit_test(an_echo_does_not_wait_for_what_others_have_asked_for),
        cmocka_unit_test(what_is_left_is_delivered_before_the_end_of_the_connection),
        cmocka_unit_test(who_stops_reading_gets_what_is_left_when_it_reads_again),
        cmocka_unit_test(the_owner_may_close_while_there_is_a_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
