#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctl/ctl_private.h"
#include "sys/log.h"

LOG_MODULE(vlog)

static void
set(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct error *error = NULL;

    /* Without an argument: everything at DBG. */
    if (argc == 1) {
        error = log_configure("");
    }
    for (int i = 1; i < argc && !error; i++) {
        error = log_configure(argv[i]);
    }
    ctl_reply_take_error(r, error);
}

static void
list(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    char *text = log_list_text();

    ctl_reply(r, text);
    free(text);
}

static void
list_pattern(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    char *text = log_list_pattern_text();

    ctl_reply(r, text);
    free(text);
}

static void
reopen(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    int error = log_file_name() ? log_open_file(NULL) : 0;

    if (error) {
        ctl_reply_error(r, "%s", strerror(-error));
    } else if (!log_file_name()) {
        ctl_reply_error(r, "Logging to file not configured");
    } else {
        ctl_reply(r, NULL);
    }
}

static void
close_file(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    log_close_file();
    ctl_reply(r, NULL);
}

/* 'honor' is null to ignore rate limits. */
static void
honor_limits(struct ctl_request *r, int argc, const char *argv[], void *honor)
{
    if (argc == 1) {
        log_honor_limits(NULL, honor != NULL);
    }
    for (int i = 1; i < argc; i++) {
        if (!log_honor_limits(strcasecmp(argv[i], "any") ? argv[i] : NULL, honor != NULL)) {
            ctl_reply_error(r, "unknown module");
            return;
        }
    }
    ctl_reply(r, NULL);
}

static void
message(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    log_info("user-message: %s", argv[1]);
    ctl_reply(r, NULL);
}

void
ctl_register_log_commands(void)
{
    ctl_register("vlog/set", "{spec | PATTERN:destination:pattern}", 0, INT_MAX, set, NULL);
    ctl_register("vlog/list", "", 0, 0, list, NULL);
    ctl_register("vlog/list-pattern", "", 0, 0, list_pattern, NULL);
    ctl_register("vlog/enable-rate-limit", "[module]...", 0, INT_MAX, honor_limits, &log_this);
    ctl_register("vlog/disable-rate-limit", "[module]...", 0, INT_MAX, honor_limits, NULL);
    ctl_register("vlog/close", "", 0, 0, close_file, NULL);
    ctl_register("vlog/reopen", "", 0, 0, reopen, NULL);
    ctl_register("vlog/message", NULL, 1, 1, message, NULL);
}
