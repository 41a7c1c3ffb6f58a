#include "base/roll.h"

void
roll_init(struct roll *r)
{
    list_init(&r->entries);
    list_init(&r->walks);
    r->n_added = 0;
}

void
roll_add(struct roll *r, struct roll_entry *e)
{
    e->number = r->n_added++;
    list_push_back(&r->entries, &e->node);
}

/* To the entry whose node this is, unless that is the head, or came after the beginning. */
static void
go_to(struct roll_walk *w, const struct list *node)
{
    w->next = node == &w->roll->entries ? NULL : CONTAINER_OF(node, struct roll_entry, node);
    if (w->next && w->next->number >= w->end) {
        w->next = NULL;
    }
}

void
roll_remove(struct roll *r, struct roll_entry *e)
{
    LIST_FOR_EACH (w, struct roll_walk, node, &r->walks) {
        bool is_to_come = w->next && e->number >= w->next->number && e->number < w->end;

        if (w->next == e) {
            go_to(w, e->node.next);
        }
        if (is_to_come) {
            w->meet(w, e);
        }
    }
    list_remove(&e->node);
}

void
roll_walk_begin(struct roll_walk *w, struct roll *r, void (*meet)(struct roll_walk *, struct roll_entry *))
{
    w->roll = r;
    w->end = r->n_added;
    w->meet = meet;
    list_push_back(&r->walks, &w->node);
    go_to(w, r->entries.next);
}

bool
roll_walk_step(struct roll_walk *w, unsigned int n)
{
    for (; n && w->next; n--) {
        struct roll_entry *e = w->next;

        go_to(w, e->node.next);
        w->meet(w, e);
    }
    return !w->next;
}

void
roll_walk_end(struct roll_walk *w)
{
    list_remove(&w->node);
}
