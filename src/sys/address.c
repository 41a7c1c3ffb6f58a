#include "sys/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* Sets 'a' to the address that 'host' spells; false if it spells none. */
static bool
set_numeric(struct address *a, const char *host)
{
    struct sockaddr_in *in = (struct sockaddr_in *) &a->sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &a->sa;
    char text[sizeof a->host], *scope;

    memset(&a->sa, 0, sizeof a->sa);
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(a->port);
        a->len = sizeof *in;
        return true;
    }
    str_copy_cut(text, host, sizeof text);
    scope = strchr(text, '%');
    if (scope) {
        *scope++ = '\0';
    }
    if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1) {
        memset(&a->sa, 0, sizeof a->sa);
        return false;
    }
    if (scope) {
        uint32_t index = if_nametoindex(scope);

        if (!index && !num_parse_u32(scope, 10, &index)) {
            memset(&a->sa, 0, sizeof a->sa);
            return false;
        }
        in6->sin6_scope_id = index;
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(a->port);
    a->len = sizeof *in6;
    return true;
}

/* Takes the host, which may be in brackets, from '*text', up to a colon or the end. */
static bool
take_host(const char **text, char host[], size_t size)
{
    const char *from = *text, *end;
    size_t len;

    if (*from == '[') {
        from++;
        end = strchr(from, ']');
        if (!end) {
            return false;
        }
        *text = end + 1;
    } else {
        end = from + strcspn(from, ":");
        *text = end;
    }
    len = end - from;
    if (!len || len >= size || (**text && **text != ':')) {
        return false;
    }
    memcpy(host, from, len);
    host[len] = '\0';
    return true;
}

static bool
is_host_name(const char *host)
{
    return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == strlen(host);
}

int
address_parse_active(const char *text, uint16_t default_port, struct address *a)
{
    memset(a, 0, sizeof *a);
    a->port = default_port;
    if (!take_host(&text, a->host, sizeof a->host)) {
        return -EAFNOSUPPORT;
    }
    if (*text == ':' && text[1] && !num_parse_u16(text + 1, 10, &a->port)) {
        return -EAFNOSUPPORT;
    }
    if (!a->port || (!set_numeric(a, a->host) && !is_host_name(a->host))) {
        return -EAFNOSUPPORT;
    }
    return 0;
}

int
address_parse_passive(const char *text, uint16_t default_port, struct address *a)
{
    size_t n_port = strcspn(text, ":");
    char port[8];

    memset(a, 0, sizeof *a);
    a->port = default_port;
    if (n_port >= sizeof port) {
        return -EAFNOSUPPORT;
    }
    memcpy(port, text, n_port);
    port[n_port] = '\0';
    if (n_port && !num_parse_u16(port, 10, &a->port)) {
        return -EAFNOSUPPORT;
    }
    text += n_port;
    if (!text[0] || !text[1]) {
        str_copy_cut(a->host, "0.0.0.0", sizeof a->host);
    } else {
        text++;
        if (!take_host(&text, a->host, sizeof a->host) || *text) {
            return -EAFNOSUPPORT;
        }
    }
    return set_numeric(a, a->host) ? 0 : -EAFNOSUPPORT;
}

static int
errno_from_gai(int error)
{
    switch (error) {
    case EAI_AGAIN: return -EAGAIN;
    case EAI_SYSTEM: return -errno;
    case EAI_NONAME: return -ENOENT;
    default: return -EHOSTUNREACH;
    }
}

int
address_resolve(struct address *a)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int error;

    error = getaddrinfo(a->host, NULL, &hints, &found);
    if (error) {
        return errno_from_gai(error);
    }
    memcpy(&a->sa, found->ai_addr, found->ai_addrlen);
    a->len = found->ai_addrlen;
    freeaddrinfo(found);
    if (a->sa.ss_family == AF_INET6) {
        ((struct sockaddr_in6 *) &a->sa)->sin6_port = htons(a->port);
    } else {
        ((struct sockaddr_in *) &a->sa)->sin_port = htons(a->port);
    }
    return 0;
}

uint16_t
address_port(const struct sockaddr_storage *sa)
{
    switch (sa->ss_family) {
    case AF_INET: return ntohs(((const struct sockaddr_in *) sa)->sin_port);
    case AF_INET6: return ntohs(((const struct sockaddr_in6 *) sa)->sin6_port);
    default: return 0;
    }
}

char *
address_format_ip(const struct sockaddr_storage *sa, bool brackets)
{
    char text[INET6_ADDRSTRLEN + 1] = "", scope[IF_NAMESIZE + 1] = "";

    if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) sa;
        char name[IF_NAMESIZE];

        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        if (in6->sin6_scope_id && if_indextoname(in6->sin6_scope_id, name)) {
            snprintf(scope, sizeof scope, "%%%s", name);
        }
        return xasprintf("%s%s%s%s", brackets ? "[" : "", text, scope, brackets ? "]" : "");
    }
    inet_ntop(AF_INET, &((const struct sockaddr_in *) sa)->sin_addr, text, sizeof text);
    return xstrdup(text);
}
