#include "openflow/msg/meter.h"

#include <stdlib.h>

void
meter_mod_uninit(struct meter_mod *mm)
{
    free(mm->bands);
    mm->bands = NULL;
    mm->n_bands = 0;
}

static enum ofperr
take_band(struct cursor *c, struct meter_band *band)
{
    const uint8_t *p = c->at;

    if (c->left < 16 || get_be16(p + 2) != 16) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    (void) cursor_take(c, 16);
    *band = (struct meter_band) {
        .type = get_be16(p), .rate = get_be32(p + 4), .burst_size = get_be32(p + 8),
    };
    if (band->type != METER_BAND_DROP && band->type != METER_BAND_DSCP_REMARK) {
        return OFPERR_OFPMMFC_BAD_BAND;
    }
    band->prec_level = band->type == METER_BAND_DSCP_REMARK ? p[12] : 0;
    return OFPERR_NONE;
}

static enum ofperr
take_bands(struct cursor *c, struct meter_mod *mm)
{
    while (c->left) {
        enum ofperr error;

        mm->bands = xreallocarray(mm->bands, mm->n_bands + 1, sizeof *mm->bands);
        error = take_band(c, &mm->bands[mm->n_bands++]);
        if (error) {
            meter_mod_uninit(mm);
            return error;
        }
    }
    return OFPERR_NONE;
}

void
meter_mod_state_bursts(struct meter_mod *mm)
{
    for (size_t i = 0; i < mm->n_bands; i++) {
        if (!mm->bands[i].burst_size) {
            mm->bands[i].burst_size = mm->bands[i].rate;
        }
    }
}

enum ofperr
meter_mod_decode(const struct msg *m, struct meter_mod *mm)
{
    struct cursor c = m->body;
    const uint8_t *p = cursor_take(&c, 8);
    uint16_t command = get_be16(p);

    *mm = (struct meter_mod) { .command = command, .meter_id = get_be32(p + 4) };
    if (command > METER_DELETE) {
        return OFPERR_OFPMMFC_BAD_COMMAND;
    }
    if (command == METER_DELETE) {
        return OFPERR_NONE; /* Flags and bands do not matter. */
    }
    mm->flags = get_be16(p + 2);
    if (mm->flags & ~METER_FLAGS_ALL || (mm->flags & METER_KBPS && mm->flags & METER_PKTPS)) {
        return OFPERR_OFPMMFC_BAD_FLAGS;
    }
    return take_bands(&c, mm);
}

static void
put_bands(struct bytes *b, const struct meter_mod *mm)
{
    for (size_t i = 0; i < mm->n_bands; i++) {
        bytes_put_be16(b, mm->bands[i].type);
        bytes_put_be16(b, 16);
        bytes_put_be32(b, mm->bands[i].rate);
        bytes_put_be32(b, mm->bands[i].burst_size);
        bytes_put_u8(b, mm->bands[i].prec_level);
        bytes_put_zeros(b, 3);
    }
}

bool
meter_mod_encode(struct bytes *b, enum of_version v, uint32_t xid, const struct meter_mod *mm)
{
    size_t start = msg_start(b, MSG_METER_MOD, v, xid);

    bytes_put_be16(b, mm->command);
    bytes_put_be16(b, mm->flags);
    bytes_put_be32(b, mm->meter_id);
    put_bands(b, mm);
    return msg_finish(b, start);
}

enum ofperr
meter_request_decode(const struct msg *m, uint32_t *meter_id)
{
    *meter_id = get_be32(m->body.at);
    return OFPERR_NONE;
}

void
meter_request_encode(struct bytes *b, enum msg_type type, enum of_version v, uint32_t xid, uint32_t meter_id)
{
    size_t start = msg_start(b, type, v, xid);

    if (type != MSG_METER_FEATURES_REQUEST) {
        bytes_put_be32(b, meter_id);
        bytes_put_zeros(b, 4);
    }
    msg_finish(b, start);
}

enum ofperr
meter_config_take(struct cursor *c, struct meter_mod *mm)
{
    const uint8_t *p = c->at;
    struct cursor e;

    *mm = (struct meter_mod) { .command = METER_ADD };
    if (c->left < 8 || get_be16(p) < 8 || !cursor_take_sub(c, get_be16(p), &e) || !cursor_take(&e, 8)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    mm->flags = get_be16(p + 2);
    mm->meter_id = get_be32(p + 4);
    return take_bands(&e, mm);
}

void
meter_config_put(struct bytes *b, const struct meter_mod *mm)
{
    size_t start = b->len;

    bytes_put_be16(b, 0);
    bytes_put_be16(b, mm->flags);
    bytes_put_be32(b, mm->meter_id);
    put_bands(b, mm);
    put_be16(b->data + start, b->len - start);
}

enum ofperr
meter_stats_take(struct cursor *c, struct meter_stats *s)
{
    const uint8_t *p = c->at;
    struct cursor e;

    *s = (struct meter_stats) { .meter_id = 0 };
    if (c->left < 40 || get_be16(p + 4) < 40 || !cursor_take_sub(c, get_be16(p + 4), &e) || !cursor_take(&e, 40) ||
        e.left % 16) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    s->meter_id = get_be32(p);
    s->n_flows = get_be32(p + 12);
    s->n_packets = get_be64(p + 16);
    s->n_bytes = get_be64(p + 24);
    s->duration_sec = get_be32(p + 32);
    s->duration_nsec = get_be32(p + 36);
    s->n_bands = e.left / 16;
    s->bands = xcalloc(MAX(s->n_bands, 1), sizeof *s->bands);
    for (size_t i = 0; i < s->n_bands; i++) {
        s->bands[i].n_packets = get_be64(e.at + 16 * i);
        s->bands[i].n_bytes = get_be64(e.at + 16 * i + 8);
    }
    return OFPERR_NONE;
}

void
meter_stats_put(struct bytes *b, const struct meter_stats *s)
{
    size_t start = b->len;

    bytes_put_be32(b, s->meter_id);
    bytes_put_zeros(b, 8);
    bytes_put_be32(b, s->n_flows);
    bytes_put_be64(b, s->n_packets);
    bytes_put_be64(b, s->n_bytes);
    bytes_put_be32(b, s->duration_sec);
    bytes_put_be32(b, s->duration_nsec);
    for (size_t i = 0; i < s->n_bands; i++) {
        bytes_put_be64(b, s->bands[i].n_packets);
        bytes_put_be64(b, s->bands[i].n_bytes);
    }
    put_be16(b->data + start + 4, b->len - start);
}

void
meter_stats_uninit(struct meter_stats *s)
{
    free(s->bands);
    s->bands = NULL;
}

enum ofperr
meter_features_decode(const struct msg *m, struct meter_features *f)
{
    const uint8_t *p = m->body.at;

    *f = (struct meter_features) { get_be32(p), get_be32(p + 4), get_be32(p + 8), p[12], p[13] };
    return OFPERR_NONE;
}

void
meter_features_encode(struct bytes *b, const struct msg *request, const struct meter_features *f)
{
    size_t start = msg_start_reply(b, MSG_METER_FEATURES_REPLY, request);

    bytes_put_be32(b, f->max_meters);
    bytes_put_be32(b, f->band_types);
    bytes_put_be32(b, f->capabilities);
    bytes_put_u8(b, f->max_bands);
    bytes_put_u8(b, f->max_color);
    bytes_put_zeros(b, 2);
    msg_finish(b, start);
}
