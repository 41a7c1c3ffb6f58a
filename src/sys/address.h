/* Internet addresses in targets: "HOST:PORT", "[IPv6%scope]:PORT", "PORT:IP".
 *
 * Pure text to sockaddr, no look-up: a host that is no address is handed back as a name. */
#ifndef SYS_ADDRESS_H
#define SYS_ADDRESS_H 1

#include <sys/socket.h>

#include "base/util.h"

struct address {
    struct sockaddr_storage sa; /* ss_family AF_UNSPEC: 'host' has to be looked up. */
    socklen_t len;
    char host[256];             /* As given, without brackets. */
    uint16_t port;
};

/* Reads "HOST[:PORT]" (active) or "[PORT][:IP]" (passive; no IP means every IPv4 address).  0 or -EAFNOSUPPORT. */
int address_parse_active(const char *text, uint16_t default_port, struct address *) MUST_CHECK;
int address_parse_passive(const char *text, uint16_t default_port, struct address *) MUST_CHECK;

/* Fills in 'sa' from the host's name; blocks.  0 or a negative errno value. */
int address_resolve(struct address *) MUST_CHECK;

/* The port, host order; the text of the IP address, IPv6 in brackets if 'brackets', to be released with free(). */
uint16_t address_port(const struct sockaddr_storage *);
char *address_format_ip(const struct sockaddr_storage *, bool brackets) MUST_CHECK;

#endif
