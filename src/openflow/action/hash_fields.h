/* Names of what multipath and bundle hash. */
#ifndef OPENFLOW_ACTION_HASH_FIELDS_H
#define OPENFLOW_ACTION_HASH_FIELDS_H 1

#include "openflow/action/action.h"

const char *hash_fields_name(unsigned int value);
/* The value of enum hash_fields, -1 if there is none of that name. */
int hash_fields_parse(const char *text);

#endif
