#include "openflow/print/print.h"

#include <ctype.h>
#include <stdlib.h>

#include "flow/match_text.h"
#include "openflow/print/private.h"

static print_func *const printers[MSG_N] = {
    [MSG_HELLO] = print_hello,
    [MSG_ERROR] = print_error_msg,
    [MSG_ECHO_REQUEST] = print_echo,
    [MSG_ECHO_REPLY] = print_echo,
    [MSG_FEATURES_REPLY] = print_features,
    [MSG_GET_CONFIG_REPLY] = print_config,
    [MSG_SET_CONFIG] = print_config,
    [MSG_PACKET_IN] = print_packet_in,
    [MSG_PACKET_IN2] = print_packet_in,
    [MSG_RESUME] = print_packet_in,
    [MSG_PACKET_OUT] = print_packet_out,
    [MSG_FLOW_MOD] = print_flow_mod_msg,
    [MSG_FLOW_REMOVED] = print_flow_removed,
    [MSG_FLOW_MOD_TABLE_ID] = print_flow_mod_table_id,
    [MSG_SET_FLOW_FORMAT] = print_flow_format,
    [MSG_PORT_STATUS] = print_port_status,
    [MSG_PORT_MOD] = print_port_mod,
    [MSG_TABLE_MOD] = print_table_mod,
    [MSG_TABLE_STATUS] = print_table_status,
    [MSG_GROUP_MOD] = print_group_mod,
    [MSG_METER_MOD] = print_meter_mod,
    [MSG_QUEUE_GET_CONFIG_REQUEST] = print_queue_config_request,
    [MSG_QUEUE_GET_CONFIG_REPLY] = print_queue_config_reply,
    [MSG_ROLE_REQUEST] = print_role,
    [MSG_ROLE_REPLY] = print_role,
    [MSG_ROLE_STATUS] = print_role_status,
    [MSG_GET_ASYNC_REPLY] = print_async,
    [MSG_SET_ASYNC] = print_async,
    [MSG_SET_ASYNC_CONFIG] = print_async,
    [MSG_SET_ASYNC_CONFIG2] = print_async,
    [MSG_SET_PACKET_IN_FORMAT] = print_packet_in_format,
    [MSG_SET_CONTROLLER_ID] = print_controller_id,
    [MSG_REQUESTFORWARD] = print_requestforward,
    [MSG_FLOW_MONITOR_CANCEL] = print_monitor_cancel,
    [MSG_BUNDLE_CONTROL] = print_bundle_control,
    [MSG_BUNDLE_ADD_MESSAGE] = print_bundle_add,
    [MSG_TLV_TABLE_MOD] = print_tlv_mod,
    [MSG_TLV_TABLE_REPLY] = print_tlv_reply,
    [MSG_CT_FLUSH_ZONE] = print_ct_flush_zone,
    [MSG_CT_FLUSH] = print_ct_flush,
    [MSG_DESC_REPLY] = print_desc,
    [MSG_FLOW_REQUEST] = print_flow_request,
    [MSG_FLOW_REPLY] = print_flow_reply,
    [MSG_AGGREGATE_REQUEST] = print_flow_request,
    [MSG_AGGREGATE_REPLY] = print_aggregate_reply,
    [MSG_TABLE_REPLY] = print_table_reply,
    [MSG_PORT_REQUEST] = print_port_request,
    [MSG_PORT_REPLY] = print_port_reply,
    [MSG_QUEUE_REQUEST] = print_queue_request,
    [MSG_QUEUE_REPLY] = print_queue_reply,
    [MSG_GROUP_REQUEST] = print_group_request,
    [MSG_GROUP_REPLY] = print_group_reply,
    [MSG_GROUP_DESC_REQUEST] = print_group_request,
    [MSG_GROUP_DESC_REPLY] = print_group_desc_reply,
    [MSG_GROUP_FEATURES_REPLY] = print_group_features,
    [MSG_METER_REQUEST] = print_meter_request,
    [MSG_METER_REPLY] = print_meter_reply,
    [MSG_METER_CONFIG_REQUEST] = print_meter_request,
    [MSG_METER_CONFIG_REPLY] = print_meter_config_reply,
    [MSG_METER_FEATURES_REPLY] = print_meter_features,
    [MSG_TABLE_FEATURES_REQUEST] = print_table_features,
    [MSG_TABLE_FEATURES_REPLY] = print_table_features,
    [MSG_PORT_DESC_REQUEST] = print_port_desc_request,
    [MSG_PORT_DESC_REPLY] = print_port_desc_reply,
    [MSG_TABLE_DESC_REPLY] = print_table_desc_reply,
    [MSG_QUEUE_DESC_REQUEST] = print_queue_config_request,
    [MSG_QUEUE_DESC_REPLY] = print_queue_config_reply,
    [MSG_FLOW_MONITOR_REQUEST] = print_monitor_request,
    [MSG_FLOW_MONITOR_REPLY] = print_monitor_reply,
    [MSG_IPFIX_BRIDGE_REPLY] = print_ipfix_bridge,
    [MSG_IPFIX_FLOW_REPLY] = print_ipfix_flow,
};

/* Parts. */

void
print_hex(struct str *s, const void *p_, size_t n, bool ascii)
{
    const uint8_t *p = p_;

    for (size_t at = 0; at < n; at += 16) {
        size_t line = MIN(n - at, 16);

        str_putf(s, "%08zx ", at);
        for (size_t i = 0; i < 16; i++) {
            if (i < line) {
                str_putf(s, "%c%02x", i == 8 ? '-' : ' ', p[at + i]);
            } else if (ascii) {
                str_puts(s, i == 8 && line == 8 ? "-  " : "   ");
            }
        }
        if (ascii) {
            str_puts(s, " |");
            for (size_t i = 0; i < 16; i++) {
                str_putc(s, i >= line ? ' ' : isprint(p[at + i]) ? p[at + i] : '.');
            }
            str_putc(s, '|');
        }
        str_putc(s, '\n');
    }
}

/* A fraction of thousandths is written as such; else the billionths without zeros at the end. */
void
print_duration(struct str *s, uint32_t sec, uint32_t nsec)
{
    str_put_uint(s, sec);
    if (!nsec) {
        return;
    }
    if (nsec % 1000000 == 0) {
        unsigned int ms = nsec / 1000000;

        str_puts(s, ms < 10 ? ".00" : ms < 100 ? ".0" : ".");
        str_put_uint(s, ms);
        return;
    }
    str_putf(s, ".%09u", nsec);
    while (str_chomp(s, '0')) {
    }
}

void
print_bits(struct str *s, uint32_t bits, const struct print_bit *names, size_t n, const char *separator)
{
    const char *before = "";

    if (!bits) {
        str_putc(s, '0');
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (bits & names[i].bit) {
            str_puts(s, before);
            str_puts(s, names[i].name);
            before = separator;
            bits &= ~names[i].bit;
        }
    }
    if (bits) {
        str_putf(s, "%s0x%x", before, bits);
    }
}

void
print_counter(struct str *s, uint64_t v)
{
    if (v == UINT64_MAX) {
        str_putc(s, '?');
    } else {
        str_put_uint(s, v);
    }
}

void
print_port(struct printer *p, ofp_port port)
{
    ofp_port_put(p->s, port, p->names->ports);
}

void
print_table_id(struct printer *p, uint8_t table)
{
    of_table_put(p->s, table, p->names->tables);
}

void
print_match(struct printer *p, const struct match *m, int priority)
{
    match_format(p->s, m, p->names->ports, priority);
}

void
print_actions(struct printer *p, struct act_span acts)
{
    str_puts(p->s, "actions=");
    act_format(p->s, acts, p->names);
}

/* The message. */

static void
put_header(struct str *s, const struct msg *m)
{
    str_puts(s, msg_wire_name(m->wire));
    if (m->version > OF_LAST || m->version < OF_FIRST) {
        str_putf(s, " (OF 0x%02x)", (int) m->version);
    } else if (m->version > OF10) {
        str_putf(s, " (OF%s)", of_version_number(m->version));
    }
    str_putf(s, " (xid=0x%x):", m->xid);
}

/* Which flags are known depends on what it is: requests have "more" from 1.3 on. */
static void
put_stat_flags(struct str *s, const struct msg *m)
{
    uint16_t flags = m->stat_flags;
    bool has_more = msg_class_is_reply(m->wire->class) || m->version >= OF13;

    if (!msg_class_is_stats(m->wire->class) || !flags) {
        return;
    }
    str_puts(s, " flags=");
    if (flags & MSG_STAT_MORE && has_more) {
        str_puts(s, "[more]");
        flags &= ~MSG_STAT_MORE;
    }
    if (flags) {
        str_putf(s, "[***unknown flags 0x%04x***]", flags);
    }
}

static void
put_decode_error(struct str *s, enum ofperr error)
{
    if (s->len && s->text[s->len - 1] != '\n' && s->text[s->len - 1] != ' ') {
        str_putc(s, ' ');
    }
    str_putf(s, "***decode error: %s***\n", ofperr_name(error));
}

static enum ofperr
put_body(struct printer *p, const struct msg *m)
{
    print_func *func = printers[m->type];

    return func ? func(p, m) : OFPERR_NONE;
}

void
print_inner(struct printer *p, const struct msg *m)
{
    msg_print(p->s, m->data, m->len, p->names, p->verbosity, NULL);
}

static void
end_line(struct str *s)
{
    if (!s->len || s->text[s->len - 1] != '\n') {
        str_putc(s, '\n');
    }
}

/* Less, or more, than the header states.  False if the length is as it should be. */
static bool
put_wrong_length(struct str *s, const uint8_t *data, size_t len, char **why)
{
    size_t stated = msg_stated_length(data);
    struct msg m;

    if (len == stated) {
        return false;
    }
    if (len > stated) {
        str_putf(s, "(***only uses %zu bytes out of %zu***)\n", stated, len);
        return true;
    }
    if (!msg_decode_partial(data, len, &m)) {
        put_header(s, &m);
        str_putc(s, '\n');
    } else {
        free(*why);
        *why = NULL;
        if (msg_decode_why(data, len, &m, why)) {
            /* Only the words were wanted. */
        }
    }
    str_putf(s, "(***truncated to %zu bytes from %zu***)\n", len, stated);
    return true;
}

enum { VERBOSITY_BYTES = 5 }; /* From here on the bytes of a message stand behind what they say. */

static void
print_whole(struct printer *p, const uint8_t *data, size_t len)
{
    struct str apart = STR_INIT, *out = p->s, *body = out->len ? &apart : out;
    struct msg m;
    enum ofperr error = msg_decode_why(data, len, &m, p->why);

    /* Apart from what is there already, so that the printers can look at what they have written. */
    p->s = body;
    if (!error) {
        put_header(body, &m);
        put_stat_flags(body, &m);
        error = put_body(p, &m);
    }
    p->s = out;
    if (error) {
        put_decode_error(body, error);
        print_hex(body, data, len, true);
    }
    end_line(body);
    if (!error && p->verbosity >= VERBOSITY_BYTES) {
        print_hex(body, data, len, true);
    }
    str_putn(out, apart.text, apart.len);
    str_uninit(&apart);
}

void
msg_print(struct str *s, const void *data, size_t len, const struct act_text *names, int verbosity, char **why)
{
    static const struct act_text no_names = { NULL, NULL };
    char *text = NULL;
    struct printer p = { s, names ? names : &no_names, verbosity, &text };

    if (!len) {
        str_puts(s, "OpenFlow message is empty\n");
    } else if (len < MSG_HEADER) {
        str_putf(s, "OpenFlow packet too short (only %zu bytes):\n", len);
        print_hex(s, data, len, true);
    } else if (put_wrong_length(s, data, len, &text)) {
        print_hex(s, data, len, true);
    } else {
        print_whole(&p, data, len);
    }
    if (why) {
        *why = text;
    } else {
        free(text);
    }
}

char *
msg_describe(const uint8_t *message, size_t len)
{
    struct str s = STR_INIT;

    msg_print(&s, message, len, NULL, 1, NULL);
    while (str_chomp(&s, '\n')) {
    }
    return str_steal(&s);
}
