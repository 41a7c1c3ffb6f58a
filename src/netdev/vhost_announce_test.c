#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "netdev/vhost_announce.h"
#include "packet/env.h"
#include "packet/mbuf.h"

struct message {
    uint32_t request, flags, size;
    uint8_t content[8];
};
#define MAC { 0x52, 0x54, 0, 1, 2, 0xff }
static const struct message asks = { .request = 19, .flags = 1, .size = 8, .content = MAC };

static void
a_machine_that_moved_is_announced_once(void **state UNUSED)
{
    static const uint8_t mac[] = MAC, all[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t type[] = { 0x80, 0x35 };
    struct vhost_announce a = { 0 };
    struct packet *p;

    vhost_announce_note(&a, &asks);
    assert_true(vhost_announce_is_wanted(&a));
    p = vhost_announce_take(&a);
    assert_non_null(p);
    assert_int_equal(packet_size(p), 64);
    assert_memory_equal(packet_at(p), all, 6);
    assert_memory_equal((uint8_t *) packet_at(p) + 6, mac, 6);
    assert_memory_equal((uint8_t *) packet_at(p) + 12, type, 2);
    assert_memory_equal((uint8_t *) packet_at(p) + 22, mac, 6);
    packet_free(p);
    assert_false(vhost_announce_is_wanted(&a));
    assert_null(vhost_announce_take(&a));
}

static void
other_messages_announce_nothing(void **state UNUSED)
{
    struct vhost_announce a = { 0 };
    struct message m = asks;

    m.request = 18;
    vhost_announce_note(&a, &m);
    assert_false(vhost_announce_is_wanted(&a));
    m.request = 19;
    m.size = 4;
    vhost_announce_note(&a, &m);
    assert_false(vhost_announce_is_wanted(&a));
}

static int
start(void **state UNUSED)
{
    return env_start() ? -1 : 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_that_moved_is_announced_once),
        cmocka_unit_test(other_messages_announce_nothing),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
