/* TCP: van Rooij's rules for windows, and the states of both ends.
 *
 * Each end has a highest sequence number sent ('end'), a limit that the other end has set ('max_end', from its
 * acknowledgements and windows) and the largest window that it offered.  A segment must not reach beyond 'max_end', not
 * begin more than a window below 'end', and not acknowledge what is far from the other's 'end'.
 *
 * A connection that was not seen from its SYN on ("loose") is liberal: its windows are not known, so not checked once
 * both ends have been heard.
 * A reset ends a connection only if it sits at the edge of the window (RFC 5961 §3.2), so nobody can reset blindly. */
#include "conntrack/private.h"
#include "sys/counter.h"

COUNTER(conntrack_tcp_seq_chk_failed)
COUNTER(conntrack_tcp_seq_chk_bypass)

/* MAX_ACK_WINDOW: how far an acknowledgement may be off, and a segment whose window is not known: a window without
 * scale and a packet. */
enum { MAX_ACK_WINDOW = 65535 + 1500, MAX_SHIFT = 14 /* RFC 7323 §2.3 */, OPT_END = 0, OPT_NOP = 1, OPT_SCALE = 3 };

struct segment {
    uint32_t seq, end, ack, window;
    uint8_t flags;
    bool has_scale;
    uint8_t shift;
};

static bool seq_leq(uint32_t a, uint32_t b) { return (int32_t) (a - b) <= 0; }

static void
read_scale(const uint8_t *o, size_t n, struct segment *s)
{
    while (n && o[0] != OPT_END) {
        size_t size = o[0] == OPT_NOP ? 1 : n < 2 ? 0 : o[1];

        if (!size || size > n || (size < 2 && o[0] != OPT_NOP)) {
            return;
        }
        if (o[0] == OPT_SCALE && size == 3) {
            s->has_scale = true;
            s->shift = MIN(o[2], MAX_SHIFT);
        }
        o += size;
        n -= size;
    }
}

static struct segment
read_segment(const struct ct_parsed *p)
{
    const uint8_t *h = p->l4;
    size_t header = (h[12] >> 4) * 4;
    struct segment s = { .seq = get_be32(h + 4), .ack = get_be32(h + 8), .window = get_be16(h + 14), .flags = h[13] };

    s.end = s.seq + (p->l4_len - header) + !!(s.flags & TCP_SYN) + !!(s.flags & TCP_FIN);
    if (s.flags & TCP_SYN) {
        read_scale(h + TCP_HEADER_LEN, header - TCP_HEADER_LEN, &s);
    }
    return s;
}

/* Combinations that no sender makes in good faith. */
static bool
flags_are_sane(uint8_t f)
{
    if (f & TCP_SYN) {
        return !(f & (TCP_FIN | TCP_RST)) && (f & TCP_ACK || !(f & (TCP_PSH | TCP_URG)));
    }
    return f & TCP_ACK || (f & TCP_RST && !(f & (TCP_FIN | TCP_PSH | TCP_URG)));
}

bool
ct_tcp_is_opening(const struct ct_parsed *p)
{
    uint8_t flags = p->l4[13];

    return flags_are_sane(flags) && (flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK);
}

void
ct_tcp_open(struct ct_conn *c, const struct ct_parsed *p, enum ct_timeout *timeout)
{
    struct ct_peer *src = &c->peers[CT_ORIG], *dst = &c->peers[CT_REPLY];
    struct segment s = read_segment(p);

    *src = (struct ct_peer) { .end = s.seq, .max_end = s.end + 1, .max_win = MAX(s.window, 1) };
    src->state = CT_TCP_SYN_SENT;
    *dst = (struct ct_peer) { .max_win = 1, .state = CT_TCP_CLOSED };
    if (!(s.flags & TCP_SYN)) {
        src->flags = dst->flags = CT_PEER_LIBERAL;
    } else if (s.has_scale) {
        src->flags = CT_PEER_SCALES;
        src->shift = s.shift;
    }
    *timeout = CT_TIMEOUT_TCP_SYN_SENT;
}

static enum ct_timeout
timeout_of(const struct ct_conn *c)
{
    uint8_t a = c->peers[0].state, b = c->peers[1].state, low = MIN(a, b), high = MAX(a, b);

    return low >= CT_TCP_FIN_WAIT_2    ? CT_TIMEOUT_TCP_CLOSE
           : low >= CT_TCP_CLOSING     ? CT_TIMEOUT_TCP_TIME_WAIT
           : low < CT_TCP_ESTABLISHED  ? CT_TIMEOUT_TCP_SYN_RECV
           : high >= CT_TCP_CLOSING    ? CT_TIMEOUT_TCP_FIN_WAIT
                                       : CT_TIMEOUT_TCP_ESTABLISHED;
}

/* The first segment of the answering end: its numbers begin here. */
static void
begin_peer(struct ct_peer *src, struct ct_peer *dst, const struct segment *s)
{
    src->end = s->end;
    src->max_end = s->end + MAX(dst->max_win, 1);
    src->max_win = MAX(s->window, 1);
    src->state = CT_TCP_SYN_SENT;
    if (s->flags & TCP_SYN && s->has_scale && dst->flags & CT_PEER_SCALES) {
        src->flags |= CT_PEER_SCALES;
        src->shift = s->shift;
    } else if (s->flags & TCP_SYN) {
        dst->flags &= ~CT_PEER_SCALES; /* RFC 7323 §2.2: both or none. */
        dst->shift = 0;
    }
}

static bool
is_in_window(const struct ct_peer *src, const struct ct_peer *dst, const struct segment *s)
{
    /* A segment without data may have any number: keep-alives, and acknowledgements of what was never sent. */
    uint32_t seq = s->seq == s->end ? src->end : s->seq, end = s->seq == s->end ? src->end : s->end;
    uint32_t ack = s->flags & TCP_ACK ? s->ack : dst->end;
    int32_t skew = dst->end - ack;

    if (s->flags & TCP_RST && s->seq - src->end + 1 > 2) {
        return false;
    }
    if (src->flags & CT_PEER_LIBERAL && dst->state != CT_TCP_CLOSED) {
        return true;
    }
    return seq_leq(end, src->max_end) && seq_leq(src->end - dst->max_win, seq) && skew >= -MAX_ACK_WINDOW
           && skew <= MAX_ACK_WINDOW << src->shift;
}

/* Where an end has not said anything yet, or has got all, a segment need but be near. */
static bool
is_near_window(const struct ct_peer *src, const struct ct_peer *dst, const struct segment *s)
{
    uint32_t seq = s->seq == s->end ? src->end : s->seq, end = s->seq == s->end ? src->end : s->end;

    return (dst->state == CT_TCP_CLOSED || dst->state >= CT_TCP_FIN_WAIT_2 || src->state >= CT_TCP_FIN_WAIT_2)
           && seq_leq(end, src->max_end + MAX_ACK_WINDOW) && seq_leq(src->end - MAX_ACK_WINDOW, seq);
}

static void
advance_windows(struct ct_peer *src, struct ct_peer *dst, const struct segment *s)
{
    uint32_t window = s->flags & TCP_SYN ? s->window : s->window << src->shift;

    if (s->seq != s->end && seq_leq(src->end, s->end)) { /* Without data its number was not looked at. */
        src->end = s->end;
    }
    src->max_win = MAX(src->max_win, MAX(window, 1));
    if (s->flags & TCP_ACK && seq_leq(dst->max_end, s->ack + MAX(window, 1))) {
        dst->max_end = s->ack + MAX(window, 1);
    }
}

static void
advance_states(struct ct_peer *src, struct ct_peer *dst, uint8_t flags)
{
    if (flags & TCP_FIN && src->state < CT_TCP_CLOSING) {
        src->state = CT_TCP_CLOSING;
    }
    if (flags & TCP_ACK) {
        dst->state = dst->state == CT_TCP_SYN_SENT  ? CT_TCP_ESTABLISHED
                     : dst->state == CT_TCP_CLOSING ? CT_TCP_FIN_WAIT_2
                                                    : dst->state;
    }
    if (flags & TCP_RST) {
        src->state = dst->state = CT_TCP_TIME_WAIT;
    }
}

/* What is outside its window is counted, and let pass if nobody checks. */
static bool
may_pass(const struct ct_peer *src, const struct ct_peer *dst, const struct segment *s, bool check)
{
    if (LIKELY(is_in_window(src, dst, s)) || is_near_window(src, dst, s)) {
        return true;
    } else if (check) {
        counter_inc(conntrack_tcp_seq_chk_failed);
    } else {
        counter_inc(conntrack_tcp_seq_chk_bypass);
    }
    return !check;
}

static enum ct_verdict
update(struct ct_conn *c, int dir, const struct segment *s, bool check, enum ct_timeout *timeout)
{
    struct ct_peer *src = &c->peers[dir], *dst = &c->peers[!dir];
    bool is_syn = (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    bool is_over = src->state >= CT_TCP_FIN_WAIT_2 && dst->state >= CT_TCP_FIN_WAIT_2;

    if (is_over && is_syn) {
        return CT_IS_REOPENED;
    }
    if (src->state == CT_TCP_CLOSED) {
        begin_peer(src, dst, s);
    } else if (is_syn && src->state == CT_TCP_SYN_SENT) {
        if (dst->state == CT_TCP_CLOSED) { /* It tries again, perhaps with another number. */
            src->end = s->seq;
            src->max_end = s->end + 1;
        }
        *timeout = timeout_of(c);
        return CT_IS_NEW;
    } else if (!is_over && !may_pass(src, dst, s, check)) {
        return CT_IS_INVALID;
    }
    advance_windows(src, dst, s);
    advance_states(src, dst, s->flags);
    *timeout = timeout_of(c);
    return is_syn && src->state <= CT_TCP_SYN_SENT ? CT_IS_NEW : CT_IS_ESTABLISHED;
}

enum ct_verdict
ct_tcp_update(struct ct_conn *c, int dir, const struct ct_parsed *p, bool check, enum ct_timeout *timeout)
{
    struct segment s = read_segment(p);
    enum ct_verdict verdict;

    if (!flags_are_sane(s.flags)) {
        return CT_IS_INVALID;
    }
    ct_conn_lock(c);
    verdict = update(c, dir, &s, check, timeout);
    ct_conn_unlock(c);
    return verdict;
}
