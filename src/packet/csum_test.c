#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "packet/csum.h"

/* RFC 1071, 16 bits at a time. */
static be16
slow_csum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i += 2) {
        sum += p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return cpu_to_be16(~sum);
}

static void
sums_agree_with_the_obvious_loop(void **state UNUSED)
{
    uint8_t buffer[1600];
    struct random r;

    random_seed(&r, 1);
    for (int i = 0; i < 5000; i++) {
        size_t n = random_below(&r, sizeof buffer), at = random_below(&r, 8);

        n = MIN(n, sizeof buffer - at);
        for (size_t k = 0; k < sizeof buffer; k++) {
            buffer[k] = i % 7 ? random_u64(&r) : 0xff;
        }
        assert_int_equal(csum_bytes(buffer + at, n), slow_csum(buffer + at, n));
    }
}

static void
an_update_equals_a_new_sum(void **state UNUSED)
{
    uint8_t buffer[40], before[40];
    struct random r;

    random_seed(&r, 2);
    for (int i = 0; i < 20000; i++) {
        be16 csum, updated;
        int n = 2 << random_below(&r, 4), at = 2 * random_below(&r, 4);

        for (size_t k = 0; k < sizeof buffer; k++) {
            buffer[k] = random_u64(&r);
        }
        memcpy(before, buffer, sizeof before);
        csum = csum_bytes(buffer, sizeof buffer);
        for (int k = 0; k < n; k++) {
            buffer[at + k] = random_u64(&r);
        }
        updated = csum_update(csum, before + at, buffer + at, n);
        /* 0 and 0xffff are the same number in one's complement; a receiver accepts both. */
        if (updated != csum_bytes(buffer, sizeof buffer)) {
            assert_int_equal((uint16_t) (updated ^ csum_bytes(buffer, sizeof buffer)), 0xffff);
            assert_true(updated == 0 || updated == BE16_MAX);
        }
    }
}

static void
crc32c_knows_its_check_value(void **state UNUSED)
{
    /* The CRC32c of "123456789" is 0xe3069283; 9 bytes are shorter than an SCTP header, so none counts as zero but
     * those where the field would be. */
    be32 crc = csum_sctp("12345678", 8);

    assert_int_equal(crc, 0x6087809a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_agree_with_the_obvious_loop),
        cmocka_unit_test(an_update_equals_a_new_sum),
        cmocka_unit_test(crc32c_knows_its_check_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
