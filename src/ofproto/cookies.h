/* Rules by their cookie, those whose cookie is not zero: also where very many have the same one.
 *
 * The first rule that has a cookie is in a hash table; the others are linked to it, so that each comes and goes at the
 * same cost however many there are.
 *
 * Threads: the caller holds tables_mutex. */
#ifndef OFPROTO_COOKIES_H
#define OFPROTO_COOKIES_H 1

#include "ofproto/ofproto_private.h"

/* The rule is in its table; it is not any more. */
void cookies_note_added(struct rule *);
void cookies_note_removed(struct rule *);

/* The first rule with the cookie, and the next one; null behind the last, and for zero. */
struct rule *cookies_first(const struct ofproto *, be64 cookie);
static inline struct rule *
cookies_next(const struct rule *first, const struct rule *rule)
{
    struct rule *next = CONTAINER_OF(rule->same_cookie.next, struct rule, same_cookie);

    return next == first ? NULL : next;
}

#define COOKIES_FOR_EACH(RULE, OFPROTO, COOKIE) \
    for (struct rule *RULE##_first = cookies_first(OFPROTO, COOKIE), *RULE = RULE##_first; RULE; \
         RULE = cookies_next(RULE##_first, RULE))

#endif
