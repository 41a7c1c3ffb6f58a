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

    return text && num_parse_u64(text, 10, &n) ? n : 0;
}

static struct trtcm_config
read_rates(const char *(*get)(const void *row, const char *key), const void *row)
{
    return (struct trtcm_config) {
        .cir = read_number(get(row, "cir")), .cbs = read_number(get(row, "cbs")),
        .eir = read_number(get(row, "eir")), .ebs = read_number(get(row, "ebs")),
    };
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

    w->queues[w->config.n_queues++] = (struct netdev_queue_config) { number, read_rates(get_of_queue, row) };
    if (dscp >= 0) {
        w->dscps[w->n_dscps++] = (struct ofproto_queue_dscp) { number, dscp };
    }
}

static void
wanted_init(struct wanted *w, const struct vs_qos *row)
{
    const struct datum *queues = vs_qos_queues_datum(row);

    *w = (struct wanted) {
        .config = { .type = vs_qos_type(row), .rates = read_rates(get_of_qos, row) },
        .queues = xcalloc(queues->n + 1, sizeof *w->queues), .dscps = xcalloc(queues->n + 1, sizeof *w->dscps),
    };
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
    bool is_unsupported = error == -EOPNOTSUPP && !netdev_qos_types(f->netdev)[0];

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

static void
put_rates(struct str *s, const char *indent, const struct trtcm_config *c)
{
    str_putf(s, "%scir: %llu\n", indent, (unsigned long long) c->cir);
    str_putf(s, "%seir: %llu\n", indent, (unsigned long long) c->eir);
    str_putf(s, "%sebs: %llu\n", indent, (unsigned long long) c->ebs);
    str_putf(s, "%scbs: %llu\n", indent, (unsigned long long) c->cbs);
}

static void
put_queue(struct str *s, const struct netdev *netdev, const struct netdev_queue_config *c)
{
    struct netdev_queue_stats stats;

    str_puts(s, "\n");
    if (c->number) {
        str_putf(s, "Queue %u:\n", c->number);
    } else {
        str_puts(s, "Default:\n");
    }
    put_rates(s, "  ", &c->rates);
    if (!netdev_get_queue_stats(netdev, c->number, &stats)) {
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
    if (!strcmp(c.type, "egress-policer")) {
        str_putf(s, "cir: %llu\ncbs: %llu\n", (unsigned long long) c.rates.cir, (unsigned long long) c.rates.cbs);
        return;
    }
    put_rates(s, "", &c.rates);
    for (size_t i = 0; i < c.n_queues; i++) {
        put_queue(s, netdev, &c.queues[i]);
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
