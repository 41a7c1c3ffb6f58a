/* Joints: what subtables whose masks differ only in ports (layer 4) have in common.  Private to the classifier.
 *
 * Where rules have prefixes of addresses and ranges of ports, many masks differ in the ports alone.  Whether a subtable
 * has the packet's addresses is the same question in all of those, so their sets for that stage are one: with each
 * hash it has, a byte for each member, how many of its nodes have it.  A search asks it once, and passes over the
 * members that lack the packet's addresses without looking at them; it notes for all of them what it would note for
 * each, since what their masks have up to there is the same.
 *
 * A joint has up to CLS_JOINT_MEMBERS members; there may be more of the same mask.  The subtable without ports is one,
 * unless it had many rules before there was a joint: it then asks for itself, as where no mask has ports.
 *
 * Threads: one writer; *_rcu() any reader. */
#ifndef CLASSIFIER_JOINT_H
#define CLASSIFIER_JOINT_H 1

#include "classifier/subtable.h"

enum { CLS_JOINT_MEMBERS = 4, CLS_JOINT_BITS = 32 / CLS_JOINT_MEMBERS };

struct cls_joint {
    struct cls_stage_set set;   /* CLS_JOINT_BITS for each member. */
    /* The writer's. */
    struct list in_classifier;
    struct hmap more;           /* What does not fit into the bits of a member. */
    unsigned int members;       /* Bit N: there is a member N. */
    unsigned int number;        /* In the order that is being made. */
    unsigned int n_words;
    struct cls_word words[];    /* Of the masks, up to layer 3. */
};

/* A new subtable without rules, which 'order' does not have yet, becomes a member of one of 'joints', or of a new one
 * if it has addresses and ports; so may then one of 'order' that has the same mask but for ports.  Before an order is
 * made with it. */
void cls_joint_join(struct list *joints, const struct cls_order *order, struct cls_subtable *);
/* A subtable that no later order has leaves its joint; readers may still ask it. */
void cls_joint_leave(struct cls_subtable *);

/* A node of the member with this hash comes, or goes. */
void cls_joint_add(struct cls_joint *, unsigned int member, uint64_t hash);
void cls_joint_remove(struct cls_joint *, unsigned int member, uint64_t hash);

/* The bits of a member in what cls_joint_get_rcu() says. */
static inline uint32_t
cls_joint_bits(unsigned int member)
{
    return ((UINT32_C(1) << CLS_JOINT_BITS) - 1) << member * CLS_JOINT_BITS;
}
/* Any bit of a member: some of its nodes have the hash. */
static inline uint32_t
cls_joint_get_rcu(const struct cls_joint *j, uint64_t hash)
{
    return cls_stage_set_get_rcu(&j->set, hash);
}

#endif
