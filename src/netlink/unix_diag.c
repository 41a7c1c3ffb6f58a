#include "netlink/unix_diag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "base/util.h"

enum { ANSWER_SIZE = 8192 };

/* The attribute 'type', of 'n' bytes, in the answer. */
static int
read_attribute(const struct nlmsghdr *h, uint16_t type, void *out, size_t n)
{
    const struct nlattr *a;

    if (h->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

        return mnl_nlmsg_get_payload_len(h) >= sizeof *e && e->error < 0 ? e->error : -EPROTO;
    }
    if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(h) < sizeof(struct unix_diag_msg)) {
        return -EPROTO;
    }
    mnl_attr_for_each(a, h, sizeof(struct unix_diag_msg)) {
        if (mnl_attr_get_type(a) == type && mnl_attr_get_payload_len(a) == n) {
            memcpy(out, mnl_attr_get_payload(a), n);
            return 0;
        }
    }
    return -ENOENT;
}

/* Asks for the attribute 'type' of the socket with this number. */
static int
ask(uint32_t inode, uint32_t show, uint16_t type, void *out, size_t n)
{
    struct mnl_socket *s = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    _Alignas(struct nlmsghdr) char buffer[ANSWER_SIZE];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
    struct unix_diag_req *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
    int got, error;

    h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    h->nlmsg_flags = NLM_F_REQUEST;
    *r = (struct unix_diag_req) { .sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX, .udiag_ino = inode,
                                  .udiag_show = show, .udiag_cookie = { UINT32_MAX, UINT32_MAX } };
    if (!s || mnl_socket_sendto(s, h, h->nlmsg_len) < 0 || (got = mnl_socket_recvfrom(s, buffer, sizeof buffer)) < 0) {
        error = -errno;
    } else {
        error = mnl_nlmsg_ok(h, got) ? read_attribute(h, type, out, n) : -EPROTO;
    }
    if (s) {
        mnl_socket_close(s);
    }
    return error;
}

static bool
is_connection(int fd)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;

    return !getpeername(fd, (struct sockaddr *) &peer, &n) && peer.ss_family == AF_UNIX;
}

int
unix_diag_leads_to(int fd, const struct stat *at)
{
    struct unix_diag_vfs file;
    struct stat own;
    uint32_t peer;
    int error;

    if (!is_connection(fd) || fstat(fd, &own)) {
        return -ENOTCONN;
    }
    error = ask((uint32_t) own.st_ino, UDIAG_SHOW_PEER, UNIX_DIAG_PEER, &peer, sizeof peer);
    error = error ? error : ask(peer, UDIAG_SHOW_VFS, UNIX_DIAG_VFS, &file, sizeof file);
    if (error) {
        return error;
    }
    /* The kernel's own form of a device's number. */
    return file.udiag_vfs_ino == (uint32_t) at->st_ino
           && file.udiag_vfs_dev == (major(at->st_dev) << 20 | minor(at->st_dev)) ? 0 : -EXDEV;
}
