#include "ofproto/meter.h"

#include <stdlib.h>

#include "base/hash.h"
#include "ofproto/change_request.h"
#include "ofproto/listing.h"
#include "ofproto/ofconn.h"
#include "openflow/msg/flow.h"

/* What the userspace datapath is made for. */
enum { MAX_METERS = 262144, MAX_BANDS = 8 };

void
meters_init(struct ofproto *p)
{
    hmap_init(&p->meters);
    roll_init(&p->meters_roll);
}

/* What the datapath is told. */
static struct dp_meter_config
dp_config(const struct meter_mod *mm)
{
    struct dp_meter_config c = { .is_kbps = mm->flags & METER_KBPS, .n_bands = mm->n_bands };

    for (size_t i = 0; i < mm->n_bands; i++) {
        c.bands[i].rate = mm->bands[i].rate;
        c.bands[i].burst = mm->flags & METER_BURST ? mm->bands[i].burst_size : 0;
    }
    return c;
}

/* A meter of the datapath that no bridge has any more.  Until no megaflow names its number either, it stays, and so its
 * number is no other's. */
struct held_meter {
    struct unpublished unpublished;
    struct datapath *dp;
    uint32_t dp_id;
};

static void
on_settled(struct unpublished *u)
{
    struct held_meter *h = CONTAINER_OF(u, struct held_meter, unpublished);

    h->dp->class->meter_del(h->dp, h->dp_id);
    free(h);
}

static void
release_number(struct backer *b, uint32_t dp_id)
{
    struct held_meter *h = xzalloc(sizeof *h);

    h->unpublished.done = on_settled;
    h->dp = b->xdp.dp;
    h->dp_id = dp_id;
    backer_when_settled(b, &h->unpublished);
}

/* By any thread. */
static void
meter_unref(void *meter)
{
    struct meter *m = meter;

    if (atomic_fetch_sub(&m->n_refs, 1) == 1) {
        meter_mod_uninit(&m->config);
        free(m->last);
        free(m);
    }
}

/* For those who still tell of it: what it has counted, if the datapath can say. */
static void
keep_counted(const struct ofproto *p, struct meter *m)
{
    const struct datapath *dp = p->backer->xdp.dp;
    struct dp_meter_stats counted;

    if (!dp->class->meter_get(dp, m->x->dp_id, &counted)) {
        m->last = xmemdup(&counted, sizeof counted);
    }
}

/* While the datapath still has it. */
static void
forget_meter(struct ofproto *p, struct meter *m)
{
    roll_remove(&p->meters_roll, &m->in_roll); /* Replies may take note of it now. */
    if (atomic_load(&m->n_refs) > 1) {
        keep_counted(p, m);
    }
    rcu_map_remove(&p->xb.meters, m->x, hash_u32(m->x->id, 0));
    rcu_defer(free, m->x);
    m->x = NULL;
    hmap_remove(&p->meters, &m->node);
    meter_unref(m);
}

static void
remove_meter(struct ofproto *p, struct meter *m)
{
    uint32_t dp_id = m->x->dp_id;

    backer_meter_changed(p->backer, &p->xb, m->x->id);
    forget_meter(p, m);
    release_number(p->backer, dp_id);
}

bool
meters_destroy_step(struct ofproto *p, struct loop_slice *slice)
{
    struct datapath *dp = p->backer->xdp.dp;
    uint32_t dp_id;

    HMAP_FOR_EACH_SAFE (m, struct meter, node, &p->meters) {
        if (loop_slice_is_over(slice)) {
            return false;
        }
        dp_id = m->x->dp_id;
        forget_meter(p, m);
        dp->class->meter_del(dp, dp_id);
    }
    hmap_uninit(&p->meters);
    return true;
}

struct meter *
meter_find(const struct ofproto *p, uint32_t meter_id)
{
    HMAP_FOR_EACH_WITH_HASH (m, struct meter, node, hash_u32(meter_id, 0), &p->meters) {
        if (m->config.meter_id == meter_id) {
            return m;
        }
    }
    return NULL;
}

/* Whether it may be configured: a number, or one of the two virtual meters that exist here. */
static bool
is_valid_id(uint32_t id)
{
    return id && (id <= METER_MAX || id == METER_SLOWPATH || id == METER_CONTROLLER);
}

static enum ofperr
check_bands(const struct meter_mod *mm)
{
    if (!(mm->flags & (METER_KBPS | METER_PKTPS))) {
        return OFPERR_OFPMMFC_BAD_FLAGS; /* Rates of what? */
    }
    if (!mm->n_bands || mm->n_bands > MAX_BANDS) {
        return OFPERR_OFPMMFC_OUT_OF_BANDS;
    }
    for (size_t i = 0; i < mm->n_bands; i++) {
        if (mm->bands[i].type != METER_BAND_DROP) {
            return OFPERR_OFPMMFC_BAD_BAND;
        }
    }
    return OFPERR_NONE;
}

/* Takes over the bands. */
static enum ofperr
add_meter(struct ofproto *p, struct meter_mod *mm)
{
    struct datapath *dp = p->backer->xdp.dp;
    struct dp_meter_config config;
    uint32_t dp_id = UINT32_MAX;
    enum ofperr error;
    struct meter *m;

    if (meter_find(p, mm->meter_id)) {
        return OFPERR_OFPMMFC_METER_EXISTS;
    }
    if (hmap_count(&p->meters) >= MAX_METERS) {
        return OFPERR_OFPMMFC_OUT_OF_METERS;
    }
    error = check_bands(mm);
    if (error) {
        return error;
    }
    config = dp_config(mm);
    if (dp->class->meter_set(dp, &dp_id, &config)) {
        return OFPERR_OFPMMFC_OUT_OF_METERS;
    }
    m = xzalloc(sizeof *m);
    m->x = xzalloc(sizeof *m->x);
    *m->x = (struct xmeter) { mm->meter_id, dp_id };
    rcu_map_insert(&p->xb.meters, m->x, hash_u32(mm->meter_id, 0));
    backer_meter_changed(p->backer, &p->xb, mm->meter_id);
    m->config = *mm;
    m->created = clock_now_ms();
    m->n_refs = 1;
    mm->bands = NULL;
    mm->n_bands = 0;
    hmap_insert(&p->meters, &m->node, hash_u32(m->config.meter_id, 0));
    roll_add(&p->meters_roll, &m->in_roll);
    return OFPERR_NONE;
}

static enum ofperr
modify_meter(struct ofproto *p, struct meter_mod *mm)
{
    struct meter *m = meter_find(p, mm->meter_id);
    struct datapath *dp = p->backer->xdp.dp;
    struct dp_meter_config config;
    enum ofperr error;

    if (!m) {
        return OFPERR_OFPMMFC_UNKNOWN_METER;
    }
    error = check_bands(mm);
    if (!error) {
        config = dp_config(mm);
        error = dp->class->meter_set(dp, &m->x->dp_id, &config) ? OFPERR_OFPMMFC_OUT_OF_METERS : OFPERR_NONE;
    }
    if (!error) {
        free(m->config.bands);
        m->config = *mm;
        mm->bands = NULL;
        mm->n_bands = 0;
    }
    return error;
}

bool
meters_delete_step(struct ofproto *p, struct loop_slice *slice)
{
    HMAP_FOR_EACH_SAFE (m, struct meter, node, &p->meters) {
        if (loop_slice_is_over(slice)) {
            return false;
        }
        remove_meter(p, m);
    }
    return true;
}

/* A deletion: first of the flows that use the meters, which takes as long as there are such, then of the meters.
 * Between the steps nobody else changes meters. */
struct delete_request {
    struct change_request r;
    bool all;
    struct meter *next;       /* Whose flows are to be dropped; null: none is left. */
    uint32_t only;            /* Unless 'all' is set: its number. */
    struct users_run users;   /* Of the one at hand. */
};

static struct meter *
behind(const struct delete_request *d, const struct meter *m)
{
    return d->all ? HMAP_ENTRY(hmap_next(&d->r.p->meters, &m->node), struct meter, node) : NULL;
}

static bool
stage_delete(struct change_request *r, struct loop_slice *slice, enum ofperr *error UNUSED)
{
    struct delete_request *d = CONTAINER_OF(r, struct delete_request, r);

    for (; d->next && !loop_slice_is_over(slice); d->next = behind(d, d->next)) {
        d->users.kind = USERS_OF_METER;
        d->users.id = d->next->config.meter_id;
        d->users.why = REMOVED_METER_DELETE;
        if (!change_drop_users_step(&r->change, &d->users, slice)) {
            return false;
        }
        users_run_uninit(&d->users);
    }
    return !d->next;
}

static bool
follow_delete(struct change_request *r, struct loop_slice *slice)
{
    struct delete_request *d = CONTAINER_OF(r, struct delete_request, r);
    struct meter *m;

    if (d->all) {
        return meters_delete_step(r->p, slice);
    }
    m = meter_find(r->p, d->only);
    if (m) {
        remove_meter(r->p, m);
    }
    return true;
}

static void
answer_delete(struct change_request *r UNUSED, enum ofperr error UNUSED)
{
}

static void
destroy_delete(struct change_request *r)
{
    struct delete_request *d = CONTAINER_OF(r, struct delete_request, r);

    users_run_uninit(&d->users);
    free(d);
}

static const struct change_request_ops delete_ops = { stage_delete, follow_delete, answer_delete, destroy_delete };

static void
delete_meters(struct ofconn *c, uint32_t id)
{
    const struct ofproto *p = c->ofproto;
    struct delete_request *d = xzalloc(sizeof *d);

    d->all = id == METER_ALL;
    d->only = id;
    d->next = d->all ? HMAP_ENTRY(hmap_first(&p->meters), struct meter, node) : meter_find(p, id);
    change_request_begin(&d->r, &delete_ops, c);
    if (change_request_run(&d->r)) {
        change_request_destroy(&d->r);
    }
}

static enum ofperr
change_meter(struct ofconn *c, struct meter_mod *mm)
{
    struct ofproto *p = c->ofproto;

    if (mm->command == METER_DELETE) {
        if (mm->meter_id != METER_ALL && !is_valid_id(mm->meter_id)) {
            return OFPERR_OFPMMFC_INVALID_METER;
        }
        delete_meters(c, mm->meter_id);
        return OFPERR_NONE;
    }
    if (!is_valid_id(mm->meter_id)) {
        return OFPERR_OFPMMFC_INVALID_METER;
    }
    return mm->command == METER_ADD ? add_meter(p, mm) : modify_meter(p, mm);
}

enum ofperr
handle_meter_mod(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    struct meter_mod mm;
    enum ofperr error = meter_mod_decode(m, &mm);

    if (!error) {
        meter_mod_state_bursts(&mm);
        error = change_meter(c, &mm);
        meter_mod_uninit(&mm);
    }
    return error;
}

/* Requests about meters tell of those that were there when the request came. */

/* What it has counted so far, or until it went; false: nobody can say. */
static bool
get_counted(const struct ofproto *p, const struct meter *m, struct dp_meter_stats *counted)
{
    const struct datapath *dp = p->backer->xdp.dp;

    if (m->last) {
        *counted = *m->last;
    }
    return m->last || (m->x && !dp->class->meter_get(dp, m->x->dp_id, counted));
}

static bool
put_meter_stats(struct ofconn *c, struct bytes *out, enum of_version v UNUSED, const struct listed *one)
{
    const struct meter *m = one->thing;
    int64_t age = clock_now_ms() - m->created;
    struct dp_meter_stats counted;
    struct meter_stats s;

    s = (struct meter_stats) {
        .meter_id = one->id, .n_flows = users_count(c->ofproto, USERS_OF_METER, one->id), .duration_sec = age / 1000,
        .duration_nsec = age % 1000 * 1000000, .n_bands = m->config.n_bands,
        .bands = xcalloc(MAX(m->config.n_bands, 1), sizeof *s.bands),
    };
    if (get_counted(c->ofproto, m, &counted)) {
        s.n_packets = counted.n_packets;
        s.n_bytes = counted.n_bytes;
        for (size_t i = 0; i < MIN(s.n_bands, counted.n_bands); i++) {
            s.bands[i] = (struct meter_band_stats) { counted.bands[i].n_packets, counted.bands[i].n_bytes };
        }
    }
    meter_stats_put(out, &s);
    meter_stats_uninit(&s);
    return true;
}

static bool
put_meter_config(struct ofconn *c UNUSED, struct bytes *out, enum of_version v UNUSED, const struct listed *one)
{
    meter_config_put(out, &((const struct meter *) one->thing)->config);
    return true;
}

static void
note(struct listing *meters, struct meter *m)
{
    atomic_fetch_add(&m->n_refs, 1);
    listing_add(meters, m->config.meter_id, m);
}

static void
note_of_roll(struct listing *meters, struct roll_entry *e)
{
    note(meters, CONTAINER_OF(e, struct meter, in_roll));
}

static enum ofperr
reply_meters(struct ofconn *c, const struct msg *m, const struct listing_ops *ops)
{
    struct listing one = LISTING_INIT;
    struct meter *meter;
    enum ofperr error;
    uint32_t id;

    error = meter_request_decode(m, &id);
    if (error) {
        return error;
    }
    if (id == METER_ALL) {
        listing_reply_all(c, m, ops, &c->ofproto->meters_roll, hmap_count(&c->ofproto->meters));
        return OFPERR_NONE;
    }
    meter = meter_find(c->ofproto, id);
    if (!meter) {
        return OFPERR_OFPMMFC_UNKNOWN_METER;
    }
    note(&one, meter);
    listing_reply(c, m, ops, &one);
    return OFPERR_NONE;
}

enum ofperr
handle_meter_stats(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    static const struct listing_ops ops = { MSG_METER_REPLY, 0, put_meter_stats, meter_unref, note_of_roll };

    return reply_meters(c, m, &ops);
}

enum ofperr
handle_meter_config(struct ofconn *c, const struct msg *m, struct bytes *out UNUSED)
{
    static const struct listing_ops ops = { MSG_METER_CONFIG_REPLY, 0, put_meter_config, meter_unref, note_of_roll };

    return reply_meters(c, m, &ops);
}

enum ofperr
handle_meter_features(struct ofconn *c UNUSED, const struct msg *m, struct bytes *out)
{
    struct meter_features f = {
        .max_meters = MAX_METERS, .band_types = 1 << METER_BAND_DROP, .capabilities = METER_FLAGS_ALL,
        .max_bands = MAX_BANDS,
    };

    meter_features_encode(out, m, &f);
    return OFPERR_NONE;
}
