/* Control commands of the daemon itself; those of bridges are ofproto's. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "ctl/ctl.h"
#include "flow/compose.h"
#include "netdev/dummy.h"
#include "odp/text.h"
#include "vswitchd/vswitchd.h"

struct quit {
    void (*cb)(void *aux, bool cleanup);
    void *aux;
    struct ctl_request *request; /* "exit" waits for its answer. */
};
static struct quit quit;

static void
cmd_exit(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    quit.request = r;
    quit.cb(quit.aux, argc > 1 && !strcmp(argv[1], "--cleanup"));
}

void
commands_finish_exit(void)
{
    if (quit.request) {
        ctl_reply(quit.request, NULL);
        quit.request = NULL;
    }
}

/* Dummy devices. */

enum { MIN_FRAME = 60 }; /* The shortest that there are on wires, without the checksum. */
static const char unknown_dummy[] = "Unknown Dummy Interface";

static struct netdev *
find_dummy(struct ctl_request *r, const char *name, const char *error)
{
    struct netdev *netdev = netdev_find(name);

    if (!netdev || !netdev_is_dummy(netdev)) {
        netdev_close(netdev);
        ctl_reply_error(r, "%s", error);
        return NULL;
    }
    return netdev;
}

/* A packet as hexadecimal digits or as a datapath flow. */
static bool
parse_packet(struct ctl_request *r, const char *text, size_t len, struct bytes *frame)
{
    struct error *error;
    struct flow flow;

    if (!*bytes_put_from_hex(frame, text)) {
        return true;
    }
    bytes_clear(frame);
    error = odp_flow_parse(text, NULL, &flow, NULL);
    if (error) {
        ctl_reply_error(r, "%s", error_text(error));
        error_free(error);
        return false;
    }
    flow_compose_default(&flow, frame);
    if (len) {
        flow_compose_resize(&flow, len, frame);
    }
    return true;
}

static void
cmd_receive(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct netdev *netdev = find_dummy(r, argv[1], "no such dummy netdev");
    struct bytes frame = BYTES_INIT;
    bool ok = netdev != NULL;
    uint32_t queue = 0;
    int i = 2;

    if (ok && argc > 3 && !strcmp(argv[2], "--qid")) {
        i = 4;
        if (!num_parse_u32(argv[3], 10, &queue) || queue >= netdev->class->n_rxq(netdev)) {
            ctl_reply_error(r, "bad rx queue id.");
            ok = false;
        }
    }
    for (; ok && i < argc; i++) {
        uint32_t len = 0;

        if (i + 2 < argc && !strcmp(argv[i + 1], "--len") &&
            (!num_parse_u32(argv[i + 2], 10, &len) || len < MIN_FRAME)) {
            ctl_reply_error(r, "too small packet len");
            ok = false;
            break;
        }
        bytes_clear(&frame);
        ok = parse_packet(r, argv[i], len, &frame);
        if (ok) {
            /* A full queue drops, as a device does. */
            (void) netdev_dummy_receive(netdev, queue, frame.data, frame.len);
            i += len ? 2 : 0;
        }
    }
    if (ok) {
        ctl_reply(r, NULL);
    }
    bytes_uninit(&frame);
    netdev_close(netdev);
}

static void
cmd_admin_state(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct netdev *netdev = argc > 2 ? find_dummy(r, argv[1], unknown_dummy) : NULL;
    const char *state = argv[argc - 1];

    if (argc > 2 && !netdev) {
        return;
    }
    if (strcmp(state, "up") && strcmp(state, "down")) {
        ctl_reply_error(r, "Invalid Admin State");
    } else {
        netdev_dummy_set_admin_state(netdev, !strcmp(state, "up"));
        ctl_reply(r, "OK");
    }
    netdev_close(netdev);
}

static void
put_conn_state(void *s_, struct netdev *netdev)
{
    const char *state = netdev_dummy_conn_state(netdev);
    struct str *s = s_;

    if (state) {
        str_putf(s, "%s: %s\n", netdev->name, state);
    }
}

static void
cmd_conn_state(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct str s = STR_INIT;

    if (argc > 1) {
        struct netdev *netdev = netdev_find(argv[1]);

        const char *state = netdev && netdev_is_dummy(netdev) ? netdev_dummy_conn_state(netdev) : NULL;

        str_putf(&s, "%s: %s\n", argv[1], state ? state : "unknown");
        netdev_close(netdev);
    } else {
        netdev_dummy_for_each(put_conn_state, &s);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

/* "ADDRESS[/LENGTH]": the length is 'max' where it is not said. */
static bool
split_prefix(const char *text, uint8_t max, char **address, uint8_t *plen)
{
    char *slash;

    *address = xstrdup(text);
    slash = strchr(*address, '/');
    *plen = max;
    if (!slash) {
        return true;
    }
    *slash = '\0';
    return num_parse_u8(slash + 1, 10, plen) && *plen <= max;
}

static void
cmd_ip4addr(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct netdev *netdev = find_dummy(r, argv[1], unknown_dummy);
    char *address;
    uint8_t plen;
    be32 ip;

    if (!netdev) {
        return;
    }
    if (split_prefix(argv[2], 32, &address, &plen) && ipv4_parse(address, &ip)) {
        netdev_dummy_set_ip4(netdev, ip, ipv4_prefix_mask(plen));
        ctl_reply(r, "OK");
    } else {
        ctl_reply_error(r, "%s: invalid IP address", argv[2]);
    }
    free(address);
    netdev_close(netdev);
}

static void
cmd_ip6addr(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct netdev *netdev = find_dummy(r, argv[1], unknown_dummy);
    struct ipv6_addr ip, mask;
    char *address;
    uint8_t plen;
    bool has_prefix;

    if (!netdev) {
        return;
    }
    has_prefix = split_prefix(argv[2], 128, &address, &plen);
    if (!ipv6_parse(address, &ip)) {
        ctl_reply_error(r, "%s: invalid IPv6 address", argv[2]);
    } else if (!has_prefix) {
        ctl_reply_error(r, "%s: IPv6 network prefix bits not between 0 and 128, inclusive", argv[2]);
    } else {
        mask = ipv6_prefix_mask(plen);
        netdev_dummy_set_ip6(netdev, &ip, &mask);
        ctl_reply(r, "OK");
    }
    free(address);
    netdev_close(netdev);
}

void
commands_register(struct vswitchd *sw, void (*cb)(void *aux, bool cleanup), void *aux)
{
    quit = (struct quit) { .cb = cb, .aux = aux };
    ctl_register("exit", "[--cleanup]", 0, 1, cmd_exit, NULL);
    idle_commands_register();
    qos_commands_register(sw);
}

/* Time. */

struct warp {
    struct ctl_request *request;
    struct loop_timer timer; /* Lets the loop work between steps. */
    int64_t left, each;
};

static void
cmd_stop(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    if (!clock_is_stopped()) {
        clock_stop();
    }
    ctl_reply(r, NULL);
}

/* Each step is a turn of the loop, so that what is due happens in its order. */
static void
on_step(struct loop_timer *t)
{
    struct warp *w = t->aux;

    if (w->left <= 0) {
        ctl_reply(w->request, "warped");
        free(w);
        return;
    }
    clock_warp(MIN(w->each, w->left));
    w->left -= w->each;
    loop_timer_set(&w->timer, clock_now_ms());
}

static void
cmd_warp(struct ctl_request *r, int argc, const char *argv[], void *loop)
{
    int64_t total, each;
    struct warp *w;

    if (!num_parse_s64(argv[1], 10, &total) || total <= 0 ||
        !num_parse_s64(argv[argc - 1], 10, &each) || each <= 0) {
        ctl_reply_error(r, "invalid MSECS");
        return;
    }
    w = xzalloc(sizeof *w);
    w->request = r;
    w->left = total;
    w->each = each;
    loop_timer_init(loop, &w->timer, on_step, w);
    loop_timer_set(&w->timer, clock_now_ms());
}

void
commands_register_time(struct loop *loop)
{
    ctl_register("time/stop", "", 0, 0, cmd_stop, NULL);
    ctl_register("time/warp", "[large_msecs] msecs", 1, 2, cmd_warp, loop);
    ctl_register("netdev-dummy/receive", "name [--qid queue_id] packet|flow [--len packet_len]", 2, INT_MAX,
                 cmd_receive, NULL);
    ctl_register("netdev-dummy/set-admin-state", "[netdev] up|down", 1, 2, cmd_admin_state, NULL);
    ctl_register("netdev-dummy/conn-state", "[netdev]", 0, 1, cmd_conn_state, NULL);
    ctl_register("netdev-dummy/ip4addr", "[netdev] ipaddr/mask-prefix-len", 2, 2, cmd_ip4addr, NULL);
    ctl_register("netdev-dummy/ip6addr", "[netdev] ip6addr", 2, 2, cmd_ip6addr, NULL);
}
