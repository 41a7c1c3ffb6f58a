#include "sys/random.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

static __thread struct random state;
static __thread bool is_seeded;

/* A child must not repeat what its parent draws.  (Asking for the process id costs a system call each time.) */
static void
in_child(void)
{
    is_seeded = false;
}

static void
watch_forks(void)
{
    if (pthread_atfork(NULL, NULL, in_child)) {
        abort();
    }
}

struct random *
sys_random(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (UNLIKELY(!is_seeded)) {
        uint64_t seed;

        pthread_once(&once, watch_forks);

        if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
            abort();
        }
        random_seed(&state, seed);
        is_seeded = true;
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
