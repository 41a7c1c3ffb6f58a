/* normalize-actions: lists of actions that do the same in another order look the same.
 *
 * Pushing and popping of tags and labels goes into what the packet looks like; all other actions are told under what
 * it looks like when they are carried out, in order of tags and labels.  Inside of one group the order stays, but
 * outputs right after each other come in order of ports. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "ofproto/dpctl.h"

/* What distinguishes groups; their order is that of the bytes. */
struct look {
    struct { be16 tpid, tci; } tags[2];   /* Outermost first; zeros: none. */
    be32 labels[FLOW_MPLS_LABELS];        /* Likewise... */
    unsigned int n_labels;                /* ...as many as are known. */
};

struct group {
    struct look look;
    struct bytes actions;
};

/* As it stands in a list of actions. */
struct output {
    struct odp_attr attr;
    uint32_t port;
};

struct groups {
    struct group *v;
    size_t n;
};

/* "NAME=NUMBER" arguments. */
struct port_list {
    struct odp_names names;
    int n;
    const char **args;
};

static bool
parse_port(const char *arg, size_t *name_len, odp_port *port)
{
    const char *equals = strchr(arg, '=');

    *name_len = equals ? equals - arg : 0;
    return *name_len && num_parse_u32(equals + 1, 10, &port->n);
}

/* The last one counts. */
static bool
find_port(const struct odp_names *n, const char *name, odp_port *port)
{
    const struct port_list *l = CONTAINER_OF(n, struct port_list, names);
    size_t len;

    for (int i = l->n - 1; i >= 0; i--) {
        if (parse_port(l->args[i], &len, port) && strlen(name) == len && !memcmp(name, l->args[i], len)) {
            return true;
        }
    }
    return false;
}

static const char *
no_name(const struct odp_names *n UNUSED, odp_port port UNUSED)
{
    return NULL;
}

static bool
is_mpls(be16 eth_type)
{
    return eth_type == BE16(0x8847) || eth_type == BE16(0x8848);
}

static struct look
look_of(const struct flow *key)
{
    struct look l;

    memset(&l, 0, sizeof l);
    l.tags[0].tpid = key->vlan_tpid;
    l.tags[0].tci = key->vlan_tci;
    l.tags[1].tpid = key->vlan2_tpid;
    l.tags[1].tci = key->vlan2_tci;
    while (is_mpls(key->eth_type) && l.n_labels < FLOW_MPLS_LABELS) {
        l.labels[l.n_labels] = key->mpls_lse[l.n_labels];
        if (l.labels[l.n_labels++] & BE32(0x100)) {
            break;
        }
    }
    return l;
}

/* Tags and labels below the deepest that a flow has room for are forgotten. */
static void
push_tag(struct look *l, const struct odp_attr *a)
{
    const struct odp_push_vlan *v = odp_attr_data(a);

    l->tags[1] = l->tags[0];
    l->tags[0].tpid = v->tpid;
    l->tags[0].tci = v->tci;
}

static void
pop_tag(struct look *l)
{
    l->tags[0] = l->tags[1];
    memset(&l->tags[1], 0, sizeof l->tags[1]);
}

static void
push_label(struct look *l, const struct odp_attr *a)
{
    const struct odp_push_mpls *m = odp_attr_data(a);

    memmove(&l->labels[1], l->labels, sizeof l->labels - sizeof l->labels[0]);
    l->labels[0] = m->lse;
    l->n_labels = MIN(l->n_labels + 1, FLOW_MPLS_LABELS);
}

static void
pop_label(struct look *l)
{
    memmove(l->labels, &l->labels[1], sizeof l->labels - sizeof l->labels[0]);
    l->labels[FLOW_MPLS_LABELS - 1] = 0;
    l->n_labels -= l->n_labels > 0;
}

static struct group *
group_of(struct groups *g, const struct look *look)
{
    for (size_t i = 0; i < g->n; i++) {
        if (!memcmp(&g->v[i].look, look, sizeof *look)) {
            return &g->v[i];
        }
    }
    g->v = xrealloc(g->v, (g->n + 1) * sizeof *g->v);
    g->v[g->n] = (struct group) { *look, BYTES_INIT };
    return &g->v[g->n++];
}

static void
distribute(struct groups *g, struct look look, const struct bytes *actions)
{
    ODP_FOR_EACH (a, actions->data, actions->len) {
        switch (a->type) {
        case ODP_PUSH_VLAN: push_tag(&look, a); break;
        case ODP_POP_VLAN: pop_tag(&look); break;
        case ODP_PUSH_MPLS: push_label(&look, a); break;
        case ODP_POP_MPLS: pop_label(&look); break;
        default: odp_put(&group_of(g, &look)->actions, a->type, odp_attr_data(a), odp_attr_size(a));
        }
    }
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct output *a = a_, *b = b_;

    return a->port < b->port ? -1 : a->port > b->port;
}

static void
sort_outputs(struct bytes *actions)
{
    struct output *run = NULL;
    size_t n = 0;

    ODP_FOR_EACH (a, actions->data, actions->len) {
        if (a->type == ODP_OUTPUT) {
            run = n++ ? run : (struct output *) a;
        } else if (n) {
            qsort(run, n, sizeof *run, compare_ports);
            n = 0;
        }
    }
    if (n) {
        qsort(run, n, sizeof *run, compare_ports);
    }
}

static int
compare_groups(const void *a_, const void *b_)
{
    const struct group *a = a_, *b = b_;

    return memcmp(&a->look, &b->look, sizeof a->look);
}

static void
put_look(struct str *s, const struct look *l)
{
    for (int i = 0; i < 2 && l->tags[i].tpid; i++) {
        unsigned int tci = be16_to_cpu(l->tags[i].tci);

        str_puts(s, "vlan(");
        if (l->tags[i].tpid != BE16(0x8100)) {
            str_putf(s, "tpid=0x%04x,", be16_to_cpu(l->tags[i].tpid));
        }
        str_putf(s, "vid=%u,pcp=%u): ", tci & VLAN_VID_MASK, tci >> VLAN_PCP_SHIFT);
    }
    str_puts(s, l->tags[0].tpid ? "" : "no vlan: ");
    if (l->n_labels) {
        uint32_t lse = be32_to_cpu(l->labels[0]);

        str_putf(s, "mpls(label=%u,tc=%u,ttl=%u): ", lse >> 12, lse >> 9 & 7, lse & 255);
    } else {
        str_puts(s, "no mpls: ");
    }
}

static void
put_groups(struct str *s, struct groups *g)
{
    if (g->n) {
        qsort(g->v, g->n, sizeof *g->v, compare_groups);
    }
    for (size_t i = 0; i < g->n; i++) {
        sort_outputs(&g->v[i].actions);
        put_look(s, &g->v[i].look);
        odp_actions_format(s, g->v[i].actions.data, g->v[i].actions.len, NULL);
        bytes_uninit(&g->v[i].actions);
    }
    free(g->v);
}

static bool
key_fits(struct dpctl *d, struct odp_echo *e, const struct flow *key)
{
    struct error *error;

    switch (e->fit) {
    case ODP_FIT_PERFECT: return true;
    case ODP_FIT_TOO_MUCH: dpctl_fail(d, -EPERM, "odp_flow_key_to_flow failed (reason unknown)"); break;
    case ODP_FIT_TOO_LITTLE: dpctl_fail(d, -ENOENT, "odp_flow_key_to_flow failed (reason unknown)"); break;
    case ODP_FIT_ERROR:
        error = odp_echo_error(e, key);
        dpctl_fail(d, -ESRCH, "odp_flow_key_to_flow failed (%s)", error_text(error));
        error_free(error);
        break;
    }
    return false;
}

/* A list of actions that only says "drop" is a group too; an empty one is none. */
static void
put_normalized(struct dpctl *d, const char *text, const struct odp_names *names, const struct look *look)
{
    struct groups groups = { NULL, 0 };
    struct bytes actions = BYTES_INIT;
    struct error *error = odp_actions_parse(text, names, &actions);

    if (error) {
        error_free(error);
        dpctl_fail(d, -EINVAL, "odp_actions_from_string");
    } else {
        if (d->more) {
            str_puts(&d->out, "input actions: ");
            odp_actions_format(&d->out, actions.data, actions.len, NULL);
            str_putc(&d->out, '\n');
        }
        if (actions.len) {
            distribute(&groups, *look, &actions);
        } else if (text[strspn(text, ", \t\r\n")]) {
            group_of(&groups, look);
        }
        put_groups(&d->out, &groups);
    }
    bytes_uninit(&actions);
}

void
dpctl_run_normalize_actions(struct dpctl *d)
{
    struct port_list ports = { { no_name, find_port }, d->argc - 2, d->argv + 2 };
    struct error *error;
    struct odp_echo echo;
    struct flow key;

    for (int i = 0; i < ports.n; i++) {
        odp_port unused;
        size_t len;

        if (!parse_port(ports.args[i], &len, &unused)) {
            dpctl_fail(d, 0, "%s: expected NAME=NUMBER", ports.args[i]);
            return;
        }
    }
    error = odp_flow_echo(d->argv[0], &ports.names, &key, &echo);
    if (error) {
        dpctl_fail(d, -EINVAL, "odp_flow_key_from_string (%s)", error_text(error));
        error_free(error);
    } else {
        const struct look look = look_of(&key);

        str_putf(&d->out, "input flow: %s\n", str_text(&echo.text));
        if (key_fits(d, &echo, &key)) {
            put_normalized(d, d->argv[1], &ports.names, &look);
        }
    }
    str_uninit(&echo.text);
}
