/* Every message of the corpus that can be read and written is written again as it was.
 *
 * Reading and writing again gives the same bytes, but for the messages listed in roundtrip_rewritten.txt, which have a
 * form that is never written (the reason stands there).  Those keep their meaning, but for a few that say so: what is
 * written is printed as the original.  It is itself stable.
 *
 * ROUNDTRIP_TEST CORPUS REWRITTEN SEEDS writes the first messages of every form, as our encoder says them, into the
 * directory SEEDS: so message_seeds, for fuzz_messages.c, was made.  A form that we only read is taken as it stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "openflow/print/again.h"
#include "openflow/print/print.h"

static const char *corpus_file, *rewritten_file, *seeds_directory;

static char *
print(const struct bytes *b)
{
    struct str s = STR_INIT;

    msg_print(&s, b->data, b->len, NULL, 2, NULL); /* More shows what is under wildcards. */
    return str_steal(&s);
}

/* Whether the message is in the list of those that are rewritten, and keeps its meaning then. */
static bool
is_listed(const char *hex, bool *same_meaning)
{
    FILE *f = fopen(rewritten_file, "r");
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    assert_non_null(f);
    while (!found && getline(&line, &size, f) > 0) {
        line[strcspn(line, "\n")] = '\0';
        *same_meaning = line[0] != '!';
        found = !strcmp(line + !*same_meaning, hex);
    }
    free(line);
    fclose(f);
    return found;
}

/* Returns false and says so if the message is not written as it should be. */
static bool
check(const char *hex, const struct bytes *before, const struct bytes *after)
{
    struct bytes twice = BYTES_INIT;
    char *text, *text_after;
    bool ok, same_meaning;

    if (before->len == after->len && !memcmp(before->data, after->data, after->len)) {
        return true;
    }
    text = print(before);
    text_after = print(after);
    ok = is_listed(hex, &same_meaning) && !strcmp(text, text_after) == same_meaning &&
         msg_write_again(after->data, after->len, &twice) && twice.len == after->len &&
         !memcmp(twice.data, after->data, twice.len);
    if (!ok) {
        struct str s = STR_INIT;

        str_put_hex(&s, after->data, after->len);
        fprintf(stderr, "read:    %s\nwritten: %s\n%s%s", hex, str_text(&s), text, text_after);
        str_uninit(&s);
    }
    bytes_uninit(&twice);
    free(text);
    free(text_after);
    return ok;
}

/* Up to SEEDS of each form and version; nothing if 'better', not null, has the same form. */
static void
write_seed(const struct bytes *b, const struct bytes *better)
{
    enum { SEEDS = 2, MAX_FORMS = 1000 };
    static struct { const struct msg_wire *wire; enum of_version version; unsigned int n; } forms[MAX_FORMS];
    char path[4096];
    struct msg m, other;
    size_t i;
    FILE *f;

    assert_int_equal(msg_decode(b->data, b->len, &m), OFPERR_NONE);
    if (better) {
        assert_int_equal(msg_decode(better->data, better->len, &other), OFPERR_NONE);
        if (m.wire == other.wire && m.version == other.version) {
            return;
        }
    }
    for (i = 0; forms[i].wire && (forms[i].wire != m.wire || forms[i].version != m.version); i++) {
        assert_true(i < MAX_FORMS - 1);
    }
    if (forms[i].n == SEEDS) {
        return;
    }
    forms[i].wire = m.wire;
    forms[i].version = m.version;
    snprintf(path, sizeof path, "%s/%d-%d-%d-%u", seeds_directory, m.version, m.wire->class, m.wire->number,
             forms[i].n++);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

static void
every_type_is_known(void **state UNUSED)
{
    for (int type = 0; type < MSG_N; type++) {
        assert_true(msg_again_knows(type));
    }
}

static void
every_message_is_written_as_it_was_read(void **state UNUSED)
{
    struct bytes before = BYTES_INIT, after = BYTES_INIT;
    FILE *f = fopen(corpus_file, "r");
    size_t n = 0, n_bad = 0, size = 0;
    char *line = NULL;

    assert_non_null(f);
    while (getline(&line, &size, f) > 0) {
        if (line[0] == '=' || line[0] == '~') {
            char *hex = line + 2;

            hex[strcspn(hex, " \n")] = '\0';
            bytes_clear(&before);
            bytes_put_from_hex(&before, hex);
            if (msg_write_again(before.data, before.len, &after)) {
                n_bad += !check(hex, &before, &after);
                n++;
                if (seeds_directory) {
                    write_seed(&after, NULL);
                    write_seed(&before, &after);
                }
            }
        }
    }
    free(line);
    fclose(f);
    bytes_uninit(&before);
    bytes_uninit(&after);
    print_message("%zu messages\n", n);
    assert_true(n > 300);
    assert_int_equal(n_bad, 0);
}

int
main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_known),
        cmocka_unit_test(every_message_is_written_as_it_was_read),
    };

    corpus_file = argv[1];
    rewritten_file = argv[2];
    seeds_directory = argc > 3 ? argv[3] : NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
