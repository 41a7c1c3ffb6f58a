/* The tree of a trace's reports, and how it is printed.
 *
 * Levels are steps of four columns.  What the last action of a list leads to (another table, another bridge) is printed
 * as if it followed the list, so that chains of tables do not wander to the right. */
#include <stdlib.h>

#include "ofproto/xlate/trace_private.h"

static void
add_child(struct trace_node *parent, struct trace_node *child)
{
    if (parent->n >= parent->capacity) {
        parent->children = x2nrealloc(parent->children, &parent->capacity, sizeof *parent->children);
    }
    parent->children[parent->n++] = child;
}

/* 'depth' says whose child it is: the last one at each depth above. */
static void
on_report(struct xlate_trace *trace, enum xlate_trace_kind kind, int depth, const char *text)
{
    struct trace_node *parent = &CONTAINER_OF(trace, struct trace_tree, trace)->root;
    struct trace_node *node = xzalloc(sizeof *node);

    for (int i = 0; i < depth && parent->n; i++) {
        parent = parent->children[parent->n - 1];
    }
    node->kind = kind;
    node->text = xstrdup(text);
    add_child(parent, node);
}

void
trace_tree_init(struct trace_tree *t)
{
    memset(t, 0, sizeof *t);
    t->trace.report = on_report;
}

static void
free_children(struct trace_node *node)
{
    for (size_t i = 0; i < node->n; i++) {
        free_children(node->children[i]);
        free(node->children[i]->text);
        free(node->children[i]);
    }
    free(node->children);
}

void
trace_tree_uninit(struct trace_tree *t)
{
    free_children(&t->root);
}

static void put_list(struct str *s, const struct trace_node *parent, int level);

static void
put_indent(struct str *s, int columns)
{
    str_put_fill(s, ' ', MAX(columns, 0));
}

static void
put_bridge(struct str *s, const struct trace_node *node, int level, int list_level)
{
    str_putc(s, '\n');
    put_indent(s, level * 4);
    str_putf(s, "%s\n", node->text);
    put_indent(s, level * 4);
    str_put_fill(s, '-', strlen(node->text));
    str_putc(s, '\n');
    put_list(s, node, list_level);
}

static void
put_table(struct str *s, const struct trace_node *node, int level, int list_level)
{
    put_indent(s, level * 4);
    str_putf(s, "%s\n", node->text);
    put_list(s, node, list_level);
}

/* What an action at 'level' led to. */
static void
put_outcome(struct str *s, const struct trace_node *node, int level, bool is_tail)
{
    switch (node->kind) {
    case TRACE_BRIDGE: put_bridge(s, node, is_tail ? level - 1 : level, is_tail ? level : level + 2); break;
    case TRACE_TABLE: put_table(s, node, is_tail ? level - 1 : level, is_tail ? level : level + 2); break;
    case TRACE_DETAIL: put_indent(s, level * 4); str_putf(s, " -> %s\n", node->text); break;
    case TRACE_WARN: put_indent(s, level * 4); str_putf(s, " >> %s\n", node->text); break;
    case TRACE_ERROR: put_indent(s, level * 4); str_putf(s, " >>>> %s <<<<\n", node->text); break;
    case TRACE_BUCKET: put_table(s, node, level, level + 2); break;
    case TRACE_THAW: put_indent(s, (is_tail ? level + 1 : level + 2) * 4); str_putf(s, "%s\n", node->text); break;
    case TRACE_ACTION: put_indent(s, (level + 1) * 4); str_putf(s, "%s\n", node->text); break;
    }
}

/* The children of a bridge or a table: tables stand a step to the left of actions. */
static void
put_list(struct str *s, const struct trace_node *parent, int level)
{
    for (size_t i = 0; i < parent->n; i++) {
        const struct trace_node *node = parent->children[i];

        if (node->kind == TRACE_TABLE) {
            put_table(s, node, level - 1, level);
            continue;
        }
        if (node->kind != TRACE_ACTION && node->kind != TRACE_THAW) {
            put_outcome(s, node, level, node->kind != TRACE_BRIDGE || i == parent->n - 1);
            continue;
        }
        put_indent(s, level * 4);
        str_putf(s, "%s\n", node->text);
        for (size_t k = 0; k < node->n; k++) {
            put_outcome(s, node->children[k], level,
                        (i == parent->n - 1 || node->kind == TRACE_THAW) && k == node->n - 1);
        }
    }
}

void
trace_tree_put(struct str *s, const struct trace_tree *t)
{
    for (size_t i = 0; i < t->root.n; i++) {
        put_outcome(s, t->root.children[i], 1, true);
    }
}
