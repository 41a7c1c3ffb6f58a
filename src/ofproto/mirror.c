#include "ofproto/mirror.h"

#include <stdlib.h>

#include "flow/match_text.h"
#include "ofproto/depend.h"
#include "ofproto/ofproto_private.h"
#include "sys/log.h"

LOG_MODULE(ofproto_dpif_mirror)

/* A configured mirror. */
struct mirror {
    struct uuid key;
    char *name;
    struct mirror_count *count; /* Referenced. */
    bool select_all;
    const void **srcs, **dsts;  /* Keys of bundles. */
    size_t n_srcs, n_dsts;
    uint64_t *vlans;
    const void *output;
    uint16_t output_vlan, snaplen;
    char *filter;               /* Null: none. */
    struct match *match;        /* What it says. */
};

struct mirrors {
    struct mirror *all[MIRRORS_MAX]; /* By number; null: free. */
    size_t n;                        /* Not null. */
};

bool
mirror_count_try_ref_rcu(struct mirror_count *c)
{
    uint32_t n = atomic_load(&c->n_refs);

    while (n) {
        if (atomic_compare_exchange_weak(&c->n_refs, &n, n + 1)) {
            return true;
        }
    }
    return false;
}

void
mirror_count_unref(struct mirror_count *c)
{
    if (atomic_fetch_sub(&c->n_refs, 1) == 1) {
        rcu_defer(free, c);
    }
}

/* Filters. */

/* "FIELD=VALUE" or a word like "tcp". */
static struct error *
parse_term(struct match *m, char *term, const struct port_names *ports)
{
    char *value = strchr(term, '=');
    const struct field *f;
    union field_value mask;

    if (!value) {
        return match_parse_shorthand(m, term) ? NULL : error_new("%s: unknown keyword", term);
    }
    *value++ = '\0';
    f = field_by_name(term);
    if (!f) {
        return error_new("%s: unknown field", term);
    } else if (f->id == FIELD_IN_PORT || f->id == FIELD_IN_PORT_OXM) {
        return error_new("%s is not allowed in the filter of a mirror", term);
    }
    return match_parse_field(m, f, value, ports, &mask);
}

struct error *
ofproto_mirror_check_filter(const char *text, struct match *m)
{
    char *copy = xstrdup(text), *save = NULL;
    struct error *e = NULL;

    match_init_catchall(m);
    for (char *t = strtok_r(copy, ", \t\r\n", &save); t && !e; t = strtok_r(NULL, ", \t\r\n", &save)) {
        e = parse_term(m, t, NULL);
    }
    free(copy);
    return e;
}

/* The configuration. */

static const void **
copy_keys(const void *const *keys, size_t n)
{
    return n ? xmemdup(keys, n * sizeof *keys) : NULL;
}

static uint64_t *
copy_vlans(const uint64_t *vlans)
{
    return vlans ? xmemdup(vlans, 4096 / 8) : NULL;
}

static void
mirror_free(struct mirror *m)
{
    mirror_count_unref(m->count);
    free(m->name);
    free(m->srcs);
    free(m->dsts);
    free(m->vlans);
    free(m->filter);
    free(m->match);
    free(m);
}

static bool
keys_equal(const void *const *a, size_t n_a, const void *const *b, size_t n_b)
{
    return n_a == n_b && (!n_a || !memcmp(a, b, n_a * sizeof *a));
}

static bool
texts_equal(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool
is_same(const struct mirror *m, const struct ofproto_mirror_config *c)
{
    return uuid_equal(&m->key, &c->key) && !strcmp(m->name, c->name) && m->select_all == c->select_all &&
           keys_equal(m->srcs, m->n_srcs, c->srcs, c->n_srcs) && keys_equal(m->dsts, m->n_dsts, c->dsts, c->n_dsts) &&
           (m->vlans && c->vlans ? !memcmp(m->vlans, c->vlans, 4096 / 8) : !m->vlans == !c->vlans) &&
           m->output == c->output && m->output_vlan == c->output_vlan && m->snaplen == c->snaplen &&
           texts_equal(m->filter, c->filter);
}

static struct mirror *
mirror_make(const struct ofproto_mirror_config *c, const struct mirror *old)
{
    struct mirror *m = xzalloc(sizeof *m);

    m->key = c->key;
    m->name = xstrdup(c->name);
    m->count = old ? old->count : xzalloc(sizeof *m->count);
    atomic_fetch_add(&m->count->n_refs, 1);
    m->select_all = c->select_all;
    m->n_srcs = c->n_srcs;
    m->n_dsts = c->n_dsts;
    m->srcs = copy_keys(c->srcs, c->n_srcs);
    m->dsts = copy_keys(c->dsts, c->n_dsts);
    m->vlans = copy_vlans(c->vlans);
    m->output = c->output;
    m->output_vlan = c->output ? 0 : c->output_vlan;
    m->snaplen = c->snaplen;
    if (c->filter) {
        m->filter = xstrdup(c->filter);
        m->match = xmalloc(sizeof *m->match);
        error_free(ofproto_mirror_check_filter(c->filter, m->match)); /* The caller has looked. */
    }
    return m;
}

/* The snapshot. */

static void
free_snapshot(void *x_)
{
    struct xmirrors *x = x_;

    for (size_t i = 0; i < x->n; i++) {
        free(x->mirrors[i].vlans);
        free(x->mirrors[i].filter);
    }
    free(x->bundles);
    free(x);
}

static struct xmirror_bundle *
get_bundle(struct xmirrors *x, const void *key, size_t *capacity)
{
    for (size_t i = 0; i < x->n_bundles; i++) {
        if (x->bundles[i].key == key) {
            return &x->bundles[i];
        }
    }
    if (x->n_bundles >= *capacity) {
        x->bundles = x2nrealloc(x->bundles, capacity, sizeof *x->bundles);
    }
    x->bundles[x->n_bundles] = (struct xmirror_bundle) { .key = key };
    return &x->bundles[x->n_bundles++];
}

static int
compare_bundles(const void *a_, const void *b_)
{
    uintptr_t a = (uintptr_t) ((const struct xmirror_bundle *) a_)->key;
    uintptr_t b = (uintptr_t) ((const struct xmirror_bundle *) b_)->key;

    return a < b ? -1 : a > b;
}

static void
add_to_snapshot(struct xmirrors *x, size_t number, const struct mirror *m, size_t *capacity)
{
    uint32_t bit = UINT32_C(1) << number;

    x->n = number + 1;
    x->mirrors[number] = (struct xmirror) {
        .count = m->count, .output = m->output, .output_vlan = m->output_vlan,
        .snaplen = m->snaplen == UINT16_MAX ? 0 : m->snaplen, /* No packet is longer. */
        .vlans = copy_vlans(m->vlans), .filter = m->match ? xmemdup(m->match, sizeof *m->match) : NULL,
    };
    x->all |= m->select_all ? bit : 0;
    for (size_t i = 0; i < m->n_srcs; i++) {
        get_bundle(x, m->srcs[i], capacity)->src |= bit;
    }
    for (size_t i = 0; i < m->n_dsts; i++) {
        get_bundle(x, m->dsts[i], capacity)->dst |= bit;
    }
}

static struct xmirrors *
make_snapshot(const struct mirrors *ms)
{
    struct xmirrors *x;
    size_t capacity = 0;

    if (!ms->n) {
        return NULL;
    }
    x = xzalloc(sizeof *x);
    for (size_t i = 0; i < MIRRORS_MAX; i++) {
        if (ms->all[i]) {
            add_to_snapshot(x, i, ms->all[i], &capacity);
        }
    }
    for (size_t i = 0; i < x->n; i++) {
        for (size_t k = 0; k < x->n; k++) {
            if (x->mirrors[k].count && x->mirrors[k].output == x->mirrors[i].output &&
                x->mirrors[k].output_vlan == x->mirrors[i].output_vlan) {
                x->mirrors[i].same_output |= UINT32_C(1) << k;
            }
        }
    }
    if (x->n_bundles) {
        qsort(x->bundles, x->n_bundles, sizeof *x->bundles, compare_bundles);
    }
    return x;
}

/* Changes. */

/* What was looked at with the mirror (null: none) in mind, once the change can be seen. */
static void
concern(struct ofproto *p, const struct mirror *m)
{
    struct depend *d = p->backer->depend;

    if (m && m->select_all) {
        depend_kind_changed(d, &p->xb, CONSULTED_BUNDLE);
    }
    for (size_t i = 0; m && i < m->n_srcs; i++) {
        depend_key_changed(d, &p->xb, CONSULTED_BUNDLE, (uintptr_t) m->srcs[i]);
    }
    for (size_t i = 0; m && i < m->n_dsts; i++) {
        depend_key_changed(d, &p->xb, CONSULTED_BUNDLE, (uintptr_t) m->dsts[i]);
    }
}

static struct mirror *
find(const struct mirrors *ms, const struct uuid *key)
{
    for (size_t i = 0; ms && i < MIRRORS_MAX; i++) {
        if (ms->all[i] && uuid_equal(&ms->all[i]->key, key)) {
            return ms->all[i];
        }
    }
    return NULL;
}

static bool
reserves_same(const struct xmirrors *a, const struct xmirrors *b)
{
    for (size_t i = 0; a && i < a->n; i++) {
        if (a->mirrors[i].output && !xmirrors_reserve(b, a->mirrors[i].output)) {
            return false;
        }
    }
    return true;
}

/* Those that stay keep their numbers; new ones get the lowest free ones, in their order. */
static struct mirrors *
arrange(const struct mirrors *old, const struct ofproto_mirror_config *configs, size_t n)
{
    struct mirrors *fresh = xzalloc(sizeof *fresh);

    for (size_t i = 0; old && i < MIRRORS_MAX; i++) {
        for (size_t k = 0; old->all[i] && k < n; k++) {
            if (uuid_equal(&old->all[i]->key, &configs[k].key)) {
                fresh->all[i] = is_same(old->all[i], &configs[k]) ? old->all[i] : mirror_make(&configs[k], old->all[i]);
                fresh->n++;
            }
        }
    }
    for (size_t k = 0, at = 0; k < n; k++) {
        if (find(old, &configs[k].key)) {
            continue;
        }
        while (at < MIRRORS_MAX && fresh->all[at]) {
            at++;
        }
        if (at >= MIRRORS_MAX) {
            log_warn("maximum of %d port mirrors reached, cannot create %s", MIRRORS_MAX, configs[k].name);
        } else {
            fresh->all[at] = mirror_make(&configs[k], NULL);
            fresh->n++;
        }
    }
    return fresh;
}

/* Publishes 'fresh' in place of what there was, and tells whom the difference concerns. */
static void
replace(struct ofproto *p, struct mirrors *fresh)
{
    struct xmirrors *x = make_snapshot(fresh), *old_x = rcu_get_protected(&p->xb.mirrors);
    struct mirrors *old = p->mirrors;

    rcu_set(&p->xb.mirrors, x);
    p->mirrors = fresh;
    for (size_t i = 0; i < MIRRORS_MAX; i++) {
        if (fresh->all[i] != (old ? old->all[i] : NULL)) {
            concern(p, fresh->all[i]);
            concern(p, old ? old->all[i] : NULL);
        }
    }
    if (!old_x || !reserves_same(old_x, x) || !reserves_same(x, old_x)) {
        backer_changed(p->backer);
    } else {
        revalidator_wake(p->backer->revalidator);
    }
    if (old_x) {
        rcu_defer(free_snapshot, old_x);
    }
}

static void
release(struct mirrors *old, const struct mirrors *fresh)
{
    for (size_t i = 0; old && i < MIRRORS_MAX; i++) {
        if (old->all[i] && old->all[i] != fresh->all[i]) {
            mirror_free(old->all[i]);
        }
    }
    free(old);
}

void
ofproto_set_mirrors(struct ofproto *p, const struct ofproto_mirror_config *configs, size_t n)
{
    struct mirrors *old = p->mirrors, *fresh = arrange(old, configs, n);

    if (old ? !memcmp(fresh->all, old->all, sizeof fresh->all) : !fresh->n) {
        free(fresh);
    } else {
        replace(p, fresh);
        release(old, fresh);
    }
}

bool
ofproto_mirror_get_stats(const struct ofproto *p, const struct uuid *key, uint64_t *n_packets, uint64_t *n_bytes)
{
    const struct mirror *m = find(p->mirrors, key);

    if (m) {
        *n_packets = atomic_load(&m->count->n_packets);
        *n_bytes = atomic_load(&m->count->n_bytes);
    }
    return m != NULL;
}

static bool
has_key(const void *const *keys, size_t n, const void *key)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i] == key) {
            return true;
        }
    }
    return false;
}

bool
mirrors_select(const struct ofproto *p, const void *key)
{
    for (size_t i = 0; p->mirrors && i < MIRRORS_MAX; i++) {
        const struct mirror *m = p->mirrors->all[i];

        if (m && m->output != key && (m->select_all || has_key(m->srcs, m->n_srcs, key) ||
                                      has_key(m->dsts, m->n_dsts, key))) {
            return true;
        }
    }
    return false;
}

void
mirrors_destroy(struct ofproto *p)
{
    ofproto_set_mirrors(p, NULL, 0);
    free(p->mirrors);
    p->mirrors = NULL;
}
