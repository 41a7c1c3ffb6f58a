/* bond/...: ovs-vswitchd(8). */
#include <limits.h>
#include <stdlib.h>

#include "base/num.h"
#include "ctl/ctl.h"
#include "netdev/netdev.h"
#include "ofproto/bond.h"
#include "ofproto/ofproto_private.h"

static const char *const mode_names[] = {
    [BOND_ACTIVE_BACKUP] = "active-backup", [BOND_BALANCE_SLB] = "balance-slb", [BOND_BALANCE_TCP] = "balance-tcp",
};

static void
cmd_list(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    struct str s = STR_INIT;
    size_t n;
    struct bond **bonds = bonds_sorted(&n);

    str_puts(&s, "bond\ttype\trecircID\tmembers\n");
    for (size_t i = 0; i < n; i++) {
        str_putf(&s, "%s\t%s\t0\t", bonds[i]->name, mode_names[bonds[i]->c.mode]);
        for (size_t k = 0; k < bonds[i]->n_members; k++) {
            str_putf(&s, "%s%s", k ? ", " : "", bonds[i]->members[k].x->name);
        }
        str_putc(&s, '\n');
    }
    free(bonds);
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

static void
put_load(struct str *s, const struct bond *b, const struct bond_member *m)
{
    for (unsigned int i = 0; i < BOND_N_BUCKETS; i++) {
        uint64_t kb = atomic_load(&b->load->bytes[i]) / 1024;

        if (b->buckets[i] == m->x && kb) {
            str_putf(s, "  hash %u: %llu kB load\n", i, (unsigned long long) kb);
        }
    }
}

static void
put_member(struct str *s, const struct bond *b, const struct bond_member *m)
{
    str_putf(s, "\nmember %s: %s\n", m->x->name, m->enabled ? "enabled" : "disabled");
    if (m->x == b->active) {
        str_puts(s, "  active member\n");
    }
    if (m->delay_expires != CLOCK_NEVER) {
        str_putf(s, "  %s expires in %lld ms\n", m->enabled ? "downdelay" : "updelay",
                 (long long) MAX(m->delay_expires - clock_now_ms(), 0));
    }
    str_putf(s, "  may_enable: %s\n", m->link ? "true" : "false");
    if (b->c.mode == BOND_BALANCE_SLB) {
        put_load(s, b, m);
    }
}

static void
put_primary(struct str *s, const struct bond *b)
{
    const char *name = b->c.mode == BOND_ACTIVE_BACKUP && b->primary ? b->primary : NULL;

    str_putf(s, "active-backup primary: %s%s\n", name ? name : "<none>",
             name && !bond_find_member(b, name) ? " (no such member)" : "");
}

static void
put_active(struct str *s, const struct bond *b)
{
    struct eth_addr mac = { { 0 } };

    if (b->active) {
        netdev_get_etheraddr(b->active->netdev, &mac);
    }
    str_putf(s, "active member mac: " ETH_ADDR_FMT "(%s)\n", ETH_ADDR_ARGS(mac),
             b->active ? b->active->name : "none");
}

static void
put_bond(struct str *s, const struct bond *b)
{
    bool balances_tcp = b->c.mode == BOND_BALANCE_TCP;

    str_putf(s, "---- %s ----\nbond_mode: %s\n", b->name, mode_names[b->c.mode]);
    str_putf(s, "bond may use recirculation: %s, Recirc-ID : -1\n", balances_tcp ? "yes" : "no");
    str_putf(s, "bond-hash-basis: %u\nlb_output action: disabled, bond-id: -1\n", b->c.hash_basis);
    if (b->c.mode == BOND_BALANCE_SLB) {
        str_putf(s, "all members active: %s\n", b->c.all_members_active ? "true" : "false");
    }
    str_putf(s, "updelay: %lld ms\ndowndelay: %lld ms\n", (long long) b->c.updelay_ms, (long long) b->c.downdelay_ms);
    if (b->next_rebalance != CLOCK_NEVER) {
        str_putf(s, "next rebalance: %lld ms\n", (long long) MAX(b->next_rebalance - clock_now_ms(), 0));
    }
    str_putf(s, "lacp_status: %s\nlacp_fallback_ab: %s\n", b->c.wants_lacp ? "configured" : "off",
             b->c.lacp_fallback_ab ? "true" : "false");
    put_primary(s, b);
    put_active(s, b);
    for (size_t i = 0; i < b->n_members; i++) {
        put_member(s, b, &b->members[i]);
    }
    str_putc(s, '\n');
}

static void
cmd_show(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct str s = STR_INIT;
    struct bond *one = argc > 1 ? bond_find(argv[1]) : NULL;
    struct bond **bonds;
    size_t n;

    if (argc > 1 && !one) {
        ctl_reply_error(r, "no such bond");
        return;
    }
    bonds = bonds_sorted(&n);
    for (size_t i = 0; i < n; i++) {
        if (!one || bonds[i] == one) {
            put_bond(&s, bonds[i]);
        }
    }
    free(bonds);
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

/* The bond and the member that the request names; false after an error reply. */
static bool
find(struct ctl_request *r, const char *bond, const char *member, struct bond **b, struct bond_member **m)
{
    *b = bond_find(bond);
    *m = *b ? bond_find_member(*b, member) : NULL;
    if (!*m) {
        ctl_reply_error(r, *b ? "no such member" : "no such bond");
    }
    return *m != NULL;
}

static void
cmd_migrate(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct bond *b = bond_find(argv[1]);
    struct bond_member *m;
    uint32_t bucket;

    if (!b) {
        ctl_reply_error(r, "no such bond");
    } else if (b->c.mode != BOND_BALANCE_SLB) {
        ctl_reply_error(r, "not an SLB bond");
    } else if (!num_parse_u32(argv[2], 10, &bucket)) {
        ctl_reply_error(r, "bad hash");
    } else if ((m = bond_find_member(b, argv[3])) == NULL) {
        ctl_reply_error(r, "no such member");
    } else if (!m->enabled) {
        ctl_reply_error(r, "cannot migrate to disabled member");
    } else {
        bond_migrate(b, bucket, m);
        ctl_reply(r, "migrated");
    }
}

static void
cmd_set_active(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct bond_member *m;
    struct bond *b;

    if (!find(r, argv[1], argv[2], &b, &m)) {
        return;
    }
    if (!m->enabled) {
        ctl_reply_error(r, "cannot make disabled member active");
    } else if (b->active == m->x) {
        ctl_reply(r, "no change");
    } else {
        bond_set_active(b, m);
        ctl_reply(r, "done");
    }
}

/* 'aux' not null: enable. */
static void
cmd_enable(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux)
{
    struct bond_member *m;
    struct bond *b;

    if (find(r, argv[1], argv[2], &b, &m)) {
        bond_set_enabled(b, m, aux != NULL);
        ctl_reply(r, aux ? "enabled" : "disabled");
    }
}

static void
cmd_hash(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    struct eth_addr mac;
    uint32_t vlan = 0, basis = 0;

    if (argc > 2 && !num_parse_u32(argv[2], 10, &vlan)) {
        ctl_reply_error(r, "invalid vlan");
    } else if (argc > 3 && !num_parse_u32(argv[3], 10, &basis)) {
        ctl_reply_error(r, "invalid basis");
    } else if (!eth_addr_parse(argv[1], &mac)) {
        ctl_reply_error(r, "invalid mac");
    } else {
        ctl_replyf(r, "%u", bond_hash(mac, vlan, basis));
    }
}

void
bond_commands_register(void)
{
    static char yes[1];

    ctl_register("bond/list", "", 0, 0, cmd_list, NULL);
    ctl_register("bond/show", "[port]", 0, 1, cmd_show, NULL);
    ctl_register("bond/migrate", "port hash member", 3, 3, cmd_migrate, NULL);
    ctl_register("bond/set-active-member", "port member", 2, 2, cmd_set_active, NULL);
    ctl_register("bond/set-active-slave", NULL, 2, 2, cmd_set_active, NULL);
    ctl_register("bond/enable-member", "port member", 2, 2, cmd_enable, yes);
    ctl_register("bond/enable-slave", NULL, 2, 2, cmd_enable, yes);
    ctl_register("bond/disable-member", "port member", 2, 2, cmd_enable, NULL);
    ctl_register("bond/disable-slave", NULL, 2, 2, cmd_enable, NULL);
    ctl_register("bond/hash", "mac [vlan] [basis]", 1, 3, cmd_hash, NULL);
}
