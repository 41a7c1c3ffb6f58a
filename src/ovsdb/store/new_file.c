#include "ovsdb/store/new_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ovsdb/store/log.h"
#include "sys/sha1.h"

enum {
    MAX_DIGITS = 19, /* Of a record's length: an off_t has no more. */
    SLACK = 32,      /* More than the spaces that are needed. */
};

struct new_file {
    const struct store_io *io;
    int fd;
    char *schema;
    off_t body;          /* Where the record begins; 0: none has begun. */
    uint64_t len;        /* Of the record so far. */
    struct sha1 *sha1;   /* Of it; null once it is complete. */
    struct bytes header; /* What goes before it, then. */
    uint64_t size;       /* Of the whole, then. */
};

int
new_file_create(const struct store_io *io, const char *path, const char *schema, struct new_file **fp)
{
    int fd = io->open(path, O_RDWR | O_CREAT | O_TRUNC, 0660);
    struct new_file *f;

    *fp = NULL;
    if (fd < 0) {
        return fd;
    }
    *fp = f = xzalloc(sizeof *f);
    f->io = io;
    f->fd = fd;
    f->schema = xstrdup(schema);
    bytes_init(&f->header);
    return 0;
}

void
new_file_close(struct new_file *f)
{
    if (f) {
        close(f->fd);
        if (f->sha1) {
            sha1_finish(f->sha1, NULL);
        }
        bytes_uninit(&f->header);
        free(f->schema);
        free(f);
    }
}

/* The schema's record with 'n_spaces' at its end. */
static void
put_schema(struct new_file *f, struct bytes *out, size_t n_spaces)
{
    size_t n = strlen(f->schema);
    char *text = xmalloc(n + n_spaces + 1);

    memcpy(text, f->schema, n);
    memset(text + n, ' ', n_spaces);
    log_put_record(out, text, n + n_spaces);
    free(text);
}

static size_t
n_digits(uint64_t i)
{
    size_t n = 1;

    while (i >= 10) {
        i /= 10;
        n++;
    }
    return n;
}

/* With at least so many spaces, a few more make the record longer by just as many, not by a digit of its length too. */
static size_t
fewest_spaces(const struct new_file *f)
{
    size_t len = strlen(f->schema) + 1;

    return n_digits(len) == n_digits(len + SLACK) ? 0 : SLACK;
}

static void
begin_body(struct new_file *f)
{
    struct bytes b = BYTES_INIT;

    put_schema(f, &b, fewest_spaces(f));
    f->body = b.len + LOG_HEADER_LEN + MAX_DIGITS;
    f->sha1 = sha1_begin();
    bytes_uninit(&b);
}

static void
make_header(struct new_file *f)
{
    char hex[SHA1_HEX_LEN + 1];

    sha1_finish(f->sha1, hex);
    f->sha1 = NULL;
    put_schema(f, &f->header, fewest_spaces(f) + MAX_DIGITS - n_digits(f->len));
    log_put_header(&f->header, f->len, hex);
    f->size = f->body + f->len;
}

static int
write_body(struct new_file *f, const char *text, size_t len)
{
    int error = store_io_write_all(f->io, f->fd, text, len, f->body + f->len);

    sha1_add(f->sha1, text, len);
    f->len += len;
    return error;
}

int
new_file_put(struct new_file *f, const char *text, size_t len, bool last)
{
    int error;

    if (last && !f->body) {
        put_schema(f, &f->header, 0);
        log_put_record(&f->header, text, len);
        f->size = f->header.len;
        return 0;
    }
    if (!f->body) {
        begin_body(f);
    }
    error = write_body(f, text, len);
    if (!error && last) {
        error = write_body(f, "\n", 1);
        make_header(f);
    }
    return error;
}

int
new_file_finish(struct new_file *f, uint64_t *size)
{
    int error;

    if (!f->header.len) {
        put_schema(f, &f->header, 0);
        f->size = f->header.len;
    }
    *size = f->size;
    error = store_io_write_all(f->io, f->fd, f->header.data, f->header.len, 0);
    return error ? error : f->io->fsync(f->fd);
}

int
new_file_append(struct new_file *f, const void *p, size_t n)
{
    int error = store_io_write_all(f->io, f->fd, p, n, f->size);

    f->size += n;
    return error ? error : f->io->fsync(f->fd);
}
