"""JSON text (RFC 8259): reading with the parser in C of ovs._json, writing with Python's own encoder."""
import json

from ovs import _json
from ovs._json import Parser  # noqa: F401

PARSER_C = "C"
PARSER_PY = "PYTHON"
PARSER = PARSER_C  # There is no other.

SPACES_PER_LEVEL = 2
MAX_HEIGHT = _json.MAX_HEIGHT


def to_string(obj, pretty=False, sort_keys=True):
    """The text of 'obj', on one line unless 'pretty'."""
    return json.dumps(obj, separators=(",", ":"), indent=SPACES_PER_LEVEL if pretty else None, sort_keys=sort_keys)


def to_stream(obj, stream, pretty=False, sort_keys=True):
    stream.write(to_string(obj, pretty, sort_keys))


def to_file(obj, name, pretty=False, sort_keys=True):
    with open(name, "w", encoding="utf-8") as stream:
        to_stream(obj, stream, pretty, sort_keys)


def from_string(s):
    """The object or array in 's'; a message, as a str, if 's' is not JSON."""
    parser = Parser(check_trailer=True)
    parser.feed(s)
    return parser.finish()


def from_stream(stream):
    """The same with what an open file holds."""
    parser = Parser(check_trailer=True)
    while not parser.is_done():
        piece = stream.read(65536)
        if not piece:
            break
        parser.feed(piece)
    return parser.finish()


def from_file(name):
    """The same with the file called 'name'; a message if it cannot be read."""
    try:
        with open(name, encoding="utf-8") as stream:
            return from_stream(stream)
    except OSError as e:
        return f"{name}: {e.strerror}"


def dumper(obj, **kwargs):
    """json.dumps() without spaces."""
    kwargs.setdefault("separators", (",", ":"))
    return json.dumps(obj, **kwargs)
