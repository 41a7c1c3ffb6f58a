#include "sys/stream.h"

#include <string.h>

#include "sys/stream_private.h"

static const struct stream_method methods[] = {
    { "tcp:", STREAM_TCP, false, "HOST:PORT", "PORT at remote HOST" },
    { "ssl:", STREAM_TLS, false, "HOST:PORT", "SSL/TLS PORT at remote HOST" },
    { "unix:", STREAM_UNIX, false, "FILE", "Unix domain socket named FILE" },
    { "ptcp:", STREAM_TCP, true, "PORT[:IP]", "listen to TCP PORT on IP" },
    { "pssl:", STREAM_TLS, true, "PORT[:IP]", "listen for SSL/TLS on PORT on IP" },
    { "punix:", STREAM_UNIX, true, "FILE", "listen on Unix domain socket FILE" },
    { "pfd:", STREAM_FD, true, "FD", "listen on file descriptor FD" },
};

const struct stream_method *
stream_method_at(size_t i)
{
    return i < ARRAY_SIZE(methods) ? &methods[i] : NULL;
}

const struct stream_method *
stream_target_method(const char *target)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (!strncmp(target, methods[i].name, strlen(methods[i].name))) {
            return &methods[i];
        }
    }
    return NULL;
}

static void
put_methods(struct str *s, bool passive_too)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (passive_too || !methods[i].is_passive) {
            str_putf(s, "%s ", methods[i].name);
        }
    }
}

void
stream_put_active_methods(struct str *s)
{
    put_methods(s, false);
}

void
stream_put_methods(struct str *s)
{
    put_methods(s, true);
}

bool
stream_target_is_active(const char *target)
{
    const struct stream_method *m = stream_target_method(target);

    return m && !m->is_passive;
}

bool
stream_target_is_passive(const char *target)
{
    const struct stream_method *m = stream_target_method(target);

    return m && m->is_passive;
}

bool
stream_target_needs_probes(const char *target)
{
    const struct stream_method *m = stream_target_method(target);

    return !m || m->kind != STREAM_UNIX;
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
