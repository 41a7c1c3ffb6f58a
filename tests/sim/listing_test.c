/* Replies about all groups and all meters (ofproto/listing.h), which take many steps, while groups and meters come, go
 * and change between them.
 *
 * A peer on the bridge's socket; its request and the steps of the reply are made by hand, so that changes come between
 * all of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/random.h"
#include "ofproto/conns_private.h"
#include "ofproto/group.h"
#include "ofproto/meter.h"
#include "openflow/msg.h"
#include "sim.h"

enum { N_IDS = 6000, CHANGES_A_STEP = 10, VERSION = 5 };
enum { MULTIPART_REQUEST = 18, MULTIPART_REPLY = 19, METER_MOD = 29, GROUP_DESC = 7, METER_CONFIG = 10, MORE = 1 };
enum { NONE = UINT8_MAX };

static struct sim sim;
static int peer;
static struct random rnd;

/* What there is, by number: type of a group; rate of a meter, less than 255.  NONE: it is not there. */
static uint8_t there[N_IDS];
/* The same when the request came; how often and with what it has been told of; whether it was there all the time. */
static uint8_t was[N_IDS], told[N_IDS];
static unsigned int n_told[N_IDS];
static bool stayed[N_IDS];

static struct ofconn *
connection(void)
{
    return CONTAINER_OF(sim.bridge->conns->ofconns.next, struct ofconn, node);
}

static int
set_up(void **state UNUSED)
{
    static const uint8_t hello[] = { VERSION, 0, 0, 8, 0, 0, 0, 1 };
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    sim_start(&sim);
    ofproto_set_protocols(sim.bridge, 1 << VERSION);
    random_seed(&rnd, 1);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/br0.mgmt", sim.dir);
    peer = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(peer, (struct sockaddr *) &a, sizeof a), 0);
    assert_int_equal(write(peer, hello, sizeof hello), sizeof hello);
    for (int i = 0; i < 100 && list_is_empty(&sim.bridge->conns->ofconns); i++) {
        loop_run_once(sim.loop, false);
    }
    assert_false(list_is_empty(&sim.bridge->conns->ofconns));
    memset(there, NONE, sizeof there);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    close(peer);
    sim_stop(&sim);
    return 0;
}

/* Changes. */

static void
change_group(uint32_t id, uint8_t type)
{
    struct group_mod gm;

    group_mod_init(&gm);
    gm.command = type == NONE ? GROUP_DELETE : GROUP_ADD_OR_MOD;
    gm.type = type == NONE ? GROUP_TYPE_ALL : type;
    gm.group_id = id;
    assert_int_equal(group_mod_at_once(sim.bridge, NULL, &gm), OFPERR_NONE);
    group_mod_uninit(&gm);
}

static void
handle(handler *h, const uint8_t *message, size_t len)
{
    struct bytes out = BYTES_INIT;
    struct msg m;

    assert_int_equal(msg_decode(message, len, &m), OFPERR_NONE);
    assert_int_equal(h(connection(), &m, &out), OFPERR_NONE);
    assert_int_equal(out.len, 0);
    bytes_uninit(&out);
}

/* Packets a second, one band that drops. */
static void
change_meter(uint32_t id, uint8_t rate)
{
    uint8_t command = rate == NONE ? 2 : there[id] == NONE ? 0 : 1;
    uint8_t m[32] = { VERSION, METER_MOD, 0, 32, 0, 0, 0, 1, /* */ 0, command, 0, 2, 0, 0, id >> 8, id, /* */
                      0, 1, 0, 16, 0, 0, 0, rate };

    m[3] = rate == NONE ? 16 : 32;
    handle(handle_meter_mod, m, m[3]);
}

/* One comes, goes or changes. */
static void
change_one(void (*change)(uint32_t, uint8_t), const uint8_t *values, size_t n_values)
{
    uint32_t id = 1 + random_below(&rnd, N_IDS - 1);
    uint8_t value = random_below(&rnd, 2) ? NONE : values[random_below(&rnd, n_values)];

    if (value != there[id]) {
        change(id, value);
        there[id] = value;
        stayed[id] = stayed[id] && value != NONE;
    }
}

/* Replies. */

/* Takes note of the entries of a reply that is whole messages: length first, id at 4, what it has at 'value_at'. */
static void
take(const struct bytes *reply, uint8_t multipart, size_t value_at)
{
    bool more = true;

    for (size_t at = 0; at < reply->len; at += msg_stated_length(reply->data + at)) {
        const uint8_t *m = reply->data + at;
        size_t len = msg_stated_length(m);

        assert_true(more && len >= 16 && at + len <= reply->len);
        assert_int_equal(m[1], MULTIPART_REPLY);
        assert_int_equal(m[9], multipart);
        more = m[11] & MORE;
        for (size_t e = 16; e < len; e += m[e] << 8 | m[e + 1]) {
            uint32_t id = m[e + 4] << 24 | m[e + 5] << 16 | m[e + 6] << 8 | m[e + 7];

            assert_true(id < N_IDS && e + (m[e] << 8 | m[e + 1]) <= len);
            told[id] = m[e + value_at];
            n_told[id]++;
        }
    }
    assert_false(more);
}

/* Makes the whole reply, with changes before each step of it. */
static void
reply_while_changing(handler *h, uint8_t multipart, size_t value_at, void (*change)(uint32_t, uint8_t),
                     const uint8_t *values, size_t n_values)
{
    const uint8_t request[24] = { VERSION, MULTIPART_REQUEST, 0, multipart == GROUP_DESC ? 16 : 24, 0, 0, 0, 7, /* */
                                  0, multipart, 0, 0, 0, 0, 0, 0, /* */ 255, 255, 255, 255 };
    struct ofconn *c = connection();
    struct bytes reply = BYTES_INIT, nothing = BYTES_INIT;
    unsigned int n_steps = 0;

    memcpy(was, there, sizeof was);
    memset(n_told, 0, sizeof n_told);
    for (int i = 0; i < N_IDS; i++) {
        stayed[i] = was[i] != NONE;
    }
    handle(h, request, request[3]);
    do {
        for (int i = 0; i < CHANGES_A_STEP; i++) {
            change_one(change, values, n_values);
        }
        n_steps++;
    } while (!c->job->step(c->job, &reply));
    ofconn_end_job(c, &nothing);
    assert_true(n_steps > 20);
    take(&reply, multipart, value_at);
    bytes_uninit(&reply);
}

static void
groups_are_told_as_they_were_when_the_request_came(void **state UNUSED)
{
    static const uint8_t types[] = { GROUP_TYPE_ALL, GROUP_TYPE_SELECT, GROUP_TYPE_FF };

    for (int i = 0; i < 3 * N_IDS; i++) {
        change_one(change_group, types, ARRAY_SIZE(types));
    }
    for (int round = 0; round < 3; round++) {
        reply_while_changing(handle_group_desc, GROUP_DESC, 2, change_group, types, ARRAY_SIZE(types));
        for (int id = 1; id < N_IDS; id++) {
            assert_int_equal(n_told[id], was[id] != NONE);
            assert_true(!n_told[id] || told[id] == was[id]);
        }
    }
}

/* Meters as they are when their turn comes: those that have gone may be left out. */
static void
meters_that_stay_are_told_of_once(void **state UNUSED)
{
    static const uint8_t rates[] = { 1, 2, 3 };

    for (int i = 0; i < 3 * N_IDS; i++) {
        change_one(change_meter, rates, ARRAY_SIZE(rates));
    }
    for (int round = 0; round < 3; round++) {
        reply_while_changing(handle_meter_config, METER_CONFIG, 15, change_meter, rates, ARRAY_SIZE(rates));
        for (int id = 1; id < N_IDS; id++) {
            assert_true(n_told[id] <= 1);
            assert_true(n_told[id] || !stayed[id]);
            assert_true(!n_told[id] || was[id] != NONE);
        }
    }
}

/* The peer goes in the middle of a reply, whose groups are then released beside the main loop: without leaks. */
static void
a_reply_may_come_to_nothing(void **state UNUSED)
{
    static const uint8_t request[16] = { VERSION, MULTIPART_REQUEST, 0, 16, 0, 0, 0, 7, /* */ 0, GROUP_DESC };

    for (uint32_t id = 1; id < N_IDS; id++) {
        change_group(id, GROUP_TYPE_ALL);
    }
    for (unsigned int n_steps = 0; n_steps < 30; n_steps += 5) {
        struct bytes out = BYTES_INIT;
        struct ofconn *c = connection();

        handle(handle_group_desc, request, sizeof request);
        for (unsigned int i = 0; i < n_steps; i++) {
            assert_false(c->job->step(c->job, &out));
        }
        for (uint32_t id = 1; id < N_IDS; id += 7) {
            change_group(id, GROUP_TYPE_SELECT);
        }
        bytes_clear(&out);
        ofconn_end_job(c, &out);
        bytes_uninit(&out);
        assert_true(list_is_empty(&sim.bridge->groups_roll.walks));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(groups_are_told_as_they_were_when_the_request_came, set_up, tear_down),
        cmocka_unit_test_setup_teardown(meters_that_stay_are_told_of_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reply_may_come_to_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
