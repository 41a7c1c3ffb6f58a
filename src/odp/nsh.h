/* The network service header (RFC 8300) as netlink attributes: in push_nsh, and as a key in set and set_masked.
 *
 * Both hold nested attributes: BASE (8 bytes), and MD1 (the 16 bytes of context of metadata type 1) or MD2 (metadata
 * of variable length).  In set_masked each holds its value and then its mask.
 * Threads: pure. */
#ifndef ODP_NSH_H
#define ODP_NSH_H 1

#include "odp/action.h"
#include "packet/headers.h"

enum odp_nsh_attr { ODP_NSH_BASE = 1, ODP_NSH_MD1 = 2, ODP_NSH_MD2 = 3 };

/* The header's length has 6 bits and counts 4 bytes. */
enum { ODP_NSH_MAX_LEN = 63 * 4, ODP_NSH_MAX_METADATA = ODP_NSH_MAX_LEN - NSH_BASE_LEN };

/* The fields of a flow as a key. */
struct odp_key_nsh odp_key_nsh(const struct flow *);

/* Appends the nested attributes of a key; with masks, if 'mask' is not null. */
void odp_nsh_put_key(struct bytes *, const struct odp_key_nsh *value, const struct odp_key_nsh *mask);

/* Reads the 'n' bytes of such nested attributes; false if they are malformed.  What is not there is zero. */
bool odp_nsh_get_key(const void *attrs, size_t n, bool is_masked, struct odp_key_nsh *value,
                     struct odp_key_nsh *mask) MUST_CHECK;

/* Appends push_nsh; 'metadata': of type 2. */
void odp_put_push_nsh(struct bytes *actions, const struct odp_key_nsh *, const void *metadata, size_t metadata_len);

/* Reads the payload of push_nsh; false if it is malformed, or if the metadata is none of the key's type.  '*metadata'
 * points into it: '*metadata_len' bytes of type 2, null if there are none. */
bool odp_push_nsh_get(const struct odp_attr *, struct odp_key_nsh *, const uint8_t **metadata,
                      size_t *metadata_len) MUST_CHECK;

#endif
