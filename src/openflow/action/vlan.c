/* VLAN tags: push, strip, set id and priority. */

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "openflow/action/ops.h"

enum { TPID_8021Q = 0x8100, TPID_8021AD = 0x88a8 };

static bool
is_vlan_type(unsigned int type)
{
    return type == TPID_8021Q || type == TPID_8021AD;
}

/* Whether packets surely have a tag here. */
static bool
has_vlan(const struct match *m)
{
    return m->mask.vlan_tci & m->flow.vlan_tci & BE16(VLAN_PRESENT);
}

static void
set_has_vlan(struct match *m)
{
    m->flow.vlan_tci |= BE16(VLAN_PRESENT);
    m->mask.vlan_tci |= BE16(VLAN_PRESENT);
}

/* push_vlan. */

static enum ofperr
push_vlan_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_push_vlan *a;

    if (!is_vlan_type(act_be16(w, 4))) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_PUSH_VLAN, sizeof *a);
    a->ethertype = cpu_to_be16(act_be16(w, 4));
    return OFPERR_NONE;
}

/* OpenFlow 1.0 cannot say it: setting the id pushes a tag there. */
static void
push_vlan_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    if (v >= OF11) {
        act_put_be16(b, ACT_FORM_OF11_PUSH_VLAN, be16_to_cpu(((const struct act_push_vlan *) act)->ethertype));
    }
}

static void
push_vlan_format(struct act_writer *w, const struct act *act)
{
    str_putf(w->s, "push_vlan:0x%04x", be16_to_cpu(((const struct act_push_vlan *) act)->ethertype));
}

static struct error *
push_vlan_parse(struct act_parser *p, const char *keyword UNUSED, char *arg)
{
    struct act_push_vlan *a;
    uint16_t type;
    struct error *e = act_parse_u16(arg, "ethertype", &type);

    *p->protocols &= PROTO_OF11_UP;
    if (!e && !is_vlan_type(type)) {
        e = error_new("%s: not a valid VLAN ethertype", arg);
    }
    if (!e) {
        a = act_put(p->out, ACT_PUSH_VLAN, sizeof *a);
        a->ethertype = cpu_to_be16(type);
    }
    return e;
}

static enum ofperr
push_vlan_check(struct act *act UNUSED, struct act_check *c)
{
    struct match *m = c->match;

    if (m->mask.vlan2_tci & m->flow.vlan2_tci & BE16(VLAN_PRESENT)) {
        return OFPERR_OFPBAC_BAD_TAG;
    }
    m->flow.vlan2_tci = m->flow.vlan_tci;
    m->mask.vlan2_tci = m->mask.vlan_tci;
    m->flow.vlan_tci = m->mask.vlan_tci = BE16(0);
    set_has_vlan(m);
    return OFPERR_NONE;
}

const struct act_ops act_push_vlan_ops = {
    .decode = push_vlan_decode, .encode = push_vlan_encode, .format = push_vlan_format, .parse = push_vlan_parse,
    .check = push_vlan_check,
};

/* strip_vlan, which OpenFlow 1.1 and later call pop_vlan. */

static enum ofperr
strip_vlan_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_strip_vlan *a = act_put(out, ACT_STRIP_VLAN, sizeof *a);

    a->act.form = w->form;
    return OFPERR_NONE;
}

static void
strip_vlan_encode(const struct act *act UNUSED, enum of_version v, struct bytes *b)
{
    act_put_plain(b, v == OF10 ? ACT_FORM_OF10_STRIP_VLAN : ACT_FORM_OF11_POP_VLAN);
}

static void
strip_vlan_format(struct act_writer *w, const struct act *act)
{
    str_puts(w->s, act->form == ACT_FORM_OF11_POP_VLAN ? "pop_vlan" : "strip_vlan");
}

static struct error *
strip_vlan_parse(struct act_parser *p, const char *keyword, char *arg UNUSED)
{
    struct act_strip_vlan *a = act_put(p->out, ACT_STRIP_VLAN, sizeof *a);

    a->act.form = !strcmp(keyword, "pop_vlan") ? ACT_FORM_OF11_POP_VLAN : ACT_FORM_OF10_STRIP_VLAN;
    return NULL;
}

static enum ofperr
strip_vlan_check(struct act *act UNUSED, struct act_check *c)
{
    struct match *m = c->match;

    act_expect(c, has_vlan(m));
    m->flow.vlan_tci = m->flow.vlan2_tci;
    m->mask.vlan_tci = m->mask.vlan2_tci;
    m->flow.vlan2_tci = m->mask.vlan2_tci = BE16(0);
    return OFPERR_NONE;
}

const struct act_ops act_strip_vlan_ops = {
    .decode = strip_vlan_decode, .encode = strip_vlan_encode, .format = strip_vlan_format,
    .parse = strip_vlan_parse, .check = strip_vlan_check,
};

/* The id. */

static enum ofperr
set_vlan_vid_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_vlan_vid *a;

    if (act_be16(w, 4) & ~VLAN_VID_MASK) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_SET_VLAN_VID, sizeof *a);
    a->vid = act_be16(w, 4);
    a->push_if_needed = w->version == OF10;
    return OFPERR_NONE;
}

static void
put_push_if_needed(struct bytes *b, bool flow_has_vlan, bool push_if_needed)
{
    if (!flow_has_vlan && push_if_needed) {
        act_put_be16(b, ACT_FORM_OF11_PUSH_VLAN, TPID_8021Q);
    }
}

static void
set_vlan_vid_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_set_vlan_vid *a = (const struct act_set_vlan_vid *) act;

    if (v >= OF11) {
        put_push_if_needed(b, a->flow_has_vlan, a->push_if_needed);
    }
    if (v <= OF11) {
        act_put_be16(b, ACT_FORM_OF10_SET_VLAN_VID, a->vid);
    } else {
        act_put_set_field_u64(b, v, FIELD_VLAN_VID, a->vid | VLAN_PRESENT);
    }
}

static void
set_vlan_vid_format(struct act_writer *w, const struct act *act)
{
    const struct act_set_vlan_vid *a = (const struct act_set_vlan_vid *) act;

    str_puts(w->s, a->push_if_needed ? "mod_vlan_vid:" : "set_vlan_vid:");
    str_put_uint(w->s, a->vid);
}

static struct error *
set_vlan_vid_parse(struct act_parser *p, const char *keyword, char *arg)
{
    struct act_set_vlan_vid *a = act_put(p->out, ACT_SET_VLAN_VID, sizeof *a);
    struct error *e = act_parse_u16(arg, "VLAN VID", &a->vid);

    a->push_if_needed = !strcmp(keyword, "mod_vlan_vid");
    return !e && a->vid & ~VLAN_VID_MASK ? error_new("%s: not a valid VLAN VID", arg) : e;
}

/* For both setters: a tag is needed unless one is pushed. */
static bool
check_tag(struct act_check *c, bool push_if_needed)
{
    bool has = has_vlan(c->match);

    act_expect(c, has || push_if_needed);
    set_has_vlan(c->match);
    return has;
}

static enum ofperr
set_vlan_vid_check(struct act *act, struct act_check *c)
{
    struct act_set_vlan_vid *a = (struct act_set_vlan_vid *) act;

    a->flow_has_vlan = check_tag(c, a->push_if_needed);
    return OFPERR_NONE;
}

const struct act_ops act_set_vlan_vid_ops = {
    .decode = set_vlan_vid_decode, .encode = set_vlan_vid_encode, .format = set_vlan_vid_format,
    .parse = set_vlan_vid_parse, .check = set_vlan_vid_check,
};

/* The priority. */

static enum ofperr
set_vlan_pcp_decode(const struct act_wire *w, struct act_buf *out)
{
    struct act_set_vlan_pcp *a;

    if (w->data[4] & ~7) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    a = act_put(out, ACT_SET_VLAN_PCP, sizeof *a);
    a->pcp = w->data[4];
    a->push_if_needed = w->version == OF10;
    return OFPERR_NONE;
}

static void
set_vlan_pcp_encode(const struct act *act, enum of_version v, struct bytes *b)
{
    const struct act_set_vlan_pcp *a = (const struct act_set_vlan_pcp *) act;

    if (v >= OF11) {
        put_push_if_needed(b, a->flow_has_vlan, a->push_if_needed);
    }
    if (v <= OF11) {
        act_put_u8(b, ACT_FORM_OF10_SET_VLAN_PCP, a->pcp);
    } else {
        act_put_set_field_u64(b, v, FIELD_VLAN_PCP, a->pcp);
    }
}

static void
set_vlan_pcp_format(struct act_writer *w, const struct act *act)
{
    const struct act_set_vlan_pcp *a = (const struct act_set_vlan_pcp *) act;

    str_putf(w->s, "%s_vlan_pcp:%u", a->push_if_needed ? "mod" : "set", a->pcp);
}

static struct error *
set_vlan_pcp_parse(struct act_parser *p, const char *keyword, char *arg)
{
    struct act_set_vlan_pcp *a = act_put(p->out, ACT_SET_VLAN_PCP, sizeof *a);
    struct error *e = act_parse_u8(arg, "VLAN PCP", &a->pcp);

    a->push_if_needed = !strcmp(keyword, "mod_vlan_pcp");
    return !e && a->pcp & ~7 ? error_new("%s: not a valid VLAN PCP", arg) : e;
}

static enum ofperr
set_vlan_pcp_check(struct act *act, struct act_check *c)
{
    struct act_set_vlan_pcp *a = (struct act_set_vlan_pcp *) act;

    a->flow_has_vlan = check_tag(c, a->push_if_needed);
    return OFPERR_NONE;
}

const struct act_ops act_set_vlan_pcp_ops = {
    .decode = set_vlan_pcp_decode, .encode = set_vlan_pcp_encode, .format = set_vlan_pcp_format,
    .parse = set_vlan_pcp_parse, .check = set_vlan_pcp_check,
};
