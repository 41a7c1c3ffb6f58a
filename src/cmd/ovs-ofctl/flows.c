/* Changing flows: add-flow, add-flows, mod-flows, del-flows, with and without --bundle.
 *
 * All flows are read before the first one is sent, because the protocol must be one in which each of them can be
 * said, and because nothing is to happen where one of them is wrong.  They are kept as the messages that will be sent,
 * in the protocol that is right for those read so far; a later flow that needs another one makes us begin again, which
 * happens a few times at most.  Sending does not wait for answers; errors that come back while it goes on end it.
 *
 * Of many flows for a bundle, those read so far are put into it while the others are read: nothing comes of them unless
 * the bundle is committed, and where a line is wrong, or the protocol of the connection is, it is not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovs-ofctl/ofctl.h"

/* Flow-mods on their way to a switch. */
struct flow_batch {
    const char *switch_name;
    const struct act_text *names;
    const char *file;       /* For messages; null if the flows come from the command line. */
    int command;            /* As flow_mod_parse() takes it. */
    char *text;             /* All of them, a line each. */
    size_t len;
    unsigned int usable;    /* PROTO_* that can say all read so far. */
    unsigned int protocol;  /* In which 'messages' are. */
    struct bytes messages;  /* But for those that are in the bundle. */
    size_t n;               /* Flows read. */

    /* With --bundle; null before it has been opened. */
    struct of_client *c;
    struct ofctl_bundle *bundle;
    bool fills_early;       /* It may be filled before all lines have been read. */
};

#define CHUNK (128 * 1024)
#define PIECE (64 * 1024) /* Of text. */

static void fill_bundle_early(struct flow_batch *);
static void forget_bundle(struct flow_batch *);

static void
fatal_in_line(const struct flow_batch *b, int line, struct error *error)
{
    if (b->file) {
        cmdline_fatal(0, "%s:%d: %s", b->file, line, error_text(error));
    }
    cmdline_fatal(0, "%s", error_text(error));
}

/* Appends one flow; false if the protocol has to be another than that of the messages so far. */
static bool
add_line(struct flow_batch *b, char *line, int number)
{
    struct flow_mod fm;
    unsigned int protocols;
    struct error *error = flow_mod_parse_in_place(&fm, line, b->command, b->names, &protocols);
    unsigned int chosen;

    if (error) {
        fatal_in_line(b, number, error);
    }
    b->usable &= protocols;
    chosen = ofctl_choose_protocol(b->usable);
    if (chosen != b->protocol && b->n) {
        flow_mod_uninit(&fm);
        b->protocol = chosen;
        return false;
    }
    b->protocol = chosen;
    if (!flow_mod_encode(&b->messages, chosen, msg_new_xid(), &fm)) {
        fatal_in_line(b, number, error_new("flow is too long for one message"));
    }
    b->n++;
    flow_mod_uninit(&fm);
    fill_bundle_early(b);
    return true;
}

/* The lines from 'at' on, some of them; where the next ones begin. */
static const char *
end_of_piece(const char *at, const char *end)
{
    const char *nl = (size_t) (end - at) > PIECE ? memchr(at + PIECE, '\n', end - at - PIECE) : NULL;

    return nl ? nl + 1 : end;
}

/* The text is needed once more if the protocol changes, and lines are cut in place, so a copy is read, of a few at a
 * time.  A bundle that has been filled in the wrong protocol is given up. */
static bool
add_lines(struct flow_batch *b)
{
    const char *end = b->text + b->len, *next;
    struct bytes copy = BYTES_INIT;
    struct line_iter it = { .number = 0 };
    bool ok = true;
    char *line;

    bytes_clear(&b->messages);
    b->n = 0;
    for (const char *at = b->text; ok && at < end; at = next) {
        next = end_of_piece(at, end);
        bytes_clear(&copy);
        bytes_put(&copy, at, next - at);
        bytes_put_u8(&copy, '\0');
        it.at = (char *) copy.data;
        it.end = it.at + (next - at);
        while (ok && (line = ofctl_next_line(&it))) {
            ok = add_line(b, line, it.number);
        }
    }
    if (!ok && b->bundle) {
        forget_bundle(b);
        b->fills_early = false;
    }
    bytes_uninit(&copy);
    return ok;
}

/* The same messages in another protocol of the plainest kind, which differs only in the command's table: read again. */
static void
encode_for(struct flow_batch *b, unsigned int protocol)
{
    unsigned int allowed = ofctl_options.protocols;

    if (protocol == b->protocol) {
        return;
    }
    ofctl_options.protocols = protocol;
    while (!add_lines(b)) {
    }
    ofctl_options.protocols = allowed;
}

static void
read_batch(struct flow_batch *b)
{
    b->usable = PROTO_ANY;
    b->protocol = ofctl_choose_protocol(PROTO_ANY);
    b->names = ofctl_names_to_accept(b->switch_name);
    while (!add_lines(b)) {
    }
}

/* Prints the first error that has come, if one has, and exits. */
static void
check_errors(struct of_client *c)
{
    struct bytes m = BYTES_INIT;

    while (!of_client_try_recv(c, &m)) {
        if (m.data[1] == 1) {
            ofctl_print(stderr, m.data, m.len, NULL);
            exit(EXIT_FAILURE);
        }
    }
    bytes_uninit(&m);
}

/* Sends the messages in pieces that end where a message does. */
static void
send_batch(struct of_client *c, const struct bytes *messages)
{
    size_t at = 0;

    while (at < messages->len) {
        size_t end = at;
        struct bytes chunk = BYTES_INIT;

        while (end < messages->len && end - at < CHUNK) {
            end += msg_stated_length(messages->data + end);
        }
        bytes_put(&chunk, messages->data + at, end - at);
        ofctl_send(c, &chunk);
        check_errors(c);
        at = end;
    }
}

static void
run_batch(struct flow_batch *b)
{
    struct bytes none = BYTES_INIT;
    unsigned int protocol;
    struct of_client *c;

    read_batch(b);
    c = ofctl_open_for_flows(b->switch_name, b->usable, &protocol);
    encode_for(b, protocol);
    send_batch(c, &b->messages);
    ofctl_must_transact_noreply(c, &none);
    of_client_close(c);
}

/* With --bundle. */

/* Opens a bundle for the messages read so far; false if the connection speaks another protocol than they are in. */
static bool
begin_bundle(struct flow_batch *b)
{
    unsigned int protocol;

    b->c = ofctl_open_for_flows(b->switch_name, b->usable, &protocol);
    if (protocol != b->protocol) {
        of_client_close(b->c);
        b->c = NULL;
        return false;
    }
    b->bundle = ofctl_bundle_open(b->c);
    return true;
}

/* What has been put into a bundle goes when its connection does. */
static void
forget_bundle(struct flow_batch *b)
{
    ofctl_bundle_free(b->bundle);
    b->bundle = NULL;
    of_client_close(b->c);
    b->c = NULL;
}

static void
fill_bundle(struct flow_batch *b)
{
    ofctl_bundle_add(b->bundle, b->messages.data, b->messages.len);
    bytes_clear(&b->messages);
}

static void
fill_bundle_early(struct flow_batch *b)
{
    if (b->fills_early && b->messages.len >= CHUNK) {
        b->fills_early = b->bundle || begin_bundle(b);
        if (b->fills_early) {
            fill_bundle(b);
        }
    }
}

static void
run_batch_in_bundle(struct flow_batch *b)
{
    unsigned int protocol;

    b->fills_early = true;
    read_batch(b);
    if (!b->bundle) {
        b->c = ofctl_open_for_flows(b->switch_name, b->usable, &protocol);
        encode_for(b, protocol);
        b->bundle = ofctl_bundle_open(b->c);
    }
    fill_bundle(b);
    ofctl_bundle_commit(b->bundle);
    forget_bundle(b);
}

static void
run(struct flow_batch *b)
{
    if (ofctl_options.bundle) {
        ofctl_require_bundles();
        run_batch_in_bundle(b);
    } else {
        run_batch(b);
    }
    bytes_uninit(&b->messages);
    free(b->text);
}

/* The commands.  A flow of "-" means the standard input. */

static void
run_file(const char *switch_name, const char *file, int command)
{
    struct flow_batch b = { .switch_name = switch_name, .file = file, .command = command };

    b.text = ofctl_read_file(file, "open failed", &b.len);
    run(&b);
}

static void
run_command(struct cmdline_ctx *ctx, int command)
{
    const char *flow = ctx->argc > 2 ? ctx->argv[2] : "";
    struct flow_batch b = { .switch_name = ctx->argv[1], .command = command };

    if (!strcmp(flow, "-")) {
        run_file(ctx->argv[1], "-", command);
        return;
    }
    /* One flow, also an empty one, which is no line of a file. */
    b.text = xstrdup(*flow ? flow : ",");
    for (char *p = b.text; *p; p++) {
        *p = *p == '\n' || *p == '#' ? ' ' : *p;
    }
    b.len = strlen(b.text);
    run(&b);
}

void
ofctl_add_flow(struct cmdline_ctx *ctx)
{
    run_command(ctx, ctx->argc > 2 && !strcmp(ctx->argv[2], "-") ? FLOW_COMMAND_FROM_TEXT : FM_ADD);
}

void
ofctl_add_flows(struct cmdline_ctx *ctx)
{
    run_file(ctx->argv[1], ctx->argv[2], FLOW_COMMAND_FROM_TEXT);
}

void
ofctl_mod_flows(struct cmdline_ctx *ctx)
{
    run_command(ctx, ofctl_options.strict ? FM_MODIFY_STRICT : FM_MODIFY);
}

void
ofctl_del_flows(struct cmdline_ctx *ctx)
{
    run_command(ctx, ofctl_options.strict ? FM_DELETE_STRICT : FM_DELETE);
}
