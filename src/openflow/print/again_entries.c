/* Entries of statistics, read and written again. */
#include "openflow/msg/flow.h"
#include "openflow/msg/group.h"
#include "openflow/msg/ipfix.h"
#include "openflow/msg/meter.h"
#include "openflow/msg/monitor.h"
#include "openflow/msg/port.h"
#include "openflow/msg/queue.h"
#include "openflow/msg/table.h"
#include "openflow/print/again.h"

bool
again_flow_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct flow_stats fs;
    bool ok = !flow_stats_take(c, m, &fs, &acts) && !again_has_id_without_tag(m, &fs.match);

    if (ok) {
        flow_stats_put(out, m->wire->class, m->version, &fs);
    }
    act_buf_uninit(&acts);
    return ok;
}

bool
again_port_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct port_stats ps;
    bool ok = !port_stats_take(c, m->version, &ps);

    if (ok) {
        port_stats_put(out, m->version, &ps);
    }
    port_stats_uninit(&ps);
    return ok;
}

bool
again_port_desc_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct port_desc d;

    if (port_desc_take(c, m->version, &d)) {
        return false;
    }
    port_desc_put(out, m->version, &d);
    return true;
}

bool
again_queue_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct queue_stats s;

    if (queue_stats_take(c, m->version, &s)) {
        return false;
    }
    queue_stats_put(out, m->version, &s);
    return true;
}

bool
again_group_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct group_stats s;

    if (group_stats_take(c, m->version, &s)) {
        return false;
    }
    group_stats_put(out, m->version, &s);
    group_stats_uninit(&s);
    return true;
}

bool
again_group_desc_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct group_mod gm;

    if (group_desc_take(c, m->version, &gm)) {
        return false;
    }
    group_desc_put(out, m->version, &gm);
    group_mod_uninit(&gm);
    return true;
}

bool
again_meter_entry(const struct msg *m UNUSED, struct cursor *c, struct bytes *out)
{
    struct meter_stats s;

    if (meter_stats_take(c, &s)) {
        return false;
    }
    meter_stats_put(out, &s);
    meter_stats_uninit(&s);
    return true;
}

bool
again_meter_config_entry(const struct msg *m UNUSED, struct cursor *c, struct bytes *out)
{
    struct meter_mod mm;

    if (meter_config_take(c, &mm)) {
        return false;
    }
    meter_config_put(out, &mm);
    meter_mod_uninit(&mm);
    return true;
}

bool
again_table_desc_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct table_desc d;

    if (table_desc_take(c, m->version, &d)) {
        return false;
    }
    table_desc_put(out, m->version, &d);
    return true;
}

bool
again_table_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct table_features f;
    struct table_stats s;

    if (table_stats_take(c, m->version, &s, &f)) {
        return false;
    }
    table_stats_put(out, m->version, &s, &f);
    return true;
}

bool
again_monitor_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct act_buf acts = ACT_BUF_INIT;
    struct monitor_update u;
    bool ok = !monitor_update_take(c, m, &u, &acts, NULL) && !again_has_id_without_tag(m, &u.match);

    if (ok) {
        u.actions = act_buf_span(&acts);
        monitor_update_put(out, m->version, &u);
    }
    act_buf_uninit(&acts);
    return ok;
}

bool
again_ipfix_entry(const struct msg *m UNUSED, struct cursor *c, struct bytes *out)
{
    struct ipfix_stats s;

    if (ipfix_stats_take(c, &s)) {
        return false;
    }
    ipfix_stats_put(out, &s);
    return true;
}

bool
again_table_features_entry(const struct msg *m, struct cursor *c, struct bytes *out)
{
    struct table_features f;

    if (table_features_take(c, m->version, true, &f, NULL)) {
        return false;
    }
    table_features_put(out, m->version, &f);
    return true;
}
