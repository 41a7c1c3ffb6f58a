#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl_private.h"
#include "ctl/memory.h"
#include "sys/counter.h"
#include "sys/loop.h"

static void
coverage_show(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;

    counter_format(&s);
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

/* Events that the original counts: one that cannot happen here has not happened. */
static bool
is_known(const char *name)
{
    static const char *const names[] = {
#define KNOWN_COUNTER(NAME) #NAME,
#include "ctl/known_counters.def"
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(names[i], name)) {
            return true;
        }
    }
    return false;
}

static void
coverage_read_counter(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    uint64_t total;

    if (counter_read(argv[1], &total) || is_known(argv[1])) {
        ctl_replyf(r, "%" PRIu64 "\n", total);
    } else {
        ctl_reply_error(r, "No such counter");
    }
}

static void
memory_show(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;

    memory_format(&s);
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

static void
turns_show(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct loop_turns t;
    char *text;

    loop_get_turns(&t);
    text = xasprintf("turns of the main loop: %" PRIu64 "\n"
                     "longest: %" PRIu64 " us, of processor time %" PRIu64 " us\n"
                     "over %d ms: %" PRIu64 ", of processor time %" PRIu64 "\n",
                     t.n, t.longest_us, t.longest_cpu_us, LOOP_LONG_TURN_US / 1000, t.n_long, t.n_long_cpu);
    ctl_reply(r, text);
    free(text);
}

static void
turns_clear(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    loop_clear_turns();
    ctl_reply(r, "");
}

void
ctl_register_count_commands(void)
{
    ctl_register("turns/show", "", 0, 0, turns_show, NULL);
    ctl_register("turns/clear", "", 0, 0, turns_clear, NULL);
    ctl_register("coverage/show", "", 0, 0, coverage_show, NULL);
    ctl_register("coverage/read-counter", "COUNTER", 1, 1, coverage_read_counter, NULL);
    ctl_register("memory/show", "", 0, 0, memory_show, NULL);
}
