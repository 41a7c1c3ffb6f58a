/* Every message of the corpus is printed as the reference prints it.
 *
 * print_corpus.txt was recorded with the reference's "ovs-ofctl ofp-print HEX VERBOSITY": blocks of
 *
 *     = HEX VERBOSITY
 *     the text, indented by "| "
 *
 * A block marked with '~' instead of '=' is printed otherwise by us, for the reason that the line before it says;
 * its text is ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "openflow/print/print.h"

static const char *corpus_file;

struct block {
    char *hex;
    int verbosity;
    struct str text;
};

/* Reads the next block; false at the end. */
static bool
read_block(FILE *f, struct block *b)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    bool found = false;

    str_clear(&b->text);
    while ((n = getline(&line, &size, f)) > 0) {
        if (line[0] == '=' || line[0] == '~') {
            char *space = strrchr(line, ' ');

            free(b->hex);
            b->hex = xstrndup(line + 2, space - line - 2);
            b->verbosity = atoi(space + 1);
            found = true;
        } else if (line[0] == '|') {
            str_puts(&b->text, n > 2 ? line + 2 : "\n");
            n = fgetc(f);
            if (n != '|') {
                ungetc(n, f);
                break;
            }
            ungetc(n, f);
        }
    }
    free(line);
    return found;
}

static void
every_message_is_printed_as_the_reference_prints_it(void **state UNUSED)
{
    struct block b = { NULL, 0, STR_INIT };
    FILE *f = fopen(corpus_file, "r");
    size_t n = 0, n_bad = 0;

    assert_non_null(f);
    while (read_block(f, &b)) {
        struct bytes message = BYTES_INIT;
        struct str got = STR_INIT;

        bytes_put_from_hex(&message, b.hex);
        msg_print(&got, message.data, message.len, NULL, b.verbosity, NULL);
        if (strcmp(str_text(&got), str_text(&b.text))) {
            fprintf(stderr, "= %s %d\nwanted:\n%sgot:\n%s", b.hex, b.verbosity, str_text(&b.text), str_text(&got));
            n_bad++;
        }
        n++;
        str_uninit(&got);
        bytes_uninit(&message);
    }
    fclose(f);
    free(b.hex);
    str_uninit(&b.text);
    print_message("%zu messages\n", n);
    assert_true(n > 100);
    assert_int_equal(n_bad, 0);
}

/* Whatever is cut off anywhere is printed too, and nothing is read beyond its end (the sanitizer watches). */
static void
messages_cut_anywhere_are_printed(void **state UNUSED)
{
    struct block b = { NULL, 0, STR_INIT };
    FILE *f = fopen(corpus_file, "r");

    assert_non_null(f);
    while (read_block(f, &b)) {
        struct bytes message = BYTES_INIT;

        bytes_put_from_hex(&message, b.hex);
        for (size_t len = MSG_HEADER; len < MIN(message.len, 300); len++) {
            uint8_t *copy = xmemdup(message.data, len);
            struct str got = STR_INIT;

            put_be16(copy + 2, len);
            msg_print(&got, copy, len, NULL, 3, NULL);
            assert_true(got.len > 0);
            str_uninit(&got);
            free(copy);
        }
        bytes_uninit(&message);
    }
    fclose(f);
    free(b.hex);
    str_uninit(&b.text);
}

int
main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_is_printed_as_the_reference_prints_it),
        cmocka_unit_test(messages_cut_anywhere_are_printed),
    };

    corpus_file = argc > 1 ? argv[1] : "print_corpus.txt";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
