"""Keys and values in the text of flows: "key1:value1,key2=value2,key3(value3),key4"."""
import functools
import re

_SEPARATORS = " ,"
_AFTER_KEY = re.compile(r"[(=:, \n\r\t]")
_AFTER_VALUE = re.compile(r"[ ,\n\r\t]")
_PARENTHESIS = re.compile(r"[()]")


class ParseError(RuntimeError):
    """The text is not as it should be."""


class KeyMetadata:
    """Where a key and its value are.

    kpos, vpos        their places in the string that was parsed; vpos -1: there is no value
    kstring, vstring  their text
    delim             what stands between them
    end_delim         what stands behind the value, if that belongs to it"""

    def __init__(self, kpos, vpos, kstring, vstring, delim="", end_delim=""):
        self.kpos = kpos
        self.vpos = vpos
        self.kstring = kstring
        self.vstring = vstring
        self.delim = delim
        self.end_delim = end_delim

    def __str__(self):
        return (f"key: [{self.kpos},{self.kpos + len(self.kstring)}), "
                f"val:[{self.vpos}, {self.vpos + len(self.vstring)})")

    def __repr__(self):
        return f"KeyMetadata('{self}')"


class KeyValue:
    """A key, its value as decoded, and where they were ('meta', a KeyMetadata or None)."""

    def __init__(self, key, value, meta=None):
        self.key = key
        self.value = value
        self.meta = meta

    def __str__(self):
        return f"{self.key}: {self.value} ({self.meta})"

    def __repr__(self):
        return f"KeyValue('{self}')"


class KVDecoders:
    """Which decoder is for which key.

    decoders      {key: callable(string) -> value}; a KeyValue as value replaces the key too
    default       callable(key, string) -> (key, value) for keys that have none; without it such a key is a
                  ParseError, or, if the class's 'strict' is false, its value stays a string
    default_free  callable(key) -> (key, value) for keys without decoder and value; without it the value is True
    ignore_case   of keys"""

    strict = True

    def __init__(self, decoders=None, default=None, default_free=None, ignore_case=False):
        self._decoders = {}
        self._default = default
        self._default_free = default_free or (lambda key: (key, True))
        self._ignore_case = ignore_case
        self.add(decoders or {})

    def add(self, decoders):
        """More of them."""
        self._decoders |= {key.lower() if self._ignore_case else key: d for key, d in decoders.items()}

    def decode(self, keyword, value_str):
        """(key, value) to be stored."""
        decoder = self._decoders.get(keyword.lower() if self._ignore_case else keyword)
        if decoder:
            value = decoder(value_str)
            return (value.key, value.value) if isinstance(value, KeyValue) else (keyword, value)
        if not value_str:
            return self._default_free(keyword)
        if self._default:
            return self._default(keyword, value_str)
        if self.strict:
            raise ParseError(f"Cannot parse key {keyword}: No decoder found")
        return keyword, value_str


def _closing(string, start):
    """The place of the parenthesis that closes the one before 'start'."""
    depth = 1
    for m in _PARENTHESIS.finditer(string, start):
        depth += 1 if m[0] == "(" else -1
        if not depth:
            return m.start()
    raise ParseError(f"Error parsing string {string}: Failed to find matching ')' in {string[start:]}")


class KVParser:
    """Finds keys and values in a string."""

    def __init__(self, string, decoders=None):
        self._string = string
        self._decoders = decoders or KVDecoders()
        self._pairs = []

    def __iter__(self):
        return iter(self._pairs)

    def keys(self):
        return [kv.key for kv in self._pairs]

    def kv(self):
        """The list of KeyValue."""
        return self._pairs

    def _next(self, at):
        """The pair at 'at': its KeyMetadata, and what comes behind it."""
        s = self._string
        quoted = s[at] == '"' and s.find('"', at + 1)
        delimiter = _AFTER_KEY.search(s, max(quoted, at))
        end = delimiter.start() if delimiter else len(s)
        key, mark = s[at:end], delimiter[0] if delimiter else ""
        if mark == "(":
            close = _closing(s, end + 1)
            after = s[close + 1:]
            if not after.startswith("->"):
                return KeyMetadata(at, end + 1, key, s[end + 1:close], "(", ")"), close + 1
            # check_pkt_larger(1500)->reg0[0]: the value is all of it.
            stop = _AFTER_VALUE.search(s, close)
            stop = stop.start() if stop else len(s)
            return KeyMetadata(at, end, key, s[end:stop], "("), stop
        if mark and mark in "=:":
            stop = self._end_of_value(end + 1)
            return KeyMetadata(at, end + 1, key, s[end + 1:stop], mark), stop
        return KeyMetadata(at, -1, key, "", mark), end

    def _end_of_value(self, start):
        """Separators within parentheses and quotes belong to the value."""
        s, at = self._string, start
        while at < len(s) and not _AFTER_VALUE.match(s, at):
            if s[at] == "(":
                at = _closing(s, at + 1)
            elif s[at] == '"' and '"' in s[at + 1:]:
                at = s.index('"', at + 1)
            at += 1
        return at

    def parse(self):
        """A ParseError says what cannot be understood."""
        at = 0
        while True:
            while at < len(self._string) and self._string[at] in _SEPARATORS + "\n\r\t":
                at += 1
            if at >= len(self._string):
                return
            meta, at = self._next(at)
            try:
                key, value = self._decoders.decode(meta.kstring, meta.vstring)
            except Exception as e:
                raise ParseError(f"Error parsing key-value ({meta.kstring}, {meta.vstring})") from e
            self._pairs.append(KeyValue(key, value, meta))


def _parsed(decoders, value):
    parser = KVParser(value, decoders)
    parser.parse()
    return parser.kv()


def decode_nested_kv(decoders, value):
    """A dictionary of what 'value' holds; True if it is empty."""
    return {kv.key: kv.value for kv in _parsed(decoders, value)} if value else True


def decode_nested_kv_list(decoders, value):
    """The same as a list of dictionaries of one key each, since keys may come twice."""
    return [{kv.key: kv.value} for kv in _parsed(decoders, value)] if value else True


def nested_kv_decoder(decoders=None, is_list=False):
    """A decoder of values that are keys and values themselves."""
    return functools.partial(decode_nested_kv_list if is_list else decode_nested_kv, decoders)
