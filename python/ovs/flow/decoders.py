"""Decoders of values in the text of flows.

A decoder is a callable that takes a string and returns the value; ValueError (or what a library raises) says that it is
none."""
import json
import re

import netaddr


class Decoder:
    """A value with a form for JSON."""

    def to_json(self):
        raise NotImplementedError(f"{type(self).__name__} has no form for JSON")


def decode_default(value):
    """An integer if it is one, else the string."""
    try:
        return decode_int(value)
    except ValueError:
        return value


def decode_flag(value):  # pylint: disable=unused-argument
    """That it is there is all that it says."""
    return True


def decode_int(value):
    """Decimal, or 0x and hexadecimal digits."""
    return int(value, 0)


def decode_time(value):
    """Seconds, with or without an "s" behind; "never" stays as it is."""
    return value if value == "never" else float(value.removesuffix("s"))


class IntMask(Decoder):
    """VALUE or VALUE/MASK.  Derived classes set 'size', in bits."""

    size = None

    def __init__(self, string):
        if not self.size:
            raise NotImplementedError("a class with a size must be derived from IntMask")
        value, slash, mask = string.partition("/")
        self._value = decode_int(value)
        self._mask = decode_int(mask) if slash else self.max_mask()
        for what, n in ("value", self._value), ("mask", self._mask):
            if n.bit_length() > self.size:
                raise ValueError(f"Integer {what} {n} is bigger than size {self.size}")

    @property
    def value(self):
        return self._value

    @property
    def mask(self):
        return self._mask

    def max_mask(self):
        return (1 << self.size) - 1

    def fully(self):
        """Whether all bits matter."""
        return self._mask == self.max_mask()

    def __str__(self):
        return str(self._value) if self.fully() else f"{self._value:#x}/{self._mask:#x}"

    def __repr__(self):
        return f"{type(self).__name__}('{self}')"

    def __eq__(self, other):
        if isinstance(other, IntMask):
            return (self._value, self._mask) == (other.value, other.mask)
        return isinstance(other, int) and self.fully() and self._value == other

    def __hash__(self):
        return hash((self._value, self._mask))

    def __contains__(self, other):
        """Whether a value, or all values of another mask, are among those that this one stands for."""
        if isinstance(other, IntMask):
            if ~other.mask & self._mask:
                return False
            other = other.value
        return (other ^ self._value) & self._mask == 0

    def dict(self):
        return {"value": self._value, "mask": self._mask}

    def to_json(self):
        return self.dict()


class Mask8(IntMask):
    size = 8


class Mask16(IntMask):
    size = 16


class Mask32(IntMask):
    size = 32


class Mask64(IntMask):
    size = 64


class Mask128(IntMask):
    size = 128


class Mask992(IntMask):
    size = 992


def decode_tun_metadata(value):
    """True if it says only that the option is there."""
    return Mask992(value) if value else True


def decode_mask(mask_size):
    """The class of masks of so many bits."""
    class Mask(IntMask):
        size = mask_size

    return Mask


class EthMask(Decoder):
    """An Ethernet address, with a mask or without; 'eth' and 'mask' are netaddr.EUI, or None for no mask."""

    def __init__(self, string):
        eth, slash, mask = string.partition("/")
        self._eth = netaddr.EUI(eth)
        self._mask = netaddr.EUI(mask) if slash else None

    @property
    def eth(self):
        return self._eth

    @property
    def mask(self):
        return self._mask

    def __eq__(self, other):
        return isinstance(other, EthMask) and (self._eth, self._mask) == (other.eth, other.mask)

    def __hash__(self):
        return hash((self._eth, self._mask))

    def __contains__(self, other):
        """Whether an address (EthMask, EUI or string) is one of those that this one stands for."""
        if isinstance(other, EthMask):
            if other.mask is not None:
                return self._mask is not None and not ~int(other.mask) & int(self._mask) and other.eth in self
            other = other.eth
        elif not isinstance(other, netaddr.EUI):
            other = netaddr.EUI(other)
        mask = (1 << 48) - 1 if self._mask is None else int(self._mask)
        return (int(other) ^ int(self._eth)) & mask == 0

    def __str__(self):
        def text(eui):
            return eui.format(netaddr.mac_unix)

        return text(self._eth) if self._mask is None else f"{text(self._eth)}/{text(self._mask)}"

    def __repr__(self):
        return f"EthMask('{self}')"

    def to_json(self):
        return str(self)


class IPMask(Decoder):
    """An IPv4 or IPv6 address with a mask (a length, or any bits); 'ip' and 'mask' are netaddr.IPAddress."""

    def __init__(self, string):
        address, slash, mask = string.partition("/")
        try:
            self._ip = netaddr.IPAddress(address)
            width = 32 if self._ip.version == 4 else 128
            if not slash:
                mask = str(width)
            if mask.isdigit():
                if int(mask) > width:
                    raise ValueError(mask)
                self._mask = netaddr.IPAddress(((1 << int(mask)) - 1) << (width - int(mask)), self._ip.version)
            else:
                self._mask = netaddr.IPAddress(mask, self._ip.version)
        except (ValueError, netaddr.AddrFormatError) as e:
            raise ValueError(f"value {string}: is not an ipv4 or ipv6 address") from e

    @property
    def ip(self):
        return self._ip

    @property
    def mask(self):
        return self._mask

    def cidr(self):
        """Whether the mask is a prefix."""
        return self._mask.is_netmask() or int(self._mask) == 0

    def __eq__(self, other):
        if isinstance(other, netaddr.IPNetwork):
            return (self._ip, self._mask) == (other.ip, other.netmask)
        if isinstance(other, netaddr.IPAddress):
            return self._ip == other and ~int(self._mask) & self._all() == 0
        return isinstance(other, IPMask) and (self._ip, self._mask) == (other.ip, other.mask)

    def __hash__(self):
        return hash((self._ip, self._mask))

    def _all(self):
        return (1 << (32 if self._ip.version == 4 else 128)) - 1

    def __contains__(self, other):
        """Whether an address, or all of another mask, are among those that this one stands for."""
        if isinstance(other, IPMask):
            if ~int(other.mask) & int(self._mask):
                return False
            other = other.ip
        elif not isinstance(other, netaddr.IPAddress):
            try:
                other = netaddr.IPAddress(other)
            except (ValueError, netaddr.AddrFormatError):
                return False
        return other.version == self._ip.version and (int(other) ^ int(self._ip)) & int(self._mask) == 0

    def __str__(self):
        return f"{self._ip}/{self._mask.netmask_bits() if self.cidr() else self._mask}"

    def __repr__(self):
        return f"IPMask('{self}')"

    def to_json(self):
        return str(self)


def decode_free_output(value):
    """An action that is but the name or number of a port."""
    return "output", {"port": decode_default(value.strip('"'))}


_RANGE4 = re.compile(r"(?P<start>[0-9.]+)(?:-(?P<end>[0-9.]+))?(?::(?P<first>\d+)(?:-(?P<last>\d+))?)?")
_RANGE6_PORTS = re.compile(r"\[(?P<start>[\w:.]+)\](?:-\[(?P<end>[\w:.]+)\])?:(?P<first>\d+)(?:-(?P<last>\d+))?")
_RANGE6 = re.compile(r"\[?(?P<start>[\w:.]+)\]?(?:-\[?(?P<end>[\w:.]+)\]?)?(?P<first>)(?P<last>)")


def decode_ip_port_range(value):
    """START[-END][:PORT[-PORT]], IPv6 addresses in brackets where ports follow."""
    m = _RANGE4.fullmatch(value) or _RANGE6_PORTS.fullmatch(value) or _RANGE6.fullmatch(value)
    if not m:
        raise ValueError(f"{value}: not a range of addresses")
    out = {"addrs": {"start": netaddr.IPAddress(m["start"]), "end": netaddr.IPAddress(m["end"] or m["start"])}}
    if m["first"]:
        out["ports"] = {"start": int(m["first"]), "end": int(m["last"] or m["first"])}
    return out


def decode_nat(value):
    """nat, nat(src), nat(dst=ADDRESSES[:PORTS],FLAG...)."""
    if not value:
        return True
    first, *flags = value.split(",")
    kind, _, addresses = first.partition("=")
    out = {"type": kind}
    if "=" in first:
        if kind not in ("src", "dst"):
            raise ValueError(f"{kind}: neither src nor dst")
        out |= decode_ip_port_range(addresses)
    return out | {flag: True for flag in flags}


class FlowEncoder(json.JSONEncoder):
    """Prints flows, for json.dumps(flow.dict(), cls=FlowEncoder)."""

    def default(self, obj):
        if isinstance(obj, Decoder):
            return obj.to_json()
        if isinstance(obj, (netaddr.IPAddress, netaddr.EUI)):
            return str(obj)
        return super().default(obj)
