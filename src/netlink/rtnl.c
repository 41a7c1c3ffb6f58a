#include "netlink/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "netlink/rtnl_private.h"

enum { BUFFER_SIZE = 32768 };

static void
parse_kind(const struct nlattr *linkinfo, struct rtnl_link *link)
{
    const struct nlattr *a;

    mnl_attr_for_each_nested(a, linkinfo) {
        if (mnl_attr_get_type(a) == IFLA_INFO_KIND && mnl_attr_validate(a, MNL_TYPE_STRING) >= 0) {
            str_copy_cut(link->kind, mnl_attr_get_str(a), sizeof link->kind);
        }
    }
}

static void
parse_stats(const struct nlattr *a, struct rtnl_link *link)
{
    struct rtnl_link_stats64 s = { 0 };

    memcpy(&s, mnl_attr_get_payload(a), MIN(sizeof s, (size_t) mnl_attr_get_payload_len(a)));
    link->has_stats = true;
    link->stats = (struct rtnl_stats) {
        s.rx_packets, s.tx_packets, s.rx_bytes, s.tx_bytes, s.rx_errors, s.tx_errors, s.rx_dropped, s.tx_dropped,
        s.multicast, s.collisions, s.rx_length_errors, s.rx_over_errors, s.rx_crc_errors, s.rx_frame_errors,
        s.rx_fifo_errors, s.rx_missed_errors,
    };
}

/* False if the message is not about a device with a name. */
static bool
parse_link(const struct nlmsghdr *h, struct rtnl_link *link)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;

    *link = (struct rtnl_link) { 0 };
    if (mnl_nlmsg_get_payload_len(h) < sizeof *ifi) {
        return false;
    }
    link->ifindex = ifi->ifi_index;
    link->flags = ifi->ifi_flags;
    mnl_attr_for_each(a, h, sizeof *ifi) {
        size_t n = mnl_attr_get_payload_len(a);

        switch (mnl_attr_get_type(a)) {
        case IFLA_IFNAME:
            if (mnl_attr_validate(a, MNL_TYPE_STRING) >= 0) {
                str_copy_cut(link->name, mnl_attr_get_str(a), sizeof link->name);
            }
            break;
        case IFLA_MTU:
            link->mtu = n >= 4 ? (int) mnl_attr_get_u32(a) : 0;
            break;
        case IFLA_ADDRESS:
            if (n == sizeof link->mac) {
                memcpy(&link->mac, mnl_attr_get_payload(a), n);
                link->has_mac = true;
            }
            break;
        case IFLA_LINKINFO:
            parse_kind(a, link);
            break;
        case IFLA_CARRIER_CHANGES:
            link->carrier_changes = n >= 4 ? mnl_attr_get_u32(a) : 0;
            break;
        case IFLA_STATS64:
            parse_stats(a, link);
            break;
        }
    }
    return link->name[0];
}

int
rtnl_transact(struct nlmsghdr *h, uint16_t wanted, bool (*parse)(const struct nlmsghdr *, void *), void *aux)
{
    static _Thread_local uint32_t seq;
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    char *buffer = xmalloc(BUFFER_SIZE);
    int error = 0;
    bool done = false;

    h->nlmsg_seq = ++seq;
    if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(s, h, h->nlmsg_len) < 0) {
        error = -errno;
        done = true;
    }
    while (!done) {
        int n = mnl_socket_recvfrom(s, buffer, BUFFER_SIZE);
        const struct nlmsghdr *answer = (const struct nlmsghdr *) buffer;

        if (n < 0) {
            error = -errno;
            break;
        }
        for (; mnl_nlmsg_ok(answer, n); answer = mnl_nlmsg_next(answer, &n)) {
            if (answer->nlmsg_seq != seq) {
                continue;
            }
            if (answer->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *e = mnl_nlmsg_get_payload(answer);

                error = mnl_nlmsg_get_payload_len(answer) >= sizeof *e ? e->error : -EPROTO;
                done = true;
            } else if (answer->nlmsg_type == wanted && parse) {
                error = parse(answer, aux) ? 0 : -EPROTO;
                done = true;
            }
        }
    }
    if (s) {
        mnl_socket_close(s);
    }
    free(buffer);
    return error;
}

static bool
parse_link_cb(const struct nlmsghdr *h, void *link)
{
    return parse_link(h, link);
}

/* 'link' may be null. */
static int
transact(struct nlmsghdr *h, struct rtnl_link *link)
{
    return rtnl_transact(h, RTM_NEWLINK, link ? parse_link_cb : NULL, link);
}

struct nlmsghdr *
rtnl_begin(char *buffer, uint16_t type, uint16_t flags, const void *header, size_t n)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);

    h->nlmsg_type = type;
    h->nlmsg_flags = NLM_F_REQUEST | flags;
    memcpy(mnl_nlmsg_put_extra_header(h, n), header, n);
    return h;
}

static struct nlmsghdr *
begin(char *buffer, uint16_t type, uint16_t flags, const struct ifinfomsg *ifi)
{
    return rtnl_begin(buffer, type, flags, ifi, sizeof *ifi);
}

int
rtnl_link_get(const char *name, struct rtnl_link *link)
{
    char buffer[256] ALIGNED(8);
    struct nlmsghdr *h;

    if (strlen(name) >= IFNAMSIZ) {
        return -ENODEV;
    }
    h = begin(buffer, RTM_GETLINK, 0, &(struct ifinfomsg) { .ifi_family = AF_UNSPEC });
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    return transact(h, link);
}

int
rtnl_link_get_index(int ifindex, struct rtnl_link *link)
{
    char buffer[256] ALIGNED(8);

    return transact(begin(buffer, RTM_GETLINK, 0, &(struct ifinfomsg) { .ifi_index = ifindex }), link);
}

int
rtnl_link_set_flags(int ifindex, unsigned int change, unsigned int flags)
{
    const struct ifinfomsg ifi = { .ifi_index = ifindex, .ifi_change = change, .ifi_flags = flags };
    char buffer[256] ALIGNED(8);

    return transact(begin(buffer, RTM_NEWLINK, NLM_F_ACK, &ifi), NULL);
}

int
rtnl_link_set_mtu(int ifindex, int mtu)
{
    char buffer[256] ALIGNED(8);
    struct nlmsghdr *h = begin(buffer, RTM_NEWLINK, NLM_F_ACK, &(struct ifinfomsg) { .ifi_index = ifindex });

    mnl_attr_put_u32(h, IFLA_MTU, mtu);
    return transact(h, NULL);
}

int
rtnl_link_set_mac(int ifindex, struct eth_addr mac)
{
    char buffer[256] ALIGNED(8);
    struct nlmsghdr *h = begin(buffer, RTM_NEWLINK, NLM_F_ACK, &(struct ifinfomsg) { .ifi_index = ifindex });

    mnl_attr_put(h, IFLA_ADDRESS, sizeof mac, &mac);
    return transact(h, NULL);
}

static void
receive(struct loop_fd *fd, int events UNUSED)
{
    struct rtnl_watch *w = fd->aux;
    char *buffer = xmalloc(BUFFER_SIZE);

    for (int left = 64; left && w->socket; left--) { /* Others want their turn too. */
        ssize_t got = recv(mnl_socket_get_fd(w->socket), buffer, BUFFER_SIZE, MSG_DONTWAIT);
        const struct nlmsghdr *h = (const struct nlmsghdr *) buffer;
        int n = got;

        if (got < 0) {
            if (errno == ENOBUFS) {
                w->cb(w, NULL, false);
                continue;
            }
            break;
        }
        for (; mnl_nlmsg_ok(h, n) && w->socket; h = mnl_nlmsg_next(h, &n)) {
            struct rtnl_link link;

            if ((h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK) && parse_link(h, &link)) {
                w->cb(w, &link, h->nlmsg_type == RTM_DELLINK);
            }
        }
    }
    free(buffer);
}

int
rtnl_watch_start(struct loop *loop, struct rtnl_watch *w,
                 void (*cb)(struct rtnl_watch *, const struct rtnl_link *, bool gone), void *aux)
{
    int size = 4 << 20;

    *w = (struct rtnl_watch) { .cb = cb, .aux = aux, .socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC) };
    if (!w->socket || mnl_socket_bind(w->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
        int error = -errno;

        rtnl_watch_stop(w);
        return error;
    }
    /* Refused without privileges: then the kernel's default must do. */
    (void) !setsockopt(mnl_socket_get_fd(w->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    loop_fd_start(loop, &w->fd, mnl_socket_get_fd(w->socket), LOOP_READ, receive, w);
    return 0;
}

void
rtnl_watch_stop(struct rtnl_watch *w)
{
    if (w->socket) {
        loop_fd_stop(&w->fd);
        mnl_socket_close(w->socket);
        w->socket = NULL;
    }
}
