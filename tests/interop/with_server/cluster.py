"""ovs.db.idl with servers that are members of a cluster, or relays: which of them it takes."""
import os
import uuid

from cluster_server import Member
from server import place, text, until

from ovs.db import idl as idl_

SCHEMA = {"name": "Db", "tables": {"T": {"columns": {"n": {"type": "integer"}}}}}
CONTENTS = {"T": {str(uuid.UUID(int=7)): {"initial": {"n": 7}}}}
count = 0


def members(**kwargs):
    """A member that leads, and one that is described by 'kwargs'."""
    global count
    count += 1
    return (Member(os.path.join(place, f"good{count}"), "Db", CONTENTS),
            Member(os.path.join(place, f"bad{count}"), "Db", CONTENTS, **kwargs))


def replica(remotes, **kwargs):
    helper = idl_.SchemaHelper(schema_json=SCHEMA)
    helper.register_all()
    return idl_.Idl(",".join(remotes), helper, **kwargs)


def which(what, **kwargs):
    good, bad = members(**kwargs)
    idl = replica([bad.remote, good.remote])
    until(idl, idl.has_ever_connected)
    print(what, [r.n for r in idl.tables["T"].rows.values()], idl.session_name() == good.remote, bad.n_monitors)
    idl.close()


which("not the leader", leader=False)
which("not connected", connected=False)
which("not joined", connected=False, leader=False)
which("a relay without its source", model="relay", leader=False, connected=False)
good, bad = members(leader=False)
follower = replica([bad.remote], leader_only=False)
until(follower, follower.has_ever_connected)
print("a follower will do", bad.n_monitors)
follower.close()
good, other = members()
idl = replica([good.remote, other.remote])
until(idl, idl.has_ever_connected)
first, second = (good, other) if idl.session_name() == good.remote else (other, good)
print("either", good.n_monitors + other.n_monitors)
first.change(leader=False)
until(idl, lambda: second.n_monitors == 1 and idl.state == idl.IDL_S_MONITORING)
print("the other leads now", idl.session_name() == second.remote, text([r.n for r in idl.tables["T"].rows.values()]))
idl.close()
