#include "packet/pcap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { MAGIC_US = 0xa1b2c3d4, MAGIC_NS = 0xa1b23c4d, LINKTYPE_ETHERNET = 1, MAX_FRAME = 0x40000 };

struct file_header {
    uint32_t magic;
    uint16_t major, minor;
    int32_t zone;
    uint32_t sigfigs, snaplen, linktype;
};
struct record_header {
    uint32_t seconds, fraction, captured, length;
};

struct pcap_file {
    FILE *stream;
    bool swapped; /* Written on a machine of the other byte order. */
    bool is_ns;   /* Times are in nanoseconds. */
};

static int
read_header(struct pcap_file *f)
{
    struct file_header h;

    if (fread(&h, sizeof h, 1, f->stream) != 1) {
        return -EPROTO;
    }
    f->swapped = h.magic == __builtin_bswap32(MAGIC_US) || h.magic == __builtin_bswap32(MAGIC_NS);
    f->is_ns = h.magic == MAGIC_NS || h.magic == __builtin_bswap32(MAGIC_NS);
    return f->swapped || h.magic == MAGIC_US || h.magic == MAGIC_NS ? 0 : -EPROTO;
}

static int
write_header(struct pcap_file *f)
{
    const struct file_header h = { .magic = MAGIC_US, .major = 2, .minor = 4, .snaplen = MAX_FRAME,
                                   .linktype = LINKTYPE_ETHERNET };

    return fwrite(&h, sizeof h, 1, f->stream) == 1 && !fflush(f->stream) ? 0 : -EIO;
}

int
pcap_open(const char *path, const char *mode, struct pcap_file **fp)
{
    struct pcap_file *f = xzalloc(sizeof *f);
    struct stat s;
    int error = 0;

    *fp = NULL;
    f->stream = fopen(path, mode[0] == 'r' ? "rb" : mode[0] == 'w' ? "wb" : "ab");
    if (!f->stream) {
        error = -errno;
    } else if (mode[0] == 'r') {
        error = read_header(f);
    } else if (mode[0] == 'w' || (!fstat(fileno(f->stream), &s) && !s.st_size)) {
        error = write_header(f);
    }
    if (error) {
        pcap_close(f);
        return error;
    }
    *fp = f;
    return 0;
}

void
pcap_close(struct pcap_file *f)
{
    if (f) {
        if (f->stream) {
            fclose(f->stream);
        }
        free(f);
    }
}

int
pcap_write(struct pcap_file *f, const void *frame, size_t n)
{
    struct record_header r = { .captured = n, .length = n };
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    r.seconds = now.tv_sec;
    r.fraction = now.tv_nsec / 1000;
    return fwrite(&r, sizeof r, 1, f->stream) == 1 && fwrite(frame, 1, n, f->stream) == n && !fflush(f->stream)
           ? 0 : -EIO;
}

static uint32_t
host_order(const struct pcap_file *f, uint32_t x)
{
    return f->swapped ? __builtin_bswap32(x) : x;
}

int
pcap_read_at(struct pcap_file *f, struct bytes *frame, int64_t *when_us)
{
    struct record_header r;
    uint32_t n, fraction;

    size_t got;

    bytes_clear(frame);
    got = fread(&r, 1, sizeof r, f->stream);
    if (got != sizeof r) {
        return ferror(f->stream) ? -EIO : got ? -EPROTO : 0;
    }
    fraction = host_order(f, r.fraction);
    *when_us = host_order(f, r.seconds) * INT64_C(1000000) + (f->is_ns ? fraction / 1000 : fraction);
    n = host_order(f, r.captured);
    if (n > MAX_FRAME || fread(bytes_put_uninit(frame, n), 1, n, f->stream) != n) {
        return -EPROTO;
    }
    return 1;
}

int
pcap_read(struct pcap_file *f, struct bytes *frame)
{
    int64_t unused;

    return pcap_read_at(f, frame, &unused);
}
