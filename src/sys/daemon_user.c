#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/cmdline.h"
#include "sys/daemon.h"
#include "sys/log.h"

LOG_MODULE(daemon_unix)

static char *user_group;   /* "user", "user:group", ":group"; null: stay who we are. */
static bool net_admin;

void
daemon_set_user(const char *spec)
{
    free(user_group);
    user_group = xstrdup(spec);
}

void
daemon_want_net_admin(void)
{
    net_admin = true;
}

/* Whether 'group' is the user's own or one that it is a member of. */
static bool
is_member(const struct group *group, const char *user, gid_t own)
{
    for (char **m = group->gr_mem; *m; m++) {
        if (!strcmp(*m, user)) {
            return true;
        }
    }
    return group->gr_gid == own;
}

static void
find_ids(uid_t *uid, gid_t *gid, char **user)
{
    char *colon = strchr(user_group, ':');
    struct passwd *p;

    *user = colon ? xstrndup(user_group, colon - user_group) : xstrdup(user_group);
    p = **user ? getpwnam(*user) : getpwuid(getuid());
    if (!p) {
        cmdline_fatal(0, "user %s not found, aborting.", *user);
    }
    *uid = p->pw_uid;
    *gid = p->pw_gid;
    if (colon && colon[1]) {
        struct group *g = getgrnam(colon + 1);

        if (!g) {
            cmdline_fatal(0, "group %s not found, aborting.", colon + 1);
        }
        if (!is_member(g, p->pw_name, p->pw_gid)) {
            cmdline_fatal(0, "Invalid --user option %s (user %s is not in group %s), aborting.", user_group, p->pw_name,
                          g->gr_name);
        }
        *gid = g->gr_gid;
    }
}

static int
set_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 } };
    uint64_t caps = UINT64_C(1) << CAP_IPC_LOCK | UINT64_C(1) << CAP_NET_BIND_SERVICE;

    if (net_admin) {
        caps |= UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_RAW | UINT64_C(1) << CAP_NET_BROADCAST;
    }
    for (int i = 0; i < 2; i++) {
        data[i].effective = data[i].permitted = caps >> (32 * i);
    }
    return syscall(SYS_capset, &header, data) ? -errno : 0;
}

void
daemon_become_user(void)
{
    char *user;
    uid_t uid;
    gid_t gid;
    int error;

    if (!user_group) {
        return;
    }
    if (getuid()) {
        cmdline_fatal(0, "only root can use --user option");
    }
    find_ids(&uid, &gid, &user);
    prctl(PR_SET_KEEPCAPS, 1);
    if (setresgid(gid, gid, gid) || initgroups(*user ? user : "root", gid) || setresuid(uid, uid, uid)) {
        cmdline_fatal(-errno, "fail to switch user to \"%s\"", user_group);
    }
    error = set_capabilities();
    if (error) {
        cmdline_fatal(error, "cannot keep capabilities as user and group %ld:%ld", (long) uid, (long) gid);
    }
    prctl(PR_SET_KEEPCAPS, 0);
    free(user);
    free(user_group);
    user_group = NULL;
}
