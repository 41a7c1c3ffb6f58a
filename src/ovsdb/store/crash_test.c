/* A crash at each system call: of the program, and of the machine.
 *
 * A child process runs transactions over system calls that are counted; at the n-th it ends, a write half done.  The
 * parent opens what is there then.  All that the child was told to be durable must be in it, and what it has must be a
 * state that there was: no half transaction.
 *
 * Of a machine that loses its power nobody knows what is on its disk but for what was synced.  For each file the child
 * keeps a copy of what was in it when it was synced last, and of the directory which file had the name then.  After
 * such a crash there is any of these: the name as it was synced, or as it was; of the file what was synced, or that
 * with zeros where more was written, or all. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/uuid.h"
#include "ovsdb/store/test_fixture.h"

enum content { CONTENT_ALL, CONTENT_SYNCED, CONTENT_SYNCED_AND_ZEROS, N_CONTENTS };

/* What of a crash: of the program alone, or of the machine. */
struct crash {
    int at;               /* The number of the call. */
    bool machine;
    bool name_as_synced;
    enum content content;
};

enum { N_INSERTS = 12 }; /* Of the test with threads. */
enum { CRASHED = 10, ENDED = 11 }; /* Exit status of the child. */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct crash crash;
static int n_calls;
static ino_t synced_name; /* The file that has the name, when the directory was synced last. */
static int report_fd = -1;

/* --- The disk --- */

/* Where the copy is of what was synced of a file, and where another name of it is, so that it outlives a rename. */
static char *
copy_path(const char *what, ino_t inode)
{
    return xasprintf("%s/%s-%ju", test_dir, what, (uintmax_t) inode);
}

static ino_t
inode_of(const char *path)
{
    struct stat s;

    return stat(path, &s) ? 0 : s.st_ino;
}

static void
note_synced(const char *path)
{
    const ino_t inode = inode_of(path);
    char *copy = copy_path("synced", inode), *text;
    size_t n;

    read_file(path, &text, &n);
    write_file(copy, text, n);
    free(text);
    free(copy);
}

/* The contents of the file 'inode' after the crash. */
static void
contents_after(ino_t inode, char **text, size_t *n)
{
    char *all_path = copy_path("file", inode), *synced_path = copy_path("synced", inode), *all;
    size_t n_all;

    read_file(all_path, &all, &n_all);
    if (crash.content == CONTENT_ALL) {
        *text = all;
        *n = n_all;
    } else {
        *text = NULL;
        *n = 0;
        if (!access(synced_path, F_OK)) {
            read_file(synced_path, text, n);
        }
        if (crash.content == CONTENT_SYNCED_AND_ZEROS && n_all > *n) {
            *text = xrealloc(*text, n_all);
            memset(*text + *n, 0, n_all - *n);
            *n = n_all;
        }
        free(all);
    }
    free(all_path);
    free(synced_path);
}

static void
lose_power(void)
{
    const ino_t inode = crash.name_as_synced ? synced_name : inode_of(db_path);
    char *text;
    size_t n;

    contents_after(inode, &text, &n);
    unlink(db_path); /* Its other names are to stay as they are. */
    write_file(db_path, text ? text : "", n);
    free(text);
}

/* Whether this call is the one; 'mutex' stays locked if it is. */
static bool
crashes_now(void)
{
    pthread_mutex_lock(&mutex);
    if (n_calls++ == crash.at) {
        return true;
    }
    pthread_mutex_unlock(&mutex);
    return false;
}

static void
die(void)
{
    if (crash.machine) {
        lose_power();
    }
    _exit(CRASHED);
}

static char *
path_of_fd(int fd)
{
    return xasprintf("/proc/self/fd/%d", fd);
}

/* Gives a file another name, so that it is there for lose_power() whatever becomes of the first. */
static void
keep_file(const char *path)
{
    char *other = copy_path("file", inode_of(path));

    if (link(path, other) && errno != EEXIST) {
        fail_msg("link: %s", strerror(errno));
    }
    free(other);
}

static int
c_open(const char *path, int flags, mode_t mode)
{
    int fd;

    if (crashes_now()) {
        die();
    }
    fd = store_io_system.open(path, flags, mode);
    if (fd >= 0) {
        keep_file(path);
    }
    return fd;
}

static ssize_t
c_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (crashes_now()) {
        (void) !store_io_system.pwrite(fd, p, n / 2, at);
        die();
    }
    return store_io_system.pwrite(fd, p, n, at);
}

static int
c_fsync(int fd)
{
    char *path = path_of_fd(fd);

    if (crashes_now()) {
        die();
    }
    pthread_mutex_lock(&mutex);
    note_synced(path);
    pthread_mutex_unlock(&mutex);
    free(path);
    return 0;
}

static int
c_ftruncate(int fd, off_t size)
{
    if (crashes_now()) {
        die();
    }
    return store_io_system.ftruncate(fd, size);
}

static int
c_rename(const char *from, const char *to)
{
    if (crashes_now()) {
        die();
    }
    return store_io_system.rename(from, to);
}

static int
c_fsync_dir(const char *path)
{
    if (crashes_now()) {
        die();
    }
    pthread_mutex_lock(&mutex);
    synced_name = inode_of(path);
    pthread_mutex_unlock(&mutex);
    return 0;
}

static ssize_t
c_read(int fd, void *p, size_t n)
{
    return store_io_system.read(fd, p, n);
}

static const struct store_io crashing_io = { c_open, c_read, c_pwrite, c_fsync, c_ftruncate, c_rename, c_fsync_dir };

/* --- The child --- */

/* Tells the parent that what it calls 'number' is durable. */
static void
report(unsigned char number)
{
    if (write(report_fd, &number, 1) != 1) {
        _exit(1);
    }
}

/* Runs 'script' in a child until the crash 'c'.  Returns whether there was one; '*durable' is what was reported last, 0
 * if nothing was. */
static bool
run_until(struct crash c, void (*run)(void), int *durable)
{
    unsigned char number;
    int fds[2], status;
    pid_t pid;

    setup(NULL);
    keep_file(db_path);
    note_synced(db_path);
    synced_name = inode_of(db_path);
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (!pid) {
        crash = c;
        report_fd = fds[1];
        run();
        _exit(ENDED);
    }
    close(fds[1]);
    *durable = 0;
    while (read(fds[0], &number, 1) == 1) {
        *durable = number;
    }
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), CRASHED, ENDED);
    return WEXITSTATUS(status) == CRASHED;
}

static void
remove_copies(void)
{
    char *command = xasprintf("rm -f %s/synced-* %s/file-* %s.tmp", test_dir, test_dir, db_path);

    assert_int_equal(system(command), 0);
    free(command);
}

static int
compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The lines of 'text', in order; it is released. */
static char *
sort_lines(char *text)
{
    char *lines[2 * N_INSERTS], *rest = text;
    struct str s = STR_INIT;
    size_t n = 0;

    while (n < ARRAY_SIZE(lines) && (lines[n] = strsep(&rest, "\n"))) {
        n++;
    }
    qsort(lines, n, sizeof *lines, compare_lines);
    for (size_t i = 0; i < n; i++) {
        str_putf(&s, "%s\n", lines[i]);
    }
    free(text);
    return str_steal(&s);
}

/* The contents with "U" for each UUID, which are others in each run. */
static char *
contents_of(const struct db *db)
{
    char *text = dump(db), *to = text;

    for (const char *from = text; *from;) {
        struct uuid uuid;

        if (uuid_parse_prefix(&uuid, from)) {
            *to++ = 'U';
            from += UUID_LEN;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return sort_lines(text);
}

/* Opens what is left as a server does, checks that it can be worked with, and returns its contents. */
static char *
recover(void)
{
    struct store *s;
    char *text;

    expect_ok(store_open(db_path, STORE_RECOVER, &s));
    text = contents_of(store_db(s));
    assert_true(transact(s, "[{'op':'insert','table':'R','row':{'name':'after'}}]"));
    expect_ok(store_flush(s));
    expect_same_as_file(s);
    expect_ok(store_close(s));
    return text;
}

/* Lets 'run' crash at each of its calls in each way and gives what is left to 'check', with what was durable. */
static void
crash_everywhere(void (*run)(void), void (*check)(const char *contents, int durable, const char *what))
{
    int total = 0;

    for (int variant = -1; variant < 2 * N_CONTENTS; variant++) {
        struct crash c = { .machine = variant >= 0, .name_as_synced = variant % 2 != 0,
                           .content = variant < 0 ? CONTENT_ALL : (enum content) (variant / 2) };
        int durable;

        for (c.at = 0; run_until(c, run, &durable); c.at++) {
            char *what = xasprintf("at call %d, variant %d", c.at, variant), *text = recover();

            check(text, durable, what);
            free(text);
            free(what);
            remove_copies();
        }
        remove_copies();
        assert_true(c.at > 15);
        total += c.at;
    }
    print_message("%d crashes tried\n", total);
}

/* --- Transactions one after the other, and a compaction --- */

static void
run_script(void)
{
    struct store *s;

    expect_ok(store_open_with(&crashing_io, db_path, 0, &s));
    for (int i = 0; i < N_SCRIPT; i++) {
        assert_true(transact(s, script[i]));
        expect_ok(i == 4 ? store_compact(s, "compacted") : store_flush(s));
        report(i + 1);
    }
    expect_ok(store_close(s));
}

static char *states[N_SCRIPT + 1];

static void
check_state(const char *contents, int durable, const char *what)
{
    for (int i = durable; i <= N_SCRIPT; i++) {
        if (!strcmp(contents, states[i])) {
            return;
        }
    }
    fail_msg("%s: not what there was after %d transactions or more:\n%s", what, durable, contents);
}

static void
a_crash_at_each_call_loses_nothing_durable(void **state UNUSED)
{
    struct store *s;

    expect_ok(store_open(db_path, 0, &s));
    states[0] = contents_of(store_db(s));
    for (int i = 0; i < N_SCRIPT; i++) {
        assert_true(transact(s, script[i]));
        states[i + 1] = contents_of(store_db(s));
    }
    expect_ok(store_close(s));
    crash_everywhere(run_script, check_state);
    for (int i = 0; i <= N_SCRIPT; i++) {
        free(states[i]);
    }
}

/* --- The writer thread, and a compaction beside --- */

static void
run_threads(void)
{
    struct store *s = open_threaded(&crashing_io);
    struct store_wait waits[N_INSERTS];

    for (int i = 0; i < N_INSERTS; i++) {
        if (i == 4) {
            assert_true(store_compact_beside(s, NULL, NULL));
        }
        insert_and_wait(s, i, &waits[i], STORE_DURABLE);
        if (i % 3) {
            wait_for_all();
            report(i + 1);
        }
    }
    while (store_is_compacting(s)) {
        loop_run_once(loop, true);
    }
    close_threaded(s);
}

/* The rows n0 to n<i> are there, and no others, for an i that is durable. */
static void
check_prefix(const char *contents, int durable, const char *what)
{
    bool ended = false;

    for (int i = 0; i < N_INSERTS; i++) {
        char *name = xasprintf("\"name\":\"n%d\"", i);
        const bool is_there = strstr(contents, name) != NULL;

        if ((i < durable && !is_there) || (is_there && ended)) {
            fail_msg("%s: %d rows were durable:\n%s", what, durable, contents);
        }
        ended |= !is_there;
        free(name);
    }
}

static void
a_crash_amid_a_compaction_beside_loses_nothing_durable(void **state UNUSED)
{
    crash_everywhere(run_threads, check_prefix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_crash_at_each_call_loses_nothing_durable),
        TEST(a_crash_amid_a_compaction_beside_loses_nothing_durable),
    };

    return test_main(tests, ARRAY_SIZE(tests));
}
