#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/ovs-ofctl/ofctl.h"
#include "openflow/hello.h"
#include "openflow/msg/switch.h"
#include "sys/dirs.h"
#include "sys/log.h"

LOG_MODULE(ofp_msgs)

struct loop *
ofctl_loop(void)
{
    static struct loop *loop;

    if (!loop) {
        loop = loop_create();
    }
    return loop;
}

static bool
is_socket(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISSOCK(st.st_mode);
}

/* "unix:RUNDIR/NAME.SERVICE" if the bridge NAME is there. */
static char *
bridge_target(const char *bridge, const char *service)
{
    char *file = xasprintf("%s/%s.%s", dirs_run(), bridge, service);
    char *target = is_socket(file) ? xasprintf("unix:%s", file) : NULL;

    free(file);
    return target;
}

/* Whether the last ofctl_target() gave a socket that was looked for, rather than a target that was named. */
static bool found_socket;

char *
ofctl_target(const char *name, const char *service)
{
    const char *at = strchr(name, '@');
    char *file, *target;

    found_socket = true;
    if (strchr(name, ':')) {
        found_socket = false;
        return xstrdup(name);
    }
    target = bridge_target(name, service);
    if (target) {
        return target;
    }
    file = dirs_resolve(dirs_run(), name);
    if (is_socket(file)) {
        target = xasprintf("unix:%s", file);
    } else if (is_socket(name)) {
        target = xasprintf("unix:%s", name);
    } else if (at) {
        target = bridge_target(at + 1, service);
    }
    free(file);
    if (!target) {
        cmdline_fatal(0, "%s is not a bridge or a socket", name);
    }
    return target;
}

static struct of_client *
open_target(const char *name, const char *service, uint32_t versions, int flags)
{
    char *target = ofctl_target(name, service);
    struct of_client *c;
    int error;

    log_dbg("connecting to %s", target);
    error = of_client_open(ofctl_loop(), target, versions, flags, &c);
    if (error) {
        if (found_socket) {
            cmdline_fatal(error, "%s: failed to connect to socket", name);
        }
        cmdline_fatal(error, "connecting to %s", target);
    }
    free(target);
    return c;
}

struct of_client *
ofctl_open_service(const char *name, const char *service, int flags)
{
    return open_target(name, service, flags & OF_CONN_RAW ? OF_VERSIONS_ALL : ofctl_options.versions, flags);
}

struct of_client *
ofctl_open(const char *name)
{
    return ofctl_open_service(name, "mgmt", 0);
}

struct of_client *
ofctl_open_versions(const char *name, uint32_t versions)
{
    return open_target(name, "mgmt", ofctl_options.versions & versions, 0);
}

/* Protocols. */

static uint32_t
versions_of(unsigned int protocols)
{
    uint32_t versions = 0;

    for (unsigned int p = 1; p & PROTO_ANY; p <<= 1) {
        if (protocols & p) {
            versions |= 1u << proto_version(p);
        }
    }
    return versions;
}

static void
check_usable(unsigned int usable)
{
    struct str s = STR_INIT, t = STR_INIT;

    if (usable & ofctl_options.protocols) {
        return;
    }
    proto_put_set(&s, usable);
    proto_put_set(&t, ofctl_options.protocols);
    cmdline_fatal(0, "none of the usable flow formats (%s) is among the allowed flow formats (%s)", str_text(&s),
                  str_text(&t));
}

unsigned int
ofctl_choose_protocol(unsigned int usable)
{
    check_usable(usable);
    usable &= ofctl_options.protocols;
    return usable & -usable;
}

/* What it takes to get from the plain protocol of a connection to this one. */
static void
put_protocol_requests(struct bytes *b, unsigned int protocol)
{
    if (protocol & PROTO_OF10_NXM_ANY) {
        flow_format_encode(b, msg_new_xid(), true);
    }
    if (protocol & (PROTO_OF10_TID | PROTO_NXM_TID)) {
        flow_mod_table_id_encode(b, msg_new_xid(), true);
    }
}

bool
ofctl_try_protocol(struct of_client *c, unsigned int protocol)
{
    struct bytes b = BYTES_INIT, reply = BYTES_INIT;
    bool ok;

    put_protocol_requests(&b, protocol);
    ok = !b.len || ofctl_transact_noreply(c, &b, &reply);
    bytes_uninit(&b);
    bytes_uninit(&reply);
    return ok;
}

static void
no_usable(unsigned int usable)
{
    struct str s = STR_INIT;

    proto_put_set(&s, usable);
    cmdline_fatal(0, "switch does not support any of the usable flow formats (%s)", str_text(&s));
}

/* From the plainest ('best' false) or from the most capable one; among the protocols of the version that was agreed. */
static struct of_client *
open_with_protocol(const char *name, unsigned int usable, bool best, unsigned int *protocol)
{
    struct of_client *c;
    unsigned int allowed;

    check_usable(usable);
    allowed = usable & ofctl_options.protocols;
    c = open_target(name, "mgmt", ofctl_options.versions & versions_of(allowed), 0);
    allowed &= proto_of_version(of_client_version(c));
    while (allowed) {
        unsigned int p = best ? 1u << (31 - __builtin_clz(allowed)) : allowed & -allowed;

        if (ofctl_try_protocol(c, p)) {
            *protocol = p;
            return c;
        }
        allowed &= ~p;
    }
    no_usable(usable);
    return NULL;
}

struct of_client *
ofctl_open_for_flows(const char *name, unsigned int usable, unsigned int *protocol)
{
    return open_with_protocol(name, usable, false, protocol);
}

/* A table id is always part of what a dump says, so the forms without one do as well. */
struct of_client *
ofctl_open_for_dump(const char *name, unsigned int usable, unsigned int *protocol)
{
    unsigned int plain = usable & ~(PROTO_OF10_TID | PROTO_NXM_TID);

    check_usable(usable);
    return open_with_protocol(name, plain & ofctl_options.protocols ? plain : usable, true, protocol);
}

/* Messages. */

uint32_t
ofctl_xid(const struct bytes *message)
{
    return get_be32(message->data + 4);
}

static void
check_conn(const struct of_client *c, int error, const char *doing)
{
    if (error) {
        cmdline_fatal(error, "%s: %s", of_client_name(c), doing);
    }
}

void
ofctl_send(struct of_client *c, struct bytes *messages)
{
    check_conn(c, of_client_send(c, messages), "send failed");
}

void
ofctl_recv(struct of_client *c, struct bytes *message)
{
    check_conn(c, of_client_recv(c, message), "OpenFlow packet receive failed");
}

void
ofctl_recv_xid(struct of_client *c, uint32_t xid, struct bytes *message)
{
    do {
        ofctl_recv(c, message);
    } while (ofctl_xid(message) != xid);
}

bool
ofctl_transact_noreply(struct of_client *c, struct bytes *messages, struct bytes *reply)
{
    uint32_t barrier = msg_new_xid();
    struct bytes m = BYTES_INIT;
    bool ok = true;

    msg_put_simple(messages, MSG_BARRIER_REQUEST, of_client_version(c), barrier, NULL, 0);
    ofctl_send(c, messages);
    for (;;) {
        ofctl_recv(c, &m);
        if (ofctl_xid(&m) == barrier) {
            break;
        }
        if (m.data[1] == 1 && ok) { /* OFPT_ERROR. */
            ok = false;
            bytes_put(reply, m.data, m.len);
        }
    }
    bytes_uninit(&m);
    return ok;
}

void
ofctl_must_transact_noreply(struct of_client *c, struct bytes *messages)
{
    struct bytes reply = BYTES_INIT;

    if (!ofctl_transact_noreply(c, messages, &reply)) {
        ofctl_print(stderr, reply.data, reply.len, NULL);
        exit(EXIT_FAILURE);
    }
}

void
ofctl_print(FILE *f, const void *message, size_t len, const struct act_text *names)
{
    ofctl_print_more(f, message, len, names, 1);
}

/* The text goes through 's', which is cleared first. */
static void
print_through(struct str *s, FILE *f, const void *message, size_t len, const struct act_text *names, int more)
{
    char *why = NULL;

    str_clear(s);
    msg_print(s, message, len, names, ofctl_options.verbosity + more, &why);
    fwrite(str_text(s), 1, s->len, f);
    if (why) {
        log_warn("%s", why);
        free(why);
    }
}

void
ofctl_print_more(FILE *f, const void *message, size_t len, const struct act_text *names, int more)
{
    struct str s = STR_INIT;

    print_through(&s, f, message, len, names, more);
    str_uninit(&s);
}

bool
ofctl_more_follow(const struct bytes *m)
{
    struct msg msg;

    return !msg_decode_partial(m->data, m->len, &msg) && msg_class_is_stats(msg.wire->class) &&
           msg.stat_flags & MSG_STAT_MORE;
}

/* Who reads a long text from a pipe is not to be woken for every few pages of it. */
static void
widen_pipe(int fd)
{
    enum { WIDE = 1 << 20 }; /* What anybody may have. */

    (void) fcntl(fd, F_SETPIPE_SZ, WIDE); /* It fails where it is no pipe. */
}

/* Parts of an answer are many and alike, so that each is printed through the memory of the one before it. */
void
ofctl_dump(struct of_client *c, struct bytes *request, const struct act_text *names)
{
    struct bytes reply = BYTES_INIT;
    struct str s = STR_INIT;
    uint32_t xid = ofctl_xid(request);

    ofctl_send(c, request);
    ofctl_recv_xid(c, xid, &reply);
    print_through(&s, stdout, reply.data, reply.len, names, 1);
    if (ofctl_more_follow(&reply)) {
        widen_pipe(STDOUT_FILENO);
    }
    while (ofctl_more_follow(&reply)) {
        ofctl_recv_xid(c, xid, &reply);
        print_through(&s, stdout, reply.data, reply.len, names, 1);
    }
    bytes_uninit(&reply);
    str_uninit(&s);
}
