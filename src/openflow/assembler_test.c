#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openflow/assembler.h"

enum { PORT = 4, TABLE_FEATURES = 12, MORE = 1 };

/* A part of a request of 1.3 with 'n' bytes of body, which are all 'fill'. */
struct part { uint8_t data[16 + 64]; };

static struct part
make(uint32_t xid, unsigned int type, unsigned int flags, uint8_t fill, size_t n)
{
    struct part p = { { 4, 18 } };

    put_be16(p.data + 2, 16 + n);
    put_be32(p.data + 4, xid);
    put_be16(p.data + 8, type);
    put_be16(p.data + 10, flags);
    memset(p.data + 16, fill, n);
    return p;
}

/* What the assembler says: whether the request is there. */
static bool
add(struct msg_assembler *a, const struct part *p, int64_t now, struct msg *whole, enum ofperr *error)
{
    struct msg m;

    assert_int_equal(msg_decode_partial(p->data, msg_stated_length(p->data), &m), OFPERR_NONE);
    return msg_assembler_add(a, &m, now, whole, error);
}

static void
parts_of_several_requests_may_come_mixed(void **state UNUSED)
{
    const struct part features[] = { make(7, TABLE_FEATURES, MORE, 1, 64), make(7, TABLE_FEATURES, 0, 2, 64) };
    const struct part ports[] = { make(8, PORT, MORE, 3, 8), make(8, PORT, 0, 0, 0) };
    const struct part alone = make(9, PORT, 0, 4, 8);
    struct msg_assembler a;
    enum ofperr error;
    struct msg m;

    msg_assembler_init(&a, 10000);
    assert_false(add(&a, &features[0], 0, &m, &error));
    assert_false(add(&a, &ports[0], 0, &m, &error));
    assert_true(add(&a, &alone, 0, &m, &error));
    assert_int_equal(error, OFPERR_NONE);
    assert_ptr_equal(m.data, alone.data); /* Not copied. */
    assert_null(a.done);
    assert_true(add(&a, &features[1], 0, &m, &error));
    assert_int_equal(error, OFPERR_NONE);
    assert_int_equal(a.done->n, 2);
    assert_int_equal(a.done->parts[1].data[16], 2);
    assert_int_equal(m.data[16], 1);
    assert_true(add(&a, &ports[1], 0, &m, &error));
    assert_int_equal(error, OFPERR_NONE);
    assert_int_equal(m.data[16], 3);
    assert_int_equal(a.n_bytes, 0);
    msg_assembler_uninit(&a);
}

/* An empty part counts for nothing, before and behind the one with the body; but one body there must be. */
static void
empty_parts_are_passed_over(void **state UNUSED)
{
    const struct part empty = make(1, PORT, MORE, 0, 0), body = make(1, PORT, 0, 5, 8), end = make(1, PORT, 0, 0, 0);
    struct msg_assembler a;
    enum ofperr error;
    struct msg m;

    msg_assembler_init(&a, 10000);
    assert_int_equal(msg_decode_partial(end.data, 16, &m), OFPERR_NONE);
    assert_false(msg_assembler_takes_empty(&a, &m));
    assert_false(add(&a, &empty, 0, &m, &error));
    assert_int_equal(msg_decode_partial(end.data, 16, &m), OFPERR_NONE);
    assert_true(msg_assembler_takes_empty(&a, &m));
    assert_true(add(&a, &body, 0, &m, &error));
    assert_int_equal(error, OFPERR_NONE);
    assert_int_equal(m.data[16], 5);
    assert_false(add(&a, &empty, 0, &m, &error));
    assert_true(add(&a, &end, 0, &m, &error));
    assert_int_equal(error, OFPERR_OFPBRC_BAD_LEN);
    msg_assembler_uninit(&a);
}

static void
what_does_not_belong_together_is_refused(void **state UNUSED)
{
    const struct part first = make(1, PORT, MORE, 5, 8), second = make(1, PORT, 0, 6, 8);
    const struct part other = make(1, TABLE_FEATURES, 0, 0, 0), end = make(1, PORT, 0, 0, 0);
    struct msg_assembler a;
    enum ofperr error;
    struct msg m;

    msg_assembler_init(&a, 10000);
    assert_false(add(&a, &first, 0, &m, &error));
    assert_true(add(&a, &second, 0, &m, &error));
    assert_int_equal(error, OFPERR_OFPBRC_BAD_STAT);
    assert_int_equal(m.data[16], 5); /* The error quotes the first. */

    assert_false(add(&a, &first, 0, &m, &error));
    assert_true(add(&a, &other, 0, &m, &error));
    assert_int_equal(error, OFPERR_OFPBRC_BAD_STAT);
    assert_ptr_equal(m.data, other.data);
    assert_true(add(&a, &end, 0, &m, &error)); /* What was begun goes on. */
    assert_int_equal(error, OFPERR_NONE);
    msg_assembler_uninit(&a);
}

static void
what_waits_is_bounded_and_given_up_in_time(void **state UNUSED)
{
    const struct part parts[] = { make(1, TABLE_FEATURES, MORE, 1, 64), make(2, TABLE_FEATURES, MORE, 2, 64) };
    struct msg_assembler a;
    enum ofperr error = OFPERR_NONE;
    struct bytes part;
    struct msg m;
    int n = 0;

    msg_assembler_init(&a, 10000);
    assert_true(msg_assembler_due(&a) == INT64_MAX);
    assert_false(add(&a, &parts[0], 100, &m, &error));
    assert_false(add(&a, &parts[1], 200, &m, &error));
    assert_false(add(&a, &parts[0], 300, &m, &error)); /* Its time begins anew. */
    assert_int_equal(msg_assembler_due(&a), 200 + ASSEMBLER_TIMEOUT_MS);
    assert_false(msg_assembler_give_up(&a, 199 + ASSEMBLER_TIMEOUT_MS, &part));
    assert_true(msg_assembler_give_up(&a, 200 + ASSEMBLER_TIMEOUT_MS, &part));
    assert_int_equal(part.data[16], 2);
    bytes_uninit(&part);
    assert_false(msg_assembler_give_up(&a, 200 + ASSEMBLER_TIMEOUT_MS, &part));

    while (!add(&a, &parts[0], 300, &m, &error)) {
        n++;
    }
    assert_int_equal(error, OFPERR_OFPBRC_MULTIPART_BUFFER_OVERFLOW);
    assert_in_range(n, 50, 125);
    assert_int_equal(a.n_bytes, 0); /* It has been dropped. */
    error = OFPERR_NONE;
    for (n = 0; !add(&a, (const struct part[]) { make(n, TABLE_FEATURES, MORE, 0, 0) }, 300, &m, &error); n++) {
        continue;
    }
    assert_int_equal(error, OFPERR_OFPBRC_MULTIPART_BUFFER_OVERFLOW);
    assert_in_range(n, 30, 100);
    msg_assembler_uninit(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_several_requests_may_come_mixed),
        cmocka_unit_test(empty_parts_are_passed_over),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(what_waits_is_bounded_and_given_up_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
