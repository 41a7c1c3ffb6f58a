"""The values of columns (RFC 7047 section 5.1): Atom, one value, and Datum, a scalar, set or map of them."""
import functools
import re
import sys
import uuid

import ovs.db.parser
from ovs.db import error
import ovs.db.types
import ovs.json
import ovs.ovsuuid


class ConstraintViolation(error.Error):
    def __init__(self, msg, json=None):
        super().__init__(msg, json, tag="constraint violation")


def returnUnchanged(x):
    return x


@functools.total_ordering
class Atom:
    """The atom 'value' of the ovs.db.types.AtomicType 'type'.  Not to be changed."""
    __slots__ = ("type", "value")

    # Strings that could be taken for something else, in text meant for humans.
    _needs_quotes_re = re.compile("$|true|false|[^_a-zA-Z]|.*[^-._a-zA-Z]")

    def __init__(self, type_, value=None):
        self.type = type_
        self.value = type_.default if value is None else value

    def __eq__(self, other):
        return self.value == other.value if isinstance(other, Atom) and self.type is other.type else NotImplemented

    def __lt__(self, other):
        return self.value < other.value if isinstance(other, Atom) and self.type is other.type else NotImplemented

    def __hash__(self):
        return hash(self.value)

    def __repr__(self):
        return f"Atom({self.to_string()})"

    @staticmethod
    def default(type_):
        """The default of an AtomicType: 0, False, "" or the UUID of zeros."""
        return Atom(type_)

    def is_default(self):
        return self.value == self.type.default

    @staticmethod
    def from_json(base, json, symtab=None):
        """The atom in the notation of the protocol.  'symtab' has the UUIDs of names for ["named-uuid", NAME].  Raises
        ovs.db.error.Error if it is none, or not one that 'base' allows."""
        type_ = base.type
        json = value = ovs.db.parser.float_to_int(json)
        if type_ is ovs.db.types.UuidType:
            value = ovs.ovsuuid.from_json(json, symtab)
        elif not isinstance(value, type_.python_types):
            raise error.Error(f"expected {type_.name}", json)
        atom = Atom(type_, value)
        atom.check_constraints(base)
        return atom

    @staticmethod
    def from_python(base, value):
        """The same from a Python value."""
        value = ovs.db.parser.float_to_int(value)
        if not isinstance(value, base.type.python_types):
            raise error.Error(f"expected {base.type.to_string()}, got {type(value)}")
        atom = Atom(base.type, value)
        atom.check_constraints(base)
        return atom

    @staticmethod
    def new(x):
        """An atom of the type that suits the Python value 'x'."""
        for type_, python_type in ((ovs.db.types.BooleanType, bool), (ovs.db.types.IntegerType, int),
                                   (ovs.db.types.RealType, float), (ovs.db.types.StringType, str),
                                   (ovs.db.types.UuidType, uuid.UUID)):
            if isinstance(x, python_type):
                return Atom(type_, x)
        raise TypeError(f"no atom can hold a {type(x).__name__}")

    def check_constraints(self, base):
        """Raises ConstraintViolation if 'base', of the same type, does not allow the atom.  References are left to the
        server."""
        assert base.type is self.type
        if base.enum is not None and self not in base.enum:
            raise ConstraintViolation(f"{self.to_string()} is not one of the allowed values ({base.enum.to_string()})")
        if base.min is not None or base.max is not None:
            self._check_range(base)
        if base.type is ovs.db.types.StringType:
            self._check_length(base)

    def _check_range(self, base):
        text = self.to_string()
        if (base.min is None or self.value >= base.min) and (base.max is None or self.value <= base.max):
            return
        low, high = (Atom(self.type, x).to_string() for x in (base.min, base.max))
        if base.min is not None and base.max is not None:
            raise ConstraintViolation(f"{text} is not in the valid range {low} to {high} (inclusive)")
        if base.min is not None:
            raise ConstraintViolation(f"{text} is less than minimum allowed value {low}")
        raise ConstraintViolation(f"{text} is greater than maximum allowed value {high}")

    def _check_length(self, base):
        n = len(self.value)
        if n < base.min_length:
            raise ConstraintViolation(f'"{self.value}" length {n} is less than minimum allowed length '
                                      f"{base.min_length}")
        if n > base.max_length:
            raise ConstraintViolation(f'"{self.value}" length {n} is greater than maximum allowed length '
                                      f"{base.max_length}")

    def to_json(self):
        if self.type is ovs.db.types.UuidType:
            return ovs.ovsuuid.to_json(self.value)
        return self.value

    def to_string(self):
        if self.type is ovs.db.types.RealType:
            return "%.15g" % self.value
        if self.type is ovs.db.types.BooleanType:
            return "true" if self.value else "false"
        if self.type is ovs.db.types.StringType:
            return ovs.json.to_string(self.value) if Atom._needs_quotes_re.match(self.value) else self.value
        return str(int(self.value)) if self.type is ovs.db.types.IntegerType else str(self.value)

    def toEnglish(self, escapeLiteral=returnUnchanged):
        if self.type is ovs.db.types.StringType:
            return escapeLiteral(self.value)
        return self.to_string()


@functools.total_ordering
class Datum:
    """The value of a column of the ovs.db.types.Type 'type'.  'values' is a dict of its keys, as Atoms; the values are
    Atoms in a map, None otherwise."""
    __slots__ = ("type", "values")
    __hash__ = None

    def __init__(self, type_, values=None):
        self.type = type_
        self.values = {} if values is None else values

    def _key(self):
        return sorted(self.values.items() if self.type.is_map() else self.values)

    def __eq__(self, other):
        return self.values == other.values if isinstance(other, Datum) else NotImplemented

    def __lt__(self, other):
        return self._key() < other._key() if isinstance(other, Datum) else NotImplemented

    def __contains__(self, item):
        return item in self.values

    @staticmethod
    def default(type_):
        """The default of a type: empty if it may be, else one default key, with a default value in a map."""
        if type_.n_min == 0:
            return Datum(type_)
        return Datum(type_, {type_.key.default(): type_.value.default() if type_.is_map() else None})

    def is_default(self):
        return self == Datum.default(self.type)

    def copy(self):
        return Datum(self.type, dict(self.values))

    def conforms_to_type(self):
        return self.type.n_min <= len(self.values) <= self.type.n_max

    def check_constraints(self):
        """Raises ConstraintViolation if an atom is not one that the type allows."""
        for keyAtom, valueAtom in self.values.items():
            keyAtom.check_constraints(self.type.key)
            if valueAtom is not None:
                valueAtom.check_constraints(self.type.value)

    @staticmethod
    def from_json(type_, json, symtab=None):
        """The value in the notation of the protocol; see Atom.from_json()."""
        is_map = type_.is_map()
        key = type_.key
        if not is_map and not (isinstance(json, list) and len(json) > 0 and json[0] == "set"):
            return Datum(type_, {Atom.from_json(key, json, symtab): None})
        class_ = "map" if is_map else "set"
        inner = ovs.db.parser.unwrap_json(json, class_, [list, tuple], "array")
        n = len(inner)
        if n < type_.n_min or n > type_.n_max:
            limit = sys.maxsize if type_.n_max is None else type_.n_max
            raise error.Error(f"{class_} must have {type_.n_min} to {limit} members but {n} are present", json)
        values = {}
        for element in inner:
            if is_map:
                key_json, value_json = ovs.db.parser.parse_json_pair(element)
                atom = Atom.from_json(key, key_json, symtab)
                value = Atom.from_json(type_.value, value_json, symtab)
            else:
                atom, value = Atom.from_json(key, element, symtab), None
            if atom in values:
                raise error.Error("map contains duplicate key" if is_map else "set contains duplicate")
            values[atom] = value
        return Datum(type_, values)

    def to_json(self):
        if self.type.is_map():
            return ["map", [[k.to_json(), self.values[k].to_json()] for k in sorted(self.values)]]
        if len(self.values) == 1:
            return next(iter(self.values)).to_json()
        return ["set", [k.to_json() for k in sorted(self.values)]]

    def to_string(self):
        is_map = self.type.is_map()
        braces = ("", "")
        if self.type.n_max > 1 or not self.values:
            braces = ("{", "}") if is_map else ("[", "]")
        elements = [f"{k.to_string()}={self.values[k].to_string()}" if is_map else k.to_string()
                    for k in sorted(self.values)]
        return braces[0] + ", ".join(elements) + braces[1]

    __str__ = to_string

    def diff(self, datum):
        """What a server sends for the change from this value to 'datum' and back (<column-update2> of "modify"), or
        'datum' itself where the type is a scalar or an optional one."""
        if self.type.n_max > 1 or len(self.values) == 0:
            if self.type.is_map():
                return self._map_diff(datum)
            return Datum(self.type, {k: None for k in self.values.keys() ^ datum.values.keys()})
        return datum

    def _map_diff(self, datum):
        result = Datum(self.type)
        for k, v in self.values.items():
            if k not in datum.values:
                result.values[k] = v
            elif v != datum.values[k]:
                result.values[k] = datum.values[k]
        for k, v in datum.values.items():
            if k not in self.values:
                result.values[k] = v
        return result

    def as_list(self):
        if self.type.is_map():
            return [[k.value, v.value] for k, v in self.values.items()]
        return [k.value for k in self.values]

    def as_dict(self):
        """The keys and values as Atoms."""
        return dict(self.values)

    def as_scalar(self):
        """The only element, None if there is not exactly one."""
        if len(self.values) != 1:
            return None
        return self.as_list()[0]

    def to_python(self, uuid_to_row):
        """The value as Python has it: a dict for a map; an int, float, bool, str or uuid.UUID for a type of exactly one
        element; else a list.  Each value has gone through uuid_to_row(VALUE, BASE_TYPE), which makes rows of UUIDs."""
        key, value = self.type.key, self.type.value
        if len(self.values) == 1 and self.type.is_scalar():
            return uuid_to_row(next(iter(self.values)).value, key)
        if self.type.is_scalar():
            return uuid_to_row(key.type.default, key)
        if value is not None:
            pairs = ((uuid_to_row(k.value, key), uuid_to_row(v.value, value)) for k, v in self.values.items())
            return {k: v for k, v in pairs if k is not None and v is not None}
        rows = (uuid_to_row(k.value, key) for k in sorted(self.values))
        return [row for row in rows if row is not None]

    @staticmethod
    def from_python(type_, value, row_to_uuid):
        """The inverse of to_python(); each value goes through row_to_uuid(VALUE), which makes UUIDs of rows.  Raises
        ovs.db.error.Error if it does not fit the type."""
        if isinstance(value, dict):
            values = {Atom.from_python(type_.key, row_to_uuid(k)):
                      Atom.from_python(type_.value, row_to_uuid(v)) if type_.value is not None else None
                      for k, v in value.items()}
        elif isinstance(value, (list, set, frozenset, tuple)):
            values = {Atom.from_python(type_.key, row_to_uuid(k)): None for k in value}
        else:
            values = {Atom.from_python(type_.key, row_to_uuid(value)): None}
        if values and type_.is_map() != isinstance(value, dict):
            raise error.Error(f"expected {'map' if type_.is_map() else 'set'}, got {type(value)}")
        datum = Datum(type_, values)
        datum.check_constraints()
        if not datum.conforms_to_type():
            raise error.Error(f"{len(values)} values when type requires between {type_.n_min} and {type_.n_max}")
        return datum

    def __getitem__(self, key):
        """The value of a key of a map, an Atom or what an Atom can hold."""
        if not isinstance(key, Atom):
            key = Atom.new(key)
        if not self.type.is_map():
            raise IndexError
        if key not in self.values:
            raise KeyError
        return self.values[key].value

    def get(self, key, default=None):
        """The value of a key of a map, 'default' if there is none."""
        key = key if isinstance(key, Atom) else Atom.new(key)
        return self.values[key].value if key in self.values else default
