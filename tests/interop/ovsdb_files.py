#!/usr/bin/python3
"""Database files go both ways between our programs and the reference's.

Usage: ovsdb_files.py BUILD.  One side's ovsdb-tool writes, changes, compacts or converts a file; both sides read it and
must say the same.  Exit status 77 if the reference's programs are not installed."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build"
TOOLS = {"reference": "/usr/bin/ovsdb-tool", "ours": os.path.join(BUILD, "src/cmd/ovsdb-tool/ovsdb-tool")}
COLUMNS = {"name": {"type": "string"}, "r": {"type": "real"}, "e": {"type": "string", "ephemeral": True},
           "s": {"type": {"key": "string", "min": 0, "max": "unlimited"}},
           "m": {"type": {"key": "string", "value": "integer", "min": 0, "max": "unlimited"}},
           "kids": {"type": {"key": {"type": "uuid", "refTable": "Kid"}, "min": 0, "max": "unlimited"}}}
SCHEMA = {"name": "T", "version": "1.0.0", "tables": {
    "Root": {"isRoot": True, "columns": COLUMNS}, "Kid": {"columns": {"n": {"type": "integer"}}}}}
CHANGES = [
    [{"op": "insert", "table": "Root", "row": {"name": "a\"\\\u00e9\u0001\U0001f600", "r": 1e300, "e": "gone",
                                               "s": ["set", ["x", "y z", ""]], "m": ["map", [["k", -1], ["l", 2]]]}},
     {"op": "comment", "comment": "first\nline"}],
    [{"op": "insert", "table": "Kid", "uuid-name": "k", "row": {"n": 9223372036854775807}},
     {"op": "mutate", "table": "Root", "where": [], "mutations": [["kids", "insert", ["named-uuid", "k"]],
                                                                  ["s", "delete", "x"], ["m", "delete", "k"]]}],
    [{"op": "update", "table": "Root", "where": [], "row": {"r": 0.1, "m": ["map", [["l", 3]]]}}],
    [{"op": "insert", "table": "Root", "row": {}}],
    [{"op": "delete", "table": "Root", "where": [["name", "==", ""]]}],
]
QUERY = [{"op": "select", "table": t, "where": [], "columns": sorted(c)} for t, c in
         (("Root", {"_uuid", *COLUMNS} - {"e"}), ("Kid", {"_uuid", "n"}))]


class Files(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="ovsdb-files.")
        self.addCleanup(self.place.cleanup)
        self.db, self.schema = (os.path.join(self.place.name, n) for n in ("db", "schema"))
        self.write_schema(SCHEMA)

    def write_schema(self, schema):
        with open(self.schema, "w", encoding="utf-8") as f:
            json.dump(schema, f)

    def tool(self, side, *arguments):
        done = subprocess.run([TOOLS[side], *arguments], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, f"{side}: {arguments}: {done.stderr}")
        return done.stdout

    def transact(self, side, operations):
        reply = json.loads(self.tool(side, "transact", self.db, json.dumps(["T", *operations])))
        self.assertFalse([r for r in reply if r.get("error")], reply)

    def both_read_the_same(self):
        """Contents, facts, and each record at each level of detail; no order of rows, tables or columns counts."""
        rows = [json.loads(self.tool(side, "query", self.db, json.dumps(["T", *QUERY]))) for side in TOOLS]
        self.assertEqual(*([sorted(map(str, table["rows"])) for table in r] for r in rows))
        for command in (["db-name", self.db], ["db-version", self.db], ["db-cksum", self.db],
                        ["needs-conversion", self.db, self.schema], ["show-log", self.db]):
            self.assertEqual(*(self.tool(side, *command) for side in TOOLS), command)
        for more in ("-m", "-mm"):
            shown = [re.split(r"^record ", self.tool(side, more, "show-log", self.db), flags=re.M) for side in TOOLS]
            self.assertEqual(*([sorted(r.splitlines()) for r in s] for s in shown))

    def test_each_writes_what_the_other_reads(self):
        for creator in TOOLS:
            for first in (0, 1):
                if os.path.exists(self.db):
                    os.remove(self.db)
                self.tool(creator, "create", self.db, self.schema)
                for i, operations in enumerate(CHANGES):
                    self.transact(list(TOOLS)[(first + i) % 2], operations)
                    self.both_read_the_same()

    def test_each_compacts_and_converts_what_the_other_wrote(self):
        for writer in TOOLS:
            for changer in TOOLS:
                if os.path.exists(self.db):
                    os.remove(self.db)
                self.write_schema(SCHEMA)
                self.tool(writer, "create", self.db, self.schema)
                for operations in CHANGES:
                    self.transact(writer, operations)
                self.tool(changer, "compact", self.db)
                self.both_read_the_same()
                newer = json.loads(json.dumps(SCHEMA))
                newer["version"] = "2.0.0"
                newer["tables"]["Root"]["columns"]["new"] = {"type": {"key": "string", "min": 0, "max": 1}}
                self.write_schema(newer)
                self.tool(changer, "convert", self.db, self.schema)
                self.both_read_the_same()
                self.transact(writer, CHANGES[3])
                self.both_read_the_same()


if __name__ == "__main__":
    if not all(os.access(t, os.X_OK) for t in TOOLS.values()):
        print("a program is missing:", *TOOLS.values())
        sys.exit(77)
    unittest.main()
