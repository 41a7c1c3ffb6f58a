#include "netdev/in4.h"

#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sys/log.h"

LOG_MODULE(netdev_linux)

static int
request(unsigned long command, void *arg)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

    if (fd < 0) {
        return -errno;
    }
    if (ioctl(fd, command, arg) < 0) {
        error = -errno;
    }
    close(fd);
    return error;
}

static void
set_address(struct sockaddr *sa, be32 ip)
{
    const struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = (FORCE in_addr_t) ip };

    memcpy(sa, &sin, sizeof sin);
}

int
in4_set(const char *device, be32 ip, be32 netmask)
{
    struct ifreq ifr = { 0 };
    int error;

    str_copy_cut(ifr.ifr_name, device, sizeof ifr.ifr_name);
    set_address(&ifr.ifr_addr, ip);
    error = request(SIOCSIFADDR, &ifr);
    if (!error) {
        set_address(&ifr.ifr_netmask, netmask);
        error = request(SIOCSIFNETMASK, &ifr);
    }
    return error;
}

int
in4_add_router(be32 gateway)
{
    struct rtentry rt = { .rt_flags = RTF_UP | RTF_GATEWAY };
    int error;

    set_address(&rt.rt_dst, 0);
    set_address(&rt.rt_gateway, gateway);
    set_address(&rt.rt_genmask, 0);
    error = request(SIOCADDRT, &rt);
    if (error) {
        log_warn("ioctl(SIOCADDRT): %s", strerror(-error));
    }
    return error;
}
