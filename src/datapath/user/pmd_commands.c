/* Control commands about polling workers: which core polls which queue.  Shares of time are not measured over periods
 * yet, so usage is not available. */
#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "ctl/ctl.h"
#include "datapath/user/user.h"

struct show {
    struct str out;
    const struct datapath *dp;
    const char *name;    /* Only this datapath; null: all. */
    uint32_t core;       /* Only this one; UINT32_MAX: all. */
    uint32_t seconds;
    unsigned int worker; /* Whose queues are shown. */
    void (*each)(void *show, const struct dp_user_worker *);
};

static void
put_queue(void *s_, const char *port, unsigned int queue, unsigned int worker)
{
    struct show *s = s_;

    if (worker == s->worker) {
        str_putf(&s->out, "  port: %-16s  queue-id: %2u (enabled)   pmd usage: NOT AVAIL\n", port, queue);
    }
}

static void
put_worker_queues(void *s_, const struct dp_user_worker *w)
{
    struct show *s = s_;

    str_puts(&s->out, "  isolated : false\n");
    s->worker = w->id;
    dp_user_for_each_rxq(s->dp, put_queue, s);
    str_puts(&s->out, "  overhead: NOT AVAIL\n");
}

/* Polling workers never sleep. */
static void
put_worker_sleep(void *s_, const struct dp_user_worker *w UNUSED)
{
    struct show *s = s_;

    str_puts(&s->out, "  max sleep:    0 us\n");
}

static void
put_worker(void *s_, const struct dp_user_worker *w)
{
    struct show *s = s_;

    if (w->is_polling && (s->core == UINT32_MAX || s->core == (uint32_t) w->core)) {
        str_putf(&s->out, "pmd thread numa_id 0 core_id %d:\n", w->core);
        s->each(s, w);
    }
}

static void
put_dp(void *s_, const struct datapath *dp)
{
    struct show *s = s_;

    if (!s->name || !strcmp(s->name, dp->name)) {
        s->dp = dp;
        dp_user_for_each_worker(dp, put_worker, s);
    }
}

/* "[-pmd core] [-secs secs] [dp]" */
static bool
parse(struct show *s, struct ctl_request *r, int argc, const char *argv[])
{
    for (int i = 1; i < argc; i++) {
        bool is_core = !strcmp(argv[i], "-pmd"), is_seconds = !strcmp(argv[i], "-secs");

        if (!is_core && !is_seconds) {
            s->name = strchr(argv[i], '@') ? strchr(argv[i], '@') + 1 : argv[i];
        } else if (i + 1 == argc || !num_parse_u32(argv[++i], 10, is_core ? &s->core : &s->seconds)) {
            ctl_reply_error(r, "%s needs a number", is_core ? "-pmd" : "-secs");
            return false;
        }
    }
    return true;
}

static void
cmd_show(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    bool is_sleep = !strcmp(argv[0], "dpif-netdev/pmd-sleep-show");
    struct show s = { .out = STR_INIT, .core = UINT32_MAX, .seconds = 60,
                      .each = is_sleep ? put_worker_sleep : put_worker_queues };

    if (parse(&s, r, argc, argv)) {
        if (is_sleep) {
            str_puts(&s.out, "Default max sleep:    0 us\n");
        } else {
            str_putf(&s.out, "Displaying last %u seconds pmd usage %%\n", s.seconds);
        }
        dp_user_for_each(put_dp, &s);
        ctl_reply(r, str_text(&s.out));
    }
    str_uninit(&s.out);
}

void
dp_user_commands_register(void)
{
    ctl_register("dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 0, 5, cmd_show, NULL);
    ctl_register("dpif-netdev/pmd-sleep-show", "[dp]", 0, 1, cmd_show, NULL);
}
