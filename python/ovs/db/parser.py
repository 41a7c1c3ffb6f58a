"""Takes JSON objects apart, complaining about members that are missing, of the wrong type, or not known."""
import re

from ovs.db import error

id_re = re.compile("[_a-zA-Z][_a-zA-Z0-9]*$")


class Parser:
    """Reads the object 'json', which messages call 'name'.  get() each member, then finish()."""

    def __init__(self, json, name):
        self.name = name
        self.json = json
        self.used = set()
        if not isinstance(json, dict):
            self._fail("Object expected.")

    def _fail(self, message):
        raise error.Error(f"Parsing {self.name} failed: {message}", self.json)

    def get(self, name, types):
        """The member 'name', which must be of one of 'types': classes, or "id" for a str that is an identifier."""
        return self._get(name, types, False, None)

    def get_optional(self, name, types, default=None):
        return self._get(name, types, True, default)

    def _get(self, name, types, optional, default):
        if name not in self.json:
            if not optional:
                self._fail(f"Required '{name}' member is missing.")
            return default
        value = float_to_int(self.json[name])
        classes = tuple(t for t in types if t != "id")
        if not (isinstance(value, classes) or ("id" in types and is_identifier(value))):
            self._fail(f"Type mismatch for member '{name}'.")
        self.used.add(name)
        return value

    def finish(self):
        """Raises an error if there are members that nobody asked for."""
        unused = sorted(self.json.keys() - self.used)
        if not unused:
            return
        others = ""
        if len(unused) > 1:
            others = f" and {len(unused) - 1} other member{'s' if len(unused) > 2 else ''}"
        self._fail(f"Member '{unused[0]}'{others} {'are' if others else 'is'} present but not allowed here")


def float_to_int(x):
    """A float that is an integer, as far as floats are exact, as int; anything else unchanged."""
    if isinstance(x, float) and x.is_integer() and abs(x) < 2 ** 53:
        return int(x)
    return x


def is_identifier(s):
    """A true value if 's' is an <id> (RFC 7047 section 3.1)."""
    return isinstance(s, str) and id_re.match(s)


def json_type_to_string(type_):
    for name, classes in (("number", (int, float)), ("boolean", bool), ("string", str), ("object", dict),
                          ("array", list)):
        if issubclass(type_, classes) and (type_ is not bool or name == "boolean"):
            return name
    return "<invalid>"


def unwrap_json(json, name, types, desc):
    """VALUE of [NAME, VALUE], which must be of one of 'types'."""
    if (not isinstance(json, (list, tuple)) or len(json) != 2 or json[0] != name
            or not isinstance(json[1], tuple(types))):
        raise error.Error(f'expected ["{name}", <{desc}>]', json)
    return json[1]


def parse_json_pair(json):
    if not isinstance(json, list) or len(json) != 2:
        raise error.Error("expected 2-element array", json)
    return json
