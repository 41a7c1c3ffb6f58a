/* The parts of depend.h: questions (depend_question.c), changes (depend_change.c), and what ties them (depend.c).
 * Everything is guarded by the mutex of struct depend. */
#ifndef OFPROTO_DEPEND_PRIVATE_H
#define OFPROTO_DEPEND_PRIVATE_H 1

#include "base/hmap.h"
#include "base/list.h"
#include "ofproto/depend.h"
#include "sys/slab_map.h"

enum { DEPEND_LOG = 1024 };

/* One question. */
struct node {
    struct slab_map_node map_node; /* In shape->nodes. */
    struct chain items;         /* struct path_item by 'by_node'. */
    slab_ref shape;
    uint64_t changed;           /* The last change that concerned it. */
    uint64_t values[];          /* shape->n_values of them. */
};

/* The lookups of one table that asked for the same bits, or all questions with a key of one kind. */
struct shape {
    struct list in_table;
    struct hmap_node by_mask;   /* In table->shapes_by_mask. */
    struct table *table;
    struct slab_map nodes;
    uint64_t all_changed;       /* The last change that concerned all its nodes. */
    struct list noted;          /* struct noted, oldest first: changes still to be compared with the nodes. */
    unsigned int n_noted;
    unsigned int n_values;
    struct word_map map;        /* Of a key: empty. */
    uint64_t masks[];
};

/* What shapes belong to: an OpenFlow table, or a kind of keys. */
struct table {
    struct hmap_node hmap_node; /* In depend->tables. */
    const struct xbridge *bridge;
    enum xlate_consulted_kind kind;
    uint8_t id;                 /* Of CONSULTED_TABLE; else 0. */
    struct list shapes;
    struct hmap shapes_by_mask; /* The same: traffic may be made to ask for many. */
    struct shape *recent;       /* Asked for last; null: it is gone. */
    size_t n_nodes;             /* Of all of them. */
};

/* The bits of a shape that a rule asks for too. */
struct common { unsigned int index; uint64_t bits, values; };

struct noted {
    struct list node;
    uint64_t seq;
    unsigned int n;
    struct common words[];
};

/* A node; its class: how many ask its table otherwise, also for other bits; and its table.  By these two, the lowest
 * first, they are in order in a path. */
struct placed {
    struct node *node;
    uint16_t class;
    uint16_t table;             /* Its kind and id. */
};

enum { N_RECENT_TABLES = 64 };
struct questions {
    struct hmap tables;
    struct table *recent[N_RECENT_TABLES]; /* By recent_table(). */
    size_t n_nodes;
    /* Of place_questions(). */
    struct asked *asked;
    struct placed *placed;
    size_t asked_capacity, placed_capacity;
};

enum change_kind { CHANGED_ALL, CHANGED_KEY, CHANGED_KIND, CHANGED_TABLE, CHANGED_RULE };
struct change {
    enum change_kind kind;
    enum xlate_consulted_kind asked; /* But for CHANGED_ALL. */
    const struct xbridge *bridge;
    uint8_t table_id;
    uint64_t key;               /* CHANGED_KEY; CHANGED_KIND: all of 'asked'. */
    struct word_map map;
    uint64_t *words;            /* CHANGED_RULE: masks, then values; owned. */
};

/* Questions. */

void questions_init(struct questions *);
/* Nothing may be left of them. */
void questions_uninit(struct questions *);

struct table *find_table(const struct questions *, const struct xbridge *, enum xlate_consulted_kind, uint8_t id);
static inline struct shape *shape_of(const struct node *n) { return slab_at(n->shape); }

/* Null if nobody asked. */
struct node *find_node(const struct shape *, const uint64_t *values);
/* The nodes of what a translation consulted, each once, made if need be, in the order of a path; their number.
 * 'words': of the lookups.  'nodes': until the next call. */
size_t place_questions(struct questions *, const struct xlate_consulted *, size_t n_asked, const uint64_t *words,
                       const struct placed **nodes);
/* Nobody asks any more; its shape and table go with it if it was the last. */
void drop_node(struct questions *, struct node *);
/* Forgets the notes up to change 'seq'. */
void forget_noted(struct shape *, uint64_t seq);

/* Changes. */

void change_of_rule(struct change *, const struct xbridge *, uint8_t table_id, const struct cls_rule *);
/* Where the change's mask has every bit that the shape's lookups asked for, at most one of them can match it: its
 * values are put into 'values'. */
bool change_covers(const struct change *, const struct shape *, uint64_t *values);
/* The bits that both ask for; the number of such words. */
unsigned int change_common(const struct change *, const struct word_map *, const uint64_t *masks, struct common *words);
/* Whether the question's values are the rule's, where both ask. */
bool change_agrees(const uint64_t *values, unsigned int n, const struct common *words);
/* Whether the change may alter the answer to a question. */
bool change_concerns(const struct change *, const struct xlate_consulted *, const uint64_t *words);

#endif
