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

/* The 'max_end' of an end that has said nothing, and of which nothing has been acknowledged. */
enum { NOT_SAID = 1 };

struct segment {
    uint32_t seq, end, ack, window; /* The window as it stands in the header. */
    uint8_t flags;
    bool has_scale;
    uint8_t shift;
    bool is_scaled; /* Its window is in units, though it is a SYN. */
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

/* The window of a SYN is not scaled; in the units of those that follow (RFC 7323 §2.2). */
static uint32_t
in_units(uint32_t window, uint8_t shift)
{
    return (window + (1u << shift) - 1) >> shift;
}

void
ct_tcp_open(struct ct_conn *c, const struct ct_parsed *p, enum ct_timeout *timeout)
{
    struct ct_peer *src = &c->peers[CT_ORIG], *dst = &c->peers[CT_REPLY];
    struct segment s = read_segment(p);

    *src = (struct ct_peer) { .end = s.seq, .max_end = s.end + 1, .max_win = MAX(s.window, 1) };
    src->state = CT_TCP_SYN_SENT;
    *dst = (struct ct_peer) { .max_end = NOT_SAID, .max_win = 1, .state = CT_TCP_CLOSED };
    if (!(s.flags & TCP_SYN)) {
        src->flags = dst->flags = CT_PEER_LIBERAL;
    } else if (s.has_scale) {
        src->flags = CT_PEER_SCALES;
        src->shift = s.shift;
        src->max_win = in_units(src->max_win, s.shift);
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

/* What the windows of an end are shifted by, when a segment of either end is looked at. */
static uint8_t
shift_of(const struct ct_peer *p, const struct ct_peer *other, const struct segment *s)
{
    return s->flags & TCP_SYN && !s->is_scaled       ? 0
           : p->flags & other->flags & CT_PEER_SCALES ? p->shift
           : p->flags & CT_PEER_LIBERAL               ? MAX_SHIFT /* Nobody knows: what it may be at most. */
                                                      : 0;
}

/* RFC 7323 §2.2: both ends scale, or none. */
static void
agree_on_scale(struct ct_peer *src, struct ct_peer *dst, struct segment *s)
{
    if (s->has_scale) {
        src->flags |= CT_PEER_SCALES;
        src->shift = s->shift;
        s->window = in_units(s->window, s->shift);
        s->is_scaled = true;
    } else {
        dst->max_win <<= dst->shift;
        dst->flags &= ~CT_PEER_SCALES;
        dst->shift = 0;
    }
}

/* The first segment of the answering end: its numbers begin here.  False if it stays within what the other end has
 * allowed before; then it has to fit like any other. */
static bool
begin_peer(struct ct_peer *src, struct ct_peer *dst, struct segment *s)
{
    uint32_t max_end;
    bool is_raised;

    if (s->flags & TCP_SYN && dst->flags & CT_PEER_SCALES) {
        agree_on_scale(src, dst, s);
    }
    max_end = s->end + MAX(dst->max_win << shift_of(dst, src, s), 1);
    is_raised = src->max_end == NOT_SAID || seq_leq(src->max_end, max_end);
    src->max_end = is_raised ? max_end : src->max_end;
    src->end = s->seq;
    src->max_win = MAX(s->window, 1);
    src->state = CT_TCP_SYN_SENT;
    return is_raised;
}

/* Where an end has not said anything yet, or has got all, a segment need but be near. */
static bool
is_near_window(const struct ct_peer *src, const struct ct_peer *dst, const struct segment *s)
{
    return (dst->state == CT_TCP_CLOSED || dst->state >= CT_TCP_FIN_WAIT_2 || src->state >= CT_TCP_FIN_WAIT_2)
           && seq_leq(s->end, src->max_end + MAX_ACK_WINDOW) && seq_leq(src->end - MAX_ACK_WINDOW, s->seq);
}

static bool
is_in_window(const struct ct_peer *src, const struct ct_peer *dst, const struct segment *s)
{
    int32_t skew = dst->end - s->ack;

    return seq_leq(s->end, src->max_end) && seq_leq(src->end - (dst->max_win << shift_of(dst, src, s)), s->seq)
           && skew >= -MAX_ACK_WINDOW && skew <= MAX_ACK_WINDOW << shift_of(src, dst, s);
}

static void
advance_windows(struct ct_peer *src, struct ct_peer *dst, const struct segment *s)
{
    uint32_t window = s->window << shift_of(src, dst, s);

    src->max_win = MAX(src->max_win, s->window);
    if (seq_leq(src->end, s->end)) {
        src->end = s->end;
    }
    if (seq_leq(dst->max_end, s->ack + window)) {
        dst->max_end = s->ack + MAX(window, 1);
    }
}

static void
advance_states(struct ct_peer *src, struct ct_peer *dst, uint8_t flags, bool in_window)
{
    if (flags & TCP_FIN && src->state < CT_TCP_CLOSING) {
        src->state = CT_TCP_CLOSING;
    }
    if (flags & TCP_ACK && in_window) {
        dst->state = dst->state == CT_TCP_SYN_SENT  ? CT_TCP_ESTABLISHED
                     : dst->state == CT_TCP_CLOSING ? CT_TCP_FIN_WAIT_2
                                                    : dst->state;
    }
    if (flags & TCP_RST) {
        src->state = dst->state = CT_TCP_TIME_WAIT;
    }
}

/* What a segment leaves out, or need not have. */
static void
complete(const struct ct_peer *src, const struct ct_peer *dst, struct segment *s)
{
    if (!(s->flags & TCP_ACK)) {
        s->ack = dst->end;
    }
    if (s->seq == s->end) { /* Without data any number will do: keep-alives, and acknowledgements of old ones. */
        s->seq = s->end = src->end;
    }
}

static enum ct_verdict
update(struct ct_conn *c, int dir, struct segment *s, bool check, enum ct_timeout *timeout)
{
    struct ct_peer *src = &c->peers[dir], *dst = &c->peers[!dir];
    bool is_syn = (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN, begins, at_edge, in_window;

    if (is_syn && src->state >= CT_TCP_FIN_WAIT_2 && dst->state >= CT_TCP_FIN_WAIT_2) {
        return CT_IS_REOPENED;
    }
    if (is_syn && src->state == CT_TCP_SYN_SENT) {
        if (dst->state == CT_TCP_CLOSED) { /* It tries again, perhaps with another number. */
            src->end = s->seq;
            src->max_end = s->end + 1;
        }
        *timeout = timeout_of(c);
        return CT_IS_NEW;
    }
    begins = src->state == CT_TCP_CLOSED && (begin_peer(src, dst, s) || is_syn);
    at_edge = s->seq - src->end + 1 <= 2;
    complete(src, dst, s);
    in_window = begins || (is_in_window(src, dst, s) && (!(s->flags & TCP_RST) || at_edge));
    if (UNLIKELY(!in_window) && !check) {
        counter_inc(conntrack_tcp_seq_chk_bypass);
        in_window = true;
    }
    if (UNLIKELY(!in_window) && !is_near_window(src, dst, s)) {
        counter_inc(conntrack_tcp_seq_chk_failed);
        return CT_IS_INVALID;
    }
    advance_windows(src, dst, s);
    advance_states(src, dst, s->flags, in_window);
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
