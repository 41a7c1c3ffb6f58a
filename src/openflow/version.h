/* The versions of OpenFlow, in the order and with the numbers of the wire. */
#ifndef OPENFLOW_VERSION_H
#define OPENFLOW_VERSION_H 1

#include "base/util.h"

enum of_version {
    OF10 = 1, OF11, OF12, OF13, OF14, OF15,
    OF_FIRST = OF10, OF_LAST = OF15
};

/* "OpenFlow10" to "OpenFlow15", as command lines and the database have them; null for no known version. */
const char *of_version_name(enum of_version v);

/* That of an error about a message whose first byte is 'byte': the message's own, so that its sender can read it. */
static inline enum of_version
of_version_to_answer(uint8_t byte)
{
    return byte >= OF_FIRST && byte <= OF_LAST ? (enum of_version) byte : OF_FIRST;
}

/* The reverse of of_version_name(), case ignored; false if there is no such version. */
bool of_version_parse(const char *name, enum of_version *v);

/* "1.0" to "1.5". */
const char *of_version_number(enum of_version v);

#endif
