/* NSH as text: "nsh(flags=0,ttl=63,..)" of keys and sets, push_nsh(..). */
#include <inttypes.h>

#include "odp/action_text.h"
#include "odp/key.h"
#include "odp/nsh.h"

enum style { DECIMAL, HEX };

/* Masked, values are hexadecimal. */
static void
put_member(struct str *s, const char *name, enum style style, uint32_t value, uint32_t mask, uint32_t all)
{
    if (mask == all) {
        str_putf(s, style == HEX ? "%s=0x%"PRIx32"," : "%s=%"PRIu32",", name, value);
    } else if (mask) {
        str_putf(s, style == HEX ? "%s=0x%"PRIx32"/0x%08"PRIx32"," : "%s=0x%02"PRIx32"/0x%02"PRIx32",", name, value,
                 mask);
    }
}

static void
put_base(struct str *s, const struct odp_key_nsh *v, const struct odp_key_nsh *m)
{
    uint32_t path = be32_to_cpu(v->path), path_mask = be32_to_cpu(m->path);

    put_member(s, "flags", DECIMAL, v->flags, m->flags, UINT8_MAX);
    put_member(s, "ttl", DECIMAL, v->ttl, m->ttl, UINT8_MAX);
    put_member(s, "mdtype", DECIMAL, v->mdtype, m->mdtype, UINT8_MAX);
    put_member(s, "np", DECIMAL, v->np, m->np, UINT8_MAX);
    put_member(s, "spi", HEX, path >> 8, path_mask >> 8, 0xffffff);
    put_member(s, "si", DECIMAL, path & 255, path_mask & 255, UINT8_MAX);
}

static void
put_context(struct str *s, const struct odp_key_nsh *v, const struct odp_key_nsh *m)
{
    static const char *const names[] = { "c1", "c2", "c3", "c4" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        put_member(s, names[i], HEX, be32_to_cpu(v->context[i]), be32_to_cpu(m->context[i]), UINT32_MAX);
    }
}

void
nsh_put(struct str *s, const struct flow *flow, const struct flow *mask)
{
    struct odp_key_nsh v = odp_key_nsh(flow), m;

    memset(&m, 0xff, sizeof m);
    m = mask ? odp_key_nsh(mask) : m;
    str_puts(s, "nsh(");
    put_base(s, &v, &m);
    put_context(s, &v, &m);
    str_chomp(s, ',');
    str_puts(s, "),");
}

void
push_nsh_put(struct str *s, const struct odp_attr *a)
{
    const uint8_t *metadata;
    struct odp_key_nsh v, all;
    size_t n;

    if (!odp_push_nsh_get(a, &v, &metadata, &n)) {
        str_puts(s, "push_nsh(malformed)");
        return;
    }
    memset(&all, 0xff, sizeof all);
    str_puts(s, "push_nsh(");
    put_base(s, &v, &all);
    if (v.mdtype == NSH_M_TYPE1) {
        put_context(s, &v, &all);
    } else {
        str_puts(s, "md2=");
        if (n) {
            str_puts(s, "0x");
            str_put_hex(s, metadata, n);
        } else {
            str_putc(s, '0');
        }
    }
    str_chomp(s, ',');
    str_putc(s, ')');
}

/* Reading. */

/* "md2=0xHEX" behind the equals sign: whole 32-bit words, filled up with zeros.  "0": none. */
static bool
scan_metadata(const char **p, struct bytes *metadata)
{
    bytes_clear(metadata);
    if (!scan_literal(p, "0x")) {
        return scan_literal(p, "0");
    }
    *p = bytes_put_from_hex(metadata, *p);
    bytes_pad_from(metadata, 0, 4);
    return metadata->len <= ODP_NSH_MAX_METADATA;
}

/* What the header has unless something else is said. */
static struct flow
initial_header(void)
{
    struct flow f;

    memset(&f, 0, sizeof f);
    f.nsh_ttl = 63;
    f.nsh_mdtype = NSH_M_TYPE1;
    f.nsh_np = NSH_P_ETHERNET;
    f.nsh_path = BE32(255);
    return f;
}

static bool
is_valid_push(const struct flow *f, const struct flow *mask, bool has_metadata)
{
    bool has_context = !is_all_zeros(mask->nsh_context, sizeof mask->nsh_context);

    return f->nsh_flags <= 3 && f->nsh_ttl <= 63 &&
           (f->nsh_mdtype == NSH_M_TYPE1 ? !has_metadata : f->nsh_mdtype == NSH_M_TYPE2 && !has_context);
}

bool
push_nsh_scan(const char **p, struct bytes *out)
{
    const struct attr_text *nsh = attr_by_name("nsh", 3);
    struct flow f = initial_header(), mask;
    struct bytes metadata = BYTES_INIT;
    bool ok = true, has_metadata = false;
    struct odp_key_nsh key;

    memset(&mask, 0, sizeof mask);
    for (scan_separators(p); ok && !scan_literal(p, ")"); scan_separators(p)) {
        if (scan_literal(p, "md2=")) {
            ok = scan_metadata(p, &metadata);
            has_metadata = true;
        } else {
            ok = attr_scan_member(p, nsh, NULL, &f, &mask);
        }
    }
    ok = ok && is_valid_push(&f, &mask, has_metadata);
    if (ok) {
        key = odp_key_nsh(&f);
        odp_put_push_nsh(out, &key, metadata.data, metadata.len);
    }
    bytes_uninit(&metadata);
    return ok;
}
