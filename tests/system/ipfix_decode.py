"""IPFIX (RFC 7011) as values: just enough to read what a switch exports.  Independent of the switch's own tables."""
import struct

NAMES = {
    1: "octetDelta", 2: "packetDelta", 4: "protocol", 5: "tos", 7: "sport", 8: "src4", 10: "inIf", 11: "dport",
    12: "dst4", 14: "outIf", 25: "minLen", 26: "maxLen", 27: "src6", 28: "dst6", 31: "flowLabel", 56: "srcMac",
    58: "vlanId", 60: "ipVersion", 61: "direction", 80: "dstMac", 85: "octetTotal", 86: "packetTotal",
    136: "endReason", 138: "obsPoint", 144: "process", 158: "startDelta", 159: "endDelta", 167: "notSent",
    176: "icmpType4", 177: "icmpCode4", 178: "icmpType6", 179: "icmpCode6", 192: "ttl", 218: "syn", 222: "ack",
    243: "dot1qVlanId", 244: "dot1qPriority", 256: "etherType", 352: "l2Delta", 353: "l2Total",
    (6876, 898): "virtualObsId", 82: "name", 83: "description",
}
VARIABLE = 65535


class Collector:
    """Takes messages in the order in which they came; keeps templates by domain, and records."""

    def __init__(self):
        self.templates, self.records, self.domains = {}, [], []

    def take(self, message):
        version, length, _, sequence, domain = struct.unpack(">HHIII", message[:16])
        assert version == 10 and length == len(message)
        self.domains.append(domain)
        at = 16
        while at < length:
            number, n = struct.unpack(">HH", message[at:at + 4])
            assert n >= 4 and at + n <= length
            body = message[at + 4:at + n]
            if number in (2, 3):
                self.take_templates(domain, body, number == 3)
            else:
                assert number >= 256
                self.take_records(domain, sequence, number, body)
            at += n

    def take_templates(self, domain, body, is_option):
        while body:
            number, count = struct.unpack(">HH", body[:4])
            body = body[6 if is_option else 4:]
            elements = []
            for _ in range(count):
                element, size = struct.unpack(">HH", body[:4])
                body = body[4:]
                if element & 0x8000:
                    element = (struct.unpack(">I", body[:4])[0], element & 0x7fff)
                    body = body[4:]
                elements.append((element, size))
            self.templates[domain, number] = elements

    def take_records(self, domain, sequence, number, body):
        while body:
            record = {"domain": domain, "sequence": sequence, "template": number}
            for element, size in self.templates[domain, number]:
                if size == VARIABLE:
                    size, body = body[0], body[1:]
                value, body = body[:size], body[size:]
                name = NAMES.get(element, element)
                while name in record:
                    name = f"{name}+"
                record[name] = value.decode() if name in ("name", "name+", "virtualObsId") else \
                    int.from_bytes(value, "big")
            self.records.append(record)
