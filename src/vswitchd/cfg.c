#include "vswitchd/cfg.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

struct reporter {
    void (*report)(void *aux, const char *text);
    void *aux;
};

static void PRINTF_FORMAT(2, 3)
complain(const struct reporter *r, const char *format, ...)
{
    va_list args;
    char *text;

    if (!r->report) {
        return;
    }
    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    r->report(r->aux, text);
    free(text);
}

bool
cfg_parse_dpid(const char *text, uint64_t *dpid)
{
    bool prefixed = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

    *dpid = 0;
    if (!prefixed && (strlen(text) != 16 || strspn(text, "0123456789abcdefABCDEF") != 16)) {
        return false;
    }
    return num_parse_u64(text, 16, dpid) && *dpid;
}

static void
read_bool(bool *want, const struct cfg_key *k, const char *text)
{
    *want = k->def ? !text || strcasecmp(text, "false") : text && !strcasecmp(text, "true");
}

static void
read_int(int64_t *want, const struct cfg_key *k, const char *text, const struct reporter *r)
{
    *want = k->def;
    if (!text) {
        return;
    }
    if (!num_parse_s64(text, 0, want)) {
        complain(r, "%s: \"%s\" is not a number", k->key, text);
        *want = k->def;
    } else if (k->max && (*want < k->min || *want > k->max)) {
        int64_t nearest = *want < k->min ? k->min : k->max;

        complain(r, "%s: %s is not between %lld and %lld", k->key, text, (long long) k->min, (long long) k->max);
        *want = k->bad == CFG_CLAMP ? nearest : k->def;
    }
}

static void
read_enum(int *want, const struct cfg_key *k, const char *text, const struct reporter *r)
{
    *want = k->def;
    if (!text) {
        return;
    }
    for (int i = 0; k->names[i]; i++) {
        if (!strcmp(text, k->names[i])) {
            *want = i;
            return;
        }
    }
    complain(r, "%s: unknown value \"%s\"", k->key, text);
}

static void
read_mac(struct eth_addr *want, const struct cfg_key *k, const char *text, const struct reporter *r)
{
    *want = (struct eth_addr) { { 0 } };
    if (text && !eth_addr_parse(text, want)) {
        complain(r, "%s: \"%s\" is not an Ethernet address", k->key, text);
        *want = (struct eth_addr) { { 0 } };
    }
}

static void
read_dpid(uint64_t *want, const struct cfg_key *k, const char *text, const struct reporter *r)
{
    *want = 0;
    if (text && !cfg_parse_dpid(text, want)) {
        complain(r, "%s: \"%s\" is not a datapath id", k->key, text);
        *want = 0;
    }
}

void
cfg_read(void *want, const struct cfg_key *keys, size_t n, const struct cfg_source *source,
         void (*report)(void *aux, const char *text), void *aux)
{
    const struct reporter r = { report, aux };

    for (const struct cfg_key *k = keys; k < keys + n; k++) {
        const char *text = source->get(source->aux, k->key);
        void *member = (char *) want + k->offset;

        switch (k->kind) {
        case CFG_BOOL: read_bool(member, k, text); break;
        case CFG_INT: read_int(member, k, text, &r); break;
        case CFG_ENUM: read_enum(member, k, text, &r); break;
        case CFG_TEXT: *(const char **) member = text; break;
        case CFG_MAC: read_mac(member, k, text, &r); break;
        case CFG_DPID: read_dpid(member, k, text, &r); break;
        }
    }
}
