#include "openflow/action/verify.h"

enum act_kind { KIND_APPLY, KIND_WRITE, KIND_INST };

static const struct {
    const char *name;
    enum act_kind kind;
} facts[ACT_N] = {
#define ACTION(ENUM, NAME, KIND) [ACT_##ENUM] = { #NAME, KIND_##KIND },
#include "openflow/action/actions.def"
};

const char *
act_name(enum act_type type)
{
    return type < ACT_N ? facts[type].name : "<unknown>";
}

bool
act_is_instruction(enum act_type type)
{
    return facts[type].kind == KIND_INST;
}

bool
act_uses_origin(const struct act *a)
{
    const struct act_ops *ops = act_ops_of(a);

    return ops->uses_origin && ops->uses_origin(a);
}

bool
act_always_uses_origin(const struct act *a UNUSED)
{
    return true;
}

bool
act_may_be_written(enum act_type type)
{
    return facts[type].kind == KIND_WRITE;
}

/* Place of an instruction in a flow.  Actions are those of apply_actions, between meter and the others. */
static unsigned int
place(enum act_type type)
{
    return !act_is_instruction(type) ? 1 : type == ACT_METER ? 0 : type - ACT_METER + 1;
}

static const char *
instruction_name(enum act_type type)
{
    return act_is_instruction(type) ? act_name(type) : "apply_actions";
}

static struct error *
check_order(struct act_span s)
{
    enum act_type last = ACT_METER;
    bool first = true;

    ACT_FOR_EACH (a, s) {
        enum act_type type = a->type;

        if (!first && act_is_instruction(type) && type == last) {
            return error_new("duplicate %s instruction not allowed, for OpenFlow 1.1+ compatibility", act_name(type));
        }
        if (!first && place(type) < place(last)) {
            return error_new("invalid instruction ordering: %s must appear before %s, for OpenFlow 1.1+ compatibility",
                             instruction_name(type), instruction_name(last));
        }
        last = type;
        first = false;
    }
    return NULL;
}

static struct error *
check_conjunction(struct act_span s)
{
    enum act_type other = ACT_N;
    bool conjunction = false;

    ACT_FOR_EACH (a, s) {
        if (a->type == ACT_CONJUNCTION) {
            conjunction = true;
        } else if (a->type != ACT_NOTE && other == ACT_N) {
            other = a->type;
        }
    }
    if (!conjunction || other == ACT_N) {
        return NULL;
    }
    return error_new("\"conjunction\" actions may be used along with \"note\" but not any other kind of action (such "
                     "as the \"%s\" action used here)", act_name(other));
}

/* The field that an action sets, null if none that matters here. */
static const struct field *
field_set_by(const struct act *a)
{
    return a->type == ACT_SET_FIELD ? ((const struct act_set_field *) a)->field
           : a->type == ACT_MOVE    ? ((const struct act_move *) a)->dst.field
                                    : NULL;
}

static bool
is_ct_field(const struct field *f)
{
    return f && (f->id == FIELD_CT_MARK || f->id == FIELD_CT_LABEL);
}

static struct error *
check_inside_ct(const struct act *a, enum ofperr *code)
{
    const struct field *f = field_set_by(a);

    if (a->type != ACT_NAT && !f) {
        *code = OFPERR_OFPBAC_BAD_ARGUMENT;
        return error_new("%s action doesn't support nested action %s", act_name(ACT_CT), act_name(a->type));
    }
    if (f && !is_ct_field(f)) {
        *code = OFPERR_OFPBAC_BAD_ARGUMENT;
        return error_new("%s action doesn't support nested modification of %s", act_name(ACT_CT), f->name);
    }
    return NULL;
}

static struct error *
check_outside_ct(const struct act *a, enum ofperr *code)
{
    if (a->type == ACT_NAT) {
        *code = OFPERR_OFPBAC_BAD_SET_ARGUMENT;
        return error_new("Cannot have NAT action outside of \"ct\" action");
    }
    if (is_ct_field(field_set_by(a))) {
        *code = OFPERR_OFPBAC_BAD_SET_ARGUMENT;
        return error_new("cannot set CT fields outside of ct action");
    }
    return NULL;
}

/* What is nested in 'a'. */
static struct error *
check_nested(const struct act *a, enum ofperr *code)
{
    switch (a->type) {
    case ACT_CT: return act_verify(act_ct_actions((const struct act_ct *) a), ACT_CT, code);
    case ACT_CLONE: return act_verify(act_clone_actions((const struct act_clone *) a), ACT_CLONE, code);
    case ACT_WRITE_ACTIONS:
        return act_verify(act_write_actions_actions((const struct act_write_actions *) a), ACT_WRITE_ACTIONS, code);
    default: return NULL;
    }
}

struct error *
act_verify(struct act_span s, enum act_type outer, enum ofperr *code)
{
    struct error *e;

    *code = OFPERR_OFPBAC_UNSUPPORTED_ORDER;
    e = check_order(s);
    e = e ? e : check_conjunction(s);
    if (e) {
        return e;
    }
    ACT_FOR_EACH (a, s) {
        if (outer != ACT_N && act_is_instruction(a->type)) {
            *code = OFPERR_OFPBAC_BAD_TYPE;
            return error_new("%s instruction not allowed here", act_name(a->type));
        }
        e = outer == ACT_CT ? check_inside_ct(a, code) : check_outside_ct(a, code);
        e = e ? e : check_nested(a, code);
        if (e) {
            return e;
        }
    }
    *code = OFPERR_NONE;
    return NULL;
}

struct error *
act_check_order(struct act_span s)
{
    enum ofperr code;

    return act_verify(s, ACT_N, &code);
}

/* Facts about sequences. */

static struct act_span
nested(const struct act *a)
{
    switch (a->type) {
    case ACT_CLONE: return act_clone_actions((const struct act_clone *) a);
    case ACT_WRITE_ACTIONS: return act_write_actions_actions((const struct act_write_actions *) a);
    default: return (struct act_span) { NULL, 0 };
    }
}

static bool
outputs_to_port(const struct act *a, ofp_port port)
{
    switch (a->type) {
    case ACT_OUTPUT: return ((const struct act_output *) a)->port == port;
    case ACT_OUTPUT_TRUNC: return ((const struct act_output_trunc *) a)->port == port;
    case ACT_ENQUEUE: return ((const struct act_enqueue *) a)->port == port;
    case ACT_CONTROLLER: return port == OFPP_CONTROLLER;
    default: return act_outputs_to_port(nested(a), port);
    }
}

bool
act_outputs_to_port(struct act_span s, ofp_port port)
{
    ACT_FOR_EACH (a, s) {
        if (outputs_to_port(a, port)) {
            return true;
        }
    }
    return false;
}

bool
act_outputs_to_group(struct act_span s, uint32_t group_id)
{
    ACT_FOR_EACH (a, s) {
        if (a->type == ACT_GROUP ? ((const struct act_group *) a)->group_id == group_id
                                 : act_outputs_to_group(nested(a), group_id)) {
            return true;
        }
    }
    return false;
}

void
act_each_group(struct act_span s, void (*cb)(void *aux, uint32_t group_id), void *aux)
{
    ACT_FOR_EACH (a, s) {
        if (a->type == ACT_GROUP) {
            cb(aux, ((const struct act_group *) a)->group_id);
        } else {
            act_each_group(nested(a), cb, aux);
        }
    }
}

uint32_t
act_meter_id(struct act_span s)
{
    ACT_FOR_EACH (a, s) {
        if (a->type == ACT_METER) {
            return ((const struct act_meter *) a)->meter_id;
        }
    }
    return 0;
}
