/* Prints, for each frame of a capture file, what flow_extract() makes of it: every field that is not zero, by name, as
 * hexadecimal digits (usage: show_frame FILE). */
#include <stdio.h>
#include <stdlib.h>

#include "flow/extract.h"
#include "flow/field.h"
#include "packet/pcap.h"

static void
print_flow(const struct flow *flow)
{
    for (const struct field *f = fields; f < fields + FIELD_N; f++) {
        union field_value v;

        field_get(f, flow, &v);
        if (!is_all_zeros(&v, f->wire_bytes)) {
            printf("%s=", f->name);
            for (int i = 0; i < f->wire_bytes; i++) {
                printf("%02x", v.bytes[i]);
            }
            putchar(' ');
        }
    }
    putchar('\n');
}

int
main(int argc, char *argv[])
{
    struct bytes frame = BYTES_INIT;
    struct pcap_file *file;
    int error = argc == 2 ? pcap_open(argv[1], "r", &file) : -1;

    if (error) {
        fprintf(stderr, "show_frame: cannot read the file\n");
        return EXIT_FAILURE;
    }
    while (pcap_read(file, &frame) > 0) {
        uint8_t *exact = xmemdup(frame.data ? frame.data : (const uint8_t *) "", frame.len);
        struct flow flow;

        flow_extract_full(exact, frame.len, NULL, &flow, NULL);
        print_flow(&flow);
        free(exact);
    }
    pcap_close(file);
    bytes_uninit(&frame);
    return 0;
}
