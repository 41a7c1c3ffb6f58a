/* Flushes as people write them: "zone=5 mark=1/1 labels=2 ct_nw_src=... ct_nw_src=...". */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "flow/field_text.h"
#include "openflow/action/key_value.h"
#include "openflow/msg/ct_flush.h"

/* The address of one family; both tuples have the same. */
static struct error *
parse_address(const char *key, const char *value, struct ct_flush_tuple *t, bool *any, bool *v6)
{
    bool is_v6 = key[3] == 'i';
    struct ipv6_addr *ip = strstr(key, "src") ? &t->src : &t->dst;
    be32 v4;

    if (*any && *v6 != is_v6) {
        return error_new("the L3 protocol does not match %s", value);
    }
    if (!is_all_zeros(ip, sizeof *ip)) {
        return error_new("%s is set multiple times", key);
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

enum tuple_seen { SEEN_ADDRESS = 1, SEEN_IPV6 = 2, SEEN_PORT = 4 };

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
        uint16_t *port = !strcmp(key, "ct_tp_src") ? &t->src_port : &t->dst_port;

        ok = num_parse_u16(value, 0, port);
        *seen |= ok && *port ? SEEN_PORT : 0; /* 0 is any. */
    } else if (!strncmp(key, "icmp_", 5) && f->ip_proto != IPPROTO_ICMP && f->ip_proto != IPPROTO_ICMPV6) {
        return error_new("invalid L4 fields"); /* The protocol comes first. */
    } else if (!strcmp(key, "icmp_id")) {
        ok = num_parse_u16(value, 0, &t->icmp_id);
    } else if (!strcmp(key, "icmp_type") || !strcmp(key, "icmp_code")) {
        ok = num_parse_u8(value, 0, !strcmp(key, "icmp_type") ? &t->icmp_type : &t->icmp_code);
    } else {
        return error_new("invalid conntrack tuple field: %s", key);
    }
    return ok ? NULL : error_new("failed to parse field %s", key);
}

static struct error *
parse_tuple(const char *text, struct ct_flush *f, struct ct_flush_tuple *t, unsigned int *seen)
{
    char *copy = xstrdup(text), *p = copy, *key, *value;
    struct error *error = NULL;

    while (!error && act_take_key_value(&p, &key, &value)) {
        error = parse_tuple_field(key, value, f, t, seen);
    }
    if (!error && *seen & SEEN_PORT && !f->ip_proto) {
        error = error_new("port is set without protocol");
    }
    free(copy);
    return error;
}

/* Values of 'n' bytes, with a mask that is all ones by default. */
static bool
parse_masked(const char *text, uint8_t *value, uint8_t *mask, size_t n)
{
    const char *tail;
    bool ok = !field_parse_int(text, value, n, &tail);

    memset(mask, 0xff, n);
    if (ok && *tail == '/') {
        ok = !field_parse_int(tail + 1, mask, n, &tail);
    }
    return ok && !*tail;
}

struct error *
ct_flush_parse(int argc, const char *const *argv, struct ct_flush *f, enum ct_flush_part *where)
{
    struct error *error = NULL;
    unsigned int seen = 0; /* enum tuple_seen, of both tuples. */
    int i = 0;

    memset(f, 0, sizeof *f);
    *where = CT_FLUSH_ZONE;
    if (i < argc && !strncmp(argv[i], "zone=", 5)) {
        f->has_zone = true;
        if (!num_parse_u16(argv[i++] + 5, 0, &f->zone)) {
            return error_new("failed to parse zone");
        }
    }
    *where = CT_FLUSH_MARKS;
    if (i < argc && !strncmp(argv[i], "mark=", 5)) {
        uint8_t value[4], mask[4];

        if (!parse_masked(argv[i] + 5, value, mask, 4)) {
            return error_new("invalid value or mask: %s", argv[i] + 5);
        }
        f->mark = get_be32(value);
        f->mark_mask = get_be32(mask);
        i++;
    }
    if (i < argc && !strncmp(argv[i], "labels=", 7)) {
        if (!parse_masked(argv[i] + 7, f->labels, f->labels_mask, 16)) {
            return error_new("invalid value or mask: %s", argv[i] + 7);
        }
        i++;
    }
    *where = CT_FLUSH_TUPLE;
    for (int n = 0; !error && n < 2 && i < argc; n++) {
        error = parse_tuple(argv[i++], f, n ? &f->reply : &f->orig, &seen);
    }
    if (!error && i < argc) {
        *where = CT_FLUSH_MARKS;
        error = error_new("at most a zone, a mark, labels and two tuples may be given, in this order");
    }
    return error;
}
