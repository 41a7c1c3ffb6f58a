/* Commands about connection tracking. */
#include "base/num.h"
#include "cmd/ovs-ofctl/ofctl.h"
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

void
ofctl_ct_flush(struct cmdline_ctx *ctx)
{
    struct bytes b = BYTES_INIT;
    struct of_client *c;
    struct error *error;
    struct ct_flush f;
    enum ct_flush_part where;

    error = ct_flush_parse(ctx->argc - 2, (const char *const *) ctx->argv + 2, &f, &where);
    if (error && where == CT_FLUSH_ZONE) {
        error_free(error);
        cmdline_fatal(0, "Failed to parse zone");
    } else if (error) {
        cmdline_fatal(0, where == CT_FLUSH_TUPLE ? "Failed to parse ct-tuple: %s" : "%s", error_text(error));
    }
    c = ofctl_open(ctx->argv[1]);
    ct_flush_encode(&b, of_client_version(c), msg_new_xid(), &f);
    ofctl_must_transact_noreply(c, &b);
    of_client_close(c);
}
