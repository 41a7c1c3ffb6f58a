#include "sys/work.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/util.h"
#include "sys/rcu.h"

struct work {
    void (*func)(void *);
    void *arg;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static unsigned int n_running; /* Guarded by the mutex. */

static void *
run(void *w_)
{
    struct work w = *(struct work *) w_;

    free(w_);
    pthread_setname_np(pthread_self(), "work");
    rcu_thread_register();
    w.func(w.arg);
    rcu_thread_unregister();
    pthread_mutex_lock(&mutex);
    n_running--;
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

void
work_start(void (*func)(void *), void *arg)
{
    struct work *w = xmalloc(sizeof *w);
    pthread_t thread;

    *w = (struct work) { func, arg };
    pthread_mutex_lock(&mutex);
    n_running++;
    pthread_mutex_unlock(&mutex);
    if (pthread_create(&thread, NULL, run, w)) {
        out_of_memory();
    }
    pthread_detach(thread);
}

void
work_wait_all(void)
{
    rcu_offline();
    pthread_mutex_lock(&mutex);
    while (n_running) {
        pthread_cond_wait(&ended, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    rcu_online();
}
