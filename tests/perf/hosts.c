/* What hosts and a forwarder of the simplest kind do, to measure a switch by:
 *
 *   hosts forward A B         moves frames between two devices through AF_PACKET sockets, a thread for each direction,
 *                             with nothing in between; prints "ready"
 *   hosts answer PORT         sends back each UDP datagram that comes; prints "ready"
 *   hosts ask ADDRESS PORT N  sends a datagram N times and waits for each to come back; prints the median, the 99th
 *                             percentile and the greatest of the times in microseconds, and how many never came
 *   hosts flood DEVICE DMAC RATE SECONDS
 *                             sends 64-byte frames of UDP, so many a second (0: as fast as it can), from 1,000 source
 *                             ports; prints how many it sent
 *
 * It uses the system's calls alone, so that it has no part in common with what is measured. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 32, ROOM = 66 * 1024, WAIT_MS = 1000, N_FLOWS = 1000, FRAME = 60 };

static _Noreturn void
die(const char *what)
{
    fprintf(stderr, "hosts: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static void
ready(void)
{
    puts("ready");
    fflush(stdout);
}

static int
packet_socket(const char *device, int protocol)
{
    static const int one = 1, buffer = 4 << 20;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol),
                             .sll_ifindex = if_nametoindex(device) };
    struct packet_mreq promiscuous = { .mr_ifindex = a.sll_ifindex, .mr_type = PACKET_MR_PROMISC };

    if (!a.sll_ifindex || fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) ||
        bind(fd, (struct sockaddr *) &a, sizeof a)) {
        die(device);
    }
    return fd;
}

struct direction {
    int from, to;
    struct mmsghdr messages[BURST];
    struct iovec parts[BURST];
};

static void *
move_frames(void *direction)
{
    struct direction *d = direction;

    for (int i = 0; i < BURST; i++) {
        d->parts[i].iov_base = malloc(ROOM);
        if (!d->parts[i].iov_base) {
            die("memory");
        }
    }
    for (;;) {
        int got, sent = 0;

        for (int i = 0; i < BURST; i++) {
            d->parts[i].iov_len = ROOM;
            d->messages[i].msg_hdr = (struct msghdr) { .msg_iov = &d->parts[i], .msg_iovlen = 1 };
        }
        got = recvmmsg(d->from, d->messages, BURST, MSG_DONTWAIT, NULL);
        if (got <= 0) {
            struct pollfd wait = { .fd = d->from, .events = POLLIN };

            (void) !poll(&wait, 1, -1);
            continue;
        }
        for (int i = 0; i < got; i++) {
            d->parts[i].iov_len = d->messages[i].msg_len;
        }
        while (sent < got) { /* One that cannot be sent is left out. */
            int n = sendmmsg(d->to, d->messages + sent, got - sent, MSG_DONTWAIT);

            sent += n > 0 ? n : 1;
        }
    }
}

static int
forward(char *argv[])
{
    static struct direction directions[2];
    pthread_t other;

    for (int i = 0; i < 2; i++) {
        directions[i].from = packet_socket(argv[i], ETH_P_ALL);
        directions[i].to = packet_socket(argv[!i], 0);
    }
    if (pthread_create(&other, NULL, move_frames, &directions[1])) {
        die("thread");
    }
    ready();
    move_frames(&directions[0]);
    return EXIT_SUCCESS;
}

static int
answer(char *argv[])
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[0])) };

    if (fd < 0 || bind(fd, (struct sockaddr *) &a, sizeof a)) {
        die("bind");
    }
    ready();
    for (;;) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        char data[2048];
        ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *) &from, &len);

        if (n < 0 || sendto(fd, data, n, 0, (struct sockaddr *) &from, len) < 0) {
            perror("hosts: answer");
            return EXIT_FAILURE;
        }
    }
}

static int
compare_times(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return x < y ? -1 : x > y;
}

static int
ask(char *argv[])
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint32_t n = atoi(argv[2]), n_lost = 0, n_times = 0;
    uint64_t *times = calloc(n + 1, sizeof *times);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
    struct timeval limit = { .tv_sec = WAIT_MS / 1000 };

    if (!n || !times || inet_pton(AF_INET, argv[0], &a.sin_addr) != 1 || fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
        connect(fd, (struct sockaddr *) &a, sizeof a)) {
        die("ask");
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t got = ~i;
        uint64_t begun = now_ns();

        if (send(fd, &i, sizeof i, 0) < 0) {
            die("send");
        }
        while (got != i && recv(fd, &got, sizeof got, 0) >= 0) {
            /* One that came too late is passed over. */
        }
        if (got == i) {
            times[n_times++] = now_ns() - begun;
        } else {
            n_lost++;
        }
    }
    qsort(times, n_times, sizeof *times, compare_times);
    printf("median %.2f p99 %.2f max %.2f lost %u\n", times[n_times / 2] / 1e3, times[n_times * 99 / 100] / 1e3,
           times[n_times ? n_times - 1 : 0] / 1e3, n_lost);
    free(times);
    return EXIT_SUCCESS;
}

/* UDP without a checksum from 10.9.0.1 to 10.9.0.2. */
static void
write_frame(uint8_t *f, const struct ether_addr *dmac, uint16_t port)
{
    static const uint8_t rest[] = { 2, 0, 0, 0, 0, 0x51, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 9, 0, 1,
                                    10, 9, 0, 2, 0, 0, 0x23, 0x28, 0, 26, 0, 0 };
    uint32_t sum = 0;

    memset(f, 0, FRAME);
    memcpy(f, dmac, ETH_ALEN);
    memcpy(f + ETH_ALEN, rest, sizeof rest);
    for (int i = 14; i < 34; i += 2) {
        sum += f[i] << 8 | f[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16)) & 0xffff;
    f[24] = sum >> 8;
    f[25] = sum & 0xff;
    f[34] = port >> 8;
    f[35] = port & 0xff;
}

static int
flood(char *argv[])
{
    static uint8_t frames[N_FLOWS][10 + FRAME]; /* Each behind an empty virtio-net header. */
    static struct mmsghdr messages[N_FLOWS];
    static struct iovec parts[N_FLOWS];
    int fd = packet_socket(argv[0], 0);
    const struct ether_addr *dmac = ether_aton(argv[1]);
    double rate = atof(argv[2]);
    uint64_t begun = now_ns(), end = begun + (uint64_t) (atof(argv[3]) * 1e9), sent = 0, now;

    if (!dmac) {
        errno = EINVAL;
        die(argv[1]);
    }
    for (uint16_t i = 0; i < N_FLOWS; i++) {
        write_frame(frames[i] + 10, dmac, 1024 + i);
        parts[i] = (struct iovec) { .iov_base = frames[i], .iov_len = sizeof frames[i] };
        messages[i].msg_hdr = (struct msghdr) { .msg_iov = &parts[i], .msg_iovlen = 1 };
    }
    while ((now = now_ns()) < end) {
        uint32_t first = sent % N_FLOWS, n = N_FLOWS - first < BURST ? N_FLOWS - first : BURST;
        int done;

        if (rate > 0 && sent + n > (now - begun) / 1e9 * rate) {
            continue;
        }
        done = sendmmsg(fd, messages + first, n, 0);
        if (done < 0 && errno != EAGAIN && errno != ENOBUFS) {
            die("send");
        }
        sent += done > 0 ? done : 0;
    }
    printf("sent %llu\n", (unsigned long long) sent);
    return EXIT_SUCCESS;
}

int
main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int n_args;
        int (*run)(char *argv[]);
    } commands[] = { { "forward", 2, forward }, { "answer", 1, answer }, { "ask", 3, ask }, { "flood", 4, flood } };

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (argc == 2 + commands[i].n_args && !strcmp(argv[1], commands[i].name)) {
            return commands[i].run(argv + 2);
        }
    }
    fputs("usage: hosts forward A B | answer PORT | ask ADDRESS PORT N | flood DEVICE DMAC RATE SECONDS\n", stderr);
    return EXIT_FAILURE;
}
