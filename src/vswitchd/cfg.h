/* Configuration keys as tables: from strings in a map column to a structure.
 *
 * What it is: a 'struct cfg_key' says under which key a setting stands, what kind of value it is, where in the wanted
 * structure it goes, its default and bounds, and what becomes of a bad value.  cfg_read() fills a structure from a
 * table of them.  It is pure: reading has no effects, and what was wrong is reported to the caller.
 *
 * Keys and defaults are those of ovs-vswitchd.conf.db(5).
 *
 * Threads: pure. */
#ifndef VSWITCHD_CFG_H
#define VSWITCHD_CFG_H 1

#include "base/addr.h"

enum cfg_kind {
    CFG_BOOL,    /* bool.  "true" or "false"; anything else is the default. */
    CFG_INT,     /* int64_t. */
    CFG_ENUM,    /* int: the position in 'names'. */
    CFG_TEXT,    /* const char *: the source's own text, null if it is not there. */
    CFG_MAC,     /* struct eth_addr; zero if not there. */
    CFG_DPID,    /* uint64_t, hexadecimal: 16 digits, or any number of them after 0x; 0 if not there. */
};

enum cfg_bad {
    CFG_DEFAULT, /* A number out of range becomes the default. */
    CFG_CLAMP,   /* It becomes the nearest bound. */
};

struct cfg_key {
    const char *key;
    enum cfg_kind kind;
    size_t offset;            /* Of the member, in the wanted structure. */
    int64_t def, min, max;    /* CFG_INT: bounds if 'max' is not 0.  CFG_BOOL, CFG_ENUM: only 'def'. */
    enum cfg_bad bad;
    const char *const *names; /* CFG_ENUM: null-terminated. */
    const char *doc;          /* One line. */
};

/* Where the texts come from. */
struct cfg_source {
    /* The value of 'key', null if there is none. */
    const char *(*get)(const void *aux, const char *key);
    const void *aux;
};

/* Fills 'want' from 'source' by the 'n' keys of the table.  'report' (null: nobody) hears of each bad value. */
void cfg_read(void *want, const struct cfg_key *, size_t n, const struct cfg_source *,
              void (*report)(void *aux, const char *text), void *aux);

/* Reads a datapath id as other_config:datapath-id has it; false if 'text' is none (or zero). */
bool cfg_parse_dpid(const char *text, uint64_t *dpid);

#endif
