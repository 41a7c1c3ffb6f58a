"""A virtual machine at a vhost-user port, without the machine: the protocol as its monitor speaks it (QEMU's
docs/interop/vhost-user.rst), and a pair of split queues as its driver has them (VIRTIO 1.2 §2.7)."""
import fcntl
import mmap
import os
import select
import socket
import struct

(GET_FEATURES, SET_FEATURES, SET_OWNER, _, SET_MEM_TABLE, SET_LOG_BASE, _, SET_VRING_NUM, SET_VRING_ADDR,
 SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL, _, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, _,
 SET_VRING_ENABLE, SEND_RARP) = range(1, 20)
POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END = 28, 29, 30
VERSION, REPLY, NEED_REPLY = 1, 4, 8
MRG_RXBUF, LOG_ALL, EVENT_IDX, PROTOCOL_FEATURES, VERSION_1 = (1 << n for n in (15, 26, 29, 30, 32))
LOG_SHMFD, RARP, REPLY_ACK, PAGEFAULT = (1 << n for n in (1, 2, 3, 8))
NEXT_WRITE, HEADER = 2, 12

PAGE, SIZE, BUFFER = 4096, 64, 4096  # Each buffer is a page, so that marks of pages are marks of buffers.
MEMORY = 4 << 20
AT_USER = 0x7000_0000_0000  # Where the monitor has the machine's memory, it says.
RINGS = [dict(desc=n * 0x10000, avail=n * 0x10000 + PAGE, used=n * 0x10000 + 2 * PAGE, buffers=(n + 1) << 20)
         for n in range(2)]
RX, TX = 0, 1  # The machine's.
UFFDIO_WAKE, PAGEFAULT_EVENT = 0x8010aa02, 0x12  # <linux/userfaultfd.h>


class Machine:
    """'connection' is to the switch.  Messages are acknowledged, so what has returned is done.

    'postcopy': of its memory nothing has come yet, but for the pages of its rings."""

    def __init__(self, connection, features=MRG_RXBUF | EVENT_IDX, postcopy=False):
        self.connection = connection
        self.connection.settimeout(30)
        self.features = features | PROTOCOL_FEATURES | VERSION_1
        self.fd = os.memfd_create("machine")
        os.ftruncate(self.fd, MEMORY)
        self.memory = mmap.mmap(self.fd, MEMORY)
        self.kick, self.call = ([os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)] for _ in range(2))
        self.descriptors = [self.fd, *self.kick, *self.call]
        self.offered, self.seen = [0, 0], [0, 0]
        self.log = self.faults = self.at_switch = None
        self.has_ack = False
        offered = self.ask(GET_FEATURES)
        assert self.features & ~offered == 0, hex(offered)
        wanted = LOG_SHMFD | RARP | REPLY_ACK | (PAGEFAULT if postcopy else 0)
        offered = self.ask(GET_PROTOCOL_FEATURES)
        assert wanted & ~offered == 0, hex(offered)
        self.tell(SET_PROTOCOL_FEATURES, struct.pack("<Q", wanted))
        self.has_ack = True
        self.tell(SET_OWNER)
        if postcopy:
            self.send(POSTCOPY_ADVISE)
            _, (self.faults,) = self.receive(1)
            self.tell(POSTCOPY_LISTEN)

    def close(self):
        """May be called again."""
        self.connection.close()
        if self.faults is not None:
            os.close(self.faults)
            self.faults = None
        while self.descriptors:
            os.close(self.descriptors.pop())

    # --- Messages ---

    def send(self, request, content=b"", fds=(), flags=0):
        socket.send_fds(self.connection, [struct.pack("<III", request, VERSION | flags, len(content)) + content], fds)

    def receive(self, n_fds=0):
        head, fds, *_ = socket.recv_fds(self.connection, 12, max(n_fds, 1))
        _, flags, size = struct.unpack("<III", head)
        assert flags & REPLY
        content = b""
        while len(content) < size:
            content += self.connection.recv(size - len(content))
        return content, fds

    def ask(self, request, content=b""):
        self.send(request, content)
        return struct.unpack("<Q", self.receive()[0])[0]

    def acknowledged(self):
        if self.has_ack:
            assert struct.unpack("<Q", self.receive()[0])[0] == 0

    def tell(self, request, content=b"", fds=()):
        self.send(request, content, fds, NEED_REPLY if self.has_ack else 0)
        self.acknowledged()

    # --- What monitors do ---

    def share_memory(self):
        table = struct.pack("<IIQQQQ", 1, 0, 0, MEMORY, AT_USER, 0)
        if self.faults is None:
            self.tell(SET_MEM_TABLE, table, [self.fd])
            return
        self.send(SET_MEM_TABLE, table, [self.fd])
        self.at_switch = struct.unpack_from("<QQQQ", self.receive()[0], 8)[2]
        self.send(SET_MEM_TABLE, bytes(8))  # Its acknowledgement of where the memory is; from now on pages are missing.

    def set_addresses(self, ring, flags=0):
        r = RINGS[ring]
        self.tell(SET_VRING_ADDR, struct.pack("<IIQQQQ", ring, flags, AT_USER + r["desc"], AT_USER + r["used"],
                                              AT_USER + r["avail"], r["used"]))

    def start(self, with_rings=True):
        for part in ("desc", "avail", "used") if with_rings else ():
            for r in RINGS:
                self.put_page(r[part])
        self.tell(SET_FEATURES, struct.pack("<Q", self.features))
        self.share_memory()
        for ring in (RX, TX):
            self.tell(SET_VRING_NUM, struct.pack("<II", ring, SIZE))
            self.tell(SET_VRING_BASE, struct.pack("<II", ring, self.seen[ring]))
            self.set_addresses(ring)
            self.tell(SET_VRING_KICK, struct.pack("<Q", ring), [self.kick[ring]])
            self.tell(SET_VRING_CALL, struct.pack("<Q", ring), [self.call[ring]])
        for ring in (RX, TX):
            self.tell(SET_VRING_ENABLE, struct.pack("<II", ring, 1))

    def stop(self):
        """Where the rings are then."""
        return [self.ask(GET_VRING_BASE, struct.pack("<II", ring, 0)) >> 32 for ring in (RX, TX)]

    def start_log(self):
        """As for a migration that begins."""
        fd = os.memfd_create("log")
        os.ftruncate(fd, PAGE)
        self.log = mmap.mmap(fd, PAGE)
        self.send(SET_LOG_BASE, struct.pack("<QQ", PAGE, 0), [fd])
        self.receive()
        os.close(fd)
        self.set_log(True)

    def set_log(self, is_on):
        self.tell(SET_FEATURES, struct.pack("<Q", self.features | (LOG_ALL if is_on else 0)))
        for ring in (RX, TX):
            self.set_addresses(ring, int(is_on))

    def marked(self):
        """The pages that are marked in the log, by their addresses; they are not, then."""
        bits = int.from_bytes(self.log[:], "little")
        self.log[:] = bytes(PAGE)
        return {n * PAGE for n in range(MEMORY // PAGE) if bits >> n & 1}

    def fault(self, seconds):
        """The address of the next missing page that the switch needs; None if it needs none."""
        if not select.select([self.faults], [], [], seconds)[0]:
            return None
        event, at = struct.unpack_from("<B15xQ", os.read(self.faults, 32))
        assert event == PAGEFAULT_EVENT
        return (at - self.at_switch) // PAGE * PAGE

    def put_page(self, at):
        """It comes from where the machine was."""
        self.memory[at:at + PAGE] = bytes(PAGE)
        if self.at_switch is not None:
            fcntl.ioctl(self.faults, UFFDIO_WAKE, struct.pack("<QQ", self.at_switch + at, PAGE))

    def end_postcopy(self):
        """All pages have come."""
        assert self.ask(POSTCOPY_END) == 0
        os.close(self.faults)
        self.faults = None

    # --- What drivers do ---

    def offer(self, ring, n, length=BUFFER, flags=0):
        r = RINGS[ring]
        for _ in range(n):
            i = self.offered[ring] % SIZE
            struct.pack_into("<QIHH", self.memory, r["desc"] + 16 * i, r["buffers"] + i * BUFFER, length, flags, 0)
            struct.pack_into("<H", self.memory, r["avail"] + 4 + 2 * i, i)
            self.offered[ring] = (self.offered[ring] + 1) & 0xffff
        struct.pack_into("<H", self.memory, r["avail"] + 2, self.offered[ring])

    def give_room(self, n):
        self.offer(RX, n, flags=NEXT_WRITE)

    def transmit(self, *frames):
        for frame in frames:
            at = RINGS[TX]["buffers"] + self.offered[TX] % SIZE * BUFFER
            self.memory[at:at + HEADER + len(frame)] = bytes(HEADER) + frame
            self.offer(TX, 1, HEADER + len(frame))

    def n_used(self, ring):
        return (struct.unpack_from("<H", self.memory, RINGS[ring]["used"] + 2)[0] - self.seen[ring]) & 0xffff

    def received(self):
        """The frames that have come since, and the addresses of their buffers."""
        r, frames, at = RINGS[RX], [], []
        for _ in range(self.n_used(RX)):
            head, n = struct.unpack_from("<II", self.memory, r["used"] + 4 + 8 * (self.seen[RX] % SIZE))
            at.append(r["buffers"] + head * BUFFER)
            frames.append(self.memory[at[-1] + HEADER:at[-1] + n])
            self.seen[RX] = (self.seen[RX] + 1) & 0xffff
        self.seen[TX] = (self.seen[TX] + self.n_used(TX)) & 0xffff
        return frames, at


def connect(path, **kwargs):
    """To a switch that listens."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return Machine(s, **kwargs)


def accept(path, **kwargs):
    """Listens until a switch comes."""
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen(1)
        s.settimeout(60)
        connection, _ = s.accept()
    return Machine(connection, **kwargs)
