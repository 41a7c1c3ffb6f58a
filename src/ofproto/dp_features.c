/* Control commands about what a datapath can do: dpif/show-dp-features, and dpif/set-dp-features, which has translation
 * do without.
 *
 * The datapath's own table says what it can do.  What translation can do without is below; it always uses the rest, so
 * to switch that off is an error, as is to switch on what the datapath lacks.  Numbers cannot be lowered.  All
 * megaflows are looked at again after a change. */
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "ctl/ctl.h"
#include "ofproto/ofproto_private.h"

static const struct {
    const char *key;
    enum xdp_without bit;
} optional[] = {
    { "ct_clear", XDP_WITHOUT_CT_CLEAR },
    { "ct_timeout", XDP_WITHOUT_CT_TIMEOUT },
    { "explicit_drop_action", XDP_WITHOUT_EXPLICIT_DROP },
};

/* The bit of a feature that translation can do without, else 0. */
static unsigned int
bit_of(const struct dp_feature *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
        if (!strcmp(optional[i].key, f->key)) {
            return optional[i].bit;
        }
    }
    return 0;
}

static unsigned int
value_now(const struct xdp *xdp, const struct dp_feature *f)
{
    return xdp->without & bit_of(f) ? 0 : f->value;
}

static const struct dp_feature *
find_feature(const struct xdp *xdp, const char *key)
{
    for (const struct dp_feature *f = xdp->dp->class->features; f->key; f++) {
        if (f->title && !strcmp(f->key, key)) {
            return f;
        }
    }
    return NULL;
}

static void
put_feature(struct str *s, const struct xdp *xdp, const struct dp_feature *f)
{
    unsigned int now = value_now(xdp, f);

    str_putf(s, "%s (%s) : ", f->key, f->title);
    if (f->is_number) {
        str_putf(s, "[run time]:%u, [boot time]:%u\n", now, f->value);
    } else {
        str_putf(s, "[run time]:%s, [boot time]:%s\n", now ? "true" : "false", f->value ? "true" : "false");
    }
}

/* False, with the answer given, if 'text' is no value of the feature. */
static bool
parse_value(struct ctl_request *r, const struct dp_feature *f, const char *text, unsigned int *value)
{
    int number;

    if (!f->is_number) {
        *value = !strcasecmp(text, "true");
        if (!*value && strcasecmp(text, "false")) {
            ctl_reply(r, "Boolean value expected");
            return false;
        }
    } else if (!num_parse_int(text, 10, &number)) {
        ctl_reply(r, "Integer number expected");
        return false;
    } else if (number < 0) {
        ctl_reply(r, "Negative number not expected");
        return false;
    } else {
        *value = number;
    }
    return true;
}

static void
set_feature(struct ctl_request *r, struct backer *b, const struct dp_feature *f, const char *text, bool force)
{
    unsigned int bit = bit_of(f), value;

    if (!parse_value(r, f, text, &value)) {
        return;
    }
    if (value > f->value) {
        if (force) {
            ctl_reply_error(r, "%s: the datapath cannot do that, and is not made to", f->key);
        } else {
            ctl_reply(r, "Can not set value beyond the datapath capability");
        }
    } else if (value != f->value && !bit) {
        ctl_reply_error(r, "%s: translation cannot do without", f->key);
    } else {
        if (value != value_now(&b->xdp, f)) {
            b->xdp.without ^= bit;
            backer_changed(b);
        }
        ctl_reply(r, "");
    }
}

/* Answers as the reference's: what is wrong with a feature's name or value is no error. */
static void
cmd_set(struct ctl_request *r, int argc, const char *argv[], void *aux UNUSED)
{
    const char *command = argv[0];
    bool force = !strcmp(argv[1], "--force");
    const struct dp_feature *f = NULL;
    struct str s = STR_INIT;
    struct ofproto *p;

    argc -= force;
    argv += force;
    if (argc < 2 || argc > 4) {
        ctl_reply_error(r, argc < 2 ? "\"%s\" command requires at least 1 arguments"
                                    : "\"%s\" command takes at most 3 arguments", command);
        return;
    }
    p = ofproto_find(argv[1]);
    if (p && argc > 2) {
        f = find_feature(&p->backer->xdp, argv[2]);
    }
    if (!p) {
        ctl_reply_error(r, "no such bridge");
    } else if (argc > 2 && !f) {
        ctl_reply(r, "Unexpected support field");
    } else if (argc > 3) {
        set_feature(r, p->backer, f, argv[3], force);
    } else {
        for (const struct dp_feature *i = p->backer->xdp.dp->class->features; i->key; i++) {
            if (i->title && (!f || i == f)) {
                put_feature(&s, &p->backer->xdp, i);
            }
        }
        ctl_reply(r, str_text(&s));
    }
    str_uninit(&s);
}

/* What the datapath itself can do, whatever was switched off. */
static void
cmd_show(struct ctl_request *r, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    struct ofproto *p = ofproto_find(argv[1]);
    struct str s = STR_INIT;

    if (!p) {
        ctl_reply_error(r, "no such bridge");
        return;
    }
    for (const struct dp_feature *f = p->backer->xdp.dp->class->features; f->key; f++) {
        if (f->title && f->is_number) {
            str_putf(&s, "%s: %u\n", f->title, f->value);
        } else if (f->title) {
            str_putf(&s, "%s: %s\n", f->title, f->value ? "Yes" : "No");
        }
    }
    ctl_reply(r, str_text(&s));
    str_uninit(&s);
}

void
dp_features_commands_register(void)
{
    ctl_register("dpif/show-dp-features", "bridge", 1, 1, cmd_show, NULL);
    ctl_register("dpif/set-dp-features", "[--force] bridge [feature [value]]", 1, 4, cmd_set, NULL);
}
