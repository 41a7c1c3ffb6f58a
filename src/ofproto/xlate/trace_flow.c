/* Names of ports for the text of traces. */
#include "ofproto/xlate/trace_private.h"

/* Names. */

static const char *
port_name(const struct port_names *names, ofp_port port)
{
    const struct trace_names *n = CONTAINER_OF(names, struct trace_names, ports);
    const struct xport *p = *n->bridge ? xbridge_port_rcu(*n->bridge, port) : NULL;

    return p && port != OFPP_LOCAL ? p->name : NULL;
}

static bool
find_port(const struct port_names *names, const char *name, ofp_port *port)
{
    const struct trace_names *n = CONTAINER_OF(names, struct trace_names, ports);

    if (*n->bridge) {
        RCU_MAP_FOR_EACH (p, struct xport, &(*n->bridge)->ports) {
            if (!strcmp(p->name, name)) {
                *port = p->ofp_port;
                return true;
            }
        }
    }
    return false;
}

void
trace_names_init(struct trace_names *n, const struct xbridge *const *bridge)
{
    *n = (struct trace_names) { .ports = { port_name, find_port }, .bridge = bridge };
    n->text.ports = &n->ports;
}

static const char *
odp_name(const struct odp_names *names, odp_port port)
{
    const struct trace_odp_names *n = CONTAINER_OF(names, struct trace_odp_names, names);
    const struct xport *p = xdp_port_rcu(n->xdp, port);

    return p ? p->name : NULL;
}

static bool
find_odp(const struct odp_names *names, const char *name, odp_port *port)
{
    const struct trace_odp_names *n = CONTAINER_OF(names, struct trace_odp_names, names);

    RCU_MAP_FOR_EACH (p, struct xport, &n->xdp->ports) {
        if (!strcmp(p->name, name)) {
            *port = p->odp_port;
            return true;
        }
    }
    return false;
}

void
trace_odp_names_init(struct trace_odp_names *n, const struct xdp *xdp)
{
    *n = (struct trace_odp_names) { .names = { odp_name, find_odp }, .xdp = xdp };
}
