#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strmap.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "openflow/msg/port.h"
#include "openflow/msg/switch.h"
#include "openflow/msg/table.h"

/* The names of one switch.  Fetched when first asked for, each kind on a connection of its own, so that the answers
 * to what else is going on are not disturbed. */
struct switch_names {
    struct port_names ports;
    struct table_names tables;
    char *target;
    bool ports_fetched, tables_fetched;
    struct port_entry { ofp_port port; char name[PORT_NAME_LEN]; bool ambiguous; } *port_entries;
    size_t n_ports, ports_capacity;
    char table_names[256][32]; /* Empty: none, or that of another table, too. */
};

static struct switch_names *
names_of_ports(const struct port_names *p)
{
    return CONTAINER_OF(p, struct switch_names, ports);
}

static struct switch_names *
names_of_tables(const struct table_names *t)
{
    return CONTAINER_OF(t, struct switch_names, tables);
}

/* A connection that may fail: then there are no names. */
static struct of_client *
connect_quietly(const struct switch_names *n)
{
    struct of_client *c = NULL;

    return of_client_open(ofctl_loop(), n->target, ofctl_options.versions, 0, &c) ? NULL : c;
}

/* Sends the request and calls 'take' for each part of the answer. */
static void
fetch(struct of_client *c, struct bytes *request, void (*take)(struct switch_names *, const struct msg *),
      struct switch_names *n)
{
    uint32_t xid = ofctl_xid(request);
    struct bytes m = BYTES_INIT;
    bool more = !of_client_send(c, request);

    while (more && !of_client_recv(c, &m)) {
        struct msg msg;

        if (ofctl_xid(&m) != xid) {
            continue;
        }
        more = !msg_decode(m.data, m.len, &msg) && msg.stat_flags & MSG_STAT_MORE;
        if (!msg_decode(m.data, m.len, &msg)) {
            take(n, &msg);
        }
    }
    bytes_uninit(&m);
}

static void
take_ports(struct switch_names *n, const struct msg *m)
{
    struct cursor c = m->body;
    struct switch_features f;
    struct port_desc d;

    if (m->type == MSG_FEATURES_REPLY ? switch_features_decode(m, &f, &c) != OFPERR_NONE
                                      : m->type != MSG_PORT_DESC_REPLY) {
        return;
    }
    while (c.left && !port_desc_take(&c, m->version, &d)) {
        struct port_entry *e;

        if (n->n_ports == n->ports_capacity) {
            n->port_entries = x2nrealloc(n->port_entries, &n->ports_capacity, sizeof *n->port_entries);
        }
        e = &n->port_entries[n->n_ports++];
        *e = (struct port_entry) { .port = d.port };
        str_copy_cut(e->name, d.name, sizeof e->name);
    }
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(((const struct port_entry *) a)->name, ((const struct port_entry *) b)->name);
}

/* A name that two ports have (names are cut at 15 bytes) means neither. */
static void
mark_ambiguous(struct switch_names *n)
{
    if (n->n_ports) {
        qsort(n->port_entries, n->n_ports, sizeof *n->port_entries, compare_names);
    }
    for (size_t i = 1; i < n->n_ports; i++) {
        if (!strcmp(n->port_entries[i].name, n->port_entries[i - 1].name)) {
            n->port_entries[i].ambiguous = n->port_entries[i - 1].ambiguous = true;
        }
    }
}

static void
fetch_ports(struct switch_names *n)
{
    struct of_client *c;
    struct bytes b = BYTES_INIT;

    if (n->ports_fetched) {
        return;
    }
    n->ports_fetched = true;
    c = connect_quietly(n);
    if (!c) {
        return;
    }
    if (of_client_version(c) >= OF13) {
        port_desc_request_encode(&b, of_client_version(c), msg_new_xid(), OFPP_NONE);
    } else {
        msg_put_simple(&b, MSG_FEATURES_REQUEST, of_client_version(c), msg_new_xid(), NULL, 0);
    }
    fetch(c, &b, take_ports, n);
    of_client_close(c);
    mark_ambiguous(n);
}

static void
take_tables(struct switch_names *n, const struct msg *m)
{
    struct cursor c = m->body;
    struct table_features f;
    struct table_stats s;

    while (c.left) {
        if (m->type == MSG_TABLE_REPLY ? table_stats_take(&c, m->version, &s, &f)
                                       : table_features_take(&c, m->version, true, &f, NULL)) {
            return;
        }
        memcpy(n->table_names[f.table_id], f.name, sizeof f.name);
    }
}

/* A name that two tables have means neither. */
static void
forget_ambiguous_tables(struct switch_names *n)
{
    uint64_t ambiguous[4] = { 0 };

    for (int i = 0; i < 256; i++) {
        for (int j = 0; j < i && n->table_names[i][0]; j++) {
            if (!strcmp(n->table_names[i], n->table_names[j])) {
                ambiguous[i / 64] |= UINT64_C(1) << i % 64;
                ambiguous[j / 64] |= UINT64_C(1) << j % 64;
            }
        }
    }
    for (int i = 0; i < 256; i++) {
        if (ambiguous[i / 64] >> i % 64 & 1) {
            n->table_names[i][0] = '\0';
        }
    }
}

static void
fetch_tables(struct switch_names *n)
{
    struct of_client *c;
    struct bytes b = BYTES_INIT;

    if (n->tables_fetched) {
        return;
    }
    n->tables_fetched = true;
    c = connect_quietly(n);
    if (c) {
        msg_put_simple(&b, of_client_version(c) >= OF13 ? MSG_TABLE_FEATURES_REQUEST : MSG_TABLE_REQUEST,
                       of_client_version(c), msg_new_xid(), NULL, 0);
        fetch(c, &b, take_tables, n);
        of_client_close(c);
        forget_ambiguous_tables(n);
    }
}

static const char *
port_name(const struct port_names *p, ofp_port port)
{
    struct switch_names *n = names_of_ports(p);

    fetch_ports(n);
    for (size_t i = 0; i < n->n_ports; i++) {
        if (n->port_entries[i].port == port && !n->port_entries[i].ambiguous) {
            return n->port_entries[i].name;
        }
    }
    return NULL;
}

static bool
find_port(const struct port_names *p, const char *name, ofp_port *port)
{
    struct switch_names *n = names_of_ports(p);

    fetch_ports(n);
    for (size_t i = 0; i < n->n_ports; i++) {
        if (!strcmp(n->port_entries[i].name, name) && !n->port_entries[i].ambiguous) {
            *port = n->port_entries[i].port;
            return true;
        }
    }
    return false;
}

static const char *
table_name(const struct table_names *t, uint8_t table)
{
    struct switch_names *n = names_of_tables(t);

    fetch_tables(n);
    return n->table_names[table][0] ? n->table_names[table] : NULL;
}

static bool
find_table(const struct table_names *t, const char *name, uint8_t *table)
{
    struct switch_names *n = names_of_tables(t);

    fetch_tables(n);
    for (int i = 0; i < 255; i++) {
        if (n->table_names[i][0] && !strcmp(n->table_names[i], name)) {
            *table = i;
            return true;
        }
    }
    return false;
}

static const struct act_text no_names = { NULL, NULL };

/* One object per switch that the program deals with. */
static const struct act_text *
names_of(const char *switch_name)
{
    static struct strmap known = STRMAP_INIT(&known);
    struct act_text *text = strmap_get(&known, switch_name);

    if (!text) {
        struct switch_names *n = xzalloc(sizeof *n);

        n->ports = (struct port_names) { port_name, find_port };
        n->tables = (struct table_names) { table_name, find_table };
        n->target = ofctl_target(switch_name, "mgmt");
        text = xzalloc(sizeof *text);
        *text = (struct act_text) { &n->ports, &n->tables };
        strmap_put(&known, switch_name, text);
    }
    return text;
}

const struct act_text *
ofctl_names_to_accept(const char *switch_name)
{
    return ofctl_options.names == NAMES_NO || !switch_name ? &no_names : names_of(switch_name);
}

bool
ofctl_shows_names(void)
{
    return ofctl_options.names == NAMES_YES || (ofctl_options.names == NAMES_DEFAULT && isatty(STDOUT_FILENO));
}

const struct act_text *
ofctl_names_to_show(const char *switch_name)
{
    return ofctl_shows_names() ? names_of(switch_name) : &no_names;
}

ofp_port
ofctl_port(const char *switch_name, const char *text)
{
    ofp_port port;

    if (!ofp_port_parse(text, ofctl_names_to_accept(switch_name)->ports, &port)) {
        cmdline_fatal(0, "%s: unknown port `%s'", switch_name, text);
    }
    return port;
}
