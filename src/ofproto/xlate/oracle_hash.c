/* Actions that choose by hashing (ovs-actions(7), "multipath", "bundle").  Which link or member a hash leads to is the
 * switch's own affair: each that it may lead to is tried. */
#include "ofproto/xlate/oracle_private.h"

enum { NO_PORT = 0xffff };

static const char *const fields[] = { "eth_src", "symmetric_l4", "symmetric_l3l4", "symmetric_l3l4+udp", "nw_src",
                                      "nw_dst", "symmetric_l3" };
static const char *const link_algorithms[] = { "modulo_n", "hash_threshold", "hrw", "iter_hash" };
static const char *const member_algorithms[] = { "active_backup", "hrw" };
enum { ACTIVE_BACKUP = 0 };

void
oracle_random_hashing(struct random *r, struct oracle_action *a)
{
    struct oracle_hashing *h = &a->hashing;

    a->dst = (struct oracle_range) { F_REG0 + random_below(r, 3), 0, random_below(r, 2) ? 16 : 32 };
    h->fields = random_below(r, ARRAY_SIZE(fields));
    h->basis = random_below(r, 1000);
    if (a->op == OP_MULTIPATH) {
        a->dst.n = 2 + random_below(r, 8);
        a->dst.ofs = random_below(r, 2);
        h->algorithm = random_below(r, ARRAY_SIZE(link_algorithms));
        h->n = 1 + random_below(r, 4);
        return;
    }
    h->algorithm = random_below(r, ARRAY_SIZE(member_algorithms));
    h->n = random_below(r, ORACLE_MAX_MEMBERS + 1);
    for (int i = 0; i < MIN(h->n, ORACLE_MAX_MEMBERS); i++) { /* The compiler would warn without MIN(). */
        h->members[i] = 1 + random_below(r, ORACLE_N_PORTS + 1);
    }
}

void
oracle_put_hashing(struct str *s, const struct oracle_action *a)
{
    const struct oracle_hashing *h = &a->hashing;

    if (a->op == OP_MULTIPATH) {
        str_putf(s, "multipath(%s,%u,%s,%u,0,", fields[h->fields], h->basis, link_algorithms[h->algorithm], h->n);
        oracle_put_range(s, &a->dst);
        str_putc(s, ')');
        return;
    }
    str_putf(s, "%s(%s,%u,%s,ofport,", a->op == OP_BUNDLE ? "bundle" : "bundle_load", fields[h->fields], h->basis,
             member_algorithms[h->algorithm]);
    if (a->op == OP_BUNDLE_LOAD) {
        oracle_put_range(s, &a->dst);
        str_putc(s, ',');
    }
    str_puts(s, "members:");
    for (int i = 0; i < h->n; i++) {
        str_putf(s, "%s%u", i ? "," : "", h->members[i]);
    }
    str_putc(s, ')');
}

static uint64_t
choose_member(struct oracle_run *r, const struct oracle_hashing *h)
{
    int alive[ORACLE_MAX_MEMBERS], n = 0, i;

    for (int k = 0; k < h->n; k++) {
        if (oracle_port_is_alive(r->pipeline, h->members[k])) {
            alive[n++] = h->members[k];
        }
    }
    i = oracle_choose(r, h->algorithm == ACTIVE_BACKUP ? MIN(n, 1) : n);
    return i < 0 ? NO_PORT : alive[i];
}

uint64_t
oracle_run_hashing(struct oracle_run *r, const struct oracle_action *a)
{
    int link;

    if (a->op != OP_MULTIPATH) {
        return choose_member(r, &a->hashing);
    }
    link = oracle_choose(r, a->hashing.n);
    return MAX(link, 0);
}
