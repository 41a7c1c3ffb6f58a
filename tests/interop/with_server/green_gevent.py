"""ovs.db.idl in a program of greenlets (gevent)."""
import gevent
import gevent.monkey

gevent.monkey.patch_all()

from server import server, until  # noqa: E402

import ovs.poller  # noqa: E402
from ovs.db import idl as idl_  # noqa: E402

SCHEMA = {"name": "Db", "tables": {"T": {"isRoot": True, "columns": {"s": {"type": "string"}}}}}
db = server(SCHEMA)
helper = idl_.SchemaHelper(schema_json=SCHEMA)
helper.register_all()
ticks = []


def tick():
    while len(ticks) < 1000:
        ticks.append(1)
        gevent.sleep(0.01)


gevent.spawn(tick)
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
