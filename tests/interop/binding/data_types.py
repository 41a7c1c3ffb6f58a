"""ovs.db.types, ovs.db.data, ovs.db.schema, ovs.db.parser, ovs.db.error, ovs.ovsuuid."""
import copy
import uuid

from show import call

import ovs.json
import ovs.ovsuuid
from ovs.db import data, error, parser, schema, types

U1, U2 = uuid.UUID(int=1), uuid.UUID(int=2)
TEXT = "01234567-89ab-cdef-0123-456789abcdef"
INT, STR, UUID = ({"type": kind} for kind in ("integer", "string", "uuid"))
TYPES = ["integer", "real", "boolean", "string", "uuid", "void", "x", 5, None, {},
         {"key": "integer"}, {"key": "string", "value": "string", "min": 0, "max": "unlimited"},
         {"key": "integer", "min": 0}, {"key": "integer", "min": 0, "max": 1}, {"key": "integer", "min": 2, "max": 3},
         {"key": "integer", "min": 0, "max": 0}, {"key": "integer", "max": 5}, {"key": "integer", "min": -1},
         {"key": "integer", "max": "x"}, {"key": "integer", "min": 1, "max": "unlimited"},
         {"key": INT | {"minInteger": 1, "maxInteger": 10}}, {"key": INT | {"minInteger": 10, "maxInteger": 1}},
         {"key": INT | {"minReal": 1}}, {"key": {"type": "real", "minReal": 1, "maxReal": 2.5}},
         {"key": {"type": "real", "minReal": 3, "maxReal": 2.5}}, {"key": STR | {"minLength": 1, "maxLength": 3}},
         {"key": STR | {"minLength": 5, "maxLength": 3}}, {"key": STR | {"minLength": -5}},
         {"key": STR | {"enum": ["set", ["a", "b"]]}}, {"key": STR | {"enum": "a"}}, {"key": STR | {"enum": ["set",
                                                                                                             []]}},
         {"key": INT | {"enum": ["set", [1, "b"]]}}, {"key": INT | {"enum": ["set", [3, 1, 2]]}},
         {"key": STR | {"enum": ["set", ["a", "b"]], "minLength": 2}}, {"key": UUID | {"refTable": "T"}},
         {"key": UUID | {"refTable": "T", "refType": "weak"}, "min": 0}, {"key": UUID | {"refTable": "T",
                                                                                         "refType": "x"}},
         {"key": UUID | {"refType": "weak"}}, {"key": STR | {"refTable": "x"}}, {"key": "string", "foo": 1},
         {"key": "string", "value": UUID | {"refTable": "T", "refType": "strong"}}, {"key": STR | {"foo": 1}},
         {"value": "string"}, {"key": "string", "value": "string"}, {"key": "void"}, {"key": INT | {"minInteger": 1}},
         {"key": INT | {"maxInteger": 2}}, {"key": {"type": "real", "minReal": 1}},
         {"key": {"type": "real", "maxReal": 1e10}}, {"key": STR | {"minLength": 1}}, {"key": STR | {"maxLength": 0}},
         {"key": INT | {"minInteger": 0, "maxInteger": 4095}, "min": 0, "max": 4096},
         {"key": STR | {"enum": ["set", ["x", "y", "z"]]}, "min": 0, "max": 1}, {"key": "uuid", "min": 0, "max": 1}]
JSON = [1, 0, -5, 11, "a", "abcd", True, None, 1.0, 1.5, 2.5, 1e10, 2 ** 63 - 1, 2 ** 63, -2 ** 63, {}, [1, 2],
        ["set"], ["set", 5], ["set", []], ["set", [1]], ["set", [1, 2]], ["set", [1, 1]], ["set", ["a"]],
        ["set", [3, 1, 2]], ["set", [["uuid", str(U2)], ["uuid", str(U1)]]], ["uuid", str(U1)], ["uuid", "x"],
        ["named-uuid", "q"], ["map", []], ["map", {}], ["map", ["a"]], ["map", [["a"]]], ["map", [["a", 1]]],
        ["map", [["a", 1], ["b", 2], ["c", 3]]], ["map", [["a", 1], ["a", 2]]], ["map", [[1, 1]]], ["map", [["a",
                                                                                                             "b"]]]]
PYTHON = [1, 0, 1.5, 1.0, True, "a", "", None, U1, [], [1], [1, 2], (1, 2), [2, 1, 1], "abc", ["a", "b"], {}, [U1, U2],
          [U2, U1], [None], [[1]], 7, [7], b"x", 2 ** 70]
MAPS = [{}, {"a": "b"}, {"b": "c", "a": "b"}, {"a": 1}, {1: U1}, {}]
SCHEMA = {"name": "Db", "version": "1.2.3", "cksum": "1 2", "tables": {
    "T": {"columns": {"a": {"type": "integer"}, "c": {"type": "string", "ephemeral": True}, "d": {"type": "string"},
                      "b": {"type": {"key": UUID | {"refTable": "U"}, "min": 0, "max": "unlimited"}, "mutable": False}},
          "indexes": [["a"], ["a", "d"]], "maxRows": 3, "isRoot": True},
    "U": {"columns": {"x": {"type": "string"}}}}}


def good_types():
    for j in TYPES:
        try:
            yield ovs.json.to_string(j), types.Type.from_json(j)
        except error.Error:
            pass


def column_types():
    for j in TYPES:
        call(ovs.json.to_string(j), types.Type.from_json, j)
    for name, t in good_types():
        k = t.key
        print(name, [getattr(t, m)() for m in ("is_composite", "is_map", "is_optional", "is_optional_pointer",
                                               "is_scalar",
                                               "is_set", "is_smap", "is_valid")])
        print(repr(t.toEnglish()), repr(t.constraintsToEnglish()), t.n_min, t.n_max, k.has_constraints(), k.is_ref(),
              k.is_strong_ref(), k.is_weak_ref(), repr(k.toEnglish()), k.type, k.min, k.max, k.min_length, k.max_length,
              k.ref_table_name, k.ref_type, k.ref_table, k.is_valid(), k.enum and k.enum.to_string())


def datums():
    for name, t in good_types():
        for j in JSON:
            call(f"{name} {ovs.json.to_string(j)}", data.Datum.from_json, t, j)
        for v in MAPS if t.is_map() else PYTHON:
            call(f"{name} {v!r}", data.Datum.from_python, t, v, lambda x: x)
    map_type = types.Type.from_json(TYPES[11])
    set_type = types.Type.from_json({"key": "integer", "min": 0, "max": "unlimited"})
    for t, v in ((map_type, {"b": "1", "a": "2"}), (set_type, [3, 1, 2]), (types.Type.from_json("integer"), 5)):
        d = data.Datum.from_python(t, v, lambda x: x)
        for m in ("to_string", "to_json", "as_list", "as_scalar", "is_default", "conforms_to_type",
                  "check_constraints"):
            call(m, getattr(d, m))
        call("to_python", d.to_python, lambda value, base: value)
        print(d.copy() == d, d == data.Datum.from_python(set_type, [1, 2, 3], lambda x: x))
    m = data.Datum.from_python(map_type, {"b": "1", "a": "2"}, lambda x: x)
    call("item", lambda: m["a"])
    call("no item", lambda: m["zz"])
    call("get", lambda: (m.get("a"), m.get("zz", "dd")))
    for t, old, new in ((set_type, [], [1]), (set_type, [1], [1]), (set_type, [1, 2], [2, 3]), (map_type, {},
                                                                                                {"a": "b"}),
                        (map_type, {"a": "b", "c": "d"}, {"a": "x", "c": "d", "e": "f"})):
        call("diff", lambda: data.Datum.from_python(t, old, lambda x: x).diff(
            data.Datum.from_python(t, new, lambda x: x)))


def atoms():
    for x in (1, 1.5, "a", "a b", "true", "a-b.c_d", "1a", '"', "\\", "é", "-a", "_a", ".a", "a:b"):
        a = data.Atom.new(x)
        print(a.to_string(), a.to_json(), a.value, a.is_default(), a == data.Atom.new(x), a.type, a.toEnglish())
    base = types.BaseType(types.UuidType)
    call("named", data.Atom.from_json, base, ["named-uuid", "y"], {"y": U1})
    call("unknown", data.Atom.from_json, base, ["named-uuid", "y"], {})


def changed(table=None, column=None, **top):
    s = copy.deepcopy(SCHEMA) | top
    s["tables"] if table is None and column is None else s["tables"]["T"].update(table or {})
    if column is not None:
        s["tables"]["T"]["columns"].update(column)
    return s


def schemas():
    s = schema.DbSchema.from_json(SCHEMA)
    t = s.tables["T"]
    print(s.name, s.version, sorted(s.tables), ovs.json.to_string(s.to_json()), s.copy().name)
    print(t.name, sorted(t.columns), t.mutable, t.is_root, t.max_rows, [[c.name for c in i] for i in t.indexes])
    for name in sorted(t.columns):
        c = t.columns[name]
        print(c.name, c.mutable, c.persistent, c.type.key.ref_table and c.type.key.ref_table.name)
        print(ovs.json.to_string(c.to_json()))
    print(ovs.json.to_string(t.to_json(True)), ovs.json.to_string(t.to_json()))
    for j in ("a", ["a"], ["a", "c"], [], ["zz"], 5, ["a", "a"], [1]):
        call(f"columns {j}", lambda: sorted(c.name for c in schema.column_set_from_json(j, t.columns)))
    weak = {"key": UUID | {"refTable": "U", "refType": "weak"}, "min": 0}
    for j in ({"tables": {}}, {"name": "x"}, [], changed(name="a b"), changed(version="x"), changed(version="1.2"),
              changed(version=5), changed(cksum=5), changed(foo=1), changed(tables=[]), changed(tables={"a b": {}}),
              changed(tables={"_a": {"columns": {}}}), changed(tables={"a": {"columns": {}}}),
              changed(tables={"T": SCHEMA["tables"]["T"]}), changed({"maxRows": 0}), changed({"maxRows": "x"}),
              changed({"indexes": [["q"]]}), changed({"indexes": [[]]}), changed({"indexes": [["a", "a"]]}),
              changed({"indexes": "a"}), changed({"indexes": ["a"]}), changed({"indexes": [["c"]]}),
              changed({"isRoot": 5}), changed({"foo": 5}), changed({"mutable": False}),
              changed(column={"_x": {"type": "string"}}), changed(column={"a b": {"type": "string"}}),
              changed(column={"x": {}}), changed(column={"x": {"type": "zz"}}),
              changed(column={"x": {"type": "string", "foo": 1}}), changed(column={"x": {"type": "string",
                                                                                         "mutable": 5}}),
              changed(column={"x": {"type": weak, "ephemeral": True}}), changed(column={"x": {"type": weak,
                                                                                              "mutable": False}}),
              changed(column={"x": {"type": {"key": UUID | {"refTable": "U"}}, "ephemeral": True}})):
        call("schema", lambda: ovs.json.to_string(schema.DbSchema.from_json(j).to_json()))


def uuids():
    for s in (TEXT, TEXT.upper(), "x", TEXT[:-1], TEXT + "x", "", TEXT.replace("-", "")):
        call(s, ovs.ovsuuid.is_valid_string, s)
        call(s, ovs.ovsuuid.from_string, s)
    for j in (["uuid", TEXT], ["uuid", "x"], ["named-uuid", "a"], ["x", TEXT], "a", 5, ["uuid", 5], [], {"a": 1}):
        for symtab in (None, {}, {"a": U1}):
            call(f"{j} {symtab}", ovs.ovsuuid.from_json, j, symtab)
    print(ovs.ovsuuid.zero(), ovs.ovsuuid.to_json(U1), ovs.ovsuuid.to_c_initializer(uuid.UUID(TEXT), "x"))


def parsers():
    def get(j, t, optional):
        p = parser.Parser(j, "thing")
        value = p.get_optional("a", t, "default") if optional else p.get("a", t)
        p.finish()
        return value

    for j in ({}, {"a": 1}, {"a": 1, "b": 2}, {"a": "x"}, {"a": True}, {"a": None}, {"a": 1.0}, [], 5, None):
        for t in ([int], [str], [str, int], ["id"], [bool], [float], [type(None)], [list, dict]):
            call(f"{j} {t}", get, j, t, False)
            call(f"{j} {t} optional", get, j, t, True)
    for x in (1, 1.0, 1.5, 1e18, 2.0 ** 53, "a", None, True):
        call(f"float {x}", parser.float_to_int, x)
    for x in ("a", "_a", "a b", "1a", "", 5, None):
        call(f"id {x}", lambda: bool(parser.is_identifier(x)))
    for x in (list, dict, str, int, float, bool, tuple):
        call(f"type {x}", parser.json_type_to_string, x)
    for x in ([1, 2], [1], "a", None, (1, 2), {}):
        call(f"pair {x}", parser.parse_json_pair, x)
    for args in (("m",), ("m", {"a": 1}), ("m", None, "tag"), ("m", [1], "t")):
        e = error.Error(*args)
        print(str(e), e.msg, e.json, e.tag, e.args)


column_types()
datums()
atoms()
schemas()
uuids()
parsers()
