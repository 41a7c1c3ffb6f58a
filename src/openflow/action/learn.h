/* learn: its text form is in a file of its own. */
#ifndef OPENFLOW_ACTION_LEARN_H
#define OPENFLOW_ACTION_LEARN_H 1

#include "openflow/action/ops.h"

/* Appends a zeroed spec with room for 'imm_len' bytes to the learn action at 'ofs', the last one in 'out'. */
struct learn_spec *learn_put_spec(struct act_buf *out, size_t ofs, size_t imm_len);

struct error *learn_parse(struct act_parser *p, const char *keyword, char *arg);
void learn_format(struct act_writer *w, const struct act *a);

#endif
