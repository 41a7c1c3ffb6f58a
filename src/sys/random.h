/* Random numbers seeded by the system, one generator per thread.  Any thread. */
#ifndef SYS_RANDOM_H
#define SYS_RANDOM_H 1

#include "base/random.h"
#include "base/uuid.h"

/* This thread's generator; re-seeded after a fork. */
struct random *sys_random(void);

/* A new random UUID. */
struct uuid sys_uuid(void);

#endif
