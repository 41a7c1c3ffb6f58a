"""ovs.db.idl in a program of green threads, whichever library they are of: for the scripts green_*.py.

They import this when the library has put its own modules in the place of the system's."""
from server import server, until

import ovs.poller
from ovs.db import idl as idl_

SCHEMA = {"name": "Db", "tables": {"T": {"isRoot": True, "columns": {"s": {"type": "string"}}}}}


def run(spawn, sleep):
    ticks = []

    def tick():
        while len(ticks) < 1000:
            ticks.append(1)
            sleep(0.01)

    db = server(SCHEMA)
    helper = idl_.SchemaHelper(schema_json=SCHEMA)
    helper.register_all()
    spawn(tick)
    idl = idl_.Idl(db.remote, helper)
    until(idl, idl.has_ever_connected)
    txn = idl_.Transaction(idl)
    txn.insert(idl.tables["T"]).s = "green"
    print(txn.commit_block())
    until(idl, lambda: idl.tables["T"].rows)
    print([r.s for r in idl.tables["T"].rows.values()])
    seen = len(ticks)
    poller = ovs.poller.Poller()
    idl.wait(poller)
    poller.timer_wait(300)
    poller.block()
    print("others run while it waits", len(ticks) > seen + 5)
    idl.close()
