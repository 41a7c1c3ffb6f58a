#include "openflow/version.h"

#include <strings.h>

static const char *const names[] = { "OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14",
                                     "OpenFlow15" };
static const char *const numbers[] = { "1.0", "1.1", "1.2", "1.3", "1.4", "1.5" };

const char *
of_version_name(enum of_version v)
{
    return v >= OF_FIRST && v <= OF_LAST ? names[v - OF_FIRST] : NULL;
}

const char *
of_version_number(enum of_version v)
{
    return v >= OF_FIRST && v <= OF_LAST ? numbers[v - OF_FIRST] : NULL;
}

bool
of_version_parse(const char *name, enum of_version *v)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcasecmp(names[i], name)) {
            *v = OF_FIRST + i;
            return true;
        }
    }
    return false;
}
