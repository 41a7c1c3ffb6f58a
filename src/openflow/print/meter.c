#include "openflow/msg/meter.h"

#include "openflow/print/private.h"

static void
put_id(struct str *s, const char *separator, uint32_t id)
{
    str_putf(s, "meter%s", separator);
    switch (id) {
    case METER_SLOWPATH: str_puts(s, "slowpath"); break;
    case METER_CONTROLLER: str_puts(s, "controller"); break;
    case METER_ALL: str_puts(s, "all"); break;
    default: str_putf(s, "%u", id);
    }
}

static void
put_flags(struct str *s, uint16_t flags)
{
    static const struct print_bit names[] = {
        { METER_KBPS, "kbps " }, { METER_PKTPS, "pktps " }, { METER_BURST, "burst " }, { METER_STATS, "stats " },
    };

    if (flags) {
        print_bits(s, flags, names, ARRAY_SIZE(names), "");
    }
}

static void
put_band(struct str *s, uint16_t flags, const struct meter_band *b)
{
    str_putf(s, "\ntype=%s rate=%u", b->type == METER_BAND_DROP ? "drop" : "dscp_remark", b->rate);
    if (flags & METER_BURST) {
        str_putf(s, " burst_size=%u", b->burst_size);
    }
    if (b->type == METER_BAND_DSCP_REMARK) {
        str_putf(s, " prec_level=%u", b->prec_level);
    }
}

static void
put_config(struct str *s, const struct meter_mod *mm)
{
    put_id(s, "=", mm->meter_id);
    str_putc(s, ' ');
    put_flags(s, mm->flags);
    str_puts(s, "bands=");
    for (size_t i = 0; i < mm->n_bands; i++) {
        put_band(s, mm->flags, &mm->bands[i]);
    }
    str_putc(s, '\n');
}

enum ofperr
print_meter_mod(struct printer *p, const struct msg *m)
{
    static const char *const commands[] = { "ADD", "MOD", "DEL" };
    struct meter_mod mm;
    enum ofperr error = meter_mod_decode(m, &mm);

    if (!error) {
        str_putf(p->s, " %s ", commands[mm.command]);
        put_config(p->s, &mm);
        meter_mod_uninit(&mm);
    }
    return error;
}

enum ofperr
print_meter_request(struct printer *p, const struct msg *m)
{
    uint32_t id;
    enum ofperr error = meter_request_decode(m, &id);

    str_putc(p->s, ' ');
    put_id(p->s, "=", id);
    return error;
}

enum ofperr
print_meter_config_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;

    while (c.left) {
        struct meter_mod mm;
        enum ofperr error = meter_config_take(&c, &mm);

        if (error) {
            return error;
        }
        str_putc(p->s, '\n');
        put_config(p->s, &mm);
        meter_mod_uninit(&mm);
    }
    return OFPERR_NONE;
}

static void
put_stats(struct str *s, const struct meter_stats *ms)
{
    str_putc(s, '\n');
    put_id(s, ":", ms->meter_id);
    str_putf(s, " flow_count:%u packet_in_count:%llu byte_in_count:%llu duration:", ms->n_flows,
             (unsigned long long) ms->n_packets, (unsigned long long) ms->n_bytes);
    str_putf(s, "%u.%09u", ms->duration_sec, ms->duration_nsec);
    if (ms->duration_nsec % 1000000 == 0) {
        str_truncate(s, s->len - 6);
    } else {
        while (str_chomp(s, '0')) {
        }
    }
    str_puts(s, "s bands:\n");
    for (size_t i = 0; i < ms->n_bands; i++) {
        str_putf(s, "%zu: packet_count:%llu byte_count:%llu\n", i, (unsigned long long) ms->bands[i].n_packets,
                 (unsigned long long) ms->bands[i].n_bytes);
    }
}

enum ofperr
print_meter_reply(struct printer *p, const struct msg *m)
{
    struct cursor c = m->body;

    while (c.left) {
        struct meter_stats ms;
        enum ofperr error = meter_stats_take(&c, &ms);

        if (error) {
            return error;
        }
        put_stats(p->s, &ms);
        meter_stats_uninit(&ms);
    }
    return OFPERR_NONE;
}

enum ofperr
print_meter_features(struct printer *p, const struct msg *m)
{
    static const struct print_bit bands[] = {
        { 1 << METER_BAND_DROP, "drop" }, { 1 << METER_BAND_DSCP_REMARK, "dscp_remark" },
    };
    static const struct print_bit capabilities[] = {
        { METER_KBPS, "kbps" }, { METER_PKTPS, "pktps" }, { METER_BURST, "burst" }, { METER_STATS, "stats" },
    };
    struct meter_features f;
    enum ofperr error = meter_features_decode(m, &f);

    if (error) {
        return error;
    }
    str_putf(p->s, "\nmax_meter:%u max_bands:%u max_color:%u\nband_types: ", f.max_meters, f.max_bands, f.max_color);
    print_bits(p->s, f.band_types, bands, ARRAY_SIZE(bands), " ");
    str_puts(p->s, "\ncapabilities: ");
    print_bits(p->s, f.capabilities, capabilities, ARRAY_SIZE(capabilities), " ");
    str_putc(p->s, '\n');
    return OFPERR_NONE;
}
