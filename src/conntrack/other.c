/* Protocols of questions and answers: UDP, ICMP queries, SCTP and everything else.  A connection that has been answered
 * is established. */
#include "conntrack/private.h"

enum ct_other_state { OTHER_FIRST, OTHER_SINGLE, OTHER_BOTH };

static bool
is_icmp(const struct ct_tuple *t)
{
    return t->kind & CT_KIND_ICMP;
}

static enum ct_timeout
timeout_of(const struct ct_tuple *t, enum ct_other_state state)
{
    if (is_icmp(t)) {
        return state == OTHER_BOTH ? CT_TIMEOUT_ICMP_REPLY : CT_TIMEOUT_ICMP_FIRST;
    }
    return state == OTHER_BOTH    ? CT_TIMEOUT_UDP_MULTIPLE
           : state == OTHER_FIRST ? CT_TIMEOUT_UDP_FIRST
                                  : CT_TIMEOUT_UDP_SINGLE;
}

bool
ct_other_is_opening(const struct ct_parsed *p)
{
    return !is_icmp(&p->tuple) || ct_tuple_is_request(&p->tuple);
}

void
ct_other_open(struct ct_conn *c, const struct ct_parsed *p, enum ct_timeout *timeout)
{
    c->state = OTHER_FIRST;
    *timeout = timeout_of(&p->tuple, OTHER_FIRST);
}

enum ct_verdict
ct_other_update(struct ct_conn *c, int dir, const struct ct_parsed *p, enum ct_timeout *timeout)
{
    uint8_t old = atomic_load_explicit(&c->state, memory_order_relaxed);
    uint8_t new = dir == CT_REPLY ? OTHER_BOTH : MAX(old, OTHER_SINGLE);

    if (new > old) { /* Two workers may do it at once: both only go up, and the next packet repairs it. */
        atomic_store_explicit(&c->state, new, memory_order_relaxed);
    }
    *timeout = timeout_of(&p->tuple, new);
    return new == OTHER_BOTH ? CT_IS_ESTABLISHED : CT_IS_NEW;
}
