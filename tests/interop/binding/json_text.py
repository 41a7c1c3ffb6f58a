"""ovs.json: what is JSON, what is said of what is not, and how values are written."""
import collections
import io
import os
import tempfile
import uuid

from show import call

import ovs.json

TEXTS = ["", " ", "x", "nul", "null", "nulls", "null x", "[", "[1", "[1,", "[1,]", "[1 2]", "[,]", "]", "{", "{}",
         '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', "{a:1}", '{"a" 1}', "{1:2}", '"', '"abc', '"a\\', '"a\\q"',
         '"\\u12"', '"\\u0000"', '"\\ud800"', '"\\ud800\\u0041"', '"\\ud800x"', '["\\ud83d\\ude00"]', '"\x01"', '"\n"',
         '"a\tb"', "01", "-", "-0", "1.", "1.0", ".5", "1e5", "1e400", "-1e400", "1e-400", "+1", "True", "false",
         "true",
         "[true,false,null]", '{"a":1,"a":2}', "[]]", "[] x", '{"a":[{"b":{}}]}', '["é"]', '["\u20ac\U0001f600"]',
         "tru e", "[\n\n x]", '{"a":\n\n}', '["a","b\n"]', "\x00", "[\x00]", "\ufeff[]", "//c", "1 2", '"a" "b"', "[1}",
         '{"a":1]', '{"":{}}', "é", '["a\\/b\\b\\f\\n\\r\\t\\"\\\\"]', "12x", "1-2", "1.2.3", "1ee5", "--1", "-x", "1e",
         "1e+", "[1e]", "[-]", "[00]", "[1.]", "[tru]", "nUll", "[nullx]", '["a""b"]', '{"a":1 "b"}', '{"a"}', "{,}",
         '{"a":1,,}', "[1,,2]", '{"a"::1}', "[:]", "[1:2]", '["\\uzzzz"]', '["\\u12', '["\\u"]', '["\\u12g4"]',
         '["a\\u0000"]', '["\\ud800\\n"]', '["\\ud800\\u12"]', '["\x7f"]', "[1}" * 3,
         "[9223372036854775807,9223372036854775808,-9223372036854775808,-9223372036854775809]",
         "[-0,-0.0,0.0,0e5,100e-2,1.5e3,1.0e3,123456789012345678901234567890,12345678901234567890.0]", "[1e-400]",
         "[1.0000000000000000000001,1e1,0.1e1,2.5e0,0.5e1,5e-1,123e-1,1230e-1,1e18,1e19,1E5,1e+5]",
         "[12345678901234567,0.1,1e23,123456789e-9,99999999999999999999e-5,1e0000001,1.7976931348623157e308]"]
VALUES = [None, True, 1, 1.0, 0.1, 1e300, float("inf"), 'é"\\\x01\n\x7f/', "\U0001f600", [], {}, [1, [2]],
          {"b": 1, "a": {"d": [], "c": {}}}, (1, 2), {1: 2}, b"x", {1, 2}, uuid.UUID(int=5), 10 ** 30, 1e15, 1e16,
          123456789.125, -0.0, collections.OrderedDict([("z", 1), ("a", 2)]), 5e-324]


def reading():
    for t in TEXTS:
        call(repr(t), ovs.json.from_string, t)
    for depth in (999, 1000, 1001):
        result = ovs.json.from_string("[" * depth + "]" * depth)
        print(depth, result if isinstance(result, str) else type(result))
    for t in ("[] x", "[]  ", "1 2", "{}[]", "{} \n", '"a"b', "1]", "nullx", "12 3", "[1", ""):
        for check_trailer in (False, True):
            p = ovs.json.Parser(check_trailer=check_trailer)
            print(repr(t), check_trailer, p.feed(t), p.is_done(), repr(p.finish()))


def piecewise():
    p = ovs.json.Parser()
    for c in '{"a":[1,2,"x\\u00e9"],"b":-1.5e3,"c":true}':
        assert not p.is_done() and p.feed(c) == 1
    print(p.is_done(), p.feed("abc"), p.finish())
    p = ovs.json.Parser()
    print(p.feed("[1,x"), p.is_done(), p.feed("yy"), p.finish())


def writing():
    for value in VALUES:
        for options in ({}, {"pretty": True}, {"sort_keys": False}):
            call(f"{value!r} {options}", lambda: ovs.json.to_string(value, **options))
    f = io.StringIO()
    ovs.json.to_stream({"b": 1, "a": [1, 2]}, f, True)
    print(repr(f.getvalue()))
    with tempfile.TemporaryDirectory() as directory:
        name = os.path.join(directory, "x.json")
        ovs.json.to_file({"x": [1]}, name)
        with open(name, encoding="utf-8") as f:
            print(repr(f.read()), ovs.json.from_file(name))
    print(ovs.json.from_stream(io.StringIO('{"a":1} x')), ovs.json.from_stream(io.StringIO('{"a":1}')))
    print(ovs.json.PARSER)


reading()
piecewise()
writing()
