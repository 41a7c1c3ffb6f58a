/* The meter syntax of ovs-ofctl(8): "meter=1,kbps,burst,bands=type=drop,rate=5,burst_size=3" to 'struct meter_mod'. */
#ifndef OPENFLOW_MSG_METER_SYNTAX_H
#define OPENFLOW_MSG_METER_SYNTAX_H 1

#include "base/error.h"
#include "openflow/msg/meter.h"

/* Reads 'text' into '*mm' (empty after an error).  With METER_DELETE only the meter is said, all of them by default.
 * '*protocols' gets those that have meters. */
struct error *meter_mod_parse(struct meter_mod *mm, const char *text, enum meter_command command,
                              unsigned int *protocols) MUST_CHECK;

#endif
