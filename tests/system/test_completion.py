"""bash completes the tools' command lines: options and commands from their own tables, names from the daemons."""
import json
import re
import shlex

import pytest
from place import BUILD, Place

SCRIPT = "utilities/completion.bash"


@pytest.fixture(scope="module", name="place")
def fixture_place():
    p = Place()
    p.env["PATH"] = f"{p.dir}/scripts:{BUILD}/src/cmd/vtep-ctl:{BUILD}/utilities:{p.env['PATH']}"
    try:
        p.sh(f"mkdir {p.dir}/scripts && cp utilities/ovs-ctl {BUILD}/utilities/ovs-lib {p.dir}/scripts")
        p.start_database()
        p.start_switch("--enable-dummy=override", "--disable-system")
        p.sh("ovs-vsctl add-br br0 -- add-port br0 p1 -- add-port br0 p2 -- add-br br1 -- add-port br1 q1 --"
             " --id=@t create Flow_Table name=classify -- set bridge br0 flow_tables:3=@t")
        p.sh(f"ovsdb-tool create {p.dir}/vtep.db schema/vtep.ovsschema;"
             f" ovs-appctl -t ovsdb-server ovsdb-server/add-db {p.dir}/vtep.db")
        p.sh("vtep-ctl add-ps ps0 -- add-ps ps1 -- add-port ps0 vp1 -- add-port ps1 vp2 -- add-ls ls0 -- add-lr lr0")
        yield p
    finally:
        p.leave()


def complete(place, line):
    """What bash offers for the last word of the line."""
    words = line.split(" ")
    script = (f". {SCRIPT}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1};"
              f" _weft_complete {words[0]}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    return place.sh(f"bash -c {shlex.quote(script)}").split()


@pytest.mark.parametrize("line, offered", [
    ("ovs-vsctl list-po", ["list-ports"]),
    ("ovs-vsctl --no-wa", ["--no-wait"]),
    ("ovs-vsctl --may-e", ["--may-exist"]),
    ("ovs-vsctl --tim", ["--timeout="]),
    ("ovs-vsctl list-ports ", ["br0", "br1"]),
    ("ovs-vsctl --if-exists del-port br0 ", ["p1", "p2"]),
    ("ovs-vsctl del-port ", ["br0", "br1", "p1", "p2", "q1"]),
    ("ovs-vsctl add-br x -- list-ports b", ["br0", "br1"]),
    ("ovs-vsctl list Bri", ["Bridge"]),
    ("ovs-vsctl list Bridge ", ["br0", "br1"]),
    ("ovs-vsctl get Bridge br0 datapath_", ["datapath_id", "datapath_type", "datapath_version"]),
    ("vtep-ctl list-p", ["list-ps", "list-ports"]),
    ("ovs-ofctl dump-ports-", ["dump-ports-desc"]),
    ("ovs-ofctl -O OpenFlow13 dump-flows ", ["br0", "br1", "ssl:", "tcp:", "unix:"]),
    ("ovs-ofctl probe ", ["br0", "br1", "ssl:", "tcp:", "unix:"]),
    ("ovs-ofctl dump-flows tcp :", []),
    ("ovs-ofctl mod-port br1 ", ["q1"]),
    ("ovs-ofctl mod-port br1 q1 ", ["down", "flood", "forward", "no-flood", "no-forward", "no-packet-in",
                                    "no-receive", "no-receive-stp", "no-stp", "packet-in", "receive", "receive-stp",
                                    "stp", "up"]),
    ("ovs-ofctl mod-table br0 ", ["all", "classify"]),
    ("ovs-ofctl mod-table br0 0 ", ["continue", "controller", "drop", "evict", "name:", "noevict", "novacancy",
                                    "vacancy:"]),
    ("ovs-ofctl mod-table br0 all no", ["noevict", "novacancy"]),
    ("ovs-ofctl set-frags br0 ", ["drop", "normal", "nx-match", "reassemble"]),
    ("ovs-ofctl -F NXM", ["NXM", "NXM+table_id", "NXM-table_id"]),
    ("ovs-vsctl set-controller br0 p", ["pfd:", "pssl:", "ptcp:", "punix:"]),
    ("ovs-vsctl set-manager ", ["pfd:", "pssl:", "ptcp:", "punix:", "ssl:", "tcp:", "unix:"]),
    ("ovs-vsctl set-fail-mode br0 ", ["secure", "standalone"]),
    ("ovs-vsctl --db = u", ["unix:"]),
    ("ovs-vsctl --db = unix :", []),
    ("ovs-vsctl -f ", ["csv", "html", "json", "list", "table"]),
    ("ovs-vsctl --data = b", ["bare"]),
    ("vtep-ctl set-replication-mode ls0 s", ["service_node", "source_node"]),
    ("ovsdb-client list-dbs t", ["tcp:"]),
    ("ovs-testcontroller p", ["pfd:", "pssl:", "ptcp:", "punix:"]),
    ("ovs-testcontroller ptcp: s", ["ssl:"]),
    ("ovs-ofctl dump-ports br1 ", ["q1"]),
    ("ovs-ofctl --bun", ["--bundle"]),
    ("ovs-ofctl -O OpenFlow1", ["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"]),
    ("ovs-ofctl --protocols = OpenFlow15", ["OpenFlow15"]),
    ("ovs-ofctl --color = a", ["always", "auto"]),
    ("ovs-ofctl monitor br0 -P nxt_packet_in2", ["nxt_packet_in2"]),
    ("ovs-testcontroller -O OpenFlow13", ["OpenFlow13"]),
    ("ovs-appctl fdb/sh", ["fdb/show"]),
    ("ovs-appctl -t ovsdb-server ovsdb-server/list-d", ["ovsdb-server/list-dbs"]),
    ("ovs-appctl -t ovsdb", ["ovsdb-server"]),
    ("ovs-dpctl dump-f", ["dump-flows"]),
    ("ovs-dpctl --sta", ["--statistics"]),
    ("ovs-dpctl dump-flows ", ["system@ovs-system"]),
    ("ovsdb-client list-d", ["list-dbs"]),
    ("ovsdb-client list-tables Open", ["Open_vSwitch"]),
    ("ovsdb-client dump Bri", ["Bridge"]),
    ("ovsdb-tool show-", ["show-log"]),
    ("ovs-testcontroller --hu", ["--hub"]),
    ("ovs-pcap --ver", ["--version", "--verbose="]),
    ("ovs-tcpundump --he", ["--help"]),
    ("ovs-pki --dsa", ["--dsaparam="]),
    ("ovs-pki sel", ["self-sign"]),
    ("ovs-pki sign name ", ["controller", "switch"]),
    ("ovs-tcpdump --mirror", ["--mirror-to="]),
    ("ovs-dpctl-top --accumulate-", ["--accumulate-decay="]),
    ("ovs-ctl --no-mon", ["--no-monitor"]),
    ("ovs-ctl --db-sc", ["--db-schema="]),
    ("ovs-ctl sta", ["start", "status"]),
    ("vtep-ctl list-ports ", ["ps0", "ps1"]),
    ("vtep-ctl del-port ps0 ", ["vp1"]),
    ("vtep-ctl bind-ls ps0 vp1 5 ", ["ls0"]),
    ("vtep-ctl lr-exists ", ["lr0"]),
    ("vtep-ctl list Physical_S", ["Physical_Switch"]),
    ("vtep-ctl list Physical_Switch ", ["ps0", "ps1"]),
    ("vtep-ctl get Physical_Switch ps0 manage", ["management_ips"]),
    ("ovs-vsctl no-such-command ", []),
])
def test_what_is_offered(place, line, offered):
    found = complete(place, line)
    assert sorted(set(found)) == sorted(offered)


def test_every_command_of_a_table_is_offered(place):
    for program in ("ovs-vsctl", "vtep-ctl", "ovs-ofctl", "ovs-dpctl", "ovsdb-client", "ovsdb-tool"):
        described = place.sh(f"WEFT_DESCRIBE=1 {program}").splitlines()
        commands = {d.split(" ", 1)[1].split(",")[0] for d in described if d.startswith("command ")}
        assert len(commands) > 15 and set(complete(place, f"{program} ")) == commands, program


def test_every_option_and_command_that_a_script_says_is_offered(place):
    for program, text in (("ovs-pki", "ovs-pki --help"), ("ovs-ctl", "ovs-ctl --help"),
                          ("ovs-tcpdump", "ovs-tcpdump --help"), ("ovs-dpctl-top", "ovs-dpctl-top --help")):
        said = set(re.findall(r"^  (?:\[?-\w[, ]+\w*,? ?)?(--[a-z-]+)", place.sh(text), re.M))
        assert len(said) > 4 and said <= {o.rstrip("=") for o in complete(place, f"{program} -")}, program
    for program, n in (("ovs-pki", 7), ("ovs-ctl", 11)):
        assert len(complete(place, f"{program} ")) == n


def test_without_daemons_nothing_is_offered(place):
    assert not place.sh(f"OVS_RUNDIR=/nowhere bash -c '. {SCRIPT}; COMP_WORDS=(ovs-vsctl list-ports \"\");"
                        " COMP_CWORD=2; _weft_complete ovs-vsctl; echo ${COMPREPLY[@]}' 2>&1").strip()


def test_a_name_is_never_expanded(place):
    name = "$(touch${IFS}/tmp/d/bad)`id`*;x"
    place.sh(f"ovs-vsctl --id=@m create Mirror name={shlex.quote(json.dumps(name))} --"
             " set bridge br1 mirrors=@m")
    found = complete(place, "ovs-vsctl list Mirror ")
    assert len(found) == 1 and shlex.split(found[0]) == [name]
    assert place.run(f"test -e {place.dir}/bad").returncode


def test_in_an_interactive_shell(place):
    typed = f". {SCRIPT}\\novs-vsctl --db=unix:{place.dir}/db.sock list-po\\tbr0 >{place.dir}/typed\\n"
    place.sh(f"(sleep 1; printf '{typed}'; sleep 3; printf 'exit\\n') |"
             " script -qc 'bash --norc -i' /dev/null >/dev/null")
    assert place.sh(f"cat {place.dir}/typed").split() == ["p1", "p2"]
