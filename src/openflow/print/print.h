/* OpenFlow messages as text: what ovs-ofctl shows in ofp-print, monitor, snoop and dump-*, and what the log shows.
 *
 * 'verbosity' 0 is a line where one will do; 1 adds packets' headers and statistics' entries; 3 adds packets' bytes;
 * 5 adds each message's bytes.
 * Names of ports and tables are shown where the caller knows them.
 *
 * Nothing received is too broken to be printed: what cannot be decoded is shown as the error and a hexadecimal dump.
 *
 * Threads: pure. */
#ifndef OPENFLOW_PRINT_PRINT_H
#define OPENFLOW_PRINT_PRINT_H 1

#include "openflow/action/action.h"
#include "openflow/msg.h"
#include "openflow/msg/flow.h"
#include "openflow/msg/port.h"
#include "openflow/msg/table.h"

/* Appends the text of the message of 'len' bytes at 'data', ending in a line end.  'names' null: numbers only.  If
 * 'why'
 * is not null it receives words for a message that could not be decoded, as they are logged, to be released; null
 * if there are none. */
void msg_print(struct str *s, const void *data, size_t len, const struct act_text *names, int verbosity, char **why);

/* A message's text as the log has it, without a line end behind it; to be released (see of_conn_log_messages()). */
char *msg_describe(const uint8_t *message, size_t len) MUST_CHECK;

/* Appends 'n' bytes in lines of 16: offset, hexadecimal digits and, with 'ascii', characters. */
void print_hex(struct str *s, const void *p, size_t n, bool ascii);

/* Appends the packet's headers as a flow: "tcp,vlan_tci=0x0000,dl_src=..." and checksums, ending in a line end. */
void print_packet(struct str *s, const void *packet, size_t len);

/* One flow of a reply: " cookie=0x0, duration=5s, ... actions=drop".  Without 'show_stats', what counts and changes
 * is left
 * out. */
void print_flow_stats(struct str *s, const struct flow_stats *, const struct act_text *names, bool show_stats);

/* A flow-mod as it is printed after the message's name: "ADD table:3 tcp cookie:0x1 actions=drop".  'match': how its
 * match is shown instead; null: as usual. */
void print_flow_mod(struct str *s, const struct flow_mod *, enum of_version, const struct act_text *names,
                    const char *match);

/* "group_id=5,type=all,bucket=...", as OpenFlow 1.5 has it. */
struct group_mod;
void print_group_desc(struct str *s, const struct group_mod *, const struct act_text *names);

/* "5.01s", "?"s parts. */
void print_duration(struct str *s, uint32_t sec, uint32_t nsec);

/* A port's description, in the lines of "show". */
void print_port_desc(struct str *s, const struct port_desc *, const struct act_text *names);

/* Features of tables that came in several messages, as one list in which equal tables are shortened: begin with all
 * zeros,
 * add each table in order, end. */
struct print_ditto {
    bool any;
    uint8_t first, last;
};
struct print_tables {
    bool any;
    struct table_features prev;
    struct print_ditto ditto;
};
void print_tables_add(struct str *s, struct print_tables *, const struct table_features *);
void print_tables_end(struct str *s, struct print_tables *);

#endif
