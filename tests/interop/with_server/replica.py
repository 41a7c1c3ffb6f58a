"""ovs.db.idl: contents, notifications, transactions, conditions, indexes, locks, several servers, reconnecting."""
import copy
import os
import signal
import uuid

from server import server, text, until

from ovs.db import idl as idl_
from ovs.db import custom_index

SCHEMA = {"name": "Db", "version": "1.0.0", "tables": {
    "T": {"isRoot": True, "indexes": [["name"]], "columns": {
        "name": {"type": "string"}, "n": {"type": "integer"}, "x": {"type": "real"}, "b": {"type": "boolean"},
        "s": {"type": {"key": "integer", "min": 0, "max": "unlimited"}},
        "m": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
        "o": {"type": {"key": "string", "min": 0, "max": 1}},
        "r": {"type": {"key": {"type": "uuid", "refTable": "U"}, "min": 0, "max": "unlimited"}}}},
    "U": {"columns": {"x": {"type": "integer"},
                      "t": {"type": {"key": {"type": "uuid", "refTable": "T", "refType": "weak"}, "min": 0,
                                     "max": 1}}}}}}
PLAIN = ("name", "n", "x", "b", "s", "m", "o")
Transaction = idl_.Transaction
db = server(SCHEMA)


class Idl(idl_.Idl):
    """Keeps what notify() was told, but for the server's own database."""

    def __init__(self, *args, **kwargs):
        self.seen = []
        super().__init__(*args, **kwargs)

    def notify(self, event, row, updates=None):
        if row._table.name != "Database":
            old = updates and sorted(f"{c}={self.show(updates, c)}" for c in row._table.columns if hasattr(updates, c))
            self.seen.append(f"{event} {row._table.name} {self.show(row)} {old}")

    def show(self, row, column=None):
        if column:
            value = getattr(row, column)
            return len(value) if column in ("r", "t") else sorted(value.items()) if isinstance(value, dict) else value
        return [self.show(row, c) for c in PLAIN if c in row._table.columns]


def helper(**tables):
    h = idl_.SchemaHelper(schema_json=copy.deepcopy(SCHEMA))
    for name, columns in tables.items():
        if columns:
            h.register_columns(name, columns)
        else:
            h.register_table(name)
    if not tables:
        h.register_all()
    return h


def replica(remote=None, h=None, **kwargs):
    idl = Idl(remote or db.remote, h or helper(), **kwargs)
    until(idl, idl.has_ever_connected)
    return idl


def news(idl):
    idl.run()
    print("   ", "\n    ".join(sorted(text(s) for s in idl.seen)))
    idl.seen.clear()


def transact(idl, what, change):
    txn = Transaction(idl)
    result = change(txn)
    status = txn.commit_block()
    print(what, status, text(txn.get_error()).split("  First")[0])
    news(idl)
    return txn, result


def row_of(idl, name):
    return next((r for r in idl.tables["T"].rows.values() if r.name == name), None)


def contents(idl):
    return sorted(str(idl.show(r)) for r in idl.tables["T"].rows.values())


def inserting(idl):
    def insert(txn):
        txn.add_comment("a comment")
        u = txn.insert(idl.tables["U"])
        u.x = 5
        t = txn.insert(idl.tables["T"])
        t.name, t.n, t.x, t.b, t.s, t.m, t.o, t.r = "a", 1, 2.5, True, [2, 1], {"k": "v", "a": "b"}, "opt", [u]
        u.t = t
        print(idl.show(t), t.r == [u], u.t == [t], len(idl.tables["T"].rows))
        return t

    txn, provisional = transact(idl, "insert", insert)
    row = row_of(idl, "a")
    print(txn.get_insert_uuid(provisional.uuid) == row.uuid, txn.get_insert_uuid(uuid.uuid4()), row.r[0].t[0] is row)
    print(idl.tables["T"].rows[row.uuid] is row, row == row, row != row.r[0], hash(row) == hash(row.uuid), row.x)
    given = uuid.uuid4()
    txn, _ = transact(idl, "insert with uuid",
                      lambda t: setattr(t.insert(idl.tables["T"], given), "name", "provisional"))
    print(txn.get_insert_uuid(given) in idl.tables["T"].rows)

    def nothing(txn):
        t = txn.insert(idl.tables["T"])
        t.name = "gone"
        t.delete()

    transact(idl, "insert and delete", nothing)
    transact(idl, "duplicate", lambda t: setattr(t.insert(idl.tables["T"]), "name", "a"))
    transact(idl, "delete", lambda t: row_of(idl, "provisional").delete())


def changing(idl):
    row = row_of(idl, "a")
    for what, change in (
            ("update", lambda t: (setattr(row, "n", 7), row.verify("name"), row.verify("s"))),
            ("the same again", lambda t: setattr(row, "n", 7)), ("nothing", lambda t: None),
            ("empty", lambda t: (setattr(row, "o", []), setattr(row, "m", {}), setattr(row, "s", []))),
            ("full", lambda t: (setattr(row, "o", "x"), setattr(row, "m", {"k": "v"}), setattr(row, "s", [3, 2, 1]))),
            ("setkey", lambda t: (row.setkey("m", "new", "1"), row.setkey("m", "k", "v2"))),
            ("delkey", lambda t: (row.delkey("m", "new"), row.delkey("m", "none"))),
            ("delkey other value", lambda t: row.delkey("m", "k", "zzz")),
            ("delkey this value", lambda t: row.delkey("m", "k", "v2")),
            ("addvalue", lambda t: (row.addvalue("s", 9), row.addvalue("s", 1), row.delvalue("s", 2))),
            ("assign and mutate", lambda t: (setattr(row, "m", {"a": "1"}), setattr(row, "n", 1))),
            ("increment", lambda t: (row.increment("n"), setattr(row, "o", "y"))),
            ("increment alone", lambda t: row.increment("n"))):
        txn, _ = transact(idl, what, lambda t: (change(t), print("   ", idl.show(row))))
        if what == "increment":
            print(txn.get_increment_new_value())
    for column, value in (("n", "x"), ("s", ["x"]), ("m", {"a": 1}), ("name", 5), ("o", ["a", "b"]), ("name", None)):
        transact(idl, f"bad {column} {value!r}", lambda t: setattr(row, column, value))
    for what in (lambda: setattr(row, "nocolumn", 1), lambda: row.nocolumn):
        txn = Transaction(idl)
        try:
            what()
        except (AttributeError, KeyError) as e:
            print(type(e).__name__, e)
        txn.abort()
        print(txn.commit_block())
    txn = Transaction(idl)
    row.n = 55
    print(row.n)
    txn.abort()
    print(row.n, txn.commit(), txn.get_error())


def references(idl):
    row = row_of(idl, "a")

    def add(txn):
        u = txn.insert(idl.tables["U"])
        u.x = 6
        row.addvalue("r", u)
        print(sorted(x.x for x in row.r))

    transact(idl, "add reference", add)
    print(sorted(x.x for x in row.r), len(idl.tables["U"].rows))
    six = next(x for x in row.r if x.x == 6)
    transact(idl, "remove reference", lambda t: row.delvalue("r", six))
    print(sorted(x.x for x in row.r), len(idl.tables["U"].rows))


def verifying(idl):
    other = replica()
    other.seen.clear()
    mine, theirs = row_of(idl, "a"), row_of(other, "a")
    # Without running 'other' its replica is old.
    transact(idl, "mine", lambda t: setattr(mine, "n", 1))
    txn = Transaction(other)
    theirs.verify("n")
    theirs.n = theirs.n + 1
    print(theirs.n, txn.commit_block(), txn.get_error())
    until(other, lambda: theirs.n == 1)
    other.seen.clear()
    transact(other, "again", lambda t: (theirs.verify("n"), setattr(theirs, "n", theirs.n + 1)))
    until(idl, lambda: mine.n == 2)
    news(idl)
    other.close()


def conditions(idl):
    transact(idl, "more rows", lambda t: [setattr(t.insert(idl.tables["T"]), "name", n) for n in ("b", "c", "d")])
    for cond, want in (([["name", "==", "b"]], 1), ([["name", "==", "b"], ["name", "==", "c"]], 2), ([], 0), ([True],
                                                                                                              4),
                       ([False], 0), ([["n", ">", 1]], 1), ([True], 4)):
        idl.cond_change("T", cond)
        until(idl, lambda: len(idl.tables["T"].rows) == want)
        print(cond, idl.tables["T"].condition, [r.name for r in sorted(idl.tables["T"].rows.values(),
                                                                       key=lambda r: r.name)])
        news(idl)
    try:
        idl.cond_change("Zz", [True])
    except Exception as e:
        print(type(e).__name__, e)
    before = idl_.Idl(db.remote, helper())
    before.cond_change("T", [["name", "==", "c"]])
    until(before, before.has_ever_connected)
    print([r.name for r in before.tables["T"].rows.values()])
    before.close()


def indexes():
    idl = idl_.Idl(db.remote, helper())
    by_name = idl.index_create("T", "by_name")
    by_name.add_column("name")
    both = idl.tables["T"].rows.index_create("both")
    both.add_column("n", custom_index.OVSDB_INDEX_DESC)
    both.add_column("name")
    folded = idl.index_create("T", "folded")
    folded.add_column("name", key=lambda r: r.name.upper())
    until(idl, idl.has_ever_connected)
    entry = idl.tables["T"].rows.IndexEntry
    names = lambda rows: [(r.name, r.n) for r in rows]  # noqa: E731
    print(names(by_name), names(both), names(folded))
    print(names(by_name.irange(entry(name="b"), entry(name="c"))), names(by_name.irange(None, entry(name="b"))),
          names(idl.index_equal("T", "by_name", entry(name="d"))),
          names(idl.index_irange("T", "both", entry(n=5, name=""), entry(n=0, name="c"))))
    b = next(by_name.irange(entry(name="b"), entry(name="b")))
    txn = Transaction(idl)
    b.n = 9
    print(txn.commit_block())
    until(idl, lambda: b.n == 9)
    print(names(both))
    txn = Transaction(idl)
    b.delete()
    print(txn.commit_block())
    until(idl, lambda: len(idl.tables["T"].rows) == 3)
    print(names(by_name), names(both))
    try:
        idl.index_create("T", "both")
    except ValueError as e:
        print(e)
    idl.close()


def locks(idl):
    print(idl.lock_name, idl.has_lock, idl.is_lock_contended)
    idl.set_lock("L")
    until(idl, lambda: idl.has_lock)
    print(idl.lock_name, idl.has_lock, idl.is_lock_contended)
    transact(idl, "with the lock", lambda t: setattr(row_of(idl, "c"), "n", 100))
    other = replica(h=helper(U=["x"]))
    other.set_lock("L")
    until(other, lambda: other.is_lock_contended)
    print(other.has_lock)
    transact(other, "without", lambda t: setattr(t.insert(other.tables["U"]), "x", 1))
    idl.set_lock(None)
    until(other, lambda: other.has_lock)
    print(idl.has_lock, other.has_lock, other.is_lock_contended)
    other.close()


def write_only():
    idl = idl_.Idl(db.remote, helper(T=["name", "n"]))
    idl.tables["T"].columns["n"].alert = False
    until(idl, idl.has_ever_connected)
    row = row_of(idl, "c")
    print(row.n)
    other = replica()
    other.seen.clear()
    transact(other, "n changes", lambda t: setattr(row_of(other, "c"), "n", 101))
    until(idl, lambda: row.n == 101)
    other.close()
    idl.close()


def fetching():
    h = idl_.SchemaHelper(schema_json=copy.deepcopy(SCHEMA))
    h.register_columns("T", ["name", "n", "m"], ["m"])
    idl = idl_.Idl(db.remote, h)
    until(idl, idl.has_ever_connected)
    row = row_of(idl, "a")
    print(row.m)
    txn = Transaction(idl)
    row.fetch("m")
    print(txn.commit_block(), row.m)
    txn = Transaction(idl)
    row.m = {"not": "written"}
    print(txn.commit_block(), row.m)
    idl.close()


def reconnecting(idl):
    names = contents(idl)
    seqno = idl.change_seqno
    idl.force_reconnect()
    until(idl, lambda: idl.change_seqno != seqno)
    print(contents(idl) == names, len(names))
    idl.seen.clear()
    txn = Transaction(idl)
    row_of(idl, "c").n = 5
    os.kill(db.process.pid, signal.SIGSTOP)
    print(txn.commit())
    db.process.kill()
    db.stop()
    db.start()
    print(txn.commit_block())
    until(idl, lambda: idl.state == idl.IDL_S_MONITORING)
    idl.seen.clear()
    print(contents(idl) == names)
    transact(idl, "after that", lambda t: setattr(row_of(idl, "c"), "o", "new"))
    print(contents(idl) == contents(replica()))


def several():
    """Of several remotes one serves the database, and one only another one."""
    other = server({"name": "Other", "tables": {"Z": {"columns": {"z": {"type": "integer"}}}}}, "other")
    idl = replica(f"unix:{db.dir}/nothing,{other.remote},{db.remote}", leader_only=False)
    print(idl.session_name() == db.remote, len(contents(idl)))
    idl.close()


main = replica()
print(main.change_seqno, sorted(main.tables), main.tables["T"].condition, main.seen)
inserting(main)
changing(main)
references(main)
verifying(main)
conditions(main)
indexes()
until(main, lambda: row_of(main, "b") is None)
news(main)
locks(main)
write_only()
fetching()
reconnecting(main)
several()
