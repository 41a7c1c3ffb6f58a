/* FTP (RFC 959, 2428): where the data connection will go.
 *
 * The client says it ("PORT", "EPRT": active), or the server answers it ("227", "229": passive).  An address is
 * believed only if it is the speaker's own, so nobody can open a way to a third host (the bounce attack).  If the
 * speaker's address is translated, what it said is rewritten.  Commands that are split over segments are not
 * understood. */
#include "conntrack/private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct text {
    const char *at, *end;
};

/* What was announced, and which bytes of the payload said it. */
struct announced {
    enum { AS_NUMBERS, AS_EPRT, AS_EPSV } form;
    const char *from, *to;
    struct ipv6_addr address; /* Not with AS_EPSV. */
    uint16_t port;
};

static bool
read_number(struct text *t, uint32_t max, uint32_t *v)
{
    const char *start = t->at;

    for (*v = 0; t->at < t->end && isdigit((unsigned char) *t->at) && t->at - start < 5; t->at++) {
        *v = *v * 10 + (*t->at - '0');
    }
    return t->at > start && *v <= max;
}

static bool
read_char(struct text *t, char c)
{
    if (t->at < t->end && *t->at == c) {
        t->at++;
        return true;
    }
    return false;
}

/* h1,h2,h3,h4,p1,p2 */
static bool
read_numbers(struct text *t, struct announced *a)
{
    uint32_t n[6];
    uint8_t ip[4];
    be32 address;

    a->form = AS_NUMBERS;
    a->from = t->at;
    for (int i = 0; i < 6; i++) {
        if ((i && !read_char(t, ',')) || !read_number(t, 255, &n[i])) {
            return false;
        }
    }
    a->to = t->at;
    for (int i = 0; i < 4; i++) {
        ip[i] = n[i];
    }
    memcpy(&address, ip, sizeof address);
    a->address = ct_address4(address);
    a->port = n[4] << 8 | n[5];
    return t->at < t->end && !isdigit((unsigned char) *t->at);
}

static bool
read_address(const char *p, size_t n, bool is_v6, struct ipv6_addr *out)
{
    char word[48];
    be32 ip;

    if (!n || n >= sizeof word) {
        return false;
    }
    memcpy(word, p, n);
    word[n] = '\0';
    if (is_v6) {
        return ipv6_parse(word, out);
    }
    if (!ipv4_parse(word, &ip)) {
        return false;
    }
    *out = ct_address4(ip);
    return true;
}

/* |1|132.235.1.2|6275| or |2|1080::8:800:200C:417A|5282|, with any character for the bar. */
static bool
read_eprt(struct text *t, bool is_v6, struct announced *a)
{
    const char *address;
    uint32_t family, port;
    char bar;

    a->form = AS_EPRT;
    a->from = t->at;
    if (t->at >= t->end || isdigit((unsigned char) *t->at)) {
        return false;
    }
    bar = *t->at++;
    if (!read_number(t, 2, &family) || family != (is_v6 ? 2 : 1) || !read_char(t, bar)) {
        return false;
    }
    address = t->at;
    while (t->at < t->end && *t->at != bar) {
        t->at++;
    }
    if (!read_address(address, t->at - address, is_v6, &a->address) || !read_char(t, bar)
        || !read_number(t, UINT16_MAX, &port) || !read_char(t, bar)) {
        return false;
    }
    a->to = t->at;
    a->port = port;
    return true;
}

/* |||6446| */
static bool
read_epsv(struct text *t, struct announced *a)
{
    uint32_t port;
    char bar;

    a->form = AS_EPSV;
    if (t->at >= t->end || isdigit((unsigned char) *t->at)) {
        return false;
    }
    bar = *t->at;
    if (!read_char(t, bar) || !read_char(t, bar) || !read_char(t, bar)) {
        return false;
    }
    a->from = t->at;
    if (!read_number(t, UINT16_MAX, &port)) {
        return false;
    }
    a->to = t->at;
    a->port = port;
    return read_char(t, bar);
}

static bool
begins_with(struct text *t, const char *word)
{
    size_t n = strlen(word);

    if ((size_t) (t->end - t->at) < n || strncasecmp(t->at, word, n)) {
        return false;
    }
    t->at += n;
    return true;
}

static bool
skip_to(struct text *t, char c)
{
    while (t->at < t->end && *t->at != c && *t->at != '\r' && *t->at != '\n') {
        t->at++;
    }
    return read_char(t, c);
}

static bool
skip_to_digit(struct text *t)
{
    while (t->at < t->end && !isdigit((unsigned char) *t->at) && *t->at != '\r' && *t->at != '\n') {
        t->at++;
    }
    return t->at < t->end && isdigit((unsigned char) *t->at);
}

static bool
read_announcement(struct text t, int dir, bool is_v6, struct announced *a)
{
    if (dir == CT_ORIG) {
        return begins_with(&t, "PORT ") ? !is_v6 && read_numbers(&t, a)
                                        : begins_with(&t, "EPRT ") && read_eprt(&t, is_v6, a);
    }
    /* RFC 1123 §4.1.2.6: the parentheses of a 227 may be missing. */
    return begins_with(&t, "227 ") ? !is_v6 && skip_to_digit(&t) && read_numbers(&t, a)
                                   : begins_with(&t, "229 ") && skip_to(&t, '(') && read_epsv(&t, a);
}

/* What the other end must read. */
static size_t
put_announcement(char *out, size_t size, const struct announced *a, const struct ipv6_addr *seen, uint16_t port,
                 bool is_v6)
{
    struct str text = STR_INIT;
    const uint8_t *ip = &seen->s6[12];
    size_t n;

    if (a->form == AS_NUMBERS) {
        str_putf(&text, "%u,%u,%u,%u,%u,%u", ip[0], ip[1], ip[2], ip[3], port >> 8, port & 255);
    } else if (a->form == AS_EPSV) {
        str_putf(&text, "%u", port);
    } else {
        str_putf(&text, "|%d|", is_v6 ? 2 : 1);
        if (is_v6) {
            ipv6_put(&text, seen);
        } else {
            str_putf(&text, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
        }
        str_putf(&text, "|%u|", port);
    }
    n = MIN(text.len, size);
    memcpy(out, str_text(&text), n);
    str_uninit(&text);
    return n;
}

void
ct_ftp_run(struct conntrack *ct, struct ct_conn *c, int dir, struct ct_packet *packet, struct ct_parsed *p, int64_t now)
{
    size_t header = (p->l4[12] >> 4) * 4;
    const char *payload = (const char *) p->l4;
    struct text t = { payload + header, payload + p->l4_len };
    struct announced a;
    char new[80];
    be16 seen = 0;
    size_t n;

    if (!read_announcement(t, dir, p->is_v6, &a) || !a.port
        || (a.form != AS_EPSV && memcmp(&a.address, &c->tuple[dir].src, sizeof a.address))
        || !ct_expect(ct, c, dir, cpu_to_be16(a.port), &seen, now)) {
        return;
    }
    if (!memcmp(&c->tuple[dir].src, &c->tuple[!dir].dst, sizeof a.address) && be16_to_cpu(seen) == a.port) {
        return;
    }
    n = put_announcement(new, sizeof new, &a, &c->tuple[!dir].dst, be16_to_cpu(seen), p->is_v6);
    if ((size_t) (a.to - a.from) != n || memcmp(a.from, new, n)) {
        if (!ct_alg_replace(c, dir, packet, p, a.from - payload, a.to - a.from, new, n)) {
            packet_free(packet->packet);
            packet->packet = NULL;
        }
    }
}
