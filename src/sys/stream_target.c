#include "sys/stream.h"

#include <string.h>

#include "sys/stream_private.h"

bool
stream_target_is_active(const char *target)
{
    return !strncmp(target, "unix:", 5) || !strncmp(target, "tcp:", 4) || !strncmp(target, "ssl:", 4);
}

bool
stream_target_is_passive(const char *target)
{
    return !strncmp(target, "punix:", 6) || !strncmp(target, "ptcp:", 5) || !strncmp(target, "pssl:", 5)
           || !strncmp(target, "pfd:", 4);
}

bool
stream_target_needs_probes(const char *target)
{
    return strncmp(target, "unix:", 5) && strncmp(target, "punix:", 6);
}

bool
stream_target_has_method(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz");

    return n && text[n] == ':';
}

static const char *
skip_separators(const char *p)
{
    return p + strspn(p, ", \t");
}

char *
stream_targets_take(const char **list)
{
    const char *start = skip_separators(*list), *end = strchr(start, ',');

    while (end && *skip_separators(end) && !stream_target_has_method(skip_separators(end))) {
        end = strchr(end + 1, ',');
    }
    end = end ? end : start + strlen(start);
    *list = *end ? end + 1 : end;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return end > start ? xstrndup(start, end - start) : NULL;
}
