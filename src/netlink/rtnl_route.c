#include "netlink/rtnl_route.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink/rtnl_private.h"

static bool
parse_route(const struct nlmsghdr *h, void *route_)
{
    struct rtnl_route *route = route_;
    const struct nlattr *a;

    if (mnl_nlmsg_get_payload_len(h) < sizeof(struct rtmsg)) {
        return false;
    }
    mnl_attr_for_each(a, h, sizeof(struct rtmsg)) {
        bool is_word = mnl_attr_get_payload_len(a) == 4;

        if (mnl_attr_get_type(a) == RTA_OIF && is_word) {
            route->ifindex = (int) mnl_attr_get_u32(a);
        } else if (mnl_attr_get_type(a) == RTA_GATEWAY && is_word) {
            memcpy(&route->gateway, mnl_attr_get_payload(a), 4);
        }
    }
    return route->ifindex > 0;
}

int
rtnl_route_get(be32 dst, struct rtnl_route *route)
{
    const struct rtmsg rtm = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
    char buffer[256] ALIGNED(8);
    struct nlmsghdr *h = rtnl_begin(buffer, RTM_GETROUTE, 0, &rtm, sizeof rtm);

    *route = (struct rtnl_route) { 0 };
    mnl_attr_put(h, RTA_DST, sizeof dst, &dst);
    return rtnl_transact(h, RTM_NEWROUTE, parse_route, route);
}

struct neighbour {
    struct eth_addr mac;
    bool valid;
};

static bool
parse_neighbour(const struct nlmsghdr *h, void *n_)
{
    const struct ndmsg *ndm = mnl_nlmsg_get_payload(h);
    struct neighbour *n = n_;
    const struct nlattr *a;

    if (mnl_nlmsg_get_payload_len(h) < sizeof *ndm) {
        return false;
    }
    mnl_attr_for_each(a, h, sizeof *ndm) {
        if (mnl_attr_get_type(a) == NDA_LLADDR && mnl_attr_get_payload_len(a) == sizeof n->mac) {
            memcpy(&n->mac, mnl_attr_get_payload(a), sizeof n->mac);
            n->valid = !(ndm->ndm_state & (NUD_INCOMPLETE | NUD_FAILED | NUD_NONE));
        }
    }
    return true;
}

int
rtnl_neighbour_get(int ifindex, be32 ip, struct eth_addr *mac)
{
    const struct ndmsg ndm = { .ndm_family = AF_INET, .ndm_ifindex = ifindex };
    char buffer[256] ALIGNED(8);
    struct nlmsghdr *h = rtnl_begin(buffer, RTM_GETNEIGH, 0, &ndm, sizeof ndm);
    struct neighbour n = { .valid = false };
    int error;

    mnl_attr_put(h, NDA_DST, sizeof ip, &ip);
    error = rtnl_transact(h, RTM_NEWNEIGH, parse_neighbour, &n);
    if (!error && !n.valid) {
        error = -ENOENT;
    }
    *mac = n.mac;
    return error;
}
