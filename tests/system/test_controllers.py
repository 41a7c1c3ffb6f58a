"""Controller and Manager rows: what they set, and the status that is written into them.

    h1 ---- p1 [ br0 ] ---- a controller on 127.0.0.1, which counts what it is sent
"""
import json
import re

import pytest
from place import switch_place

PACKET_IN, PORT_STATUS = "10", "12"


@pytest.fixture(name="place")
def fixture_place():
    with switch_place(1) as p:
        p.sh("ovs-vsctl add-br br0 -- set-fail-mode br0 secure -- add-port br0 p1")
        p.sh(f"setsid /usr/bin/python3 tests/system/fake_controller.py 6653 {p.dir}/counts >/dev/null 2>&1 &")
        p.wait("the controller listens", lambda: "127.0.0.1:6653" in p.sh("ss -lnt"))
        yield p


def column(place, what):
    return place.sh(f"ovs-vsctl get controller br0 {what}").strip()


def counts(place):
    text = place.run(f"cat {place.dir}/counts").stdout
    return json.loads(text) if text else {}


def flood(place, n):
    place.sh("ip netns exec h1 /usr/bin/python3 -c 'import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); "
             f"[(s.sendto(b\"x\", (\"10.0.0.2\", 9)), time.sleep(0.001)) for i in range({n})]'")


def connect(place, settings=""):
    place.sh(f"ovs-vsctl set-controller br0 tcp:127.0.0.1:6653 {settings}")
    place.wait("connected", lambda: column(place, "is_connected") == "true")


def test_status_tells_of_a_controller_that_comes_and_goes(place):
    place.sh("ovs-vsctl set-controller br0 tcp:127.0.0.1:6999 -- set controller br0 max_backoff=1000")
    place.wait("an error", lambda: "last_error" in column(place, "status"))
    assert 'last_error="Connection refused"' in column(place, "status")
    assert re.search(r"state=(BACKOFF|CONNECTING)", column(place, "status"))
    assert column(place, "is_connected") == "false"
    connect(place)
    place.wait("active", lambda: re.search(r'sec_since_connect="\d+".*state=ACTIVE', column(place, "status")))
    assert column(place, "role") == "other"
    place.sh("ss -K dport = 6653 >/dev/null")
    place.sh("ovs-appctl bridge/reconnect br0")
    place.wait("told of the end", lambda: re.search(r'sec_since_disconnect="\d+"', column(place, "status")))


def test_role_is_what_the_controller_asked_for(place):
    place.sh(f"touch {place.dir}/counts.master")
    connect(place)
    place.wait("the role", lambda: column(place, "role") == "master")


def test_a_rate_limit_holds_packet_ins_back(place):
    connect(place, "-- set controller br0 controller_rate_limit=100 controller_burst_limit=25")
    place.sh("ovs-ofctl -O OpenFlow13 add-flow br0 actions=controller")
    place.sh("ip -n h1 neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0")
    flood(place, 1000)
    place.wait("packet-ins", lambda: counts(place).get(PACKET_IN, 0) > 20)
    limited = counts(place)[PACKET_IN]
    sent = int(re.search(r"n_packets=(\d+)", place.sh("ovs-ofctl dump-flows br0")).group(1))
    assert limited < sent / 2
    place.sh("ovs-vsctl clear controller br0 controller_rate_limit -- clear controller br0 controller_burst_limit")
    place.wait("connected", lambda: column(place, "is_connected") == "true")
    flood(place, 1000)
    place.wait("all packet-ins", lambda: counts(place)[PACKET_IN] >= limited + 900)


def test_asynchronous_messages_can_be_turned_off(place):
    connect(place, "-- set controller br0 enable_async_messages=false")
    place.sh("ip link set p1 down && ip link set p1 up")
    place.sh("ovs-vsctl set controller br0 enable_async_messages=true")
    place.wait("connected", lambda: column(place, "is_connected") == "true")
    assert PORT_STATUS not in counts(place)
    place.sh("ip link set p1 down && ip link set p1 up")
    place.wait("a port status", lambda: counts(place).get(PORT_STATUS, 0) > 0)


def test_dscp_marks_the_connection(place):
    connect(place)
    assert "tos:0xc0" in place.sh("ss -tni --tos dport = 6653")
    place.sh("ovs-vsctl set controller br0 other_config:dscp=10")
    assert "tos:0x28" in place.sh("ss -tni --tos dport = 6653")


def test_status_of_a_manager(place):
    place.sh("ovs-appctl -t ovsdb-server ovsdb-server/add-remote db:Open_vSwitch,Open_vSwitch,manager_options")
    place.sh("ovs-vsctl set-manager ptcp:0:127.0.0.1 ")
    place.sh("ovs-vsctl set manager ptcp:0:127.0.0.1 other_config:dscp=10")
    port = r'bound_port="(\d+)"'
    place.wait("a port", lambda: re.search(port, place.sh("ovs-vsctl get manager . status")), 12)
    n = re.search(port, place.sh("ovs-vsctl get manager . status")).group(1)
    place.sh(f"setsid ovsdb-client monitor tcp:127.0.0.1:{n} Open_vSwitch Bridge name >/dev/null 2>&1 &")
    place.wait("connected", lambda: "true" in place.sh("ovs-vsctl get manager . is_connected"), 12)
    assert re.search(r'n_connections="1"|state=ACTIVE', place.sh("ovs-vsctl get manager . status"))


def test_locks_in_the_status_of_a_manager(place):
    """ovs-vswitchd.conf.db(5), Manager.status."""
    def status():
        return place.sh("ovs-vsctl get manager . status")

    def client(command, target, lock):
        place.sh(f"setsid ovsdb-client {command} unix:{place.dir}/{target} {lock} >/dev/null 2>&1 & "
                 f"echo $! >>{place.dir}/lock-clients")

    place.sh("ovs-appctl -t ovsdb-server ovsdb-server/add-remote db:Open_vSwitch,Open_vSwitch,manager_options")
    place.sh("ovs-vsctl set-manager punix:m.sock")
    place.wait("the socket", lambda: not place.run(f"test -S {place.dir}/m.sock").returncode)
    client("lock", "m.sock", "L1")
    place.wait("the lock is held", lambda: 'locks_held=L1' in status(), 12)
    client("steal", "db.sock", "L1")
    place.wait("it is lost, and waited for",
               lambda: 'locks_lost="1"' in status() and "locks_waiting=L1" in status(), 12)
    assert "locks_held" not in status()
    place.sh(f"kill $(cat {place.dir}/lock-clients)")
    place.sh("ovs-vsctl del-manager")


def test_in_band_control_gives_the_local_port_its_address_and_knows_the_next_hop(place):
    place.sh("ovs-vsctl del-controller br0; ovs-vsctl set-controller br0 tcp:10.77.0.9:6653")
    place.sh("ovs-vsctl set controller br0 local_ip=10.77.0.1 local_netmask=255.255.255.0 local_gateway=10.77.0.254")
    place.wait("the address", lambda: "inet 10.77.0.1/24 brd 10.77.0.255" in place.sh("ip addr show br0"))
    place.wait("the route", lambda: "default via 10.77.0.254 dev br0 \n" in place.sh("ip route"))
    log = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    assert "|bridge|INFO|bridge br0: configured IP address 10.77.0.1, netmask 255.255.255.0\n" in log
    assert "|bridge|INFO|bridge br0: configured gateway 10.77.0.254\n" in log
    place.sh("ip neigh replace 10.77.0.9 lladdr 02:00:00:00:77:09 dev br0")
    flows = "ovs-appctl bridge/dump-flows br0"
    place.wait("rules of the next hop", lambda: "priority=180003,arp,dl_dst=02:00:00:00:77:09,arp_op=2" in
               place.sh(flows))
    assert "priority=180004,arp,dl_src=02:00:00:00:77:09,arp_op=1" in place.sh(flows)
    place.sh("ovs-vsctl set controller br0 local_ip=10.78.0.1 local_gateway=10.99.0.1")
    place.wait("another address", lambda: "inet 10.78.0.1/24" in place.sh("ip addr show br0"))
    assert "10.77.0.1" not in place.sh("ip addr show br0")
    place.wait("no such gateway", lambda: "|netdev_linux|WARN|ioctl(SIOCADDRT): Network is unreachable" in
               place.sh(f"cat {place.dir}/ovs-vswitchd.log"))
    place.wait("no route", lambda: "|in_band|WARN|br0: cannot find route for controller (10.77.0.9): No such device or"
               " address" in place.sh(f"cat {place.dir}/ovs-vswitchd.log"))
    place.sh("ovs-vsctl set controller br0 connection_mode=out-of-band")
    place.wait("no rules", lambda: "priority=180" not in place.sh(flows))
