/* Fuzz target: a few frames in a row through connection tracking, with translation, gateways and fragments.  The input
 * is lengths (two bytes each) and frames. */
#include <stdlib.h>
#include <string.h>

#include "conntrack/conntrack.h"
#include "conntrack/info.h"
#include "conntrack/ipf.h"
#include "packet/csum.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "sys/rcu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conntrack *ct;

static void
begin(void)
{
    struct error *e = env_start();

    if (e) {
        abort();
    }
    rcu_thread_register();
    ct = conntrack_create();
    conntrack_ipf_set_min(ct, IPF_V4, IPF_MIN_LIMIT);
    conntrack_ipf_set_min(ct, IPF_V6, IPF_MIN_LIMIT);
}

static struct ct_action
make_action(uint8_t how)
{
    struct ct_action a = { .zone = how & 1, .commit = how & 2, .force = how & 4, .has_nat = how & 8,
                           .helper = (how >> 4) % CT_N_HELPERS };

    a.nat.flags = how & 64 ? (how & 128 ? CT_NAT_SRC : CT_NAT_DST) : 0;
    a.nat.has_address = true;
    memset(&a.nat.min, 0, sizeof a.nat.min);
    a.nat.min.s6[10] = a.nat.min.s6[11] = 0xff;
    a.nat.min.s6[12] = 192;
    a.nat.max = a.nat.min;
    a.nat.max.s6[15] = 3;
    return a;
}

static void
run_one(const uint8_t *frame, size_t n, uint8_t how)
{
    struct ct_action a = make_action(how);
    struct list released = LIST_INIT(&released);
    struct flow_offsets offsets;
    struct flow key;
    uint16_t lines;
    struct ct_packet k = { packet_new(frame, n), &key, &lines, &offsets };

    if (!k.packet) {
        return;
    }
    lines = flow_extract_full(packet_data(k.packet), n, NULL, &key, &offsets);
    /* The checksum counts as known: else nothing random would get far. */
    packet_set_offload(k.packet, &(struct packet_offload) { .flags = PACKET_CSUM_GOOD });
    if (conntrack_is_fragment(&key)) {
        conntrack_fragment_rcu(ct, &a, &k, 1000, &released);
    } else {
        conntrack_run_rcu(ct, &a, &k, 1, 1000);
    }
    if (k.packet) {
        packet_free(k.packet);
    }
    while (!list_is_empty(&released)) {
        ct_fragment_free(CONTAINER_OF(list_pop_front(&released), struct ct_fragment, node));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!ct) {
        begin();
    }
    while (size > 3) {
        size_t n = get_be16(data) % (size - 2);
        uint8_t how = data[2];

        run_one(data + 3, n, how);
        data += 3 + n;
        size -= MIN(size, 3 + n);
    }
    ipf_expire(conntrack_ipf(ct), INT64_MAX);
    conntrack_flush_rcu(ct, &(struct ct_filter) { .has_zone = false }, 1000);
    conntrack_sweep_rcu(ct, 100000, 1000);
    rcu_quiescent();
    return 0;
}
