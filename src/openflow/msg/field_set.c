#include <stdlib.h>
#include <string.h>

#include "openflow/msg/table.h"

/* Names are grouped by what they share up to an underscore, as often as it can be: nsh_{spi,si,c1...c4}. */

struct names {
    const char *text[FIELD_N];
    size_t n;
};

/* Length of the part of 'name' up to and with its first underscore, 0 if it has none. */
static size_t
prefix_len(const char *name)
{
    const char *underscore = strchr(name, '_');

    return underscore && underscore[1] ? underscore + 1 - name : 0;
}

static bool
has_prefix(const char *name, const char *prefix, size_t len)
{
    return !strncmp(name, prefix, len) && name[len];
}

/* Splits "reg15" after its letters; false if it does not end in a plain number. */
static bool
split_number(const char *name, size_t *stem, unsigned long *number)
{
    size_t n = strlen(name);

    *stem = n;
    while (*stem && name[*stem - 1] >= '0' && name[*stem - 1] <= '9') {
        --*stem;
    }
    if (*stem == n || n - *stem > 4) {
        return false;
    }
    *number = strtoul(name + *stem, NULL, 10);
    return true;
}

/* How many of the 'n' names, from the first, count up by one ("c1", "c2"...). */
static size_t
run_length(const char *const *names, size_t n)
{
    unsigned long first, number;
    size_t stem, other, i;

    if (!split_number(names[0], &stem, &first)) {
        return 1;
    }
    for (i = 1; i < n; i++) {
        if (!split_number(names[i], &other, &number) || other != stem || strncmp(names[i], names[0], stem) ||
            number != first + i) {
            break;
        }
    }
    return i;
}

static void
put_names(struct str *s, const char **names, size_t n, const char *separator)
{
    for (size_t i = 0; i < n;) {
        size_t prefix = prefix_len(names[i]);
        size_t run = run_length(names + i, n - i);
        size_t group = 1;

        while (prefix && i + group < n && has_prefix(names[i + group], names[i], prefix)) {
            group++;
        }
        str_puts(s, i ? separator : "");
        if (run > 1) {
            str_putf(s, "%s...%s", names[i], names[i + run - 1]);
            i += run;
        } else if (group > 1) {
            str_putf(s, "%.*s{", (int) prefix, names[i]);
            for (size_t k = i; k < i + group; k++) {
                names[k] += prefix;
            }
            put_names(s, names + i, group, ",");
            str_putc(s, '}');
            i += group;
        } else {
            str_puts(s, names[i++]);
        }
    }
}

void
field_set_put(struct str *s, const struct field_set *set)
{
    struct names names = { .n = 0 };

    for (int id = 0; id < FIELD_N; id++) {
        if (field_set_has(set, id) && id != FIELD_NSH_TTL) {
            names.text[names.n++] = field_of(id)->name;
        }
        if (id == FIELD_NSH_C4 && field_set_has(set, FIELD_NSH_TTL)) {
            names.text[names.n++] = field_of(FIELD_NSH_TTL)->name; /* As the reference sorts them. */
        }
    }
    put_names(s, names.text, names.n, " ");
}
