#include "ovsdb/store/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/heap.h"
#include "sys/sha1.h"

#define HEADER_MAX 128 /* Bytes of a header line, more than enough. */
#define CHUNK 65536

struct log_reader {
    const struct store_io *io;
    char *path;
    int fd;
    const char *magic;
    struct bytes buffer; /* Read but not used. */
    size_t used;         /* Bytes at the start of 'buffer' that were used. */
    off_t offset;        /* In the file, of buffer[used]. */
    off_t good, size;
    off_t body_offset;
    size_t body_len;
};

static void
reader_drop_used(struct log_reader *r)
{
    bytes_pull(&r->buffer, r->used);
    r->used = 0;
}

static size_t
available(const struct log_reader *r)
{
    return r->buffer.len - r->used;
}

/* Reads until 'n' bytes are available or the file ends. */
static struct dberr *
fill(struct log_reader *r, size_t n)
{
    if (available(r) < n) {
        reader_drop_used(r);
    }
    while (available(r) < n) {
        size_t want = MAX(n - available(r), CHUNK);
        ssize_t got;
        void *p;

        /* With room for the null byte of log_reader_next(): what has been advised about cannot grow without a copy. */
        bytes_reserve(&r->buffer, want + 1);
        p = bytes_put_uninit(&r->buffer, want);
        heap_advise(p, want);
        got = r->io->read(r->fd, p, want);
        bytes_truncate(&r->buffer, r->buffer.len - want + MAX(got, 0));
        if (got < 0) {
            return dberr_io(-got, "%s: error reading %zu bytes starting at offset %jd", r->path, n,
                            (intmax_t) r->offset);
        } else if (!got) {
            break;
        }
    }
    return NULL;
}

static const char *
at(const struct log_reader *r)
{
    return (const char *) r->buffer.data + r->used;
}

static void
use(struct log_reader *r, size_t n)
{
    r->used += n;
    r->offset += n;
}

/* The length of the line at 'at' without its line feed; false if it has none within reach. */
static bool
line_length(const struct log_reader *r, size_t *len)
{
    size_t n = MIN(available(r), HEADER_MAX);
    const char *end = n ? memchr(at(r), '\n', n) : NULL;

    *len = end ? (size_t) (end - at(r)) : n;
    return end != NULL;
}

/* Takes a header line apart. */
static bool
parse_header(const char *magic, const char *line, size_t len, uint64_t *body_len, const char **sha1)
{
    char copy[HEADER_MAX + 1], *p = copy, *end;
    size_t magic_len = strlen(magic);

    memcpy(copy, line, len);
    copy[len] = '\0';
    if (strlen(copy) != len || strncmp(p, magic, magic_len) || p[magic_len] != ' ' || !isdigit(p[magic_len + 1])) {
        return false;
    }
    p += magic_len + 1;
    errno = 0;
    *body_len = strtoull(p, &end, 10);
    if (errno || end == p || *end != ' ' || strlen(end + 1) != SHA1_HEX_LEN
        || strspn(end + 1, "0123456789abcdef") != SHA1_HEX_LEN || !*body_len || *body_len > INT64_MAX) {
        return false;
    }
    *sha1 = line + (end + 1 - copy);
    return true;
}

char *
log_reader_place(const struct log_reader *r)
{
    return xasprintf("%s: %zu bytes starting at offset %jd", r->path, r->body_len, (intmax_t) r->body_offset);
}

static struct dberr *
check_hash(const struct log_reader *r, const char *expected)
{
    char actual[SHA1_HEX_LEN + 1];

    sha1_hex(at(r), r->body_len, actual);
    if (memcmp(actual, expected, SHA1_HEX_LEN)) {
        char *place = log_reader_place(r);
        struct dberr *e = dberr_syntax(NULL, "%s have SHA-1 hash %s but should have hash %.*s", place, actual,
                                       SHA1_HEX_LEN, expected);

        free(place);
        return e;
    }
    return NULL;
}

struct dberr *
log_reader_next(struct log_reader *r, char **body, size_t *len)
{
    char expected[SHA1_HEX_LEN];
    const char *sha1;
    uint64_t body_len;
    struct dberr *e = fill(r, HEADER_MAX);
    size_t line_len;

    *body = NULL;
    *len = 0;
    if (e || !available(r)) {
        return e;
    }
    if (!line_length(r, &line_len) || !parse_header(r->magic, at(r), line_len, &body_len, &sha1)) {
        return dberr_syntax(NULL, "%s: parse error at offset %jd in header line \"%.*s\"", r->path,
                            (intmax_t) r->offset, (int) strnlen(at(r), line_len), at(r));
    }
    memcpy(expected, sha1, sizeof expected);
    use(r, line_len + 1);
    if (body_len > (uint64_t) (r->size - r->offset)) {
        return dberr_new(DBERR_IO, "%s: error reading %" PRIu64 " bytes starting at offset %jd (End of file)",
                         r->path, body_len, (intmax_t) r->offset);
    }
    r->body_offset = r->offset;
    r->body_len = body_len;
    e = fill(r, body_len);
    if (!e && available(r) < body_len) {
        e = dberr_new(DBERR_IO, "%s: error reading %" PRIu64 " bytes starting at offset %jd (End of file)",
                      r->path, body_len, (intmax_t) r->offset);
    }
    e = e ? e : check_hash(r, expected);
    if (!e) {
        if (r->buffer.len == r->used + body_len) { /* fill() has left room. */
            r->buffer.data[r->buffer.len] = '\0';
        }
        *body = (char *) r->buffer.data + r->used;
        *len = body_len;
        use(r, body_len);
        r->good = r->offset;
    }
    return e;
}

/* Tells the kind of database from the first line. */
static struct dberr *
identify(struct log_reader *r, enum log_kind *kind)
{
    struct dberr *e = fill(r, HEADER_MAX);
    struct { const char *magic; enum log_kind kind; } kinds[] = {
        { "OVSDB JSON", LOG_STANDALONE }, { "OVSDB CLUSTER", LOG_CLUSTERED },
    };

    if (e) {
        return e;
    }
    if (!available(r)) {
        return dberr_new("ovsdb error", "%s: cannot identify file type", r->path);
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        size_t n = strlen(kinds[i].magic);

        if (available(r) > n && !memcmp(at(r), kinds[i].magic, n) && at(r)[n] == ' ') {
            r->magic = kinds[i].magic;
            *kind = kinds[i].kind;
            return NULL;
        }
    }
    return dberr_new("ovsdb error", "%s: unexpected file format", r->path);
}

struct dberr *
log_reader_open(const struct store_io *io, const char *path, bool writable, struct log_reader **rp,
                enum log_kind *kind)
{
    struct log_reader *r;
    struct dberr *e = NULL;
    struct stat s;
    int fd;

    *rp = NULL;
    fd = io->open(path, writable ? O_RDWR : O_RDONLY, 0);
    if (fd < 0) {
        return dberr_io(-fd, "%s: open failed", path);
    }
    r = xzalloc(sizeof *r);
    r->io = io;
    r->path = xstrdup(path);
    r->fd = fd;
    bytes_init(&r->buffer);
    if (fstat(fd, &s)) {
        e = dberr_io(errno, "%s: fstat failed", path);
    } else if (S_ISDIR(s.st_mode)) {
        e = dberr_io(EISDIR, "%s: read error", path);
    } else if (!S_ISREG(s.st_mode)) {
        e = dberr_io(EINVAL, "%s: not a regular file", path);
    }
    r->size = s.st_size;
    e = e ? e : identify(r, kind);
    if (e) {
        log_reader_close(r);
    } else {
        *rp = r;
    }
    return e;
}

off_t
log_reader_good(const struct log_reader *r)
{
    return r->good;
}

off_t
log_reader_size(const struct log_reader *r)
{
    return r->size;
}

off_t
log_reader_body_offset(const struct log_reader *r)
{
    return r->body_offset;
}

int
log_reader_take_fd(struct log_reader *r)
{
    int fd = r->fd;

    r->fd = -1;
    return fd;
}

void
log_reader_close(struct log_reader *r)
{
    if (r) {
        if (r->fd >= 0) {
            close(r->fd);
        }
        bytes_uninit(&r->buffer);
        free(r->path);
        free(r);
    }
}

void
log_put_record(struct bytes *out, const char *body, size_t len)
{
    char header[HEADER_MAX], hex[SHA1_HEX_LEN + 1];
    size_t start = out->len, n;

    /* The hash covers the line feed too, so the body goes in first, behind room for the header. */
    n = snprintf(header, sizeof header, "OVSDB JSON %zu %0*d\n", len + 1, SHA1_HEX_LEN, 0);
    bytes_put(out, header, n);
    bytes_put(out, body, len);
    bytes_put_u8(out, '\n');
    sha1_hex((const char *) bytes_at(out, start + n), len + 1, hex);
    memcpy(bytes_at(out, start + n - 1 - SHA1_HEX_LEN), hex, SHA1_HEX_LEN);
}

void
log_begin_record(struct str *s)
{
    str_put_fill(s, ' ', HEADER_MAX);
}

struct bytes
log_end_record(struct str *s)
{
    static const char magic[] = "OVSDB JSON ";
    char hex[SHA1_HEX_LEN + 1], *at;
    size_t len, rest;

    str_putc(s, '\n');
    len = rest = s->len - HEADER_MAX;
    at = s->text + HEADER_MAX;
    sha1_hex(at, len, hex);
    /* Backwards, since the body's place is fixed. */
    *--at = '\n';
    at = memcpy(at - SHA1_HEX_LEN, hex, SHA1_HEX_LEN);
    *--at = ' ';
    do {
        *--at = '0' + rest % 10;
        rest /= 10;
    } while (rest);
    at = memcpy(at - strlen(magic), magic, strlen(magic));
    return (struct bytes) { .data = (uint8_t *) at, .len = s->text + s->len - at };
}

void
log_put_header(struct bytes *out, uint64_t len, const char *hex)
{
    char header[HEADER_MAX];

    bytes_put(out, header, snprintf(header, sizeof header, "OVSDB JSON %" PRIu64 " %s\n", len, hex));
}
