/* How many cores there are, and where: said once in the log, as people's scripts know it.
 *
 * From /sys/devices/system/node; without it nothing is said. */
#include <dirent.h>
#include <string.h>

#include "base/num.h"
#include "sys/log.h"
#include "vswitchd/vswitchd.h"

LOG_MODULE(ovs_numa)

#define NODES "/sys/devices/system/node"

/* The number in "PREFIXnumber"; false for other names. */
static bool
numbered(const char *name, const char *prefix, uint32_t *n)
{
    return !strncmp(name, prefix, strlen(prefix)) && num_parse_u32(name + strlen(prefix), 10, n);
}

static unsigned int
count(const char *path, const char *prefix)
{
    DIR *dir = opendir(path);
    const struct dirent *e;
    unsigned int n = 0;
    uint32_t number;

    while (dir && (e = readdir(dir)) != NULL) {
        n += numbered(e->d_name, prefix, &number);
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

void
numa_log(void)
{
    unsigned int n_nodes = count(NODES, "node"), n_cores = 0;

    for (unsigned int i = 0; i < n_nodes; i++) {
        char path[64];
        unsigned int n;

        snprintf(path, sizeof path, NODES "/node%u", i);
        n = count(path, "cpu");
        n_cores += n;
        log_info("Discovered %u CPU cores on NUMA node %u", n, i);
    }
    if (n_nodes) {
        log_info("Discovered %u NUMA nodes and %u CPU cores", n_nodes, n_cores);
    }
}
