/* An example of a client in C: a stock of items in an OVSDB database.
 *
 *   inventory REMOTE add NAME STOCK PRICE ROOM   a new item, on a new shelf in ROOM
 *   inventory REMOTE take NAME NUMBER            takes some out of the stock, however many others do so meanwhile
 *   inventory REMOTE note NAME KEY VALUE         sets one of an item's notes, without sending the others
 *   inventory REMOTE prices FROM TO              the items with a price in that range, cheapest first
 *   inventory REMOTE watch LESS_THAN N           prints the first N changes of items with a stock below LESS_THAN
 *
 * REMOTE is like "unix:/run/inventory.sock", or several of these with commas between.  inventory_idl.h, with the typed
 * functions, is made from inventory.ovsschema by weft-idl-generate; docs/clients.md explains the rest. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory_idl.h"

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "inventory: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    exit(1);
}

/* Runs the loop until the contents are here, for ten seconds at most. */
static void
wait_for_contents(struct idl *idl)
{
    const int64_t deadline = clock_now_ms() + 10000;

    while (!idl_is_filled(idl)) {
        if (!idl_block(idl, idl_seqno(idl), deadline)) {
            die("no contents", idl_state_text(idl));
        }
    }
}

/* Commits and destroys 'txn'.  Returns false if it has to be made again, with the contents as they are then. */
static bool
commit(struct idl *idl, struct idl_txn *txn)
{
    const unsigned seqno = idl_seqno(idl);
    const enum idl_status status = idl_txn_commit_block(txn);

    if (status == IDL_ERROR) {
        die("transaction failed", idl_txn_error(txn));
    }
    idl_txn_destroy(txn);
    if (status == IDL_TRY_AGAIN && idl_seqno(idl) == seqno) {
        /* Somebody else's change is on its way. */
        idl_block(idl, seqno, clock_now_ms() + 10000);
    }
    return status == IDL_SUCCESS || status == IDL_UNCHANGED;
}

static const struct inv_item *
find(struct idl *idl, const char *name)
{
    INV_ITEM_FOR_EACH (item, idl) {
        if (!strcmp(inv_item_name(item), name)) {
            return item;
        }
    }
    die("no such item", name);
    return NULL;
}

static void
add(struct idl *idl, char *argv[])
{
    struct idl_txn *txn;

    do {
        struct inv_item *item;
        struct inv_shelf *shelf;

        txn = idl_txn_create(idl);
        idl_txn_add_comment(txn, "inventory: add %s", argv[0]);
        item = inv_item_insert(txn);
        shelf = inv_shelf_insert(txn);
        inv_shelf_room_set(shelf, argv[3]);
        inv_item_name_set(item, argv[0]);
        inv_item_stock_set(item, atoi(argv[1]));
        inv_item_price_set(item, atof(argv[2]));
        idl_set_ref(&item->row, INV_ITEM_SHELF, &shelf->row);
    } while (!commit(idl, txn));
}

/* What is written depends on what was read: verified, so that of two at the same time one does it again. */
static void
take(struct idl *idl, char *argv[])
{
    const int64_t n = atoi(argv[1]);
    int64_t left;
    struct idl_txn *txn;

    do {
        const struct inv_item *item = find(idl, argv[0]);

        left = inv_item_stock(item) - n;
        if (left < 0) {
            die("not enough in stock", argv[0]);
        }
        txn = idl_txn_create(idl);
        idl_verify(&item->row, INV_ITEM_STOCK);
        inv_item_stock_set(item, left);
    } while (!commit(idl, txn));
    printf("%" PRId64 " left\n", left);
}

static void
note(struct idl *idl, char *argv[])
{
    struct idl_txn *txn;

    do {
        txn = idl_txn_create(idl);
        idl_put_key(&find(idl, argv[0])->row, INV_ITEM_NOTES, argv[1], argv[2]);
    } while (!commit(idl, txn));
}

static void
print_item(const char *what, const struct inv_item *item)
{
    const struct inv_shelf *shelf = inv_item_shelf(item);
    const char *origin = inv_item_notes(item, "origin");

    printf("%s%s: %" PRId64 " at %g, %s", what, inv_item_name(item), inv_item_stock(item), inv_item_price(item),
           shelf ? inv_shelf_room(shelf) : "nowhere");
    printf("%s%s\n", origin ? ", from " : "", origin ? origin : "");
}

static void
prices(struct idl *idl, char *argv[])
{
    const struct idl_order order = { .column = INV_ITEM_PRICE };
    const struct idl_index *index = idl_index_create(idl, INV_ITEM, &order, 1);
    const struct datum low = { .n = 1, .one.real = atof(argv[0]) }, high = { .n = 1, .one.real = atof(argv[1]) };
    const struct datum *from[] = { &low }, *to[] = { &high };
    struct idl_range range;

    for (const struct idl_row *r = idl_range_first(&range, index, from, 1, to, 1); r; r = idl_range_next(&range)) {
        print_item("", (const struct inv_item *) r);
    }
}

/* The server sends only what the condition lets through; a row that leaves it is seen as deleted. */
static void
watch(struct idl *idl, char *argv[])
{
    struct json *where;
    char *text = xasprintf("[[\"stock\",\"<\",%d]]", atoi(argv[0]));
    struct error *error = js_parse_string(text, &where);
    int left = atoi(argv[1]);

    if (error) {
        die("condition", error_take_text(error));
    }
    free(text);
    idl_set_condition_take(idl, INV_ITEM, where);
    while (!idl_conditions_hold(idl)) {
        idl_block(idl, idl_seqno(idl), CLOCK_NEVER);
    }
    idl_clear_changes(idl);
    puts("watching");
    fflush(stdout);
    while (left > 0) {
        idl_block(idl, idl_seqno(idl), CLOCK_NEVER);
        IDL_FOR_EACH_CHANGE (row, idl, INV_ITEM) {
            print_item(idl_is_deleted(row) ? "gone " : idl_is_inserted(row) ? "new " : "changed ",
                       (const struct inv_item *) row);
            left--;
        }
        idl_clear_changes(idl);
        fflush(stdout);
    }
}

int
main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int n_args;
        void (*run)(struct idl *, char *argv[]);
    } commands[] = { { "add", 4, add }, { "take", 2, take }, { "note", 3, note }, { "prices", 2, prices },
                     { "watch", 2, watch } };
    struct loop *loop = loop_create();
    struct schema *schema = inv_schema();
    struct idl *idl;

    for (size_t i = 0; argc > 2 && i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(argv[2], commands[i].name) && argc == 3 + commands[i].n_args) {
            idl = idl_create(loop, schema, argv[1], true); /* A broken connection is made again. */
            idl_add_table(idl, INV_ITEM, IDL_ALERT);
            idl_add_table(idl, INV_SHELF, IDL_QUIET);
            idl_set_leader_only(idl, true);
            idl_start(idl);
            wait_for_contents(idl);
            commands[i].run(idl, argv + 3);
            idl_destroy(idl);
            schema_unref(schema);
            loop_destroy(loop);
            return 0;
        }
    }
    fprintf(stderr, "usage: inventory REMOTE add|take|note|prices|watch ARGUMENTS (see inventory.c)\n");
    return 2;
}
