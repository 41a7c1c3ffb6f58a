"""Answers of control commands about many things, made over many turns of the switch's main loop for a client that reads
slowly: others are served meanwhile, and what goes may be missing, but each line is whole and true.  On the dummy
datapath."""
import re

import pytest
from control_client import SlowClient
from place import switch_place

N_FLOWS = 20_000


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(options=["--enable-dummy=override", "--disable-system"]) as p:
        yield p


@pytest.fixture(autouse=True)
def bridge(place):
    place.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure -- add-port br0 p1 "
             "-- set interface p1 type=dummy ofport_request=1")
    yield
    place.sh("ovs-vsctl --if-exists del-br br0")
    assert place.sh("ovs-appctl version")


def turns(place):
    return int(place.sh("ovs-appctl coverage/read-counter ctl_job_turns"))


def without_duration(lines):
    return [re.sub(r"duration=\d+s", "", line) for line in lines]


def add_flows(place):
    with open(f"{place.root}{place.dir}/flows", "w", encoding="ascii") as f:
        f.writelines(f"table={i % 3},priority={i % 7},ip,nw_dst=10.0.{i >> 8}.{i & 255},actions=output:{i % 9 + 1}\n"
                     for i in range(N_FLOWS))
    place.sh(f"ovs-ofctl --bundle add-flows br0 {place.dir}/flows")


def test_flows_are_told_as_they_were_though_they_go_meanwhile(place):
    add_flows(place)
    before = turns(place)
    all_flows = place.sh("ovs-appctl bridge/dump-flows br0").splitlines()
    assert turns(place) > before and len(all_flows) >= N_FLOWS
    assert sum(line.endswith("actions=output:3") for line in all_flows) == len(range(2, N_FLOWS, 9))
    client = SlowClient(place, "bridge/dump-flows", "br0")
    place.sh("ovs-ofctl del-flows br0")
    assert "flow_count=0" in place.sh("ovs-ofctl dump-aggregate br0")
    assert without_duration(client.lines()) == without_duration(all_flows)


def test_an_answer_about_a_bridge_ends_with_it(place):
    add_flows(place)
    all_flows = place.sh("ovs-appctl bridge/dump-flows br0").splitlines()
    client = SlowClient(place, "bridge/dump-flows", "br0")
    leaver = SlowClient(place, "bridge/dump-flows", "br0")
    place.sh("ovs-appctl version")
    leaver.socket.close()
    place.sh("ovs-vsctl del-br br0")
    found = client.lines()
    assert len(found) < len(all_flows)
    assert without_duration(found) == without_duration(all_flows[:len(found)])


def add_megaflows(place):
    with open(f"{place.root}{place.dir}/megaflows", "w", encoding="ascii") as f:
        f.writelines(f"in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.{i >> 8}.{i & 255}) {i % 9}\n"
                     for i in range(N_FLOWS))
    place.sh(f"ovs-appctl dpctl/add-flows {place.dir}/megaflows")


@pytest.mark.parametrize("command", ["dpctl/dump-flows", "dpctl/dump-flows -m", "dpif/dump-flows br0"])
def test_megaflows_that_go_may_be_missing_and_each_is_there_once(place, command):
    add_megaflows(place)
    before = turns(place)
    all_flows = place.sh(f"ovs-appctl {command}").splitlines()
    assert turns(place) > before
    flows = [line for line in all_flows if "10.0." in line]
    assert len(flows) == len(set(flows)) == N_FLOWS
    client = SlowClient(place, *command.split())
    place.sh("ovs-appctl version")
    place.sh("ovs-appctl dpctl/del-flows")
    found, rest = client.lines(), iter(all_flows)
    assert len(found) < len(all_flows)
    assert all(line in rest for line in found)  # In the same order, none twice.
    assert "10.0." not in place.sh(f"ovs-appctl {command}")


def test_megaflows_of_a_file_come_over_many_turns_and_what_is_wrong_is_said(place):
    before = turns(place)
    with open(f"{place.root}{place.dir}/wrong", "w", encoding="ascii") as f:
        f.writelines(f"in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.{i >> 8}.{i & 255}) {i % 9}\n"
                     if i % 1000 != 7 else "nothing\n" for i in range(N_FLOWS))
    said = place.sh(f"ovs-appctl dpctl/add-flows {place.dir}/wrong").splitlines()
    assert said == [f"ovs-vswitchd: Failed parsing line number {i}, skipped!" for i in range(8, N_FLOWS, 1000)]
    assert turns(place) > before
    assert place.sh("ovs-appctl dpctl/dump-flows").count("10.0.") == N_FLOWS - len(said)
    before = turns(place)
    place.sh(f"sed -i 's/^in/delete in/' {place.dir}/wrong; ovs-appctl dpctl/mod-flows {place.dir}/wrong")
    assert turns(place) > before and "10.0." not in place.sh("ovs-appctl dpctl/dump-flows")
    client = SlowClient(place, "dpctl/add-flows", f"{place.dir}/megaflows.txt")
    assert client.lines() == [f"ovs-vswitchd: Opening file \"{place.dir}/megaflows.txt\" failed "
                              "(No such file or directory)"]
    add_megaflows(place)
    waiting = [SlowClient(place, "dpctl/del-flows", f"{place.dir}/megaflows"),
               SlowClient(place, "dpctl/add-flows", f"{place.dir}/megaflows")]
    place.sh("ovs-vsctl del-br br0")
    assert waiting[0].lines() == []
    assert set(waiting[1].lines()) <= {"ovs-vswitchd: updating flow table (File exists)"}


def test_a_megaflow_is_found_by_its_name(place):
    place.sh("""ovs-appctl dpctl/add-flow \
                'ufid:00000000-0000-0000-0000-00000000000a,in_port(1),eth(),eth_type(0x0806),arp()' 1""")
    add_megaflows(place)
    flows = place.sh("ovs-appctl dpctl/dump-flows -m").splitlines()
    names = {line.split(", ")[0]: line for line in flows if line.startswith("ufid:")}
    assert len(names) == N_FLOWS + 1
    for ufid in [*list(names)[::2000], "ufid:00000000-0000-0000-0000-00000000000a"]:
        assert place.sh(f"ovs-appctl dpctl/get-flow -m {ufid}") == names[ufid] + "\n"
        assert "Cache was not found" in place.sh(f"ovs-appctl ofproto/detrace {ufid}")
        place.sh(f"ovs-appctl dpctl/del-flow '{ufid},in_port(1),eth(),eth_type(0x0806),arp()'")
        assert "(No such file or directory)" in place.run(f"ovs-appctl dpctl/get-flow {ufid}").stderr
        assert "UFID was not found" in place.sh(f"ovs-appctl ofproto/detrace {ufid}")
        assert place.run(f"ovs-appctl dpctl/del-flow '{ufid},in_port(1),eth(),eth_type(0x0806),arp()'").returncode


def test_an_answer_about_a_datapath_ends_with_it(place):
    add_megaflows(place)
    all_flows = place.sh("ovs-appctl dpctl/dump-flows").splitlines()
    client = SlowClient(place, "dpctl/dump-flows")
    other = SlowClient(place, "dpif/dump-flows", "br0")
    place.sh("ovs-appctl version")
    place.sh("ovs-vsctl del-br br0")
    for found in client.lines(), other.lines():
        assert 0 < len(found) < len(all_flows) and set(found) <= set(all_flows)


N_ADDRESSES = 8_000


def address(i):
    return f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}"


def add_addresses(place):
    """Half of them on each of two ports."""
    place.sh("ovs-vsctl set bridge br0 other_config:mac-table-size=20000 -- add-port br0 p2 "
             "-- set interface p2 type=dummy ofport_request=2")
    client = SlowClient(place, "version")
    client.lines()
    for i in range(N_ADDRESSES):
        client.ask("fdb/add", "br0", f"p{i % 2 + 1}", "0", address(i))
        assert client.lines() == []


def test_addresses_are_shown_in_order_and_go_with_their_port(place):
    add_addresses(place)
    before = turns(place)
    shown = place.sh("ovs-appctl fdb/show br0").splitlines()
    assert turns(place) > before
    assert shown[0].split() == ["port", "VLAN", "MAC", "Age"]
    entries = [tuple(line.split()) for line in shown[1:]]
    assert entries == [(str(i % 2 + 1), "0", address(i), "static") for i in range(N_ADDRESSES)]
    place.sh("ovs-vsctl del-port p2")
    left = place.sh("ovs-appctl fdb/show br0").splitlines()
    assert left == shown[:1] + shown[1::2]
    assert f"table : {N_ADDRESSES // 2}\n" in place.sh("ovs-appctl fdb/stats-show br0")
    assert place.sh("ovs-appctl fdb/show br0 br0").splitlines() == left + left
    client = SlowClient(place, "fdb/show", *["br0"] * 40)
    place.sh("ovs-vsctl del-br br0")
    found = client.lines()
    while found[-1] == left[0]:
        found.pop()  # The ports went, and the addresses with them, before the bridge.
    assert len(left) < len(found) < 40 * len(left) and found == (40 * left)[:len(found)]


def test_who_waits_for_a_sweep_is_answered_whatever_happens(place):
    add_megaflows(place)
    for change in "true", "ovs-appctl revalidator/pause", "true", "ovs-appctl revalidator/resume":
        waiting = [SlowClient(place, "revalidator/wait"), SlowClient(place, "why-drop", "br0", "ip")]
        SlowClient(place, "revalidator/wait").socket.close()
        place.sh(change)
        assert waiting[0].lines() == []
        assert waiting[1].lines() == ["No packets were dropped."]
    place.sh("ovs-appctl revalidator/wait; ovs-appctl why-drop br0 | grep 'No packets'")
    waiting = [SlowClient(place, "revalidator/wait"), SlowClient(place, "why-drop", "br0")]
    place.sh("ovs-vsctl del-br br0")
    assert waiting[0].lines() == []
    answer = waiting[1].reply()
    assert answer["result"] == "No packets were dropped.\n" or answer["error"] == "br0: no such bridge\n"
