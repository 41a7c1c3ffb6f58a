#include "netdev/policer.h"

#include "packet/mbuf.h"

static uint32_t
judge(struct token_bucket_look *bytes, struct token_bucket_look *packets, struct packet *const *p, unsigned int n)
{
    uint32_t passed = 0;

    for (unsigned int i = 0; i < n; i++) {
        uint32_t size = policer_size(packet_size(p[i]));

        if (token_bucket_has(bytes, size) && token_bucket_has(packets, 1)) {
            token_bucket_take_from(bytes, size);
            token_bucket_take_from(packets, 1);
            passed |= UINT32_C(1) << i;
        }
    }
    return passed;
}

uint32_t
policer_pass(struct policer *policer, struct packet *const *p, unsigned int n, int64_t now_ns)
{
    struct token_bucket_look bytes, packets;
    unsigned int n_passed;
    uint32_t passed;

    do {
        bytes = token_bucket_look(&policer->bytes, now_ns);
        packets = token_bucket_look(&policer->packets, now_ns);
        passed = judge(&bytes, &packets, p, n);
    } while (passed && (bytes.per_token ? !token_bucket_commit(&policer->bytes, &bytes)
                                        : !token_bucket_commit(&policer->packets, &packets)));
    n_passed = __builtin_popcount(passed);
    if (passed && bytes.per_token && !token_bucket_commit(&policer->packets, &packets)) {
        token_bucket_charge(&policer->packets, n_passed, now_ns);
    }
    if (n_passed < n) {
        atomic_fetch_add_explicit(&policer->n_dropped, n - n_passed, memory_order_relaxed);
    }
    return passed;
}
