#include "datapath/datapath.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CLASSES = 8 };

static const struct datapath_class *classes[MAX_CLASSES];
static const char *types[MAX_CLASSES + 1];

void
datapath_class_register(const struct datapath_class *class)
{
    size_t i;

    for (i = 0; i < MAX_CLASSES && classes[i] && strcmp(classes[i]->type, class->type); i++) {
        continue;
    }
    if (i == MAX_CLASSES) {
        abort();
    }
    classes[i] = class;
    types[i] = class->type;
}

static const struct datapath_class *
find(const char *type)
{
    for (size_t i = 0; i < MAX_CLASSES && classes[i]; i++) {
        if (!strcmp(classes[i]->type, type)) {
            return classes[i];
        }
    }
    return NULL;
}

const struct datapath_class *
datapath_class_find(const char *type, const char **served_by)
{
    const char *wanted = type[0] ? type : "system";
    const struct datapath_class *class = find(wanted);

    if (served_by) {
        *served_by = NULL;
    }
    if (!class && !strcmp(wanted, "system")) {
        class = find("netdev");
        if (class && served_by) {
            *served_by = class->type;
        }
    }
    return class;
}

const char *const *
datapath_types(void)
{
    return types;
}

bool
datapath_prepare(const char *type, void (*done)(void *aux), void *aux)
{
    const struct datapath_class *class = datapath_class_find(type, NULL);

    return !class || !class->prepare || class->prepare(done, aux);
}

int
datapath_open(const char *type, const char *name, bool create, struct datapath **dp)
{
    const struct datapath_class *class = datapath_class_find(type, NULL);

    *dp = NULL;
    return class ? class->open(class, name, create, dp) : -EAFNOSUPPORT;
}

void
datapath_close(struct datapath *dp)
{
    if (dp) {
        dp->class->close(dp);
    }
}
