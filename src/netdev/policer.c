#include "netdev/policer.h"

#include "packet/mbuf.h"

struct looks {
    struct token_bucket_look bytes, packets;
};

static uint32_t
judge(struct looks *l, struct packet *const *p, unsigned int n)
{
    const int64_t one = token_bucket_ticks(l->packets.per_token, 1);
    uint32_t passed = 0;

    for (unsigned int i = 0; i < n; i++) {
        int64_t ticks = token_bucket_ticks(l->bytes.per_token, policer_size(packet_size(p[i])));

        if (token_bucket_fits(&l->bytes, ticks) && token_bucket_fits(&l->packets, one)) {
            l->bytes.next += ticks;
            l->packets.next += one;
            passed |= UINT32_C(1) << i;
        }
    }
    return passed;
}

/* False: another worker was faster, and nothing has been done. */
static bool
commit(struct policer *policer, struct looks *l, unsigned int n_passed, int64_t now_ns)
{
    if (!l->bytes.per_token) {
        return token_bucket_commit(&policer->packets, &l->packets);
    }
    if (!token_bucket_commit(&policer->bytes, &l->bytes)) {
        return false;
    }
    token_bucket_settle(&policer->packets, &l->packets, n_passed, now_ns);
    return true;
}

uint32_t
policer_pass(struct policer *policer, struct packet *const *p, unsigned int n, int64_t now_ns)
{
    unsigned int n_passed;
    struct looks looks;
    uint32_t passed;

    do {
        looks.bytes = token_bucket_look(&policer->bytes, now_ns);
        looks.packets = token_bucket_look(&policer->packets, now_ns);
        passed = judge(&looks, p, n);
        n_passed = __builtin_popcount(passed);
    } while (n_passed && !commit(policer, &looks, n_passed, now_ns));
    if (n_passed < n) {
        atomic_fetch_add_explicit(&policer->n_dropped, n - n_passed, memory_order_relaxed);
    }
    return passed;
}
