/* userspace(pid=..,..): packets on their way to the switch, with what travels along. */
#include "odp/action_text.h"

#include <inttypes.h>

/* Why a packet takes the slow path, by bit. */
static const char *const slow_names[] = { "cfm", "bfd", "lacp", "stp", "lldp", "controller", "action" };

static void
put_slow_path(struct str *s, const struct odp_cookie *c)
{
    str_puts(s, ",slow_path(");
    for (size_t i = 0; i < ARRAY_SIZE(slow_names); i++) {
        if (c->reason >> i & 1) {
            str_putf(s, "%s,", slow_names[i]);
        }
    }
    str_chomp(s, ',');
    str_putc(s, ')');
}

static void
put_controller(struct str *s, const struct odp_cookie *c)
{
    str_putf(s, ",controller(reason=%u,dont_send=%d,continuation=%d,recirc_id=%"PRIu32",rule_cookie=%#"PRIx64
             ",controller_id=%"PRIu32",max_len=%u)", c->reason, c->flags & 1, c->flags >> 1 & 1, c->recirc_id,
             be64_to_cpu(c->rule_cookie), c->controller_id, c->max_len);
}

static void
put_flow_sample(struct str *s, const struct odp_cookie *c, const struct odp_names *names)
{
    static const char *const directions[] = { "", ",ingress", ",egress" };

    str_putf(s, ",flow_sample(probability=%u,collector_set_id=%"PRIu32",obs_domain_id=%"PRIu32",obs_point_id=%"PRIu32
             ",output_port=", c->probability, c->collector_set, c->obs_domain_id, c->obs_point_id);
    port_put(s, c->output_port, names);
    str_putf(s, "%s)", directions[c->flags % 3]);
}

static void
put_ipfix(struct str *s, const struct odp_cookie *c, const struct odp_names *names)
{
    str_puts(s, ",ipfix(output_port=");
    port_put(s, c->output_port, names);
    str_putc(s, ')');
}

static void
put_sflow(struct str *s, const struct odp_cookie *c)
{
    unsigned int tci = be16_to_cpu(c->vlan_tci);

    str_putf(s, ",sFlow(vid=%u,pcp=%u,output=%"PRIu32")", tci & VLAN_VID_MASK, tci >> VLAN_PCP_SHIFT, c->output_port);
}

static void
put_userdata(struct str *s, const struct odp_attr *a, const struct odp_names *names)
{
    struct odp_cookie c;

    if (odp_attr_size(a) == sizeof c) {
        memcpy(&c, odp_attr_data(a), sizeof c);
        switch ((enum odp_cookie_type) c.type) {
        case ODP_COOKIE_SFLOW: put_sflow(s, &c); return;
        case ODP_COOKIE_SLOW_PATH: put_slow_path(s, &c); return;
        case ODP_COOKIE_FLOW_SAMPLE: put_flow_sample(s, &c, names); return;
        case ODP_COOKIE_IPFIX: put_ipfix(s, &c, names); return;
        case ODP_COOKIE_CONTROLLER: put_controller(s, &c); return;
        case ODP_COOKIE_UNSPEC: break;
        }
    }
    str_puts(s, ",userdata(");
    str_put_hex(s, odp_attr_data(a), odp_attr_size(a));
    str_putc(s, ')');
}

void
userspace_put(struct str *s, const struct odp_attr *a, const struct odp_names *names)
{
    const struct odp_attr *userdata = NULL, *tunnel = NULL;
    bool actions = false;
    uint32_t pid = 0;

    ODP_FOR_EACH (i, odp_attr_data(a), odp_attr_size(a)) {
        switch ((enum odp_userspace_attr) i->type) {
        case ODP_USERSPACE_PID: pid = attr_u32(i); break;
        case ODP_USERSPACE_USERDATA: userdata = i; break;
        case ODP_USERSPACE_EGRESS_TUN_PORT: tunnel = i; break;
        case ODP_USERSPACE_ACTIONS: actions = true; break;
        }
    }
    str_putf(s, "userspace(pid=%"PRIu32, pid);
    if (userdata) {
        put_userdata(s, userdata, names);
    }
    if (actions) {
        str_puts(s, ",actions");
    }
    if (tunnel) {
        str_puts(s, ",tunnel_out_port=");
        port_put(s, attr_u32(tunnel), names);
    }
    str_putc(s, ')');
}

/* Reading. */

/* One "name=number" of a list; at the first of them no comma. */
static bool
scan_item(const char **p, const char *name, unsigned int n_bits, uint64_t *v)
{
    scan_separators(p);
    return scan_literal(p, name) && scan_literal(p, "=") && scan_number(p, n_bits, v);
}

static bool
scan_controller(const char **p, struct odp_cookie *c)
{
    uint64_t reason, dont_send, continuation, recirc_id, cookie, id, max_len;

    if (!scan_item(p, "reason", 16, &reason) || !scan_item(p, "dont_send", 1, &dont_send) ||
        !scan_item(p, "continuation", 1, &continuation) || !scan_item(p, "recirc_id", 32, &recirc_id) ||
        !scan_item(p, "rule_cookie", 64, &cookie) || !scan_item(p, "controller_id", 16, &id) ||
        !scan_item(p, "max_len", 16, &max_len)) {
        return false;
    }
    c->type = ODP_COOKIE_CONTROLLER;
    c->reason = reason;
    c->flags = dont_send | continuation << 1;
    c->recirc_id = recirc_id;
    c->rule_cookie = cpu_to_be64(cookie);
    c->controller_id = id;
    c->max_len = max_len;
    return true;
}

static bool
scan_flow_sample(const char **p, struct odp_cookie *c)
{
    uint64_t probability, set, domain, point, port;

    if (!scan_item(p, "probability", 16, &probability) || !scan_item(p, "collector_set_id", 32, &set) ||
        !scan_item(p, "obs_domain_id", 32, &domain) || !scan_item(p, "obs_point_id", 32, &point) ||
        !scan_item(p, "output_port", 32, &port)) {
        return false;
    }
    c->type = ODP_COOKIE_FLOW_SAMPLE;
    c->probability = probability;
    c->collector_set = set;
    c->obs_domain_id = domain;
    c->obs_point_id = point;
    c->output_port = port;
    c->flags = scan_literal(p, ",ingress") ? 1 : scan_literal(p, ",egress") ? 2 : 0;
    return true;
}

static bool
scan_sflow(const char **p, struct odp_cookie *c)
{
    uint64_t vid, pcp, output;

    if (!scan_item(p, "vid", 12, &vid) || !scan_item(p, "pcp", 3, &pcp) || !scan_item(p, "output", 32, &output)) {
        return false;
    }
    c->type = ODP_COOKIE_SFLOW;
    c->vlan_tci = cpu_to_be16(vid | pcp << VLAN_PCP_SHIFT);
    c->output_port = output;
    return true;
}

/* Names with commas, or the number that stands for them. */
static bool
scan_slow_path(const char **p, struct odp_cookie *c)
{
    uint64_t bits;

    c->type = ODP_COOKIE_SLOW_PATH;
    if (scan_number(p, ARRAY_SIZE(slow_names), &bits)) {
        c->reason = bits;
        return true;
    }
    while (**p != ')') {
        size_t n = strspn(*p, "abcdefghijklmnopqrstuvwxyz"), i;

        for (i = 0; i < ARRAY_SIZE(slow_names); i++) {
            if (strlen(slow_names[i]) == n && !strncmp(slow_names[i], *p, n)) {
                break;
            }
        }
        if (i == ARRAY_SIZE(slow_names)) {
            return false;
        }
        c->reason |= 1u << i;
        *p += n;
        scan_literal(p, ",");
    }
    return true;
}

static bool
scan_ipfix(const char **p, struct odp_cookie *c)
{
    uint64_t port;

    if (!scan_item(p, "output_port", 32, &port)) {
        return false;
    }
    c->type = ODP_COOKIE_IPFIX;
    c->output_port = port;
    return true;
}

static const struct {
    const char *name;
    bool (*scan)(const char **p, struct odp_cookie *);
} cookies[] = {
    { "controller(", scan_controller }, { "flow_sample(", scan_flow_sample }, { "sFlow(", scan_sflow },
    { "slow_path(", scan_slow_path }, { "ipfix(", scan_ipfix },
};

static bool
scan_cookie(const char **p, struct bytes *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(cookies); i++) {
        if (scan_literal(p, cookies[i].name)) {
            struct odp_cookie c;

            memset(&c, 0, sizeof c);
            if (!cookies[i].scan(p, &c) || !scan_literal(p, ")")) {
                return false;
            }
            odp_put(out, ODP_USERSPACE_USERDATA, &c, sizeof c);
            return true;
        }
    }
    return false;
}

static bool
scan_raw(const char **p, struct bytes *out)
{
    size_t begun = odp_begin(out, ODP_USERSPACE_USERDATA);

    *p = bytes_put_from_hex(out, *p);
    odp_end(out, begun);
    bytes_pad_from(out, begun, 4);
    return out->len - begun < 1024 && scan_literal(p, ")");
}

static bool
scan_part(const char **p, const struct odp_names *names, struct bytes *out)
{
    uint32_t port;

    if (scan_literal(p, "userdata(")) {
        return scan_raw(p, out);
    } else if (scan_literal(p, "tunnel_out_port=")) {
        bool ok = port_scan(p, names, &port);

        odp_put_u32(out, ODP_USERSPACE_EGRESS_TUN_PORT, port);
        return ok;
    } else if (!strncmp(*p, "actions", 7) && strchr(",)", (*p)[7])) {
        *p += 7;
        odp_put_flag(out, ODP_USERSPACE_ACTIONS);
        return true;
    }
    return scan_cookie(p, out);
}

bool
userspace_scan(const char **p, const struct odp_names *names, struct bytes *out)
{
    size_t begun = odp_begin(out, ODP_USERSPACE);
    uint64_t pid;

    if (!scan_item(p, "pid", 32, &pid)) {
        return false;
    }
    odp_put_u32(out, ODP_USERSPACE_PID, pid);
    for (scan_separators(p); !scan_literal(p, ")"); scan_separators(p)) {
        if (!scan_part(p, names, out)) {
            return false;
        }
    }
    odp_end(out, begun);
    return true;
}
