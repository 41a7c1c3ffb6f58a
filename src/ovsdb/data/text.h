/* Values as people write and read them on command lines (ovs-vsctl(8), Database Values).
 *
 * A set is "[a, b]", brackets optional for input; a map "{k=v, k2=v2}"; strings are quoted as in JSON where they could
 * be taken for something else; "@name" stands for the UUID of a row that the same command line makes; "1-5" for the
 * integers from 1 to 5.  Errors are worded as the reference's programs print them. */
#ifndef OVSDB_DATA_TEXT_H
#define OVSDB_DATA_TEXT_H 1

#include "ovsdb/data/datum.h"

/* Reads all of 'text' as a value of 'type'.  'symtab' (null: "@name" is not allowed) resolves names.  On error '*d' is
 * empty. */
struct error *datum_from_text(struct datum *d, const struct col_type *type, const char *text, struct symtab *symtab)
    MUST_CHECK;

/* Reads all of 'text' as one atom and checks its constraints.  '*range_end', if not null, gets the end of a range
 * (only integers; equal to 'a' if 'text' is no range). */
struct error *atom_from_text(union atom *a, union atom *range_end, const struct base_type *base, const char *text,
                             struct symtab *symtab) MUST_CHECK;

/* Append the string form ("[]", "{}", braces for maps, brackets for sets that are not exactly one element of an at
 * most one-element type) and the bare form (no punctuation, no quotes). */
void datum_put_text(struct str *s, const struct datum *d, const struct col_type *type);
void datum_put_bare(struct str *s, const struct datum *d, const struct col_type *type);

/* Takes the next token from '*text': a quoted string, or the characters up to one that ends it (":=, []{}!<>" and
 * white space; a backslash before a character takes its meaning from it).  '*token' is to be released with free(), null
 * on error. */
struct error *text_take_token(const char **text, char **token) MUST_CHECK;

#endif
