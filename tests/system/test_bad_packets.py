"""Malformed packets through a whole switch with connection tracking and NAT: frames cut behind each byte, and with each
byte of their headers wrong.

    corpus ---- p1 [ br0 ] p2       simulated devices; what connection tracking finds invalid goes no further

Each packet is forwarded or counted: by a flow, or by a counter that says why not."""
import os
import re

import pytest
from place import switch_place

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src")
BATCH = 50      # A simulated device holds 100 packets.
HEADERS = 80    # Bytes that are made wrong, each for itself.
ETHERNET = 14
FLOWS = """
table=0,cookie=0x10,priority=10,ip,actions=ct(table=1,zone=1,nat)
table=0,cookie=0x10,priority=10,ipv6,actions=ct(table=1,zone=1,nat)
table=0,cookie=0x11,priority=0,actions=p2
table=1,cookie=0x12,priority=10,ct_state=+trk+inv,actions=drop
table=1,cookie=0x13,priority=9,ct_state=+trk+new,tcp,tp_dst=21,actions=ct(commit,zone=1,alg=ftp,nat(src=192.0.2.1)),p2
table=1,cookie=0x13,priority=9,ct_state=+trk+new,udp,tp_dst=69,actions=ct(commit,zone=1,alg=tftp),p2
table=1,cookie=0x13,priority=8,ct_state=+trk+new,ip,actions=ct(commit,zone=1,nat(src=192.0.2.1-192.0.2.4)),p2
table=1,cookie=0x13,priority=7,ct_state=+trk+new,ipv6,actions=ct(commit,zone=1),p2
table=1,cookie=0x13,priority=0,actions=p2
"""


def seeds(directory):
    for name in sorted(os.listdir(os.path.join(SOURCES, directory))):
        with open(os.path.join(SOURCES, directory, name), "rb") as f:
            yield f.read()


def frames_of_conntrack():
    """Of the seeds of fuzz_conntrack.c: a length, how it is tracked, the frame."""
    for seed in seeds("conntrack/fuzz_seeds"):
        while len(seed) > 3:
            n = int.from_bytes(seed[:2], "big") % (len(seed) - 2)
            yield seed[3:3 + n]
            seed = seed[3 + n:]


def corpus():
    return [f for f in (*seeds("flow/fuzz_extract_seeds"), *frames_of_conntrack()) if len(f) >= ETHERNET]


def cut(frame):
    """A cut frame, then it all again: what goes before must not have spoiled it."""
    for n in range(ETHERNET, len(frame)):
        yield frame[:n]
    yield frame


def wrong(frame):
    for i in range(12, min(len(frame), HEADERS)):
        for value in (0, 0xff):
            yield frame[:i] + bytes([value]) + frame[i + 1:]


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(options=("--enable-dummy=override",)) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure -- add-port br0 p1 -- add-port br0 p2")
        p.sh("ovs-ofctl add-flows br0 -", input=FLOWS)
        p.sh("ovs-appctl dpctl/ipf-set-min-frag v4 400; ovs-appctl dpctl/ipf-set-min-frag v6 400")
        yield p


def received(place):
    return int(re.search(r"rx pkts=(\d+)", place.sh("ovs-ofctl dump-ports br0 p1"))[1])


def counted(place, cookie):
    """Packets of the flows with the cookie."""
    text = place.sh(f"ovs-ofctl dump-aggregate br0 cookie={cookie}/-1")
    return int(re.search(r"packet_count=(\d+)", text)[1])


def fragments_held(place):
    """And those that were, and went since the rest did not come."""
    return sum(int(n) for n in re.findall(r"(?:num frag|frags expired|frags purged): (\d+)",
                                          place.sh("ovs-appctl dpctl/ipf-get-status")))


def send(place, frames):
    before = received(place)
    for i in range(0, len(frames), BATCH):
        place.sh("ovs-appctl netdev-dummy/receive p1 " + " ".join(f.hex() for f in frames[i:i + BATCH]))
        place.wait("all came in", lambda n=i: received(place) == before + min(n + BATCH, len(frames)), seconds=60)


@pytest.mark.parametrize("make", [cut, wrong])
def test_bad_packets_are_counted_and_harmless(place, make):
    frames = [bad for frame in corpus() for bad in make(frame)]
    send(place, frames)
    place.sh("ovs-appctl revalidator/wait")
    tracked, untracked, invalid, passed = (counted(place, c) for c in ("0x10", "0x11", "0x12", "0x13"))
    assert tracked + untracked == received(place)
    assert tracked == invalid + passed + fragments_held(place)
    assert int(place.sh("ovs-appctl coverage/read-counter drop_action_of_pipeline")) == invalid
    assert f"tx pkts={untracked + passed}," in place.sh("ovs-ofctl dump-ports br0 p2")
    assert min(untracked, invalid, passed) > 10
