"""What our Python binding does and Debian's does not; run by test_python_binding.py with ours."""
import errno
import json
import os
import random
import re
import socket
import sys
import tempfile
import time
import uuid

import ovs.json
import ovs.jsonrpc
import ovs.poller
import ovs.socket_util
from ovs.db import idl
from ovs.stream import PassiveStream, Stream

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "with_server"))
from cluster_server import Member  # noqa: E402


def parse(text, cuts=()):
    """Feeds 'text', bytes, in pieces; returns (how much was used, the result)."""
    parser = ovs.json.Parser()
    used = 0
    for start, end in zip([0, *cuts], [*cuts, len(text)]):
        used += parser.feed(text[start:end])
        if parser.is_done():
            break
    return used, parser.finish()


def random_value(rnd, depth=0):
    kind = rnd.randrange(8 if depth < 4 else 5)
    if kind < 2:
        return rnd.choice([0, 1, -1, 2 ** 63 - 1, -2 ** 63, rnd.randrange(10 ** 6), 0.5, -2.25, 1.5e300])
    if kind < 4:
        return "".join(rnd.choice('aZ09 "\\/\n\t\x01\x7fé€\U0001f600') for _ in range(rnd.randrange(12)))
    if kind == 4:
        return rnd.choice([None, True, False])
    if kind < 6:
        return [random_value(rnd, depth + 1) for _ in range(rnd.randrange(5))]
    return {f"k{i}": random_value(rnd, depth + 1) for i in range(rnd.randrange(5))}


def the_parser_reads_what_pythons_own_writes_however_it_is_cut():
    rnd = random.Random(1)
    for _ in range(3000):
        value = [random_value(rnd)]
        text = json.dumps(value, ensure_ascii=bool(rnd.randrange(2))).encode()
        cuts = sorted(rnd.randrange(len(text) + 1) for _ in range(rnd.randrange(5)))
        assert parse(text + b"[1]", cuts) == (len(text), value), (text, cuts)
        assert ovs.json.from_string(text.decode()) == value


def no_input_harms_the_parser_and_cuts_never_matter():
    rnd = random.Random(2)
    for _ in range(20000):
        text = bytearray(json.dumps([random_value(rnd)]).encode())
        for _ in range(rnd.randrange(1, 4)):
            i = rnd.randrange(len(text))
            what = rnd.randrange(3)
            if what == 0:
                text[i] = rnd.randrange(256)
            elif what == 1:
                text[i:i] = bytes(rnd.choice(b'[]{}:,"\\0123456789.eE+-untrfals \xff\xc3\xe2') for _ in range(3))
            elif len(text) > 1:
                del text[i]
        text = bytes(text)
        cuts = sorted(rnd.randrange(len(text) + 1) for _ in range(rnd.randrange(4)))
        assert parse(text, cuts) == parse(text), (text, cuts)
    for text in (b"[" * 100000, b'["' + b"\\u0041" * 100000 + b'"]', b"[" + b"9" * 100000 + b"]", b'{"a":' * 2000):
        parse(text)
    assert parse(b'["\xff"]')[1].endswith("invalid UTF-8 in quoted string")


def a_connection_puts_together_what_comes_in_pieces():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = ovs.jsonrpc.Connection(Stream(ours, "unix:x", 0))
    message = '{"method":"n","params":["é€\U0001f600"],"id":null}'.encode()
    for byte in message:
        assert connection.recv() == (errno.EAGAIN, None)
        theirs.send(bytes([byte]))
    error, msg = connection.recv()
    assert error == 0 and msg.params == ["é€\U0001f600"]


def a_socket_may_be_in_a_directory_with_a_name_of_any_length():
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/{'long' * 40}/{'longer' * 30}/socket"
        os.makedirs(os.path.dirname(path))
        assert PassiveStream.open(f"punix:{directory}/{'x' * 200}") == (errno.ENAMETOOLONG, None)
        error, listener = PassiveStream.open(f"punix:{path}")
        assert error == 0 and os.path.exists(path)
        error, stream = Stream.open(f"unix:{path}")
        assert error == 0 and stream.connect() == 0 and listener.accept()[0] == 0
        listener.close()
        assert not os.path.exists(path)


def passive_tcp_is_named_as_documented():
    for name, address in (("ptcp:0:127.0.0.1", "127.0.0.1"), ("ptcp:0:[::1]", "::1"), ("ptcp:127.0.0.1:0",
                                                                                       "127.0.0.1")):
        error, listener = PassiveStream.open(name)
        assert error == 0 and listener.socket.getsockname()[0] == address, name
        listener.close()
    for name in ("ptcp:", "ptcp:x", "ptcp:99999:127.0.0.1"):
        assert PassiveStream.open(name) == (errno.EINVAL, None), name
    assert ovs.socket_util.inet_parse_active("[::1]", 6640) == ("::1", 6640)
    assert Stream.open("ssl:127.0.0.1:1") == (errno.ENOPROTOOPT, None)


def of_two_clusters_the_one_with_the_given_id_counts():
    with tempfile.TemporaryDirectory() as directory:
        cluster = uuid.uuid4()
        ours = Member(f"{directory}/ours", "Db", {}, cid=str(cluster))
        theirs = Member(f"{directory}/theirs", "Db", {})
        helper = idl.SchemaHelper(schema_json={"name": "Db", "tables": {"T": {"columns": {"n": {"type": "integer"}}}}})
        helper.register_all()
        replica = idl.Idl(f"{theirs.remote},{ours.remote}", helper)
        replica.set_cluster_id(cluster)
        deadline = time.monotonic() + 10
        while not replica.has_ever_connected() and time.monotonic() < deadline:
            replica.run()
            poller = ovs.poller.Poller()
            replica.wait(poller)
            poller.timer_wait(100)
            poller.block()
        assert (theirs.n_monitors, ours.n_monitors) == (0, 1)
        replica.close()


def flows_that_the_programs_print_are_understood():
    """Those in the recorded cases, and what they are printed with."""
    from ovs.flow.odp import ODPFlow  # pylint: disable=import-outside-toplevel
    from ovs.flow.ofp import OFPFlow  # pylint: disable=import-outside-toplevel

    cases = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "conform", "cases")
    n = {OFPFlow: 0, ODPFlow: 0}
    for at, _, files in os.walk(cases):
        for name in files:
            with open(os.path.join(at, name), encoding="utf-8", errors="replace") as f:
                for line in f:
                    if re.match(r"\| *(cookie=0x[0-9a-f]+, duration=|cookie=0x[0-9a-f]+, table=).* actions=", line):
                        kind = OFPFlow
                    elif re.match(r"\| *(ufid:[-0-9a-f]*, )?recirc_id\([0-9a-fx]*\),.* packets:\d+.*, actions:", line):
                        kind = ODPFlow
                    else:
                        continue
                    text = re.sub("<[a-z]+>|[?]|(?<=[:=(])[NTU](?=[,)])", "1", line[1:].strip())
                    try:
                        assert kind(text).actions or text.endswith(":"), text
                    except Exception as e:
                        raise AssertionError(f"{name}: {line}") from e
                    n[kind] += 1
    assert min(n.values()) > 50, n


for test in (the_parser_reads_what_pythons_own_writes_however_it_is_cut,
             no_input_harms_the_parser_and_cuts_never_matter, a_connection_puts_together_what_comes_in_pieces,
             a_socket_may_be_in_a_directory_with_a_name_of_any_length, passive_tcp_is_named_as_documented,
             of_two_clusters_the_one_with_the_given_id_counts, flows_that_the_programs_print_are_understood):
    test()
    print(test.__name__.replace("_", " "))
sys.exit(0)
