/* Commands about connection tracking. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
#include "flow/field_text.h"
#include "openflow/action/key_value.h"
#include "openflow/msg/ct_flush.h"

void
ofctl_ct_flush_zone(struct cmdline_ctx *ctx)
{
    struct bytes b = BYTES_INIT;
    struct of_client *c;
    uint16_t zone;

    if (!num_parse_u16(ctx->argv[2], 0, &zone)) {
        cmdline_fatal(0, "invalid zone_id \"%s\"", ctx->argv[2]);
    }
    c = ofctl_open(ctx->argv[1]);
    ct_flush_zone_encode(&b, of_client_version(c), msg_new_xid(), zone);
    ofctl_must_transact_noreply(c, &b);
    of_client_close(c);
}

/* The address of one family; a tuple has one family. */
static struct error *
parse_address(const char *key, const char *value, struct ct_flush_tuple *t, bool *any, bool *v6)
{
    bool is_v6 = key[3] == 'i';
    struct ipv6_addr *ip = strstr(key, "src") ? &t->src : &t->dst;
    be32 v4;

    if (*any && *v6 != is_v6) {
        return error_new("the L3 protocol does not match %s", value);
    }
    *any = true;
    *v6 = is_v6;
    if (is_v6) {
        return ipv6_parse(value, ip) ? NULL : error_new("failed to parse field %s", key);
    }
    if (!ipv4_parse(value, &v4)) {
        return error_new("failed to parse field %s", key);
    }
    memset(ip, 0, sizeof *ip);
    ip->s6[10] = ip->s6[11] = 0xff;
    memcpy(ip->s6 + 12, &v4, 4);
    return NULL;
}

enum tuple_seen { SEEN_ADDRESS = 1, SEEN_IPV6 = 2, SEEN_PORT = 4, SEEN_ICMP = 8 };

static struct error *
parse_tuple_field(const char *key, const char *value, struct ct_flush *f, struct ct_flush_tuple *t, unsigned int *seen)
{
    bool ok;

    if (!*value) {
        return error_new("field %s missing value", key);
    }
    if (!strcmp(key, "ct_nw_src") || !strcmp(key, "ct_ipv6_src") || !strcmp(key, "ct_nw_dst") ||
        !strcmp(key, "ct_ipv6_dst")) {
        bool any = *seen & SEEN_ADDRESS, v6 = *seen & SEEN_IPV6;
        struct error *error = parse_address(key, value, t, &any, &v6);

        *seen |= (any ? SEEN_ADDRESS : 0) | (v6 ? SEEN_IPV6 : 0);
        return error;
    } else if (!strcmp(key, "ct_nw_proto")) {
        ok = num_parse_u8(value, 0, &f->ip_proto);
    } else if (!strcmp(key, "ct_tp_src") || !strcmp(key, "ct_tp_dst")) {
        ok = num_parse_u16(value, 0, !strcmp(key, "ct_tp_src") ? &t->src_port : &t->dst_port);
        *seen |= SEEN_PORT;
    } else if (!strcmp(key, "icmp_id")) {
        ok = num_parse_u16(value, 0, &t->icmp_id);
        *seen |= SEEN_ICMP;
    } else if (!strcmp(key, "icmp_type") || !strcmp(key, "icmp_code")) {
        ok = num_parse_u8(value, 0, !strcmp(key, "icmp_type") ? &t->icmp_type : &t->icmp_code);
        *seen |= SEEN_ICMP;
    } else {
        return error_new("invalid conntrack tuple field: %s", key);
    }
    return ok ? NULL : error_new("failed to parse field %s", key);
}

static void
parse_tuple(const char *text, struct ct_flush *f, struct ct_flush_tuple *t)
{
    char *copy = xstrdup(text), *p = copy, *key, *value;
    struct error *error = NULL;
    unsigned int seen = 0;

    while (!error && act_take_key_value(&p, &key, &value)) {
        error = parse_tuple_field(key, value, f, t, &seen);
    }
    if (!error && seen & SEEN_PORT && !f->ip_proto) {
        error = error_new("port is set without protocol");
    } else if (!error && seen & SEEN_ICMP && f->ip_proto != IPPROTO_ICMP && f->ip_proto != IPPROTO_ICMPV6) {
        error = error_new("invalid L4 fields");
    }
    if (error) {
        cmdline_fatal(0, "Failed to parse ct-tuple: %s", error_text(error));
    }
    free(copy);
}

/* "mark=X[/M]", "labels=Y[/N]": values of 'n' bytes. */
static void
parse_ct_masked(const char *text, uint8_t *value, uint8_t *mask, size_t n)
{
    const char *tail;
    bool ok = !field_parse_int(text, value, n, &tail);

    memset(mask, 0xff, n);
    if (ok && *tail == '/') {
        ok = !field_parse_int(tail + 1, mask, n, &tail);
    }
    if (!ok || *tail) {
        cmdline_fatal(0, "invalid value or mask: %s", text);
    }
}

void
ofctl_ct_flush(struct cmdline_ctx *ctx)
{
    struct ct_flush f = { .ip_proto = 0 };
    struct bytes b = BYTES_INIT;
    struct of_client *c;
    int i = 2;

    if (i < ctx->argc && !strncmp(ctx->argv[i], "zone=", 5)) {
        f.has_zone = true;
        if (!num_parse_u16(ctx->argv[i++] + 5, 0, &f.zone)) {
            cmdline_fatal(0, "Failed to parse zone");
        }
    }
    if (i < ctx->argc && !strncmp(ctx->argv[i], "mark=", 5)) {
        uint8_t value[4], mask[4];

        parse_ct_masked(ctx->argv[i++] + 5, value, mask, 4);
        f.mark = get_be32(value);
        f.mark_mask = get_be32(mask);
    }
    if (i < ctx->argc && !strncmp(ctx->argv[i], "labels=", 7)) {
        parse_ct_masked(ctx->argv[i++] + 7, f.labels, f.labels_mask, 16);
    }
    if (i < ctx->argc) {
        parse_tuple(ctx->argv[i++], &f, &f.orig);
    }
    if (i < ctx->argc) {
        parse_tuple(ctx->argv[i++], &f, &f.reply);
    }
    if (i < ctx->argc) {
        cmdline_fatal(0, "'ct-flush' command takes at most a zone, a mark, labels and two tuples, in this order");
    }
    c = ofctl_open(ctx->argv[1]);
    ct_flush_encode(&b, of_client_version(c), msg_new_xid(), &f);
    ofctl_must_transact_noreply(c, &b);
    of_client_close(c);
}
