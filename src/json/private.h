/* How a JSON value lies in memory.
 *
 * A value that was parsed is part of a document: one counted block that holds all of its values, the children of each
 * container side by side, and the text that its strings point into.  A reference to any of its values is one to the
 * whole.  A value that was built has a block of its own, with its own count, and points to its children.  Either
 * begins with the 16 bytes of a 'struct json', so reading a value hardly cares which it is. */
#ifndef JSON_PRIVATE_H
#define JSON_PRIVATE_H 1

#include <string.h>

#include "json/json.h"

enum kind { KIND_NULL, KIND_FALSE, KIND_TRUE, KIND_OBJECT, KIND_ARRAY, KIND_INTEGER, KIND_REAL, KIND_STRING,
            KIND_WHOLE /* A built real without a fraction: an integer to its users, but written as a real. */ };

#define IN_DOC_MAX ((1U << 28) - 1)

struct json {
    uint32_t kind : 4;
    uint32_t at : 28; /* In a document: how many of these after its start; 0: built. */
    uint32_t n;       /* Elements, members, or bytes of text. */
    union {
        int64_t integer;
        double real;
        const char *text;            /* Null-terminated. */
        struct json *children;       /* In a document; for an object name, value, name, value, ... */
        struct json **elements;      /* Of a built array. */
        struct built_member *members; /* Of a built object. */
        struct name_index *index;     /* Of a null before a large object's children. */
    };
};

/* A member of a built object; starts like one in a document. */
struct built_member {
    struct json name;
    struct json *value;
};

/* A value that was built.  The text of a string follows. */
struct built {
    struct json json;
    uint32_t refs;            /* UINT32_MAX: for ever. */
    uint32_t capacity;        /* Elements or members that there is room for. */
    struct name_index *index; /* Of an object; null while it is small. */
};

/* Finds members of large objects by name: a table of their positions plus one, 0 where there is none. */
struct name_index {
    struct name_index *next; /* In the document's list. */
    uint32_t mask;
    uint32_t slots[];
};

/* Objects with more members than this have an index. */
#define SMALL_OBJECT 16

/* Room for strings whose escapes are decoded, where the text may not be changed for good. */
struct decoded {
    struct decoded *next; /* In the document's list. */
    size_t used, size;
    char text[];
};

/* The head of a document, as long as two values, which follow it.  In a document a large object's index is pointed to
 * by the value before its children. */
struct doc {
    uint32_t refs;
    uint32_t capacity;          /* Values that the block has room for, the head included. */
    char *text;                 /* Owned. */
    struct decoded *decoded;    /* Owned. */
    struct name_index *indexes; /* Owned. */
};

_Static_assert(sizeof(struct doc) % sizeof(struct json) == 0, "values follow it");
#define DOC_VALUES (sizeof(struct doc) / sizeof(struct json))

void json_doc_free(struct doc *);

static inline struct doc *
doc_of(const struct json *json)
{
    return (struct doc *) (json - json->at);
}

static inline struct built *
built_of(const struct json *json)
{
    return CONTAINER_OF((struct json *) json, struct built, json);
}

/* Member 'i' of an object: its name, behind which is its value (json_member_value()). */
static inline struct json *
json_member(const struct json *object, size_t i)
{
    return object->at ? &object->children[2 * i] : &object->members[i].name;
}

static inline struct json *
json_member_value(struct json *name)
{
    return name->at ? name + 1 : CONTAINER_OF(name, struct built_member, name)->value;
}

/* Makes the index of the first 'n' members; 'object' has room for 'capacity'. */
struct name_index *name_index_create(const struct json *object, size_t n, size_t capacity) MUST_CHECK;
/* The position of 'name', SIZE_MAX if there is none. */
size_t name_index_find(const struct name_index *, const struct json *object, const char *name, size_t len);
void name_index_add(struct name_index *, const struct json *object, size_t i);

/* Parses the 'n' bytes at 'text', which is changed and taken over, if they are a value of the usual kind; null, with
 * the text as it was and still the caller's, if they are not: then the library has the word (library.c). */
struct json *json_parse_usual(char *text, size_t n) MUST_CHECK;

/* The same of a text that stays the caller's.  With 'used', just the object or array that it starts with, whatever
 * follows; sets that to its length. */
struct json *json_parse_copy(const char *text, size_t n, unsigned max_depth, size_t *used) MUST_CHECK;

/* The library's opinion: a value, built, or its error. */
struct error *json_parse_library(const char *text, size_t n, struct json **json) MUST_CHECK;

/* Whether a real is an integer, however it is written.  -2**63 stands for all integers just below it too. */
bool json_is_whole(long double r);

/* The length of the valid UTF-8 sequence (RFC 3629) at 'p', of whose bytes 'n' are there; 0 if it is none. */
size_t json_utf8_len(const char *p, size_t n);

#endif
