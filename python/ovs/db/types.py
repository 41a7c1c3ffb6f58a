"""The types of columns (RFC 7047 section 3.2): AtomicType, BaseType with its constraints, and Type."""
import sys
import uuid

from ovs.db import error
from ovs.db import parser
import ovs.db.data
import ovs.ovsuuid


class AtomicType:
    """One of the five kinds of atom; compare with VoidType, IntegerType and so on by identity."""

    def __init__(self, name, default, python_types):
        self.name = name
        self.default = default
        self.python_types = python_types

    @staticmethod
    def from_string(s):
        for atomic_type in ATOMIC_TYPES:
            if atomic_type is not VoidType and s == atomic_type.name:
                return atomic_type
        raise error.Error(f'"{s}" is not an atomic-type', s)

    @staticmethod
    def from_json(json):
        if not isinstance(json, str):
            raise error.Error("atomic-type expected", json)
        return AtomicType.from_string(json)

    def __str__(self):
        return self.name

    def to_string(self):
        return self.name

    def to_json(self):
        return self.name

    def default_atom(self):
        return ovs.db.data.Atom(self, self.default)


REAL_PYTHON_TYPES = (int, float)
VoidType = AtomicType("void", None, ())
IntegerType = AtomicType("integer", 0, (int,))
RealType = AtomicType("real", 0, REAL_PYTHON_TYPES)
BooleanType = AtomicType("boolean", False, (bool,))
StringType = AtomicType("string", "", (str,))
UuidType = AtomicType("uuid", ovs.ovsuuid.zero(), (uuid.UUID,))
ATOMIC_TYPES = [VoidType, IntegerType, RealType, BooleanType, StringType, UuidType]


def returnUnchanged(x):
    return x


def commafy(x):
    """Integer x in decimal with commas between the thousands."""
    return f"{int(x):,}"


def _range_to_english(low, high, infinite_text, number):
    if low is not None and high is not None:
        return f"in range {number(low)} to {number(high)}"
    if low is not None:
        return f"at least {number(low)}"
    return f"at most {number(high)}" if high is not None else infinite_text


class BaseType:
    """The type of an atom: 'type' (an AtomicType) and what it may be: one of the Datum 'enum', from 'min' to 'max',
    'min_length' to 'max_length' characters, a reference to the table 'ref_table_name' ('ref_table' once a schema knows
    it) that is 'ref_type' "strong" or "weak"."""

    def __init__(self, type_, enum=None, min=None, max=None, min_length=0, max_length=sys.maxsize,
                 ref_table_name=None):
        assert isinstance(type_, AtomicType)
        self.type = type_
        self.enum = enum
        self.min = min
        self.max = max
        self.min_length = min_length
        self.max_length = max_length
        self.ref_table_name = ref_table_name
        self.ref_type = "strong" if ref_table_name else None
        self.ref_table = None

    def default(self):
        return self.type.default_atom()

    def _key(self):
        return (self.type, self.enum, self.min, self.max, self.min_length, self.max_length, self.ref_table_name)

    def __eq__(self, other):
        return self._key() == other._key() if isinstance(other, BaseType) else NotImplemented

    __hash__ = None

    @staticmethod
    def _uint(p, name, default):
        value = p.get_optional(name, [int])
        if value is None:
            return default
        limit = 2 ** 32 - 1
        if value < 0 or value > limit:
            raise error.Error(f"{name} out of valid range 0 to {limit}", value)
        return value

    @staticmethod
    def from_json(json):
        if isinstance(json, str):
            return BaseType(AtomicType.from_json(json))
        p = parser.Parser(json, "ovsdb type")
        base = BaseType(AtomicType.from_json(p.get("type", [str])))
        enum = p.get_optional("enum", [int, float, bool, str, list])
        if enum is not None:
            base.enum = ovs.db.data.Datum.from_json(BaseType.get_enum_type(base.type), enum)
        elif base.type is IntegerType or base.type is RealType:
            base._numbers_from_json(p, json)
        elif base.type is StringType:
            base.min_length = BaseType._uint(p, "minLength", 0)
            base.max_length = BaseType._uint(p, "maxLength", sys.maxsize)
            if base.min_length > base.max_length:
                raise error.Error("minLength exceeds maxLength", json)
        elif base.type is UuidType:
            base._reference_from_json(p)
        p.finish()
        return base

    def _numbers_from_json(self, p, json):
        name, types = ("Integer", [int]) if self.type is IntegerType else ("Real", [int, float])
        self.min = p.get_optional("min" + name, types)
        self.max = p.get_optional("max" + name, types)
        if self.min is not None and self.max is not None and self.min > self.max:
            raise error.Error(f"min{name} exceeds max{name}", json)

    def _reference_from_json(self, p):
        self.ref_table_name = p.get_optional("refTable", ["id"])
        if not self.ref_table_name:
            return
        self.ref_type = p.get_optional("refType", [str], "strong")
        if self.ref_type not in ("strong", "weak"):
            raise error.Error(f'refType must be "strong" or "weak" (not "{self.ref_type}")')

    def to_json(self):
        if not self.has_constraints():
            return self.type.to_json()
        json = {"type": self.type.to_json()}
        number = {IntegerType: "Integer", RealType: "Real"}.get(self.type)
        if self.enum:
            json["enum"] = self.enum.to_json()
        if number and self.min is not None:
            json["min" + number] = self.min
        if number and self.max is not None:
            json["max" + number] = self.max
        if self.type is StringType and self.min_length != 0:
            json["minLength"] = self.min_length
        if self.type is StringType and self.max_length != sys.maxsize:
            json["maxLength"] = self.max_length
        if self.ref_table_name:
            json["refTable"] = self.ref_table_name
            if self.ref_type != "strong":
                json["refType"] = self.ref_type
        return json

    def copy(self):
        base = BaseType(self.type, self.enum and self.enum.copy(), self.min, self.max, self.min_length,
                        self.max_length, self.ref_table_name)
        base.ref_type = self.ref_type
        base.ref_table = self.ref_table
        return base

    def is_valid(self):
        if self.type is IntegerType or self.type is RealType:
            return self.min is None or self.max is None or self.min <= self.max
        if self.type is StringType:
            return self.min_length <= self.max_length
        return self.type is not VoidType

    def has_constraints(self):
        return (self.enum is not None or self.min is not None or self.max is not None or self.min_length != 0
                or self.max_length != sys.maxsize or self.ref_table_name is not None)

    def without_constraints(self):
        return BaseType(self.type)

    @staticmethod
    def get_enum_type(atomic_type):
        """The Type of the 'enum' of a BaseType of 'atomic_type': a set of one or more."""
        return Type(BaseType(atomic_type), None, 1, sys.maxsize)

    def is_ref(self):
        return self.type is UuidType and self.ref_table_name is not None

    def is_strong_ref(self):
        return self.is_ref() and self.ref_type == "strong"

    def is_weak_ref(self):
        return self.is_ref() and self.ref_type == "weak"

    def toEnglish(self, escapeLiteral=returnUnchanged):
        if not self.is_ref():
            return self.type.to_string()
        table = escapeLiteral(self.ref_table_name)
        return f"weak reference to {table}" if self.ref_type == "weak" else table

    def constraintsToEnglish(self, escapeLiteral=returnUnchanged, escapeNumber=returnUnchanged):
        if self.enum:
            return self._enum_to_english(escapeLiteral)
        if self.type is IntegerType:
            return _range_to_english(self.min, self.max, "", lambda x: escapeNumber(commafy(x)))
        if self.type is RealType:
            return _range_to_english(self.min, self.max, "", lambda x: escapeNumber("%g" % x))
        if self.type is StringType:
            return self._length_to_english(escapeNumber)
        return ""

    def _enum_to_english(self, escape):
        literals = [value.toEnglish(escape) for value in sorted(self.enum.values)]
        if len(literals) == 1:
            return f"must be {literals[0]}"
        if len(literals) == 2:
            return f"either {literals[0]} or {literals[1]}"
        return f"one of {', '.join(literals[:-1])}, or {literals[-1]}"

    def _length_to_english(self, number):
        low, high = self.min_length != 0, self.max_length != sys.maxsize
        if low and high:
            if self.min_length == self.max_length:
                return f"exactly {number(commafy(self.min_length))} characters long"
            return f"between {number(commafy(self.min_length))} and {number(commafy(self.max_length))} characters long"
        if low:
            return f"at least {number(commafy(self.min_length))} characters long"
        return f"at most {number(commafy(self.max_length))} characters long" if high else ""


class Type:
    """The type of a column: 'n_min' to 'n_max' keys of the BaseType 'key', each with a value of the BaseType 'value'
    unless that is None."""
    DEFAULT_MIN = 1
    DEFAULT_MAX = 1

    def __init__(self, key, value=None, n_min=DEFAULT_MIN, n_max=DEFAULT_MAX):
        self.key = key
        self.value = value
        self.n_min = n_min
        self.n_max = n_max

    def copy(self):
        return Type(self.key.copy(), self.value and self.value.copy(), self.n_min, self.n_max)

    def __eq__(self, other):
        if not isinstance(other, Type):
            return NotImplemented
        return (self.key, self.value, self.n_min, self.n_max) == (other.key, other.value, other.n_min, other.n_max)

    __hash__ = None

    def is_valid(self):
        return (self.key.type is not VoidType and self.key.is_valid()
                and (self.value is None or (self.value.type is not VoidType and self.value.is_valid()))
                and self.n_min <= 1 <= self.n_max)

    def is_scalar(self):
        return self.n_min == 1 and self.n_max == 1 and not self.value

    def is_optional(self):
        return self.n_min == 0 and self.n_max == 1

    def is_composite(self):
        return self.n_max > 1

    def is_set(self):
        return self.value is None and (self.n_min != 1 or self.n_max != 1)

    def is_map(self):
        return self.value is not None

    def is_smap(self):
        return self.is_map() and self.key.type is StringType and self.value.type is StringType

    def is_optional_pointer(self):
        """A true value if C code has a pointer for it: an optional string or reference."""
        return (self.is_optional() and not self.value
                and (self.key.type is StringType or self.key.ref_table_name))

    @staticmethod
    def _n_from_json(json, default):
        if json is None:
            return default
        if isinstance(json, int) and not isinstance(json, bool) and 0 <= json <= sys.maxsize:
            return json
        raise error.Error("bad min or max value", json)

    @staticmethod
    def from_json(json):
        if isinstance(json, str):
            return Type(BaseType.from_json(json))
        p = parser.Parser(json, "ovsdb type")
        key_json = p.get("key", [dict, str])
        value_json = p.get_optional("value", [dict, str])
        min_json = p.get_optional("min", [int])
        max_json = p.get_optional("max", [int, str])
        p.finish()
        key = BaseType.from_json(key_json)
        value = BaseType.from_json(value_json) if value_json else None
        n_min = Type._n_from_json(min_json, Type.DEFAULT_MIN)
        n_max = sys.maxsize if max_json == "unlimited" else Type._n_from_json(max_json, Type.DEFAULT_MAX)
        type_ = Type(key, value, n_min, n_max)
        if not type_.is_valid():
            raise error.Error("ovsdb type fails constraint checks", json)
        return type_

    def to_json(self):
        if self.is_scalar() and not self.key.has_constraints():
            return self.key.to_json()
        json = {"key": self.key.to_json()}
        if self.value is not None:
            json["value"] = self.value.to_json()
        if self.n_min != Type.DEFAULT_MIN:
            json["min"] = self.n_min
        if self.n_max == sys.maxsize:
            json["max"] = "unlimited"
        elif self.n_max != Type.DEFAULT_MAX:
            json["max"] = self.n_max
        return json

    def toEnglish(self, escapeLiteral=returnUnchanged):
        key = self.key.toEnglish(escapeLiteral)
        value = self.value and self.value.toEnglish(escapeLiteral)
        if self.is_scalar():
            return key
        if self.is_optional():
            return f"optional {key}-{value} pair" if value else f"optional {key}"
        if self.n_max == sys.maxsize:
            quantity = f"{commafy(self.n_min)} or more " if self.n_min else ""
        elif self.n_min:
            quantity = f"{commafy(self.n_min)} to {commafy(self.n_max)} "
        else:
            quantity = f"up to {commafy(self.n_max)} "
        if value:
            return f"map of {quantity}{key}-{value} pairs"
        # A class of English plurals that names of tables have, too.
        return f"set of {quantity}{key[:-1] + 'ies' if key.endswith('y') else key + 's'}"

    def constraintsToEnglish(self, escapeLiteral=returnUnchanged, escapeNumber=returnUnchanged):
        constraints = []
        key = self.key.constraintsToEnglish(escapeLiteral, escapeNumber)
        if key:
            constraints.append(f"key {key}" if self.value else key)
        value = self.value and self.value.constraintsToEnglish(escapeLiteral, escapeNumber)
        if value:
            constraints.append(f"value {value}")
        return ", ".join(constraints)
