/* Memory that a peer shares with us and takes back while we use it.
 *
 * What it is
 * ----------
 * Virtual machines (netdev/vhost.h) and programs at the other end of a memif (netdev/dpdk_peer.h) share memory by
 * handing over a file.  Nothing keeps them from making it shorter (ftruncate(2)) while we have it mapped: whoever then
 * reads or writes what was behind its new end gets SIGBUS, the end of the switch and so of all other ports.
 *
 * How it works
 * ------------
 * SIGBUS of an address in such a mapping puts memory of our own, of zeros, into the place of all that is left of the
 * mapping from there on, and the access is made again.  A ring or a buffer of zeros is as good as any other that a
 * hostile peer may have written.  The log says so, and the counter netdev_memory_lost; the port stays as it is until
 * its peer goes.
 *
 * /proc/self/maps says whether a mapping is such a one: of a file, shared, and to be written.  We have no others of
 * that kind but DPDK's memory, which is not replaced.  Any other SIGBUS does what it did before.
 *
 * Limits: where /proc cannot be read, and while DPDK has a handler of its own since it takes huge pages, it is the end.
 * Nobody has tried it with a memif (DPDK's own clients seal their file against it). */
#ifndef NETDEV_LOST_MEMORY_H
#define NETDEV_LOST_MEMORY_H 1

/* From here on; once is enough.  Main thread. */
void lost_memory_survive(void);

#endif
