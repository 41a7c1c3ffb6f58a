#include <ctype.h>
#include <string.h>

#include "openflow/hello.h"
#include "openflow/msg/control.h"
#include "openflow/msg/switch.h"
#include "openflow/msg/table.h"
#include "openflow/print/private.h"

enum ofperr
print_hello(struct printer *p, const struct msg *m)
{
    bool clean;
    uint32_t versions = hello_decode(m, &clean);

    str_puts(p->s, "\n version bitmap: ");
    of_versions_put(p->s, versions);
    if (!clean) {
        str_puts(p->s, "\n unknown data in hello:\n");
        print_hex(p->s, m->data, m->len, true);
    }
    return OFPERR_NONE;
}

/* Control characters as \ooo. */
static void
put_printable(struct str *s, struct cursor c)
{
    for (size_t i = 0; i < c.left; i++) {
        if (c.at[i] == '\\') {
            str_puts(s, "\\\\");
        } else if (isprint(c.at[i])) {
            str_putc(s, c.at[i]);
        } else {
            str_putf(s, "\\%03o", c.at[i]);
        }
    }
}

enum ofperr
print_error_msg(struct printer *p, const struct msg *m)
{
    struct error_msg e;
    enum ofperr error = error_decode(m, &e);

    if (error) {
        return error;
    }
    if (!e.error) {
        return OFPERR_OFPBRC_BAD_LEN; /* What the reference says of numbers that it does not know. */
    }
    str_putf(p->s, " %s\n", ofperr_name(e.error));
    if (e.error == OFPERR_OFPHFC_INCOMPATIBLE || e.error == OFPERR_OFPHFC_EPERM) {
        put_printable(p->s, e.payload);
    } else {
        msg_print(p->s, e.payload.at, e.payload.left, p->names, 1, NULL);
    }
    return OFPERR_NONE;
}

enum ofperr
print_echo(struct printer *p, const struct msg *m)
{
    str_putf(p->s, " %zu bytes of payload\n", m->body.left);
    if (p->verbosity > 1) {
        print_hex(p->s, m->body.at, m->body.left, true);
    }
    return OFPERR_NONE;
}

static const struct print_bit capability_names[] = {
    { CAP_FLOW_STATS, "FLOW_STATS" }, { CAP_TABLE_STATS, "TABLE_STATS" }, { CAP_PORT_STATS, "PORT_STATS" },
    { CAP_STP, "STP" }, { CAP_GROUP_STATS, "GROUP_STATS" }, { CAP_IP_REASM, "IP_REASM" },
    { CAP_QUEUE_STATS, "QUEUE_STATS" }, { CAP_ARP_MATCH_IP, "ARP_MATCH_IP" }, { CAP_PORT_BLOCKED, "PORT_BLOCKED" },
    { CAP_BUNDLES, "BUNDLES" }, { CAP_FLOW_MONITORING, "FLOW_MONITORING" },
};

enum ofperr
print_features(struct printer *p, const struct msg *m)
{
    struct switch_features f;
    struct cursor ports;
    enum ofperr error = switch_features_decode(m, &f, &ports);

    if (error) {
        return error;
    }
    str_putf(p->s, " dpid:%016llx\nn_tables:%u, n_buffers:%u", (unsigned long long) f.datapath_id, f.n_tables,
             f.n_buffers);
    if (f.auxiliary_id) {
        str_putf(p->s, ", auxiliary_id:%u", f.auxiliary_id);
    }
    str_puts(p->s, "\ncapabilities: ");
    print_bits(p->s, f.capabilities, capability_names, ARRAY_SIZE(capability_names), " ");
    str_putc(p->s, '\n');
    if (m->version == OF10) {
        str_puts(p->s, "actions: ");
        table_actions_put(p->s, table_actions_from_wire(f.actions, OF10));
        str_putc(p->s, '\n');
    }
    return print_port_descs(p, m->version, ports);
}

enum ofperr
print_config(struct printer *p, const struct msg *m)
{
    struct switch_config c;
    enum ofperr error = switch_config_decode(m, &c);

    if (error) {
        return error;
    }
    str_putf(p->s, " frags=%s", frag_mode_name(c.frags));
    if (c.invalid_ttl_to_controller > 0) {
        str_puts(p->s, " invalid_ttl_to_controller");
    }
    str_putf(p->s, " miss_send_len=%u\n", c.miss_send_len);
    return OFPERR_NONE;
}

enum ofperr
print_desc(struct printer *p, const struct msg *m)
{
    struct switch_desc d;
    enum ofperr error = switch_desc_decode(m, &d);

    if (error) {
        return error;
    }
    str_putf(p->s, "\nManufacturer: %s\nHardware: %s\nSoftware: %s\nSerial Num: %s\nDP Description: %s\n", d.mfr, d.hw,
             d.sw, d.serial, d.dp);
    return OFPERR_NONE;
}
