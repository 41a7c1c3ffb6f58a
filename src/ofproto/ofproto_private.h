/* What the files of ofproto share.
 *
 * struct ofproto holds an xbridge, the part that translation sees, and everything that only the main thread needs.
 *
 * Locks: 'tables_mutex' serialises changes of the tables, since workers change them too ('learn').  Everything else is
 * the main thread's. */
#ifndef OFPROTO_OFPROTO_PRIVATE_H
#define OFPROTO_OFPROTO_PRIVATE_H 1

#include <pthread.h>

#include "base/hmap.h"
#include "base/roll.h"
#include "ofproto/expiry.h"
#include "ofproto/ofproto.h"
#include "ofproto/rule.h"
#include "ofproto/xbridge.h"
#include "sys/loop.h"

struct conns;
struct depend;
struct evict_order;
struct ofconn;
struct bytes;
struct flow_mod;
struct in_band;
struct change_request;
struct tables_change;
struct xlate_out;

/* A datapath and what the switch keeps with it. */
struct backer {
    struct xdp xdp;
    struct hmap_node node;          /* By type. */
    const char *served_by;          /* Type that stands in for it, null if none does. */
    struct list all;                /* In the list of all, also of those whose last bridge is gone. */
    unsigned int n_bridges;
    unsigned int n_users;           /* Bridges, and those that are gone and not settled yet. */
    struct list settled;            /* struct unpublished, by the revalidator; guarded by 'settled_mutex'. */
    pthread_mutex_t settled_mutex;
    struct loop_wake settled_wake;
    struct dp_client client;
    struct depend *depend;          /* What the megaflows depend on. */
    struct revalidator *revalidator; /* Null after ofproto_stop(). */
    _Atomic bool is_stopped;        /* No megaflow is made any more. */
    bool port_gone;                 /* backer_port_gone() */
    struct loop_wake swept;         /* A sweep that was asked for has ended. */
    struct list sweep_waits;        /* struct sweep_wait: those that wait for one. */
    struct zone_set *zones;         /* Null until there are any: ct_zones.c. */
    struct upcall_counts upcalls;   /* Of packets of no port of a bridge. */
};

struct ofport {
    struct hmap_node node;   /* In ofproto->ports, by number. */
    struct ofproto *ofproto;
    struct xport *x;
    char *peer;              /* Patch ports: name of the other end. */
    struct eth_addr mac;
    struct loop_task changed;
    int64_t created;         /* ms */
    uint32_t curr, advertised, supported, peer_features; /* OpenFlow 1.0 bits. */
    uint32_t config, state;  /* OpenFlow 1.1+ numbers, as last reported. */
};

/* A rule that has left its table and whose controllers are still to be told. */
struct removed_rule {
    struct list node; /* In ofproto->removed. */
    struct rule *rule; /* Referenced. */
    uint8_t reason;
    int64_t when;
};

/* What is being told at present (telling.h). */
struct telling {
    struct list notes, removed; /* That are left of the round: struct flow_note, struct removed_rule. */
    uint64_t n_begun, n_ended;  /* Rounds. */
};

/* What a Flow_Table row and table-mod say. */
struct table_state {
    bool is_configured;      /* A row says something of it. */
    char *name, *of_name;    /* The row's and OpenFlow's (table features); null: none. */
    unsigned int max_flows;  /* UINT_MAX: no limit. */
    bool evict, of_evict;    /* When full, by the row's overflow_policy; by table-mod. */
    struct subfield *groups; /* What makes groups of flows, of which the largest loses one (evict.h); owned. */
    size_t n_groups;
    struct evict_order *order; /* In which flows go (evict.h); null: nobody has asked for it. */
    bool vacancy;            /* Vacancy events as table-mod set them, in per cent. */
    uint8_t vacancy_down, vacancy_up;
    bool vacancy_is_low;     /* The last event was "down": the next is "up". */
    unsigned int n_flows;
    size_t n_retired;        /* Of the rules in ofproto->retired. */
};

struct ofproto {
    struct hmap_node node;   /* In all_ofprotos, by name. */
    struct xbridge xb;
    struct backer *backer;
    char *type;              /* As the user said it. */
    uint64_t dpid;
    char *mfr, *hw, *sw, *serial, *dp_desc; /* Null: the default. */
    bool secure;
    enum regime {            /* Whose the tables are, as of the last fail_mode_apply(). */
        REGIME_NONE, REGIME_CONTROLLERS, REGIME_STANDALONE, REGIME_SECURE
    } regime;
    struct in_band *in_band; /* Null: never had one. */
    bool fail_open;          /* A learning switch for want of a controller. */
    uint32_t versions;       /* Allowed OpenFlow versions, bit N: wire version N. */
    bool has_versions;       /* They have been set. */
    struct hmap ports;       /* struct ofport by number. */
    uint32_t last_port;      /* Last automatically chosen number. */
    uint64_t used_numbers[0xff00 / 64]; /* Bit N: a port has or had the number N. */
    struct hmap bundles;     /* struct bundle by key. */
    struct mirrors *mirrors; /* Null: none. */
    uint64_t n_own_packets, n_own_bytes; /* Of ofproto_send_own(). */
    struct list samplers;    /* struct sampler (ofproto/sampler.c). */
    uint64_t *flood_vlans;   /* Null: none. */
    unsigned int mac_idle_s; /* Age at which MAC entries expire. */

    pthread_mutex_t tables_mutex; /* Recursive: a rule's end may be told while a change is under way. */
    struct table_state tables[OFPROTO_N_TABLES];
    struct expiry expiry;    /* Of rules with a timeout. */
    struct list retired;     /* struct rule: hidden, still to be taken out of the classifier. */
    struct loop_wake retired_wake;
    struct list rule_lists;  /* struct rule_list whose rules have not all been found: no rule leaves the tables. */
    struct tables_change *long_change; /* Null: none is open. */
    struct change_request *request;    /* That is being carried out in steps; null: none. */
    struct change_request *next_request; /* Of our own, that begins when that one has come to its end; null: none. */
    struct loop_wake change_wake;
    struct hmap groups;      /* struct group by id, */
    struct roll groups_roll; /* and in the order of their coming. */
    struct hmap meters;      /* struct meter by id, likewise. */
    struct roll meters_roll;
    struct hmap users;       /* Of groups and meters: users.h. */
    struct hmap learned_users; /* See learned.h. */
    struct list learned_unused;
    _Atomic bool learned_may_be_due; /* A change has ended that may have left some. */
    struct hmap by_cookie;   /* struct rule by cookie (cookies.h). */
    unsigned int n_monitors; /* Flow monitors of all connections; guarded by tables_mutex, like 'notes'. */
    struct list notes;       /* struct flow_note: changes that monitors are to be told. */
    uint64_t n_noted;        /* Number of the last of them. */
    uint64_t n_told;         /* Of the last that has been told; main thread. */
    struct list table_events; /* struct table_event: vacancy events still to be sent; guarded by tables_mutex. */
    struct hmap option_users; /* Rules that use tunnel options, and how many use each: handle_tlv.c; guarded by */
    uint32_t n_option_users[64]; /* tables_mutex. */
    struct list removed;     /* Rules whose flow-removed message is still to be sent: struct removed_rule. */
    struct loop_wake removed_wake; /* Something is to be told (telling.h). */
    _Atomic size_t n_untold; /* Of notes and removed rules. */
    struct telling telling;
    struct loop_timer second; /* Expiry of rules, MAC entries and the like. */
    struct loop_task macs_task; /* ofproto_run_macs() has not come to an end. */
    struct conns *conns;
    uint16_t frag_mode;      /* OFPC_FRAG_* as set by set-config. */
};

extern struct hmap all_ofprotos;
extern struct loop *ofproto_loop;
extern struct ofproto_settings ofproto_settings;

/* backer.c: the datapath of a type, made at its first bridge and shared by the others. */
int backer_ref(const char *type, struct backer **);
/* A bridge is gone; with the last one so is the datapath, for all who look for it.  Then, when nothing names the bridge
 * any more, its reference. */
void backer_leave(struct backer *, bool cleanup);
void backer_unref(struct backer *);
struct backer *backer_find(const char *type); /* Null if no bridge uses it. */
struct backer *backer_first(void);
struct backer *backer_next(const struct backer *);
/* Something changed that any translation may depend on; a rule did; an address did.  After the change can be seen. */
void backer_changed(struct backer *);
void backer_rule_changed(struct backer *, const struct rule *);
void backer_group_changed(struct backer *, const struct xbridge *, uint32_t group_id);
void backer_groups_changed(struct backer *, const struct xbridge *); /* Many of them. */
void backer_meter_changed(struct backer *, const struct xbridge *, uint32_t meter_id);
void backer_table_changed(struct backer *, const struct xbridge *, uint8_t table_id);
/* A port was unpublished and removed: megaflows that name it serve until they have been looked at again.  One is about
 * to be added, maybe under the same number: those that are left are not used any more. */
void backer_port_gone(struct backer *);
void backer_port_comes(struct backer *);
/* Calls 'done' in the main thread once no megaflow translated before now, and no translation under way, names what was
 * unpublished, and what RCU was given until then has been released; in the order of the calls.  The caller has said
 * what changed; nobody waits: it takes the revalidator's next sweep. */
struct unpublished {
    struct list node;
    void (*done)(struct unpublished *);
};
void backer_when_settled(struct backer *, struct unpublished *);
/* Calls 'done' in the main thread, maybe at once, when a sweep of each datapath (of 'only', unless that is null) that
 * begins from now on has ended, after 'ms' milliseconds at the latest (0: however long it takes): the packets until now
 * have been credited then.  While a revalidator is paused nobody waits for it. */
struct sweeps {
    unsigned int n_pending;
    struct sweep_wait *each;        /* Owned. */
    unsigned int n_each;
    struct loop_timer deadline;
    void (*done)(struct sweeps *);
};
void ofproto_when_swept(struct sweeps *, const struct backer *only, int64_t ms, void (*done)(struct sweeps *));

/* ofproto.c */
/* Goes on with what is to be done in the MAC table (mac_table_run_step()), now and in the next turns of the loop. */
void ofproto_run_macs(struct ofproto *);
/* Some of the addresses of a bridge of which nobody knows any more (removal.c); true when all are gone. */
bool ofproto_empty_macs_step(struct ofproto *, struct loop_slice *) MUST_CHECK;

/* port.c */
/* Gives it another number in the datapath; -EBUSY if that is taken. */
int ofport_renumber(struct ofport *, odp_port);
struct ofport *ofport_find(const struct ofproto *, ofp_port);
struct ofport *ofport_find_by_name(const struct ofproto *, const char *name);
/* Ports in order of their numbers; to be released with free(). */
struct ofport **ofports_sorted(const struct ofproto *, size_t *n);
void ofports_destroy(struct ofproto *);
void ofport_apply_config(struct ofport *, uint32_t config, uint32_t mask);

/* bundle.c */
void bundles_destroy(struct ofproto *);
void bundles_forget_port(struct ofproto *, struct xport *);
/* The state of the port's link may be another. */
void bundles_port_changed(struct ofproto *, struct xport *);
/* The name of the bundle with that key, null if it is gone. */
const char *bundle_name(const struct ofproto *, const void *key);

/* handle_packet.c: sends a frame of the switch itself by the port: mirrors have it, and it counts as received from the
 * local port.  0 or -errno.  Main thread. */
int ofproto_send_own(struct ofproto *, const struct xport *, const void *frame, size_t len) MUST_CHECK;

/* handle_tlv.c: tunnel options.  Binds a match to the bridge's map: NXFMFC_INVALID_TLV_FIELD, OFPBMC_BAD_VALUE.  Counts
 * what a rule that comes uses (bits of options that it matches, that its actions name), until it goes; the caller holds
 * tables_mutex. */
enum ofperr options_bind_match(const struct ofproto *, struct match *) MUST_CHECK;
struct act_buf;
/* Whether the map has all options that a match and actions name, bound or not. */
enum ofperr options_check(const struct ofproto *, const struct match *, struct act_buf *) MUST_CHECK;
void options_note_added(struct rule *, uint64_t used);
void options_note_removed(struct rule *);

/* removal.c: a bridge whose users are all gone. */
void removal_begin(struct ofproto *);
/* ofproto_stop(): what there is to be done, now. */
void removals_finish(void);
/* ofproto.c: nothing names it any more. */
void ofproto_free(struct ofproto *);

/* table.c: rules in and out of tables; the caller holds tables_mutex where it says _locked. */
void tables_init(struct ofproto *);
void tables_stop(struct ofproto *);    /* The main loop does nothing for them any more. */
void tables_destroy(struct ofproto *); /* All rules are gone. */
enum { REMOVED_SILENTLY = 255 }; /* Beside enum flow_removed_reason. */
/* Carries out a flow-mod, checked before; main thread or worker ('learn').  'requester' null: the switch itself. */
enum ofperr ofproto_flow_mod(struct ofproto *, const struct flow_mod *, struct ofconn *requester) MUST_CHECK;

/* Adds or removes a rule of the switch itself in table 0 that says NORMAL; an error, which should not be, is logged.
 * The same as a flow-mod, whose actions are in 'acts'. */
void tables_make_normal(struct flow_mod *, struct act_buf *acts, int priority, bool present);
void tables_set_normal(struct ofproto *, int priority, bool present);

/* A flow that "learn" made, now: one that is there already with the same actions only lives longer.  Any thread. */
void ofproto_learn(struct ofproto *, const struct flow_mod *, uint32_t limit /* As of learned_may_come(); 0: none */);

/* revalidate.c */
struct revalidator *revalidator_create(struct backer *);
/* Its thread ends, in the middle of a pass if need be; what was to be settled is then in 'left'. */
void revalidator_destroy(struct revalidator *, struct list *left);
/* For backer_when_settled(). */
void revalidator_settle(struct revalidator *, struct unpublished *);
void revalidator_wake(struct revalidator *);
/* Asks for a pass that begins after the call, and returns its number; whether that one has ended, or no pass will
 * before a pause does.  At the end of one that was asked for backer->swept is signalled, maybe also of one before. */
uint64_t revalidator_ask_pass(struct revalidator *);
bool revalidator_has_passed(struct revalidator *, uint64_t pass);
/* Waits for that; for tests: the main loop has no time for it. */
void revalidator_wait(struct revalidator *);
/* From the return of a pause to its end there is no pass, whoever asks for one; what was asked for comes at the end. */
void revalidator_pause(struct revalidator *, bool pause);
/* All packets before this time (ms) have been credited; INT64_MAX while the revalidator is paused. */
int64_t revalidator_known(struct revalidator *);
/* Asks for a sweep now; at its end backer->swept is signalled. */
void revalidator_ask(struct revalidator *);
struct revalidator_figures { uint64_t n_flows, max_flows, avg_flows, limit; int64_t dump_ms; unsigned int n_keys; };
void revalidator_get_figures(const struct revalidator *, struct revalidator_figures *);

/* upcall.c */
/* upcall/disable-megaflows: from now on every flow installed matches all of its packet exactly. */
extern _Atomic bool upcall_megaflows_disabled;
/* flow-restore-wait: packets without a megaflow are dropped. */
extern _Atomic bool upcalls_wait;
void upcall_client_init(struct backer *);
/* The bridge that a packet of the datapath is in, null if none has it any more; flow->in_port becomes an OpenFlow port
 * (of a recirculated packet the frozen state says it). */
struct xbridge *upcall_bridge_rcu(const struct backer *, struct flow *);
/* Carries out the effects of a translation: any thread. */
void xlate_apply_effects(struct xlate_out *);

/* commands.c */
/* A line as bridge/dump-flows --offload-stats has it. */
void rule_put_dump(struct str *, const struct rule *);
void ofproto_commands_register(void);
void upcall_commands_register(void);
void fdb_commands_register(void); /* fdb_commands.c */
void dpctl_commands_register(void);
void dp_features_commands_register(void); /* dp_features.c */
/* trace_commands.c */
void trace_commands_register(void);
/* why_drop.c */
void why_drop_command_register(void);
/* detrace.c */
void detrace_commands_register(void);

#endif
