/* Blocks of capture files, byte by byte (draft-ietf-opsawg-pcapng §3.1, §3.5, §4).  Hosts of the other byte order write
 * the other way around, which the format allows. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "packet/pcapng.h"

/* 'hex': spaces are nothing. */
static void
assert_bytes(struct bytes *b, const char *hex)
{
    struct bytes want = BYTES_INIT;

    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
        skip();
    }
    for (; *hex; hex++) {
        if (*hex != ' ') {
            char two[3] = { hex[0], hex[1], '\0' };

            bytes_put_u8(&want, strtoul(two, NULL, 16));
            hex++;
        }
    }
    assert_int_equal(b->len, want.len);
    assert_memory_equal(b->data, want.data, want.len);
    bytes_uninit(&want);
    bytes_uninit(b);
}

static void
a_section_says_who_wrote_it(void **state UNUSED)
{
    struct bytes b = BYTES_INIT;

    pcapng_put_section(&b, "Linux", "weft");
    assert_bytes(&b, "0a0d0d0a 34000000 4d3c2b1a 0100 0000 ffffffffffffffff"
                 " 0300 0500 4c696e7578 000000"
                 " 0400 0400 77656674"
                 " 0000 0000 34000000");
}

static void
an_interface_has_name_address_and_resolution(void **state UNUSED)
{
    const struct pcapng_interface f = { .name = "p1", .description = "dpdk", .snaplen = 96,
                                        .mac = { { 2, 0, 0, 0, 1, 1 } } };
    struct bytes b = BYTES_INIT;

    pcapng_put_interface(&b, &f);
    assert_bytes(&b, "01000000 3c000000 0100 0000 60000000"
                 " 0200 0200 7031 0000"
                 " 0300 0400 6470646b"
                 " 0600 0600 020000000101 0000"
                 " 0900 0100 09 000000"
                 " 0000 0000 3c000000");
}

static void
an_address_that_is_not_known_is_left_out(void **state UNUSED)
{
    const struct pcapng_interface f = { .name = "p1", .description = "dpdk" };
    struct bytes b = BYTES_INIT;

    pcapng_put_interface(&b, &f);
    assert_bytes(&b, "01000000 30000000 0100 0000 00000000 0200 0200 7031 0000 0300 0400 6470646b"
                 " 0900 0100 09 000000 0000 0000 30000000");
}

static void
a_received_packet_has_time_flags_number_and_queue(void **state UNUSED)
{
    const struct pcapng_packet p = { .ns = UINT64_C(0x1122334455667788), .frame = "abcde", .captured = 5, .length = 60,
                                     .id = 7, .queue = 3 };
    struct bytes b = BYTES_INIT;

    pcapng_put_packet(&b, 0, &p);
    assert_bytes(&b, "06000000 48000000 00000000 44332211 88776655 05000000 3c000000"
                 " 6162636465 000000"
                 " 0200 0400 01000000"
                 " 0500 0800 0700000000000000"
                 " 0600 0400 03000000"
                 " 0000 0000 48000000");
}

static void
a_sent_packet_tells_of_those_that_are_missing_and_has_a_comment(void **state UNUSED)
{
    const struct pcapng_packet p = { .ns = 1, .frame = "abcd", .captured = 4, .length = 4, .is_out = true, .id = 1,
                                     .n_dropped = 9, .comment = "gso" };
    struct bytes b = BYTES_INIT;

    pcapng_put_packet(&b, 2, &p);
    assert_bytes(&b, "06000000 58000000 02000000 00000000 01000000 04000000 04000000"
                 " 61626364"
                 " 0100 0300 67736f 00"
                 " 0200 0400 02000000"
                 " 0400 0800 0900000000000000"
                 " 0500 0800 0100000000000000"
                 " 0600 0400 00000000"
                 " 0000 0000 58000000");
}

static void
statistics_have_their_size(void **state UNUSED)
{
    const struct pcapng_statistics s = { .started_ns = UINT64_C(0x100000002), .ended_ns = UINT64_C(0x300000004),
                                         .n_seen = 10, .n_dropped = 2, .n_written = 8 };
    struct bytes b = BYTES_INIT;

    pcapng_put_statistics(&b, 0, &s);
    assert_int_equal(b.len, PCAPNG_STATISTICS_SIZE);
    assert_bytes(&b, "05000000 58000000 00000000 03000000 04000000"
                 " 0200 0800 01000000 02000000"
                 " 0300 0800 03000000 04000000"
                 " 0400 0800 0a00000000000000"
                 " 0500 0800 0200000000000000"
                 " 0800 0800 0800000000000000"
                 " 0000 0000 58000000");
}

static void
whole_blocks_are_told_from_a_cut_one(void **state UNUSED)
{
    const struct pcapng_packet p = { .frame = "abcd", .captured = 4, .length = 4 };
    struct bytes b = BYTES_INIT;
    size_t section, all;

    pcapng_put_section(&b, "", "");
    section = b.len;
    pcapng_put_packet(&b, 0, &p);
    pcapng_put_packet(&b, 0, &p);
    all = b.len;
    for (size_t n = 0; n <= all; n++) {
        struct pcapng_blocks w = pcapng_whole_blocks(b.data, n);
        size_t packet = (all - section) / 2;

        assert_int_equal(w.n_packets, n < section ? 0 : (n - section) / packet);
        assert_int_equal(w.size, n < section ? 0 : section + w.n_packets * packet);
        assert_int_equal(w.last_size, w.n_packets ? packet : 0);
    }
    bytes_uninit(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_says_who_wrote_it),
        cmocka_unit_test(an_interface_has_name_address_and_resolution),
        cmocka_unit_test(an_address_that_is_not_known_is_left_out),
        cmocka_unit_test(a_received_packet_has_time_flags_number_and_queue),
        cmocka_unit_test(a_sent_packet_tells_of_those_that_are_missing_and_has_a_comment),
        cmocka_unit_test(statistics_have_their_size),
        cmocka_unit_test(whole_blocks_are_told_from_a_cut_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
