"""Changes of many flows at once, made over many turns of the switch's main loop: everybody sees the tables as they were
or as they are, never anything in between, and is answered meanwhile."""
import contextlib
import functools
import random
import re
import socket
import struct
import threading
import time

import pytest
import openflow_peer
from control_client import SlowClient
from place import switch_place

N_FLOWS = 10_000
V = 5  # OpenFlow 1.4.
ERROR, ECHO, SET_CONFIG, FLOW_REMOVED, FLOW_MOD, GROUP_MOD, MULTIPART = 1, 2, 9, 11, 14, 15, 18
BARRIER, CONTROL, ADD = 20, 33, 34
OPEN, CLOSE, COMMIT = 0, 2, 4
ATOMIC = 1
ADD_FLOW, DELETE = 0, 3
SEND_FLOW_REMOVED = 1
message = functools.partial(openflow_peer.message, V)


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(options=("--enable-dummy=override", "--disable-system")) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=dummy fail_mode=secure "
             "-- add-port br0 p1 -- set interface p1 type=dummy -- add-port br0 p2 -- set interface p2 type=dummy")
        yield p


@pytest.fixture(autouse=True)
def no_flows(place):
    yield
    place.run("ovs-ofctl -O OpenFlow14 del-flows br0; ovs-ofctl -O OpenFlow14 del-groups br0")


def flow(i, command=ADD_FLOW, priority=5, table=0, flags=0):
    """Of the IPv4 address 'i'; without actions it drops."""
    match = struct.pack("!HHIHII2x", 1, 18, 0x80000a02, 0x800, 0x80001804, i)
    return message(FLOW_MOD, struct.pack("!QQBBHHHIIIHH", 0, 0, table, command, 0, 0, priority, 0xffffffff, 0xffffffff,
                                         0xffffffff, flags, 0) + match + bytes(-len(match) % 8))


def delete_all(table=255):
    return message(FLOW_MOD, struct.pack("!QQBBHHHIIIHH", 0, 0, table, DELETE, 0, 0, 0, 0xffffffff, 0xffffffff,
                                         0xffffffff, 0, 0) + struct.pack("!HHI", 1, 4, 0))


def group(i):
    """An "all" group without buckets."""
    return message(GROUP_MOD, struct.pack("!HBxI", 0, 0, i))


def control(bundle, kind):
    return message(CONTROL, struct.pack("!IHH", bundle, kind, ATOMIC), xid=bundle)


def bundled(bundle, messages):
    return b"".join([control(bundle, OPEN), *(message(ADD, struct.pack("!IHH", bundle, 0, ATOMIC) + m, xid=m_xid(m))
                                              for m in messages), control(bundle, CLOSE)])


def m_xid(m):
    return struct.unpack_from("!I", m, 4)[0]


class Peer(openflow_peer.Peer):
    """With what bundles need."""

    def read_control(self, bundle, kind):
        got = self.read()
        assert got[1] == CONTROL and struct.unpack_from("!IH", got, 8) == (bundle, kind + 1), got.hex()

    def prepare(self, bundle, messages):
        """Opens, fills and closes a bundle."""
        self.send(bundled(bundle, messages))
        self.read_control(bundle, OPEN)
        self.read_control(bundle, CLOSE)

    def read_error(self):
        got = self.read()
        assert got[1] == ERROR, got.hex()
        return struct.unpack_from("!HH", got, 8)

    def barrier(self):
        self.send(message(BARRIER, xid=77))
        assert self.read()[1] == BARRIER + 1

    def barrier_behind_initial(self):
        """Behind the reply about the flows that are there when a monitor comes, of which there are none."""
        assert self.read()[1] == MULTIPART + 1
        self.barrier()

    def count(self):
        """The number of flows, by an aggregate request."""
        self.send(message(MULTIPART, struct.pack("!HHIB3xII4xQQHHI", 2, 0, 0, 255, 0xffffffff, 0xffffffff, 0, 0, 1, 4,
                                                 0)))
        return struct.unpack_from("!QQI", self.read(), 16)[2]

    def count_groups(self):
        self.send(message(MULTIPART, struct.pack("!HHI", 7, 0, 0)))
        got, n, at = self.read(), 0, 16
        while at < len(got):
            at += struct.unpack_from("!H", got, at)[0]
            n += 1
        return n

    def listen(self):
        """From now on it is told of what happens."""
        self.send(message(SET_CONFIG, struct.pack("!HH", 0, 128)))
        self.barrier()

    def echo(self):
        self.send(message(ECHO))
        assert self.read()[1] == ECHO + 1


class Watch(threading.Thread):
    """Calls a function again and again and keeps what it returns."""

    def __init__(self, ask):
        super().__init__()
        self.ask, self.seen, self.over, self.failure = ask, [], False, None

    def run(self):
        try:
            while not self.over:
                self.seen.append(self.ask())
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e

    def wait(self):
        """Until it has returned what it was asked for from now on, however slow that is."""
        n = len(self.seen) + 2
        while len(self.seen) < n and not self.failure:
            time.sleep(0.01)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.over = True
        self.join()
        if self.failure:
            raise self.failure


def test_a_bundle_appears_at_once_to_other_connections_that_are_served_meanwhile(place):
    peer, other = Peer(place, V), Peer(place, V)
    peer.prepare(1, [flow(i) for i in range(N_FLOWS)])
    with Watch(other.count) as watch:
        watch.wait()
        peer.send(control(1, COMMIT))
        peer.read_control(1, COMMIT)
        watch.wait()
    assert set(watch.seen) == {0, N_FLOWS}
    assert watch.seen == sorted(watch.seen)


def test_packets_see_all_of_a_bundle_or_nothing(place):
    """The last flow of the bundle gives way to its first: at no time does a packet match only one of the two."""
    place.sh("ovs-ofctl -O OpenFlow14 add-flow br0 table=0,priority=1,actions=output:1")
    peer = Peer(place, V)
    peer.prepare(1, [flow(1, priority=9), *(flow(i) for i in range(10, N_FLOWS)), delete_all(), flow(1, priority=9)])

    def trace():
        return place.sh("ovs-appctl ofproto/trace br0 in_port=2,ip,nw_dst=0.0.0.1 | grep 'Datapath actions'").strip()

    with Watch(trace) as watch:
        watch.wait()
        peer.send(control(1, COMMIT))
        peer.read_control(1, COMMIT)
        watch.wait()
    assert set(watch.seen) == {watch.seen[0], "Datapath actions: drop"} and "drop" not in watch.seen[0]
    assert Peer(place, V).count() == 1


def test_a_bundle_that_fails_at_its_end_leaves_nothing(place):
    peer, other = Peer(place, V), Peer(place, V)
    peer.send(*(flow(i) for i in range(100)))
    peer.prepare(1, [delete_all(), group(1), *(flow(i, priority=8) for i in range(N_FLOWS)), group(1)])
    with Watch(other.count) as watch:
        peer.send(control(1, COMMIT))
        assert peer.read_error() == (6, 0)      # OFPGMFC_GROUP_EXISTS, of the message.
        assert peer.read_error() == (17, 13)    # OFPBFC_MSG_FAILED, of the commit.
    assert set(watch.seen) == {100}
    assert other.count_groups() == 0
    peer.send(control(1, COMMIT))
    assert peer.read_error() == (17, 2)         # OFPBFC_BAD_ID: it is gone.
    peer.prepare(2, [flow(i, priority=8) for i in range(10)])
    peer.send(control(2, COMMIT))
    peer.read_control(2, COMMIT)
    assert other.count() == 110


def test_what_others_want_to_change_comes_after_it(place):
    first, second, third = Peer(place, V), Peer(place, V), Peer(place, V)
    first.prepare(1, [flow(i) for i in range(N_FLOWS)])
    second.prepare(2, [delete_all(), *(flow(i) for i in range(7))])
    first.send(control(1, COMMIT), message(BARRIER))
    time.sleep(0.02)
    second.send(control(2, COMMIT), message(BARRIER))
    third.send(flow(8), message(BARRIER))
    first.read_control(1, COMMIT)
    assert first.read()[1] == BARRIER + 1
    second.read_control(2, COMMIT)
    assert second.read()[1] == BARRIER + 1 and third.read()[1] == BARRIER + 1
    assert Peer(place, V).count() in (7, 8)        # The third one's came before the second's, or after it.


def test_groups_of_a_bundle_are_seen_when_it_is_there(place):
    peer, other = Peer(place, V), Peer(place, V)
    peer.prepare(1, [group(1), group(2), *(flow(i) for i in range(N_FLOWS)), group(3)])
    with Watch(other.count_groups) as watch:
        watch.wait()
        peer.send(control(1, COMMIT))
        peer.read_control(1, COMMIT)
        watch.wait()
    assert set(watch.seen) == {0, 3}


def test_packets_see_the_groups_of_a_bundle_together_with_its_flows(place):
    """Of the many groups that are put in before the bundle is there, one is in the place of another."""
    place.sh("ovs-ofctl -O OpenFlow14 add-group br0 group_id=1,type=all,bucket=output:1; "
             "ovs-ofctl -O OpenFlow14 add-flow br0 priority=1,actions=group:1")
    peer = Peer(place, V)
    bucket = struct.pack("!HHII4xHHIH6x", 32, 0, 0xffffffff, 0xffffffff, 0, 16, 2, 0)
    actions = struct.pack("!HH4xHHIH6xHHI", 4, 32, 0, 16, 2, 0, 22, 8, 1)  # output:2,group:1
    flow_mod = struct.pack("!QQBBHHHIIIHHHHI", 0, 0, 0, ADD_FLOW, 0, 0, 1, 0xffffffff, 0xffffffff, 0xffffffff, 0, 0, 1,
                           4, 0)
    peer.prepare(1, [message(GROUP_MOD, struct.pack("!HBxI", 1, 0, 1) + bucket),
                     *(group(i) for i in range(10, N_FLOWS // 2)), message(FLOW_MOD, flow_mod + actions)])

    def trace():
        return place.sh("ovs-appctl ofproto/trace br0 in_port=LOCAL | grep 'Datapath actions'").strip()

    turns = turns_of_changes(place)
    with Watch(trace) as watch:
        watch.wait()
        peer.send(control(1, COMMIT))
        peer.read_control(1, COMMIT)
        watch.wait()
    assert turns_of_changes(place) > turns
    before, after = watch.seen[0].split()[2], watch.seen[-1].split()[2].split(",")
    assert len(after) == 2 and after[0] == after[1] != before
    assert {w.split()[2] for w in watch.seen} == {before, ",".join(after)}
    assert Peer(place, V).count_groups() == N_FLOWS // 2 - 9


def test_a_barrier_waits_for_the_deletion_before_it_and_echoes_of_others_do_not(place):
    peer, other = Peer(place, V), Peer(place, V)
    peer.prepare(1, [flow(i) for i in range(N_FLOWS)])
    peer.send(control(1, COMMIT))
    peer.read_control(1, COMMIT)
    with Watch(other.count) as watch:
        peer.send(delete_all())
        peer.barrier()
        assert Peer(place, V).count() == 0
    assert set(watch.seen) <= {0, N_FLOWS}
    other.echo()


def dump_request():
    return message(MULTIPART, struct.pack("!HHIB3xII4xQQHHI", 1, 0, 0, 255, 0xffffffff, 0xffffffff, 0, 0, 1, 4, 0))


def read_dump(peer):
    """The priorities of the flows of a dump, in its order."""
    priorities, more = [], True
    while more:
        got, at = peer.read(), 16
        assert got[1] == MULTIPART + 1, got.hex()
        more = struct.unpack_from("!H", got, 10)[0] & 1
        while at < len(got):
            length, priority = struct.unpack_from("!H12xH", got, at)[0], struct.unpack_from("!H", got, at + 12)[0]
            priorities.append(priority)
            at += length
    return priorities


def cookies_of_dump(peer):
    cookies, more = [], True
    peer.send(dump_request())
    while more:
        got, at = peer.read(), 16
        more = struct.unpack_from("!H", got, 10)[0] & 1
        while at < len(got):
            cookies.append(struct.unpack_from("!Q", got, at + 24)[0])
            at += struct.unpack_from("!H", got, at)[0]
    return cookies


def test_a_dump_shows_the_flows_of_its_beginning_and_holds_up_nobody(place):
    """Its reader stops; meanwhile the flows go and others come, over and over."""
    reader, other = Peer(place, V), Peer(place, V)
    other.prepare(1, [flow(i, priority=7) for i in range(4 * N_FLOWS)])
    other.send(control(1, COMMIT))
    other.read_control(1, COMMIT)
    reader.send(dump_request())
    time.sleep(0.1)
    for i in range(5):
        other.send(delete_all(), *(flow(i, priority=9) for i in range(300)), delete_all())
        other.send(*(flow(k, priority=9) for k in range(i)))
        other.barrier()
        assert other.count() == i
    other.send(dump_request())
    assert read_dump(other) == [9] * 4
    assert read_dump(reader) == [7] * (4 * N_FLOWS)
    reader.send(dump_request())
    assert read_dump(reader) == [9] * 4


def test_who_leaves_amid_a_dump_leaves_nothing(place):
    other = Peer(place, V)
    other.prepare(1, [flow(i) for i in range(4 * N_FLOWS)])
    other.send(control(1, COMMIT))
    other.read_control(1, COMMIT)
    for _ in range(3):
        reader = Peer(place, V)
        reader.send(dump_request())
        time.sleep(0.02)
        reader.socket.close()
    other.send(delete_all())
    other.barrier()
    assert other.count() == 0


def removed(peer, n):
    """What the next 'n' messages about removed flows name, in their order."""
    found = []
    while len(found) < n:
        got = peer.read()
        assert got[1] == FLOW_REMOVED, got.hex()
        found.append(got[48:])
    return found


def turns_of_changes(place):
    return int(place.sh("ovs-appctl coverage/read-counter change_request_turns"))


@pytest.mark.parametrize("before, change, n_left", [
    ("true", "set-fail-mode br0 standalone", 1),
    ("ovs-vsctl set-fail-mode br0 standalone", "set-fail-mode br0 secure", 0),
    ("true", "set-controller br0 tcp:127.0.0.1:1", 0),
    ("ovs-vsctl set-controller br0 tcp:127.0.0.1:1", "del-controller br0", 0),
    ("ovs-vsctl set-controller br0 tcp:127.0.0.1:1", "del-controller br0 -- set-fail-mode br0 standalone", 1),
])
def test_all_flows_go_with_a_regime_in_the_order_of_a_deletion_while_others_are_served(place, before, change, n_left):
    n_flows = 4 * N_FLOWS  # More than a turn takes.
    flows = [flow(i, table=i % 3, flags=SEND_FLOW_REMOVED) for i in range(n_flows)]
    try:
        place.sh(before)
        peer, listener = Peer(place, V), Peer(place, V)
        peer.send(delete_all(), *(group(i) for i in range(20)))
        peer.barrier()
        listener.listen()
        for by_regime in False, True:
            peer.prepare(1, flows)
            peer.send(control(1, COMMIT))
            peer.read_control(1, COMMIT)
            turns = turns_of_changes(place)
            if by_regime:
                with Watch(Peer(place, V).count) as watch:
                    place.sh("ovs-vsctl " + change)
                    asker = Peer(place, V)
                    assert asker.count() == n_left and asker.count_groups() == 0
            else:
                asker = Peer(place, V)
                asker.send(delete_all())
                asker.barrier()
            assert turns_of_changes(place) > turns
            order = removed(listener, n_flows)
            assert not by_regime or order == first
            first = order
        assert set(watch.seen) <= {n_flows, n_left} and watch.seen == sorted(watch.seen, reverse=True)
        assert ("NORMAL" in place.sh("ovs-ofctl dump-flows br0")) == bool(n_left)
    finally:
        place.sh("ovs-vsctl del-controller br0 -- set-fail-mode br0 secure")


def test_a_regime_that_ends_while_its_flows_come_or_that_comes_back_at_once_leaves_its_own_rule(place):
    other = Peer(place, V)
    for _ in range(3):
        with committing(place):
            place.sh("ovs-vsctl set-fail-mode br0 standalone")
            place.sh("ovs-vsctl --no-wait set-fail-mode br0 secure; ovs-vsctl set-fail-mode br0 standalone")
        assert other.count() == 1
        place.sh("ovs-vsctl set-fail-mode br0 secure")
        assert other.count() == 0


def references(place, what):
    """How many flows each group or meter has, by its id."""
    text = place.sh(f"ovs-ofctl -O OpenFlow14 {what} br0")
    counts = re.findall(r"(?:group_id=|meter:)(\d+)[, ].*?(?:ref_count=|flow_count:)(\d+)", text)
    return {int(i): int(n) for i, n in counts}


def test_flows_that_use_a_group_or_a_meter_are_counted_and_go_with_it(place):
    """Modified, replaced and bundled ones, those of a bundle that fails, and those that use one twice."""
    place.sh("ovs-ofctl -O OpenFlow14 add-group br0 group_id=1,type=all; "
             "ovs-ofctl -O OpenFlow14 add-group br0 group_id=2,type=all; "
             "ovs-ofctl -O OpenFlow14 add-meter br0 meter=1,pktps,band=type=drop,rate=1")
    place.sh("ovs-ofctl -O OpenFlow14 add-flow br0 table=0,priority=1,actions=group:1,group:1; "
             "ovs-ofctl -O OpenFlow14 add-flow br0 table=1,priority=1,actions=meter:1,group:2; "
             "ovs-ofctl -O OpenFlow14 add-flow br0 table=2,priority=1,actions=meter:1,output:1; "
             "ovs-ofctl -O OpenFlow14 add-flow br0 table=3,priority=1,actions=output:1")
    assert references(place, "dump-group-stats") == {1: 2, 2: 1}
    assert references(place, "meter-stats") == {1: 2}
    place.sh("ovs-ofctl -O OpenFlow14 mod-flows br0 table=0,actions=group:2; "
             "ovs-ofctl -O OpenFlow14 add-flow br0 table=2,priority=1,actions=group:2")
    assert references(place, "dump-group-stats") == {1: 0, 2: 3}
    assert references(place, "meter-stats") == {1: 1}
    place.run("printf 'add table=6,actions=group:1\nadd table=7,actions=group:9\n' | "
              "ovs-ofctl -O OpenFlow14 --bundle add-flows br0 -")
    assert references(place, "dump-group-stats") == {1: 0, 2: 3}
    place.sh("printf 'add table=4,actions=group:1\nadd table=5,actions=meter:1,group:1\n' | "
             "ovs-ofctl -O OpenFlow14 --bundle add-flows br0 -")
    assert references(place, "dump-group-stats") == {1: 2, 2: 3}
    place.sh("ovs-ofctl -O OpenFlow14 del-groups br0 group_id=2")
    assert references(place, "dump-group-stats") == {1: 2}
    assert references(place, "meter-stats") == {1: 1}
    place.sh("ovs-ofctl -O OpenFlow14 del-meter br0 meter=1")
    assert references(place, "dump-group-stats") == {1: 1}
    assert Peer(place, V).count() == 2
    place.sh("ovs-ofctl -O OpenFlow14 del-flows br0; ovs-ofctl -O OpenFlow14 add-group br0 group_id=2,type=all")
    assert references(place, "dump-group-stats") == {1: 0, 2: 0}


@pytest.mark.parametrize("thing,action", [("group", "group:1"), ("meter", "meter:1,output:1")])
def test_flows_that_go_with_a_group_or_a_meter_go_at_once_and_others_are_served_meanwhile(place, thing, action):
    other = Peer(place, V)
    what = "group_id=1,type=all" if thing == "group" else "meter=1,pktps,band=type=drop,rate=1"
    place.sh(f"ovs-ofctl -O OpenFlow14 add-{thing} br0 {what}; "
             f"for i in `seq {N_FLOWS}`; do echo reg0=$i,actions={action}; done | "
             "ovs-ofctl -O OpenFlow14 --bundle add-flows br0 -")
    with Watch(other.count) as watch:
        place.sh(f"ovs-ofctl -O OpenFlow14 del-{thing}s br0")
        assert Peer(place, V).count() == 0
    assert set(watch.seen) <= {0, N_FLOWS} and watch.seen[0] == N_FLOWS
    other.echo()


def test_flows_whose_time_is_up_together_go_while_others_are_served(place):
    place.sh(f"for i in `seq {N_FLOWS}`; do echo hard_timeout=1,reg0=$i,actions=drop; done | "
             "ovs-ofctl -O OpenFlow14 --bundle add-flows br0 -")
    other = Peer(place, V)
    deadline = time.monotonic() + 60
    while other.count() and time.monotonic() < deadline:
        other.echo()
    assert other.count() == 0


@contextlib.contextmanager
def committing(place):
    """A bundle whose commit has been asked for, by a connection that ends at once."""
    peer = Peer(place, V)
    peer.prepare(1, [flow(i) for i in range(N_FLOWS)])
    peer.send(control(1, COMMIT))
    peer.socket.close()
    yield


def test_who_leaves_after_asking_for_the_commit_gets_all_of_it_or_nothing(place):
    with committing(place):
        other = Peer(place, V)
        seen = [other.count()]
        deadline = time.monotonic() + 30
        while seen[-1] == 0 and time.monotonic() < deadline:
            seen.append(other.count())
        assert set(seen) <= {0, N_FLOWS} and seen[-1] == N_FLOWS
        other.send(flow(N_FLOWS + 1))
        other.barrier()
        assert other.count() == N_FLOWS + 1


class Commands(SlowClient):
    """Commands over one connection, since a process may take longer than the change that it is to meet."""

    def __init__(self, place):
        super().__init__(place, "version")
        self.lines()

    def run(self, method, *params):
        self.ask(method, *params)
        return self.lines()


def receive(client, port, source):
    client.run("netdev-dummy/receive", f"p{port}",
               f"in_port({port}),eth(src={source},dst=02:00:00:00:01:00),eth_type(0x1234)")


def turns_amid(client):
    return int(client.run("coverage/read-counter", "change_request_turns")[0])


def amid_a_change(client, action):
    """Whether turns of a change came between the two looks around what was done."""
    before = turns_amid(client)
    action()
    return turns_amid(client) > before


def commit(peer, client, bundle):
    """Asks for it; returns when it has begun."""
    before, deadline = turns_amid(client), time.monotonic() + 60
    peer.send(control(bundle, COMMIT))
    while turns_amid(client) == before:
        assert time.monotonic() < deadline, "the commit does not begin"


def until_amid(n_amid):
    """Numbers of bundles: three, and more until a flow has come while one was being made."""
    for bundle in range(1, 25):
        if bundle > 3 and n_amid():
            return
        yield bundle
    pytest.fail("no flow came while a bundle was being made")


def test_flows_that_packets_teach_meanwhile_stay(place):
    """Into a table that the bundle fills: no flow is lost nor there twice."""
    place.sh("ovs-ofctl -O OpenFlow14 add-flow br0 'table=0,priority=1,in_port=1,"
             "actions=learn(table=1,priority=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])'")
    peer, client, n, n_amid = Peer(place, V), Commands(place), 0, 0
    for bundle in until_amid(lambda: n_amid):
        peer.prepare(bundle, [flow(i, table=1) for i in range(4 * N_FLOWS)])
        commit(peer, client, bundle)
        for _ in range(10):
            n += 1
            n_amid += amid_a_change(client, lambda n=n: receive(client, 1, f"02:00:00:00:00:{n:02x}"))
        peer.read_control(bundle, COMMIT)
        deadline = time.monotonic() + 10
        while peer.count() != 4 * N_FLOWS + 1 + n and time.monotonic() < deadline:
            time.sleep(0.1)
        assert peer.count() == 4 * N_FLOWS + 1 + n


def test_flows_that_packets_teach_anew_while_they_are_deleted_are_there_once(place):
    """The bundle has dropped the flow that a packet replaces: the one that it replaces it by goes in its stead."""
    place.sh("ovs-ofctl -O OpenFlow14 add-flow br0 'table=0,priority=1,"
             "actions=learn(table=1,priority=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])'")

    def teach(port):
        receive(client, port, "02:00:00:00:00:01")

    peer, client, n_amid = Peer(place, V), Commands(place), 0
    for bundle in until_amid(lambda: n_amid):
        peer.prepare(bundle, [delete_all(table=1), *(flow(i, table=1) for i in range(4 * N_FLOWS))])
        teach(1)
        commit(peer, client, bundle)
        for i in range(10):
            n_amid += amid_a_change(client, lambda i=i: teach(1 + (i + 1) % 2))
        peer.read_control(bundle, COMMIT)
        assert peer.count() - 4 * N_FLOWS - 1 in (0, 1)
        teach(2)
        deadline = time.monotonic() + 10
        while peer.count() != 4 * N_FLOWS + 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert peer.count() == 4 * N_FLOWS + 2


def turns_of_telling(place):
    return int(place.sh("ovs-appctl coverage/read-counter telling_turns"))


def test_a_barrier_waits_for_the_messages_about_all_flows_removed_and_others_do_not(place):
    peer, listener, other = Peer(place, V), Peer(place, V), Peer(place, V)
    listener.listen()
    peer.prepare(1, [flow(i, flags=SEND_FLOW_REMOVED) for i in range(4 * N_FLOWS)])
    peer.send(control(1, COMMIT))
    peer.read_control(1, COMMIT)
    turns = turns_of_telling(place)
    order = []
    reader = threading.Thread(target=lambda: order.extend(removed(listener, 4 * N_FLOWS)))
    reader.start()
    with Watch(other.echo) as watch:
        peer.listen()  # It is told, too, of the last ones at least.
        peer.send(delete_all())
        peer.send(message(BARRIER, xid=78))
        n, got = 0, peer.read()
        while got[1] == FLOW_REMOVED:
            n, got = n + 1, peer.read()
        assert got[1] == BARRIER + 1
    reader.join()
    assert n == 4 * N_FLOWS
    assert len(set(order)) == 4 * N_FLOWS and turns_of_telling(place) > turns and watch.seen


MONITOR = message(MULTIPART, struct.pack("!HHI", 16, 0, 0) + struct.pack("!IIIHBB", 1, 0xffffffff, 0xffffffff, 0x5e,
                                                                        0xff, 0) + struct.pack("!HHI", 1, 4, 0))
ADDED, REMOVED, MODIFIED, PAUSED, RESUMED = 1, 2, 3, 5, 6


def numbered(i, command=ADD_FLOW, port=1):
    """A flow of the IPv4 address 'i', with that cookie."""
    match = struct.pack("!HHIHII2x", 1, 18, 0x80000a02, 0x800, 0x80001804, i)
    actions = struct.pack("!HHIHHIHxxxxxx", 4, 24, 0, 0, 16, port, 0) if command != 4 else b""
    return message(FLOW_MOD, struct.pack("!QQBBHHHIIIHH", i, 0, 0, command, 0, 0, 5, 0xffffffff, 0xffffffff, 0xffffffff,
                                         0, 0) + match + bytes(-len(match) % 8) + actions)


def updates(got):
    """What a message says of flows: (event, cookie, what is behind the match)."""
    at = 16
    while got[1] == MULTIPART + 1 and at < len(got):
        length, event = struct.unpack_from("!HH", got, at)
        cookie = struct.unpack_from("!Q", got, at + 16)[0] if length >= 24 else 0
        yield event, cookie, got[at + 24 + 24:at + length]
        at += length


def test_a_slow_monitor_that_is_paused_again_and_again_knows_in_the_end_what_is_there(place):
    """It reads little and late while flows come, change and go at random; at no time is it told anything that does not
    agree with what it was told before."""
    rng, known, events, n_flows = random.Random(1), {}, [], 3 * N_FLOWS
    monitor, other = Peer(place, V), Peer(place, V)
    monitor.send(MONITOR)
    monitor.barrier_behind_initial()

    def read(until):
        while not until():
            for event, cookie, actions in updates(monitor.read()):
                events.append(event)
                assert event != MODIFIED or cookie in known
                assert event != REMOVED or cookie in known
                if event == REMOVED:
                    del known[cookie]
                elif event in (ADDED, MODIFIED):
                    known[cookie] = actions

    def is_paused():
        return events.count(PAUSED) > events.count(RESUMED)

    for i in range(12):
        other.send(*(numbered(rng.randrange(n_flows), rng.choice((ADD_FLOW, ADD_FLOW, 2, 4)), rng.randrange(1, 9))
                     for _ in range(n_flows // 3)))
        if not rng.randrange(3):
            other.send(delete_all())
        if rng.randrange(2):
            other.barrier()  # Else it reads while they come.
        other.send(numbered(n_flows + i))
        read(lambda i=i: n_flows + i in known or is_paused())
        n = len(events) + (rng.randrange(n_flows) if i % 3 else 100 * n_flows)
        read(lambda n=n: len(events) >= n or not is_paused())
    other.barrier()
    other.send(numbered(2 * n_flows))  # The last that happens.
    read(lambda: 2 * n_flows in known and not is_paused())
    assert events.count(PAUSED) > 2
    assert sorted(known) == sorted(cookies_of_dump(other))


N_LINES = 4000  # More than what a tool puts into its bundle at once.


def lines(last):
    return "".join(f"table={i % 3},ip,nw_dst=10.1.{i >> 8}.{i & 255},actions=output:{i % 9 + 1}\n"
                   for i in range(N_LINES)) + last + "\n"


@pytest.mark.parametrize("protocols", ("", "-O OpenFlow13,OpenFlow14"))
@pytest.mark.parametrize("last, complaint", [
    ("tcp,tp_dst=1,actions=drop", None),
    ("ip,nw_dst=10.0.0.300,actions=drop", f"-:{N_LINES + 1}: 10.0.0.300: invalid IP address"),
    ("actions=group:99", "Error OFPBAC_BAD_OUT_GROUP for: "),
])
def test_a_bundle_that_is_filled_while_the_file_is_read_is_all_or_nothing(place, protocols, last, complaint):
    done = place.run(f"ovs-ofctl {protocols} --bundle add-flows br0 -", input=lines(last))
    assert (done.returncode != 0) == bool(complaint), done
    assert (complaint or "") in done.stderr
    count = place.sh("ovs-ofctl dump-aggregate br0").split("flow_count=")[1].split()[0]
    assert int(count) == (0 if complaint else N_LINES + 1)


def test_a_bridge_goes_and_the_daemon_ends_amid_a_commit(place):
    place.sh("ovs-vsctl add-br br1 -- set bridge br1 datapath_type=dummy fail_mode=secure")
    with committing(place):
        place.sh("ovs-vsctl set bridge br0 fail_mode=standalone -- set bridge br0 fail_mode=secure")
        place.sh("ovs-vsctl del-br br1")
    with committing(place):
        place.sh("ovs-vsctl del-br br0")
    assert "br0" not in place.sh("ovs-vsctl list-br")
    place.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=dummy fail_mode=secure")
    with committing(place):
        place.sh("ovs-appctl -t ovs-vswitchd exit")
    assert place.run(f"grep -l Sanitizer {place.dir}/*.log {place.dir}/*err* 2>/dev/null").stdout == ""
