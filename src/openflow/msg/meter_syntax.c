#include "openflow/msg/meter_syntax.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "openflow/action/key_value.h"
#include "openflow/protocol.h"

static struct error *
parse_u32(const char *text, uint32_t *v)
{
    return num_parse_u32(text, 0, v) ? NULL : error_new("invalid numeric format %s", text);
}

static struct error *
parse_id(const char *value, struct meter_mod *mm)
{
    struct error *error;

    if (!strcmp(value, "all")) {
        mm->meter_id = METER_ALL;
    } else if (!strcmp(value, "controller")) {
        mm->meter_id = METER_CONTROLLER;
    } else if (!strcmp(value, "slowpath")) {
        mm->meter_id = METER_SLOWPATH;
    } else {
        error = parse_u32(value, &mm->meter_id);
        if (!error && (!mm->meter_id || mm->meter_id > METER_MAX)) {
            error = error_new("invalid value for meter");
        }
        return error;
    }
    return NULL;
}

static bool
parse_flag(const char *key, struct meter_mod *mm)
{
    static const struct { const char *word; uint16_t bit; } flags[] = {
        { "kbps", METER_KBPS }, { "pktps", METER_PKTPS }, { "burst", METER_BURST }, { "stats", METER_STATS },
    };

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (!strcmp(key, flags[i].word)) {
            mm->flags |= flags[i].bit;
            return true;
        }
    }
    return false;
}

static struct error *
parse_head(char *text, enum meter_command command, struct meter_mod *mm)
{
    char *key, *value;
    bool has_id = false;

    while (act_take_key_value(&text, &key, &value)) {
        struct error *error = NULL;

        if (command != METER_DELETE && parse_flag(key, mm)) {
            continue;
        }
        if (!*value) {
            return error_new("field %s missing value", key);
        }
        if (strcmp(key, "meter")) {
            return error_new("unknown keyword %s", key);
        }
        error = parse_id(value, mm);
        if (error) {
            return error;
        }
        has_id = true;
    }
    return has_id ? NULL : error_new("must specify 'meter'");
}

/* Which keys a band had. */
struct band_keys {
    bool rate, burst, prec;
};

static struct error *
end_band(const struct meter_mod *mm, const struct band_keys *had)
{
    const struct meter_band *b = mm->n_bands ? &mm->bands[mm->n_bands - 1] : NULL;

    if (!b) {
        return NULL;
    }
    if (b->type == METER_BAND_DSCP_REMARK && !had->prec) {
        return error_new("'dscp_remark' band must have 'prec_level'");
    }
    if (b->type != METER_BAND_DSCP_REMARK && had->prec) {
        return error_new("Only 'dscp_remark' band may have 'prec_level'");
    }
    if (!had->rate) {
        return error_new("band must have 'rate'");
    }
    if (mm->flags & METER_BURST && !had->burst) {
        return error_new("band must have 'burst_size' when 'burst' flag is set");
    }
    if (!(mm->flags & METER_BURST) && had->burst) {
        return error_new("band may have 'burst_size' only when 'burst' flag is set");
    }
    return NULL;
}

static struct error *
start_band(const char *type, struct meter_mod *mm)
{
    uint16_t number = !strcmp(type, "drop") ? METER_BAND_DROP
                      : !strcmp(type, "dscp_remark") ? METER_BAND_DSCP_REMARK : 0;

    if (!number) {
        return error_new("field type unknown value %s", type);
    }
    mm->bands = xreallocarray(mm->bands, mm->n_bands + 1, sizeof *mm->bands);
    mm->bands[mm->n_bands++] = (struct meter_band) { .type = number };
    return NULL;
}

static struct error *
parse_band_key(const char *key, const char *value, struct meter_mod *mm, struct band_keys *had)
{
    struct meter_band *b;
    struct error *error;

    if (!*value) {
        return error_new("field %s missing value", key);
    }
    if (!strcmp(key, "type")) {
        error = end_band(mm, had);
        *had = (struct band_keys) { false, false, false };
        return error ? error : start_band(value, mm);
    }
    if (!mm->n_bands) {
        return error_new("band must start with the 'type' keyword");
    }
    b = &mm->bands[mm->n_bands - 1];
    if (!strcmp(key, "rate")) {
        had->rate = true;
        return parse_u32(value, &b->rate);
    }
    if (!strcmp(key, "burst_size")) {
        had->burst = true;
        return parse_u32(value, &b->burst_size);
    }
    if (!strcmp(key, "prec_level")) {
        had->prec = true;
        return num_parse_u8(value, 0, &b->prec_level) ? NULL : error_new("invalid prec_level \"%s\"", value);
    }
    return error_new("unknown keyword %s", key);
}

static struct error *
parse_bands(char *text, struct meter_mod *mm)
{
    struct band_keys had = { false, false, false };
    char *key, *value;

    while (act_take_key_value(&text, &key, &value)) {
        struct error *error = parse_band_key(key, value, mm, &had);

        if (error) {
            return error;
        }
    }
    return mm->n_bands ? end_band(mm, &had) : error_new("meter must have bands");
}

static struct error *
parse_text(char *text, enum meter_command command, struct meter_mod *mm)
{
    char *bands = command == METER_DELETE ? NULL : strstr(text, "band");
    struct error *error;

    if (command != METER_DELETE) {
        bands = bands ? strchr(bands, '=') : NULL;
        if (!bands) {
            return error_new("must specify bands");
        }
        *strstr(text, "band") = '\0';
        bands++;
    }
    error = parse_head(text, command, mm);
    if (!error && bands) {
        error = parse_bands(bands, mm);
        if (!error && !(mm->flags & (METER_KBPS | METER_PKTPS))) {
            error = error_new("meter must specify either 'kbps' or 'pktps'");
        }
    }
    return error;
}

struct error *
meter_mod_parse(struct meter_mod *mm, const char *text, enum meter_command command, unsigned int *protocols)
{
    char *copy = xstrdup(text);
    struct error *error;

    *mm = (struct meter_mod) { .command = command };
    *protocols = PROTO_OF13_UP;
    error = parse_text(copy, command, mm);
    if (error) {
        meter_mod_uninit(mm);
    }
    free(copy);
    return error;
}
