#include "ofproto/megaflow.h"

#include <stdlib.h>

#include "ofproto/bond.h"
#include "ofproto/drops.h"
#include "ofproto/mac_table.h"
#include "ofproto/mirror.h"
#include "ofproto/xgroup.h"

static void
drop_credits(struct megaflow *m)
{
    for (size_t i = 0; i < m->n_credits; i++) {
        const struct xlate_credit *c = &m->credits[i];

        if (c->kind == CREDIT_RULE) {
            rule_unref(c->rule);
        } else if (c->kind == CREDIT_FIN_TIMEOUT) {
            rule_unref(c->fin.rule);
        } else if (c->kind == CREDIT_LEARN) {
            xlate_learned_unref(c->learned);
        } else if (c->kind == CREDIT_GROUP) {
            group_unref(c->group.group);
        } else if (c->kind == CREDIT_MIRROR) {
            mirror_count_unref(c->mirror);
        } else if (c->kind == CREDIT_BOND) {
            bond_load_unref(c->bond.load);
        } else if (c->kind == CREDIT_DROP) {
            rule_unref(c->drop.rule);
        }
    }
    free(m->credits);
    m->credits = NULL;
    m->n_credits = 0;
}

static void
take_frozen(struct megaflow *m, const struct xlate_out *out)
{
    m->frozen = out->n_frozen ? xcalloc(out->n_frozen, sizeof *m->frozen) : NULL;
    m->n_frozen = out->n_frozen;
    for (size_t i = 0; i < out->n_frozen; i++) {
        m->frozen[i] = recirc_ref(out->frozen[i]);
    }
}

static void
drop_frozen(struct megaflow *m)
{
    for (size_t i = 0; i < m->n_frozen; i++) {
        recirc_unref(m->frozen[i]);
    }
    free(m->frozen);
}

/* Keeps what the credit names; false if that is dying already. */
static bool
take(const struct xlate_credit *c)
{
    switch (c->kind) {
    case CREDIT_RULE:
        return rule_try_ref_rcu(c->rule);
    case CREDIT_FIN_TIMEOUT:
        return rule_try_ref_rcu(c->fin.rule);
    case CREDIT_GROUP:
        return group_try_ref_rcu(c->group.group);
    case CREDIT_MIRROR:
        return mirror_count_try_ref_rcu(c->mirror);
    case CREDIT_BOND:
        return bond_load_try_ref_rcu(c->bond.load);
    case CREDIT_DROP:
        return !c->drop.rule || rule_try_ref_rcu(c->drop.rule);
    case CREDIT_LEARN:
        xlate_learned_ref(c->learned);
        return true;
    case CREDIT_TABLE_MISS: case CREDIT_PORT_RX: case CREDIT_PORT_TX: case CREDIT_MAC:
        return true;
    }
    return true;
}

/* Copies the credits; what is dying already is left out. */
static void
take_credits(struct megaflow *m, const struct xlate_out *out)
{
    m->credits = xcalloc(out->n_credits, sizeof *m->credits);
    m->n_credits = 0;
    for (size_t i = 0; i < out->n_credits; i++) {
        if (take(&out->credits[i])) {
            m->credits[m->n_credits++] = out->credits[i];
        }
    }
}

struct megaflow *
megaflow_create(struct backer *b, const struct xlate_out *out, uint64_t seq)
{
    struct megaflow *m = xzalloc(sizeof *m);

    m->backer = b;
    dependent_init(&m->dependent);
    pthread_mutex_init(&m->mutex, NULL);
    m->seq = seq;
    m->created = clock_now_ms();
    take_credits(m, out);
    take_frozen(m, out);
    return m;
}

void
megaflow_installed(struct megaflow *m, struct dp_flow *flow, const struct xlate_out *out,
                   const struct dp_flow_stats *before)
{
    pthread_mutex_lock(&m->mutex);
    m->pushed = *before;
    atomic_store(&m->flow, flow);
    depend_attach(m->backer->depend, &m->dependent, out, m->seq);
    pthread_mutex_unlock(&m->mutex);
}

void
megaflow_mark(struct dependent *d, bool is_hard)
{
    struct megaflow *m = megaflow_from_dependent(d);

    m->backer->xdp.dp->class->flow_set_stale(atomic_load(&m->flow), is_hard);
}

void
megaflow_update(struct megaflow *m, const struct xlate_out *out, uint64_t seq)
{
    drop_credits(m);
    take_credits(m, out);
    drop_frozen(m); /* 'out' has references of its own. */
    take_frozen(m, out);
    m->seq = seq;
    depend_attach(m->backer->depend, &m->dependent, out, seq);
}

/* The rule's flow has closed (ovs-actions(7), fin_timeout): reduced timeouts hold from now on. */
static void
reduce_timeouts(struct rule *rule, uint16_t idle, uint16_t hard)
{
    uint16_t now;

    now = atomic_load(&rule->idle_timeout);
    if (idle && (!now || idle < now)) {
        atomic_store(&rule->idle_timeout, idle);
    }
    now = atomic_load(&rule->hard_timeout);
    if (hard && (!now || hard < now)) {
        atomic_store(&rule->hard_timeout, hard);
    }
}

/* The address may have been forgotten or have moved since the translation: packets show that it is here. */
static void
refresh_mac(const struct xlate_credit *c)
{
    struct xbridge *bridge = c->mac.bridge;
    const struct xport *port = xbridge_port_rcu(bridge, c->mac.port);
    const struct xbundle *bundle = port ? rcu_get(&port->bundle) : NULL;

    if (bundle) {
        mac_table_learn(bridge->mac_table, c->mac.mac, c->mac.vlan, bundle->key, c->mac.port, false,
                        bundle->bond != NULL);
    }
}

void
xlate_credit_stats(const struct xlate_credit *credits, size_t n, const struct dp_flow_stats *delta)
{
    for (size_t i = 0; i < n; i++) {
        const struct xlate_credit *c = &credits[i];

        switch (c->kind) {
        case CREDIT_RULE:
            rule_credit(c->rule, delta->n_packets, delta->n_bytes, delta->used);
            atomic_fetch_add_explicit(&c->rule_bridge->table_matches[c->rule->table_id], delta->n_packets,
                                      memory_order_relaxed);
            atomic_fetch_add_explicit(&c->rule_bridge->table_lookups[c->rule->table_id], delta->n_packets,
                                      memory_order_relaxed);
            break;
        case CREDIT_TABLE_MISS:
            atomic_fetch_add(&c->table.bridge->table_lookups[c->table.id], delta->n_packets);
            break;
        case CREDIT_PORT_RX:
            atomic_fetch_add(&c->port->n_rx_packets, delta->n_packets);
            atomic_fetch_add(&c->port->n_rx_bytes, delta->n_bytes);
            break;
        case CREDIT_PORT_TX:
            atomic_fetch_add(&c->port->n_tx_packets, delta->n_packets);
            atomic_fetch_add(&c->port->n_tx_bytes, delta->n_bytes);
            break;
        case CREDIT_MAC:
            refresh_mac(c);
            break;
        case CREDIT_LEARN:
            ofproto_learn(c->learned->bridge->ofproto, c->learned->fm, c->learned->limit);
            break;
        case CREDIT_GROUP:
            group_credit(c->group.group, c->group.bucket, delta->n_packets, delta->n_bytes);
            break;
        case CREDIT_BOND:
            atomic_fetch_add(&c->bond.load->bytes[c->bond.bucket], delta->n_bytes);
            break;
        case CREDIT_MIRROR:
            atomic_fetch_add(&c->mirror->n_packets, delta->n_packets);
            atomic_fetch_add(&c->mirror->n_bytes, delta->n_bytes);
            break;
        case CREDIT_DROP:
            drops_credit(&c->drop, delta);
            break;
        case CREDIT_FIN_TIMEOUT:
            if (delta->tcp_flags & 5) { /* FIN or RST. */
                reduce_timeouts(c->fin.rule, c->fin.idle, c->fin.hard);
            }
            break;
        }
    }
}

void
megaflow_push(struct megaflow *m, const struct dp_flow_stats *stats)
{
    struct dp_flow_stats delta = *stats;

    delta.n_packets -= m->pushed.n_packets;
    delta.n_bytes -= m->pushed.n_bytes;
    m->pushed = *stats;
    if (delta.n_packets) {
        xlate_credit_stats(m->credits, m->n_credits, &delta);
    }
}

void
megaflow_finish(struct megaflow *m, const struct dp_flow_stats *final)
{
    if (m) {
        if (final) {
            megaflow_push(m, final);
        }
        depend_detach(m->backer->depend, &m->dependent);
        drop_credits(m);
        drop_frozen(m);
        pthread_mutex_destroy(&m->mutex);
        free(m);
    }
}
