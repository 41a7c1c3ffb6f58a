/* Connection tracking as ovs-dpctl changes it: flushes, limits, fragments. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "conntrack/info.h"
#include "conntrack/ipf.h"
#include "conntrack/zone.h"
#include "ofproto/ct_flush.h"
#include "ofproto/dpctl.h"
#include "openflow/action/key_value.h"
#include "openflow/msg/ct_flush.h"

/* Takes the name of a datapath off the front, if the first argument is one. */
static void
take_dp(struct dpctl *d)
{
    struct dpctl_dp found;

    if (d->argc && dpctl_dp_by_name(d->argv[0], &found)) {
        d->dp = found.dp;
        d->type = found.type;
        d->argc--;
        d->argv++;
    }
}

/* The tracker of that datapath, or of the only one. */
static struct conntrack *
find_ct(struct dpctl *d)
{
    struct dpctl without = *d;
    struct conntrack *ct;

    if (d->dp) {
        return d->dp->class->conntrack ? d->dp->class->conntrack(d->dp) : NULL;
    }
    without.argc = 0;
    ct = dpctl_find_ct(&without, 0);
    d->out = without.out;
    d->failed = without.failed;
    return ct;
}

struct flush {
    struct dpctl *d;
    bool must_find, is_started, is_done;
};

/* Either at once, and then the command ends as others do, or later. */
static void
flush_done(void *f_, size_t n_removed)
{
    struct flush *f = f_;

    f->is_done = true;
    if (f->must_find && !n_removed) {
        dpctl_fail(f->d, -ENOENT, "failed to flush conntrack");
    }
    if (f->is_started) {
        dpctl_end(f->d);
        free(f);
    }
}

static void
flush(struct dpctl *d, struct conntrack *ct, const struct ct_flush *what)
{
    struct flush *f = xzalloc(sizeof *f);

    *f = (struct flush) { d, ct_flush_is_full(what), false, false };
    ct_flush_start(ct, what, flush_done, f);
    if (f->is_done) {
        free(f);
    } else {
        f->is_started = d->goes_on = true;
    }
}

void
dpctl_run_flush_conntrack(struct dpctl *d)
{
    struct conntrack *ct;
    struct error *error;
    struct ct_flush f;
    enum ct_flush_part where;

    take_dp(d);
    error = ct_flush_parse(d->argc, d->argv, &f, &where);
    if (error) {
        dpctl_fail(d, -EINVAL, "%s", error_text(error));
        error_free(error);
        return;
    }
    ct = find_ct(d);
    if (ct) {
        flush(d, ct, &f);
    }
}

/* One number, for a setter; 'what' is the error's word. */
static struct conntrack *
take_number(struct dpctl *d, const char *problem, uint32_t *v)
{
    struct conntrack *ct = dpctl_find_ct(d, 1);

    if (ct && !num_parse_u32(d->argv[0], 10, v)) {
        dpctl_fail(d, -EINVAL, "%s", problem);
        ct = NULL;
    }
    return ct;
}

void
dpctl_run_ct_set_maxconns(struct dpctl *d)
{
    uint32_t n;
    struct conntrack *ct = take_number(d, "maxconns missing or malformed", &n);

    if (ct) {
        conntrack_set_max_conns(ct, n);
        str_puts(&d->out, "setting maxconns successful");
    }
}

void
dpctl_run_ct_get_maxconns(struct dpctl *d)
{
    struct conntrack *ct = dpctl_find_ct(d, 0);

    if (ct) {
        str_putf(&d->out, "%u\n", conntrack_max_conns(ct));
    }
}

void
dpctl_run_ct_get_nconns(struct dpctl *d)
{
    struct conntrack *ct = dpctl_find_ct(d, 0);

    if (ct) {
        str_putf(&d->out, "%u\n", conntrack_n_conns(ct));
    }
}

static void
set_tcp_seq_chk(struct dpctl *d, bool on)
{
    struct conntrack *ct = dpctl_find_ct(d, 0);

    if (ct) {
        conntrack_set_tcp_seq_chk(ct, on);
        str_putf(&d->out, "%s TCP sequence checking successful", on ? "enabling" : "disabling");
    }
}

void
dpctl_run_ct_enable_tcp_seq_chk(struct dpctl *d)
{
    set_tcp_seq_chk(d, true);
}

void
dpctl_run_ct_disable_tcp_seq_chk(struct dpctl *d)
{
    set_tcp_seq_chk(d, false);
}

void
dpctl_run_ct_get_tcp_seq_chk(struct dpctl *d)
{
    struct conntrack *ct = dpctl_find_ct(d, 0);

    if (ct) {
        str_putf(&d->out, "TCP sequence checking: %s\n", conntrack_tcp_seq_chk(ct) ? "enabled" : "disabled");
    }
}

void
dpctl_run_ct_get_sweep_interval(struct dpctl *d)
{
    struct conntrack *ct = dpctl_find_ct(d, 0);

    if (ct) {
        str_putf(&d->out, "%u\n", conntrack_sweep_interval(ct));
    }
}

void
dpctl_run_ct_set_sweep_interval(struct dpctl *d)
{
    uint32_t ms;
    struct conntrack *ct = take_number(d, "invalid sweep value", &ms);

    if (ct) {
        conntrack_set_sweep_interval(ct, ms);
        str_puts(&d->out, "setting sweep interval successful");
    }
}

/* Limits. */

/* "zone=N,limit=L" */
static struct error *
parse_limit(const char *text, uint16_t *zone, uint32_t *limit)
{
    char *copy = xstrdup(text), *p = copy, *key, *value;
    bool has_zone = false, has_limit = false;
    struct error *error = NULL;

    while (!error && act_take_key_value(&p, &key, &value)) {
        bool ok = true;

        if (!*value) {
            error = error_new("field %s missing value", key);
        } else if (!strcmp(key, "zone")) {
            ok = has_zone = num_parse_u16(value, 0, zone);
        } else if (!strcmp(key, "limit")) {
            ok = has_limit = num_parse_u32(value, 0, limit);
        } else {
            error = error_new("invalid zone limit field: %s", key);
        }
        if (!ok) {
            error = error_new("failed to parse field %s", key);
        }
    }
    if (!error && !(has_zone && has_limit)) {
        error = error_new("failed to parse zone limit");
    }
    free(copy);
    return error;
}

/* A datapath whose limits the database has is not changed by hand. */
static bool
may_change_limits(struct dpctl *d, const struct conntrack *ct, const char *command)
{
    if (conntrack_limits_are_configured(ct)) {
        dpctl_fail(d, -EPERM, "the zone limits are set via database, use 'ovs-vsctl %s <...>' instead.", command);
        return false;
    }
    return true;
}

static void
set_limit(struct dpctl *d, struct conntrack *ct, const char *text)
{
    struct error *error;
    uint32_t limit = 0;
    uint16_t zone = 0;

    error = parse_limit(text, &zone, &limit);
    if (error) {
        dpctl_fail(d, -EINVAL, "%s", error_text(error));
        error_free(error);
    } else {
        conntrack_set_zone_limit(ct, zone, limit);
    }
}

void
dpctl_run_ct_set_limits(struct dpctl *d)
{
    struct conntrack *ct;
    uint32_t limit;
    int i = 0;

    take_dp(d);
    ct = find_ct(d);
    if (!ct || !may_change_limits(d, ct, "set-zone-limit")) {
        return;
    }
    if (!d->argc) {
        dpctl_fail(d, -EINVAL, "too few arguments");
        return;
    }
    if (!strncmp(d->argv[0], "default=", 8)) {
        if (!num_parse_u32(d->argv[i++] + 8, 10, &limit)) {
            dpctl_fail(d, -EINVAL, "invalid default limit");
            return;
        }
        conntrack_set_default_limit(ct, limit);
    }
    for (; i < d->argc && !d->failed; i++) {
        set_limit(d, ct, d->argv[i]);
    }
}

/* Calls 'cb' (if it is not null) for each zone of "zone=N1,N2..."; false, with the error said. */
static bool
for_each_zone(struct dpctl *d, const char *text, void (*cb)(struct dpctl *, struct conntrack *, uint16_t),
              struct conntrack *ct)
{
    char *copy = xstrdup(text + 5), *save = NULL;
    bool ok = *copy;

    for (char *word = strtok_r(copy, ",", &save); ok && word; word = strtok_r(NULL, ",", &save)) {
        uint16_t zone;

        ok = num_parse_u16(word, 10, &zone);
        if (ok && cb) {
            cb(d, ct, zone);
        }
    }
    free(copy);
    if (!ok) {
        dpctl_fail(d, -EINVAL, "invalid zone");
    }
    return ok;
}

/* The argument "zone=..." that may be the 'i'th, and then is the last one; null if there is none. */
static const char *
zones_at(struct dpctl *d, int i)
{
    const char *zones = i < d->argc && !strncmp(d->argv[i], "zone=", 5) ? d->argv[i++] : NULL;

    if (i < d->argc) {
        dpctl_fail(d, -EINVAL, "invalid argument %s", d->argv[i]);
    }
    return zones;
}

static bool
zones_are_valid(struct dpctl *d, const char *text)
{
    return for_each_zone(d, text, NULL, NULL);
}

static void
del_limit(struct dpctl *d UNUSED, struct conntrack *ct, uint16_t zone)
{
    conntrack_del_zone_limit(ct, zone);
}

void
dpctl_run_ct_del_limits(struct dpctl *d)
{
    const char *zones;
    struct conntrack *ct;
    bool is_default;

    take_dp(d);
    ct = find_ct(d);
    if (!ct || !may_change_limits(d, ct, "del-zone-limit")) {
        return;
    }
    if (!d->argc) {
        dpctl_fail(d, -EINVAL, "too few arguments");
        return;
    }
    is_default = !strcmp(d->argv[0], "default");
    zones = zones_at(d, is_default);
    if (d->failed || (zones && !zones_are_valid(d, zones))) {
        return;
    }
    if (is_default) {
        conntrack_set_default_limit(ct, 0);
    }
    if (zones) {
        for_each_zone(d, zones, del_limit, ct);
    }
}

static void
put_limit(struct dpctl *d, struct conntrack *ct, uint16_t zone)
{
    uint32_t limit, count;

    conntrack_zone_limit(ct, zone, &limit, &count);
    str_putf(&d->out, "zone=%u,limit=%u,count=%u\n", zone, limit, count);
}

void
dpctl_run_ct_get_limits(struct dpctl *d)
{
    const char *zones;
    struct conntrack *ct;
    uint32_t limit, count;

    take_dp(d);
    ct = find_ct(d);
    if (!ct) {
        return;
    }
    if (d->argc > 1) {
        dpctl_fail(d, -EINVAL, "datapath not found");
        return;
    }
    zones = zones_at(d, 0);
    if (d->failed || (zones && !zones_are_valid(d, zones))) {
        return;
    }
    str_putf(&d->out, "default limit=%u\n", conntrack_default_limit(ct));
    if (zones) {
        for_each_zone(d, zones, put_limit, ct);
        return;
    }
    for (uint32_t zone = 0; zone <= UINT16_MAX; zone++) {
        if (conntrack_zone_limit(ct, zone, &limit, &count)) {
            put_limit(d, ct, zone);
        }
    }
}

/* Fragments. */

/* "v4" or "v6"; -1 otherwise. */
static int
parse_family(const char *text)
{
    return !strcmp(text, "v4") ? IPF_V4 : !strcmp(text, "v6") ? IPF_V6 : -1;
}

static void
set_ipf_enabled(struct dpctl *d, bool enabled)
{
    struct conntrack *ct = dpctl_find_ct(d, 1);
    int family = ct ? parse_family(d->argv[0]) : -1;

    if (!ct) {
        return;
    }
    if (family < 0) {
        dpctl_fail(d, -EINVAL, "parameter missing: 'v4' for IPv4 or 'v6' for IPv6");
        return;
    }
    conntrack_ipf_set_enabled(ct, family, enabled);
    str_putf(&d->out, "%s fragmentation reassembly successful", enabled ? "enabling" : "disabling");
}

void
dpctl_run_ipf_set_enabled(struct dpctl *d)
{
    set_ipf_enabled(d, true);
}

void
dpctl_run_ipf_set_disabled(struct dpctl *d)
{
    set_ipf_enabled(d, false);
}

void
dpctl_run_ipf_set_min_frag(struct dpctl *d)
{
    struct conntrack *ct = dpctl_find_ct(d, 2);
    int family = ct ? parse_family(d->argv[0]) : -1;
    uint32_t size;

    if (!ct) {
        return;
    }
    if (family < 0) {
        dpctl_fail(d, -EINVAL, "parameter missing: v4 for IPv4 or v6 for IPv6");
    } else if (!num_parse_u32(d->argv[1], 10, &size)) {
        dpctl_fail(d, -EINVAL, "parameter missing for minimum fragment size");
    } else if (conntrack_ipf_set_min(ct, family, size)) {
        dpctl_fail(d, -EPERM, "requested minimum fragment size too small; see documentation");
    } else {
        str_puts(&d->out, "setting minimum fragment size successful");
    }
}

void
dpctl_run_ipf_set_max_nfrags(struct dpctl *d)
{
    uint32_t n;
    struct conntrack *ct = take_number(d, "parameter missing for maximum fragments", &n);

    if (!ct) {
        return;
    }
    if (conntrack_ipf_set_max_frags(ct, n)) {
        dpctl_fail(d, -EPERM, "setting maximum fragments failed");
    } else {
        str_puts(&d->out, "setting maximum fragments successful");
    }
}

static void
put_family_status(struct str *s, const struct ipf_status *st, int i)
{
    const char *v = i == IPF_V4 ? "v4" : "v6";

    str_putf(s, "        min %s frag size: %u\n", v, st->min_size[i]);
    str_putf(s, "        %s frags accepted: %llu\n", v, (unsigned long long) st->n_accepted[i]);
    str_putf(s, "        %s frags completed: %llu\n", v, (unsigned long long) st->n_completed[i]);
    str_putf(s, "        %s frags expired: %llu\n", v, (unsigned long long) st->n_expired[i]);
    str_putf(s, "        %s frags too small: %llu\n", v, (unsigned long long) st->n_too_small[i]);
    str_putf(s, "        %s frags overlapped: %llu\n", v, (unsigned long long) st->n_overlapped[i]);
    str_putf(s, "        %s frags purged: %llu\n", v, (unsigned long long) st->n_purged[i]);
}

static void
put_whole(void *s_, const struct ipf_entry *e)
{
    struct str *s = s_;

    str_puts(s, "(src=");
    if (e->is_v6) {
        ipv6_put(s, &e->src);
        str_puts(s, ",dst=");
        ipv6_put(s, &e->dst);
    } else {
        str_putf(s, IP_FMT ",dst=" IP_FMT, IP_ARGS(ct_address_ipv4(&e->src)), IP_ARGS(ct_address_ipv4(&e->dst)));
    }
    str_putf(s, ",recirc_id=%u,ip_id=%u,dl_type=0x%x,zone=%u,nw_proto=%u,num_fragments=%u,state=%s)\n", e->recirc_id,
             e->id, e->is_v6 ? 0x86dd : 0x800, e->zone, e->proto, e->n,
             e->has_first && e->has_last ? "first/last frag" : e->has_first ? "first frag"
             : e->has_last ? "last frag" : "other frag");
}

void
dpctl_run_ipf_get_status(struct dpctl *d)
{
    struct conntrack *ct = dpctl_find_ct(d, 0);
    struct str *s = &d->out;
    struct ipf_status st;

    if (!ct) {
        return;
    }
    conntrack_ipf_status(ct, &st);
    str_puts(s, "        Fragmentation Module Status\n        ---------------------------\n");
    str_putf(s, "        v4 enabled: %d\n        v6 enabled: %d\n", st.enabled[IPF_V4], st.enabled[IPF_V6]);
    str_putf(s, "        max num frags (v4/v6): %u\n        num frag: %u\n", st.max_frags, st.n_frags);
    put_family_status(s, &st, IPF_V4);
    put_family_status(s, &st, IPF_V6);
    if (d->more) {
        str_puts(s, "\n        Fragment Lists:\n\n");
        conntrack_ipf_for_each(ct, put_whole, s);
    }
}
