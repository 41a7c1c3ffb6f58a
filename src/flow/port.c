#include "flow/port.h"

#include <stdlib.h>
#include <strings.h>

#include "base/num.h"
#include "sys/log.h"

LOG_MODULE(ofp_port)

static struct log_limit rl = LOG_LIMIT_INIT(60, 5);

static const struct {
    ofp_port port;
    const char *name;
} reserved[] = {
    { OFPP_IN_PORT, "IN_PORT" }, { OFPP_TABLE, "TABLE" }, { OFPP_NORMAL, "NORMAL" },
    { OFPP_FLOOD, "FLOOD" },     { OFPP_ALL, "ALL" },     { OFPP_CONTROLLER, "CONTROLLER" },
    { OFPP_LOCAL, "LOCAL" },     { OFPP_NONE, "ANY" },    { OFPP_UNSET, "UNSET" },
    { OFPP_NONE, "NONE" }, /* Read, not written. */
};

const char *
ofp_port_reserved_name(ofp_port p)
{
    if (!ofp_port_is_reserved(p)) {
        return NULL;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (reserved[i].port == p) {
            return reserved[i].name;
        }
    }
    return NULL;
}

static bool
parse_reserved(const char *text, ofp_port *p)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (!strcasecmp(reserved[i].name, text)) {
            *p = reserved[i].port;
            return true;
        }
    }
    return false;
}

/* OpenFlow 1.0's numbers of reserved ports do not mean the same later. */
static void
warn_of_number(uint32_t n, ofp_port p)
{
    const char *name = ofp_port_reserved_name(p);

    if (!ofp_port_is_valid(p)) {
        log_warn_rl(&rl, "port %u is outside the supported range 0 through %x or 0x%x through 0x%x", n, 0xffff,
                    0xffffff00, 0xffffffff);
    } else if (n > UINT16_MAX || ofp_port_is_real(p)) {
        return;
    } else if (name) {
        log_warn_rl(&rl, "referring to port %s as %u is deprecated for compatibility with OpenFlow 1.1 and later",
                    name, n);
    } else {
        log_warn_rl(&rl, "port %u is a reserved OF1.0 port number that will be translated to %u when talking to an "
                    "OF1.1 or later controller", n, ofp_to_u32(p));
    }
}

static bool
parse_number(const char *text, ofp_port *p)
{
    uint32_t n;

    if (!num_parse_u32(text, 10, &n)) {
        return false;
    }
    *p = n <= UINT16_MAX ? ofp_port_from_u16(n) : OFP_PORT(n);
    warn_of_number(n, *p);
    return ofp_port_is_valid(*p);
}

/* A quoted name loses its quotes and the backslashes inside. */
static bool
parse_named(const char *text, const struct port_names *names, ofp_port *p)
{
    struct str plain = STR_INIT;
    bool found;

    if (*text == '"') {
        for (text++; *text && *text != '"'; text++) {
            if (*text == '\\' && text[1]) {
                text++;
            }
            str_putc(&plain, *text);
        }
    } else {
        str_puts(&plain, text);
    }
    found = names->find(names, str_text(&plain), p);
    str_uninit(&plain);
    return found;
}

bool
ofp_port_parse(const char *text, const struct port_names *names, ofp_port *p)
{
    *p = OFP_PORT(0);
    return parse_number(text, p) || parse_reserved(text, p) || (names && parse_named(text, names, p));
}

/* Other names are quoted, also where they would not be taken for something else: as in the reference. */
static bool
is_plain_name(const char *name)
{
    ofp_port p;

    return str_is_word(name) && !parse_reserved(name, &p);
}

static void
put_quoted(struct str *s, const char *name)
{
    str_putc(s, '"');
    for (; *name; name++) {
        if (*name == '"' || *name == '\\') {
            str_putc(s, '\\');
        }
        str_putc(s, *name);
    }
    str_putc(s, '"');
}

void
ofp_port_put(struct str *s, ofp_port p, const struct port_names *names)
{
    const char *name = ofp_port_reserved_name(p);

    if (name) {
        str_puts(s, name);
        return;
    }
    name = names ? names->name(names, p) : NULL;
    if (!name) {
        str_put_uint(s, ofp_port_is_reserved(p) ? ofp_port_to_u16(p) : ofp_to_u32(p));
    } else if (is_plain_name(name)) {
        str_puts(s, name);
    } else {
        put_quoted(s, name);
    }
}
