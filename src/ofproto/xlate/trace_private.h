/* What the files of trace share. */
#ifndef OFPROTO_XLATE_TRACE_PRIVATE_H
#define OFPROTO_XLATE_TRACE_PRIVATE_H 1

#include "odp/text.h"
#include "ofproto/xlate/trace.h"

/* Packets that a trace follows through connection tracking: a loop of tables would never end. */
enum { TRACE_MAX_RECIRCULATIONS = 64 };

/* The tree of reports. */
struct trace_node {
    enum xlate_trace_kind kind;
    char *text;                    /* Owned. */
    struct trace_node **children;  /* Owned. */
    size_t n, capacity;
};

struct trace_tree {
    struct xlate_trace trace;      /* What translation reports to. */
    struct trace_node root;
};

/* Prepare the tree for reports; release it; append its text. */
void trace_tree_init(struct trace_tree *);
void trace_tree_uninit(struct trace_tree *);
void trace_tree_put(struct str *s, const struct trace_tree *);

/* "trk|new", or "0". */
void trace_put_ct_state(struct str *, uint8_t state);

struct trace_odp_names {
    struct odp_names names;
    const struct xdp *xdp;
};
void trace_odp_names_init(struct trace_odp_names *, const struct xdp *);

#endif
