/* Open_vSwitch:statistics: the system that the switch runs on (ovs-vswitchd.conf.db(5)).
 *
 * What cannot be found out is left out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/dirs.h"
#include "sys/numa.h"
#include "vswitchd/vswitchd.h"

static void
put_load(struct strmap *stats)
{
    double load[3];

    if (getloadavg(load, 3) == 3) {
        strmap_put_free(stats, "load_average", xasprintf("%.2f,%.2f,%.2f", load[0], load[1], load[2]));
    }
}

static unsigned long
meminfo(const char *text, const char *label)
{
    const char *at = strstr(text, label);

    return at ? strtoul(at + strlen(label), NULL, 10) : 0;
}

static void
put_memory(struct strmap *stats)
{
    char text[4096];
    FILE *f = fopen("/proc/meminfo", "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

    if (f) {
        fclose(f);
    }
    text[n] = '\0';
    if (n) {
        unsigned long total = meminfo(text, "MemTotal:"), swap = meminfo(text, "SwapTotal:");

        strmap_put_free(stats, "memory", xasprintf("%lu,%lu,%lu,%lu,%lu", total, total - meminfo(text, "MemFree:"),
                                       meminfo(text, "Buffers:") + meminfo(text, "\nCached:"), swap,
                                       swap - meminfo(text, "SwapFree:")));
    }
}

/* The process that holds the lock on a pid file; 0 if there is none. */
static pid_t
holder(const char *path)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;

    if (fd >= 0) {
        close(fd);
    }
    return ok ? lock.l_pid : 0;
}

struct process {
    unsigned long vsz_kb, rss_kb, cpu_ms, age_ms;
};

static bool
read_process(pid_t pid, struct process *p)
{
    const unsigned long tick = sysconf(_SC_CLK_TCK), page_kb = sysconf(_SC_PAGESIZE) / 1024;
    unsigned long user, system, vsize, rss;
    unsigned long long started;
    struct timespec now;
    char path[64], text[1024], *end;
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
    f = fopen(path, "re");
    n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) {
        fclose(f);
    }
    text[n] = '\0';
    end = strrchr(text, ')'); /* The name may have anything in it. */
    if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu %lu "
                                "%lu", &user, &system, &started, &vsize, &rss) != 5) {
        return false;
    }
    clock_gettime(CLOCK_BOOTTIME, &now);
    p->vsz_kb = vsize / 1024;
    p->rss_kb = rss * page_kb;
    p->cpu_ms = (user + system) * 1000 / tick;
    p->age_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000 - started * 1000 / tick;
    return true;
}

static void
put_process(struct strmap *stats, const char *name, pid_t pid)
{
    struct process p;
    char *key;

    if (!read_process(pid, &p)) {
        return;
    }
    key = xasprintf("process_%s", name);
    /* How often it crashed is not known; so it has run since it was started. */
    strmap_put_free(stats, key, xasprintf("%lu,%lu,%lu,0,%lu,%lu", p.vsz_kb, p.rss_kb, p.cpu_ms, p.age_ms, p.age_ms));
    free(key);
}

static void
put_processes(struct strmap *stats)
{
    DIR *dir = opendir(dirs_run());
    const struct dirent *e;

    while (dir && (e = readdir(dir)) != NULL) {
        size_t n = strlen(e->d_name);

        if (n > 4 && !strcmp(e->d_name + n - 4, ".pid")) {
            char *path = xasprintf("%s/%s", dirs_run(), e->d_name), *name = xasprintf("%.*s", (int) n - 4, e->d_name);
            /* A process does not see its own lock. */
            char *own = xasprintf("%s.pid", program_invocation_short_name);
            pid_t pid = strcmp(own, e->d_name) ? holder(path) : getpid();

            if (pid) {
                put_process(stats, name, pid);
            }
            free(own);
            free(name);
            free(path);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

/* Those on a device of this machine. */
static bool
is_local(const struct mntent *m)
{
    return m->mnt_fsname[0] == '/' && !hasmntopt(m, MNTOPT_RO);
}

static void
put_file_systems(struct strmap *stats)
{
    FILE *f = setmntent("/proc/self/mounts", "re");
    struct str s = STR_INIT;
    struct mntent *m;

    while (f && (m = getmntent(f)) != NULL) {
        struct statvfs vfs;

        if (is_local(m) && !statvfs(m->mnt_dir, &vfs) && vfs.f_blocks) {
            unsigned long long unit = vfs.f_frsize ? vfs.f_frsize : vfs.f_bsize;

            for (char *c = m->mnt_dir; *c; c++) {
                *c = *c == ' ' || *c == ',' ? '_' : *c;
            }
            str_putf(&s, "%s%s,%llu,%llu", s.len ? " " : "", m->mnt_dir, vfs.f_blocks * unit / 1024,
                     (vfs.f_blocks - vfs.f_bfree) * unit / 1024);
        }
    }
    if (f) {
        endmntent(f);
    }
    if (s.len) {
        strmap_put_free(stats, "file_systems", xstrdup(str_text(&s)));
    }
    str_uninit(&s);
}

void
sysstats_get(struct strmap *stats)
{
    strmap_put_free(stats, "cpu", xasprintf("%u", numa_n_online()));
    put_load(stats);
    put_memory(stats);
    put_processes(stats);
    put_file_systems(stats);
}
