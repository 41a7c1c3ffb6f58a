"""Reads capture files of the "PCAP Now Generic" format (draft-ietf-opsawg-pcapng), strictly: what is no whole block, or
out of order, is an error."""
import struct

SECTION, INTERFACE, STATISTICS, PACKET = 0x0a0d0d0a, 1, 5, 6


class Packet:
    """'ns', 'frame' (as much as there is), 'length', and what its options say."""

    def __init__(self, body):
        interface, high, low, captured, self.length = struct.unpack_from("<IIIII", body)
        assert interface == 0 and captured <= self.length
        self.ns = high << 32 | low
        self.frame = body[20:20 + captured]
        options = read_options(body[20 + (captured + 3) // 4 * 4:])
        self.direction = {1: "in", 2: "out"}[struct.unpack("<I", options[2])[0]]
        self.id, = struct.unpack("<Q", options[5])
        self.queue, = struct.unpack("<I", options[6])
        self.n_dropped = struct.unpack("<Q", options[4])[0] if 4 in options else 0
        self.comment = options[1].decode() if 1 in options else None


class Capture:
    """'section' and 'interface' are options by number; 'statistics' too, or None if the file has none."""

    def __init__(self, path, may_be_cut=False):
        with open(path, "rb") as f:
            blocks = list(split(f.read(), may_be_cut))
        assert [t for t, _ in blocks[:2]] == [SECTION, INTERFACE], blocks[:2]
        magic, major, minor, length = struct.unpack_from("<IHHq", blocks[0][1])
        assert (magic, major, minor, length) == (0x1a2b3c4d, 1, 0, -1)
        self.section = read_options(blocks[0][1][16:])
        link, _, self.snaplen = struct.unpack_from("<HHI", blocks[1][1])
        assert link == 1
        self.interface = read_options(blocks[1][1][8:])
        self.statistics = None
        rest = blocks[2:]
        if rest and rest[-1][0] == STATISTICS:
            options = read_options(rest.pop()[1][12:])
            self.statistics = {name: struct.unpack("<Q", options[code])[0]
                               for code, name in ((4, "seen"), (5, "dropped"), (8, "written"))}
        assert all(t == PACKET for t, _ in rest), [t for t, _ in rest]
        self.packets = [Packet(body) for _, body in rest]
        assert [p.id for p in self.packets] == list(range(1, len(rest) + 1))
        assert not self.statistics or self.statistics["written"] == len(self.packets)

    def frames(self, direction=None):
        return [p.frame for p in self.packets if direction in (None, p.direction)]


def split(data, may_be_cut):
    at = 0
    while at < len(data):
        if len(data) - at >= 12:
            kind, n = struct.unpack_from("<II", data, at)
            assert n >= 12 and n % 4 == 0, (at, n)
            if at + n <= len(data):
                assert struct.unpack_from("<I", data, at + n - 4)[0] == n
                yield kind, data[at + 8:at + n - 4]
                at += n
                continue
        assert may_be_cut, f"the block at {at} of {len(data)} bytes is cut"
        return


def read_options(data):
    options, at = {}, 0
    while True:
        code, n = struct.unpack_from("<HH", data, at)
        if not code:
            assert n == 0 and at + 4 == len(data)
            return options
        assert code not in options
        options[code] = data[at + 4:at + 4 + n]
        at += 4 + (n + 3) // 4 * 4
