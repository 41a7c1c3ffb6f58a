/* Control commands about DPDK: its threads, logs and memory, and the devices that it has. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include "ctl/ctl.h"
#include "netdev/dpdk.h"
#include "netdev/dpdk_device.h"
#include "packet/env.h"
#include "packet/pool.h"

/* --- What DPDK prints --- */

typedef void print_cb(FILE *, const void *what);

static void
reply_printed(struct ctl_request *r, print_cb *print, const void *what)
{
    char *text = NULL;
    size_t n = 0;
    FILE *stream;

    if (!env_is_started()) {
        ctl_reply_error(r, "DPDK has not been started");
        return;
    }
    stream = open_memstream(&text, &n);
    if (!stream) {
        ctl_reply_error(r, "no memory for the answer");
        return;
    }
    print(stream, what);
    fclose(stream);
    ctl_reply(r, text);
    free(text);
}

static void
print_lcores(FILE *stream, const void *unused UNUSED)
{
    rte_lcore_dump(stream);
}

static void
print_log_types(FILE *stream, const void *unused UNUSED)
{
    rte_log_dump(stream);
}

static void
print_heaps(FILE *stream, const void *unused UNUSED)
{
    rte_malloc_dump_stats(stream, NULL);
}

static void
print_memzones(FILE *stream, const void *unused UNUSED)
{
    rte_memzone_dump(stream);
}

static const struct print_command {
    const char *name;
    print_cb *print;
} print_commands[] = {
    { "dpdk/lcore-list", print_lcores },
    { "dpdk/log-list", print_log_types },
    { "dpdk/get-malloc-stats", print_heaps },
    { "dpdk/get-memzone-stats", print_memzones },
};

static void
cmd_print(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *command_)
{
    const struct print_command *command = command_;

    reply_printed(r, command->print, NULL);
}

/* --- Log levels --- */

/* As the command takes them; the text of each stays as it is. */
static uint32_t
level_of(const char *text)
{
    static const char *const names[] = {
        [RTE_LOG_EMERG] = "emergency", [RTE_LOG_ALERT] = "alert", [RTE_LOG_CRIT] = "critical",
        [RTE_LOG_ERR] = "error", [RTE_LOG_WARNING] = "warning", [RTE_LOG_NOTICE] = "notice", [RTE_LOG_INFO] = "info",
        [RTE_LOG_DEBUG] = "debug",
    };

    for (uint32_t i = RTE_LOG_EMERG; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(names[i], text)) {
            return i;
        }
    }
    return 0;
}

/* "LEVEL" or "PATTERN:LEVEL"; false if the level is none. */
static bool
set_level(const char *word, const char **level_text)
{
    const char *colon = strrchr(word, ':');
    char *pattern = colon ? xstrndup(word, colon - word) : xstrdup("*");
    uint32_t level;

    *level_text = colon ? colon + 1 : word;
    level = level_of(*level_text);
    if (level) {
        rte_log_set_level_pattern(pattern, level);
    }
    free(pattern);
    return level != 0;
}

static void
cmd_log_set(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    const char *level;

    if (argc == 1) {
        rte_log_set_level_pattern("*", RTE_LOG_DEBUG);
    }
    for (int i = 1; i < argc; i++) {
        if (!set_level(argv[i], &level)) {
            ctl_reply_error(r, "invalid log level: '%s'", level);
            return;
        }
    }
    ctl_reply(r, NULL);
}

/* --- Devices --- */

static bool
is_of_dpdk(const struct netdev *n)
{
    return n && !strncmp(n->class->type, "dpdk", 4);
}

/* The port's, referenced; null with an error replied. */
static struct netdev *
find_port(struct ctl_request *r, const char *name)
{
    struct netdev *n = netdev_find(name);

    if (!is_of_dpdk(n)) {
        netdev_close(n);
        ctl_reply_error(r, "Not a DPDK Interface");
        return NULL;
    }
    return n;
}

static void
set_admin_state(struct netdev *n, bool up)
{
    unsigned int now;

    (void) !netdev_set_flags(n, up ? 0 : NETDEV_UP, up ? NETDEV_UP : 0, &now);
}

static void
set_state_of_one(struct netdev *n, void *up)
{
    if (is_of_dpdk(n)) {
        set_admin_state(n, *(const bool *) up);
    }
}

static void
cmd_set_admin_state(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    bool up = !strcmp(argv[argc - 1], "up");
    struct netdev *n;

    if (!up && strcmp(argv[argc - 1], "down")) {
        ctl_reply_error(r, "Invalid Admin State");
        return;
    }
    if (argc > 2) {
        n = find_port(r, argv[1]);
        if (!n) {
            return;
        }
        set_admin_state(n, up);
        netdev_close(n);
    } else {
        netdev_for_each(set_state_of_one, &up);
    }
    ctl_reply(r, "OK");
}

/* The names of the ports that are served by a device; null: none. */
static char *
users_of(const struct rte_device *device)
{
    char *users = NULL;

    LIST_FOR_EACH (d, struct dpdk_device, node, &dpdk_devices) {
        struct rte_eth_dev_info info;

        if (d->port != DPDK_NO_PORT && !rte_eth_dev_info_get(d->port, &info) && info.device == device) {
            char *more = users ? xasprintf("%s %s", users, d->netdev->name) : xstrdup(d->netdev->name);

            free(users);
            users = more;
        }
    }
    return users;
}

static void
cmd_detach(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct rte_eth_dev_info info;
    uint16_t port, i;
    char *users;

    if (!env_is_started() || rte_eth_dev_get_port_by_name(argv[1], &port) || rte_eth_dev_info_get(port, &info)) {
        ctl_reply_error(r, "Device '%s' not found in DPDK", argv[1]);
        return;
    }
    users = users_of(info.device);
    if (users) {
        ctl_reply_error(r, "Device '%s' is being used by the following interfaces: %s. Remove them before detaching.",
                        argv[1], users);
        free(users);
        return;
    }
    RTE_ETH_FOREACH_DEV_OF (i, info.device) {
        rte_eth_dev_close(i);
    }
    if (rte_dev_remove(info.device)) {
        ctl_reply_error(r, "Device '%s' can not be detached: %s", argv[1], rte_strerror(rte_errno));
    } else {
        ctl_replyf(r, "All devices shared with device '%s' have been detached", argv[1]);
    }
}

static void
print_pool(FILE *stream, const void *pool_)
{
    struct rte_mempool *pool = (struct rte_mempool *) pool_;

    if (!pool) {
        rte_mempool_list_dump(stream);
        return;
    }
    rte_mempool_dump(stream, pool);
    fprintf(stream, "    count: avail (%u), in use (%u)\n", rte_mempool_avail_count(pool),
            rte_mempool_in_use_count(pool));
}

/* Machines' packets are in the common pool. */
static void
cmd_mempool_info(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    const struct rte_mempool *pool = NULL;

    if (argc > 1) {
        struct netdev *n = find_port(r, argv[1]);

        if (!n) {
            return;
        }
        pool = strcmp(n->class->type, "dpdk") ? packet_pool() : dpdk_share_mempool(&dpdk_device(n)->share);
        netdev_close(n);
        if (!pool) {
            ctl_reply_error(r, "Not allocated");
            return;
        }
    }
    reply_printed(r, print_pool, pool);
}

void
netdev_dpdk_commands_register(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(print_commands); i++) {
        ctl_register(print_commands[i].name, "", 0, 0, cmd_print, (void *) &print_commands[i]);
    }
    ctl_register("dpdk/log-set", "{level | pattern:level}", 0, INT_MAX, cmd_log_set, NULL);
    ctl_register("netdev-dpdk/set-admin-state", "[netdev] up|down", 1, 2, cmd_set_admin_state, NULL);
    ctl_register("netdev-dpdk/detach", "pci address of device", 1, 1, cmd_detach, NULL);
    ctl_register("netdev-dpdk/get-mempool-info", "[netdev]", 0, 1, cmd_mempool_info, NULL);
}
