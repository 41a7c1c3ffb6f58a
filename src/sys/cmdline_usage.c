#include <stdlib.h>
#include <string.h>

#include "sys/cmdline.h"
#include "sys/daemon.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/stream.h"

static void
usage_tls(int flags)
{
    printf("PKI configuration (required to use SSL/TLS):\n"
           "  -p, --private-key=FILE  file with private key\n"
           "  -c, --certificate=FILE  file with certificate for private key\n"
           "  -C, --ca-cert=FILE      file with peer CA certificate\n");
    if (flags & CMDLINE_TLS_BOOTSTRAP) {
        printf("  --bootstrap-ca-cert=FILE  file with peer CA certificate to read or create\n");
    }
    if (flags & CMDLINE_TLS_PEER_CA) {
        printf("  --peer-ca-cert=FILE     file with CA certificate(s) to send to peers\n");
    }
    printf("SSL/TLS options:\n"
           "  --ssl-protocols=PROTOS  list of SSL/TLS protocols to enable\n"
           "  --ssl-ciphers=CIPHERS   list of SSL/TLS ciphers to enable with TLSv1.2\n"
           "  --ssl-ciphersuites=SUITES list of SSL/TLS ciphersuites to enable with TLSv1.3\n"
           "  --ssl-server-name=NAME  server name to send in the SNI extension\n");
}

static void
usage_methods(const char *kind, const char *what, bool is_passive)
{
    const struct stream_method *m;

    printf("%s %s connection methods:\n", kind, what);
    for (size_t i = 0; (m = stream_method_at(i)) != NULL; i++) {
        if (m->is_passive == is_passive) {
            printf("  %s%-*s %s\n", m->name, (int) (23 - strlen(m->name)), m->form, m->help);
        }
    }
}

void
cmdline_usage_targets(const char *what, bool active, bool passive, int flags)
{
    putchar('\n');
    if (active) {
        usage_methods("Active", what, false);
    }
    if (passive) {
        usage_methods("Passive", what, true);
    }
    if (flags) {
        usage_tls(flags);
    }
}

void
cmdline_usage_daemon(void)
{
    char *pidfile = daemon_default_pidfile();

    printf("\nDaemon options:\n"
           "  --detach                run in background as daemon\n"
           "  --monitor               creates a process to monitor this daemon\n"
           "  --user=username[:group] changes the effective daemon user:group\n"
           "  --no-chdir              do not chdir to '/'\n"
           "  --pidfile[=FILE]        create pidfile (default: %s)\n"
           "  --overwrite-pidfile     with --pidfile, start even if already running\n", pidfile);
    free(pidfile);
}

void
cmdline_usage_log(void)
{
    printf("\nLogging options:\n"
           "  -vSPEC, --verbose=SPEC   set logging levels\n"
           "  -v, --verbose            set maximum verbosity level\n"
           "  --log-file[=FILE]        enable logging to specified FILE\n"
           "                           (default: %s/%s.log)\n"
           "  --syslog-method=(libc|unix:file|udp:ip:port|null)\n"
           "                           specify how to send messages to syslog daemon\n"
           "  --syslog-target=HOST:PORT  also send syslog msgs to HOST:PORT via UDP\n", dirs_log(), log_program());
}
