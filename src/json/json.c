#include "json/json.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "json/private.h"

#define FOR_EVER UINT32_MAX

static struct built null_value = { .json = { .kind = KIND_NULL }, .refs = FOR_EVER };
static struct built false_value = { .json = { .kind = KIND_FALSE }, .refs = FOR_EVER };
static struct built true_value = { .json = { .kind = KIND_TRUE }, .refs = FOR_EVER };

enum js_type
js_type(const struct json *json)
{
    static const uint8_t types[] = {
        [KIND_NULL] = JS_NULL, [KIND_FALSE] = JS_FALSE, [KIND_TRUE] = JS_TRUE, [KIND_OBJECT] = JS_OBJECT,
        [KIND_ARRAY] = JS_ARRAY, [KIND_INTEGER] = JS_INTEGER, [KIND_REAL] = JS_REAL, [KIND_STRING] = JS_STRING,
        [KIND_WHOLE] = JS_INTEGER,
    };

    return types[json->kind];
}

const char *
js_type_name(enum js_type type)
{
    static const char *const names[] = { "null", "false", "true", "object", "array", "number", "number", "string" };

    return names[type];
}

/* --- Counting --- */

struct json *
js_ref(const struct json *json)
{
    if (json && json->at) {
        doc_of(json)->refs++;
    } else if (json && built_of(json)->refs != FOR_EVER) {
        built_of(json)->refs++;
    }
    return (struct json *) json;
}

/* Built values nest no deeper than the code that builds them, or than the parser allows. */
static void
built_free(struct built *b)
{
    struct json *json = &b->json;

    for (size_t i = 0; json->kind == KIND_ARRAY && i < json->n; i++) {
        js_unref(json->elements[i]);
    }
    for (size_t i = 0; json->kind == KIND_OBJECT && i < json->n; i++) {
        free((char *) json->members[i].name.text);
        js_unref(json->members[i].value);
    }
    if (json->kind == KIND_ARRAY) {
        free(json->elements);
    } else if (json->kind == KIND_OBJECT) {
        free(json->members);
        free(b->index);
    }
    free(b);
}

void
js_unref(struct json *json)
{
    if (!json) {
        return;
    }
    if (json->at) {
        struct doc *doc = doc_of(json);

        if (!--doc->refs) {
            json_doc_free(doc);
        }
    } else if (built_of(json)->refs != FOR_EVER && !--built_of(json)->refs) {
        built_free(built_of(json));
    }
}

/* --- Building --- */

static struct json *
build(enum kind kind, size_t extra)
{
    struct built *b = xmalloc(sizeof *b + extra);

    *b = (struct built) { .json = { .kind = kind }, .refs = 1 };
    return &b->json;
}

struct json *
js_null(void)
{
    return &null_value.json;
}

struct json *
js_bool(bool b)
{
    return b ? &true_value.json : &false_value.json;
}

struct json *
js_int(int64_t i)
{
    struct json *json = build(KIND_INTEGER, 0);

    json->integer = i;
    return json;
}

struct json *
js_real(double r)
{
    struct json *json;

    if (!isfinite(r)) {
        return js_null();
    }
    json = build(json_is_whole(r) ? KIND_WHOLE : KIND_REAL, 0);
    json->real = r;
    return json;
}

/* Puts U+FFFD for each byte that starts no valid UTF-8 sequence. */
static struct json *
string_from_bytes(const char *text, size_t n)
{
    struct str fixed = STR_INIT;
    struct json *string;

    for (size_t i = 0; i < n;) {
        size_t len = json_utf8_len(text + i, n - i);

        str_putn(&fixed, len ? text + i : "\xef\xbf\xbd", len ? len : 3);
        i += MAX(len, 1);
    }
    string = js_strn(str_text(&fixed), fixed.len);
    str_uninit(&fixed);
    return string;
}

static bool
is_utf8(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = json_utf8_len(text + i, n - i);

        if (!len) {
            return false;
        }
        i += len;
    }
    return true;
}

struct json *
js_strn(const char *text, size_t n)
{
    struct json *json;
    char *copy;

    if (!is_utf8(text, n)) {
        return string_from_bytes(text, n);
    }
    json = build(KIND_STRING, n + 1);
    copy = (char *) (built_of(json) + 1);
    memcpy(copy, text, n);
    copy[n] = '\0';
    json->text = copy;
    json->n = n;
    return json;
}

struct json *
js_str(const char *text)
{
    return js_strn(text, strlen(text));
}

struct json *
js_strf(const char *format, ...)
{
    struct json *string;
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    string = js_str(text);
    free(text);
    return string;
}

struct json *
js_array(void)
{
    return build(KIND_ARRAY, 0);
}

/* The block of a container that may be changed. */
static struct built *
changeable(struct json *json, enum kind kind)
{
    assert(json->kind == kind && !json->at);
    return built_of(json);
}

void
js_append_take(struct json *array, struct json *element)
{
    struct built *b = changeable(array, KIND_ARRAY);

    if (array->n == b->capacity) {
        b->capacity = MAX(2 * b->capacity, 4);
        array->elements = xreallocarray(array->elements, b->capacity, sizeof *array->elements);
    }
    array->elements[array->n++] = element;
}

size_t
js_array_len(const struct json *array)
{
    return array && array->kind == KIND_ARRAY ? array->n : 0;
}

struct json *
js_at(const struct json *array, size_t i)
{
    if (i >= js_array_len(array)) {
        return NULL;
    }
    return array->at ? &array->children[i] : array->elements[i];
}

/* --- Objects --- */

static uint32_t
hash_name(const char *name, size_t len)
{
    return hash_bytes(name, len, 0);
}

struct name_index *
name_index_create(const struct json *object, size_t n, size_t capacity)
{
    size_t n_slots = 32;
    struct name_index *index;

    while (n_slots < 2 * capacity) {
        n_slots *= 2;
    }
    index = xzalloc(sizeof *index + n_slots * sizeof index->slots[0]);
    index->mask = n_slots - 1;
    for (size_t i = 0; i < n; i++) {
        name_index_add(index, object, i);
    }
    return index;
}

size_t
name_index_find(const struct name_index *index, const struct json *object, const char *name, size_t len)
{
    for (uint32_t slot = hash_name(name, len) & index->mask; index->slots[slot]; slot = (slot + 1) & index->mask) {
        const struct json *member = json_member(object, index->slots[slot] - 1);

        if (member->n == len && !memcmp(member->text, name, len)) {
            return index->slots[slot] - 1;
        }
    }
    return SIZE_MAX;
}

void
name_index_add(struct name_index *index, const struct json *object, size_t i)
{
    const struct json *member = json_member(object, i);
    uint32_t slot = hash_name(member->text, member->n) & index->mask;

    while (index->slots[slot]) {
        slot = (slot + 1) & index->mask;
    }
    index->slots[slot] = i + 1;
}

/* The position of the member, SIZE_MAX if there is none. */
static size_t
find_member(const struct json *object, const char *name)
{
    size_t len = strlen(name);

    if (object->n > SMALL_OBJECT && object->at) {
        return name_index_find(object->children[-1].index, object, name, len);
    } else if (!object->at && built_of(object)->index) {
        return name_index_find(built_of(object)->index, object, name, len);
    }
    for (size_t i = 0; i < object->n; i++) {
        const struct json *member = json_member(object, i);

        if (member->n == len && !memcmp(member->text, name, len)) {
            return i;
        }
    }
    return SIZE_MAX;
}

struct json *
js_object(void)
{
    return build(KIND_OBJECT, 0);
}

static void
reindex(struct built *b)
{
    free(b->index);
    b->index = b->json.n > SMALL_OBJECT ? name_index_create(&b->json, b->json.n, b->capacity) : NULL;
}

static void
add_member(struct json *object, const char *name, struct json *value)
{
    struct built *b = changeable(object, KIND_OBJECT);
    bool grown = object->n == b->capacity;

    if (grown) {
        b->capacity = MAX(2 * b->capacity, 4);
        object->members = xreallocarray(object->members, b->capacity, sizeof *object->members);
    }
    object->members[object->n++] = (struct built_member) {
        .name = { .kind = KIND_STRING, .n = strlen(name), .text = xstrdup(name) }, .value = value,
    };
    if (b->index && !grown) {
        name_index_add(b->index, object, object->n - 1);
    } else if (object->n > SMALL_OBJECT) {
        reindex(b);
    }
}

void
js_set_take(struct json *object, const char *name, struct json *value)
{
    size_t i = find_member(object, name);

    if (i == SIZE_MAX) {
        add_member(object, name, value);
    } else {
        changeable(object, KIND_OBJECT);
        js_unref(object->members[i].value);
        object->members[i].value = value;
    }
}

void
js_remove(struct json *object, const char *name)
{
    struct built *b = changeable(object, KIND_OBJECT);
    size_t i = find_member(object, name);

    if (i != SIZE_MAX) {
        free((char *) object->members[i].name.text);
        js_unref(object->members[i].value);
        object->n--;
        memmove(&object->members[i], &object->members[i + 1], (object->n - i) * sizeof object->members[0]);
        reindex(b);
    }
}

static bool
is_object(const struct json *json)
{
    return json && json->kind == KIND_OBJECT;
}

size_t
js_object_len(const struct json *object)
{
    return is_object(object) ? object->n : 0;
}

struct json *
js_get(const struct json *object, const char *name)
{
    size_t i = is_object(object) ? find_member(object, name) : SIZE_MAX;

    return i == SIZE_MAX ? NULL : json_member_value(json_member(object, i));
}

const char *
js_get_str(const struct json *object, const char *name)
{
    const struct json *value = js_get(object, name);

    return value && value->kind == KIND_STRING ? value->text : NULL;
}

void *
js_iter(const struct json *object)
{
    return js_object_len(object) ? json_member(object, 0) : NULL;
}

void *
js_iter_next(const struct json *object, void *it)
{
    char *next = (char *) it + (object->at ? 2 * sizeof(struct json) : sizeof(struct built_member));

    return next == (char *) json_member(object, object->n) ? NULL : next;
}

const char *
js_iter_name(void *it)
{
    return ((struct json *) it)->text;
}

struct json *
js_iter_value(void *it)
{
    return json_member_value(it);
}

/* --- Contents --- */

bool
js_bool_value(const struct json *json)
{
    return json->kind == KIND_TRUE;
}

static bool
is_real(const struct json *json)
{
    return json->kind == KIND_REAL || json->kind == KIND_WHOLE;
}

int64_t
js_int_value(const struct json *json)
{
    return is_real(json) ? (int64_t) json->real : json->kind == KIND_INTEGER ? json->integer : 0;
}

double
js_real_value(const struct json *json)
{
    return is_real(json) ? json->real : json->kind == KIND_INTEGER ? json->integer : 0.0;
}

const char *
js_str_value(const struct json *json)
{
    return json && json->kind == KIND_STRING ? json->text : NULL;
}

size_t
js_str_len(const struct json *json)
{
    return json && json->kind == KIND_STRING ? json->n : 0;
}

static bool
objects_equal(const struct json *a, const struct json *b)
{
    for (size_t i = 0; i < a->n; i++) {
        struct json *name = json_member(a, i);
        const struct json *other = js_get(b, name->text);

        if (!other || !js_equal(json_member_value(name), other)) {
            return false;
        }
    }
    return true;
}

bool
js_equal(const struct json *a, const struct json *b)
{
    if (!a || !b) {
        return false;
    }
    if (is_real(a) && is_real(b)) {
        return a->real == b->real;
    }
    if (a->kind != b->kind || a->n != b->n) {
        return false;
    }
    switch ((enum kind) a->kind) {
    case KIND_OBJECT: return objects_equal(a, b);
    case KIND_ARRAY:
        for (size_t i = 0; i < a->n; i++) {
            if (!js_equal(js_at(a, i), js_at(b, i))) {
                return false;
            }
        }
        return true;
    case KIND_INTEGER: return a->integer == b->integer;
    case KIND_STRING: return !memcmp(a->text, b->text, a->n);
    case KIND_NULL: case KIND_FALSE: case KIND_TRUE: case KIND_REAL: case KIND_WHOLE: break;
    }
    return true;
}

struct json *
js_clone(const struct json *json)
{
    struct json *to;

    switch ((enum kind) json->kind) {
    case KIND_OBJECT:
        to = js_object();
        for (size_t i = 0; i < json->n; i++) {
            add_member(to, json_member(json, i)->text, js_clone(json_member_value(json_member(json, i))));
        }
        return to;
    case KIND_ARRAY:
        to = js_array();
        for (size_t i = 0; i < json->n; i++) {
            js_append_take(to, js_clone(js_at(json, i)));
        }
        return to;
    case KIND_INTEGER: return js_int(json->integer);
    case KIND_REAL: case KIND_WHOLE: return js_real(json->real);
    case KIND_STRING: return js_strn(json->text, json->n);
    case KIND_NULL: case KIND_FALSE: case KIND_TRUE: break;
    }
    return json->kind == KIND_NULL ? js_null() : js_bool(json->kind == KIND_TRUE);
}

/* --- Parsing --- */

size_t
js_parse_first(const char *text, size_t n, unsigned max_depth, struct json **json)
{
    size_t used = 0;

    *json = json_parse_copy(text, n, max_depth, &used);
    return used;
}

struct error *
js_parse(const char *text, size_t n, struct json **json)
{
    *json = json_parse_copy(text, n, UINT_MAX, NULL);
    return *json ? NULL : json_parse_library(text, n, json);
}

struct error *
js_parse_take(char *text, size_t n, struct json **json)
{
    struct error *error = NULL;

    *json = json_parse_usual(text, n);
    if (!*json) {
        error = json_parse_library(text, n, json);
        free(text);
    }
    return error;
}

struct error *
js_parse_string(const char *text, struct json **json)
{
    return js_parse(text, strlen(text), json);
}

/* Reads all of 'fd'; 0 or a negative errno value. */
static int
read_all(int fd, struct str *s)
{
    char chunk[16384];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n > 0) {
            str_putn(s, chunk, n);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

struct error *
js_parse_file(const char *path, struct json **json)
{
    struct str text = STR_INIT;
    struct error *error;
    int fd, status;

    *json = NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    status = fd < 0 ? -errno : read_all(fd, &text);
    error = status ? error_new("error opening \"%s\": %s", path, strerror(-status))
                   : js_parse(str_text(&text), text.len, json);
    if (fd >= 0) {
        close(fd);
    }
    str_uninit(&text);
    return error;
}
