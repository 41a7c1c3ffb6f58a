#include <stdlib.h>

#include "vswitchd/vswitchd.h"

void
object_init(struct object *o, struct vswitchd *sw, struct hmap *table, const struct uuid *uuid, const char *name)
{
    o->sw = sw;
    o->uuid = *uuid;
    o->name = xstrdup(name);
    list_init(&o->dirty);
    list_init(&o->stale);
    hmap_insert(table, &o->node, uuid_hash(uuid));
}

void
object_uninit(struct object *o, struct hmap *table)
{
    hmap_remove(table, &o->node);
    list_remove(&o->dirty);
    list_remove(&o->stale);
    free(o->name);
}

void
object_take_row(struct object *o, struct hmap *table, const struct uuid *uuid)
{
    hmap_remove(table, &o->node);
    o->uuid = *uuid;
    hmap_insert(table, &o->node, uuid_hash(uuid));
}

struct object *
object_find(const struct hmap *table, const struct uuid *uuid)
{
    HMAP_FOR_EACH_WITH_HASH (o, struct object, node, uuid_hash(uuid), table) {
        if (uuid_equal(&o->uuid, uuid)) {
            return o;
        }
    }
    return NULL;
}

void
object_dirty(struct object *o, struct list *list)
{
    if (list_is_empty(&o->dirty)) {
        list_push_back(list, &o->dirty);
    }
}

void
object_stale(struct object *o, struct list *list)
{
    list_remove(&o->stale); /* It may be in flight. */
    list_push_back(list, &o->stale);
    o->stale_in = list;
}
