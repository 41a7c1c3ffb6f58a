#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "openflow/hello.h"
#include "openflow/msg.h"

static struct bytes
hex(const char *text)
{
    struct bytes b = BYTES_INIT;

    bytes_put_from_hex(&b, text);
    return b;
}

static enum ofperr
decode(const char *text, struct msg *m, char **why)
{
    static struct bytes b;

    bytes_uninit(&b);
    b = hex(text);
    return msg_decode_why(b.data, b.len, m, why);
}

static void
every_form_is_found_again_from_its_header(void **state UNUSED)
{
    for (int type = 0; type < MSG_N; type++) {
        for (enum of_version v = OF_FIRST; v <= OF_LAST; v++) {
            for (enum msg_class class = CLASS_OFPT; class <= CLASS_ONFST_REPLY; class++) {
                const struct msg_wire *w = msg_wire_find_class(type, class, v);
                struct bytes b = BYTES_INIT;
                struct msg m;

                if (!w) {
                    continue;
                }
                msg_start_class(&b, type, class, v, 0x12345678);
                bytes_put_zeros(&b, w->size);
                assert_true(msg_finish(&b, 0));
                assert_int_equal(msg_decode(b.data, b.len, &m), OFPERR_NONE);
                assert_ptr_equal(m.wire, w);
                assert_int_equal(m.xid, 0x12345678);
                assert_int_equal(m.body.left, w->size);
                bytes_uninit(&b);
            }
        }
    }
}

static void
wrong_lengths_are_refused_with_the_reason(void **state UNUSED)
{
    static const struct { const char *message, *why; } cases[] = {
        { "0105000900000001ff", "received OFPT_FEATURES_REQUEST with incorrect length 9 (expected length 8)" },
        { "0101000800000001", "received OFPT_ERROR with incorrect length 8 (expected length at least 12 bytes)" },
        { "0111001400000001000300000000000000000000",
          "received OFPST_TABLE reply with incorrect length 20 (must be exactly 12 bytes or longer by an integer "
          "multiple of 64 bytes)" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct msg m;
        char *why = NULL;

        assert_int_equal(decode(cases[i].message, &m, &why), OFPERR_OFPBRC_BAD_LEN);
        assert_string_equal(why, cases[i].why);
        free(why);
    }
}

static void
unknown_messages_give_the_error_of_their_kind(void **state UNUSED)
{
    static const struct { const char *message; enum ofperr error; } cases[] = {
        { "0163000800000001", OFPERR_OFPBRC_BAD_TYPE },
        { "0905000800000001", OFPERR_OFPBRC_BAD_TYPE },
        { "0110000c0000000200990000", OFPERR_OFPBRC_BAD_STAT },
        { "0104001800000002000023200000002d0000000000000005", OFPERR_OFPBRC_BAD_SUBTYPE },
        { "010400180000000200992320000000180000000000000005", OFPERR_OFPBRC_BAD_VENDOR },
        { "0104000a000000010000", OFPERR_OFPBRC_BAD_LEN },
        { "0110000a000000010000", OFPERR_OFPBRC_BAD_LEN },
        { "01", OFPERR_OFPBRC_BAD_LEN },
        { "0100000900000001", OFPERR_OFPBRC_BAD_LEN },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct msg m;

        assert_int_equal(decode(cases[i].message, &m, NULL), cases[i].error);
    }
}

static void
a_long_reply_is_split_into_messages_that_say_more_follows(void **state UNUSED)
{
    struct bytes request = hex("0412001000000007000d000000000000"), out = BYTES_INIT;
    struct msg_parts parts;
    struct msg m;
    size_t at = 0, n_messages = 0, n_bytes = 0;

    assert_int_equal(msg_decode(request.data, request.len, &m), OFPERR_NONE);
    msg_parts_begin(&parts, &out, MSG_PORT_DESC_REPLY, &m);
    for (int i = 0; i < 2500; i++) {
        size_t entry = out.len;

        bytes_put_zeros(&out, 64);
        assert_true(msg_parts_entry(&parts, entry));
    }
    msg_parts_end(&parts);
    while (at < out.len) {
        struct msg reply;

        assert_int_equal(msg_decode(out.data + at, msg_stated_length(out.data + at), &reply), OFPERR_NONE);
        at += reply.len;
        assert_int_equal(reply.stat_flags, at < out.len ? MSG_STAT_MORE : 0);
        assert_int_equal(reply.xid, 7);
        n_bytes += reply.body.left;
        n_messages++;
    }
    assert_int_equal(n_messages, 3);
    assert_int_equal(n_bytes, 2500 * 64);
    bytes_uninit(&out);
    bytes_uninit(&request);
}

static uint32_t
hello_versions(const char *text, bool *clean)
{
    struct bytes b = hex(text);
    struct msg m;
    uint32_t versions;

    assert_int_equal(msg_decode(b.data, b.len, &m), OFPERR_NONE);
    versions = hello_decode(&m, clean);
    bytes_uninit(&b);
    return versions;
}

static void
a_hello_states_versions_by_bitmap_or_header(void **state UNUSED)
{
    bool clean;

    assert_int_equal(hello_versions("0100000800000001", &clean), 0x02);
    assert_true(clean);
    assert_int_equal(hello_versions("0600000800000001", &clean), 0x7e);
    assert_int_equal(hello_versions("01000010000000010001000800000052", &clean), 0x52);
    assert_true(clean);
    assert_int_equal(hello_versions("0900000800000001", &clean), 0x3fe);
    assert_int_equal(hello_versions("06000010000000010002000800000052", &clean), 0x7e);
    assert_false(clean);
    assert_int_equal(hello_versions("06000010000000010001000900000052", &clean), 0x7e);
    assert_false(clean);
}

static void
a_hello_is_written_as_short_as_it_can_be(void **state UNUSED)
{
    static const struct { uint32_t versions; const char *wire; } cases[] = {
        { 0x02, "0100000800000001" },
        { 0x7e, "0600000800000001" },
        { 0x20, "05000010000000010001000800000020" },
        { 0x52, "06000010000000010001000800000052" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bytes want = hex(cases[i].wire), got = BYTES_INIT;

        hello_encode(&got, cases[i].versions, 1);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, want.len);
        bytes_uninit(&got);
        bytes_uninit(&want);
    }
    assert_int_equal(hello_negotiate(0x52, 0x3e), 4);
    assert_int_equal(hello_negotiate(0x40, 0x3e), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_found_again_from_its_header),
        cmocka_unit_test(wrong_lengths_are_refused_with_the_reason),
        cmocka_unit_test(unknown_messages_give_the_error_of_their_kind),
        cmocka_unit_test(a_long_reply_is_split_into_messages_that_say_more_follows),
        cmocka_unit_test(a_hello_states_versions_by_bitmap_or_header),
        cmocka_unit_test(a_hello_is_written_as_short_as_it_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
