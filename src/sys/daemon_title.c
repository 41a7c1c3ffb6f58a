#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "sys/daemon_private.h"
#include "sys/log.h"

/* What ps(1) shows of a process is the memory of its arguments. */
static char *area, *original; /* Null: not known, so that there is nothing to write to. */
static size_t area_size;

void
daemon_title_init(int argc, char *argv[])
{
    int n = 1;

    while (n < argc && argv[n] == argv[n - 1] + strlen(argv[n - 1]) + 1) {
        n++; /* They lie one behind the other, if nobody has moved them. */
    }
    area = argv[0];
    area_size = argv[n - 1] + strlen(argv[n - 1]) + 1 - area;
    original = xmemdup(area, area_size);
}

void
daemon_title_set(const char *format, ...)
{
    struct str s = STR_INIT;
    va_list args;

    if (area) {
        str_putf(&s, "%s: ", log_program());
        va_start(args, format);
        str_putv(&s, format, args);
        va_end(args);
        memset(area, 0, area_size);
        memcpy(area, str_text(&s), MIN(s.len, area_size - 1));
        str_uninit(&s);
    }
}

void
daemon_title_restore(void)
{
    if (area) {
        memcpy(area, original, area_size);
    }
}
