/* Keywords with values, as flows, actions and groups have them. */
#ifndef OPENFLOW_ACTION_KEY_VALUE_H
#define OPENFLOW_ACTION_KEY_VALUE_H 1

#include <stdbool.h>

/* Takes "key", "key=value", "key:value", "key(value)" from '*text', which is changed; the value is "" if there is none.
 * What follows a closing parenthesis up to the next separator belongs to the value ("check_pkt_larger(1500)->reg0[0]"
 * gives "1500)->reg0[0]").  False at the end. */
bool act_take_key_value(char **text, char **key, char **value);

#endif
