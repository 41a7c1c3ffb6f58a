#include "sys/numa.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/util.h"
#include "sys/log.h"

LOG_MODULE(ovs_numa)

#define NODES "/sys/devices/system/node"

static struct numa_core *cores;
static size_t n_cores, capacity;
static bool is_made_up, is_known;

static void
add(unsigned int id, unsigned int node)
{
    if (n_cores >= capacity) {
        cores = x2nrealloc(cores, &capacity, sizeof *cores);
    }
    cores[n_cores++] = (struct numa_core) { id, node };
}

/* Calls 'cb' for each "PREFIXnumber" of the directory. */
static void
each_numbered(const char *path, const char *prefix, void (*cb)(unsigned int number, unsigned int aux),
              unsigned int aux)
{
    DIR *dir = opendir(path);
    const struct dirent *e;
    uint32_t number;

    while (dir && (e = readdir(dir)) != NULL) {
        if (!strncmp(e->d_name, prefix, strlen(prefix)) && num_parse_u32(e->d_name + strlen(prefix), 10, &number)) {
            cb(number, aux);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static void
add_node(unsigned int node, unsigned int unused UNUSED)
{
    char path[64];

    snprintf(path, sizeof path, NODES "/node%u", node);
    each_numbered(path, "cpu", add, node);
}

static void
add_usable(void)
{
    cpu_set_t set;

    for (int i = 0; !sched_getaffinity(0, sizeof set, &set) && i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set)) {
            add(i, 0);
        }
    }
}

static int
compare(const void *a_, const void *b_)
{
    const struct numa_core *a = a_, *b = b_;

    return a->id < b->id ? -1 : a->id > b->id;
}

const struct numa_core *
numa_cores(size_t *n)
{
    if (!is_known) {
        is_known = true;
        each_numbered(NODES, "node", add_node, 0);
        if (!n_cores) {
            add_usable();
        }
        if (n_cores) {
            qsort(cores, n_cores, sizeof *cores, compare);
        }
    }
    *n = n_cores;
    return cores;
}

bool
numa_make_up(const char *nodes)
{
    char *copy = xstrdup(nodes), *rest = copy;
    const char *word;
    bool ok = true;

    is_known = is_made_up = true;
    while (ok && (word = strsep(&rest, ",")) != NULL) {
        uint16_t node;

        ok = num_parse_u16(word, 10, &node);
        if (ok) {
            add(n_cores, node);
        }
    }
    free(copy);
    return ok;
}

bool
numa_is_made_up(void)
{
    return is_made_up;
}

unsigned int
numa_n_online(void)
{
    return MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

static unsigned int
count_of_node(unsigned int node)
{
    unsigned int n = 0;

    for (size_t i = 0; i < n_cores; i++) {
        n += cores[i].node == node;
    }
    return n;
}

void
numa_log(void)
{
    unsigned int n_nodes = 0, last = 0;
    size_t unused;

    (void) numa_cores(&unused);
    for (size_t i = 0; i < n_cores; i++) {
        last = MAX(last, cores[i].node);
    }
    for (unsigned int node = 0; n_cores && node <= last; node++) {
        unsigned int n = count_of_node(node);

        if (n) {
            n_nodes++;
            log_info("Discovered %u CPU cores on NUMA node %u", n, node);
        }
    }
    log_info("Discovered %u NUMA nodes and %zu CPU cores", n_nodes, n_cores);
}
