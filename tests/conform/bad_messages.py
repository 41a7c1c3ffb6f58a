#!/usr/bin/env python3
"""Every kind of message in each version, cut short, lengthened, and with each pair of its bytes wrong: what the switch
answers is what Debian's answered.

    bad_messages.py [--build DIR]      ours against the record, bad_messages.txt
    bad_messages.py --record           writes the record from Debian's programs
    bad_messages.py --live [--build DIR]   ours against Debian's, both run here
    bad_messages.py --accept [--build DIR] prints the differences as bad_messages_differ.txt has them

The messages are those that our encoder made for the fuzz target (src/openflow/print/message_seeds): the first of each
form and version.  Each has a connection of its own.  A line of the record is a message and what came of its variants
(variants()), in their order: '-' for no answer, 'TYPE.CODE' for an error that quotes the request as it should, 'rTYPE'
for an answer of that type, 'x' if the connection was closed; a number before '*' says how often.

bad_messages_differ.txt says where ours differs, with the reasons: 'MESSAGE: WANTED GIVEN TIMES'.  What is not in it, or
no longer differs so, fails."""
import argparse
import collections
import itertools
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from openflow_peer import ERROR, Peer, quoted, xid_of  # noqa: E402
from side import Daemons, Missing, Place, Side  # noqa: E402

RECORD = os.path.join(HERE, "bad_messages.txt")
SEEDS = os.path.join(HERE, "..", "..", "src", "openflow", "print", "message_seeds")
DIFFER = os.path.join(HERE, "bad_messages_differ.txt")
HELLO = 0
GIVEN_UP = ("1.14", "65535.2640/4f4e4600")  # OFPBRC_MULTIPART_REQUEST_TIMEOUT, and what 1.3 has for it.
REACH = 72      # Bytes from the start of a message in which pairs are changed.


def seeds():
    for name in sorted(os.listdir(SEEDS), key=lambda n: [int(x) for x in re.findall(r"\d+", n)]):
        if re.fullmatch(r"\d+-\d+-\d+-0", name):
            with open(os.path.join(SEEDS, name), "rb") as f:
                data = f.read()
            if data[1] != HELLO:
                yield name, data


def resized(data):
    return data[:2] + struct.pack("!H", len(data)) + data[4:]


def sizes(n):
    """Every size at first, then fewer."""
    return [k for k in range(8, n) if k < 32 or k % 4 == 0 and k < 96 or k % 24 == 0]


def variants(data):
    """The message itself first and last: it leaves the same behind, whatever was done between."""
    yield data
    for n in sizes(len(data)):
        yield resized(data[:n])
    for n in (1, 4, 8, 24):
        yield resized(data + bytes(n))
    for at in range(8, min(len(data), REACH) - 1, 2):
        was = struct.unpack_from("!H", data, at)[0]
        for value in sorted({0, was - 1 & 0xffff, was + 1 & 0xffff, 0xffff} - {was}):
            yield data[:at] + struct.pack("!H", value) + data[at + 2:]
    for kind in (99, 255):
        yield data[:1] + bytes([kind]) + data[2:]
    yield data


def outcome(sent, answers):
    """Answers to one message, in a word."""
    words = []
    for a in answers:
        if a[1] != ERROR:
            words.append(f"r{a[1]}")
            continue
        kind, code = struct.unpack_from("!HH", a, 8)
        quote = quoted(a, sent[0])
        if kind == 0xffff:
            code = f"{code}/{struct.unpack_from('!I', a, 12)[0]:x}"
        if f"{kind}.{code}" in GIVEN_UP:
            continue  # Of a request in parts, a second after the first: whether that is seen depends on the machine.
        good = sent.startswith(quote) and len(quote) >= min(64, len(sent))
        words.append(f"{kind}.{code}" + ("" if good else f"?{len(quote)}"))
    return "+".join(k if n == 1 else f"{n}{k}" for k, n in ((k, len(list(g))) for k, g in itertools.groupby(words))) \
        or "-"


def try_message(path, data):
    """What comes of each variant."""
    peer, found = Peer(path, data[0]), []
    sent = {i: v[:4] + struct.pack("!I", i) + v[8:] for i, v in enumerate(variants(data), 0x1000)}
    answers = {i: [] for i in sent}
    try:
        for answer in peer.exchange(*sent.values()):
            answers.get(xid_of(answer), []).append(answer)
        found = [outcome(sent[i], answers[i]) for i in sent]
    except (EOFError, ConnectionError) as e:
        found = [f"x {e}"]
    peer.close()
    return found


def results(side):
    with Place(Daemons(), side, side) as place:
        out, err, status = place.run("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=dummy fail_mode=secure "
                                     "protocols=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15 -- "
                                     "add-port br0 p1 -- set interface p1 type=dummy ofport_request=1", "")
        if status:
            raise RuntimeError(out.decode() + err.decode())
        return {name: try_message(f"{place.directory}/br0.mgmt", data) for name, data in seeds()}


def packed(words):
    return " ".join(k if n == 1 else f"{n}*{k}" for k, n in ((k, len(list(g))) for k, g in itertools.groupby(words)))


def unpacked(text):
    return [w for word in text.split() for n, w in [word.split("*", 1) if "*" in word else (1, word)]
            for _ in range(int(n))]


def read_record():
    with open(RECORD, encoding="ascii") as f:
        return {name: unpacked(words) for name, _, words in (line.rstrip("\n").partition(": ") for line in f)
                if not name.startswith("#")}


def read_differences():
    """By (message, wanted, given), how often."""
    with open(DIFFER, encoding="ascii") as f:
        rows = [re.fullmatch(r"(.+): (\S+) (\S+) (\d+)\n", line) for line in f
                if line.strip() and line[0] != "#"]
    return {row.group(1, 2, 3): int(row[4]) for row in rows}


def compare(want, got):
    """Every difference, with the variants that have it."""
    found = {}
    for name, data in seeds():
        for v, w, g in itertools.zip_longest(variants(data), want.get(name, []), got[name], fillvalue=""):
            if w != g:
                found.setdefault((name, w, g), []).append(v)
    return found


def report(found):
    """The number of differences that are not as bad_messages_differ.txt says."""
    expected = read_differences()
    n = 0
    for key, examples in found.items():
        if expected.get(key, 0) != len(examples):
            print(f"{key[0]}: {key[1]} wanted, {key[2]} given: {len(examples)} times, {expected.get(key, 0)} expected,"
                  f" as for {examples[0].hex() if examples[0] else 'nothing'}")
            n += 1
    for key, times in expected.items():
        if key not in found:
            print(f"{key[0]}: {key[1]} wanted, {key[2]} given: {times} times expected, but not seen")
            n += 1
    return n


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--accept", action="store_true")
    args = parser.parse_args()
    if args.record:
        with open(RECORD, "w", encoding="ascii") as f:
            print("# What Debian's switch answers to bad messages: see bad_messages.py, which writes this.", file=f)
            for name, words in results(Side("reference")).items():
                print(f"{name}: {packed(words)}", file=f)
        return 0
    want = results(Side("reference")) if args.live else read_record()
    got = results(Side("ours", args.build))
    found = compare(want, got)
    if args.accept:
        for (name, w, g), examples in found.items():
            print(f"{name}: {w} {g} {len(examples)}")
        return 0
    n = report(found)
    print(f"{len(got)} messages, {sum(map(len, got.values()))} variants, {n} kinds of difference")
    return 1 if n else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Missing as e:
        print(f"missing: {e}")
        sys.exit(77)
