"""QoS by the kernel: what it is told, and what becomes of packets; beside Debian's switch.

    h1 ---------- p1 (1) [ br0 ]
    h2 ---------- p2 (2) [     ]

What comes from h2 is sent to p1, whose queues are looked at.
"""
import os
import re
import time

import pytest
from place import Place, switch_place

EXPECTED = "Failed to install new qdisc|loss should be"

# As root of a host: frames to a UDP port each, at once.
SENDER = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for text in sys.argv[1:]:
    port, n, size = (int(word) for word in text.split(","))
    frame = bytes.fromhex("020000000101" "020000000102" "0800" "4500") + (size - 14).to_bytes(2, "big")
    frame += bytes.fromhex("000000004011" "0000" "0a000002" "0a000001") + port.to_bytes(2, "big") * 2
    frame += (size - 34).to_bytes(2, "big") + bytes(size - 40)
    for _ in range(n):
        s.send(frame)
"""


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(1, 2, expected=EXPECTED) as p:
        p.sh("for h in 1 2; do ip netns exec h$h sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1;"
             " sysctl -qw net.ipv6.conf.p$h.disable_ipv6=1; done")
        yield p


@pytest.fixture(name="bridge", autouse=True)
def fixture_bridge(request):
    if "place" not in request.fixturenames:
        yield
        return
    place = request.getfixturevalue("place")
    place.sh("ovs-vsctl --timeout=60 add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
             " -- add-port br0 p1 -- set interface p1 ofport_request=1"
             " -- add-port br0 p2 -- set interface p2 ofport_request=2")
    yield
    place.sh("ovs-vsctl --timeout=30 --if-exists del-br br0 && ovs-vsctl -- --all destroy qos -- --all destroy queue")
    place.sh("for d in p1 p2; do tc qdisc del dev $d root 2>/dev/null; done; true")


def set_qos(port, text, queues=None):
    """A command that makes a QoS of that 'type=...' with queues: number -> keys."""
    queues = queues or {}
    return (f"ovs-vsctl --timeout=60 set port {port} qos=@q -- --id=@q create qos {text} "
            + " ".join(f"queues:{n}=@q{n}" for n in queues)
            + "".join(f" -- --id=@q{n} create queue external_ids:a=b {keys}" for n, keys in queues.items())
            + " >/dev/null")


def classes(place, port="p1"):
    """Minor number -> packets, bytes, dropped."""
    found = re.findall(r"class \w+ 1:(\w+) .*\n Sent (\d+) bytes (\d+) pkt \(dropped (\d+)",
                       place.sh(f"tc -s class show dev {port}"))
    return {int(minor, 16): (int(packets), int(n_bytes), int(dropped)) for minor, n_bytes, packets, dropped in found}


def send(place, *what):
    place.sh(f"ip netns exec h2 /usr/bin/python3 -c '{SENDER}' {' '.join(what)}")


def by_port(place):
    """Each UDP port N to queue N; 0 without one."""
    flows = ["udp,in_port=2,tp_dst=0,actions=1"]
    flows += [f"udp,in_port=2,tp_dst={n},actions=set_queue:{n},1" for n in range(1, 10)]
    place.sh("ovs-ofctl del-flows br0 && ovs-ofctl add-flows br0 - <<E\n" + "\n".join(flows) + "\nE")


def test_packets_of_a_queue_are_in_its_class(place):
    place.sh(set_qos("p1", "type=linux-htb other_config:max-rate=1000000000",
                     {1: "", 3: "other_config:min-rate=5000000", 4: ""}))
    by_port(place)
    send(place, "0,5,100", "1,7,200", "3,11,300", "4,13,400", "5,17,100")  # There is no queue 5.
    place.wait("all have left", lambda: classes(place).get(0xfffe, (0,))[0] == 53)
    assert {minor: counts[0] for minor, counts in classes(place).items()} == {0xfffe: 53, 1: 22, 2: 7, 4: 11, 5: 13}
    assert classes(place)[4] == (11, 3300, 0)
    shown = place.sh("ovs-appctl qos/show p1")
    assert re.findall(r"(Default|Queue \d+):", shown) == ["Default", "Queue 1", "Queue 3", "Queue 4"]
    assert re.findall(r"tx_packets: (\d+)", shown) == ["22", "7", "11", "13"]
    assert re.findall(r"queue (\d): bytes=(\d+), pkts=(\d+), errors=0", place.sh("ovs-ofctl queue-stats br0 p1")) == [
        ("0", "2200", "22"), ("1", "1400", "7"), ("3", "3300", "11"), ("4", "5200", "13")]
    assert "queue 3: bytes=3300, pkts=11" in place.sh("ovs-ofctl queue-stats br0 p1 3")
    assert "BAD_QUEUE" in place.sh("ovs-ofctl queue-stats br0 p1 5")
    assert re.findall(r"queue (\d+):", place.sh("ovs-ofctl queue-get-config br0 p1")) == ["0", "1", "3", "4"]
    sent = re.search(r"tx pkts=(\d+), bytes=\d+, drop=0,", place.sh("ovs-ofctl dump-ports br0 p1"))
    assert 53 <= int(sent.group(1)) < 60  # And what the device sent when it came up.


def test_enqueue_is_to_a_queue_and_its_end_the_end(place):
    place.sh(set_qos("p1", "type=linux-htb", {2: ""}) +
             " && ovs-ofctl add-flow br0 in_port=2,actions=enqueue:1:2,1")
    send(place, "7,5,100")
    place.wait("both copies have left", lambda: classes(place).get(0xfffe, (0,))[0] == 10)
    assert (classes(place)[1][0], classes(place)[3][0]) == (5, 5)


def test_a_full_queue_leaves_the_others_alone(place):
    place.sh(set_qos("p1", "type=linux-htb other_config:max-rate=1000000000",
                     {1: "other_config:min-rate=8000 other_config:max-rate=16000",
                      2: "other_config:min-rate=100000000"}))
    by_port(place)
    send(place, "1,3000,1400")  # A minute's worth is a hundred of them.
    place.wait("it is full", lambda: classes(place)[2][2] > 0)
    send(place, "2,100,100", "0,50,100")
    place.wait("the others have left", lambda: classes(place)[3][0] == 100 and classes(place)[1][0] == 50)
    counts = classes(place)
    assert counts[2][0] < 1000 and counts[3][2] == counts[1][2] == 0
    dropped = int(re.search(r"tx pkts=.*?drop=(\d+)", place.sh("ovs-ofctl dump-ports br0 p1")).group(1))
    assert dropped >= counts[2][2] > 0
    assert f"errors={counts[2][2]}," in place.sh("ovs-ofctl queue-stats br0 p1 1")
    place.sh("ovs-vsctl --timeout=30 clear port p1 qos")  # Does not wait for what is in the queue.
    assert place.sh("tc class show dev p1") == "" and place.sh("ovs-appctl qos/show p1") == "QoS not configured on p1\n"
    send(place, "1,10,100")
    place.wait("all pass", lambda: int(re.search(r"rx:.*?pkts=(\d+)|tx pkts=(\d+)", place.sh(
        "ovs-ofctl dump-ports br0 p1 | grep tx")).group(2)) >= counts[2][0] + 160)


def test_only_what_changes_is_told(place):
    """Classes that stay keep their counters, and what waits in them."""
    place.sh(set_qos("p1", "type=linux-htb", {1: "", 2: ""}))
    by_port(place)
    send(place, "1,5,100", "2,6,100", "0,7,100")
    place.wait("all have left", lambda: classes(place)[0xfffe][0] == 18)
    place.sh("ovs-vsctl --timeout=30 set qos . other_config:max-rate=500000000")
    place.sh("ovs-vsctl --timeout=30 set queue $(ovs-vsctl get qos . queues:2) other_config:min-rate=7000000")
    place.sh("ovs-vsctl --timeout=30 set qos . queues:8=@a -- --id=@a create queue other_config:min-rate=6000000")
    shown = place.sh("tc class show dev p1")
    assert "class htb 1:3 parent 1:fffe prio 0 rate 7Mbit ceil 500Mbit" in shown
    assert "class htb 1:9 parent 1:fffe prio 0 rate 6Mbit ceil 500Mbit" in shown
    assert {m: c[0] for m, c in classes(place).items()} == {0xfffe: 18, 1: 7, 2: 5, 3: 6, 9: 0}
    place.sh("ovs-vsctl --timeout=30 remove qos . queues 1")
    assert {m: c[0] for m, c in classes(place).items()} == {0xfffe: 18, 1: 7, 3: 6, 9: 0}
    send(place, "1,5,100", "8,2,100")  # What was queue 1's is now for none.
    place.wait("all have left", lambda: {m: c[0] for m, c in classes(place).items()} ==
               {0xfffe: 25, 1: 12, 3: 6, 9: 2})


def test_two_ports_of_one_row_each_have_theirs(place):
    place.sh(set_qos("p1", "type=linux-htb other_config:max-rate=3000000", {1: ""}) +
             " && ovs-vsctl --timeout=30 set port p2 qos=$(ovs-vsctl get port p1 qos)")
    assert sorted(classes(place, "p1")) == sorted(classes(place, "p2")) == [1, 2, 0xfffe]
    place.sh("ovs-vsctl -- clear port p1 qos -- clear port p2 qos -- --all destroy qos -- --all destroy queue")
    assert classes(place, "p1") == classes(place, "p2") == {}


def test_what_a_daemon_before_has_left_goes_on(place):
    place.sh(set_qos("p1", "type=linux-htb", {1: "", 2: ""}))
    by_port(place)
    send(place, "1,5,100", "2,6,100")
    place.wait("all have left", lambda: classes(place)[0xfffe][0] == 11)
    place.kill("ovs-vswitchd")
    place.sh("ovs-vsctl --no-wait remove qos . queues 2 -- set qos . queues:4=@a"
             " -- --id=@a create queue other_config:min-rate=9000000")
    place.start_switch()
    place.wait("it is as it is to be", lambda: sorted(classes(place)) == [1, 2, 5, 0xfffe], 30)
    assert classes(place)[2][0] == 5 and "1:5 parent 1:fffe prio 0 rate 9Mbit" in place.sh("tc class show dev p1")
    # A port that goes leaves its device as it is; when it comes back without a QoS there is none.
    place.sh("ovs-vsctl --timeout=30 del-port p1")
    assert sorted(classes(place)) == [1, 2, 5, 0xfffe]
    place.sh("ovs-vsctl --timeout=30 add-port br0 p1")
    assert classes(place) == {}


def test_disciplines_of_others(place):
    foreign = "tc qdisc add dev p1 root handle 7: tbf rate 1mbit burst 10kb latency 10ms"
    place.sh(f"ovs-vsctl --timeout=30 del-port p1 && {foreign} && ovs-vsctl --timeout=30 add-port br0 p1")
    assert "tbf" not in place.sh("tc qdisc show dev p1")
    # One that comes later stays until a QoS is wanted.
    place.sh(f"{foreign} && ovs-vsctl --timeout=30 set port p1 external_ids:a=b")
    assert "tbf 7:" in place.sh("tc qdisc show dev p1")
    place.sh(set_qos("p1", "type=linux-noop"))
    assert "tbf 7:" in place.sh("tc qdisc show dev p1")
    assert place.sh("ovs-appctl qos/show p1") == "QoS not configured on p1\n"
    place.sh("ovs-vsctl --timeout=30 set qos . type=linux-htb")
    assert sorted(classes(place)) == [1, 0xfffe]
    place.sh("ovs-vsctl --timeout=30 set qos . type=linux-noop")
    assert sorted(classes(place)) == [1, 0xfffe]
    place.sh("ovs-vsctl --timeout=30 set qos . type=linux-htb other_config:max-rate=5000000")
    # What somebody takes away is made again when something changes.
    place.sh("tc qdisc del dev p1 root")
    place.sh("ovs-vsctl --timeout=30 set qos . other_config:max-rate=6000000")
    assert "rate 6Mbit" in place.sh("tc class show dev p1")
    # One of the same kind that is not ours, at the start.
    place.sh("ovs-vsctl --timeout=30 del-port p1 && tc qdisc del dev p1 root"
             " && tc qdisc add dev p1 root handle 1: htb default 9"
             " && tc class add dev p1 parent 1: classid 1:9 htb rate 1mbit"
             " && ovs-vsctl --timeout=30 add-port br0 p1 -- set port p1 qos=$(ovs-vsctl get qos . _uuid)")
    assert sorted(classes(place)) == [1, 0xfffe]
    assert "default 0x1 " in place.sh("tc qdisc show dev p1")


def test_thousands_of_queues(place):
    n = 2000
    with open(f"{place.root}{place.dir}/many", "w", encoding="ascii") as f:
        f.write(set_qos("p1", "type=linux-htb other_config:max-rate=1000000000",
                        {i: f"other_config:min-rate={10000 + i * 1000}" for i in range(1, n + 1)}))
    turns = int(place.sh("ovs-appctl coverage/read-counter reconcile_turns"))
    place.sh(f"sh {place.dir}/many")
    assert len(classes(place)) == n + 2  # When ovs-vsctl ends.
    assert int(place.sh("ovs-appctl coverage/read-counter reconcile_turns")) > turns
    assert place.sh("ovs-appctl qos/show p1").count("tx_packets: 0") == n + 1
    assert place.sh("ovs-ofctl queue-stats br0 p1").count("pkts=0") == n + 1
    # Changed while it is under way: the last one holds.
    place.sh("for r in 2 3 4 5; do ovs-vsctl --no-wait set qos . other_config:max-rate=${r}00000000; done"
             " && ovs-vsctl --timeout=60 set qos . external_ids:a=b")
    shown = place.sh("tc class show dev p1")
    assert shown.count("ceil 500Mbit") == n + 2, shown[:500]
    place.sh(f"ovs-vsctl --timeout=60 remove qos . queues {' '.join(str(i) for i in range(2, n + 1))}")
    assert sorted(classes(place)) == [1, 2, 0xfffe]


def test_descriptors_are_given_back(place):
    place.sh(set_qos("p1", "type=linux-htb", {n: "" for n in range(1, 10)}))
    by_port(place)
    place.sh("ovs-appctl coverage/show >/dev/null")

    def n_sockets():
        return int(place.sh("wc -l </proc/net/packet"))  # Not descriptors: connections that end are among those.

    before = n_sockets()
    send(place, *(f"{n},3,100" for n in range(1, 10)))
    place.wait("all have left", lambda: classes(place)[0xfffe][0] == 27)
    assert n_sockets() == before + 9
    place.sh("ovs-vsctl --timeout=30 remove qos . queues 1 2 3 4")
    place.wait("four have gone", lambda: n_sockets() == before + 5)
    place.sh("ovs-vsctl --timeout=30 del-port p1")
    place.wait("all have gone", lambda: n_sockets() < before)


# What is looked at after each step, ours beside Debian's.
STEPS = [
    "ovs-appctl qos/show-types p1",
    "ovs-appctl qos/show-types br0",
    set_qos("p1", "type=linux-htb other_config:max-rate=10000000",
            {0: "other_config:min-rate=1000000",
             3: "other_config:min-rate=2000000 other_config:max-rate=5000000 other_config:burst=80000"
                " other_config:priority=7"}),
    "ovs-vsctl set qos . other_config:max-rate=20000000",
    "ovs-vsctl set queue $(ovs-vsctl get qos . queues:3) other_config:min-rate=3000000",
    "ovs-vsctl set qos . queues:5=@c -- --id=@c create queue other_config:min-rate=1 >/dev/null",
    "ovs-vsctl remove qos . queues 5",
    "ovs-vsctl remove qos . queues 0",
    *(f"ovs-vsctl set qos . other_config:max-rate={text}" for text in
      ("0", "8000", "abc", "8000abc", "0x100000", "+800000", "1e6", "18446744073709551616", "30000000000")),
    "ovs-vsctl remove qos . other_config max-rate",
    "ovs-vsctl set qos . other_config:nonsense=1 queues:1=@a queues:2=@b queues:4=@c queues:6=@d queues:7=@e"
    " queues:8=@f -- --id=@a create queue other_config:min-rate=0 -- --id=@b create queue other_config:burst=12519"
    " -- --id=@c create queue other_config:burst=12520 -- --id=@d create queue other_config:min-rate=119999"
    " -- --id=@e create queue other_config:min-rate=120000 other_config:max-rate=1"
    " -- --id=@f create queue other_config:priority=8 other_config:min-rate=x other_config:burst=y >/dev/null",
    "ovs-vsctl set qos . queues:61439=@a queues:61440=@b queues:4294967295=@b -- --id=@a create queue dscp=1"
    " -- --id=@b create queue dscp=2 >/dev/null",
    "ovs-vsctl clear port p1 qos",
    "ovs-vsctl -- --all destroy qos -- --all destroy queue",
    "ip link set p1 mtu 9000",
    set_qos("p1", "type=linux-htb other_config:max-rate=10000000", {1: "", 2: "other_config:min-rate=1000000"}),
    "ovs-vsctl -- clear port p1 qos -- --all destroy qos -- --all destroy queue",
    set_qos("br0", "type=linux-htb other_config:max-rate=10000000", {1: ""}),
    "ovs-vsctl -- clear port br0 qos -- --all destroy qos -- --all destroy queue",
    set_qos("br0", "type=linux-htb", {1: ""}),
]


def said(reference):
    p = Place(reference=reference)
    try:
        p.start_database()
        p.start_switch()
        p.host(1)
        p.sh("ovs-vsctl --timeout=60 add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
             " -- add-port br0 p1")
        shown = []
        for step in STEPS:
            out = p.sh(step)
            p.wait("the step is done", lambda: p.run("ovs-vsctl --timeout=10 set bridge br0 external_ids:a=b")
                   .returncode == 0)
            sections = [sorted(re.sub(r" *tx_\w+: \d+\n", "", p.sh(f"ovs-appctl qos/show {d}")).split("\n\n"))
                        for d in ("p1", "br0")]
            tc = [sorted(re.sub("direct_packets_stat .*", "", p.sh(f"tc -d {what} show dev {d}")).split("\n"))
                  for what in ("qdisc", "class", "filter") for d in ("p1", "br0")]
            shown.append((step, out, [[s.strip() for s in each] for each in sections], tc))
        return shown
    finally:
        p.leave()


def test_the_kernel_is_told_what_debian_s_tells_it():
    for ours, theirs in zip(said(False), said(True), strict=True):
        assert ours == theirs


@pytest.mark.parametrize("kind, keys, wanted", (
    ("hfsc", "max-rate=8000000", "default 1"),
    ("sfq", "perturb=7 other_config:quantum=3000", "quantum 3000b .*perturb 7sec"),
    ("codel", "target=7000 other_config:limit=100 other_config:interval=90000", "limit 100p target 7ms interval 90ms"),
    ("fq_codel", "flows=16 other_config:quantum=300", "limit 10240p flows 16 quantum 300 target 5ms interval"),
    ("netem", "latency=5000 other_config:jitter=1000 other_config:loss=5 other_config:limit=50",
     r"limit 50 delay 5ms  1ms loss 5%")))
def test_types_that_a_kernel_may_not_have(place, kind, keys, wanted):
    """With one that has it: it is there; else nothing is, and the log says so, once."""
    place.sh(set_qos("p1", f"type=linux-{kind} other_config:{keys}", {1: ""}))
    shown = place.sh("ovs-appctl qos/show p1")
    has = place.run(f"tc qdisc add dev p2 root {kind} && tc qdisc del dev p2 root").returncode == 0
    assert has or not os.environ.get("WEFT_WHOLE_KERNEL")
    assert (f"QoS: p1 linux-{kind}\n" in shown) == has
    assert bool(re.search(f"qdisc {kind} 1: root .*{wanted}", place.sh("tc qdisc show dev p1"))) == has
    place.sh("ovs-vsctl --timeout=30 set port p1 external_ids:a=b && ovs-vsctl --timeout=30 set qos . external_ids:a=b")
    assert place.sh(f"grep -c 'p1: Failed to install new qdisc: No such file or directory.*kind {kind}$'"
                    f" {place.dir}/ovs-vswitchd.log || true").strip() == ("0" if has else "1")
    if has:  # A key that changes changes the discipline.
        place.sh("ovs-vsctl --timeout=30 set qos . other_config:max-rate=9000000 other_config:limit=77")
        assert bool(re.search("limit 77p? ", place.sh("tc qdisc show dev p1"))) == (kind not in ("hfsc", "sfq"))
    else:
        assert shown == "QoS not configured on p1\n"
        assert "0 queues" in place.sh("ovs-ofctl queue-stats br0 p1")
    # Something else that it has works then.
    place.sh("ovs-vsctl --timeout=30 set qos . type=linux-htb")
    assert sorted(classes(place)) == [1, 2, 0xfffe]


def test_nonsense(place):
    place.sh(set_qos("p1", "type=linux-netem other_config:loss=101"))
    log = place.sh(f"grep netdev_linux {place.dir}/ovs-vswitchd.log | tail -n 2")
    assert "p1: loss should be a percentage value between 0 to 100, loss was 101" in log
    assert "p1: Failed to install new qdisc: Invalid argument" in log
    place.sh("ovs-vsctl --timeout=30 clear port p1 qos && " + set_qos("p1", "type=linux-nothing"))
    assert "QoS type \"linux-nothing\" is not supported by interface p1" in place.sh(
        f"cat {place.dir}/ovs-vswitchd.log")
    place.sh("ovs-vsctl --timeout=30 clear port p1 qos && " +
             set_qos("p1", "type=linux-htb other_config:max-rate=18446744073709551615",
                     {1: "other_config:min-rate=18446744073709551615 other_config:burst=18446744073709551615"
                         " other_config:priority=18446744073709551615 other_config:max-rate=-1",
                      2: "other_config:min-rate=-5 other_config:burst=-5 other_config:priority=-5",
                      61440: ""}))
    assert sorted(classes(place)) == [1, 2, 3, 0xfffe]
    assert "1 queues of 61440 and above are left out" in place.sh(f"tail -n 1 {place.dir}/ovs-vswitchd.log")
    by_port(place)
    send(place, "1,5,100", "2,5,100")
    place.wait("all have left", lambda: classes(place)[0xfffe][0] == 10)


def test_queues_come_and_go_under_load(place):
    """However often: each frame has left or is counted."""
    place.sh(set_qos("p1", "type=linux-htb other_config:max-rate=100000000", {1: "", 2: "", 3: ""}))
    by_port(place)
    words = " ".join(f"{n},20000,60" for n in (1, 2, 3))
    place.sh(f"ip netns exec h2 /usr/bin/python3 -c '{SENDER}' {words} >/dev/null 2>&1 & echo")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        place.sh("ovs-vsctl --timeout=30 remove qos . queues 2 && ovs-vsctl --timeout=30 set qos . queues:2=@a"
                 " -- --id=@a create queue other_config:min-rate=50000")
        place.sh("ovs-vsctl --timeout=30 set qos . type=linux-noop && ovs-vsctl --timeout=30 set qos . type=linux-htb")
        place.sh("ovs-vsctl --timeout=30 clear port p1 qos"
                 " && ovs-vsctl --timeout=30 set port p1 qos=$(ovs-vsctl get qos . _uuid)")
    assert sorted(classes(place)) == [1, 2, 3, 4, 0xfffe]
    assert place.sh("ovs-appctl qos/show p1").startswith("QoS: p1 linux-htb\n")
