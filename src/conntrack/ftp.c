/* FTP (RFC 959, 2428): where the data connection will go.
 *
 * The client says it ("PORT", "EPRT": active), or the server answers it ("227", "229": passive).  An address is
 * believed only if it is the speaker's own, so nobody can open a way to a third host (the bounce attack).  If the
 * speaker's address is translated, what it said is rewritten.  The first announcement of a segment counts.
 *
 * Of a line that a segment leaves unfinished the beginning is remembered, so that it is understood when the rest comes.
 * What went through already cannot be rewritten: an announcement that would have to be is not understood then.  (To
 * hold the first segment back would not help: the sender has no reason to send more before it is acknowledged.) */
#include "conntrack/private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sys/counter.h"

/* Announcements that would have had to be rewritten in a segment that had gone. */
COUNTER(conntrack_ftp_split)

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

/* Lines. */

static const char *
line_end(const char *at, const char *end)
{
    while (at < end && *at != '\r' && *at != '\n') {
        at++;
    }
    return at;
}

static bool
has_end(const struct text *line, const char *end)
{
    return line->at < end && line_end(line->at, end) < end;
}

/* Where the line behind begins. */
static const char *
next_line(const char *at, const char *end)
{
    for (at = line_end(at, end); at < end && (*at == '\r' || *at == '\n'); at++) {
        continue;
    }
    return at;
}

/* Whether the unfinished line may become an announcement. */
static bool
may_announce(const struct text *line, int dir)
{
    static const char *const words[CT_N_DIRS][2] = { { "PORT ", "EPRT " }, { "227 ", "229 " } };
    size_t n = line->end - line->at;

    return n && n <= CT_FTP_LINE
           && (!strncasecmp(line->at, words[dir][0], MIN(n, strlen(words[dir][0])))
               || !strncasecmp(line->at, words[dir][1], MIN(n, strlen(words[dir][1]))));
}

/* Looks for the first announcement in whole lines of 't', whose end it becomes.  Otherwise 't' becomes the unfinished
 * last line, or empty. */
static bool
find_announcement(struct text *t, int dir, bool is_v6, struct announced *a)
{
    for (; t->at < t->end; t->at = next_line(t->at, t->end)) {
        if (read_announcement(*t, dir, is_v6, a)) {
            t->at = t->end;
            return true;
        }
        if (!has_end(t, t->end)) {
            return false;
        }
    }
    return false;
}

/* A payload, with the beginning of its first line if an earlier segment had that. */
struct segment {
    char joined[CT_FTP_LINE * 2];
    size_t n_before;      /* Bytes of 'joined' that came earlier. */
    struct text payload;
    uint32_t end;         /* Sequence number of what follows. */
};

/* False for a part of the unfinished line, sent again. */
static bool
begin_segment(struct segment *s, const struct ct_ftp_line *line, const struct ct_parsed *p)
{
    size_t header = (p->l4[12] >> 4) * 4;
    uint32_t seq = get_be32(p->l4 + 4), begin = line->next - line->n;

    s->payload = (struct text) { (const char *) p->l4 + header, (const char *) p->l4 + p->l4_len };
    s->end = seq + (s->payload.end - s->payload.at);
    s->n_before = line->n && seq - begin <= line->n ? seq - begin : 0;
    memcpy(s->joined, line->text, s->n_before);
    return !line->n || seq - begin > line->n || s->end - begin > line->n;
}

/* As find_announcement() for the line that has begun before and those that follow.  'a->from' and 'a->to' are in the
 * payload, or null if they are not. */
static bool
finish_line(struct segment *s, struct text *rest, int dir, bool is_v6, struct announced *a)
{
    size_t n = MIN((size_t) (s->payload.end - s->payload.at), sizeof s->joined - s->n_before);
    struct text t = { s->joined, s->joined + s->n_before + n };

    memcpy(s->joined + s->n_before, s->payload.at, n);
    if (read_announcement(t, dir, is_v6, a)) {
        bool is_here = a->from >= s->joined + s->n_before;

        a->from = is_here ? s->payload.at + (a->from - s->joined - s->n_before) : NULL;
        a->to = is_here ? s->payload.at + (a->to - s->joined - s->n_before) : NULL;
        rest->at = rest->end;
        return true;
    }
    if (!has_end(&t, t.end)) {
        *rest = t;
        return false;
    }
    rest->at = next_line(s->payload.at, s->payload.end);
    return find_announcement(rest, dir, is_v6, a);
}

/* Remembers 'rest', which the segment ends with.  Until there is another unfinished line the last one stays, for the
 * end of its line may come again. */
static void
remember(struct ct_ftp_line *line, const struct segment *s, const struct text *rest, int dir)
{
    if (may_announce(rest, dir)) {
        line->n = rest->end - rest->at;
        memcpy(line->text, rest->at, line->n);
        line->next = s->end;
    } else if (rest->at < rest->end) {
        line->n = 0;
    }
}

/* Finds what the segment announces. */
static bool
read_segment(struct ct_conn *c, int dir, const struct ct_parsed *p, struct announced *a)
{
    struct ct_ftp_line *line = ct_alg_ftp_line(c, dir);
    struct segment s;
    struct text rest;
    bool found = false;

    ct_conn_lock(c);
    if (begin_segment(&s, line, p)) {
        rest = s.payload;
        found = s.n_before ? finish_line(&s, &rest, dir, p->is_v6, a)
                           : find_announcement(&rest, dir, p->is_v6, a);
        remember(line, &s, &rest, dir);
    }
    ct_conn_unlock(c);
    return found;
}

static bool
is_translated(const struct ct_conn *c, int dir)
{
    return memcmp(&c->tuple[dir].src, &c->tuple[!dir].dst, sizeof c->tuple[dir].src);
}

/* Says it as the other end must read it. */
static void
rewrite(struct ct_conn *c, int dir, struct ct_packet *packet, struct ct_parsed *p, const struct announced *a,
        uint16_t port)
{
    const char *l4 = (const char *) p->l4;
    char new[80];
    size_t n = put_announcement(new, sizeof new, a, &c->tuple[!dir].dst, port, p->is_v6);

    if (((size_t) (a->to - a->from) != n || memcmp(a->from, new, n))
        && !ct_alg_replace(c, dir, packet, p, a->from - l4, a->to - a->from, new, n)) {
        packet_free(packet->packet);
        packet->packet = NULL;
    }
}

void
ct_ftp_run(struct conntrack *ct, struct ct_conn *c, int dir, struct ct_packet *packet, struct ct_parsed *p, int64_t now)
{
    struct announced a;
    be16 seen = 0;

    if (p->l4_len <= (size_t) (p->l4[12] >> 4) * 4 || !read_segment(c, dir, p, &a) || !a.port
        || (a.form != AS_EPSV && memcmp(&a.address, &c->tuple[dir].src, sizeof a.address))) {
        return;
    }
    if (!a.from && is_translated(c, dir)) {
        counter_inc(conntrack_ftp_split);
        return;
    }
    if (ct_expect(ct, c, dir, cpu_to_be16(a.port), &seen, now)
        && (is_translated(c, dir) || be16_to_cpu(seen) != a.port)) {
        rewrite(c, dir, packet, p, &a, be16_to_cpu(seen));
    }
}
