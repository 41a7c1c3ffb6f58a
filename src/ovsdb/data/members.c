#include "ovsdb/data/members.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb/data/symtab.h"

static struct dberr *
failed(const struct members *m, const struct json *object, const char *text)
{
    if (m->what) {
        return dberr_syntax(object, "Parsing %s failed: %s", m->what, text);
    }
    return dberr_syntax(object, "Parsing %s %zu of %zu failed: %s", m->kind, m->i, m->n, text);
}

static void
check_object(struct members *m)
{
    if (!js_is(m->object, JS_OBJECT)) {
        m->error = failed(m, NULL, "Object expected.");
    }
}

void
members_init(struct members *m, const struct json *object, const char *what_format, ...)
{
    va_list args;

    *m = (struct members) { .object = object };
    va_start(args, what_format);
    m->what = xvasprintf(what_format, args);
    va_end(args);
    check_object(m);
}

void
members_init_one_of(struct members *m, const struct json *object, const char *kind, size_t i, size_t n)
{
    *m = (struct members) { .object = object, .kind = kind, .i = i, .n = n };
    check_object(m);
}

void
members_fail(struct members *m, const char *format, ...)
{
    if (!m->error) {
        va_list args;
        char *text;

        va_start(args, format);
        text = xvasprintf(format, args);
        va_end(args);
        m->error = failed(m, m->object, text);
        free(text);
    }
}

const struct json *
members_take(struct members *m, const char *name, unsigned types)
{
    const struct json *value;
    bool ok;

    if (m->error) {
        return NULL;
    }
    if (m->n_taken < MEMBERS_MAX) {
        m->taken[m->n_taken++] = name;
    }
    value = js_get(m->object, name);
    if (!value) {
        if (!(types & M_OPTIONAL)) {
            members_fail(m, "Required '%s' member is missing.", name);
        }
        return NULL;
    }
    m->n_present++;
    ok = (types & (1u << js_type(value))) || (types & M_ID && js_is(value, JS_STRING) &&
                                              symtab_is_id(js_str_value(value)));
    if (!ok) {
        members_fail(m, "Type mismatch for member '%s'.", name);
        return NULL;
    }
    return value;
}

static bool
was_taken(const struct members *m, const char *name)
{
    for (unsigned i = 0; i < m->n_taken; i++) {
        if (!strcmp(m->taken[i], name)) {
            return true;
        }
    }
    return false;
}

/* Fails for the members that nobody took. */
static void
fail_for_others(struct members *m)
{
    size_t n = js_object_len(m->object) - m->n_present;

    for (void *it = js_iter(m->object); it; it = js_iter_next(m->object, it)) {
        const char *name = js_iter_name(it);

        if (was_taken(m, name)) {
            continue;
        }
        if (n > 1) {
            members_fail(m, "Member '%s' and %zu other member%s are present but not allowed here.", name, n - 1,
                         n > 2 ? "s" : "");
        } else {
            members_fail(m, "Member '%s' is present but not allowed here.", name);
        }
        return;
    }
}

struct dberr *
members_finish(struct members *m)
{
    if (!m->error && js_object_len(m->object) > m->n_present) {
        fail_for_others(m);
    }
    free(m->what);
    m->what = NULL;
    return m->error;
}
