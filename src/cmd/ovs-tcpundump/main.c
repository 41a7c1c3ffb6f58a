/* ovs-tcpundump(1): "tcpdump -xx" to hexadecimal strings, a packet a line.
 *
 * A packet is a run of indented lines "0xOFFSET:  DIGITS..." whose offset starts at 0; digits stand in groups with one
 * space between them, and what comes after two spaces (the text of -XX) is none of them.  Other lines separate
 * packets. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "sys/cmdline.h"
#include "sys/log.h"

static void
usage(void)
{
    printf("%s: print \"tcpdump -xx\" output as hex\n"
           "usage: %s < FILE\n"
           "where FILE is output from \"tcpdump -xx\".\n"
           "\nThe following options are also available:\n"
           "  -h, --help                  display this help message\n"
           "  -V, --version               display version information\n", log_program(), log_program());
}

/* The digits' beginning if it is a line of a dump, else null; '*offset' is where in the packet it stands. */
static const char *
dump_line(const char *line, unsigned long *offset)
{
    size_t indent = strspn(line, " \t");
    char *end;

    line += indent;
    if (!indent || strncmp(line, "0x", 2) || !isxdigit((unsigned char) line[2])) {
        return NULL;
    }
    *offset = strtoul(line, &end, 16);
    if (*end != ':' || (end[1] != ' ' && end[1] != '\t')) {
        return NULL;
    }
    return end + 1 + strspn(end + 1, " \t");
}

static void
put_digits(struct str *packet, const char *s)
{
    while (isxdigit((unsigned char) *s)) {
        str_putc(packet, *s++);
        if (*s == ' ' && isxdigit((unsigned char) s[1])) {
            s++;
        }
    }
}

static void
finish(struct str *packet)
{
    if (packet->len) {
        puts(str_text(packet));
        str_clear(packet);
    }
}

int
main(int argc, char *argv[])
{
    struct str packet = STR_INIT;
    char *line = NULL;
    size_t size = 0;
    struct cmdline cl;

    cmdline_init(&cl, argc, argv, 0, NULL, 0, usage);
    while (cmdline_next(&cl) != CMDLINE_END) {
    }
    if (cl.argc) {
        cmdline_fatal(0, "non-option argument not supported (use --help for help)");
    }
    while (getline(&line, &size, stdin) > 0) {
        unsigned long offset = 0;
        const char *digits = dump_line(line, &offset);

        if (!digits || !offset) {
            finish(&packet);
        }
        if (digits) {
            put_digits(&packet, digits);
        }
    }
    finish(&packet);
    free(line);
    str_uninit(&packet);
    return ferror(stdin) || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
