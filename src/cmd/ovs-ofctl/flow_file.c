#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ovs-ofctl/ofctl.h"

char *
ofctl_read_file(const char *name, const char *no_open, size_t *len)
{
    FILE *f = strcmp(name, "-") ? fopen(name, "r") : stdin;
    size_t capacity = 65536, n = 0, got;
    char *text;

    if (!f) {
        cmdline_fatal(-errno, "%s: %s", name, no_open);
    }
    text = xmalloc(capacity);
    while ((got = fread(text + n, 1, capacity - n - 1, f)) > 0) {
        n += got;
        if (n + 1 == capacity) {
            capacity *= 2;
            text = xrealloc(text, capacity);
        }
    }
    if (ferror(f)) {
        cmdline_fatal(-errno, "%s: read failed", name);
    }
    if (f != stdin) {
        fclose(f);
    }
    text[n] = '\0';
    *len = n;
    return text;
}

char *
ofctl_next_line(struct line_iter *it)
{
    while (it->at < it->end) {
        char *line = it->at;
        char *nl = memchr(line, '\n', it->end - line);
        char *stop = nl ? nl : it->end;
        char *comment;

        *stop = '\0';
        it->at = stop + 1;
        it->number++;
        comment = strchr(line, '#');
        if (comment) {
            *comment = '\0';
        }
        line += strspn(line, " \t\r\v\f");
        if (*line) {
            return line;
        }
    }
    return NULL;
}
