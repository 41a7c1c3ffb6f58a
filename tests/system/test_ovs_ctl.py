"""ovs-ctl as installed: make install into a directory, then start, status, restart with flows kept, stop."""
import re
import subprocess

import pytest
from place import BUILD, Place

COMMON = ("--no-mlockall --ovsdb-server-priority=0 --ovs-vswitchd-priority=0 --no-force-corefiles")


@pytest.fixture(scope="module", name="place")
def fixture_place(tmp_path_factory):
    p = Place()
    try:
        p.destdir = str(tmp_path_factory.mktemp("installed"))
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", p.destdir], check=True,
                       timeout=120, capture_output=True)
        prefix = f"{p.destdir}/usr/local"
        # The place has its own /tmp: it sees the installed tree by another name.
        p.sh("mkdir /tmp/installed")
        subprocess.run(f"tar -C {prefix} -cf - . | tar -C {p.root}/tmp/installed -xf -", shell=True, check=True,
                       timeout=60)
        share = "/tmp/installed/share/openvswitch"
        p.env.update(OVS_BINDIR="/tmp/installed/bin", OVS_SBINDIR="/tmp/installed/sbin", OVS_PKGDATADIR=share,
                     PATH=f"/tmp/installed/sbin:/tmp/installed/bin:{p.env['PATH']}")
        p.ctl = f"{share}/scripts/ovs-ctl {COMMON}"
        yield p
    finally:
        p.leave()


def test_installation_has_programs_scripts_units_and_schema(place):
    for path in ("sbin/ovs-vswitchd", "bin/ovs-vsctl", "bin/ovs-ofctl", "bin/ovs-appctl",
                 "share/openvswitch/vswitch.ovsschema", "share/openvswitch/scripts/ovs-lib",
                 "share/man/man8/ovs-vsctl.8", "lib/systemd/system/openvswitch-switch.service"):
        place.sh(f"test -e /tmp/installed/{path}")
    unit = place.sh("cat /tmp/installed/lib/systemd/system/ovs-vswitchd.service")
    assert "/usr/local/share/openvswitch/scripts/ovs-ctl --no-ovsdb-server" in unit
    assert "@" not in unit


def test_start_makes_the_database_and_records_the_system(place):
    out = place.sh(f"{place.ctl} --system-id=random --external-id=a=b --external-id='c=d \"e' --system-type=T "
                   "--system-version=V start")
    assert re.search(r"^Creating empty database /tmp/d/conf.db\.$", out, re.M), out
    for line in ("Starting ovsdb-server.", "Configuring Open vSwitch system IDs.", "Starting ovs-vswitchd.",
                 "Enabling remote OVSDB managers."):
        assert line in out.splitlines(), out
    number = place.sh("cat /tmp/d/openvswitch/system-id.conf").strip()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", number)
    ids = place.sh("ovs-vsctl get open_vswitch . external_ids")
    assert f'system-id="{number}"' in ids and "a=b" in ids and 'c="d \\"e"' in ids and "hostname=" in ids
    assert place.sh("ovs-vsctl --bare get open_vswitch . system_type system_version").split() == ["T", "V"]


def test_status_names_the_processes(place):
    out = place.sh(f"{place.ctl} status")
    pids = [place.sh(f"cat /tmp/d/{d}.pid").strip() for d in ("ovsdb-server", "ovs-vswitchd")]
    assert out == f"ovsdb-server is running with pid {pids[0]}\novs-vswitchd is running with pid {pids[1]}\n"


def test_start_of_what_runs_changes_nothing(place):
    out = place.sh(f"{place.ctl} --system-id=random start")
    assert "ovsdb-server is already running." in out and "ovs-vswitchd is already running." in out


def test_restart_keeps_flows_and_identity(place):
    number = place.sh("ovs-vsctl get open_vswitch . external_ids:system-id")
    place.sh("ovs-vsctl add-br br0 && ovs-ofctl del-flows br0 &&"
             "ovs-ofctl add-flow br0 cookie=0x5,priority=5,ip,nw_dst=10.1.2.0/24,actions=drop &&"
             "ovs-ofctl add-flow br0 'table=1,idle_timeout=1000,priority=7,arp,actions=mod_vlan_vid:5,NORMAL'")
    before = place.sh("ovs-ofctl --no-stats dump-flows br0")
    old = place.sh("cat /tmp/d/ovs-vswitchd.pid /tmp/d/ovsdb-server.pid")
    out = place.sh(f"{place.ctl} --system-id=random restart")
    assert "Saving flows." in out and "Restoring saved flows." in out
    assert place.sh("cat /tmp/d/ovs-vswitchd.pid /tmp/d/ovsdb-server.pid") != old
    assert place.sh("ovs-ofctl --no-stats dump-flows br0") == before
    assert place.sh("ovs-vsctl get open_vswitch . external_ids:system-id") == number
    assert "flow-restore-wait" not in place.sh("ovs-vsctl get open_vswitch . other_config")


def test_force_reload_kmod_keeps_flows_and_addresses_of_devices(place):
    place.sh("ip addr add 10.9.9.1/24 dev br0 && ip link set br0 up && ip route add 10.8.0.0/16 via 10.9.9.2")
    before = place.sh("ovs-ofctl --no-stats dump-flows br0")
    out = place.sh(f"{place.ctl} --system-id=random force-reload-kmod")
    assert "Detected internal interfaces: br0." in out and "Restoring interface configuration." in out
    assert place.sh("ovs-ofctl --no-stats dump-flows br0") == before
    assert "10.9.9.1/24" in place.sh("ip addr show br0")
    assert "via 10.9.9.2" in place.sh("ip route show 10.8.0.0/16")


FIREWALL = """\
Chain INPUT (policy ACCEPT)
target     prot opt source               destination
ACCEPT     47   --  0.0.0.0/0            0.0.0.0/0
ACCEPT     tcp  --  0.0.0.0/0            0.0.0.0/0            tcp dpt:80
"""


@pytest.mark.parametrize("options, said, added", [
    ("--protocol=gre", "iptables already has a rule for gre, not explicitly enabling.", ""),
    ("--protocol=esp", "Enabling esp with iptables.", "-I INPUT -p esp -j ACCEPT"),
    ("--protocol=tcp --dport=80", "iptables already has a rule for tcp to port 80, not explicitly enabling.", ""),
    ("--protocol=tcp --dport=8", "Enabling tcp to port 8 with iptables.", "-I INPUT -p tcp --dport 8 -j ACCEPT"),
    ("--protocol=tcp --sport=5 --dport=80", "Enabling tcp to port 80 from port 5 with iptables.",
     "-I INPUT -p tcp --dport 80 --sport 5 -j ACCEPT"),
    ("--protocol=nonsense", "unknown protocol nonsense ... failed!", ""),
])
def test_enable_protocol_adds_a_rule_that_is_missing(place, options, said, added):
    """With an iptables that only notes what it is told."""
    place.sh("mkdir -p /tmp/firewall && rm -f /tmp/firewall/log")
    with open(f"{place.root}/tmp/firewall/rules", "w", encoding="ascii") as f:
        f.write(FIREWALL)
    with open(f"{place.root}/tmp/firewall/iptables", "w", encoding="ascii") as f:
        f.write('#!/bin/sh\ncase "$*" in *-L*) cat /tmp/firewall/rules ;; *) echo "$*" >>/tmp/firewall/log ;; esac\n')
    place.sh("chmod +x /tmp/firewall/iptables")
    done = place.run(f"PATH=/tmp/firewall:$PATH {place.ctl} {options} enable-protocol")
    assert done.stdout.strip() == said
    assert done.returncode == (1 if "unknown" in said else 0)
    assert place.sh("cat /tmp/firewall/log 2>/dev/null || true").strip() == added


def test_transient_ports_and_bridges_go_when_asked(place):
    place.sh("ovs-vsctl add-port br0 t0 -- set interface t0 type=internal -- set port t0 other_config:transient=true")
    place.sh(f"{place.ctl} delete-transient-ports")
    assert place.sh("ovs-vsctl list-ports br0") == ""
    place.sh(f"{place.ctl} --system-id=random --delete-bridges restart")
    assert place.sh("ovs-vsctl list-br") == ""


def test_stop_ends_one_daemon_or_both(place):
    assert "ovsdb-server" not in place.sh(f"{place.ctl} --no-ovsdb-server stop")
    status = place.run(f"{place.ctl} status")
    assert status.returncode == 1 and status.stdout.splitlines()[1] == "ovs-vswitchd is not running"
    out = place.sh(f"{place.ctl} stop")
    assert "ovs-vswitchd is not running." in out and re.search(r"^Exiting ovsdb-server \(\d+\)\.$", out, re.M)
    assert place.run(f"{place.ctl} status").returncode == 1
    assert place.sh(f"{place.ctl} stop") == "ovs-vswitchd is not running.\novsdb-server is not running.\n"


@pytest.mark.parametrize("words, said", [
    ("", "missing command name"), ("bogus", 'unknown command "bogus"'), ("start stop", "exactly one non-option"),
    ("--external-id=x start", "not in the form"), ("--ovs-vswitchd-wrapper=x start", "unknown wrapper"),
    ("--no-ovs-vswitchd force-reload-kmod", "do not go together")])
def test_wrong_arguments_are_refused(place, words, said):
    done = place.run(f"{place.ctl} {words}")
    assert done.returncode == 1 and said in done.stderr


def test_help_and_version(place):
    assert "record-hostname-if-not-set" in place.sh(f"{place.ctl} help")
    assert "(Open vSwitch) 4.0.90" in place.sh(f"{place.ctl} --version")
    assert place.sh(f"{place.ctl} version").startswith("ovsdb-server (Open vSwitch)")
