/* Properties: the type-length-value form of OpenFlow 1.3 and later and of the extensions.
 *
 * type16, length16 (with the header, without trailing padding), body, zeros to a multiple of 8.  Experimenter
 * properties
 * (type 0xffff; in asynchronous configuration 0xfffe too) go on with experimenter32 and exp_type32.
 *
 * A decoder that is strict refuses unknown ones with prop_unknown(); one that prints or reads replies skips them. */
#ifndef OPENFLOW_MSG_PROP_H
#define OPENFLOW_MSG_PROP_H 1

#include "openflow/msg.h"

struct prop {
    uint16_t type;
    uint32_t vendor, subtype; /* Of an experimenter property, else 0. */
    const uint8_t *data;      /* From its header on. */
    size_t len;               /* As stated. */
    struct cursor body;       /* After the header, the experimenter's too. */
};

/* Takes the next property; OFPBPC_BAD_LEN if it does not fit. */
enum ofperr prop_take(struct cursor *, struct prop *) MUST_CHECK;

/* The same where properties are aligned to 'align' bytes (1: without padding). */
enum ofperr prop_take_aligned(struct cursor *, size_t align, struct prop *) MUST_CHECK;

/* The error for a property that is not known. */
enum ofperr prop_unknown(const struct prop *);

/* Read the whole body as one value; OFPBPC_BAD_LEN otherwise.  prop_be64 skips the 4 bytes of padding; a be16 may
 * have two bytes of padding in its length, as it is written; what follows a u8 does not count, as in the reference. */
enum ofperr prop_u8(const struct prop *, uint8_t *) MUST_CHECK;
enum ofperr prop_be16(const struct prop *, uint16_t *) MUST_CHECK;
enum ofperr prop_be32(const struct prop *, uint32_t *) MUST_CHECK;
enum ofperr prop_be64(const struct prop *, uint64_t *) MUST_CHECK;

/* Writing: prop_start() returns the offset for prop_end(), which sets the length and pads to 8. */
size_t prop_start(struct bytes *, uint16_t type);
size_t prop_start_vendor(struct bytes *, uint32_t vendor, uint32_t subtype);
void prop_end(struct bytes *, size_t start);
void prop_put(struct bytes *, uint16_t type, const void *body, size_t n);
void prop_put_flag(struct bytes *, uint16_t type);
void prop_put_u8(struct bytes *, uint16_t type, uint8_t);
void prop_put_be16(struct bytes *, uint16_t type, uint16_t);
void prop_put_be32(struct bytes *, uint16_t type, uint32_t);
void prop_put_be64(struct bytes *, uint16_t type, uint64_t);

#endif
