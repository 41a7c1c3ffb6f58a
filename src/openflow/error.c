#include "openflow/error.h"

#include <string.h>

struct code_row {
    enum ofperr error;
    enum of_version first, last;
    struct ofperr_code code;
};

#define OF OF_VENDOR_NONE
#define NX OF_VENDOR_NX
#define ONF OF_VENDOR_ONF

static const struct code_row code_rows[] = {
#define ERROR(NAME, DOC)
#define CODE(NAME, VENDOR, FIRST, LAST, TYPE, CODE) { OFPERR_##NAME, FIRST, LAST, { VENDOR, TYPE, CODE } },
#include "openflow/errors.def"
};

static const struct {
    const char *name, *doc;
} error_rows[OFPERR_N] = {
#define ERROR(NAME, DOC) [OFPERR_##NAME] = { #NAME, DOC },
#define CODE(NAME, VENDOR, FIRST, LAST, TYPE, CODE)
#include "openflow/errors.def"
};

static bool
is_error(enum ofperr error)
{
    return error > OFPERR_NONE && error < OFPERR_N;
}

const char *
ofperr_name(enum ofperr error)
{
    return is_error(error) ? error_rows[error].name : "<unknown>";
}

const char *
ofperr_doc(enum ofperr error)
{
    return is_error(error) ? error_rows[error].doc : "unknown error";
}

enum ofperr
ofperr_by_name(const char *name)
{
    for (unsigned int i = 1; i < OFPERR_N; i++) {
        if (!strcmp(error_rows[i].name, name)) {
            return i;
        }
    }
    return OFPERR_NONE;
}

bool
ofperr_encode(enum ofperr error, enum of_version version, struct ofperr_code *code)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(code_rows); i++) {
        const struct code_row *row = &code_rows[i];

        if (row->error == error && version >= row->first && version <= row->last) {
            *code = row->code;
            return true;
        }
    }
    return false;
}

enum ofperr
ofperr_decode(enum of_version version, const struct ofperr_code *code)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(code_rows); i++) {
        const struct code_row *row = &code_rows[i];

        if (version >= row->first && version <= row->last && row->code.vendor == code->vendor &&
            row->code.type == code->type && row->code.code == code->code) {
            return row->error;
        }
    }
    return OFPERR_NONE;
}
