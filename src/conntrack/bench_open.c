/* What opening a connection costs the tracker alone: BURSTs of UDP packets, each of a connection that is not there yet,
 * over several zones.
 *
 *   bench_conntrack [CONNECTIONS-A-ZONE [ZONES]]
 *
 * prints processor time a connection.  `valgrind --tool=callgrind --toggle-collect=conntrack_run_rcu` counts the
 * instructions of that path, which does not depend on what else the machine does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conntrack/conntrack.h"
#include "packet/csum.h"
#include "packet/env.h"
#include "packet/mbuf.h"
#include "sys/rcu.h"

enum { L2 = ETH_HEADER_LEN, L4 = L2 + IP_HEADER_LEN, FRAME = 60, NOW = 1000 };

struct lane {
    struct flow key;
    uint16_t lines;
    struct flow_offsets offsets;
    struct packet *packet;
};

static int64_t
cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void
open_lane(struct lane *l)
{
    static const uint8_t eth[L2] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };
    struct ip_header ip = { .ihl_ver = 0x45, .tot_len = cpu_to_be16(FRAME - L2), .ttl = 64, .proto = IP_PROTO_UDP,
                            .src = cpu_to_be32(0x0a000000), .dst = cpu_to_be32(0x0ac80001) };
    uint8_t f[FRAME] = { 0 };

    ip.csum = csum_bytes(&ip, sizeof ip);
    memcpy(f, eth, L2);
    memcpy(f + L2, &ip, sizeof ip);
    put_be16(f + L4, 1000);
    put_be16(f + L4 + 2, 2000);
    put_be16(f + L4 + 4, FRAME - L4);
    l->packet = packet_new(f, sizeof f);
    l->lines = flow_extract_full(f, sizeof f, NULL, &l->key, &l->offsets);
}

/* The packet becomes one of client 'n'. */
static void
set_client(struct lane *l, uint32_t n)
{
    uint8_t *ip = (uint8_t *) packet_at(l->packet) + L2;
    be16 csum;

    put_be32(ip + 12, 0x0a000000 + n);
    put_be16(ip + 10, 0);
    csum = csum_bytes(ip, IP_HEADER_LEN);
    memcpy(ip + 10, &csum, sizeof csum);
}

static void
open_zone(struct conntrack *ct, struct lane *lanes, uint16_t zone, uint32_t n)
{
    struct ct_action a = { .zone = zone, .commit = true };

    for (uint32_t i = 0; i < n; i += CONNTRACK_BURST) {
        struct ct_packet burst[CONNTRACK_BURST];

        for (uint32_t k = 0; k < CONNTRACK_BURST; k++) {
            struct lane *l = &lanes[k];

            set_client(l, i + k);
            burst[k] = (struct ct_packet) { l->packet, &l->key, &l->lines, &l->offsets };
        }
        conntrack_run_rcu(ct, &a, burst, CONNTRACK_BURST, NOW);
        rcu_quiescent();
    }
}

static uint32_t
argument(char *argv[], int i, int argc, uint32_t otherwise)
{
    return argc > i ? strtoul(argv[i], NULL, 10) : otherwise;
}

int
main(int argc, char *argv[])
{
    uint32_t n = ROUND_UP(argument(argv, 1, argc, 100000), CONNTRACK_BURST), zones = argument(argv, 2, argc, 20);
    static struct lane lanes[CONNTRACK_BURST];
    struct error *e = env_start();
    struct conntrack *ct;
    int64_t begin;

    if (e) {
        fprintf(stderr, "%s\n", error_text(e));
        return EXIT_FAILURE;
    }
    rcu_thread_register();
    ct = conntrack_create();
    for (int i = 0; i < CONNTRACK_BURST; i++) {
        open_lane(&lanes[i]);
    }
    begin = cpu_ns();
    for (uint32_t z = 1; z <= zones; z++) {
        open_zone(ct, lanes, z, n);
    }
    begin = cpu_ns() - begin;
    if (conntrack_n_conns(ct) != n * zones) {
        fprintf(stderr, "%" PRIu32 " connections instead of %" PRIu32 "\n", conntrack_n_conns(ct), n * zones);
        return EXIT_FAILURE;
    }
    printf("%" PRIu32 " connections, %.1f ns each\n", n * zones, (double) begin / n / zones);
    for (int i = 0; i < CONNTRACK_BURST; i++) {
        packet_free(lanes[i].packet);
    }
    conntrack_destroy(ct);
    rcu_thread_unregister();
    return EXIT_SUCCESS;
}
