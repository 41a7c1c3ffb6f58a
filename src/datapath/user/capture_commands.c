/* capture/start, capture/stop, capture/show. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "ctl/ctl.h"
#include "datapath/user/capture.h"
#include "sys/dirs.h"

static const char start_usage[] = "port file [direction=in|out|both] [snaplen=n] [packets=n] [bytes=n] [seconds=n] "
                                  "[overwrite=true]";

/* --- capture/start --- */

static bool
parse_direction(struct capture_options *o, const char *value)
{
    o->wants_in = strcmp(value, "out");
    o->wants_out = strcmp(value, "in");
    return !strcmp(value, "in") || !strcmp(value, "out") || !strcmp(value, "both");
}

static bool
parse_snaplen(struct capture_options *o, const char *value)
{
    return num_parse_u32(value, 10, &o->snaplen) && o->snaplen;
}

static bool
parse_packets(struct capture_options *o, const char *value)
{
    return num_parse_u64(value, 10, &o->max_packets);
}

static bool
parse_bytes(struct capture_options *o, const char *value)
{
    return num_parse_u64(value, 10, &o->max_bytes);
}

static bool
parse_seconds(struct capture_options *o, const char *value)
{
    return num_parse_u64(value, 10, &o->max_seconds);
}

static bool
parse_overwrite(struct capture_options *o, const char *value)
{
    o->overwrites = !strcmp(value, "true");
    return o->overwrites || !strcmp(value, "false");
}

static const struct { const char *key; bool (*parse)(struct capture_options *, const char *value); } keys[] = {
    { "direction=", parse_direction }, { "snaplen=", parse_snaplen }, { "packets=", parse_packets },
    { "bytes=", parse_bytes }, { "seconds=", parse_seconds }, { "overwrite=", parse_overwrite },
};

static bool
parse_option(struct capture_options *o, const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (!strncmp(text, keys[i].key, strlen(keys[i].key))) {
            return keys[i].parse(o, text + strlen(keys[i].key));
        }
    }
    return false;
}

static void
cmd_start(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct capture_options o = CAPTURE_OPTIONS_DEFAULT;
    struct error *e;
    unsigned int id;
    char *path;

    for (int i = 3; i < argc; i++) {
        if (!parse_option(&o, argv[i])) {
            ctl_reply_error(r, "'%s' is no option of a capture", argv[i]);
            return;
        }
    }
    if (!strcmp(argv[2], "-")) {
        ctl_reply_error(r, "the daemon has no output to write to; name a FIFO that somebody reads");
        return;
    }
    path = dirs_resolve(dirs_log(), argv[2]);
    e = capture_start(argv[1], path, &o, &id);
    if (e) {
        ctl_reply_error(r, "%s", error_text(e));
        error_free(e);
    } else {
        ctl_replyf(r, "capture %u of %s into %s\n", id, argv[1], path);
    }
    free(path);
}

/* --- capture/stop --- */

struct stop {
    struct ctl_request *request;
    struct str out;
};

static void
on_ended(void *s_, const struct capture_figures *f)
{
    struct stop *s = s_;

    if (f) {
        str_putf(&s->out, "capture %u of %s: %llu packets, %llu dropped, %llu bytes in %s\n", f->id, f->port,
                 (unsigned long long) (f->n_in + f->n_out - f->n_lost), (unsigned long long) f->n_dropped,
                 (unsigned long long) f->n_bytes, f->path);
    } else {
        ctl_reply(s->request, str_text(&s->out));
        str_uninit(&s->out);
        free(s);
    }
}

static void
cmd_stop(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    const char *which = argc > 1 ? argv[1] : "";
    struct stop *s = xzalloc(sizeof *s);
    uint32_t id = 0;

    s->request = r;
    s->out = (struct str) STR_INIT;
    (void) !num_parse_u32(which, 10, &id);
    if (!capture_stop(id, which, on_ended, s)) {
        free(s);
        if (which[0]) {
            ctl_reply_error(r, "no capture '%s' goes on", which);
        } else {
            ctl_reply(r, "");
        }
    }
}

/* --- capture/show --- */

static void
put_limits(struct str *s, const struct capture_options *o)
{
    const struct { const char *name; uint64_t value; } limits[] = {
        { "packets", o->max_packets }, { "bytes", o->max_bytes }, { "seconds", o->max_seconds },
    };
    size_t before = s->len;

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        if (limits[i].value) {
            str_putf(s, " (%s %llu)", limits[i].name, (unsigned long long) limits[i].value);
        }
    }
    str_puts(s, s->len == before ? " none\n" : "\n");
}

static void
show(void *s_, const struct capture_figures *f)
{
    const struct capture_options *o = f->options;
    struct str *s = s_;

    str_putf(s, "capture %u: %s into %s\n  state   : ", f->id, f->port, f->path);
    str_putf(s, "%s%s\n", f->ended ? "ended: " : "",
             f->ended ? f->ended : f->is_waiting ? "waits for somebody who reads the FIFO" : "goes on");
    str_putf(s, "  what    : direction=%s snaplen=%u\n", !o->wants_out ? "in" : !o->wants_in ? "out" : "both",
             o->snaplen);
    str_puts(s, "  limits  :");
    put_limits(s, o);
    str_putf(s, "  packets : (in %llu) (out %llu) (dropped %llu)", (unsigned long long) f->n_in,
             (unsigned long long) f->n_out, (unsigned long long) f->n_dropped);
    if (f->n_lost) {
        str_putf(s, " (not written %llu)", (unsigned long long) f->n_lost);
    }
    str_putf(s, "\n  bytes   : %llu\n  seconds : %.1f\n", (unsigned long long) f->n_bytes, f->seconds);
}

static void
cmd_show(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;

    capture_for_each(show, &s);
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

void
capture_commands_register(void)
{
    ctl_register("capture/start", start_usage, 2, 2 + ARRAY_SIZE(keys), cmd_start, NULL);
    ctl_register("capture/stop", "[id|port]", 0, 1, cmd_stop, NULL);
    ctl_register("capture/show", "", 0, 0, cmd_show, NULL);
}
