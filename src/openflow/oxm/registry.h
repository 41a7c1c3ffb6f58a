/* Rows of oxm.def, for the files of this directory. */
#ifndef OPENFLOW_OXM_REGISTRY_H
#define OPENFLOW_OXM_REGISTRY_H 1

#include "openflow/oxm/oxm.h"

enum { OXM_EXPERIMENTER = 0xffff };

struct oxm_row {
    enum field_id field;
    const char *name;
    uint16_t class;
    uint8_t number;
    uint32_t experimenter;
    enum of_version first;
};

extern const struct oxm_row oxm_rows[];

/* Each returns null if there is no such row. */
const struct oxm_row *oxm_row_by_number(uint16_t class, uint8_t number, uint32_t experimenter);
const struct oxm_row *oxm_row_by_name(const char *name, size_t n);
/* The field's oldest row; the one that a version sends. */
const struct oxm_row *oxm_row_first(const struct field *f);
const struct oxm_row *oxm_row_for_version(const struct field *f, enum of_version version);

/* Takes any header, known or not; false if the bytes do not suffice or the length is too small for it. */
bool oxm_take_header(struct cursor *c, struct oxm_header *h) MUST_CHECK;
/* Takes the value and the mask (all ones if there is none) that belong to the header. */
enum ofperr oxm_take_body(struct cursor *c, const struct oxm_header *, const struct field **f, union field_value *v,
                          union field_value *mask) MUST_CHECK;
/* Appends the header of 'row' for a body of 'n' bytes of value (and as many of mask). */
void oxm_put_header(struct bytes *b, const struct oxm_row *row, size_t n, bool has_mask);

/* Appends the entry of a tunnel option that the match may have, in as many bytes as it has there. */
void oxm_put_option(struct bytes *b, const struct match *m, const struct field *f, enum of_version version);

/* Logs that an entry has value bits outside its mask. */
void oxm_warn_wildcards(const struct oxm_header *);

#endif
