/* "mpls(label=5,tc=0,ttl=64,bos=0,label=6,...)": as many labels as the flow has. */
#include "odp/member.h"

enum { N_LSE_MEMBERS = 4 };

#define LSE(I) \
    { MEMBER("label", mpls_lse[I], 0, 20, DEC_VLAN), MEMBER("tc", mpls_lse[I], 20, 3, DEC_BIT), \
      MEMBER("ttl", mpls_lse[I], 24, 8, DEC_VLAN), MEMBER("bos", mpls_lse[I], 23, 1, DEC_BIT) }
static const struct member members[FLOW_MPLS_LABELS][N_LSE_MEMBERS] = { LSE(0), LSE(1), LSE(2) };
#undef LSE

static void
put_lse(struct str *s, const struct member *m, const struct flow *flow, const struct flow *mask, bool exact)
{
    for (int i = 0; i < N_LSE_MEMBERS; i++) {
        str_putf(s, "%s=", m[i].name);
        member_put(s, &m[i], flow, NULL, NULL);
        if (!exact) {
            member_put_mask(s, &m[i], mask);
        }
        str_putc(s, ',');
    }
}

static bool
is_bottom(const struct flow *flow, int i)
{
    return be32_to_cpu(flow->mpls_lse[i]) & 0x100;
}

/* How many labels there are to show: to the bottom, or the last one of which the flow or its mask has a bit. */
static int
count_shown(const struct flow *flow, const struct flow *mask)
{
    int n = 1;

    for (int i = 1; i < FLOW_MPLS_LABELS && !is_bottom(flow, i - 1); i++) {
        if (flow->mpls_lse[i] || (mask && mask->mpls_lse[i])) {
            n = i + 1;
        }
    }
    return n;
}

/* All are shown masked if any bit is not in the mask. */
void
mpls_put(struct str *s, const struct flow *flow, const struct flow *mask)
{
    int n = count_shown(flow, mask);
    bool exact = !mask || is_all_ones(mask->mpls_lse, n * sizeof mask->mpls_lse[0]);

    str_puts(s, "mpls(");
    for (int i = 0; i < n; i++) {
        put_lse(s, members[i], flow, mask, exact);
    }
    str_chomp(s, ',');
    str_puts(s, "),");
}

bool
mpls_scan(const char **p, struct flow *flow, struct flow *mask)
{
    for (int i = 0; ; i++) {
        for (int k = 0; k < N_LSE_MEMBERS; k++) {
            scan_separators(p);
            if (i >= FLOW_MPLS_LABELS || !scan_literal(p, members[i][k].name) || !scan_literal(p, "=") ||
                !member_scan(p, &members[i][k], NULL, flow, mask)) {
                return false;
            }
        }
        if (scan_literal(p, ")")) {
            return true;
        }
    }
}
