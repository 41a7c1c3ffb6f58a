/* vtep-ctl: physical and logical switches, routers, bindings and addresses of a database hardware_vtep (vtep(5)).
 *
 * Commands look at the replica's rows each time; nothing is kept between them.  The one row of Global is made where the
 * database is empty.
 *
 * Threads: main thread. */
#ifndef CMD_VTEP_CTL_VTEP_H
#define CMD_VTEP_CTL_VTEP_H 1

#include "cmd/dbctl/dbctl.h"
#include "ovsdb/idl/vtep_idl.h"

struct vtepctl {
    const struct vtep_global *global; /* Of this attempt. */
};

static inline struct vtepctl *vtepctl_of(const struct dbctl_ctx *ctx) { return ctx->ctl->aux; }

/* Ask for what the commands about switches (physical and logical) and routers need; about addresses too. */
struct error *vtepctl_prepare(struct dbctl_ctx *ctx) MUST_CHECK;
struct error *vtepctl_prepare_macs(struct dbctl_ctx *ctx) MUST_CHECK;

/* Find a row by its name; null without an error where it need not exist. */
struct error *vtepctl_find_ls(struct dbctl_ctx *ctx, const char *name, bool must_exist,
                              const struct vtep_logical_switch **ls) MUST_CHECK;
/* A port of a physical switch; the error says that there is no port, also where there is no switch. */
struct error *vtepctl_find_port(struct dbctl_ctx *ctx, const char *ps, const char *name, bool must_exist,
                                const struct vtep_physical_port **port) MUST_CHECK;

/* ---- The commands ---- */
extern const struct dbctl_command vtepctl_switch_commands[], vtepctl_binding_commands[], vtepctl_mac_commands[];
extern const size_t vtepctl_n_switch_commands, vtepctl_n_binding_commands, vtepctl_n_mac_commands;

/* The words of set-replication-mode, for completion. */
cmdline_words vtepctl_put_replication_modes;

/* Prints the help text. */
void vtepctl_usage(const struct dbctl_class *class);

#endif
