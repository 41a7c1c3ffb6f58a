/* What headers a packet has: tags, Ethernet, NSH, and the options of a tunnel. */
#include "ofproto/xlate/oracle_private.h"

unsigned int
oracle_layer(uint64_t type)
{
    switch (type) {
    case ORACLE_TYPE_IPV4: return ORACLE_L_IPV4;
    case ORACLE_TYPE_IPV6: return ORACLE_L_IPV6;
    case ORACLE_TYPE_ARP: return ORACLE_L_ARP;
    case ORACLE_TYPE_NSH: return ORACLE_L_NSH;
    case ORACLE_TYPE_MPLS: case ORACLE_TYPE_MPLS_MULTICAST: return ORACLE_L_MPLS;
    default: return 0;
    }
}

bool
oracle_has_field(const struct oracle_packet *p, enum oracle_field f)
{
    const struct oracle_field_info *info = &oracle_fields[f];
    unsigned int layers = oracle_layer(p->f[F_ETH_TYPE]) | (p->no_ethernet ? 0 : ORACLE_L_ETHERNET);
    uint64_t type = p->f[F_ICMP6_TYPE];

    if ((info->layers && !(info->layers & layers)) || (info->proto && p->f[F_PROTO] != info->proto)) {
        return false;
    }
    return !info->nd
           || (!p->f[F_ICMP6_CODE]
               && (info->nd == 1 ? type == ORACLE_ND_SOLICIT || type == ORACLE_ND_ADVERT : type == info->nd));
}

bool
oracle_lacks_context(const struct oracle_packet *p, enum oracle_field f)
{
    return (f == F_NSH_C1 || f == F_NSH_C2) && p->f[F_ETH_TYPE] == ORACLE_TYPE_NSH && p->f[F_NSH_MDTYPE] != 1;
}

void
oracle_clear_missing(struct oracle_packet *p)
{
    for (int f = 0; f < F_REG0; f++) {
        p->f[f] = oracle_has_field(p, f) ? p->f[f] : 0;
    }
}

bool
oracle_push_tag(struct oracle_packet *p, uint16_t tpid, uint16_t tci)
{
    if (p->inner_tci) {
        if (p->deeper[ARRAY_SIZE(p->deeper) - 1]) {
            return false;
        }
        memmove(&p->deeper[1], &p->deeper[0], sizeof p->deeper - sizeof p->deeper[0]);
        p->deeper[0] = (uint32_t) p->inner_tpid << 16 | (uint32_t) p->inner_tci;
    }
    p->inner_tci = p->f[F_TCI];
    p->inner_tpid = p->tpid;
    p->f[F_TCI] = tci;
    p->tpid = tpid;
    return true;
}

void
oracle_pop_tag(struct oracle_packet *p)
{
    p->f[F_TCI] = p->inner_tci;
    p->tpid = p->inner_tpid;
    p->inner_tci = p->deeper[0] & 0xffff;
    p->inner_tpid = p->deeper[0] >> 16;
    memmove(&p->deeper[0], &p->deeper[1], sizeof p->deeper - sizeof p->deeper[0]);
    p->deeper[ARRAY_SIZE(p->deeper) - 1] = 0;
}

void
oracle_push_ethernet(struct oracle_packet *p)
{
    p->no_ethernet = false;
    p->f[F_ETH_SRC] = p->f[F_ETH_DST] = 0;
}

void
oracle_pop_ethernet(struct oracle_packet *p)
{
    p->no_ethernet = true;
    p->f[F_ETH_SRC] = p->f[F_ETH_DST] = 0;
}

/* The packet goes below a header that it has not yet. */
static bool
cover(struct oracle_packet *p, uint64_t type)
{
    struct oracle_inner *b = &p->below[0];

    if (p->n_below >= (int) ARRAY_SIZE(p->below)) {
        return false;
    }
    memmove(&p->below[1], b, p->n_below++ * sizeof *b);
    memset(b, 0, sizeof *b);
    b->no_ethernet = p->no_ethernet;
    memcpy(&b->f[F_ETH_SRC], &p->f[F_ETH_SRC], (F_REG0 - F_ETH_SRC) * sizeof b->f[0]);
    b->inner_tci = p->inner_tci;
    b->tpid = p->tpid;
    b->inner_tpid = p->inner_tpid;
    memcpy(b->deeper, p->deeper, sizeof b->deeper);
    b->stack = p->stack;
    b->metadata = p->metadata;
    memset(&p->metadata, 0, sizeof p->metadata);
    memset(&p->stack, 0, sizeof p->stack);
    memset(&p->f[F_ETH_SRC], 0, (F_REG0 - F_ETH_SRC) * sizeof b->f[0]);
    p->f[F_ETH_TYPE] = type;
    p->no_ethernet = true;
    p->inner_tci = p->tpid = p->inner_tpid = 0;
    memset(p->deeper, 0, sizeof p->deeper);
    return true;
}

static void
uncover(struct oracle_packet *p)
{
    struct oracle_inner b = p->below[0];

    memmove(&p->below[0], &p->below[1], --p->n_below * sizeof b);
    p->no_ethernet = b.no_ethernet;
    memcpy(&p->f[F_ETH_SRC], &b.f[F_ETH_SRC], (F_REG0 - F_ETH_SRC) * sizeof b.f[0]);
    p->inner_tci = b.inner_tci;
    p->tpid = b.tpid;
    p->inner_tpid = b.inner_tpid;
    memcpy(p->deeper, b.deeper, sizeof p->deeper);
    p->stack = b.stack;
    p->metadata = b.metadata;
}

bool
oracle_push_nsh(struct oracle_packet *p)
{
    return cover(p, ORACLE_TYPE_NSH);
}

bool
oracle_pop_nsh(struct oracle_packet *p)
{
    if (!p->n_below || !p->no_ethernet || p->f[F_ETH_TYPE] != ORACLE_TYPE_NSH) {
        return false;
    }
    uncover(p);
    return true;
}

bool
oracle_same_below(const struct oracle_packet *a, const struct oracle_packet *b)
{
    for (int i = 0; i < a->n_below && a->n_below == b->n_below; i++) {
        const struct oracle_inner *x = &a->below[i], *y = &b->below[i];

        if (x->no_ethernet != y->no_ethernet || memcmp(x->f, y->f, sizeof x->f) || x->inner_tci != y->inner_tci
            || x->tpid != y->tpid || x->inner_tpid != y->inner_tpid || memcmp(x->deeper, y->deeper, sizeof x->deeper)
            || memcmp(&x->stack, &y->stack, sizeof x->stack)
            || memcmp(&x->metadata, &y->metadata, sizeof x->metadata)) {
            return false;
        }
    }
    return a->n_below == b->n_below && !memcmp(&a->stack, &b->stack, sizeof a->stack);
}

/* Labels. */

uint32_t
oracle_get_label(const struct oracle_packet *p)
{
    return p->f[F_MPLS_LABEL] << 12 | p->f[F_MPLS_TC] << 9 | p->f[F_MPLS_BOS] << 8 | p->f[F_MPLS_TTL];
}

void
oracle_set_label(struct oracle_packet *p, uint32_t label)
{
    p->f[F_MPLS_LABEL] = label >> 12;
    p->f[F_MPLS_TC] = label >> 9 & 7;
    p->f[F_MPLS_BOS] = label >> 8 & 1;
    p->f[F_MPLS_TTL] = label & 255;
}

bool
oracle_push_label(struct oracle_packet *p, uint64_t type, uint32_t label)
{
    struct oracle_stack *s = &p->stack;

    if (oracle_type_is_mpls(p->f[F_ETH_TYPE])) {
        if (s->n_deeper >= (int) ARRAY_SIZE(s->deeper)) {
            return false;
        }
        memmove(&s->deeper[1], &s->deeper[0], s->n_deeper++ * sizeof s->deeper[0]);
        s->deeper[0] = oracle_get_label(p);
    } else {
        memcpy(s->payload, p->f, sizeof s->payload);
        s->payload[F_IN_PORT] = s->payload[F_ETH_SRC] = s->payload[F_ETH_DST] = s->payload[F_TCI] = 0;
    }
    p->f[F_ETH_TYPE] = type;
    oracle_clear_missing(p);
    oracle_set_label(p, label);
    return true;
}

bool
oracle_add_label(struct oracle_packet *p, uint64_t type, uint32_t label)
{
    if (p->no_ethernet) {
        return oracle_push_label(p, type, label);
    }
    if (!cover(p, type)) {
        return false;
    }
    p->stack.payload[F_ETH_TYPE] = ORACLE_TYPE_FRAME;
    oracle_set_label(p, label);
    return true;
}

bool
oracle_pop_label(struct oracle_packet *p, uint64_t type)
{
    struct oracle_stack *s = &p->stack;

    if (!p->f[F_MPLS_BOS]) {
        uint32_t label = s->deeper[0];

        if (!oracle_type_is_mpls(type) || !s->n_deeper) {
            return false;
        }
        memmove(&s->deeper[0], &s->deeper[1], --s->n_deeper * sizeof s->deeper[0]);
        s->deeper[s->n_deeper] = 0;
        p->f[F_ETH_TYPE] = type;
        oracle_set_label(p, label);
        return true;
    }
    if (type != s->payload[F_ETH_TYPE] || (type == ORACLE_TYPE_FRAME && !p->no_ethernet)) {
        return false;
    }
    if (type == ORACLE_TYPE_FRAME) {
        uncover(p);
        return true;
    }
    oracle_set_label(p, 0);
    for (int f = F_ETH_TYPE; f < F_REG0; f++) {
        p->f[f] = f == F_TCI ? p->f[f] : s->payload[f];
    }
    memset(s, 0, sizeof *s);
    return true;
}

const struct oracle_option oracle_options[ORACLE_N_OPTIONS] = { { 1, 4 }, { 2, 8 }, { 3, 4 } };

void
oracle_read_options(struct oracle_packet *p)
{
    p->options = 0;
    memset(&p->f[F_OPT0], 0, ORACLE_N_OPTIONS * sizeof p->f[0]);
    for (size_t at = 0; at < p->raw_len; at += 4 + 4 * (p->raw[at + 3] & 31)) {
        const uint8_t *o = p->raw + at;

        for (int i = 0; i < ORACLE_N_OPTIONS; i++) {
            if (o[0] == ORACLE_OPTION_CLASS >> 8 && o[1] == (ORACLE_OPTION_CLASS & 255)
                && o[2] == oracle_options[i].type && 4 * (o[3] & 31) == oracle_options[i].len) {
                p->options |= 1u << i;
                p->f[F_OPT0 + i] = 0;
                for (int k = 0; k < oracle_options[i].len; k++) {
                    p->f[F_OPT0 + i] = p->f[F_OPT0 + i] << 8 | o[4 + k];
                }
            }
        }
    }
}
