/* ovsdb-server(1): the database daemon. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ovsdb/server/server.h"
#include "sys/cmdline.h"
#include "sys/daemon.h"
#include "sys/dirs.h"
#include "sys/heap.h"
#include "sys/log.h"
#include "sys/signals.h"
#include "sys/tls.h"

#include "config.h"

LOG_MODULE(ovsdb_server)

enum { OPT_REMOTE, OPT_RUN, OPT_UNIXCTL, OPT_NO_DBS, OPT_COLUMN_DIFF, OPT_DATA_CONVERSION, OPT_ACTIVE,
       OPT_SYNC_FROM, OPT_SYNC_EXCLUDE, OPT_CONFIG_FILE, OPT_UNSUPPORTED };

static const struct cmdline_option options[] = {
    { "remote", 0, CMDLINE_ARG, OPT_REMOTE },
    { "run", 0, CMDLINE_ARG, OPT_RUN },
    { "unixctl", 0, CMDLINE_ARG, OPT_UNIXCTL },
    { "no-dbs", 0, CMDLINE_NO_ARG, OPT_NO_DBS },
    { "disable-file-column-diff", 0, CMDLINE_NO_ARG, OPT_COLUMN_DIFF },
    { "disable-file-no-data-conversion", 0, CMDLINE_NO_ARG, OPT_DATA_CONVERSION },
    { "active", 0, CMDLINE_NO_ARG, OPT_ACTIVE },
    { "sync-from", 0, CMDLINE_ARG, OPT_SYNC_FROM },
    { "sync-exclude-tables", 0, CMDLINE_ARG, OPT_SYNC_EXCLUDE },
    { "config-file", 0, CMDLINE_ARG, OPT_CONFIG_FILE },
    { "record", 0, CMDLINE_OPTIONAL_ARG, OPT_UNSUPPORTED },
    { "replay", 0, CMDLINE_OPTIONAL_ARG, OPT_UNSUPPORTED },
};

struct daemon {
    struct loop *loop;
    struct ctl_server *ctl;
    struct ovsdb_server *server;
    const char *unixctl, *command; /* --run. */
    const char **remotes;
    size_t n_remotes, capacity;
    bool no_dbs, no_column_diff, data_conversion;
    const char *sync_from, *sync_exclude, *config_file;
    bool active;
    bool is_strict;                /* A wrong "db:..." option ends the program. */
    pid_t child;                   /* Of --run; 0 if there is none. */
    struct signal_watch sigchld, sighup;
};

static void
usage(void)
{
    char *file = dirs_db_file();

    printf("%s: Open vSwitch database server\n"
           "usage: %s [OPTIONS] [DATABASE...]\n"
           "where each DATABASE is a database file in ovsdb format.\n"
           "The default DATABASE, if none is given, is\n%s.\n"
           "\nJSON-RPC options (may be specified any number of times):\n"
           "  --remote=REMOTE         connect or listen to REMOTE\n", log_program(), log_program(), file);
    free(file);
    cmdline_usage_targets("JSON-RPC", true, true, CMDLINE_TLS | CMDLINE_TLS_BOOTSTRAP | CMDLINE_TLS_PEER_CA);
    cmdline_usage_daemon();
    cmdline_usage_log();
    printf("\nSyncing options:\n"
           "  --sync-from=SERVER      sync DATABASE from active SERVER and start in\n"
           "                          backup mode (except with --active)\n"
           "  --sync-exclude-tables=DB:TABLE,...\n"
           "                          exclude the TABLE in DB from syncing\n"
           "  --active                with --sync-from, start in active mode\n");
    printf("\nOther options:\n"
           "  --config-file=FILE      read databases and remotes from FILE\n"
           "  --no-dbs                do not open the default database\n"
           "  --run COMMAND           run COMMAND as subprocess then exit\n"
           "  --unixctl=SOCKET        override default control socket name\n"
           "  --disable-file-column-diff\n"
           "                          don't use column diff in database file\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n");
}

static void
parse_options(struct daemon *d, struct cmdline *cl)
{
    int id;

    while ((id = cmdline_next(cl)) != CMDLINE_END) {
        switch (id) {
        case OPT_REMOTE:
            if (d->n_remotes == d->capacity) {
                d->remotes = x2nrealloc(d->remotes, &d->capacity, sizeof *d->remotes);
            }
            d->remotes[d->n_remotes++] = cl->arg;
            break;
        case OPT_RUN:
            d->command = cl->arg;
            break;
        case OPT_UNIXCTL:
            d->unixctl = cl->arg;
            break;
        case OPT_NO_DBS:
            d->no_dbs = true;
            break;
        case OPT_COLUMN_DIFF:
            d->no_column_diff = true;
            break;
        case OPT_DATA_CONVERSION:
            d->data_conversion = true;
            break;
        case OPT_ACTIVE:
            d->active = true;
            break;
        case OPT_SYNC_FROM:
            d->sync_from = cl->arg;
            break;
        case OPT_SYNC_EXCLUDE:
            d->sync_exclude = cl->arg;
            break;
        case OPT_CONFIG_FILE:
            d->config_file = cl->arg;
            break;
        case OPT_UNSUPPORTED:
            cmdline_fatal(0, "--%s is not supported yet", cl->option);
        }
    }
}

/* --run. */

static void
run_command(struct daemon *d)
{
    d->child = fork();
    if (d->child < 0) {
        cmdline_fatal(-errno, "fork failed");
    }
    if (!d->child) {
        signals_cleanup_forget();
        signal(SIGPIPE, SIG_DFL);
        execl("/bin/sh", "sh", "-c", d->command, NULL);
        _exit(127);
    }
}

static void
on_child(struct signal_watch *w)
{
    struct daemon *d = w->aux;
    int status;

    if (!d->child || waitpid(d->child, &status, WNOHANG) != d->child) {
        return;
    }
    d->child = 0;
    loop_stop(d->loop);
    if (WIFSIGNALED(status)) {
        cmdline_fatal(0, "%s: child exited, killed (%s)", d->command, strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status)) {
        cmdline_fatal(0, "%s: child exited, exit status %d", d->command, WEXITSTATUS(status));
    }
}

static void
on_hangup(struct signal_watch *w UNUSED)
{
    (void) !log_open_file(NULL); /* The log says what is wrong, to its other destinations. */
}

static void
on_exit_command(struct ctl_request *r, int argc UNUSED, const char *argv[] UNUSED, void *d_)
{
    struct daemon *d = d_;

    ctl_reply(r, NULL);
    loop_stop(d->loop);
}

/* Databases, remotes, keys. */

/* --config-file stands alone. */
static void
check_config_file(const struct daemon *d, const struct cmdline *cl)
{
    const char *with = d->n_remotes ? "--remote" : d->sync_from ? "--sync-from" : d->active ? "--active"
                       : d->sync_exclude ? "--sync-exclude-tables" : cl->argc ? "databases on the command line" : NULL;

    if (d->config_file && with) {
        cmdline_fatal(0, "--config-file cannot be used with %s", with);
    }
}

static void
configure(struct daemon *d)
{
    if (!ovsdb_server_configure(d->server, d->config_file)) {
        cmdline_fatal(0, "server configuration failed");
    }
}

static void
open_databases(struct daemon *d, const struct cmdline *cl)
{
    for (int i = 0; i < cl->argc; i++) {
        cmdline_fatal_error(ovsdb_server_open(d->server, cl->argv[i]));
    }
    if (!cl->argc && !d->no_dbs) {
        char *file = dirs_db_file();

        cmdline_fatal_error(ovsdb_server_open(d->server, file));
        free(file);
    }
}

static char *
look_up_option(const char *where, void *d_)
{
    struct daemon *d = d_;
    char *value;
    struct error *error = ovsdb_server_read_option(d->server, where, &value);

    if (error && d->is_strict) {
        cmdline_fatal_error(error);
    }
    if (error) {
        log_warn("%s", error_text(error));
        error_free(error);
    }
    return value;
}

static void
on_change(void *d)
{
    tls_resolve(look_up_option, d);
}

static void
start(struct daemon *d, const struct cmdline *cl)
{
    daemon_start();
    d->loop = loop_create();
    /* Before anybody can connect: a SIGHUP must not end the server once it answers. */
    signal_watch_start(d->loop, &d->sigchld, SIGCHLD, on_child, d);
    signal_watch_start(d->loop, &d->sighup, SIGHUP, on_hangup, d);
    d->ctl = ctl_server_create_or_exit(d->loop, d->unixctl);
    ctl_register("exit", "", 0, 0, on_exit_command, d);
    d->server = ovsdb_server_create(d->loop);
    if (d->no_column_diff) {
        ovsdb_server_disable_column_diff(d->server);
    }
    if (d->data_conversion) {
        ovsdb_server_disable_no_data_conversion(d->server);
    }
    if (d->config_file) {
        configure(d);
    } else {
        cmdline_fatal_error(ovsdb_server_set_sync(d->server, d->sync_from, d->sync_exclude, d->active));
        open_databases(d, cl);
    }
    d->is_strict = !d->config_file && !d->no_dbs;
    on_change(d);
    d->is_strict = false;
    ovsdb_server_on_change(d->server, on_change, d);
    for (size_t i = 0; i < d->n_remotes; i++) {
        cmdline_fatal_error(ovsdb_server_add_remote(d->server, d->remotes[i]));
    }
    daemon_ready();
    log_info("%s (Open vSwitch) %s", log_program(), WEFT_COMPAT_VERSION);
    if (d->command) {
        run_command(d);
    }
}

int
main(int argc, char *argv[])
{
    struct daemon d = { .child = 0 };
    struct cmdline cl;

    cmdline_init(&cl, argc, argv, CMDLINE_DAEMON | CMDLINE_TLS | CMDLINE_TLS_PEER_CA | CMDLINE_TLS_BOOTSTRAP, options,
                 ARRAY_SIZE(options), usage);
    parse_options(&d, &cl);
    check_config_file(&d, &cl);
    heap_set_up_loading();
    start(&d, &cl);
    heap_set_up_serving();
    loop_run(d.loop);
    signal_watch_stop(&d.sigchld);
    signal_watch_stop(&d.sighup);
    ovsdb_server_destroy(d.server);
    ctl_server_destroy(d.ctl);
    loop_destroy(d.loop);
    free(d.remotes);
    return EXIT_SUCCESS;
}
