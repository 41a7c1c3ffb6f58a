/* The rules that a request is about, found while its reply is made in steps.
 *
 * All rules that were visible at one moment, in the order in which dumps show them; each is referenced, so that it can
 * still be told when it has left its table meanwhile.
 *
 * They are looked for as the reply needs them.  Until the last is found no rule leaves its table (those that are
 * dropped are hidden, and wait with others for change_unlink_retired()); whoever wants to take rules out has the rest
 * found first, so that a peer that reads slowly holds up nobody.
 *
 * Threads: main. */
#ifndef OFPROTO_RULE_LIST_H
#define OFPROTO_RULE_LIST_H 1

#include "ofproto/ofproto_private.h"

/* How many are looked at before others have their turn; before the clock is looked at. */
enum { RULES_A_STEP = 512, RULES_A_LOOK = 32 };

struct rule_list {
    struct list node;        /* In ofproto->rule_lists until all have been found; then linked to itself. */
    struct ofproto *p;       /* Null: of no rules. */
    uint64_t version;        /* Of the tables, at the beginning. */
    unsigned int table_id, last_table_id; /* That is searched; the last. */
    const struct match *criteria; /* The caller's; null: all. */
    bool with_hidden;        /* Also the switch's own. */
    struct cls_cursor cursor;
    bool has_cursor;
    struct rule **rules;     /* Found: those from 'next' on have not been taken. */
    size_t next, n, capacity;
};

/* Begins with the rules of 'table_id' (255: of all that controllers see) inside 'criteria' (null: all), which must live
 * as long, that are not the switch's own.  A list of zeros is one without rules. */
void rule_list_begin(struct rule_list *, struct ofproto *, uint8_t table_id, const struct match *criteria);
/* With all rules of all tables. */
void rule_list_begin_all(struct rule_list *, struct ofproto *);

/* Looks at some RULES_A_STEP more rules if none is left that has been found; false once all have been taken. */
bool rule_list_more(struct rule_list *);

/* Takes the next that has been found, whose reference becomes the caller's; null if rule_list_more() is due. */
struct rule *rule_list_next(struct rule_list *);

void rule_list_uninit(struct rule_list *);

/* Finds the rest of all lists of a bridge, so that rules may leave the tables; whether that is done.  The caller holds
 * tables_mutex. */
bool rule_lists_complete(struct ofproto *, struct loop_slice *);

#endif
