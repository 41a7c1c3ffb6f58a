/* Rules about which actions may stand where, for the files of this directory. */
#ifndef OPENFLOW_ACTION_VERIFY_H
#define OPENFLOW_ACTION_VERIFY_H 1

#include "openflow/action/ops.h"

/* Checks the order of instructions and what may be nested where.  'outer' is what 's' is nested in, ACT_N for nothing.
 * Returns the error in words and sets '*code'; null if all is well. */
struct error *act_verify(struct act_span s, enum act_type outer, enum ofperr *code) MUST_CHECK;

/* The same for what came from the wire: logs the words. */
enum ofperr act_verify_decoded(struct act_span s) MUST_CHECK;

/* Decodes without verifying. */
enum ofperr act_decode_list(const void *wire, size_t n, enum of_version v, struct act_buf *out) MUST_CHECK;

#endif
