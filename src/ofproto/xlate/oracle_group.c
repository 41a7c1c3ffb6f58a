/* Groups and meters (OpenFlow 1.5 §5.10, §5.11). */
#include "ofproto/xlate/oracle_private.h"

/* Making. */

static void
random_bucket(struct random *r, struct oracle_bucket *b, const struct oracle_group *g, int id)
{
    bool watches_group = g->type == OG_FF && id < ORACLE_N_GROUPS && !random_below(r, 3);
    struct oracle_kind k = { .may_change = false };

    oracle_random_kind(r, &k);
    b->watch_group = watches_group ? id + 1 + random_below(r, ORACLE_N_GROUPS - id) : 0;
    b->watch_port = g->type == OG_FF && !watches_group ? 1 + random_below(r, ORACLE_N_PORTS + 1) : 0;
    if (g->type == OG_SELECT_FIELDS || g->type == OG_SELECT_DP_HASH) {
        b->weight = random_below(r, 4);
        b->watch_port = random_below(r, 3) ? 0 : 1 + random_below(r, ORACLE_N_PORTS);
    }
    b->n_actions = 1 + random_below(r, ARRAY_SIZE(b->actions));
    oracle_random_actions(r, b->actions, b->n_actions, random_below(r, ORACLE_N_TABLES), k, 2, OP_NOTE);
    for (int i = 0; i < b->n_actions; i++) {
        oracle_make_writable(r, &b->actions[i], k);
        if (b->actions[i].op == OP_GROUP && b->actions[i].value <= (uint64_t) id && random_below(r, 4)) {
            b->actions[i].value = id + 1; /* Loops are possible, but rare. */
        }
    }
}

void
oracle_random_groups(struct random *r, struct oracle_pipeline *p)
{
    for (int id = 1; id <= ORACLE_N_GROUPS; id++) {
        struct oracle_group *g = &p->groups[id - 1];

        g->type = random_below(r, OG_N);
        g->n_buckets = g->type == OG_INDIRECT ? 1 : random_below(r, ORACLE_MAX_BUCKETS + 1);
        for (int i = 0; i < g->n_buckets; i++) {
            random_bucket(r, &g->buckets[i], g, id);
        }
    }
}

void
oracle_groups_uninit(struct oracle_pipeline *p)
{
    for (int id = 1; id <= ORACLE_N_GROUPS; id++) {
        for (int i = 0; i < p->groups[id - 1].n_buckets; i++) {
            oracle_free_actions(p->groups[id - 1].buckets[i].actions, p->groups[id - 1].buckets[i].n_actions);
        }
    }
}

/* Text. */

void
oracle_group_text(const struct oracle_group *g, int id, struct str *s)
{
    static const char *const types[OG_N] = {
        [OG_ALL] = "all", [OG_INDIRECT] = "indirect", [OG_FF] = "ff",
        [OG_SELECT_FIELDS] = "select,selection_method=hash,fields(ip_src,ipv6_src,tcp_dst,eth_dst,udp_src,vlan_vid)",
        [OG_SELECT_DP_HASH] = "select,selection_method=dp_hash",
    };

    if (!g->n_buckets) {
        return;
    }
    str_putf(s, "group_id=%d,type=%s", id, types[g->type]);
    for (int i = 0; i < g->n_buckets; i++) {
        const struct oracle_bucket *b = &g->buckets[i];

        str_puts(s, ",bucket=");
        if (b->watch_port) {
            str_putf(s, "watch_port:%llu,", (unsigned long long) b->watch_port);
        } else if (b->watch_group) {
            str_putf(s, "watch_group:%llu,", (unsigned long long) b->watch_group);
        }
        if (g->type == OG_SELECT_FIELDS || g->type == OG_SELECT_DP_HASH) {
            str_putf(s, "weight:%llu,", (unsigned long long) b->weight);
        }
        str_puts(s, "actions=");
        oracle_put_actions(s, b->actions, b->n_actions);
    }
}

/* Running. */

bool
oracle_port_is_alive(const struct oracle_pipeline *p, uint64_t port)
{
    return oracle_port_exists(p, port) && port != ORACLE_DOWN_PORT;
}

/* Groups watch those with greater numbers alone. */
static bool
bucket_is_alive(const struct oracle_pipeline *p, const struct oracle_group *g, const struct oracle_bucket *b)
{
    bool selects = g->type == OG_SELECT_FIELDS || g->type == OG_SELECT_DP_HASH;

    if (selects && !b->weight) {
        return false;
    }
    if (b->watch_port) {
        return oracle_port_is_alive(p, b->watch_port);
    }
    if (b->watch_group) {
        const struct oracle_group *watched = &p->groups[b->watch_group - 1];

        for (int i = 0; i < watched->n_buckets; i++) {
            if (bucket_is_alive(p, watched, &watched->buckets[i])) {
                return true;
            }
        }
        return false;
    }
    return true;
}

/* On a copy of the packet; what is written is the pipeline's, or nobody's in an action set. */
static void
run_bucket(struct oracle_run *r, const struct oracle_bucket *b)
{
    const struct oracle_action *set[ARRAY_SIZE(b->actions)];
    struct oracle_run copy = *r;

    for (int i = 0; i < b->n_actions; i++) {
        set[i] = &b->actions[i];
    }
    copy.depth++;
    copy.in_part = true;
    copy.detoured = r->in_set && r->detoured; /* Then it is not known any more that it is part of a set. */
    oracle_run_set(&copy, set, b->n_actions);
    /* What is written behind a meter is written before it is known what that meter drops. */
    r->result->gave_up |= copy.dropped;
    r->n_tables = copy.n_tables;
    memcpy(r->set, copy.set, sizeof r->set);
    r->n_set = copy.n_set;
}

int
oracle_choose(struct oracle_run *r, int n)
{
    struct oracle_choices *c = r->choices;
    int i;

    if (n < 2) {
        return n - 1;
    }
    if (c->n >= ORACLE_MAX_CHOICES) {
        r->result->gave_up = true;
        return -1;
    }
    i = c->chosen[c->n];
    c->from[c->n++] = n;
    return i;
}

bool
oracle_next_choices(struct oracle_choices *c)
{
    for (int i = c->n - 1; i >= 0; i--) {
        if (++c->chosen[i] < c->from[i]) {
            for (int k = i + 1; k < ORACLE_MAX_CHOICES; k++) {
                c->chosen[k] = 0;
            }
            return true;
        }
    }
    return false;
}

void
oracle_run_group(struct oracle_run *r, uint64_t id)
{
    const struct oracle_group *g = &r->pipeline->groups[id - 1];
    const struct oracle_bucket *alive[ORACLE_MAX_BUCKETS];
    int n = 0, chosen;

    if (id > ORACLE_N_GROUPS) {
        return;
    }
    if (r->depth > 40 || ++r->n_tables > 400) {
        r->result->gave_up = true;
        return;
    }
    for (int i = 0; i < g->n_buckets; i++) {
        if (g->type == OG_ALL || g->type == OG_INDIRECT) {
            run_bucket(r, &g->buckets[i]);
        } else if (bucket_is_alive(r->pipeline, g, &g->buckets[i])) {
            alive[n++] = &g->buckets[i];
        }
    }
    r->detoured |= g->type == OG_SELECT_DP_HASH; /* The datapath is asked for its hash. */
    chosen = oracle_choose(r, g->type == OG_FF ? MIN(n, 1) : n);
    if (chosen >= 0) {
        run_bucket(r, alive[chosen]);
    }
}

bool
oracle_meter_drops(uint64_t meter, uint64_t in_port)
{
    return meter == 2 && in_port % 2;
}
