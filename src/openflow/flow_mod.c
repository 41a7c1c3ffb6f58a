#include "openflow/flow_mod.h"

#include <stdlib.h>

void
flow_mod_init(struct flow_mod *fm)
{
    memset(fm, 0, sizeof *fm);
    fm->command = FM_ADD;
    fm->table_id = FM_TABLE_ANY;
    fm->priority = 32768;
    fm->buffer_id = FM_BUFFER_NONE;
    fm->out_port = OFPP_NONE;
    fm->out_group = FM_GROUP_ANY;
}

void
flow_mod_uninit(struct flow_mod *fm)
{
    free((void *) fm->actions.first);
    fm->actions = (struct act_span) { NULL, 0 };
}
