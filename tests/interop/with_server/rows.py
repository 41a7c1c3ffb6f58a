"""Rows as objects: order, text, what they hold before and after a transaction, from JSON; an index of two columns."""
from server import server, text, until

from ovs.db import custom_index
from ovs.db import idl as idl_

SCHEMA = {"name": "Db", "tables": {"T": {"isRoot": True, "columns": {
    "name": {"type": "string"}, "n": {"type": "integer"}, "s": {"type": {"key": "integer", "min": 0, "max": 5}},
    "m": {"type": {"key": "string", "value": "integer", "min": 0, "max": "unlimited"}},
    "o": {"type": {"key": "string", "min": 0, "max": 1}}}}}}
db = server(SCHEMA)
helper = idl_.SchemaHelper(schema_json=SCHEMA)
helper.register_table("T")
idl = idl_.Idl(db.remote, helper)
table = idl.tables["T"]
index = idl.index_create("T", "both")
index.add_columns("name")
index.add_column("n", custom_index.OVSDB_INDEX_DESC)
print(str(index).split(" ")[0])
until(idl, idl.has_ever_connected)


def call(what, function, *args):
    try:
        print(what, text(function(*args)))
    except Exception as e:
        print(what, "!!", type(e).__name__)


txn = idl_.Transaction(idl)
new = txn.insert(table)
new.name, new.n = "b", 0
call("what it does not have", getattr, new, "nothing")
call("a value that is none", setattr, new, "n", "x")
call("too many", setattr, new, "s", [1, 2, 3, 4, 5, 6])
for name, n in (("a", 1), ("a", 3), ("c", 2)):
    row = txn.insert(table)
    row.name, row.n, row.s, row.m, row.o = name, n, [n, n + 1], {"k": n}, [name]
print(txn.commit_block(), len(table.rows))
print([(r.name, r.n) for r in index])
ROWS = sorted(table.rows.values(), key=lambda r: r.uuid)
print([[a < b for b in ROWS] for a in ROWS] == [[a.uuid < b.uuid for b in ROWS] for a in ROWS], sorted(ROWS) == ROWS,
      [[a == b for b in ROWS] for a in ROWS], len(set(ROWS)))
for r in sorted(ROWS, key=lambda r: (r.name, r.n)):
    print(text(str(r)))
columns = next(r for r in ROWS if r.name == "c")._data
print(sorted(columns), "n" in columns, "nothing" in columns, sorted(columns.keys()), len(list(columns.values())),
      columns.get("nothing", 7), sorted(k for k, _ in columns.items()))
print("of JSON:", text(str(idl_.Row.from_json(idl, table, ROWS[0].uuid, {"n": 5, "s": ["set", [1, 2]], "zz": 3}))))
for way in ("pop", "popitem", "setdefault", "update", "fromkeys"):
    call(way, getattr(table.rows, way), *([] if way == "popitem" else [[]]))
txn = idl_.Transaction(idl)
row = next(r for r in ROWS if r.name == "c")
row.delete()
call("of a deleted one", setattr, row, "n", 7)
call("also", row.delete)
print(txn.commit_block(), len(table.rows), [(r.name, r.n) for r in index])
call("without a transaction", setattr, ROWS[0], "n", 7)
print(table.condition_state.acked, table.condition_state.latest, table.condition_state.requested)
