/* Actions that translation does not serve yet: each ends it with an error that names the action. */
#include "ofproto/xlate/ctx.h"

void
xlate_not_served(struct xlate_ctx *ctx, const char *what)
{
    xlate_report(ctx, TRACE_ERROR, "%s is not supported yet", what);
    xlate_fail(ctx, XLATE_NOT_SERVED);
}

#define NOT_SERVED(NAME) \
    void xlate_##NAME(struct xlate_ctx *ctx, const struct act *act UNUSED) { xlate_not_served(ctx, #NAME); }

NOT_SERVED(encap)
NOT_SERVED(decap)
NOT_SERVED(dec_nsh_ttl)

/* Asks for the slow path, for tests of it. */
void
xlate_debug_slow(struct xlate_ctx *ctx, const struct act *act UNUSED)
{
    ctx->out->slow |= SLOW_ACTION;
}
