"""Debian's OVN on our ovsdb-server and ovs-vswitchd, with the userspace datapath.

        a 192.168.0.10   b 192.168.0.11   d (by DHCP)      c 192.168.1.10          e 172.16.0.100
              |                |              |                  |                     |
        ------+-- switch s0 ---+--------------+------    -- switch s1 --       -- switch ext --
                       |                                       |                     |
                       +-------------- router r ---------------+---------------------+

Hosts are network namespaces; ovn-northd and ovn-controller are Debian's.  The cases build on one another."""
import shutil
import sys

import pytest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/system")
from place import Place  # noqa: E402

NB, SB = "unix:/tmp/d/ovnnb_db.sock", "unix:/tmp/d/ovnsb_db.sock"
DAEMON = "--detach --no-chdir -vconsole:off"

DISCOVER = """
from scapy.all import BOOTP, DHCP, Ether, IP, UDP, conf, srp1
conf.checkIPaddr = False
mac = "02:00:00:00:00:77"
got = srp1(Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") /
           UDP(sport=68, dport=67) / BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=7) /
           DHCP(options=[("message-type", "discover"), "end"]), iface="eth0", timeout=5, verbose=0)
print(got[BOOTP].yiaddr if got else "no offer")
"""


def nb(place, command):
    return place.sh(f"OVN_RUNDIR=/tmp/d ovn-nbctl --db={NB} {command}")


def sync(place):
    nb(place, "--timeout=30 --wait=hv sync")


def host(place, name, switch, address, mac, gateway=None):
    nb(place, f"lsp-add {switch} {name} -- lsp-set-addresses {name} '{mac} {address}'")
    place.sh(f"ip netns add {name} && ip link add v{name} type veth peer name eth0 address {mac} netns {name} && "
             f"ip link set v{name} up && ip -n {name} link set lo up && ip -n {name} link set eth0 up && "
             f"ovs-vsctl add-port br-int v{name} -- set interface v{name} external-ids:iface-id={name}")
    if gateway:
        place.sh(f"ip -n {name} addr add {address}/24 dev eth0 && ip -n {name} route add default via {gateway}")


def router_port(place, switch, address, mac):
    nb(place, f"lrp-add r r-{switch} {mac} {address}/24 -- lsp-add {switch} {switch}-r -- "
              f"lsp-set-type {switch}-r router -- lsp-set-addresses {switch}-r router -- "
              f"lsp-set-options {switch}-r router-port=r-{switch}")


def start_ovn(place):
    d = place.dir
    for name in ("nb", "sb"):
        place.sh(f"ovsdb-tool create {d}/ovn{name}.db /usr/share/ovn/ovn-{name}.ovsschema && "
                 f"ovsdb-server {d}/ovn{name}.db --remote=punix:{d}/ovn{name}_db.sock --unixctl={d}/{name}.ctl "
                 f"--pidfile={d}/{name}.pid --log-file={d}/{name}.log {DAEMON}")
    nb(place, "init")
    place.sh(f"OVN_RUNDIR={d} ovn-sbctl --db={SB} init")
    place.sh(f"OVN_RUNDIR={d} ovn-northd --ovnnb-db={NB} --ovnsb-db={SB} --pidfile={d}/northd.pid "
             f"--log-file={d}/northd.log {DAEMON}")
    place.sh(f"ovs-vsctl set open . external-ids:system-id=hv1 external-ids:ovn-remote={SB} "
             "external-ids:ovn-encap-type=geneve external-ids:ovn-encap-ip=127.0.0.1 "
             "external-ids:ovn-bridge-datapath-type=netdev "
             "-- add-br br-int -- set bridge br-int datapath_type=netdev fail-mode=secure")
    place.sh(f"OVN_RUNDIR={d} ovn-controller unix:{d}/db.sock --pidfile={d}/ovn-controller.pid "
             f"--log-file={d}/ovn-controller.log {DAEMON}")


@pytest.fixture(scope="module", name="place")
def fixture_place():
    if not shutil.which("ovn-controller"):
        pytest.skip("OVN is not installed")
    p = Place()
    try:
        p.start_database()
        p.start_switch()
        start_ovn(p)
        nb(p, "ls-add s0 -- ls-add s1 -- ls-add ext -- lr-add r")
        router_port(p, "s0", "192.168.0.1", "00:00:00:00:ff:00")
        router_port(p, "s1", "192.168.1.1", "00:00:00:00:ff:01")
        host(p, "a", "s0", "192.168.0.10", "02:00:00:00:00:10", "192.168.0.1")
        host(p, "b", "s0", "192.168.0.11", "02:00:00:00:00:11", "192.168.0.1")
        host(p, "c", "s1", "192.168.1.10", "02:00:00:00:01:10", "192.168.1.1")
        for name in "bc":
            p.sh(f"mkdir /tmp/{name} && echo {name} >/tmp/{name}/index.html && cd /tmp/{name} && "
                 f"(ip netns exec {name} setsid /usr/bin/python3 -m http.server 80 >/dev/null 2>&1 &)")
        sync(p)
        yield p
    finally:
        p.leave()


def pings(place, name, address):
    return place.run(f"ip netns exec {name} ping -q -c 3 -i 0.3 -W 2 {address}").returncode == 0


def fetch(place, name, address):
    return place.run(f"ip netns exec {name} timeout 5 wget -q -O- http://{address}/").stdout.strip()


def test_hosts_of_a_switch_and_of_two_reach_each_other(place):
    place.wait("a reaches b", lambda: pings(place, "a", "192.168.0.11"), 20)
    assert pings(place, "a", "192.168.1.10")
    assert fetch(place, "a", "192.168.1.10") == "c"


def test_an_acl_allows_http_and_its_answers_alone(place):
    nb(place, "acl-add s1 to-lport 1000 'outport == \"c\" && ip4 && tcp.dst == 80' allow-related -- "
              "acl-add s1 to-lport 900 'outport == \"c\" && ip4' drop")
    sync(place)
    assert fetch(place, "a", "192.168.1.10") == "c"
    assert not pings(place, "a", "192.168.1.10")
    nb(place, "acl-del s1")
    sync(place)
    assert pings(place, "a", "192.168.1.10")


def test_a_load_balancer_reaches_both_servers(place):
    nb(place, "lb-add lb0 30.0.0.1:80 192.168.1.10:80,192.168.0.11:80 -- ls-lb-add s0 lb0 -- lr-lb-add r lb0")
    sync(place)
    seen = [fetch(place, "a", "30.0.0.1") for _ in range(24)]
    assert set(seen) == {"b", "c"}, seen


def test_the_router_translates_both_ways(place):
    router_port(place, "ext", "172.16.0.1", "00:00:00:00:ff:09")
    nb(place, "lrp-set-gateway-chassis r-ext hv1 -- lr-nat-add r snat 172.16.0.1 192.168.0.0/24 -- "
              "lr-nat-add r dnat_and_snat 172.16.0.50 192.168.0.11")
    host(place, "e", "ext", "172.16.0.100", "02:00:00:00:09:10", "172.16.0.1")
    place.sh("ip -n e route del default")  # e knows its own network alone.
    sync(place)
    place.wait("a reaches e", lambda: pings(place, "a", "172.16.0.100"), 20)
    assert fetch(place, "e", "172.16.0.50") == "b"
    assert "dst=172.16.0.1," in place.sh("ovs-appctl dpctl/dump-conntrack")


def test_dhcp_is_answered_by_ovn(place):
    uuid = nb(place, "create DHCP_Options cidr=192.168.0.0/24 'options=\"server_id\"=\"192.168.0.1\" "
                     "\"server_mac\"=\"00:00:00:00:ff:00\" \"lease_time\"=\"3600\" \"router\"=\"192.168.0.1\"'").strip()
    host(place, "d", "s0", "192.168.0.77", "02:00:00:00:00:77")
    nb(place, f"lsp-set-dhcpv4-options d {uuid}")
    sync(place)
    with open(f"{place.root}/tmp/discover.py", "w", encoding="ascii") as f:
        f.write(DISCOVER)
    ask = "ip netns exec d timeout 20 /usr/bin/python3 /tmp/discover.py"
    place.wait("an offer", lambda: place.run(ask).stdout.strip() == "192.168.0.77", 40)
