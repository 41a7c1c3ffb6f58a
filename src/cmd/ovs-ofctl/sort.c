#include <stdlib.h>
#include <string.h>

#include "cmd/ovs-ofctl/ofctl.h"
#include "flow/match_text.h"
#include "flow/tun_metadata.h"

void
ofctl_add_sort_key(const char *name, bool descending)
{
    const struct field *f = NULL;

    if (name && strcasecmp(name, "priority")) {
        f = field_by_name(name);
        if (!f) {
            cmdline_fatal(0, "%s: unknown field name", name);
        }
    }
    ofctl_options.sort_keys = xreallocarray(ofctl_options.sort_keys, ofctl_options.n_sort_keys + 1,
                                            sizeof *ofctl_options.sort_keys);
    ofctl_options.sort_keys[ofctl_options.n_sort_keys++] = (struct sort_key) { f, descending };
}

static bool
says(const struct field *f, const struct match *m)
{
    return field_is_option(f) ? tun_match_has(m, f) : field_is_any(f, &m->mask);
}

/* A flow that says nothing of the field comes last, whatever the direction; wildcarded bits count as zero. */
static int
compare_by_field(const struct field *f, bool descending, const struct match *a, const struct match *b)
{
    bool any_a = says(f, a), any_b = says(f, b);
    union field_value va, vb, mask;
    int order;

    if (any_a != any_b) {
        return any_a ? -1 : 1;
    }
    match_get_field(a, f, &va, &mask);
    match_get_field(b, f, &vb, &mask);
    order = memcmp(va.bytes, vb.bytes, f->wire_bytes);
    return descending ? -order : order;
}

static int
compare_flows(const void *a_, const void *b_)
{
    const struct flow_stats *a = &(*(struct dumped_flow *const *) a_)->stats;
    const struct flow_stats *b = &(*(struct dumped_flow *const *) b_)->stats;

    for (size_t i = 0; i < ofctl_options.n_sort_keys; i++) {
        const struct sort_key *key = &ofctl_options.sort_keys[i];
        int order;

        if (key->field) {
            order = compare_by_field(key->field, key->descending, &a->match, &b->match);
        } else {
            order = a->priority < b->priority ? -1 : a->priority > b->priority;
            order = key->descending ? -order : order;
        }
        if (order) {
            return order;
        }
    }
    return 0;
}

/* Keeps the order of flows that compare equal: glibc's qsort() does, as it merges. */
void
ofctl_sort_flows(struct dumped_flow **flows, size_t n)
{
    if (ofctl_options.n_sort_keys && n) {
        qsort(flows, n, sizeof *flows, compare_flows);
    }
}
