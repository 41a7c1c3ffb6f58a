#include "ofproto/cookies.h"

#include "base/hash.h"

static uint32_t
hash_of(be64 cookie)
{
    return hash_u64((FORCE uint64_t) cookie, 0);
}

struct rule *
cookies_first(const struct ofproto *p, be64 cookie)
{
    HMAP_FOR_EACH_WITH_HASH (rule, struct rule, by_cookie, hash_of(cookie), &p->by_cookie) {
        if (rule->cookie == cookie) {
            return rule;
        }
    }
    return NULL;
}

void
cookies_note_added(struct rule *rule)
{
    struct ofproto *p = rule->ofproto;
    struct rule *first = rule->cookie ? cookies_first(p, rule->cookie) : NULL;

    list_init(&rule->same_cookie);
    if (first) {
        list_push_back(&first->same_cookie, &rule->same_cookie);
    } else if (rule->cookie) {
        hmap_insert(&p->by_cookie, &rule->by_cookie, hash_of(rule->cookie));
    }
}

void
cookies_note_removed(struct rule *rule)
{
    struct ofproto *p = rule->ofproto;

    if (rule->cookie && cookies_first(p, rule->cookie) == rule) {
        hmap_remove(&p->by_cookie, &rule->by_cookie);
        if (!list_is_empty(&rule->same_cookie)) {
            struct rule *next = CONTAINER_OF(rule->same_cookie.next, struct rule, same_cookie);

            hmap_insert(&p->by_cookie, &next->by_cookie, hash_of(rule->cookie));
        }
    }
    list_remove(&rule->same_cookie);
}
