#include "openflow/msg/port.h"

#include <stdlib.h>
#include <string.h>

#include "openflow/print/private.h"

static const struct print_bit config_names[] = {
    { PORT_CONFIG_DOWN, "PORT_DOWN" }, { PORT_CONFIG_NO_STP, "NO_STP" }, { PORT_CONFIG_NO_RECV, "NO_RECV" },
    { PORT_CONFIG_NO_RECV_STP, "NO_RECV_STP" }, { PORT_CONFIG_NO_FLOOD, "NO_FLOOD" },
    { PORT_CONFIG_NO_FWD, "NO_FWD" }, { PORT_CONFIG_NO_PACKET_IN, "NO_PACKET_IN" },
};

static const struct print_bit state_names[] = {
    { PORT_STATE_LINK_DOWN, "LINK_DOWN" }, { PORT_STATE_BLOCKED, "BLOCKED" }, { PORT_STATE_LIVE, "LIVE" },
};

static const struct print_bit feature_names[] = {
    { PORT_FEATURE_10MB_HD, "10MB-HD" }, { PORT_FEATURE_10MB_FD, "10MB-FD" }, { PORT_FEATURE_100MB_HD, "100MB-HD" },
    { PORT_FEATURE_100MB_FD, "100MB-FD" }, { PORT_FEATURE_1GB_HD, "1GB-HD" }, { PORT_FEATURE_1GB_FD, "1GB-FD" },
    { PORT_FEATURE_10GB_FD, "10GB-FD" }, { PORT_FEATURE_40GB_FD, "40GB-FD" },
    { PORT_FEATURE_100GB_FD, "100GB-FD" }, { PORT_FEATURE_1TB_FD, "1TB-FD" }, { PORT_FEATURE_OTHER, "OTHER" },
    { PORT_FEATURE_COPPER, "COPPER" }, { PORT_FEATURE_FIBER, "FIBER" }, { PORT_FEATURE_AUTONEG, "AUTO_NEG" },
    { PORT_FEATURE_PAUSE, "AUTO_PAUSE" }, { PORT_FEATURE_PAUSE_ASYM, "AUTO_PAUSE_ASYM" },
};

static void
put_config(struct str *s, uint32_t config)
{
    print_bits(s, config, config_names, ARRAY_SIZE(config_names), " ");
    str_putc(s, '\n');
}

/* The spanning tree's state stands in front, without a space, as the reference has it. */
static void
put_state(struct str *s, uint32_t state)
{
    static const char *const stp[] = { "", "STP_LEARN", "STP_FORWARD", "STP_BLOCK" };
    uint32_t others = state & ~PORT_STATE_STP_MASK;

    str_puts(s, stp[(state & PORT_STATE_STP_MASK) >> 8]);
    if (others || !(state & PORT_STATE_STP_MASK)) {
        print_bits(s, others, state_names, ARRAY_SIZE(state_names), " ");
    }
    str_putc(s, '\n');
}

static void
put_features(struct str *s, const char *title, uint32_t features)
{
    if (features) {
        str_puts(s, title);
        print_bits(s, features, feature_names, ARRAY_SIZE(feature_names), " ");
        str_putc(s, '\n');
    }
}

void
print_port_desc(struct str *s, const struct port_desc *d, const struct act_text *names UNUSED)
{
    char name[PORT_NAME_LEN];

    /* A name is cut at its first unprintable character: it comes from outside and goes to a terminal. */
    str_copy_cut(name, d->name, sizeof name);
    for (size_t i = 0; name[i]; i++) {
        if ((unsigned char) name[i] < 32 || (unsigned char) name[i] == 127) {
            name[i] = '.';
        }
    }
    ofp_port_put(s, d->port, NULL);
    str_putf(s, "(%s): addr:" ETH_ADDR_FMT "\n     config:     ", name, ETH_ADDR_ARGS(d->mac));
    put_config(s, d->config);
    str_puts(s, "     state:      ");
    put_state(s, d->state);
    put_features(s, "     current:    ", d->curr);
    put_features(s, "     advertised: ", d->advertised);
    put_features(s, "     supported:  ", d->supported);
    put_features(s, "     peer:       ", d->peer);
    str_putf(s, "     speed: %u Mbps now, %u Mbps max\n", d->curr_speed / 1000, d->max_speed / 1000);
}

enum ofperr
print_port_status(struct printer *p, const struct msg *m)
{
    static const char *const reasons[] = { "ADD", "DEL", "MOD" };
    struct port_status ps;
    enum ofperr error = port_status_decode(m, &ps);

    if (!error) {
        str_putf(p->s, " %s: ", reasons[ps.reason]);
        print_port_desc(p->s, &ps.desc, p->names);
    }
    return error;
}

enum ofperr
print_port_mod(struct printer *p, const struct msg *m)
{
    struct port_mod pm;
    enum ofperr error = port_mod_decode(m, true, &pm);

    if (error) {
        return error;
    }
    str_puts(p->s, " port: ");
    print_port(p, pm.port);
    str_putf(p->s, ": addr:" ETH_ADDR_FMT "\n     config: ", ETH_ADDR_ARGS(pm.mac));
    put_config(p->s, pm.config);
    str_puts(p->s, "     mask:   ");
    put_config(p->s, pm.mask);
    str_puts(p->s, "     advertise: ");
    if (pm.advertise) {
        print_bits(p->s, pm.advertise, feature_names, ARRAY_SIZE(feature_names), " ");
        str_putc(p->s, '\n');
    } else {
        str_puts(p->s, "UNCHANGED\n");
    }
    return OFPERR_NONE;
}

enum ofperr
print_port_desc_request(struct printer *p, const struct msg *m)
{
    ofp_port port;
    enum ofperr error = port_desc_request_decode(m, &port);

    if (!error) {
        str_puts(p->s, " port=");
        print_port(p, port);
    }
    return error;
}

static int
compare_ports(const void *a, const void *b)
{
    uint32_t pa = ofp_to_u32(((const struct port_desc *) a)->port),
             pb = ofp_to_u32(((const struct port_desc *) b)->port);

    return pa < pb ? -1 : pa > pb;
}

enum ofperr
print_port_descs(struct printer *p, enum of_version v, struct cursor c)
{
    struct port_desc *ports = NULL;
    size_t n = 0, capacity = 0;
    enum ofperr error = OFPERR_NONE;

    while (c.left && !error) {
        if (n == capacity) {
            ports = x2nrealloc(ports, &capacity, sizeof *ports);
        }
        error = port_desc_take(&c, v, &ports[n]);
        n += !error;
    }
    if (n) {
        qsort(ports, n, sizeof *ports, compare_ports);
    }
    for (size_t i = 0; i < n; i++) {
        str_putc(p->s, ' ');
        print_port_desc(p->s, &ports[i], p->names);
    }
    free(ports);
    return error;
}

enum ofperr
print_port_desc_reply(struct printer *p, const struct msg *m)
{
    str_putc(p->s, '\n');
    return print_port_descs(p, m->version, m->body);
}

enum ofperr
print_port_request(struct printer *p, const struct msg *m)
{
    ofp_port port;
    enum ofperr error = port_stats_request_decode(m, &port);

    if (!error) {
        str_puts(p->s, " port_no=");
        print_port(p, port);
    }
    return error;
}

/* Statistics. */

static void
put_stat(struct str *s, const char *name, uint64_t v, const char *after)
{
    str_puts(s, name);
    print_counter(s, v);
    str_puts(s, after);
}

static void
put_rfc2819(struct str *s, const struct port_stats *ps, bool rx)
{
    bool any = false;

    for (unsigned int i = 0; i < PORT_STATS_N_RFC2819; i++) {
        bool is_rx;
        const char *name = port_rfc2819_name(i, &is_rx);

        if (is_rx == rx && ps->rfc2819[i] != UINT64_MAX) {
            if (!any) {
                str_puts(s, rx ? "           rx rfc2819 " : "           tx rfc2819 ");
                any = true;
            }
            str_putf(s, "%s=%llu, ", name, (unsigned long long) ps->rfc2819[i]);
        }
    }
    if (any) {
        str_putc(s, '\n');
    }
}

static void
put_custom(struct str *s, const struct port_stats *ps)
{
    if (!ps->n_custom) {
        return;
    }
    str_puts(s, "           CUSTOM Statistics");
    for (size_t i = 0; i < ps->n_custom; i++) {
        str_puts(s, i % 3 ? "" : "\n                      ");
        str_putf(s, "%s=%llu,", ps->custom[i].name, (unsigned long long) ps->custom[i].value);
        str_puts(s, i % 3 == 2 || i + 1 == ps->n_custom ? "" : " ");
    }
    str_putc(s, '\n');
}

static void
put_stats(struct printer *p, const struct port_stats *ps)
{
    struct str *s = p->s;

    str_puts(s, "  port ");
    if (ofp_port_is_real(ps->port) && ofp_to_u32(ps->port) < 10) {
        str_putc(s, ' ');
    }
    print_port(p, ps->port);
    put_stat(s, ": rx pkts=", ps->rx_packets, ", ");
    put_stat(s, "bytes=", ps->rx_bytes, ", ");
    put_stat(s, "drop=", ps->rx_dropped, ", ");
    put_stat(s, "errs=", ps->rx_errors, ", ");
    put_stat(s, "frame=", ps->rx_frame_errors, ", ");
    put_stat(s, "over=", ps->rx_over_errors, ", ");
    put_stat(s, "crc=", ps->rx_crc_errors, "\n");
    put_stat(s, "           tx pkts=", ps->tx_packets, ", ");
    put_stat(s, "bytes=", ps->tx_bytes, ", ");
    put_stat(s, "drop=", ps->tx_dropped, ", ");
    put_stat(s, "errs=", ps->tx_errors, ", ");
    put_stat(s, "coll=", ps->collisions, "\n");
    if (ps->duration_sec != UINT32_MAX) {
        str_puts(s, "           duration=");
        print_duration(s, ps->duration_sec, ps->duration_nsec);
        str_puts(s, "s\n");
    }
    put_rfc2819(s, ps, true);
    put_rfc2819(s, ps, false);
    put_custom(s, ps);
}

/* The number of entries stands in front of them, so they are counted first. */
static size_t
count_stats(const struct msg *m)
{
    struct cursor c = m->body;
    size_t n = 0;

    while (c.left) {
        struct port_stats ps;
        enum ofperr error = port_stats_take(&c, m->version, &ps);

        port_stats_uninit(&ps);
        if (error) {
            break;
        }
        n++;
    }
    return n;
}

enum ofperr
print_port_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;
    enum ofperr error = OFPERR_NONE;

    str_putf(p->s, " %zu ports\n", count_stats(m));
    while (p->verbosity >= 1 && c.left && !error) {
        struct port_stats ps;

        error = port_stats_take(&c, m->version, &ps);
        if (!error) {
            put_stats(p, &ps);
        }
        port_stats_uninit(&ps);
    }
    return error;
}
