#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "json/test_json.h"
#include "ovsdb/engine/convert.h"
#include "ovsdb/engine/exec.h"

static struct db *db;

static const char schema_text[] =
    "{'name':'T','tables':{"
    "'R':{'isRoot':true,'maxRows':3,'indexes':[['name'],['i','b']],'columns':{"
    "'name':{'type':'string'},'i':{'type':'integer'},'b':{'type':'boolean'},"
    "'imm':{'type':'string','mutable':false},"
    "'kids':{'type':{'key':{'type':'uuid','refTable':'C'},'min':0,'max':'unlimited'}},"
    "'w':{'type':{'key':{'type':'uuid','refTable':'C','refType':'weak'},'min':0,'max':'unlimited'}},"
    "'mw':{'type':{'key':'string','value':{'type':'uuid','refTable':'C','refType':'weak'},"
    "'min':0,'max':'unlimited'}}}},"
    "'C':{'columns':{'name':{'type':'string'},"
    "'next':{'type':{'key':{'type':'uuid','refTable':'C'},'min':0}},"
    "'need':{'type':{'key':{'type':'uuid','refTable':'R','refType':'weak'},'min':0,'max':1}}}},"
    "'N':{'columns':{'r':{'type':{'key':{'type':'uuid','refTable':'R','refType':'weak'}}}},'isRoot':true}}}";

static int
setup(void **state UNUSED)
{
    struct json *json = J(schema_text);
    struct schema *schema;

    assert_null(schema_from_json(&schema, json));
    js_unref(json);
    db = db_create(schema);
    schema_unref(schema);
    return 0;
}

static int
teardown(void **state UNUSED)
{
    db_destroy(db);
    return 0;
}

/* Replaces each UUID in 'text' by uN, N counting from 0 in order of appearance. */
static char *
normalise(const char *text)
{
    struct uuid seen[32], uuid;
    struct str s = STR_INIT;
    size_t n = 0;

    while (*text) {
        if (uuid_parse_prefix(&uuid, text)) {
            size_t i = 0;

            while (i < n && !uuid_equal(&seen[i], &uuid)) {
                i++;
            }
            seen[i] = uuid;
            n = MAX(n, i + 1);
            str_putf(&s, "u%zu", i);
            text += UUID_LEN;
        } else {
            str_putc(&s, *text == '"' ? '\'' : *text);
            text++;
        }
    }
    return str_steal(&s);
}

/* The running counts are what a walk over all rows gives. */
static void
check_counts(void)
{
    for (size_t i = 0; i < db->schema->n_tables; i++) {
        uint64_t n_rows = 0, n_atoms = 0;

        TABLE_FOR_EACH_ROW (row, &db->tables[i]) {
            n_rows++;
            for (size_t j = 0; j < db->schema->tables[i].n_columns; j++) {
                n_atoms += row->tuple->fields[j].n * (type_is_map(&db->schema->tables[i].columns[j].type) ? 2 : 1);
            }
        }
        assert_int_equal(db->tables[i].n_rows, n_rows);
        assert_int_equal(db->tables[i].n_atoms, n_atoms);
    }
}

/* Runs operations and compares the reply. */
static void
transact(const char *ops, const char *expected)
{
    static const struct exec_session session = { .format = JS_SORTED };
    struct json *json = J(ops);
    struct exec_outcome outcome;
    char *got;

    exec_transact(db, json, 0, &session, 0, &outcome);
    got = normalise(outcome.reply.len ? str_text(&outcome.reply) : "wait");
    assert_string_equal(got, expected);
    check_counts();
    free(got);
    js_unref(json);
    exec_outcome_uninit(&outcome);
}

#define UUID_OK "{'uuid':['uuid','u0']}"

/* Runs parameters that are text; null if that cannot be, and otherwise the reply, to be released with free(). */
static char *
transact_text(const char *quoted)
{
    static const struct exec_session session = { .format = JS_SORTED };
    char *params = json_unquote(quoted), *got = NULL;
    struct exec_outcome outcome;

    if (exec_transact_text(db, params, strlen(params), &session, &outcome)) {
        got = normalise(str_text(&outcome.reply));
    } else {
        assert_int_equal(outcome.reply.len, 0);
        assert_null(outcome.changes);
    }
    exec_outcome_uninit(&outcome);
    check_counts();
    free(params);
    return got;
}

static void
operations_may_be_run_from_their_text(void **state UNUSED)
{
    static const struct { const char *params, *expected; } cases[] = {
        { " [ 'T' , {'op':'insert','table':'R','row':{'name':'a','i':1}} , {'op':'comment','comment':'x'} ] ",
          "[" UUID_OK ",{}]" },
        { "['T',{'op':'insert','table':'C','uuid-name':'c','row':{}},{'op':'insert','table':'R','row':{'name':'b',"
          "'i':2,'kids':['named-uuid','c']}},{'op':'select','table':'R','where':[['i','==',1]],'columns':['name']}]",
          "[{'uuid':['uuid','u0']},{'uuid':['uuid','u1']},{'rows':[{'name':'a'}]}]" },
        /* What fails at the end is the answer, since everything has been run ... */
        { "['T',{'op':'insert','table':'N','row':{}}]",
          "[{'uuid':['uuid','u0']},{'details':'Weak reference column \\'r\\' in \\'N\\' row u0 (inserted within this "
          "transaction) contained all-zeros UUID (probably as the default value for this column) but deleting this "
          "value caused a constraint volation because this column is not allowed to be empty.','error':'constraint "
          "violation'}]" },
        /* ... and otherwise nothing has happened. */
        { "['T',{'op':'insert','table':'R','row':{'name':'c','i':3}},{'op':'abort'}]", NULL },
        { "['T',{'op':'insert','table':'R','row':{'name':'c','i':3}},{'op':'insert','table':'X','row':{}}]", NULL },
        { "['T',{'op':'insert','table':'R','row':{'name':'c','i':3}},{'op':'wait','table':'R','where':[],'columns':"
          "['i'],'until':'==','rows':[]}]", NULL },
        { "['T',{'op':'insert','table':'R','row':{'name':'c','i':3}},]", NULL },
        { "['T',{'op':'insert','table':'R','row':{'name':'c','i':3}},{'op':'comment','comment':x}]", NULL },
        { "['T',{'op':'insert','table':'R','row':{'name':'c','i':3}}", NULL },
        { "['T',{'op':'insert','table':'R','row':{'name':'c','i':3}}],'x':[1]", NULL },
        { "['T']", NULL },
        { "[]", NULL },
        { "{}", NULL },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *got = transact_text(cases[i].params);

        assert_true(!got == !cases[i].expected);
        if (got) {
            assert_string_equal(got, cases[i].expected);
        }
        free(got);
    }
    transact("[{'op':'select','table':'R','where':[],'columns':['i']}]", "[{'rows':[{'i':1},{'i':2}]}]");
}

static void
rows_are_inserted_changed_and_deleted(void **state UNUSED)
{
    transact("[{'op':'insert','table':'R','row':{'name':'a','i':1}}]", "[" UUID_OK "]");
    transact("[{'op':'update','table':'R','where':[['name','==','a']],'row':{'i':2}},"
             "{'op':'mutate','table':'R','where':[['i','==',2]],'mutations':[['i','*=',3]]},"
             "{'op':'select','table':'R','where':[],'columns':['name','i']}]",
             "[{'count':1},{'count':1},{'rows':[{'i':6,'name':'a'}]}]");
    transact("[{'op':'delete','table':'R','where':[['i','>',5]]},{'op':'select','table':'R','where':[]}]",
             "[{'count':1},{'rows':[]}]");
    assert_int_equal(db_n_rows(db), 0);
}

static void
select_gives_each_different_row_once(void **state UNUSED)
{
    transact("[{'op':'insert','table':'R','row':{'name':'a','i':1}},"
             "{'op':'insert','table':'R','row':{'name':'b','i':2}}]",
             "[{'uuid':['uuid','u0']},{'uuid':['uuid','u1']}]");
    transact("[{'op':'select','table':'R','where':[],'columns':['b']},"
             "{'op':'select','table':'R','where':[],'columns':['name']},"
             "{'op':'select','table':'R','where':[],'columns':[]}]",
             "[{'rows':[{'b':false}]},{'rows':[{'name':'a'},{'name':'b'}]},{'rows':[{}]}]");
}

static void
an_error_leaves_everything_as_it_was(void **state UNUSED)
{
    transact("[{'op':'insert','table':'R','row':{'name':'a','i':1}}]", "[" UUID_OK "]");
    transact("[{'op':'update','table':'R','where':[],'row':{'name':'b'}},{'op':'delete','table':'R','where':[]},"
             "{'op':'insert','table':'R','row':{'name':'c'}},{'op':'abort'},{'op':'comment','comment':'x'}]",
             "[{'count':1},{'count':1},{'uuid':['uuid','u0']},"
             "{'details':'aborted by request','error':'aborted'},null]");
    transact("[{'op':'select','table':'R','where':[['name','==','a']],'columns':['i']},"
             "{'op':'select','table':'R','where':[['name','==','b']]}]",
             "[{'rows':[{'i':1}]},{'rows':[]}]");
}

static void
rows_without_references_are_collected(void **state UNUSED)
{
    transact("[{'op':'insert','table':'C','row':{'name':'lost'}}]", "[" UUID_OK "]");
    assert_int_equal(db_n_rows(db), 0);
    transact("[{'op':'insert','table':'C','uuid-name':'c2','row':{'name':'2'}},"
             "{'op':'insert','table':'C','uuid-name':'c1','row':{'name':'1','next':['named-uuid','c2']}},"
             "{'op':'insert','table':'R','row':{'name':'a','kids':['named-uuid','c1'],'w':['named-uuid','c2'],"
             "'mw':['map',[['x',['named-uuid','c2']],['y',['named-uuid','c1']]]]}}]",
             "[{'uuid':['uuid','u0']},{'uuid':['uuid','u1']},{'uuid':['uuid','u2']}]");
    assert_int_equal(db_n_rows(db), 3);
    transact("[{'op':'delete','table':'C','where':[['name','==','2']]}]",
             "[{'count':1},{'details':'cannot delete C row u0 because of 1 remaining reference(s)',"
             "'error':'referential integrity violation'}]");
    transact("[{'op':'update','table':'R','where':[],'row':{'kids':['set',[]]}}]", "[{'count':1}]");
    assert_int_equal(db_n_rows(db), 1);
    transact("[{'op':'select','table':'R','where':[],'columns':['w','mw']}]",
             "[{'rows':[{'mw':['map',[]],'w':['set',[]]}]}]");
}

static void
references_must_lead_somewhere(void **state UNUSED)
{
    transact("[{'op':'insert','table':'R','row':{'kids':['named-uuid','x']}}]",
             "[{'uuid':['uuid','u0']},{'details':'Table R column kids row u0 references nonexistent row u1 in table "
             "C.','error':'referential integrity violation'}]");
    transact(
        "[{'op':'insert','table':'R','row':{'name':'a','w':['named-uuid','x']}},"
        "{'op':'insert','table':'N','row':{}}]",
        "[{'uuid':['uuid','u0']},{'uuid':['uuid','u1']},{'details':'Weak reference column \\'r\\' in \\'N\\' row u1 "
        "(inserted within this transaction) contained all-zeros UUID (probably as the default value for this "
        "column) but deleting this value caused a constraint volation because this column is not allowed to be "
        "empty.','error':'constraint violation'}]");
}

static void
indexes_are_unique_at_commit(void **state UNUSED)
{
    transact("[{'op':'insert','table':'R','row':{'name':'a','i':1}},{'op':'insert','table':'R','row':{'name':'b'}}]",
             "[{'uuid':['uuid','u0']},{'uuid':['uuid','u1']}]");
    transact("[{'op':'update','table':'R','where':[['name','==','a']],'row':{'name':'c'}},"
             "{'op':'update','table':'R','where':[['name','==','b']],'row':{'name':'a'}},"
             "{'op':'select','table':'R','where':[['name','==','a']],'columns':['i']}]",
             "[{'count':1},{'count':1},{'rows':[{'i':0}]}]");
    transact("[{'op':'update','table':'R','where':[['name','==','c']],'row':{'name':'a'}}]",
             "[{'count':1},{'details':'Transaction causes multiple rows in \\'R\\' table to have identical values (a) "
             "for index on column \\'name\\'.  First row, with UUID u0, had the following index values before the "
             "transaction: c.  Second row, with UUID u1, existed in the database before this transaction and was not "
             "modified by the transaction.','error':'constraint violation'}]");
}

static void
tables_have_a_maximum(void **state UNUSED)
{
    transact(
        "[{'op':'insert','table':'R','row':{'name':'1','i':1}},{'op':'insert','table':'R','row':{'name':'2','i':2}},"
        "{'op':'insert','table':'R','row':{'name':'3','i':3}},{'op':'insert','table':'R','row':{'name':'4'}},"
        "{'op':'delete','table':'R','where':[['name','==','1']]}]",
        "[{'uuid':['uuid','u0']},{'uuid':['uuid','u1']},{'uuid':['uuid','u2']},{'uuid':['uuid','u3']},"
        "{'count':1}]");
    transact("[{'op':'insert','table':'R','row':{'i':9}}]",
             "[{'uuid':['uuid','u0']},{'details':'transaction causes \\'R\\' table to contain 4 rows, greater than the "
             "schema-defined limit of 3 row(s)','error':'constraint violation'}]");
}

static void
wait_waits_or_times_out(void **state UNUSED)
{
    transact("[{'op':'wait','table':'R','where':[],'columns':['name'],'until':'==','rows':[{'name':'a'}]}]", "wait");
    transact("[{'op':'wait','table':'R','where':[],'columns':['name'],'until':'==','rows':[{'name':'a'}],"
             "'timeout':0}]", "[{'details':'\\'where\\' clause test failed','error':'timed out'}]");
    transact("[{'op':'wait','table':'R','where':[],'columns':['name'],'until':'!=','rows':[{'name':'a'}]}]", "[{}]");
}

/* Counts what commits did. */
static unsigned n_inserted, n_modified, n_deleted;

static void
count_changes(struct db_listener *l UNUSED, struct change_set *set)
{
    LIST_FOR_EACH (c, struct change, node, &set->changes) {
        n_inserted += !c->old;
        n_deleted += !c->new;
        n_modified += c->old && c->new;
    }
}

static void
listeners_see_what_changed_and_nothing_else(void **state UNUSED)
{
    struct db_listener l;

    db_add_listener(db, &l, count_changes);
    n_inserted = n_modified = n_deleted = 0;
    transact("[{'op':'insert','table':'R','row':{'name':'a'}},{'op':'insert','table':'C','row':{}}]",
             "[{'uuid':['uuid','u0']},{'uuid':['uuid','u1']}]");
    transact("[{'op':'update','table':'R','where':[],'row':{'i':5}},"
             "{'op':'update','table':'R','where':[],'row':{'i':0}}]", "[{'count':1},{'count':1}]");
    transact("[{'op':'insert','table':'N','row':{'r':['named-uuid','q']}},"
             "{'op':'delete','table':'N','where':[]}]", "[{'uuid':['uuid','u0']},{'count':1}]");
    assert_int_equal(n_inserted, 1);
    assert_int_equal(n_modified, 0);
    assert_int_equal(n_deleted, 0);
    transact("[{'op':'update','table':'R','where':[],'row':{'i':7}}]", "[{'count':1}]");
    transact("[{'op':'delete','table':'R','where':[]}]", "[{'count':1}]");
    assert_int_equal(n_modified, 1);
    assert_int_equal(n_deleted, 1);
    db_remove_listener(&l);
}

static struct change_set *kept[16];
static size_t n_kept;

static void
keep_changes(struct db_listener *l UNUSED, struct change_set *set)
{
    if (!set->is_undo) {
        kept[n_kept++] = change_set_ref(set);
    }
}

static void
commits_can_be_undone(void **state UNUSED)
{
    struct db_listener l;

    transact("[{'op':'insert','table':'C','uuid-name':'c','row':{'name':'c'}},"
             "{'op':'insert','table':'R','row':{'name':'a','kids':['named-uuid','c'],'w':['named-uuid','c']}}]",
             "[{'uuid':['uuid','u0']},{'uuid':['uuid','u1']}]");
    n_kept = 0;
    db_add_listener(db, &l, keep_changes);
    transact("[{'op':'update','table':'R','where':[],'row':{'i':5,'name':'b'}}]", "[{'count':1}]");
    transact("[{'op':'update','table':'R','where':[],'row':{'kids':['set',[]]}}]", "[{'count':1}]");
    transact("[{'op':'delete','table':'R','where':[]},{'op':'insert','table':'R','row':{'name':'z'}}]",
             "[{'count':1},{'uuid':['uuid','u0']}]");
    assert_int_equal(n_kept, 3);
    db_undo(db, kept, n_kept);
    check_counts();
    transact("[{'op':'select','table':'R','where':[],'columns':['_uuid','i','name','kids','w']},"
             "{'op':'select','table':'C','where':[],'columns':['_uuid','name']}]",
             "[{'rows':[{'_uuid':['uuid','u0'],'i':0,'kids':['uuid','u1'],'name':'a','w':['uuid','u1']}]},"
             "{'rows':[{'_uuid':['uuid','u1'],'name':'c'}]}]");
    for (size_t i = 0; i < n_kept; i++) {
        change_set_unref(kept[i]);
    }
    db_remove_listener(&l);
}

static void
data_move_to_another_schema(void **state UNUSED)
{
    struct json *json = J("{'name':'T','tables':{'R':{'isRoot':true,'columns':{'name':{'type':{'key':'string',"
                          "'min':0,'max':2}},'extra':{'type':'integer'}}}}}");
    struct db *old = db, *new;
    struct schema *schema;

    assert_null(schema_from_json(&schema, json));
    js_unref(json);
    transact("[{'op':'insert','table':'R','row':{'name':'a','i':1}}]", "[" UUID_OK "]");
    assert_null(db_convert(db, schema, &new));
    schema_unref(schema);
    db = new;
    transact("[{'op':'select','table':'R','where':[],'columns':['name','extra']}]",
             "[{'rows':[{'extra':0,'name':'a'}]}]");
    db_destroy(new);
    db = old;
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(operations_may_be_run_from_their_text),
        TEST(rows_are_inserted_changed_and_deleted),
        TEST(select_gives_each_different_row_once),
        TEST(an_error_leaves_everything_as_it_was),
        TEST(rows_without_references_are_collected),
        TEST(references_must_lead_somewhere),
        TEST(indexes_are_unique_at_commit),
        TEST(tables_have_a_maximum),
        TEST(wait_waits_or_times_out),
        TEST(listeners_see_what_changed_and_nothing_else),
        TEST(commits_can_be_undone),
        TEST(data_move_to_another_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
