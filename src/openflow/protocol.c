#include "openflow/protocol.h"

#include <stdlib.h>
#include <strings.h>

struct proto_row {
    unsigned int set;
    const char *name;
};

/* Single protocols, in the order of their bits. */
static const struct proto_row single[] = {
    { PROTO_OF10, "OpenFlow10-table_id" }, { PROTO_OF10_TID, "OpenFlow10+table_id" },
    { PROTO_NXM, "NXM-table_id" },         { PROTO_NXM_TID, "NXM+table_id" },
    { PROTO_OF11, "OpenFlow11" },          { PROTO_OF12, "OXM-OpenFlow12" },
    { PROTO_OF13, "OXM-OpenFlow13" },      { PROTO_OF14, "OXM-OpenFlow14" },
    { PROTO_OF15, "OXM-OpenFlow15" },
};

/* Groups, larger ones first. */
static const struct proto_row groups[] = {
    { PROTO_ANY, "any" },
    { PROTO_OF10_STD_ANY, "OpenFlow10" },
    { PROTO_OF10_NXM_ANY, "NXM" },
    { PROTO_ANY_OXM, "OXM" },
};

enum of_version
proto_version(unsigned int protocol)
{
    unsigned int bit = __builtin_ctz(protocol | 1u << 31);

    return bit < 4 ? OF10 : OF11 + (bit - 4);
}

unsigned int
proto_of_version(enum of_version v)
{
    return v == OF10 ? PROTO_OF10_ANY : PROTO_OF11 << (v - OF11);
}

const char *
proto_name(unsigned int protocol)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(single); i++) {
        if (single[i].set == protocol) {
            return single[i].name;
        }
    }
    return NULL;
}

/* The first of groups and single protocols that is all in the set. */
static const struct proto_row *
row_in(unsigned int set)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
        if ((set & groups[i].set) == groups[i].set) {
            return &groups[i];
        }
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(single); i++) {
        if (set & single[i].set) {
            return &single[i];
        }
    }
    return NULL;
}

void
proto_put_set(struct str *s, unsigned int set)
{
    const struct proto_row *row;

    set &= PROTO_ANY;
    if (!set) {
        str_puts(s, "none");
        return;
    }
    for (bool first = true; (row = row_in(set)); first = false) {
        str_putf(s, "%s%s", first ? "" : ",", row->name);
        set &= ~row->set;
    }
}

void
proto_put_choice(struct str *s)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
        str_putf(s, "%s ", groups[i].name);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(single); i++) {
        str_putf(s, "%s ", single[i].name);
    }
}

static unsigned int
parse_one(const char *name)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
        if (!strcasecmp(groups[i].name, name)) {
            return groups[i].set;
        }
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(single); i++) {
        if (!strcasecmp(single[i].name, name)) {
            return single[i].set;
        }
    }
    return 0;
}

unsigned int
proto_parse_set(const char *text, char **bad)
{
    char *copy = xstrdup(text), *rest = copy, *part;
    unsigned int set = 0;

    *bad = NULL;
    while ((part = strsep(&rest, ",")) && !*bad) {
        unsigned int one = *part ? parse_one(part) : 0;

        if (*part && !one) {
            *bad = xstrdup(part);
        }
        set |= one;
    }
    free(copy);
    return *bad ? 0 : set;
}
