/* The parts of help texts that all programs of this kind share. */
#include <stdlib.h>

#include "cmd/dbctl/dbctl.h"
#include "sys/dirs.h"

void
dbctl_usage_database_commands(void)
{
    puts("Database commands:\n"
         "  list TBL [REC]              list RECord (or all records) in TBL\n"
         "  find TBL CONDITION...       list records satisfying CONDITION in TBL\n"
         "  get TBL REC COL[:KEY]       print values of COLumns in RECord in TBL\n"
         "  set TBL REC COL[:KEY]=VALUE set COLumn values in RECord in TBL\n"
         "  add TBL REC COL [KEY=]VALUE add (KEY=)VALUE to COLumn in RECord in TBL\n"
         "  remove TBL REC COL [KEY=]VALUE  remove (KEY=)VALUE from COLumn\n"
         "  clear TBL REC COL           clear values from COLumn in RECord in TBL\n"
         "  create TBL COL[:KEY]=VALUE  create and initialize new record\n"
         "  destroy TBL REC             delete RECord from TBL\n"
         "  wait-until TBL REC [COL[:KEY]=VALUE]  wait until condition is true\n"
         "Potentially unsafe database commands require --force option.");
}

static void
print_name(const struct dbctl_name *n, const struct schema *schema)
{
    const struct table_schema *names = &schema->tables[n->name_table];

    if (n->kind == DBCTL_ONLY_ROW) {
        puts("    as \".\"");
    } else if (n->kind == DBCTL_BY_COLUMN) {
        printf("    by \"%s\"\n", names->columns[n->name_column].name);
    } else {
        printf("    via \"%s\" of %s with matching \"%s\"\n", names->columns[n->uuid_column].name, names->name,
               names->columns[n->name_column].name);
    }
}

void
dbctl_usage_names(const struct dbctl_class *class)
{
    struct schema *schema = class->schema();

    puts("Database commands may reference a row in each table in the following ways:");
    for (size_t i = 0; i < schema->n_tables; i++) {
        printf("  %s:\n    by UUID\n", schema->tables[i].name);
        for (size_t j = 0; j < class->n_names; j++) {
            if (class->names[j].table == i) {
                print_name(&class->names[j], schema);
            }
        }
    }
    schema_unref(schema);
}

void
dbctl_usage_options(const struct dbctl_class *class, const char *wait_help)
{
    char *db = dirs_db_remote();

    printf("\nOptions:\n"
           "  --db=DATABASE               connect to DATABASE\n"
           "                              (default: %s)\n"
           "%s"
           "%s"
           "  -t, --timeout=SECS          wait at most SECS seconds%s\n"
           "  --dry-run                   do not commit changes to database\n"
           "  --oneline                   print exactly one line of output per command\n"
           "\nOutput formatting options:\n"
           "  -f, --format=FORMAT         set output formatting to FORMAT\n"
           "                              (\"table\", \"html\", \"csv\", or \"json\")\n"
           "  -d, --data=FORMAT           set table cell output formatting to\n"
           "                              FORMAT (\"string\", \"bare\", or \"json\")\n"
           "  --no-headings               omit table heading row\n"
           "  --pretty                    pretty-print JSON in output\n"
           "  --bare                      equivalent to \"--format=list --data=bare --no-headings\"\n", db, wait_help,
           class->is_plain ? "" : "  --retry                     keep trying to connect to server forever\n",
           class->is_plain ? "" : " for ovs-vswitchd");
    free(db);
    cmdline_usage_log();
    printf("  --no-syslog             %sequivalent to --verbose=%s:syslog:warn\n", class->is_plain ? "    " : "",
           class->log->name);
    cmdline_usage_targets("database", true, true, CMDLINE_TLS | CMDLINE_TLS_BOOTSTRAP);
    puts("\nOther options:\n"
         "  -h, --help                  display this help message\n"
         "  -V, --version               display version information");
}
