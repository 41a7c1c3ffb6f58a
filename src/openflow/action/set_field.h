/* What other families use of set_field and load. */
#ifndef OPENFLOW_ACTION_SET_FIELD_H
#define OPENFLOW_ACTION_SET_FIELD_H 1

#include "openflow/action/action.h"

/* Appends a set_field; value bits outside the mask are cleared. */
struct act_set_field *act_put_set_field_act(struct act_buf *out, const struct field *f, const union field_value *v,
                                            const union field_value *mask);
/* The same for the bits of 'mask', which are one run: they show as "load" where a version has it. */
struct act_set_field *act_put_load(struct act_buf *out, const struct field *f, const union field_value *v,
                                   const union field_value *mask);

/* Cuts "LEFT->RIGHT" in 'arg' at the arrow. */
struct error *act_split_arrow(char *arg, char **dst) MUST_CHECK;

/* dl_vlan and dl_vlan_pcp are names of OpenFlow 1.0 without a number of their own: the field that actions send for
 * such a one; any other field itself. */
static inline const struct field *
act_numbered_field(const struct field *f)
{
    return f->id == FIELD_DL_VLAN ? field_of(FIELD_VLAN_VID)
           : f->id == FIELD_DL_VLAN_PCP ? field_of(FIELD_VLAN_PCP) : f;
}

/* oxm_parse_subfield() for actions that can name any field. */
struct error *act_parse_subfield(const char *text, struct subfield *sf, const char **tail) MUST_CHECK;

/* Bytes of the longest value that a range of a field can have. */
enum { ACT_LOAD_MAX = 124 };

/* Whether the value has no bits beyond the width. */
bool act_value_fits(const uint8_t value[ACT_LOAD_MAX], unsigned int n_bits);

/* Reads "VALUE->FIELD[BITS]" (and changes it): the value right-aligned. */
struct error *act_parse_load(char *arg, struct subfield *dst, uint8_t value[ACT_LOAD_MAX]) MUST_CHECK;

#endif
