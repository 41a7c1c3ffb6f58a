"""Debian's ovsdbapp with OVN's northbound schema."""
import logging

from server import server, text

from ovsdbapp.backend.ovs_idl import connection, rowview
from ovsdbapp.schema.ovn_northbound import impl_idl

logging.disable(logging.CRITICAL)
db = server("/usr/share/ovn/ovn-nb.ovsschema")


def show(value):
    if isinstance(value, rowview.RowView):
        return f"row {getattr(value, 'name', '')}"
    if isinstance(value, list):
        return sorted(show(v) for v in value)
    return text(sorted(value.items()) if isinstance(value, dict) else value)


def run(what, *args, **kwargs):
    try:
        print(what, "->", show(getattr(api, what)(*args, **kwargs).execute(check_error=True)))
    except Exception as e:
        print(what, "!!", type(e).__name__, text(e).split("  First row")[0])


idl = connection.OvsdbIdl.from_server(db.remote, "OVN_Northbound")
api = impl_idl.OvnNbApiIdlImpl(connection.Connection(idl, timeout=20))
for name in ("ls1", "ls2"):
    run("ls_add", name)
    for port in ("a", "b"):
        run("lsp_add", name, f"{name}-{port}")
run("ls_add", "ls1")
run("ls_add", "ls1", may_exist=True)
run("ls_list")
run("lsp_list", "ls1")
run("lsp_set_addresses", "ls1-a", ["00:00:00:00:00:01 10.0.0.1", "unknown"])
run("lsp_get_addresses", "ls1-a")
run("lsp_set_options", "ls1-a", qos="1", rate="5")
run("lsp_get_options", "ls1-a")
run("lsp_set_addresses", "nothing", ["unknown"])
run("lr_add", "lr1")
run("lrp_add", "lr1", "lr1-ls1", "00:00:00:00:01:01", ["10.0.0.254/24"])
run("lrp_add", "lr1", "lr1-ls1", "00:00:00:00:01:01", ["10.0.0.254/24"])
run("lr_route_add", "lr1", "0.0.0.0/0", "10.0.0.253")
run("lr_nat_add", "lr1", "snat", "1.2.3.4", "10.0.0.0/24")
run("lr_route_list", "lr1")
run("acl_add", "ls1", "to-lport", 100, "ip4", "drop")
run("acl_add", "ls1", "to-lport", 101, "ip6", "allow", log=True, owner="me")
run("acl_list", "ls1")
run("acl_del", "ls1", "to-lport", 100, "ip4")
run("db_find", "ACL", ("priority", ">", 1))
run("db_find", "ACL", ("priority", "=", 101), columns=["action", "match", "external_ids", "log"])
run("lb_add", "lb1", "1.1.1.1:80", ["10.0.0.1:80", "10.0.0.2:80"])
run("ls_lb_add", "ls1", "lb1")
run("ls_lb_list", "ls1")
run("dhcp_options_add", "10.0.0.0/24", made_by="test")
run("pg_add", "pg1")
run("pg_add_ports", "pg1", [api.lsp_get("ls1-a").execute().uuid, api.lsp_get("ls2-b").execute().uuid])
print([sorted(p.name for p in r.ports) for r in api.tables["Port_Group"].rows.values()])
with api.transaction(check_error=True) as txn:
    txn.add(api.ls_add("ls3"))
    txn.add(api.lsp_add("ls3", "ls3-a"))
    txn.add(api.lsp_set_addresses("ls3-a", ["dynamic"]))
run("lsp_get_addresses", "ls3-a")
run("ls_del", "ls1")
run("lsp_list")
print([sorted(p.name for p in r.ports) for r in api.tables["Port_Group"].rows.values()])
print("stopped", api.ovsdb_connection.stop(10))
