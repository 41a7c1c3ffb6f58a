"""Lists of values in the text of flows: "1,2,ct"."""
import functools
import re

from ovs.flow.decoders import decode_default
from ovs.flow.kv import KeyMetadata, KeyValue, ParseError


class ListDecoders:
    """[(key, decoder)] by position; what comes behind the last is elem_N."""

    def __init__(self, decoders=None):
        self._decoders = decoders or []

    def decode(self, index, value_str):
        """(key, value) of an element."""
        if index < len(self._decoders):
            key, decoder = self._decoders[index]
            return key, decoder(value_str)
        return f"elem_{index}", decode_default(value_str)


class ListParser:
    """Elements with delimiters between them, each a KeyValue."""

    def __init__(self, string, decoders=None, delims=(",",)):
        self._string = string
        self._decoders = decoders or ListDecoders()
        self._delims = re.compile("|".join(map(re.escape, delims)))
        self._elements = []

    def __iter__(self):
        return iter(self._elements)

    def kv(self):
        return self._elements

    def parse(self):
        """A ParseError says what cannot be understood."""
        if not self._string:
            return
        at = 0
        for index, text in enumerate(self._delims.split(self._string)):
            try:
                key, value = self._decoders.decode(index, text)
            except Exception as e:
                raise ParseError(f"Failed to decode value {text}") from e
            self._elements.append(KeyValue(key, value, KeyMetadata(at, at, text, text)))
            at += len(text) + 1


def decode_nested_list(decoders, value, delims=(",",)):
    """A dictionary of the elements of 'value'."""
    parser = ListParser(value, decoders, delims)
    parser.parse()
    return {kv.key: kv.value for kv in parser.kv()}


def nested_list_decoder(decoders=None, delims=(",",)):
    """A decoder of values that are lists."""
    return functools.partial(decode_nested_list, decoders, delims=delims)
