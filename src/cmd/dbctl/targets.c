/* Controllers and managers: sets of rows with a target. */
#include <stdlib.h>
#include <string.h>

#include "cmd/dbctl/dbctl.h"
#include "sys/stream.h"

static int
compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

void
dbctl_put_sorted(struct dbctl_ctx *ctx, const char **strings, size_t n)
{
    qsort(strings, n, sizeof *strings, compare_strings);
    for (size_t i = 0; i < n; i++) {
        str_putf(&ctx->output, "%s\n", strings[i]);
    }
}

void
dbctl_put_targets(struct dbctl_ctx *ctx, const struct idl_row *row, const struct dbctl_targets *t)
{
    const size_t n = idl_count(row, t->column);
    const char **targets = xcalloc(n + 1, sizeof *targets);
    size_t n_found = 0;

    for (size_t i = 0; i < n; i++) {
        const struct idl_row *target = idl_get_ref(row, t->column, i, t->table, false);

        if (target) {
            targets[n_found++] = idl_get_string(target, t->target_column);
        }
    }
    dbctl_put_sorted(ctx, targets, n_found);
    free(targets);
}

void
dbctl_delete_targets(const struct idl_row *row, const struct dbctl_targets *t)
{
    for (size_t i = 0; i < idl_count(row, t->column); i++) {
        const struct idl_row *target = idl_get_ref(row, t->column, i, t->table, false);

        if (target) {
            idl_delete(target);
        }
    }
    idl_set_empty(row, t->column);
}

void
dbctl_set_targets(struct dbctl_ctx *ctx, const struct idl_row *row, const struct dbctl_targets *t, int first)
{
    const char *probe = dbctl_option(ctx, "--inactivity-probe");
    struct datum refs = { .n = 0 };

    dbctl_delete_targets(row, t);
    for (int i = first; i < ctx->argc; i++) {
        struct idl_row *target = idl_insert(ctx->ctl->txn, t->table, NULL);

        if (!ctx->ctl->need_more && !stream_target_is_active(ctx->argv[i])
            && !stream_target_is_passive(ctx->argv[i])) {
            log_write(ctx->ctl->class->log, LOG_LEVEL_WARN, "target type \"%s\" is possibly erroneous", ctx->argv[i]);
        }
        idl_set_string(target, t->target_column, ctx->argv[i]);
        if (probe) {
            idl_set_int(target, t->probe_column, atoll(probe));
        }
        datum_append_take(&refs, idl_type(row, t->column), (union atom) { .uuid = target->uuid }, NULL);
    }
    datum_sort_unique(&refs, idl_type(row, t->column));
    idl_set_take(row, t->column, &refs);
}
