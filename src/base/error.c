#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* The text itself is the error: one allocation, and none to fail twice. */
struct error {
    char text[1];
};

static struct error *
error_take(char *text)
{
    return (struct error *) text;
}

struct error *
error_new(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    return error_take(text);
}

struct error *
error_from_errno(int error, const char *format, ...)
{
    va_list args;
    char *text;
    struct error *e;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    e = error_new("%s: %s", text, strerror(-error));
    free(text);
    return e;
}

struct error *
error_wrap(struct error *e, const char *format, ...)
{
    struct error *wrapped;
    va_list args;
    char *context;

    if (!e) {
        return NULL;
    }
    va_start(args, format);
    context = xvasprintf(format, args);
    va_end(args);
    wrapped = error_new("%s: %s", context, error_text(e));
    free(context);
    error_free(e);
    return wrapped;
}

const char *
error_text(const struct error *e)
{
    return e->text;
}

char *
error_take_text(struct error *e)
{
    return (char *) e;
}

void
error_free(struct error *e)
{
    free(e);
}
