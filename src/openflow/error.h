/* Errors that go to a controller.
 *
 * A function that decodes or applies something from the wire returns 'enum ofperr': OFPERR_NONE (zero) or the error to
 * send.  Names are those of the specifications ("OFPBRC_BAD_LEN"); the numbers of each version are rows of errors.def.
 *
 * On the wire an error is (type, code); vendor errors carry more (wire form by the message codec):
 *   - OF1.0 and 1.1: type 0xb0c2, code 0, then vendor32, type16, code16;
 *   - OF1.2 and later: type 0xffff, code = the vendor's number, then vendor32.
 *
 * Standards: OpenFlow 1.0 to 1.5, error messages. */
#ifndef OPENFLOW_ERROR_H
#define OPENFLOW_ERROR_H 1

#include "openflow/version.h"

enum ofperr {
    OFPERR_NONE,
#define ERROR(NAME, DOC) OFPERR_##NAME,
#define CODE(NAME, VENDOR, FIRST, LAST, TYPE, CODE)
#include "openflow/errors.def"
    OFPERR_N
};

/* Vendor ids of OpenFlow extensions. */
enum of_vendor {
    OF_VENDOR_NONE = 0,
    OF_VENDOR_NX = 0x00002320,
    OF_VENDOR_ONF = 0x4f4e4600,
    OF_VENDOR_NTR = 0x0000154d,
    OF_VENDOR_NTR_COMPAT = 0x00001540,
    OF_VENDOR_HPL = 0x000004ea,
    OF_VENDOR_INTEL = 0x0000aa01
};

/* Number of an error in one version.  'vendor' is 0 for a plain error; 'type' is 0 for vendor errors of OF1.2 and
 * later, whose number is 'code'. */
struct ofperr_code {
    uint32_t vendor;
    uint16_t type, code;
};

/* "OFPBRC_BAD_LEN"; a few words about it.  For any value of the enum but OFPERR_NONE. */
const char *ofperr_name(enum ofperr);
const char *ofperr_doc(enum ofperr);

/* The error of that name, OFPERR_NONE if there is none. */
enum ofperr ofperr_by_name(const char *name);

/* The numbers of 'error' in 'version'; false if it has none there (send NXBRC_UNENCODABLE_ERROR instead). */
bool ofperr_encode(enum ofperr error, enum of_version version, struct ofperr_code *code);

/* The error with these numbers, OFPERR_NONE if unknown. */
enum ofperr ofperr_decode(enum of_version version, const struct ofperr_code *code);

#endif
