#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "sys/cmdline.h"
#include "sys/daemon.h"
#include "sys/log.h"
#include "sys/signals.h"

static char dir[] = "/tmp/weft-daemon-test-XXXXXX";

/* The daemon, when the test runs itself with arguments: "fail" exits with status 3 before it is ready, "crash" kills
 * itself once, the first time that it runs. */

static void
usage(void)
{
    printf("help\n");
}

static void
daemon_main(int argc, char *argv[])
{
    struct cmdline cl;

    cmdline_init(&cl, argc, argv, CMDLINE_DAEMON, NULL, 0, usage);
    log_set_levels(LOG_TO_SYSLOG, LOG_LEVEL_OFF);
    while (cmdline_next(&cl) != CMDLINE_END) {
        continue;
    }
    daemon_start();
    if (!strcmp(cl.argv[0], "fail")) {
        cmdline_fatal(0, "cannot start");
    }
    daemon_ready();
    if (!strcmp(cl.argv[0], "crash") && access("crashed", F_OK)) {
        fclose(fopen("crashed", "w"));
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    alarm(30); /* In case the test forgets us. */
    for (;;) {
        pause();
    }
}

static int
run(const char *arguments)
{
    char *command = xasprintf("cd %s && %s %s 2>err", dir, program_invocation_name, arguments);
    int status = system(command);

    free(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static pid_t
pid_in_file(void)
{
    char *file = xasprintf("%s/test.pid", dir);
    pid_t pid = daemon_read_pidfile(file);

    free(file);
    return pid;
}

static void
wait_for(bool running, pid_t other_than)
{
    for (int i = 0; i < 500; i++) {
        pid_t pid = pid_in_file();

        if (running ? pid > 0 && pid != other_than : pid < 0) {
            return;
        }
        usleep(10000);
    }
    fail();
}

static bool
err_contains(const char *text)
{
    char *path = xasprintf("%s/err", dir), buf[1000] = "";
    FILE *f = fopen(path, "r");
    size_t n = fread(buf, 1, sizeof buf - 1, f);

    fclose(f);
    free(path);
    return n && strstr(buf, text);
}

static void
a_detached_daemon_has_a_locked_pid_file_until_it_ends(void **state UNUSED)
{
    char *file = xasprintf("%s/test.pid", dir);
    pid_t pid;

    assert_int_equal(pid_in_file(), -ENOENT);
    assert_int_equal(run("--detach --no-chdir --pidfile=test.pid serve"), 0);
    pid = pid_in_file();
    assert_true(pid > 1);
    assert_int_equal(run("--detach --pidfile=test.pid serve"), 1);
    assert_true(err_contains("already running as pid"));
    kill(pid, SIGTERM);
    wait_for(false, 0);
    assert_int_equal(access(file, F_OK), -1);
    free(file);
}

static void
an_error_before_ready_is_the_command_s(void **state UNUSED)
{
    assert_int_equal(run("--detach --no-chdir --pidfile=test.pid fail"), 1);
    assert_true(err_contains("cannot start"));
    assert_int_equal(run("--detach --monitor --no-chdir --pidfile=test.pid fail"), 1);
    assert_int_equal(pid_in_file(), -ENOENT);
}

static void
the_monitor_restarts_what_has_crashed(void **state UNUSED)
{
    char *crashed = xasprintf("%s/crashed", dir);
    pid_t pid;

    assert_int_equal(run("--detach --monitor --no-chdir --pidfile=test.pid crash"), 0);
    for (int i = 0; i < 500 && access(crashed, F_OK); i++) {
        usleep(10000);
    }
    assert_int_equal(access(crashed, F_OK), 0);
    usleep(200000);
    wait_for(true, 0);
    pid = pid_in_file();
    kill(pid, SIGTERM);
    wait_for(false, 0);
    usleep(100000);
    assert_true(pid_in_file() < 0); /* An orderly end is not restarted. */
    unlink(crashed);
    free(crashed);
}

static void
bad_options_exit_with_status_1(void **state UNUSED)
{
    assert_int_equal(run("--nonsense"), 1);
    assert_true(err_contains("unrecognized option '--nonsense'"));
    assert_int_equal(run("-vfoo"), 1);
    assert_true(err_contains("processing \"foo\": no destination, level, or module \"foo\""));
    assert_int_equal(run("--pidfile=/nonexistent/x serve"), 1);
    assert_true(err_contains("/nonexistent/x.tmp: create failed (No such file or directory)"));
}

static int
set_up(void **state UNUSED)
{
    if (!mkdtemp(dir)) {
        return -1;
    }
    setenv("OVS_RUNDIR", dir, 1);
    setenv("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0", 1);
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    char *err = xasprintf("%s/err", dir);

    unlink(err);
    free(err);
    return rmdir(dir);
}

static void *
get_mask(void *mask)
{
    pthread_sigmask(SIG_SETMASK, NULL, mask);
    return NULL;
}

static void
a_thread_takes_only_the_signals_of_its_faults(void **state UNUSED)
{
    sigset_t mask;
    pthread_t thread;

    assert_int_equal(signals_thread_create(&thread, NULL, get_mask, &mask), 0);
    pthread_join(thread, NULL);
    assert_true(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGPIPE) && sigismember(&mask, SIGCHLD));
    assert_false(sigismember(&mask, SIGSEGV) || sigismember(&mask, SIGBUS));
    get_mask(&mask);
    assert_false(sigismember(&mask, SIGTERM) || sigismember(&mask, SIGPIPE) || sigismember(&mask, SIGCHLD));
}

int
main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_detached_daemon_has_a_locked_pid_file_until_it_ends),
        cmocka_unit_test(an_error_before_ready_is_the_command_s),
        cmocka_unit_test(the_monitor_restarts_what_has_crashed),
        cmocka_unit_test(bad_options_exit_with_status_1),
        cmocka_unit_test(a_thread_takes_only_the_signals_of_its_faults),
    };

    if (argc > 1) {
        daemon_main(argc, argv);
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
