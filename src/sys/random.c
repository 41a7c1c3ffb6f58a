#include "sys/random.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

struct random *
sys_random(void)
{
    static __thread struct random state;
    static __thread pid_t seeded_for;

    if (UNLIKELY(seeded_for != getpid())) {
        uint64_t seed;

        if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
            abort();
        }
        random_seed(&state, seed);
        seeded_for = getpid();
    }
    return &state;
}

struct uuid
sys_uuid(void)
{
    struct uuid uuid;

    uuid_generate(&uuid, sys_random());
    return uuid;
}
