/* Options of a tunnel's header: tun_metadata0 to 63, and the forms in which flows and matches hold them.
 *
 * What it is
 * ----------
 * Geneve's options are (class, type, length) and a value.  A controller binds some of them to the fields tun_metadata0
 * to 63: that is the bridge's map, 'struct tun_map'.  The map gives each bound option a place of its length in the 256
 * bytes of struct flow's 'tun_metadata', and a 'struct field' for that place, which all generic code on fields can use.
 *
 * How it works
 * ------------
 * There are three forms.
 *
 *   raw    In a datapath key, and the mask of a megaflow: 'tun_opt_len' bytes of options as they stand in the header.
 *          tun_flow_from_raw() and tun_mask_to_raw() go between it and the next.
 *
 *   bound  In the pipeline, and in rules: the value of option N is at its place in the map, and bit N of
 *          'tun_metadata_present' says that the packet has it.  A match on an option always demands that it be there.
 *          Options that no map binds do not exist.
 *
 *   loose  In a match outside of a switch, which has no map: the codec and text of matches know only this one.  The
 *          bits of 'tun_metadata_present' say which options are matched; their values stand one behind the other, in
 *          the order of their numbers, 'tun_loose_ends' says where each ends and 'tun_loose_exact' which are matched in
 *          all bits whatever their length.  tun_match_bind() and tun_match_unbind() go between it and the bound form: a
 *          switch binds what it receives, and unbinds what it sends or shows.
 *
 * Values outside of flows are those of the rows of fields.def: right-aligned in 124 bytes, a mask that is all ones
 * being exact.  Actions keep such values and such fields, whatever the map; translation asks the map of its bridge as
 * it goes, so that an action on an unbound option does nothing.
 *
 * Threads: a map is immutable; the functions are pure.
 * Limits: 64 options, 256 bytes of values together; options of 0 to 124 bytes; those without a value
 * are there or not.
 * Standards: RFC 8926 §3.5; ovs-fields(7) "tunnel option". */
#ifndef FLOW_TUN_METADATA_H
#define FLOW_TUN_METADATA_H 1

#include "flow/match.h"

enum { TUN_N_OPTIONS = 64, TUN_OPTION_MAX = 124 };

struct tun_option {
    struct field field; /* Its place in a flow. */
    uint64_t words;     /* The 32-bit words of 'tun_metadata' that it is in. */
    uint16_t class;
    uint8_t type;
    uint8_t len;        /* Bytes. */
};

struct tun_map {
    uint64_t bound;     /* Bit N: options[N] means something. */
    struct tun_option options[TUN_N_OPTIONS];
};

static inline unsigned int
field_option_index(const struct field *f)
{
    return f->id - FIELD_TUN_METADATA0;
}

/* Binds option 'index', which must be free, to the first place that has room, or if none has to the first words that
 * are free; false if there are not enough.  'len' is a multiple of 4. */
bool tun_map_add(struct tun_map *, unsigned int index, uint16_t class, uint8_t type, uint8_t len) MUST_CHECK;
void tun_map_remove(struct tun_map *, unsigned int index);

/* The field of a flow that a field of fields.def stands for: itself, or the option's by the map; null if the map, which
 * may be null, does not bind it. */
static inline const struct field *
tun_map_field(const struct tun_map *map, const struct field *f)
{
    if (LIKELY(!field_is_option(f)) || f->wire_bytes != TUN_OPTION_MAX || f->n_bits != 8 * TUN_OPTION_MAX) {
        return f;
    }
    return map && map->bound >> field_option_index(f) & 1 ? &map->options[field_option_index(f)].field : NULL;
}

/* Bound flows: whether the option is there; says that it is; takes it away. */
bool tun_option_is_present(const struct flow *, const struct field *);
void tun_option_set_present(struct flow *, const struct field *);
void tun_option_delete(struct flow *, const struct field *mapped);

/* Raw to bound, in place; nothing where there are no raw options.  Options that are not bound, or of another length
 * than the map says, are left out. */
void tun_flow_from_raw(const struct tun_map *, struct flow *);

/* The mask of a megaflow in raw form, for a key with options in raw form, from a mask in bound form, in place.  Which
 * options there are is always fixed if any of them is looked at. */
void tun_mask_to_raw(const struct tun_map *, const struct flow *key, struct flow *mask);

/* Whether an option is matched in either form; that is all that 'tun_metadata_present' of a mask says. */
static inline bool tun_match_has_any(const struct match *m) { return m->mask.tun_metadata_present != BE64(0); }
static inline bool
tun_match_has(const struct match *m, const struct field *f)
{
    return be64_to_cpu(m->mask.tun_metadata_present) >> field_option_index(f) & 1;
}

/* Loose matches.  Adds a condition, replacing one on the same option; a 'mask' of zeros asks only that the option be
 * there.  False if there is no room.  The value is stored in 'len' bytes, or as few as it needs if 'len' is 0. */
bool tun_match_set_loose(struct match *, const struct field *, const union field_value *v,
                         const union field_value *mask, size_t len) MUST_CHECK;
/* Bytes that it would have in all with the least that the value needs besides. */
size_t tun_match_space(const struct match *, const union field_value *v, const union field_value *mask);
/* What it says of the option: zeros where nothing.  Returns how many bytes it is stored in. */
size_t tun_match_get_loose(const struct match *, const struct field *, union field_value *v, union field_value *mask);

enum tun_bind { TUN_BOUND, TUN_NOT_IN_MAP, TUN_TOO_LONG };

/* Loose to bound, in place.  TUN_NOT_IN_MAP, TUN_TOO_LONG (bits of value or mask beyond the option's length): the match
 * is undefined.  'cut': such bits are ignored, and so are options that are not in the map. */
enum tun_bind tun_match_bind(const struct tun_map *, struct match *, bool cut) MUST_CHECK;
/* Bound to loose, in place. */
void tun_match_unbind(const struct tun_map *, struct match *);

/* Adds to the mask of a bound match that each option of its flow is matched exactly. */
void tun_match_add_present(const struct tun_map *, struct match *);

/* The same as for matches, for the constant of an action on 'mapped': a value and mask of 124 bytes, the mask becoming
 * all ones if it has all bits that the option has.  False if it has bits beyond. */
bool tun_value_fits(const struct field *mapped, const uint8_t *v, uint8_t *mask) MUST_CHECK;

#endif
