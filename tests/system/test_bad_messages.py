"""Every kind of message cut short, lengthened, and with each pair of bytes wrong (so each length, type and count too):
the switch answers with an error that quotes the request, or does what it says; it never drops the connection, never
mixes up answers, and lives."""
import itertools
import os
import re
import struct

import pytest
from openflow_peer import Peer, quoted
from place import switch_place

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "openflow", "print",
                      "print_corpus.txt")
ERROR, HELLO = 1, 0
PARTS_MISSING = {(1, 14), (0xffff, 2640)}
# What ends a connection or changes how it is to be read is not for this test.
SKIPPED_TYPES = {HELLO}


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(expected=r"vconn.ERR.*received OpenFlow version") as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 fail_mode=secure")
        yield p


def corpus():
    """The messages of the corpus of texts, each once."""
    with open(CORPUS, encoding="utf-8") as f:
        found = {bytes.fromhex(m[1]) for m in re.finditer(r"^= ([0-9a-fA-F]{16,})", f.read(), re.M)}
    return sorted(m for m in found if len(m) == struct.unpack_from("!H", m, 2)[0] and 1 <= m[0] <= 6 and
                  m[1] not in SKIPPED_TYPES)


def resized(message):
    return message[:2] + struct.pack("!H", len(message)) + message[4:]


def variants(message):
    for n in range(8, len(message), 2 if len(message) < 120 else 6):
        yield resized(message[:n])
    for n in (1, 4, 8, 24):
        yield resized(message + bytes(n))
    for at in range(8, min(len(message), 200) - 1, 2):
        was = struct.unpack_from("!H", message, at)[0]
        for value in {0, was - 1 & 0xffff, was + 8 & 0xffff, 0xffff} - {was}:
            yield message[:at] + struct.pack("!H", value) + message[at + 2:]


def number(messages, version, xids):
    """The messages with xids of their own; what sets the connection apart from others is left to itself."""
    return {i: message[:4] + struct.pack("!I", i) + message[8:]
            for i, message in zip(xids, messages) if message[0] == version}


@pytest.mark.parametrize("version", range(1, 7))
def test_errors_quote_what_they_are_about_and_nothing_else_happens(place, version):
    pid = place.sh(f"cat {place.dir}/ovs-vswitchd.pid").strip()
    peer = Peer(place, version)
    n_errors, sent, xids = 0, {}, itertools.count(0x1000)
    for message in corpus():
        if message[0] != version:
            continue
        new = number(variants(message), version, xids)
        sent.update(new)
        for answer in peer.exchange(*new.values()):
            xid = struct.unpack_from("!I", answer, 4)[0]
            if answer[1] != ERROR or xid not in sent:
                continue
            n_errors += 1
            quote = quoted(answer, version)
            assert quote and sent[xid].startswith(quote), f"{sent[xid].hex()}: {answer.hex()}"
            # Of a request given up because its other parts did not come, there is the header alone.
            least = 16 if struct.unpack_from("!HH", answer, 8) in PARTS_MISSING else 64
            assert len(quote) >= min(least, len(sent[xid])), f"{sent[xid].hex()}: {answer.hex()}"
    assert len(sent) > 100 and n_errors > len(sent) / 10
    assert place.sh(f"cat {place.dir}/ovs-vswitchd.pid").strip() == pid
    place.sh(f"kill -0 {pid} && ovs-appctl version")


def test_what_is_longer_or_shorter_than_its_kind_is_an_error(place):
    peer = Peer(place, 4)
    for kind in (5, 7, 20, 26):  # Requests without a body.
        answers = peer.exchange(struct.pack("!BBHI", 4, kind, 16, 5) + bytes(8))
        assert [(a[1], struct.unpack_from("!HH", a, 8)) for a in answers] == [(ERROR, (1, 6))], kind  # BAD_LEN
    for kind, n in ((9, 4), (24, 16), (14, 48), (16, 32), (17, 8), (28, 24)):
        for size in {0, n - 4, n // 2 & ~3}:
            answers = peer.exchange(struct.pack("!BBHI", 4, kind, 8 + size, 5) + bytes(size))
            assert [(a[1], struct.unpack_from("!HH", a, 8)) for a in answers] == [(ERROR, (1, 6))], (kind, size)


def test_unknown_kinds_are_said_to_be_unknown(place):
    peer = Peer(place, 4)
    cases = ((struct.pack("!BBHI", 4, 200, 8, 5), (1, 1)),                                  # Type.
             (struct.pack("!BBHIHHI", 4, 18, 16, 5, 99, 0, 0), (1, 2)),                     # Multipart type.
             (struct.pack("!BBHIII", 4, 4, 16, 5, 0x12345678, 1), (1, 3)),                  # Experimenter.
             (struct.pack("!BBHIII", 4, 4, 16, 5, 0x2320, 9999), (1, 4)),                   # Its type.
             (struct.pack("!BBHIHHIII", 4, 18, 24, 5, 0xffff, 0, 0, 0x2320, 9999), (1, 4)),
             (struct.pack("!BBHI", 4, 3, 8, 5), None))                                      # An echo reply is ignored.
    for message, code in cases:
        got = [struct.unpack_from("!HH", a, 8) for a in peer.exchange(message)]
        assert got == ([code] if code else []), message.hex()


def test_a_message_of_another_version_is_an_error_in_that_version(place):
    peer = Peer(place, 4)
    for version, answered in ((1, 1), (5, 5), (9, 1), (0, 1)):
        flow_mod = struct.pack("!BBHI", version, 14, 12, 6) + b"abcd"
        assert peer.exchange(flow_mod) == [struct.pack("!BBHIHH", answered, ERROR, 24, 6, 1, 0) + flow_mod], version
        echo = struct.pack("!BBHI", version, 2, 12, 7) + b"abcd"
        assert peer.exchange(echo) == [echo[:1] + b"\x03" + echo[2:]], version
