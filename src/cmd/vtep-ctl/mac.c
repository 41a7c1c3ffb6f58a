/* Where MAC addresses of a logical switch are: at one locator (unicast) or a set of them (multicast), known by the VTEP
 * itself (local) or told to it (remote).  Local and remote tables have the same columns, under other numbers. */
#include <stdlib.h>
#include <string.h>

#include "cmd/vtep-ctl/vtep.h"

struct macs {
    unsigned table, mac, logical_switch;
    unsigned locator;      /* Of a multicast table: the set of locators. */
    const char *heading;
};

static const struct macs ucast_local = { VTEP_UCAST_MACS_LOCAL, VTEP_UCAST_MACS_LOCAL_MAC,
    VTEP_UCAST_MACS_LOCAL_LOGICAL_SWITCH, VTEP_UCAST_MACS_LOCAL_LOCATOR, "ucast-mac-local" };
static const struct macs ucast_remote = { VTEP_UCAST_MACS_REMOTE, VTEP_UCAST_MACS_REMOTE_MAC,
    VTEP_UCAST_MACS_REMOTE_LOGICAL_SWITCH, VTEP_UCAST_MACS_REMOTE_LOCATOR, "ucast-mac-remote" };
static const struct macs mcast_local = { VTEP_MCAST_MACS_LOCAL, VTEP_MCAST_MACS_LOCAL_MAC,
    VTEP_MCAST_MACS_LOCAL_LOGICAL_SWITCH, VTEP_MCAST_MACS_LOCAL_LOCATOR_SET, "mcast-mac-local" };
static const struct macs mcast_remote = { VTEP_MCAST_MACS_REMOTE, VTEP_MCAST_MACS_REMOTE_MAC,
    VTEP_MCAST_MACS_REMOTE_LOGICAL_SWITCH, VTEP_MCAST_MACS_REMOTE_LOCATOR_SET, "mcast-mac-remote" };

static const char default_encap[] = "vxlan_over_ipv4";

static void
prepare_table(struct dbctl_ctx *ctx, const struct macs *m)
{
    dbctl_add_column(ctx->ctl, m->table, m->mac);
    dbctl_add_column(ctx->ctl, m->table, m->logical_switch);
    dbctl_add_column(ctx->ctl, m->table, m->locator);
}

struct error *
vtepctl_prepare_macs(struct dbctl_ctx *ctx)
{
    prepare_table(ctx, &ucast_local);
    prepare_table(ctx, &ucast_remote);
    prepare_table(ctx, &mcast_local);
    prepare_table(ctx, &mcast_remote);
    dbctl_add_column(ctx->ctl, VTEP_PHYSICAL_LOCATOR, VTEP_PHYSICAL_LOCATOR_DST_IP);
    dbctl_add_column(ctx->ctl, VTEP_PHYSICAL_LOCATOR, VTEP_PHYSICAL_LOCATOR_ENCAPSULATION_TYPE);
    dbctl_add_column(ctx->ctl, VTEP_PHYSICAL_LOCATOR_SET, VTEP_PHYSICAL_LOCATOR_SET_LOCATORS);
    return vtepctl_prepare(ctx);
}

/* ---- Locators ---- */

static const struct idl_row *
find_locator(struct dbctl_ctx *ctx, const char *encap, const char *ip)
{
    IDL_FOR_EACH (row, ctx->ctl->idl, VTEP_PHYSICAL_LOCATOR) {
        if (!strcmp(idl_get_string(row, VTEP_PHYSICAL_LOCATOR_ENCAPSULATION_TYPE), encap)
            && !strcmp(idl_get_string(row, VTEP_PHYSICAL_LOCATOR_DST_IP), ip)) {
            return row;
        }
    }
    return NULL;
}

static const struct idl_row *
get_locator(struct dbctl_ctx *ctx, const char *encap, const char *ip)
{
    const struct idl_row *row = find_locator(ctx, encap, ip);

    if (!row) {
        row = idl_insert(ctx->ctl->txn, VTEP_PHYSICAL_LOCATOR, NULL);
        idl_set_string(row, VTEP_PHYSICAL_LOCATOR_ENCAPSULATION_TYPE, encap);
        idl_set_string(row, VTEP_PHYSICAL_LOCATOR_DST_IP, ip);
    }
    return row;
}

/* The encapsulation and the address among the arguments LS MAC [ENCAP] IP. */
static const char *
encap_of(const struct dbctl_ctx *ctx)
{
    return ctx->argc > 4 ? ctx->argv[3] : default_encap;
}

static const char *
ip_of(const struct dbctl_ctx *ctx)
{
    return ctx->argv[ctx->argc - 1];
}

/* ---- Rows of the tables ---- */

static bool
is_of(const struct macs *m, const struct idl_row *row, const struct vtep_logical_switch *ls)
{
    return idl_get_ref(row, m->logical_switch, 0, VTEP_LOGICAL_SWITCH, false) == &ls->row;
}

static const struct idl_row *
find_mac(struct dbctl_ctx *ctx, const struct macs *m, const struct vtep_logical_switch *ls, const char *mac)
{
    IDL_FOR_EACH (row, ctx->ctl->idl, m->table) {
        if (is_of(m, row, ls) && !strcmp(idl_get_string(row, m->mac), mac)) {
            return row;
        }
    }
    return NULL;
}

static const struct idl_row *
get_mac(struct dbctl_ctx *ctx, const struct macs *m, const struct vtep_logical_switch *ls, const char *mac)
{
    const struct idl_row *row = find_mac(ctx, m, ls, mac);

    if (!row) {
        row = idl_insert(ctx->ctl->txn, m->table, NULL);
        idl_set_string(row, m->mac, mac);
        idl_set_ref(row, m->logical_switch, &ls->row);
    }
    return row;
}

static struct error *
add_ucast(struct dbctl_ctx *ctx, const struct macs *m)
{
    const struct vtep_logical_switch *ls;
    struct error *e = vtepctl_find_ls(ctx, ctx->argv[1], true, &ls);

    if (!e) {
        idl_set_ref(get_mac(ctx, m, ls, ctx->argv[2]), m->locator, get_locator(ctx, encap_of(ctx), ip_of(ctx)));
    }
    return e;
}

static struct error *
del_ucast(struct dbctl_ctx *ctx, const struct macs *m)
{
    const struct vtep_logical_switch *ls;
    struct error *e = vtepctl_find_ls(ctx, ctx->argv[1], true, &ls);
    const struct idl_row *row = e ? NULL : find_mac(ctx, m, ls, ctx->argv[2]);

    if (row) {
        idl_delete(row);
    }
    return e;
}

/* The locators of a multicast address, with or without 'locator'.  A set never changes: there is a new one. */
static void
change_set(struct dbctl_ctx *ctx, const struct macs *m, const struct idl_row *row, const struct idl_row *locator,
           bool with)
{
    const struct idl_row *old = idl_get_ref(row, m->locator, 0, VTEP_PHYSICAL_LOCATOR_SET, false);
    const struct datum *present = old ? idl_get(old, VTEP_PHYSICAL_LOCATOR_SET_LOCATORS) : NULL;
    const union atom atom = { .uuid = locator->uuid };
    const bool has = present && datum_find(present, &atom, ATOM_UUID) != UINT_MAX;
    const struct idl_row *set;

    if (has == with) {
        return;
    }
    idl_verify(row, m->locator);
    if (!with && present->n == 1) {
        idl_delete(row);
        return;
    }
    set = idl_insert(ctx->ctl->txn, VTEP_PHYSICAL_LOCATOR_SET, NULL);
    if (present) {
        struct datum locators;

        datum_clone(&locators, present, idl_type(set, VTEP_PHYSICAL_LOCATOR_SET_LOCATORS));
        idl_set_take(set, VTEP_PHYSICAL_LOCATOR_SET_LOCATORS, &locators);
    }
    if (with) {
        idl_put_ref(set, VTEP_PHYSICAL_LOCATOR_SET_LOCATORS, locator);
    } else {
        idl_remove_ref(set, VTEP_PHYSICAL_LOCATOR_SET_LOCATORS, locator);
    }
    idl_set_ref(row, m->locator, set);
}

static struct error *
add_mcast(struct dbctl_ctx *ctx, const struct macs *m)
{
    const struct vtep_logical_switch *ls;
    struct error *e = vtepctl_find_ls(ctx, ctx->argv[1], true, &ls);

    if (!e) {
        change_set(ctx, m, get_mac(ctx, m, ls, ctx->argv[2]), get_locator(ctx, encap_of(ctx), ip_of(ctx)), true);
    }
    return e;
}

static struct error *
del_mcast(struct dbctl_ctx *ctx, const struct macs *m)
{
    const struct vtep_logical_switch *ls;
    struct error *e = vtepctl_find_ls(ctx, ctx->argv[1], true, &ls);
    const struct idl_row *row = e ? NULL : find_mac(ctx, m, ls, ctx->argv[2]);
    const struct idl_row *locator = row ? find_locator(ctx, encap_of(ctx), ip_of(ctx)) : NULL;

    if (locator) {
        change_set(ctx, m, row, locator, false);
    }
    return e;
}

/* ---- All of a switch ---- */

static void
delete_all(struct dbctl_ctx *ctx, const struct macs *m, const struct vtep_logical_switch *ls)
{
    const struct idl_row **rows = dbctl_rows(ctx->ctl, m->table);

    for (size_t i = 0; rows[i]; i++) {
        if (is_of(m, rows[i], ls)) {
            idl_delete(rows[i]);
        }
    }
    free(rows);
}

static struct error *
clear(struct dbctl_ctx *ctx, const struct macs *ucast, const struct macs *mcast)
{
    const struct vtep_logical_switch *ls;
    struct error *e = vtepctl_find_ls(ctx, ctx->argv[1], true, &ls);

    if (!e) {
        delete_all(ctx, ucast, ls);
        delete_all(ctx, mcast, ls);
    }
    return e;
}

struct lines {
    char **lines;
    size_t n, capacity;
};

static void
add_line(struct lines *l, const char *mac, const struct idl_row *locator)
{
    if (locator) {
        if (l->n == l->capacity) {
            l->lines = x2nrealloc(l->lines, &l->capacity, sizeof *l->lines);
        }
        l->lines[l->n++] = xasprintf("  %s -> %s/%s", mac,
                                     idl_get_string(locator, VTEP_PHYSICAL_LOCATOR_ENCAPSULATION_TYPE),
                                     idl_get_string(locator, VTEP_PHYSICAL_LOCATOR_DST_IP));
    }
}

static void
add_lines_of(struct lines *l, const struct macs *m, const struct idl_row *row)
{
    const char *mac = idl_get_string(row, m->mac);
    const struct base_type *to = &idl_type(row, m->locator)->key;
    const struct idl_row *set;

    if (to->uuid.ref->index == VTEP_PHYSICAL_LOCATOR) {
        add_line(l, mac, idl_get_ref(row, m->locator, 0, VTEP_PHYSICAL_LOCATOR, false));
        return;
    }
    set = idl_get_ref(row, m->locator, 0, VTEP_PHYSICAL_LOCATOR_SET, false);
    for (size_t i = 0; set && i < idl_count(set, VTEP_PHYSICAL_LOCATOR_SET_LOCATORS); i++) {
        add_line(l, mac, idl_get_ref(set, VTEP_PHYSICAL_LOCATOR_SET_LOCATORS, i, VTEP_PHYSICAL_LOCATOR, false));
    }
}

static void
put_table(struct dbctl_ctx *ctx, const struct macs *m, const struct vtep_logical_switch *ls)
{
    struct lines l = { NULL, 0, 0 };

    IDL_FOR_EACH (row, ctx->ctl->idl, m->table) {
        if (is_of(m, row, ls)) {
            add_lines_of(&l, m, row);
        }
    }
    str_putf(&ctx->output, "%s\n", m->heading);
    if (l.n) {
        dbctl_put_sorted(ctx, (const char **) l.lines, l.n);
    }
    str_puts(&ctx->output, "\n");
    for (size_t i = 0; i < l.n; i++) {
        free(l.lines[i]);
    }
    free(l.lines);
}

static struct error *
list(struct dbctl_ctx *ctx, const struct macs *ucast, const struct macs *mcast)
{
    const struct vtep_logical_switch *ls;
    struct error *e = vtepctl_find_ls(ctx, ctx->argv[1], true, &ls);

    if (!e) {
        put_table(ctx, ucast, ls);
        put_table(ctx, mcast, ls);
    }
    return e;
}

static struct error *add_ucast_local(struct dbctl_ctx *ctx) { return add_ucast(ctx, &ucast_local); }
static struct error *del_ucast_local(struct dbctl_ctx *ctx) { return del_ucast(ctx, &ucast_local); }
static struct error *add_mcast_local(struct dbctl_ctx *ctx) { return add_mcast(ctx, &mcast_local); }
static struct error *del_mcast_local(struct dbctl_ctx *ctx) { return del_mcast(ctx, &mcast_local); }
static struct error *clear_local(struct dbctl_ctx *ctx) { return clear(ctx, &ucast_local, &mcast_local); }
static struct error *list_local(struct dbctl_ctx *ctx) { return list(ctx, &ucast_local, &mcast_local); }
static struct error *add_ucast_remote(struct dbctl_ctx *ctx) { return add_ucast(ctx, &ucast_remote); }
static struct error *del_ucast_remote(struct dbctl_ctx *ctx) { return del_ucast(ctx, &ucast_remote); }
static struct error *add_mcast_remote(struct dbctl_ctx *ctx) { return add_mcast(ctx, &mcast_remote); }
static struct error *del_mcast_remote(struct dbctl_ctx *ctx) { return del_mcast(ctx, &mcast_remote); }
static struct error *clear_remote(struct dbctl_ctx *ctx) { return clear(ctx, &ucast_remote, &mcast_remote); }
static struct error *list_remote(struct dbctl_ctx *ctx) { return list(ctx, &ucast_remote, &mcast_remote); }

const struct dbctl_command vtepctl_mac_commands[] = {
    { "add-ucast-local", 3, 4, "LSWITCH MAC [ENCAP] IP", "", true, vtepctl_prepare_macs, add_ucast_local, NULL },
    { "del-ucast-local", 2, 2, "LSWITCH MAC", "", true, vtepctl_prepare_macs, del_ucast_local, NULL },
    { "add-mcast-local", 3, 4, "LSWITCH MAC [ENCAP] IP", "", true, vtepctl_prepare_macs, add_mcast_local, NULL },
    { "del-mcast-local", 3, 4, "LSWITCH MAC [ENCAP] IP", "", true, vtepctl_prepare_macs, del_mcast_local, NULL },
    { "clear-local-macs", 1, 1, "LSWITCH", "", true, vtepctl_prepare_macs, clear_local, NULL },
    { "list-local-macs", 1, 1, "LSWITCH", "", false, vtepctl_prepare_macs, list_local, NULL },
    { "add-ucast-remote", 3, 4, "LSWITCH MAC [ENCAP] IP", "", true, vtepctl_prepare_macs, add_ucast_remote, NULL },
    { "del-ucast-remote", 2, 2, "LSWITCH MAC", "", true, vtepctl_prepare_macs, del_ucast_remote, NULL },
    { "add-mcast-remote", 3, 4, "LSWITCH MAC [ENCAP] IP", "", true, vtepctl_prepare_macs, add_mcast_remote, NULL },
    { "del-mcast-remote", 3, 4, "LSWITCH MAC [ENCAP] IP", "", true, vtepctl_prepare_macs, del_mcast_remote, NULL },
    { "clear-remote-macs", 1, 1, "LSWITCH", "", true, vtepctl_prepare_macs, clear_remote, NULL },
    { "list-remote-macs", 1, 1, "LSWITCH", "", false, vtepctl_prepare_macs, list_remote, NULL },
};
const size_t vtepctl_n_mac_commands = ARRAY_SIZE(vtepctl_mac_commands);
