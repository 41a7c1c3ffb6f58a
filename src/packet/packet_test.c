#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>

#include "packet/csum.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "packet/pool.h"

static void
the_environment_starts_and_leaves_the_affinity_alone(void **state UNUSED)
{
    cpu_set_t before, after;
    struct error *e;

    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    e = env_start();
    assert_null(e);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    assert_non_null(packet_pool());
}

static void
packets_of_every_size_hold_their_bytes(void **state UNUSED)
{
    static const size_t sizes[] = { 0, 1, 60, PACKET_ROOM, PACKET_ROOM + 1, 9000, PACKET_MAX - PACKET_HEADROOM };

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint8_t *bytes = malloc(sizes[i] + 1);
        struct packet *p, *copy;

        for (size_t k = 0; k < sizes[i]; k++) {
            bytes[k] = k * 7;
        }
        p = packet_new(bytes, sizes[i]);
        assert_non_null(p);
        copy = packet_copy(p);
        assert_int_equal(packet_len(copy), sizes[i]);
        assert_memory_equal(packet_data(copy), bytes, sizes[i]);
        packet_free(p);
        assert_memory_equal(packet_data(copy), bytes, sizes[i]);
        packet_free(copy);
        free(bytes);
    }
    assert_null(packet_new_uninit(PACKET_MAX + 1));
    assert_int_equal(packet_pool_in_use(packet_pool()), 0);
}

static void
inserting_and_removing_move_the_front(void **state UNUSED)
{
    struct packet *p = packet_new("abcdefgh", 8);

    packet_set_offload(p, &(struct packet_offload) { .flags = PACKET_CSUM_PARTIAL, .csum_start = 4 });
    assert_true(packet_insert(p, 3, 2));
    memcpy((char *) packet_data(p) + 3, "XY", 2);
    assert_memory_equal(packet_data(p), "abcXYdefgh", 10);
    assert_int_equal(packet_offload(p)->csum_start, 6);
    packet_remove(p, 3, 2);
    assert_memory_equal(packet_data(p), "abcdefgh", 8);
    assert_int_equal(packet_offload(p)->csum_start, 4);
    assert_false(packet_insert(p, 0, PACKET_HEADROOM + 1));
    packet_free(p);
}

static void
a_shared_packet_is_copied_before_it_changes(void **state UNUSED)
{
    struct packet *p = packet_new("abc", 3), *q;

    assert_ptr_equal(packet_unshare(p), p);
    packet_ref(p);
    q = packet_unshare(p);
    assert_ptr_not_equal(p, q);
    assert_false(packet_is_shared(p));
    packet_free(p);
    packet_free(q);
}

static void
a_partial_checksum_is_completed(void **state UNUSED)
{
    uint8_t frame[100];
    struct packet *p;
    be16 whole, pseudo;

    for (size_t i = 0; i < sizeof frame; i++) {
        frame[i] = i * 13;
    }
    /* Checksum field at 40 + 6, covering from 40; the field holds some pseudo-header's sum. */
    memset(frame + 46, 0, 2);
    whole = csum_finish(csum_add(0x1234, frame + 40, 60));
    pseudo = (FORCE be16) (uint16_t) 0x1234;
    memcpy(frame + 46, &pseudo, 2);
    p = packet_new(frame, sizeof frame);
    packet_set_offload(p, &(struct packet_offload){.flags = PACKET_CSUM_PARTIAL, .csum_start = 40, .csum_offset = 6});
    packet_finish_csum(p);
    assert_memory_equal((char *) packet_data(p) + 46, &whole, 2);
    assert_null(packet_offload(p));
    packet_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_starts_and_leaves_the_affinity_alone),
        cmocka_unit_test(packets_of_every_size_hold_their_bytes),
        cmocka_unit_test(inserting_and_removing_move_the_front),
        cmocka_unit_test(a_shared_packet_is_copied_before_it_changes),
        cmocka_unit_test(a_partial_checksum_is_completed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
