/* resubmit: look up a table, perhaps as if the packet had come in elsewhere, or as the connection's first packet. */

#include <stdlib.h>
#include <string.h>

#include "openflow/action/ops.h"

enum { TABLE_CURRENT = 255 };

static enum ofperr
resubmit_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_resubmit *a;

    if (w->form != ACT_FORM_NX_RESUBMIT && act_zero(w, 13, 3)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_RESUBMIT, sizeof *a);
    a->act.form = w->form;
    a->in_port = ofp_port_from_u16(act_be16(w, 10));
    a->table = w->form == ACT_FORM_NX_RESUBMIT ? TABLE_CURRENT : w->data[12];
    a->with_ct_orig = w->form == ACT_FORM_NX_RESUBMIT_TABLE_CT;
    return OFPERR_NONE;
}

static void
resubmit_encode(const struct act *act, enum of_version v UNUSED, struct bytes *b)
{
    const struct act_resubmit *a = (const struct act_resubmit *) act;
    bool plain = act->form == ACT_FORM_NX_RESUBMIT && a->table == TABLE_CURRENT && !a->with_ct_orig;
    size_t start = act_begin(b, plain             ? ACT_FORM_NX_RESUBMIT
                                : a->with_ct_orig ? ACT_FORM_NX_RESUBMIT_TABLE_CT
                                                  : ACT_FORM_NX_RESUBMIT_TABLE);

    bytes_put_be16(b, ofp_port_to_u16(a->in_port));
    bytes_put_u8(b, plain ? 0 : a->table);
    act_end(b, start);
}

static void
resubmit_format(struct act_writer *w, const struct act *act)
{
    const struct act_resubmit *a = (const struct act_resubmit *) act;

    if (a->in_port != OFPP_IN_PORT && a->table == TABLE_CURRENT && !a->with_ct_orig) {
        str_puts(w->s, "resubmit:");
        act_put_port(w, a->in_port);
        return;
    }
    str_puts(w->s, "resubmit(");
    if (a->in_port != OFPP_IN_PORT) {
        act_put_port(w, a->in_port);
    }
    str_putc(w->s, ',');
    if (a->table != TABLE_CURRENT) {
        act_put_table(w, a->table);
    }
    str_puts(w->s, a->with_ct_orig ? ",ct)" : ")");
}

static struct error *
parse_parts(struct act_parser *p, struct act_resubmit *a, const char *port, const char *table, const char *flag)
{
    a->in_port = OFPP_IN_PORT;
    a->table = TABLE_CURRENT;
    if (port && *port && !ofp_port_parse(port, p->text->ports, &a->in_port)) {
        return error_new("%s: resubmit to unknown port", port);
    }
    if (table && *table && !act_parse_table(p->text, table, &a->table)) {
        return error_new("%s: resubmit to unknown table", table);
    }
    if (flag && *flag) {
        if (strcmp(flag, "ct")) {
            return error_new("%s: unknown parameter", flag);
        }
        a->with_ct_orig = true;
    }
    if (a->in_port == OFPP_IN_PORT && a->table == TABLE_CURRENT) {
        return error_new("at least one \"in_port\" or \"table\" must be specified on resubmit");
    }
    return NULL;
}

static struct error *
resubmit_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_resubmit *a = act_put(p->out, ACT_RESUBMIT, sizeof *a);
    char *rest = arg, *port = strsep(&rest, ","), *table = strsep(&rest, ","), *flag = strsep(&rest, ",");

    return parse_parts(p, a, port, table, flag);
}

/* The first packet's addresses are known only of a connection. */
static enum ofperr
resubmit_check(struct act *act, struct act_check *c)
{
    const struct act_resubmit *a = (const struct act_resubmit *) act;
    bool known = field_prereqs_met_by_match(field_of(FIELD_CT_NW_PROTO), &c->match->flow, &c->match->mask);

    return a->with_ct_orig && !known ? OFPERR_OFPBAC_MATCH_INCONSISTENT : OFPERR_NONE;
}

static bool
resubmit_uses_origin(const struct act *act)
{
    return ((const struct act_resubmit *) act)->table == TABLE_CURRENT;
}

const struct act_ops act_resubmit_ops = {
    .decode = resubmit_decode, .encode = resubmit_encode, .format = resubmit_format, .parse = resubmit_parse,
    .check = resubmit_check, .uses_origin = resubmit_uses_origin,
};
