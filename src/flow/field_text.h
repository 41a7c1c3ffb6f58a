/* Values of match fields as text: "10.0.0.0/8", "0x5/0xf", "+trk-new", "LOCAL"...
 *
 * Each field has one format (fields.def); reading and writing is per format, so a new field needs no code here.  Error
 * texts are the documented ones.
 *
 * Standards: ovs-fields(7). */
#ifndef FLOW_FIELD_TEXT_H
#define FLOW_FIELD_TEXT_H 1

#include "base/error.h"
#include "flow/field.h"
#include "flow/port.h"

/* Reads "VALUE" or "VALUE/MASK" into '*v' and '*mask' ("*" is all wildcards).  Value bits outside the mask are left as
 * they were written.  Port names need 'ports', which may be null. */
struct error *field_parse(const struct field *f, const char *text, const struct port_names *ports,
                          union field_value *v, union field_value *mask) MUST_CHECK;

/* Reads an integer of any size up to 'n' bytes, decimal, octal or 0x, and writes it right-aligned.  Returns 0, -EINVAL
 * for bad syntax or -ERANGE if it is larger.  '*tail' is set to the first character that is not part of it. */
int field_parse_int(const char *text, uint8_t *bytes, size_t n, const char **tail) MUST_CHECK;

/* Appends the value, with "/MASK" unless the mask is null or exact. */
void field_format(struct str *s, const struct field *f, const union field_value *v, const union field_value *mask,
                  const struct port_names *ports);

/* A packet type as a match has it: "packet_type=(1,0x800)", "eth". */
void field_format_packet_type(struct str *s, uint16_t ns, uint16_t type);

/* Whether all bits of the field are set in 'mask' (a value). */
bool field_mask_is_exact(const struct field *f, const union field_value *mask);

/* Names of flag bits: bit N is names[N], null if it has none. */
extern const char *const ct_state_names[8];
extern const char *const tcp_flag_names[12];
extern const char *const tun_flag_names[1];

/* Appends "+a-b" for the bits of 'mask', or "a|b" ("0" if none) if the mask is exactly 'all'. */
void flags_format(struct str *s, uint32_t flags, uint32_t mask, uint32_t all, const char *const *names,
                  unsigned int n_names);

/* "no", "yes", "first", "later", "not_later", or "<error>". */
const char *frag_name(uint8_t frag, uint8_t mask);

/* Appends "0x0" style hexadecimal of 'n' bytes without leading zeros ("0" for zero). */
void bytes_format_hex(struct str *s, const uint8_t *bytes, size_t n);

#endif
