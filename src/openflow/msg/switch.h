/* The switch as a whole: features, configuration, description. */
#ifndef OPENFLOW_MSG_SWITCH_H
#define OPENFLOW_MSG_SWITCH_H 1

#include "openflow/msg.h"
#include "openflow/msg/port.h"

/* Capabilities.  The bits of all versions fit together but for STP (1.0) and group statistics (1.1 and later), which
 * share a number on the wire. */
enum {
    CAP_FLOW_STATS = 1 << 0, CAP_TABLE_STATS = 1 << 1, CAP_PORT_STATS = 1 << 2, CAP_GROUP_STATS = 1 << 3,
    CAP_IP_REASM = 1 << 5, CAP_QUEUE_STATS = 1 << 6, CAP_ARP_MATCH_IP = 1 << 7, CAP_PORT_BLOCKED = 1 << 8,
    CAP_BUNDLES = 1 << 9, CAP_FLOW_MONITORING = 1 << 10, CAP_STP = 1u << 31
};

struct switch_features {
    uint64_t datapath_id;
    uint32_t n_buffers;
    uint8_t n_tables, auxiliary_id;
    uint32_t capabilities; /* CAP_*. */
    uint32_t actions;      /* Of 1.0: its action numbers as bits. */
};

/* Reads the fixed part; '*ports' is what follows: descriptions for port_desc_take() before 1.3, else nothing. */
enum ofperr switch_features_decode(const struct msg *, struct switch_features *, struct cursor *ports) MUST_CHECK;

/* Starts a reply; before 1.3 append ports with port_desc_put(), as many as fit; then msg_finish(). */
size_t switch_features_start(struct bytes *, const struct msg *request, const struct switch_features *);

/* What happens to fragments. */
enum frag_mode { FRAG_NORMAL, FRAG_DROP, FRAG_REASSEMBLE, FRAG_NX_MATCH };

struct switch_config {
    enum frag_mode frags;
    int invalid_ttl_to_controller; /* 1, 0; -1: the version cannot say. */
    uint16_t miss_send_len;
};

/* "normal", ...; the reverse (case ignored), false if it is none. */
const char *frag_mode_name(enum frag_mode);
bool frag_mode_parse(const char *text, enum frag_mode *);
/* Appends all those names, a blank behind each (sys/cmdline.h). */
void frag_modes_put_choice(struct str *);

/* GET_CONFIG_REPLY and SET_CONFIG. */
enum ofperr switch_config_decode(const struct msg *, struct switch_config *) MUST_CHECK;
void switch_config_encode(struct bytes *, enum msg_type, enum of_version, uint32_t xid, const struct switch_config *);

/* Texts of a DESC reply; longer ones are cut. */
struct switch_desc {
    char mfr[257], hw[257], sw[257], serial[33], dp[257]; /* One more than on the wire: always terminated. */
};

enum ofperr switch_desc_decode(const struct msg *, struct switch_desc *) MUST_CHECK;
void switch_desc_encode(struct bytes *, const struct msg *request, const struct switch_desc *);

#endif
