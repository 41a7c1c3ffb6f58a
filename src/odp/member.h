/* One named member of a datapath key attribute in text, such as "ttl" of ipv4(..): a range of bits of struct flow
 * and how its value looks.  Private to this directory. */
#ifndef ODP_MEMBER_H
#define ODP_MEMBER_H 1

#include "odp/text.h"

enum member_kind {
    MEMBER_DEC,       /* 6, mask 0xff */
    MEMBER_DEC_VLAN,  /* 6, mask always with 0x */
    MEMBER_DEC_BIT,   /* 1, mask 1 */
    MEMBER_HEX,       /* 0x6; 0 for zero */
    MEMBER_HEX4,      /* 0x0800 */
    MEMBER_WIDE_HEX,  /* up to 128 bits */
    MEMBER_ETH, MEMBER_IPV4, MEMBER_IPV6,
    MEMBER_PORT,      /* Datapath port. */
    MEMBER_FRAG, MEMBER_TCP_FLAGS, MEMBER_CT_STATE, MEMBER_TUN_FLAGS
};

struct member {
    const char *name;  /* "" if it is the attribute's only value. */
    uint16_t bit;      /* First bit, from the start of struct flow. */
    uint8_t n_bits;
    uint8_t kind;      /* enum member_kind */
    bool is_alias;     /* Another name, for reading only. */
};

#define MEMBER(NAME, FLOW, BIT, N_BITS, KIND) { NAME, offsetof(struct flow, FLOW) * 8 + (BIT), N_BITS, MEMBER_##KIND }
#define MEMBER_ALIAS(NAME, FLOW, BIT, N_BITS, KIND) \
    { NAME, offsetof(struct flow, FLOW) * 8 + (BIT), N_BITS, MEMBER_##KIND, true }

/* Whether a mask has any, all of the bits; setting all; the value of members of up to 64 bits. */
bool member_is_any(const struct member *, const struct flow *mask);
bool member_is_exact(const struct member *, const struct flow *mask);
void member_set_ones(const struct member *, struct flow *mask);
uint64_t member_get(const struct member *, const struct flow *);
void member_set(const struct member *, struct flow *, uint64_t v);

/* Appends the value without its name; with "/mask" unless it is exact ('mask' null). */
void member_put(struct str *s, const struct member *, const struct flow *flow, const struct flow *mask,
                const struct odp_names *names);

/* Appends "/mask", also an exact one. */
void member_put_mask(struct str *s, const struct member *, const struct flow *mask);

/* Reads "value" or "value/mask" at '*p' and moves it on.  False for bad syntax, values out of range, or a mask where
 * 'mask' is null. */
bool member_scan(const char **p, const struct member *, const struct odp_names *names, struct flow *flow,
                 struct flow *mask);

/* A list of members in parentheses: "name(a=1,b=2)", or "name(1)" for a single one without a name. */
struct attr_text {
    const char *name;
    uint8_t key;               /* enum odp_key; 0 if it is never set by an action. */
    uint8_t n_members;
    const struct member *members;
};

/* In text_attr.c: by name ('n' bytes of it), by key; null if there is none. */
const struct attr_text *attr_by_name(const char *name, size_t n);
const struct attr_text *attr_by_key(enum odp_key key);

/* Whether anything of the attribute is in the mask. */
bool attr_is_any(const struct attr_text *, const struct flow *mask);

/* Appends "name(..)," with the members that 'mask' has any bit of, or all ('all').  Null mask: all, exactly. */
void attr_put(struct str *s, const struct attr_text *, const struct flow *flow, const struct flow *mask, bool all,
              const struct odp_names *names);

/* Reads one "name=value" of the attribute. */
bool attr_scan_member(const char **p, const struct attr_text *, const struct odp_names *names, struct flow *flow,
                      struct flow *mask);

/* Reads what is between the parentheses and the closing one. */
bool attr_scan(const char **p, const struct attr_text *, const struct odp_names *names, struct flow *flow,
               struct flow *mask);

/* In text_mpls.c: the list of labels, "mpls(label=..,tc=..,ttl=..,bos=..,label=..)". */
void mpls_put(struct str *s, const struct flow *flow, const struct flow *mask);
bool mpls_scan(const char **p, struct flow *flow, struct flow *mask);

/* In text_nsh.c: what 'mask' has any bit of; null: all. */
void nsh_put(struct str *s, const struct flow *flow, const struct flow *mask);

/* In text_tunnel.c. */
bool tunnel_is_present(const struct flow *);
void tunnel_put(struct str *s, const struct flow *flow, const struct flow *mask, bool all);
bool tunnel_scan(const char **p, struct flow *flow, struct flow *mask);

/* Skips one of the separators between attributes and members: commas and white space; skips 'literal' if it is there
 * and says whether it was. */
void scan_separators(const char **p);
bool scan_literal(const char **p, const char *literal);
/* Reads an unsigned number below 2 to the power of 'n_bits'. */
bool scan_number(const char **p, unsigned int n_bits, uint64_t *v);

#endif
