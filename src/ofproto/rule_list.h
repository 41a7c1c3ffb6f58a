/* The rules that a request is about, held while its reply is made in steps.
 *
 * All rules that were visible at one moment, in the order in which dumps show them; each is referenced, so that it can
 * still be told when it has left its table meanwhile.
 *
 * Threads: main. */
#ifndef OFPROTO_RULE_LIST_H
#define OFPROTO_RULE_LIST_H 1

#include "ofproto/ofproto_private.h"

enum { RULES_A_STEP = 512 }; /* That a job looks at before it looks at the clock of others. */

struct rule_list {
    struct rule **rules;
    size_t next, n, capacity;
};

/* Adds the rules of 'table_id' (255: of all that controllers see) inside 'criteria' (null: all) that are not the
 * switch's own. */
void rule_list_collect(struct rule_list *, struct ofproto *, uint8_t table_id, const struct match *criteria);

/* Takes the next, whose reference becomes the caller's; null at the end. */
struct rule *rule_list_next(struct rule_list *);

void rule_list_uninit(struct rule_list *);

#endif
