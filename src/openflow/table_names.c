#include "openflow/table_names.h"

#include <stdlib.h>

#include "base/num.h"
#include "sys/log.h"

LOG_MODULE(ofp_table)

static struct log_limit rl = LOG_LIMIT_INIT(60, 60);

static bool
find_named(const char *text, const struct table_names *names, uint8_t *table)
{
    size_t n = strlen(text);
    char *plain;
    bool found;

    if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        plain = xstrndup(text + 1, n - 2);
    } else {
        plain = xstrdup(text);
    }
    found = names->find(names, plain, table);
    free(plain);
    return found;
}

bool
of_table_parse(const char *text, const struct table_names *names, uint8_t *table)
{
    uint32_t n;

    if (num_parse_u32(text, 10, &n)) {
        if (n > UINT8_MAX) {
            log_warn_rl(&rl, "table %s is outside the supported range 0 through 255", text);
            return false;
        }
        *table = n;
        return true;
    }
    return names && find_named(text, names, table);
}

void
of_table_put(struct str *s, uint8_t table, const struct table_names *names)
{
    const char *name = names ? names->name(names, table) : NULL;

    if (!name) {
        str_put_uint(s, table);
    } else {
        str_putf(s, str_is_word(name) ? "%s" : "\"%s\"", name);
    }
}
