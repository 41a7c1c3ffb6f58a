#!/usr/bin/python3
"""OVN on our database server: ovn-northd must make the same southbound database of the same northbound commands as on
the reference's server.

Usage: ovn.py BUILD.  Two sites run ovn-northd, ovn-nbctl and ovn-sbctl as Debian has them: one on the reference's
ovsdb-server, one on ours.  The contents of both databases are compared row by row; a reference counts as the contents
of the row that it leads to.  Exit status 77 if a program is not installed."""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import ovn_topology as topology
from listening import listens

BUILD = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1])
                        else os.environ.get("WEFT_BUILD") or "build")
SERVERS = {"reference": "/usr/sbin/ovsdb-server",
           "ours": os.environ.get("OVN_SERVER") or os.path.join(BUILD, "src/ovsdb-server/ovsdb-server")}
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SWITCH, VSCTL, OFCTL = (os.path.join(BUILD, path) for path in (
    "src/vswitchd/ovs-vswitchd", "src/cmd/ovs-vsctl/ovs-vsctl", "src/cmd/ovs-ofctl/ovs-ofctl"))
CLIENT = "/usr/bin/ovsdb-client"
SCHEMAS = {db: f"/usr/share/ovn/ovn-{db}.ovsschema" for db in ("nb", "sb")}
NAMES = {"nb": "OVN_Northbound", "sb": "OVN_Southbound"}
NEEDED = [*SERVERS.values(), CLIENT, *SCHEMAS.values(), "/usr/bin/ovn-northd", "/usr/bin/ovn-nbctl",
          "/usr/bin/ovn-sbctl", "/usr/bin/ovsdb-tool"]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# What differs from run to run, whichever the server: times, and beginnings of uuids.
VOLATILE = {"nb_cfg_timestamp", "sb_cfg_timestamp", "hv_cfg_timestamp", "_version", "_uuid"}
HINTS = {"stage-hint"}
UNORDERED = {"nat_addresses"}  # Words, in the order of a hash of uuids.


def masked(value):
    """The value of a column without what no two runs have in common; references stay."""
    if isinstance(value, str):
        return UUID.sub("<uuid>", value)
    if isinstance(value, list) and value and value[0] == "map":
        return ["map", sorted(([k, "<hint>" if k in HINTS else masked(v)] for k, v in value[1]), key=str)]
    if isinstance(value, list) and value and value[0] == "uuid":
        return value
    if isinstance(value, list):
        return [masked(v) for v in value]
    return value


def contents(dump):
    """{table: sorted texts of rows}, from what 'select' gives for each table.  A row's text has, for a reference, a
    hash of the row that it leads to; that is found by going round as often as references are deep."""
    rows = {row["_uuid"][1]: (table, {c: sorted(re.findall(r"[\w.:]+", str(v))) if c in UNORDERED else masked(v)
                                      for c, v in row.items() if c not in VOLATILE})
            for table, found in dump.items() for row in found}
    labels = dict.fromkeys(rows, "")
    texts = {}
    for _ in range(5):
        for uuid, (table, row) in rows.items():
            def resolve(value):
                if isinstance(value, list) and len(value) == 2 and value[0] == "uuid":
                    return "->" + labels.get(value[1], "elsewhere")
                if isinstance(value, list) and len(value) == 2 and value[0] in ("set", "map"):
                    return [value[0], sorted((resolve(v) for v in value[1]), key=str)]
                return [resolve(v) for v in value] if isinstance(value, list) else value
            texts[uuid] = json.dumps({c: resolve(v) for c, v in row.items()}, sort_keys=True)
        labels = {uuid: rows[uuid][0] + hashlib.sha1(text.encode()).hexdigest()[:10] for uuid, text in texts.items()}
    found = {table: [] for table in dump}
    for uuid, text in texts.items():
        found[rows[uuid][0]].append(text)
    return {table: sorted(rows) for table, rows in found.items()}


class Site:
    """Both databases on one server program, with ovn-northd."""

    def __init__(self, server):
        self.server, self.processes = server, []
        self.dir = tempfile.mkdtemp(prefix="ovn.")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVN_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVN_LOGDIR=self.dir,
                        OVS_DBDIR=self.dir, OVN_DBDIR=self.dir, OVS_SYSLOG_METHOD="null", LC_ALL="C")
        self.sockets = {db: f"unix:{self.dir}/{db}.sock" for db in SCHEMAS}

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, *argv):
        log = self.path(f"{os.path.basename(argv[0])}{len(self.processes)}.log")
        with open(log, "wb") as f:
            process = subprocess.Popen([*argv, "-vconsole:warn"], env=self.env, cwd=self.dir, stdin=subprocess.DEVNULL,
                                       stdout=f, stderr=f)
        self.processes.append((process, log))

    def open(self):
        for db, schema in SCHEMAS.items():
            self.run("/usr/bin/ovsdb-tool", "create", self.path(db), schema)
            self.start_server(db)
        self.wait_for_sockets()
        self.nbctl("set NB_Global . options:mac_prefix=0a\\:00\\:00 "
                   "options:svc_monitor_mac=0a\\:00\\:00\\:00\\:00\\:01", init=True)
        self.start("/usr/bin/ovn-northd", f"--ovnnb-db={self.sockets['nb']}", f"--ovnsb-db={self.sockets['sb']}",
                   f"--unixctl={self.path('northd.ctl')}")

    def start_server(self, db):
        self.start(self.server, self.path(db), f"--remote=p{self.sockets[db]}", f"--unixctl={self.path(db)}.ctl")

    def wait_for_sockets(self):
        end = time.monotonic() + 20
        while not all(listens(self.path(f"{db}.sock")) for db in SCHEMAS):
            if time.monotonic() > end:
                raise RuntimeError(f"{self.server} does not listen\n{self.logs()}")
            time.sleep(0.05)

    def close(self):
        complaints = []
        for process, log in reversed(self.processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with open(log, encoding="utf-8", errors="replace") as f:
                text = f.read()
            if "Sanitizer" in text or "runtime error" in text:
                complaints.append(text)
        shutil.rmtree(self.dir, ignore_errors=True)
        return complaints

    def logs(self):
        texts = []
        for _, log in self.processes:
            with open(log, encoding="utf-8", errors="replace") as f:
                texts.append(f.read())
        return "\n".join(texts)

    def run(self, *argv):
        done = subprocess.run(argv, env=self.env, cwd=self.dir, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise AssertionError(f"{' '.join(argv)}: {done.stderr}\n{self.logs()}")
        return done.stdout

    def nbctl(self, line, init=False):
        """One run of ovn-nbctl, which waits until ovn-northd has done its part."""
        command = f"ovn-nbctl --timeout=30 --db={self.sockets['nb']} {'init -- ' if init else '--wait=sb '}{line}"
        return self.run("sh", "-c", command)

    def sbctl(self, line):
        return self.run("sh", "-c", f"ovn-sbctl --timeout=30 --db={self.sockets['sb']} {line}")

    def vsctl(self, line, wait=False):
        return self.run("sh", "-c", f"{VSCTL} --timeout=30 --db={self.sockets['conf']} "
                        f"{'' if wait else '--no-wait '}{line}")

    def contents(self, db):
        with open(SCHEMAS[db], encoding="utf-8") as f:
            tables = sorted(json.load(f)["tables"])
        reply = json.loads(self.run(CLIENT, "transact", self.sockets[db], json.dumps(
            [NAMES[db], *({"op": "select", "table": t, "where": []} for t in tables)])))
        return contents({table: result["rows"] for table, result in zip(tables, reply)})


class Ovn(unittest.TestCase):
    maxDiff = 20000

    @classmethod
    def setUpClass(cls):
        cls.sites = {}
        cls.addClassCleanup(cls.close_sites)  # Also where what follows fails.
        for name, server in SERVERS.items():
            cls.sites[name] = Site(server)
            cls.sites[name].open()
        for name, site in cls.sites.items():
            for i in (1, 2):
                site.sbctl(f"chassis-add c{i} geneve 192.0.2.{i}")
            for line in topology.lines(topology.SWITCHES + topology.ROUTERS + topology.SERVICES):
                site.nbctl(line)
            for port, chassis in (("vm1", "c1"), ("vm2", "c2"), ("vm3", "c1"), ("vm5", "c2")):
                site.sbctl(f"lsp-bind {port} {chassis}")
            site.nbctl("sync")

    @classmethod
    def close_sites(cls):
        complaints = [c for site in cls.sites.values() for c in site.close()]
        assert not complaints, complaints

    def compare(self):
        """Both databases of both sites, table by table."""
        for db in SCHEMAS:
            found = {name: site.contents(db) for name, site in self.sites.items()}
            for table, rows in found["reference"].items():
                ours = found["ours"][table]
                with self.subTest(database=db, table=table):
                    self.assertEqual([r for r in ours if r not in rows], [r for r in rows if r not in ours])
                    self.assertEqual(len(ours), len(rows))
            self.assertEqual(found["ours"].keys(), found["reference"].keys())
        return found

    def test_1_the_databases_are_the_same(self):
        southbound = self.compare()["ours"]
        self.assertGreater(len(southbound["Logical_Flow"]), 300)
        for table in ("Datapath_Binding", "Port_Binding", "Address_Set", "Port_Group", "Load_Balancer", "Meter",
                      "Multicast_Group", "DNS", "HA_Chassis", "Service_Monitor", "DHCP_Options"):
            self.assertTrue(southbound[table], table)

    def test_2_the_tools_show_the_same(self):
        for tool, lines in (("nbctl", ("show", "acl-list sw1", "lr-nat-list r2", "lr-route-list r2", "lb-list",
                                       "dhcp-options-list | wc -l", "lsp-get-addresses vm3", "meter-list",
                                       "lr-policy-list r1", "lsp-get-up vm1", "ls-list | wc -l")),
                            ("sbctl", ("show", "lflow-list | wc -l",
                                       "--bare --columns=logical_port find Port_Binding"))):
            for line in lines:
                shown = {name: sorted(masked(re.sub(r"\([0-9a-f-]*\)", "", getattr(site, tool)(line))).splitlines())
                         for name, site in self.sites.items()}
                self.assertEqual(shown["ours"], shown["reference"], line)

    def test_3_and_after_changes(self):
        for line in topology.lines(topology.CHANGES):
            for site in self.sites.values():
                site.nbctl(line)
        self.compare()

    def test_4_and_after_the_server_of_ours_was_killed(self):
        """ovn-northd and the tools connect again and go on where they were."""
        site = self.sites["ours"]
        for i, db in enumerate(SCHEMAS):
            process = site.processes[i][0]
            process.kill()
            process.wait()
            os.remove(site.path(f"{db}.sock"))
            site.start_server(db)
        site.wait_for_sockets()
        for s in self.sites.values():
            s.nbctl("ls-add sw4 -- lsp-add sw4 vm9 -- lsp-set-addresses vm9 '00:00:00:00:04:01 10.0.4.9'")
        self.compare()


class Controller(unittest.TestCase):
    """ovn-controller with our servers on all its sides: southbound database, switch database, integration bridge."""

    def setUp(self):
        self.site = Site(SERVERS["ours"])
        self.addCleanup(self.close)
        self.site.sockets["conf"] = f"unix:{self.site.path('conf.sock')}"
        self.site.open()

    def close(self):
        complaints = self.site.close()
        self.assertEqual(complaints, [])

    def test_it_claims_a_port_and_fills_the_bridge(self):
        site = self.site
        site.run("/usr/bin/ovsdb-tool", "create", site.path("conf"), os.path.join(TREE, "schema/vswitch.ovsschema"))
        site.start_server("conf")
        self.until("the database listens", lambda: listens(site.path("conf.sock")))
        site.vsctl("init -- set Open_vSwitch . external_ids:system-id=c1 external_ids:ovn-encap-type=geneve "
                   f"external_ids:ovn-encap-ip=127.0.0.1 external_ids:ovn-remote={site.sockets['sb']}")
        site.start(SWITCH, site.sockets["conf"], "--enable-dummy=override", "--disable-system",
                   f"--unixctl={site.path('switch.ctl')}")
        site.vsctl("add-br br-int -- add-port br-int p1 -- set Interface p1 external_ids:iface-id=vm1", wait=True)
        for line in ("ls-add sw1", "lsp-add sw1 vm1 -- lsp-set-addresses vm1 '00:00:00:00:01:01 10.0.1.11'",
                     "lsp-add sw1 vm2 -- lsp-set-addresses vm2 '00:00:00:00:01:02 10.0.1.12'"):
            site.nbctl(line)
        site.start("/usr/bin/ovn-controller", site.sockets["conf"])
        self.until("the chassis is there", lambda: "c1" in site.sbctl("--bare --columns=name list Chassis"))
        self.until("the port is claimed", lambda: site.sbctl(
            "--bare --columns=up find Port_Binding logical_port=vm1").strip() == "true", 30)
        flows = site.run(OFCTL, "dump-flows", f"unix:{site.path('br-int.mgmt')}")
        self.assertGreater(len(flows.splitlines()), 100)
        self.assertIn("dl_dst=00:00:00:00:01:01", flows)

    def until(self, what, condition, seconds=15):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(f"not so after {seconds} s: {what}\n{self.site.logs()[-6000:]}")
            time.sleep(0.1)


if __name__ == "__main__":
    missing = [program for program in NEEDED if not os.path.exists(program)]
    if missing:
        print("missing:", *missing)
        sys.exit(77)
    unittest.main()
