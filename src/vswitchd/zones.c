/* Datapath.ct_zones: timeout policies and limits of connection tracking. */
#include <stdlib.h>

#include "ofproto/ct_zones.h"
#include "vswitchd/vswitchd.h"

bool
zones_have_changes(const struct vswitchd *sw)
{
    return idl_first_change(sw->idl, VS_DATAPATH) || idl_first_change(sw->idl, VS_CT_ZONE)
           || idl_first_change(sw->idl, VS_CT_TIMEOUT_POLICY) || idl_first_change(sw->idl, VS_BRIDGE)
           || idl_first_change(sw->idl, VS_OPEN_VSWITCH);
}

static void
read_policy(const struct vs_ct_timeout_policy *row, struct ofproto_ct_zone *zone)
{
    const struct datum *d = vs_ct_timeout_policy_timeouts_datum(row);

    zone->has_policy = true;
    for (size_t i = 0; i < d->n && zone->n_timeouts < CT_ZONE_MAX_TIMEOUTS; i++) {
        zone->keys[zone->n_timeouts] = atom_text(&datum_keys(d)[i]);
        zone->seconds[zone->n_timeouts++] = datum_values(d)[i].integer;
    }
}

static void
read_zone(const struct vs_ct_zone *row, struct ofproto_ct_zone *zone)
{
    const struct vs_ct_timeout_policy *policy = vs_ct_zone_timeout_policy(row);
    int64_t limit = vs_ct_zone_limit(row, -1);

    zone->has_limit = limit >= 0;
    zone->limit = limit >= 0 ? limit : 0;
    if (policy) {
        read_policy(policy, zone);
    }
}

static void
configure_datapath(const char *type, const struct vs_datapath *row)
{
    const struct datum *d = vs_datapath_ct_zones_datum(row);
    struct ofproto_ct_zone *zones = xcalloc(d->n + 1, sizeof *zones);
    int64_t limit = vs_datapath_ct_zone_default_limit(row, -1);
    uint32_t default_limit = limit >= 0 ? limit : 0;
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++) {
        const struct vs_ct_zone *zone = vs_datapath_ct_zones(row, i);

        if (zone) {
            zones[n].zone = datum_keys(d)[i].integer;
            read_zone(zone, &zones[n++]);
        }
    }
    ofproto_set_ct_zones(type, zones, n, limit >= 0 ? &default_limit : NULL);
    free(zones);
}

void
zones_configure(const struct vs_open_vswitch *row)
{
    const struct datum *d = vs_open_vswitch_datapaths_datum(row);

    for (size_t i = 0; i < d->n; i++) {
        const struct vs_datapath *dp = vs_open_vswitch_datapaths(row, i);

        if (dp) {
            configure_datapath(atom_text(&datum_keys(d)[i]), dp);
        }
    }
}
