/* Quality of service: Port.qos and the rows behind it to configuration of the port's devices; the commands that show
 * what became of it.
 *
 * Which ports the rows are for is noted, so that a change of one concerns those alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "ctl/ctl.h"
#include "netdev/qos.h"
#include "sys/log.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(bridge)

/* --- Who uses a row --- */

struct qos_user {
    struct hmap_node node; /* In vswitchd.qos_users, by the hash of 'row'. */
    struct uuid row;       /* Of QoS or Queue. */
    struct port *port;
};

static void
forget_uses(struct port *p)
{
    for (size_t i = 0; i < p->n_qos_uses; i++) {
        hmap_remove(&p->o.sw->qos_users, &p->qos_uses[i].node);
    }
    free(p->qos_uses);
    p->qos_uses = NULL;
    p->n_qos_uses = 0;
}

void
qos_forget(struct port *p)
{
    forget_uses(p);
    free(p->refused_qos);
    p->refused_qos = NULL;
}

static void
note_use(struct port *p, const struct idl_row *row)
{
    struct qos_user *u = &p->qos_uses[p->n_qos_uses++];

    u->row = row->uuid;
    u->port = p;
    hmap_insert(&p->o.sw->qos_users, &u->node, uuid_hash(&u->row));
}

static void
note_uses(struct port *p, const struct vs_qos *qos)
{
    const size_t n = vs_qos_queues_datum(qos)->n;

    p->qos_uses = xcalloc(n + 1, sizeof *p->qos_uses);
    note_use(p, &qos->row);
    for (size_t i = 0; i < n; i++) {
        const struct vs_queue *queue = vs_qos_queues(qos, i);

        if (queue) {
            note_use(p, &queue->row);
        }
    }
}

static void
mark_users(struct vswitchd *sw, unsigned int table)
{
    IDL_FOR_EACH_CHANGE (row, sw->idl, table) {
        HMAP_FOR_EACH_WITH_HASH (u, struct qos_user, node, uuid_hash(&row->uuid), &sw->qos_users) {
            if (uuid_equal(&u->row, &row->uuid)) {
                object_dirty(&u->port->o, &sw->dirty_ports);
            }
        }
    }
}

void
qos_mark_ports(struct vswitchd *sw)
{
    mark_users(sw, VS_QOS);
    mark_users(sw, VS_QUEUE);
}

/* --- From the database --- */

/* What is no number counts as 0, as in the reference. */
static uint64_t
read_number(const char *text)
{
    uint64_t n;

    return text && num_parse_u64(text + (text[0] == '+'), 10, &n) ? n : 0;
}

/* The keys of a type, in the order in which they are shown. */
struct key {
    const char *type, *name;
    size_t at; /* A uint64_t in 'struct netdev_qos_config', or in 'struct netdev_queue_config'. */
};

#define QOS_KEY(TYPE, NAME, FIELD) { TYPE, NAME, offsetof(struct netdev_qos_config, FIELD) }
static const struct key qos_keys[] = {
    QOS_KEY("egress-policer", "cir", rates.cir),
    QOS_KEY("egress-policer", "cbs", rates.cbs),
    QOS_KEY("trtcm-policer", "cir", rates.cir),
    QOS_KEY("trtcm-policer", "eir", rates.eir),
    QOS_KEY("trtcm-policer", "ebs", rates.ebs),
    QOS_KEY("trtcm-policer", "cbs", rates.cbs),
    QOS_KEY("linux-htb", "max-rate", shaping.max_rate),
    QOS_KEY("linux-hfsc", "max-rate", shaping.max_rate),
    QOS_KEY("linux-sfq", "quantum", shaping.quantum),
    QOS_KEY("linux-sfq", "perturb", shaping.perturb),
    QOS_KEY("linux-codel", "limit", shaping.limit),
    QOS_KEY("linux-codel", "interval", shaping.interval),
    QOS_KEY("linux-codel", "target", shaping.target),
    QOS_KEY("linux-fq_codel", "limit", shaping.limit),
    QOS_KEY("linux-fq_codel", "quantum", shaping.quantum),
    QOS_KEY("linux-fq_codel", "flows", shaping.flows),
    QOS_KEY("linux-fq_codel", "interval", shaping.interval),
    QOS_KEY("linux-fq_codel", "target", shaping.target),
    QOS_KEY("linux-netem", "limit", shaping.limit),
    QOS_KEY("linux-netem", "loss", shaping.loss),
    QOS_KEY("linux-netem", "latency", shaping.latency),
    QOS_KEY("linux-netem", "jitter", shaping.jitter),
};
#define QUEUE_KEY(TYPE, NAME, FIELD) { TYPE, NAME, offsetof(struct netdev_queue_config, FIELD) }
static const struct key queue_keys[] = {
    QUEUE_KEY("trtcm-policer", "cir", rates.cir),
    QUEUE_KEY("trtcm-policer", "eir", rates.eir),
    QUEUE_KEY("trtcm-policer", "ebs", rates.ebs),
    QUEUE_KEY("trtcm-policer", "cbs", rates.cbs),
    QUEUE_KEY("linux-htb", "burst", shaping.burst),
    QUEUE_KEY("linux-htb", "priority", shaping.priority),
    QUEUE_KEY("linux-htb", "min-rate", shaping.min_rate),
    QUEUE_KEY("linux-htb", "max-rate", shaping.max_rate),
    QUEUE_KEY("linux-hfsc", "min-rate", shaping.min_rate),
    QUEUE_KEY("linux-hfsc", "max-rate", shaping.max_rate),
};

/* Fills in what 'type' has keys for, of 'into'. */
static void
read_keys(void *into, const struct key *keys, size_t n, const char *type,
          const char *(*get)(const void *row, const char *key), const void *row)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(keys[i].type, type)) {
            *(uint64_t *) ((char *) into + keys[i].at) = read_number(get(row, keys[i].name));
        }
    }
}

static const char *
get_of_qos(const void *row, const char *key)
{
    return vs_qos_other_config(row, key);
}

static const char *
get_of_queue(const void *row, const char *key)
{
    return vs_queue_other_config(row, key);
}

struct wanted {
    struct netdev_qos_config config;
    struct netdev_queue_config *queues;
    struct ofproto_queue_dscp *dscps;
    size_t n_dscps;
};

static void
read_queue(struct wanted *w, uint32_t number, const struct vs_queue *row)
{
    int64_t dscp = vs_queue_dscp(row, -1);

    struct netdev_queue_config *q = &w->queues[w->config.n_queues++];

    q->number = number;
    read_keys(q, queue_keys, ARRAY_SIZE(queue_keys), w->config.type, get_of_queue, row);
    if (dscp >= 0) {
        w->dscps[w->n_dscps++] = (struct ofproto_queue_dscp) { number, dscp };
    }
}

static void
wanted_init(struct wanted *w, const struct vs_qos *row)
{
    const struct datum *queues = vs_qos_queues_datum(row);

    *w = (struct wanted) {
        .config = { .type = vs_qos_type(row) },
        .queues = xcalloc(queues->n + 1, sizeof *w->queues), .dscps = xcalloc(queues->n + 1, sizeof *w->dscps),
    };
    read_keys(&w->config, qos_keys, ARRAY_SIZE(qos_keys), w->config.type, get_of_qos, row);
    for (size_t i = 0; i < queues->n; i++) {
        const struct vs_queue *queue = vs_qos_queues(row, i);

        if (queue) {
            read_queue(w, datum_keys(queues)[i].integer, queue);
        }
    }
    w->config.queues = w->queues;
}

static void
wanted_uninit(struct wanted *w)
{
    free(w->queues);
    free(w->dscps);
}

/* Said once, not at every change of something else. */
static void
report(struct port *p, const struct iface *f, const char *type, int error)
{
    bool is_unsupported = error == -EOPNOTSUPP && netdev_qos_types(f->netdev) != netdev_policer_types;

    if (is_unsupported && (!p->refused_qos || strcmp(p->refused_qos, type))) {
        log_warn("port %s: QoS type \"%s\" is not supported by interface %s; it is sent to without one", p->o.name,
                 type, f->o.name);
        free(p->refused_qos);
        p->refused_qos = xstrdup(type);
    }
}

static void
apply(struct port *p, const struct wanted *w)
{
    LIST_FOR_EACH (f, struct iface, in_port, &p->ifaces) {
        if (f->netdev && f->ofport != OFPP_NONE) {
            int error = netdev_set_qos(f->netdev, w ? &w->config : NULL);

            ofproto_port_set_dscps(p->bridge->ofproto, f->ofport, w ? w->dscps : NULL, w ? w->n_dscps : 0);
            if (error) {
                report(p, f, w->config.type, error);
            }
        }
    }
}

void
qos_configure(struct port *p, const struct vs_port *row)
{
    const struct vs_qos *qos = vs_port_qos(row);
    struct wanted w;

    forget_uses(p);
    if (qos) {
        note_uses(p, qos);
    }
    if (!qos || !vs_qos_type(qos) || !vs_qos_type(qos)[0]) {
        apply(p, NULL);
        free(p->refused_qos);
        p->refused_qos = NULL;
    } else {
        wanted_init(&w, qos);
        apply(p, &w);
        wanted_uninit(&w);
    }
}

/* --- Commands --- */

static const struct iface *
find(const struct vswitchd *sw, const char *name)
{
    const struct iface *f = strmap_get(&sw->ifaces_by_name, name);

    return f && f->netdev ? f : NULL;
}

/* What stands for nothing is left out: no priority, no jitter, a queue that may not have more than it is sure of. */
static bool
is_worth_a_line(const struct key *key, uint64_t value, const struct netdev_queue_config *queue)
{
    if (!strcmp(key->name, "priority") || !strcmp(key->name, "jitter")) {
        return value;
    }
    return !queue || strcmp(key->name, "max-rate") || value != queue->shaping.min_rate;
}

static void
put_keys(struct str *s, const char *indent, const char *type, const struct key *keys, size_t n, const void *from)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t value = *(const uint64_t *) ((const char *) from + keys[i].at);

        if (!strcmp(keys[i].type, type) && is_worth_a_line(&keys[i], value, keys == queue_keys ? from : NULL)) {
            str_putf(s, "%s%s: %llu\n", indent, keys[i].name, (unsigned long long) value);
        }
    }
}

static void
put_queue(struct str *s, const struct netdev *netdev, const char *type, const struct netdev_queue_config *c)
{
    struct netdev_queue_stats stats;
    int error;

    str_puts(s, "\n");
    if (c->number) {
        str_putf(s, "Queue %u:\n", c->number);
    } else {
        str_puts(s, "Default:\n");
    }
    put_keys(s, "  ", type, queue_keys, ARRAY_SIZE(queue_keys), c);
    error = netdev_get_queue_stats(netdev, c->number, &stats);
    if (error) {
        str_putf(s, "  Failed to get statistics for queue %u: %s", c->number, strerror(-error));
    } else {
        str_putf(s, "  tx_packets: %llu\n", (unsigned long long) stats.tx_packets);
        str_putf(s, "  tx_bytes: %llu\n", (unsigned long long) stats.tx_bytes);
        str_putf(s, "  tx_errors: %llu\n", (unsigned long long) stats.tx_errors);
    }
}

static void
put_qos(struct str *s, const struct netdev *netdev, const char *name)
{
    struct netdev_qos_config c;

    if (!netdev_get_qos(netdev, &c)) {
        str_putf(s, "QoS not configured on %s\n", name);
        return;
    }
    str_putf(s, "QoS: %s %s\n", name, c.type);
    put_keys(s, "", c.type, qos_keys, ARRAY_SIZE(qos_keys), &c);
    if (!strcmp(c.type, "egress-policer")) {
        return;
    }
    for (size_t i = 0; i < c.n_queues; i++) {
        put_queue(s, netdev, c.type, &c.queues[i]);
    }
}

static void
put_types(struct str *s, const struct netdev *netdev, const char *name)
{
    const char *const *types = netdev_qos_types(netdev);

    if (!types[0]) {
        str_putf(s, "No QoS types supported for interface: %s\n", name);
    }
    for (size_t i = 0; types[i]; i++) {
        str_putf(s, "QoS type: %s\n", types[i]);
    }
}

/* qos/show, qos/show-types. */
static void
cmd_qos(struct ctl_request *r, int argc UNUSED, const char *argv[], void *sw)
{
    const struct iface *f = find(sw, argv[1]);
    struct str s;

    if (!f) {
        ctl_reply_error(r, "no such interface");
        return;
    }
    str_init(&s);
    if (!strcmp(argv[0], "qos/show")) {
        put_qos(&s, f->netdev, argv[1]);
    } else {
        put_types(&s, f->netdev, argv[1]);
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

void
qos_commands_register(struct vswitchd *sw)
{
    ctl_register("qos/show", "interface", 1, 1, cmd_qos, sw);
    ctl_register("qos/show-types", "interface", 1, 1, cmd_qos, sw);
}
