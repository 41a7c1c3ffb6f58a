/* Meters: modification, configuration, statistics, features.
 * Standards: OpenFlow 1.5 §7.3.4.4, §7.3.5.13. */
#ifndef OPENFLOW_MSG_METER_H
#define OPENFLOW_MSG_METER_H 1

#include "openflow/msg.h"

#define METER_MAX UINT32_C(0xffff0000)
#define METER_SLOWPATH UINT32_C(0xfffffffd)
#define METER_CONTROLLER UINT32_C(0xfffffffe)
#define METER_ALL UINT32_C(0xffffffff)

enum { METER_KBPS = 1, METER_PKTPS = 2, METER_BURST = 4, METER_STATS = 8, METER_FLAGS_ALL = 15 };
enum { METER_BAND_DROP = 1, METER_BAND_DSCP_REMARK = 2 };
enum meter_command { METER_ADD, METER_MODIFY, METER_DELETE };

struct meter_band {
    uint16_t type; /* METER_BAND_*. */
    uint8_t prec_level;
    uint32_t rate, burst_size;
};

struct meter_mod {
    enum meter_command command;
    uint32_t meter_id;
    uint16_t flags; /* METER_*. */
    struct meter_band *bands; /* Owned. */
    size_t n_bands;
};

void meter_mod_uninit(struct meter_mod *);
/* For the switch: a burst of 0 stands for the rate, as in the reference. */
void meter_mod_state_bursts(struct meter_mod *);
/* OFPMMFC_*.  On an error '*mm' needs no uninit. */
enum ofperr meter_mod_decode(const struct msg *, struct meter_mod *mm) MUST_CHECK;
bool meter_mod_encode(struct bytes *, enum of_version, uint32_t xid, const struct meter_mod *);

/* METER and METER_CONFIG requests. */
enum ofperr meter_request_decode(const struct msg *, uint32_t *meter_id) MUST_CHECK;
void meter_request_encode(struct bytes *, enum msg_type, enum of_version, uint32_t xid, uint32_t meter_id);

/* One entry of a METER_CONFIG reply ('command' does not count). */
enum ofperr meter_config_take(struct cursor *, struct meter_mod *) MUST_CHECK;
void meter_config_put(struct bytes *, const struct meter_mod *);

struct meter_stats {
    uint32_t meter_id, n_flows;
    uint64_t n_packets, n_bytes;
    uint32_t duration_sec, duration_nsec;
    struct meter_band_stats { uint64_t n_packets, n_bytes; } *bands; /* Owned. */
    size_t n_bands;
};

enum ofperr meter_stats_take(struct cursor *, struct meter_stats *) MUST_CHECK;
void meter_stats_put(struct bytes *, const struct meter_stats *);
void meter_stats_uninit(struct meter_stats *);

struct meter_features {
    uint32_t max_meters, band_types, capabilities;
    uint8_t max_bands, max_color;
};

enum ofperr meter_features_decode(const struct msg *, struct meter_features *) MUST_CHECK;
void meter_features_encode(struct bytes *, const struct msg *request, const struct meter_features *);

#endif
