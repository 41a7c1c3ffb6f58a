#include "openflow/msg.h"

#include <stdlib.h>

static const struct msg_wire wires[] = {
#define MESSAGE(...)
#define WIRE(TYPE, CLASS, NUMBER, FIRST, LAST, SIZE, UNIT) \
    { MSG_##TYPE, CLASS_##CLASS, NUMBER, FIRST, LAST, SIZE, UNIT },
#include "openflow/messages.def"
};

/* The rows of a type, and those with the same number modulo N_NUMBERS, in their order: row numbers plus 1, the first
 * and behind each row the next.  Filled before main(). */
enum { N_NUMBERS = 64 };
static uint16_t first_of_type[MSG_N], next_of_type[ARRAY_SIZE(wires)];
static uint16_t first_of_number[N_NUMBERS], next_of_number[ARRAY_SIZE(wires)];

__attribute__((constructor)) static void
index_wires(void)
{
    for (unsigned int i = ARRAY_SIZE(wires); i-- > 0;) {
        uint16_t *type = &first_of_type[wires[i].type], *number = &first_of_number[wires[i].number % N_NUMBERS];

        next_of_type[i] = *type;
        next_of_number[i] = *number;
        *type = *number = i + 1;
    }
}

#define WIRE_FOR_EACH(W, FIRST, NEXT) \
    for (const struct msg_wire *W = (FIRST) ? &wires[(FIRST) - 1] : NULL; W; \
         W = (NEXT)[W - wires] ? &wires[(NEXT)[W - wires] - 1] : NULL)

static const char *const names[MSG_N] = {
#define MESSAGE(TYPE, NAME) [MSG_##TYPE] = NAME,
#define WIRE(...)
#include "openflow/messages.def"
};

/* For each class: prefix and suffix of the printed name. */
static const char *const prefixes[] = {
    [CLASS_OFPT] = "OFPT_", [CLASS_NXT] = "NXT_", [CLASS_ONFT] = "ONFT_",
    [CLASS_OFPST_REQUEST] = "OFPST_", [CLASS_OFPST_REPLY] = "OFPST_", [CLASS_NXST_REQUEST] = "NXST_",
    [CLASS_NXST_REPLY] = "NXST_", [CLASS_ONFST_REQUEST] = "ONFST_", [CLASS_ONFST_REPLY] = "ONFST_",
};

#define TYPE_VENDOR 4
#define STAT_VENDOR 0xffff

bool
msg_class_is_stats(enum msg_class class)
{
    return class >= CLASS_OFPST_REQUEST;
}

bool
msg_class_is_reply(enum msg_class class)
{
    return class == CLASS_OFPST_REPLY || class == CLASS_NXST_REPLY || class == CLASS_ONFST_REPLY;
}

static uint32_t
class_vendor(enum msg_class class)
{
    switch (class) {
    case CLASS_NXT: case CLASS_NXST_REQUEST: case CLASS_NXST_REPLY: return OF_VENDOR_NX;
    case CLASS_ONFT: case CLASS_ONFST_REQUEST: case CLASS_ONFST_REPLY: return OF_VENDOR_ONF;
    case CLASS_OFPT: case CLASS_OFPST_REQUEST: case CLASS_OFPST_REPLY: break;
    }
    return 0;
}

/* The names of the rows, made once: they are few and printed often. */
const char *
msg_wire_name(const struct msg_wire *w)
{
    static char texts[ARRAY_SIZE(wires)][48];
    char *text = texts[w - wires];

    if (!text[0]) {
        snprintf(text, sizeof texts[0], "%s%s%s", prefixes[w->class], names[w->type],
                 !msg_class_is_stats(w->class) ? "" : msg_class_is_reply(w->class) ? " reply" : " request");
    }
    return text;
}

const struct msg_wire *
msg_wire_find(enum msg_type type, enum of_version version)
{
    WIRE_FOR_EACH (w, first_of_type[type], next_of_type) {
        if (version >= w->first && version <= w->last) {
            return w;
        }
    }
    return NULL;
}

const struct msg_wire *
msg_wire_find_class(enum msg_type type, enum msg_class class, enum of_version version)
{
    WIRE_FOR_EACH (w, first_of_type[type], next_of_type) {
        if (w->class == class && version >= w->first && version <= w->last) {
            return w;
        }
    }
    return NULL;
}

const char *
msg_type_name(enum msg_type type, enum of_version version)
{
    const struct msg_wire *w = msg_wire_find(type, version);

    return w ? msg_wire_name(w) : names[type];
}

/* What identifies a form on the wire. */
struct key {
    uint8_t type;
    uint16_t stat;
    uint32_t vendor, subtype;
    bool is_stats, has_vendor;
};

static uint8_t
stats_type(enum of_version version, bool reply)
{
    return (version == OF10 ? 16 : 18) + reply;
}

static const struct msg_wire *
find_by_key(const struct key *k, enum of_version version)
{
    uint32_t number = k->has_vendor ? k->subtype : k->is_stats ? k->stat : k->type;
    bool reply = k->is_stats && k->type == stats_type(version, true);

    WIRE_FOR_EACH (w, first_of_number[number % N_NUMBERS], next_of_number) {
        if (w->number == number && version >= w->first && version <= w->last &&
            msg_class_is_stats(w->class) == k->is_stats && class_vendor(w->class) == k->vendor &&
            (!k->is_stats || msg_class_is_reply(w->class) == reply)) {
            return w;
        }
    }
    return NULL;
}

static void
put_key(struct str *s, const struct key *k, enum of_version version)
{
    str_putf(s, "unknown OpenFlow message (version %d, type %u", (int) version, k->type);
    if (k->is_stats) {
        str_putf(s, ", stat %u", k->stat);
    }
    if (k->has_vendor) {
        str_putf(s, ", vendor 0x%x, subtype %u", k->vendor, k->subtype);
    }
    str_putc(s, ')');
}

/* Reads the vendor and subtype after whatever precedes them. */
static enum ofperr
take_vendor(struct msg *m, struct key *k, struct str *why)
{
    k->has_vendor = true;
    if (!cursor_take_be32(&m->body, &k->vendor)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (k->vendor != OF_VENDOR_NX && k->vendor != OF_VENDOR_ONF) {
        str_putf(why, "OpenFlow message has unknown vendor 0x%x", k->vendor);
        return OFPERR_OFPBRC_BAD_VENDOR;
    }
    return cursor_take_be32(&m->body, &k->subtype) ? OFPERR_NONE : OFPERR_OFPBRC_BAD_LEN;
}

/* Statistics of 1.0 put 4 bytes of padding after type and flags only in the vendor form, after the subtype. */
static enum ofperr
take_stats_header(struct msg *m, struct key *k, struct str *why)
{
    k->is_stats = true;
    if (!cursor_take_be16(&m->body, &k->stat) || !cursor_take_be16(&m->body, &m->stat_flags)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (m->version != OF10 && !cursor_take(&m->body, 4)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (k->stat == STAT_VENDOR) {
        enum ofperr error = take_vendor(m, k, why);

        if (error || m->version != OF10) {
            return error;
        }
        return cursor_take(&m->body, 4) ? OFPERR_NONE : OFPERR_OFPBRC_BAD_LEN;
    }
    return OFPERR_NONE;
}

static enum ofperr
unknown_key_error(const struct key *k)
{
    return k->has_vendor ? OFPERR_OFPBRC_BAD_SUBTYPE : k->is_stats ? OFPERR_OFPBRC_BAD_STAT : OFPERR_OFPBRC_BAD_TYPE;
}

static enum ofperr
decode_header(const uint8_t *data, size_t len, struct msg *m, struct str *why)
{
    struct key k = { 0 };
    enum ofperr error = OFPERR_NONE;

    *m = (struct msg) { .data = data, .len = len, .body = cursor_make(data, len) };
    if (len < MSG_HEADER) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    m->version = data[0];
    m->xid = get_be32(data + 4);
    k.type = data[1];
    m->body = cursor_make(data + MSG_HEADER, len - MSG_HEADER);
    if (k.type == 0 && data[0] > OF_LAST) {
        m->wire = msg_wire_find(MSG_HELLO, OF_LAST); /* A hello of the future. */
        m->type = MSG_HELLO;
        return OFPERR_NONE;
    }
    if (k.type == TYPE_VENDOR) {
        error = take_vendor(m, &k, why);
    } else if (m->version >= OF_FIRST &&
               (k.type == stats_type(m->version, false) || k.type == stats_type(m->version, true))) {
        error = take_stats_header(m, &k, why);
    }
    if (error) {
        return error;
    }
    m->wire = find_by_key(&k, m->version);
    if (!m->wire) {
        put_key(why, &k, m->version);
        return unknown_key_error(&k);
    }
    m->type = m->wire->type;
    return OFPERR_NONE;
}

static enum ofperr
check_length(const struct msg *m, struct str *why)
{
    const struct msg_wire *w = m->wire;
    size_t min = m->len - m->body.left + w->size;
    bool ok = m->body.left == w->size ||
              (w->unit && m->body.left > w->size && (m->body.left - w->size) % w->unit == 0);

    if (ok) {
        return OFPERR_NONE;
    }
    str_putf(why, "received %s with incorrect length %zu ", msg_wire_name(w), m->len);
    if (!w->unit) {
        str_putf(why, "(expected length %zu)", min);
    } else if (w->unit == 1) {
        str_putf(why, "(expected length at least %zu bytes)", min);
    } else {
        str_putf(why, "(must be exactly %zu bytes or longer by an integer multiple of %u bytes)", min, w->unit);
    }
    return OFPERR_OFPBRC_BAD_LEN;
}

enum ofperr
msg_decode_why(const void *data, size_t len, struct msg *m, char **why)
{
    struct str text = STR_INIT;
    enum ofperr error = decode_header(data, len, m, &text);

    if (!error && m->len != msg_stated_length(data)) {
        error = OFPERR_OFPBRC_BAD_LEN;
    }
    if (!error) {
        error = check_length(m, &text);
    }
    if (error && why && text.len) {
        *why = str_steal(&text);
    }
    str_uninit(&text);
    return error;
}

enum ofperr
msg_decode(const void *data, size_t len, struct msg *m)
{
    return msg_decode_why(data, len, m, NULL);
}

enum ofperr
msg_decode_partial(const void *data, size_t len, struct msg *m)
{
    struct str text = STR_INIT;
    enum ofperr error = decode_header(data, len, m, &text);

    str_uninit(&text);
    return error;
}

/* Writing. */

uint32_t
msg_new_xid(void)
{
    static uint32_t next = 1;

    return __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
}

static size_t
start_wire(struct bytes *b, const struct msg_wire *w, enum of_version version, uint32_t xid)
{
    size_t start = b->len;
    uint32_t vendor = class_vendor(w->class);
    bool stats = msg_class_is_stats(w->class);

    bytes_put_u8(b, version);
    bytes_put_u8(b, stats ? stats_type(version, msg_class_is_reply(w->class)) : vendor ? TYPE_VENDOR : w->number);
    bytes_put_be16(b, 0);
    bytes_put_be32(b, xid);
    if (stats) {
        bytes_put_be16(b, vendor ? STAT_VENDOR : w->number);
        bytes_put_be16(b, 0);
        if (version != OF10) {
            bytes_put_be32(b, 0);
        }
    }
    if (vendor) {
        bytes_put_be32(b, vendor);
        bytes_put_be32(b, w->number);
        if (stats && version == OF10) {
            bytes_put_be32(b, 0);
        }
    }
    return start;
}

/* A missing row is a mistake of the caller, who chose the version. */
static const struct msg_wire *
must_exist(const struct msg_wire *w, enum msg_type type, enum of_version version)
{
    if (!w) {
        fprintf(stderr, "no form of OpenFlow message %s in version %d\n", names[type], (int) version);
        __builtin_trap();
    }
    return w;
}

size_t
msg_start(struct bytes *b, enum msg_type type, enum of_version version, uint32_t xid)
{
    return start_wire(b, must_exist(msg_wire_find(type, version), type, version), version, xid);
}

size_t
msg_start_class(struct bytes *b, enum msg_type type, enum msg_class class, enum of_version version, uint32_t xid)
{
    return start_wire(b, must_exist(msg_wire_find_class(type, class, version), type, version), version, xid);
}

bool
msg_finish(struct bytes *b, size_t start)
{
    size_t len = b->len - start;

    if (len > MSG_MAX) {
        bytes_truncate(b, start);
        return false;
    }
    put_be16(b->data + start + 2, len);
    return true;
}

void
msg_put_simple(struct bytes *b, enum msg_type type, enum of_version version, uint32_t xid, const void *body, size_t n)
{
    size_t start = msg_start(b, type, version, xid);

    bytes_put(b, body, n);
    msg_finish(b, start);
}

/* A vendor request is answered by the same vendor's reply, a standard one by the standard's. */
static const struct msg_wire *
reply_wire(enum msg_type type, const struct msg *request)
{
    enum msg_class class = request->wire->class;
    const struct msg_wire *w;

    if (msg_class_is_stats(class) && !msg_class_is_reply(class)) {
        class++;
    }
    w = msg_wire_find_class(type, class, request->version);
    return must_exist(w ? w : msg_wire_find(type, request->version), type, request->version);
}

size_t
msg_start_reply(struct bytes *b, enum msg_type type, const struct msg *request)
{
    return start_wire(b, reply_wire(type, request), request->version, request->xid);
}

void
msg_parts_begin(struct msg_parts *p, struct bytes *out, enum msg_type type, const struct msg *request)
{
    *p = (struct msg_parts) { .out = out, .start = msg_start_reply(out, type, request) };
    p->header = out->len - p->start;
    p->is_stats = msg_class_is_stats(reply_wire(type, request)->class);
}

void
msg_parts_begin_class(struct msg_parts *p, struct bytes *out, enum msg_type type, enum msg_class class,
                      enum of_version version, uint32_t xid)
{
    *p = (struct msg_parts) { .out = out, .start = msg_start_class(out, type, class, version, xid) };
    p->header = out->len - p->start;
    p->is_stats = msg_class_is_stats(class);
}

bool
msg_parts_entry(struct msg_parts *p, size_t entry)
{
    struct bytes *out = p->out;
    size_t n = out->len - entry;
    size_t header = p->header;

    if (out->len - p->start <= MSG_MAX) {
        return true;
    }
    if (header + n > MSG_MAX || !p->is_stats) {
        bytes_truncate(out, entry);
        return false;
    }
    /* Close the old message before the entry and copy its header in between. */
    put_be16(out->data + p->start + 2, entry - p->start);
    bytes_put_uninit(out, header);
    memmove(out->data + entry + header, out->data + entry, n);
    memcpy(out->data + entry, out->data + p->start, header);
    put_be16(out->data + p->start + 10, get_be16(out->data + p->start + 10) | MSG_STAT_MORE);
    p->start = entry;
    return true;
}

void
msg_parts_take_complete(struct msg_parts *p, struct bytes *done)
{
    bytes_put(done, p->out->data, p->start);
    bytes_pull(p->out, p->start);
    p->start = 0;
}

void
msg_parts_end(struct msg_parts *p)
{
    msg_finish(p->out, p->start);
}
