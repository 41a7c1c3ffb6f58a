/* ovs-vsctl: bridges, ports and interfaces as its commands see them.
 *
 * The view is made from the replica when a command first asks for it, and kept in step by the functions below, which
 * also change the database; an attempt ends with vsctl_view_drop().  A fake bridge (a VLAN of its parent) is a bridge
 * whose 'parent' is set; ports with its tag are its ports.  Local ports (named like their bridge) are no ports here.
 *
 * Threads: main thread. */
#ifndef CMD_OVS_VSCTL_VSCTL_H
#define CMD_OVS_VSCTL_VSCTL_H 1

#include "cmd/dbctl/dbctl.h"
#include "ovsdb/idl/vswitch_idl.h"

struct vsctl_bridge {
    const char *name;               /* The row's. */
    const struct vs_bridge *row;    /* Of a fake bridge: its parent's. */
    const struct vs_port *port;     /* Of a fake bridge: its local port; else null. */
    struct vsctl_bridge *parent;    /* Null for a real bridge. */
    int vlan;                       /* 0 for a real bridge. */
    struct list ports;              /* struct vsctl_port.node */
};

struct vsctl_port {
    struct list node;
    const char *name;
    const struct vs_port *row;
    struct vsctl_bridge *bridge;
    struct list ifaces;             /* struct vsctl_iface.node */
};

struct vsctl_iface {
    struct list node;
    const char *name;
    const struct vs_interface *row;
    struct vsctl_port *port;
};

struct vsctl {
    const struct vs_open_vswitch *root;
    bool is_made;                   /* The tables below are filled. */
    struct strmap bridges, ports, ifaces;
    char **new_ifaces;              /* Names of interfaces that commands have added: checked after the wait. */
    size_t n_new_ifaces;
};

static inline struct vsctl *vsctl_of(const struct dbctl_ctx *ctx) { return ctx->ctl->aux; }

/* ---- view.c ---- */

/* Ask for what the view needs: everything; what finding bridges takes; what finding the ports and interfaces of the
 * given name takes as well (and with 'owners' the bridges that they are on). */
struct error *vsctl_view_prepare(struct dbctl_ctx *ctx) MUST_CHECK;
struct error *vsctl_view_prepare_bridges(struct dbctl_ctx *ctx) MUST_CHECK;
void vsctl_view_prepare_name(struct dbctl_ctx *ctx, const char *name, bool owners);
/* The tables, made if they are not; also checks nothing but the replica. */
struct vsctl *vsctl_view(struct dbctl_ctx *ctx);
void vsctl_view_drop(struct vsctl *v);

/* Find by name; null without an error where it need not exist. */
struct error *vsctl_find_bridge(struct dbctl_ctx *ctx, const char *name, bool must_exist, struct vsctl_bridge **b)
    MUST_CHECK;
struct error *vsctl_find_real_bridge(struct dbctl_ctx *ctx, const char *name, struct vsctl_bridge **b) MUST_CHECK;
struct error *vsctl_find_port(struct dbctl_ctx *ctx, const char *name, bool must_exist, struct vsctl_port **p)
    MUST_CHECK;
struct error *vsctl_find_iface(struct dbctl_ctx *ctx, const char *name, bool must_exist, struct vsctl_iface **i)
    MUST_CHECK;
/* The fake bridge of 'parent' for 'vlan'; null if there is none. */
struct vsctl_bridge *vsctl_find_vlan_bridge(struct vsctl *v, const struct vsctl_bridge *parent, int vlan);
/* An error that begins with 'what' if the name is taken. */
struct error *vsctl_check_name(struct dbctl_ctx *ctx, const char *name, const char *what) MUST_CHECK;

/* Enter rows into the tables. */
struct vsctl_bridge *vsctl_view_add_bridge(struct vsctl *v, const struct vs_bridge *row,
                                           const struct vs_port *fake_port, struct vsctl_bridge *parent, int vlan);
struct vsctl_port *vsctl_view_add_port(struct vsctl *v, struct vsctl_bridge *b, const struct vs_port *row);
struct vsctl_iface *vsctl_view_add_iface(struct vsctl *v, struct vsctl_port *p, const struct vs_interface *row);

/* Remove from the tables and the database. */
void vsctl_delete_iface(struct vsctl *v, struct vsctl_iface *i);
void vsctl_delete_port(struct vsctl *v, struct vsctl_port *p);
void vsctl_delete_bridge(struct vsctl *v, struct vsctl_bridge *b);

/* Remembers an interface to check after the wait; inserts its row. */
struct vs_interface *vsctl_insert_iface(struct dbctl_ctx *ctx, const char *name);

/* ---- The commands ---- */
/* The words of set-fail-mode, for completion. */
cmdline_words vsctl_put_fail_modes;

extern const struct dbctl_command vsctl_bridge_commands[], vsctl_port_commands[], vsctl_control_commands[],
    vsctl_zone_commands[];
extern const size_t vsctl_n_bridge_commands, vsctl_n_port_commands, vsctl_n_control_commands, vsctl_n_zone_commands;

/* ---- wait.c ---- */

/* Waits until ovs-vswitchd has applied the transaction; says what failed.  Returns the exit status. */
int vsctl_wait_for_daemon(struct dbctl *ctl);

/* Prints the help text. */
void vsctl_usage(const struct dbctl_class *class);

#endif
