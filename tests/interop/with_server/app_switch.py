"""Debian's ovsdbapp with the Open_vSwitch schema: commands, transactions, lookups, events."""
import logging
import os
import threading
import time

from server import server, text, until

import ovs.db.idl
from ovsdbapp.backend.ovs_idl import connection, event, idlutils, rowview
from ovsdbapp.schema.open_vswitch import impl_idl

logging.disable(logging.CRITICAL)
SCHEMA = os.environ["VSWITCH_SCHEMA"]
db = server(SCHEMA)


class Switch(threading.Thread):
    """Stands for ovs-vswitchd: says that each configuration is in effect, and numbers the ports."""

    def __init__(self):
        super().__init__(daemon=True)
        helper = ovs.db.idl.SchemaHelper(SCHEMA)
        helper.register_columns("Open_vSwitch", ["next_cfg", "cur_cfg"])
        helper.register_columns("Interface", ["name", "ofport"])
        self.idl = ovs.db.idl.Idl(db.remote, helper)
        self.stopping = False

    def run(self):
        while not self.stopping:
            until(self.idl, lambda: self.stopping or self.behind())
            txn = ovs.db.idl.Transaction(self.idl)
            for root in self.idl.tables["Open_vSwitch"].rows.values():
                root.cur_cfg = root.next_cfg
            for n, interface in enumerate(self.idl.tables["Interface"].rows.values()):
                interface.ofport = n + 1
            txn.commit_block()

    def behind(self):
        return any(r.cur_cfg < r.next_cfg for r in self.idl.tables["Open_vSwitch"].rows.values())


class PortEvent(event.RowEvent):
    def __init__(self, seen):
        super().__init__((self.ROW_CREATE, self.ROW_UPDATE, self.ROW_DELETE), "Port", None)
        self.seen = seen

    def run(self, what, row, old):
        columns = old and sorted(c for c in ("name", "tag", "external_ids") if hasattr(old, c))
        self.seen.append(f"{what} {row.name} tag={row.tag} ids={sorted(row.external_ids.items())} old={columns}")


class Idl(connection.OvsdbIdl):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.handler = event.RowEventHandler()

    def notify(self, what, row, updates=None):
        self.handler.notify(what, row, updates)


def show(name, result):
    if isinstance(result, list):
        result = sorted(text(sorted(r.items()) if isinstance(r, dict) else r) for r in result)
    print(name, "->", f"row {result.name}" if isinstance(result, rowview.RowView) else text(result))


def run(name, command):
    try:
        show(name, command.execute(check_error=True))
    except Exception as e:
        print(name, "!!", type(e).__name__, text(e).split("  First row")[0])


def bridges_and_ports(api):
    run("add_br", api.add_br("br0"))
    run("add_br again", api.add_br("br0", may_exist=True))
    run("add_br exists", api.add_br("br0", may_exist=False))
    run("add_br type", api.add_br("br1", datapath_type="netdev"))
    run("list_br", api.list_br())
    run("br_exists", api.br_exists("br0"))
    run("br_exists", api.br_exists("nobr"))
    run("add_port", api.add_port("br0", "p1"))
    run("add_port", api.add_port("br0", "p2"))
    run("port_to_br", api.port_to_br("p1"))
    run("iface_to_br", api.iface_to_br("p2"))
    run("list_ports", api.list_ports("br0"))
    run("list_ifaces", api.list_ifaces("br0"))
    run("no such bridge", api.add_port("nobr", "p9"))
    run("no such port", api.del_port("p9", if_exists=False))
    run("del_port", api.del_port("p2", "br0"))
    run("list_ports", api.list_ports("br0"))
    run("br_set_external_id", api.br_set_external_id("br0", "k", "v"))
    run("br_get_external_id", api.br_get_external_id("br0", "k"))
    run("set_controller", api.set_controller("br0", ["tcp:127.0.0.1:6633", "ptcp:6634"]))
    run("get_controller", api.get_controller("br0"))
    run("del_controller", api.del_controller("br0"))
    run("set_fail_mode", api.set_fail_mode("br0", "secure"))
    run("add_manager", api.add_manager("ptcp:6640"))
    run("get_manager", api.get_manager())
    run("remove_manager", api.remove_manager("ptcp:6640"))


def records(api):
    run("set", api.db_set("Port", "p1", ("tag", 5), ("external_ids", {"a": "1", "b": "2"})))
    run("get", api.db_get("Port", "p1", "tag"))
    run("get map", api.db_get("Port", "p1", "external_ids"))
    run("add", api.db_add("Port", "p1", "trunks", 1, 2, 3))
    run("add map", api.db_add("Port", "p1", "external_ids", {"c": "3"}))
    run("remove", api.db_remove("Port", "p1", "external_ids", "a"))
    run("remove set", api.db_remove("Port", "p1", "trunks", 2))
    run("get set", api.db_get("Port", "p1", "trunks"))
    run("clear", api.db_clear("Port", "p1", "tag"))
    run("get cleared", api.db_get("Port", "p1", "tag"))
    run("find", api.db_find("Port", ("name", "=", "p1"), columns=["name", "trunks", "external_ids"]))
    run("find map", api.db_find("Port", ("external_ids", "=", {"b": "2"}), columns=["name"]))
    run("find none", api.db_find("Port", ("name", "=", "nope")))
    run("list", api.db_list("Bridge", columns=["name", "fail_mode", "datapath_type"]))
    run("list some", api.db_list("Port", ["p1"], columns=["name", "_uuid"]))
    run("list missing", api.db_list("Port", ["nope"]))
    run("list if_exists", api.db_list("Port", ["nope"], if_exists=True))
    run("create", api.db_create("Queue", external_ids={"q": "1"}))
    run("find queue", api.db_find("Queue", ("external_ids", "=", {"q": "1"})))
    run("bad column", api.db_set("Port", "p1", ("nocolumn", 5)))
    run("bad record", api.db_get("Port", "nope", "name"))
    run("bad constraint", api.db_set("Port", "p1", ("tag", 5000)))
    run("bad enum", api.db_set("Bridge", "br0", ("fail_mode", "zz")))


def transactions(api):
    with api.transaction(check_error=True) as txn:
        txn.add(api.add_br("br2"))
        txn.add(api.add_port("br2", "p20"))
        txn.add(api.db_set("Port", "p20", ("tag", 7)))
        txn.add(api.db_set("Interface", "p20", ("type", "internal"), ("external_ids", {"x": "y"})))
    run("after", api.db_get("Port", "p20", "tag"))
    run("interface", api.db_find("Interface", ("name", "=", "p20"), columns=["name", "type", "external_ids"]))
    try:
        with api.transaction(check_error=True) as txn:
            txn.add(api.add_br("br3"))
            txn.add(api.add_port("nobr", "p30"))
    except Exception as e:
        print("failed", type(e).__name__, text(e))
    run("nothing of it", api.br_exists("br3"))
    print("lookup", api.lookup("Bridge", "br2").name, api.lookup("Port", "zz", default=None))
    rows = api.tables["Port"].rows
    print("index", sorted(rows.indexes), [r.name for r in idlutils.index_lookup_all(api.tables["Port"], name="p20")])


def main():
    idl = Idl.from_server(db.remote, "Open_vSwitch")
    root = ovs.db.idl.SchemaHelper(SCHEMA)
    root.register_columns("Open_vSwitch", ["external_ids"])
    first = ovs.db.idl.Idl(db.remote, root)
    until(first, first.has_ever_connected)
    txn = ovs.db.idl.Transaction(first)
    txn.insert(first.tables["Open_vSwitch"]).external_ids = {"made": "by hand"}
    print("root", txn.commit_block())
    first.close()
    switch = Switch()
    switch.start()
    seen = []
    watch = PortEvent(seen)
    idl.handler.watch_event(watch)
    conn = connection.Connection(idl, timeout=20)
    api = impl_idl.OvsdbIdl(conn)
    bridges_and_ports(api)
    records(api)
    transactions(api)
    run("del_br", api.del_br("br0"))
    run("del_br", api.del_br("br0", if_exists=False))
    for _ in range(100):
        if len(seen) >= 12:
            break
        time.sleep(0.05)
    time.sleep(0.3)
    print("\n".join(sorted(seen)))  # Of one transaction they come in any order.
    switch.stopping = True
    switch.join(10)
    print("stopped", conn.stop(10))


main()
