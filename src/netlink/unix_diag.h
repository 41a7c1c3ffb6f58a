/* What the system knows of sockets of its own family (AF_UNIX), beyond their names, which the sides of a connection may
 * see differently (sock_diag(7)).
 *
 * Threads: any. */
#ifndef NETLINK_UNIX_DIAG_H
#define NETLINK_UNIX_DIAG_H 1

#include <sys/stat.h>

/* Whether 'fd' is a connection to a socket that was made at the file 'at'.  0, or a negative errno value: -ENOTCONN if
 * it is no connection, -EXDEV if it leads elsewhere, -ENOENT if to no file, or what the system says. */
int unix_diag_leads_to(int fd, const struct stat *at);

#endif
