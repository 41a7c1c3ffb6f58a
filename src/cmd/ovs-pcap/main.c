/* ovs-pcap(1): prints the packets of a capture file, each as a line of hexadecimal digits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "packet/pcap.h"
#include "sys/cmdline.h"
#include "sys/log.h"

static void
usage(void)
{
    printf("%s: print pcap file packet data as hex\n"
           "usage: %s FILE\n"
           "where FILE is a PCAP file.\n"
           "\nThe following options are also available:\n"
           "  -h, --help                  display this help message\n"
           "  -V, --version               display version information\n", log_program(), log_program());
}

/* What the file holds up to the first thing that is wrong with it is printed. */
static int
print_frames(struct pcap_file *file)
{
    struct bytes frame = BYTES_INIT;
    int status;

    while ((status = pcap_read(file, &frame)) > 0) {
        for (size_t i = 0; i < frame.len; i++) {
            printf("%02x", frame.data[i]);
        }
        putchar('\n');
    }
    bytes_uninit(&frame);
    return status;
}

int
main(int argc, char *argv[])
{
    struct pcap_file *file;
    struct cmdline cl;
    int error;

    cmdline_init(&cl, argc, argv, 0, NULL, 0, usage);
    while (cmdline_next(&cl) != CMDLINE_END) {
    }
    if (cl.argc != 1) {
        cmdline_fatal(0, "exactly 1 non-option argument required (use --help for help)");
    }
    error = pcap_open(cl.argv[0], "r", &file);
    if (error) {
        cmdline_fatal(error, "%s: %s", cl.argv[0], error == -EPROTO ? "not a pcap file" : "open failed");
    }
    error = print_frames(file);
    pcap_close(file);
    if (error) {
        fflush(stdout);
        cmdline_fatal(error, "%s: read failed", cl.argv[0]);
    }
    return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
