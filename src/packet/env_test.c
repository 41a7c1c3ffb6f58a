#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "packet/env.h"
#include "packet/mbuf.h"
#include "packet/pool.h"
#include "sys/rcu_cmocka.h"
#include "sys/work.h"

static _Atomic int n_done;

static void
count(void *aux)
{
    n_done += *(int *) aux;
}

/* An environment cannot be started twice: in a process of its own. */
static void
what_came_of_a_start_beside_the_caller_is_said_later(void **state UNUSED)
{
    int one = 1, status;
    pid_t child = fork();
    struct error *e;

    if (!child) {
        env_configure(&(struct env_settings) { .extra = "--no-such-option" });
        if (!env_start_beside(count, &one)) {
            work_wait_all();
        }
        e = env_start();
        _exit(n_done == 1 && e && strstr(error_text(e), "DPDK did not start") && env_start_beside(NULL, NULL)
                      && !env_is_started() && n_done == 1
                  ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A system without PCI has "--no-pci" instead. */
static void
mask_devices(char *line)
{
    static const char none[] = " -a 0000:00:00.0", masked[] = " NODEV";
    char *at = access("/sys/bus/pci/devices", R_OK) ? strstr(line, " --no-pci -") : strstr(line, none);
    size_t n = access("/sys/bus/pci/devices", R_OK) ? strlen(" --no-pci") : strlen(none);

    if (at) {
        memcpy(at, masked, strlen(masked));
        memmove(at + strlen(masked), at + n, strlen(at + n) + 1);
    }
}

static void
check_line(const struct env_settings *s, bool has_huge_pages, const char *expected)
{
    char *line, *core;

    env_configure(s);
    line = env_command_line(has_huge_pages);
    mask_devices(line);
    core = strstr(line, " -l ");
    if (core && core[4] >= '0' && core[4] <= '9') {
        char *rest = core + 4 + strspn(core + 4, "0123456789");

        core[4] = 'N';
        memmove(core + 5, rest, strlen(rest) + 1);
    }
    assert_string_equal(strchr(line, ' '), expected);
    free(line);
}

static void
the_settings_make_the_command_line(void **state UNUSED)
{
    check_line(&(struct env_settings) { 0 }, true,
               " --no-shconf --no-telemetry --no-huge -m 1024 NODEV -l N");
    check_line(&(struct env_settings) { .socket_mem = "512,256", .alloc_mem = "99", .socket_limit = "600,0",
                                        .hugepage_dir = "/mnt/huge", .lcore_mask = "0x2" }, true,
               " --no-shconf --no-telemetry --socket-mem 512,256 --socket-limit 600,0 --huge-dir /mnt/huge NODEV"
               " -c 0x2");
    check_line(&(struct env_settings) { .alloc_mem = "2000" }, true,
               " --no-shconf --no-telemetry -m 2000 NODEV -l N");
    check_line(&(struct env_settings) { .alloc_mem = "2000" }, false,
               " --no-shconf --no-telemetry --no-huge -m 2000 NODEV -l N");
    check_line(&(struct env_settings) { .extra = " -l 1  -a 0000:01:00.0 --huge-dir=/x\t", .socket_limit = "1" }, true,
               " --no-shconf --no-telemetry --socket-limit 1 -l N -a 0000:01:00.0 --huge-dir=/x");
    check_line(&(struct env_settings) { .extra = "--no-huge -m 512 --no-pci", .socket_mem = "9", .lcore_mask = "1" },
               true, " --no-shconf --no-telemetry -c 1 --no-huge -m 512 --no-pci");
    check_line(&(struct env_settings) { .probes = true }, true, " --no-shconf --no-telemetry --no-huge -m 1024 -l N");
    check_line(&(struct env_settings) { .probes = true, .extra = "--allow=0000:01:00.0" }, true,
               " --no-shconf --no-telemetry --no-huge -m 1024 -l N --allow=0000:01:00.0");
    env_configure(&(struct env_settings) { 0 });
}

/* It has all packets of the pool and its own processors, as if it had started it by itself. */
static void
the_environment_starts_beside_the_caller(void **state UNUSED)
{
    struct packet **packets = xcalloc(PACKET_POOL_SIZE, sizeof *packets);
    cpu_set_t before, after;
    int one = 1, ten = 10;
    struct error *e;

    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_false(env_is_started());
    if (!env_start_beside(count, &one)) {
        (void) !env_start_beside(count, &ten); /* It has begun: only the first is told. */
    }
    e = env_start();
    assert_null(e);
    assert_true(env_is_started());
    work_wait_all();
    assert_int_equal(n_done, 1);
    assert_true(env_start_beside(count, &ten));
    assert_int_equal(n_done, 1);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    for (size_t i = 0; i < PACKET_POOL_SIZE; i++) {
        packets[i] = packet_new("x", 1);
        assert_non_null(packets[i]);
    }
    for (size_t i = 0; i < PACKET_POOL_SIZE; i++) {
        packet_free(packets[i]);
    }
    assert_int_equal(packet_pool_in_use(packet_pool()), 0);
    free(packets);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_settings_make_the_command_line),
        cmocka_unit_test(what_came_of_a_start_beside_the_caller_is_said_later),
        cmocka_unit_test(the_environment_starts_beside_the_caller),
    };

    return cmocka_run_group_tests(tests, rcu_group_setup, rcu_group_teardown);
}
