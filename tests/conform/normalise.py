"""Takes out of a program's output what may differ between two runs of the same program."""
import re

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
RULES = [
    # Addresses of dummy devices are numbered, and the reference counts the host's own devices too.
    (re.compile(r"\baa:55:aa:55:00:[0-9a-f]{2}\b"), "aa:55:aa:55:00:<n>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "<time>"),
    (re.compile(r"\b(duration|idle_age|hard_age|used|last)([=:])\d+(\.\d+)?s\b"), r"\1\2<n>s"),
    (re.compile(r"\b(duration)=\d+(\.\d+)?s?"), r"\1=<n>"),
    (re.compile(r"\b(idle_age|hard_age)=\d+"), r"\1=<n>"),
    # Of learned addresses: a moment takes longer on a busy machine.
    (re.compile(r"^( *\S+ +\d+ +(?:[0-9a-f]{2}:){5}[0-9a-f]{2} +)[1-3]$", re.M), r"\g<1>0"),
    # After three seconds, which a busy machine may take; without a process that runs it stays.
    (re.compile(r"^ovs-vsctl: still waiting for ovs-vswitchd to apply .*; it is running as process <pid>\n", re.M), ""),
    (re.compile(r"\(xid=0x[0-9a-f]+\)"), "(xid=<xid>)"),
    (re.compile(r"\|\d{5,}\|"), "|<seq>|"),
    (re.compile(r"\(Open vSwitch\) \d[0-9.a-z+~-]*"), "(Open vSwitch) <version>"),
    (re.compile(r"DB Schema \d+\.\d+\.\d+"), "DB Schema <version>"),
]


class Normaliser:
    """Keeps the numbers given to uuids through one run of a case; those in its own 'text' stay."""

    def __init__(self, directory, pids, text=""):
        self.directory, self.pids = directory, pids
        self.uuids, self.known = {}, set(UUID.findall(text.lower()))

    def _uuid(self, match):
        text = match[0]
        if text.startswith("00000000-") or text in self.known:
            return text
        return f"<uuid-{self.uuids.setdefault(text, len(self.uuids) + 1)}>"

    def __call__(self, data):
        text = data.decode("utf-8", "backslashreplace")
        text = text.replace(self.directory, "$DIR")
        text = UUID.sub(self._uuid, text)  # First: a part of one may look like a process.
        for pid in self.pids:
            text = re.sub(rf"\b{pid}\b", "<pid>", text)
        for pattern, replacement in RULES:
            text = pattern.sub(replacement, text)
        return text
