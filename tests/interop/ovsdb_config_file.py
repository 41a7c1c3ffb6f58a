#!/usr/bin/python3
"""ovsdb-server --config-file: what it says is served, each part of it changed while the server runs, and what is wrong
with it.  There is nothing to compare with: the reference's packages are older.

Usage: ovsdb_config_file.py BUILD."""
import json
import os
import subprocess
import unittest

from ovsdb_copies import BEGINNING, SCHEMA, SERVERS, Client, Copies, insert

CONFIGURES = (["add-db", "x"], ["remove-db", "T"], ["add-remote", "punix:x"], ["remove-remote", "x"],
              ["set-active-ovsdb-server", "x"], ["connect-active-ovsdb-server"], ["disconnect-active-ovsdb-server"],
              ["set-active-ovsdb-server-probe-interval", "1"], ["set-relay-source-probe-interval", "1"],
              ["set-sync-exclude-tables", "T:C"])


class ConfigFile(Copies):
    def configured(self, remotes=None, databases=None, start=True, schemas=(SCHEMA,), **more):
        s = self.server("ours", schemas=schemas, start=False)
        s.config = os.path.join(s.dir, "config.json")
        s.env = {"OVS_DBDIR": s.dir}
        self.write(s, remotes, databases, **more)
        s.arguments = ["--config-file=config.json"]
        s.remotes = []
        if start:
            s.start()
        return s

    def write(self, s, remotes=None, databases=None, **more):
        everything = {"remotes": {f"punix:{s.path}": None, **(remotes or {})}, "databases": databases, **more}
        with open(s.config, "w", encoding="utf-8") as f:
            json.dump(everything, f)

    def reload(self, s, remotes=None, databases=None, **more):
        self.write(s, remotes, databases, **more)
        return s.ctl("ovsdb-server/reload")

    def test_databases_come_and_go(self):
        s = self.configured(databases={"T.db": None})
        self.assertEqual(s.ctl("ovsdb-server/list-dbs"), "T\n_Server\n")
        s.transact(*BEGINNING)
        other = s.create(dict(SCHEMA, name="U"))
        client = Client(s.path)
        self.assertEqual(self.reload(s, databases={"T.db": {"service-model": "standalone"}, other: {}}), "")
        self.assertEqual(s.ctl("ovsdb-server/list-dbs"), "T\nU\n_Server\n")
        self.assertEqual(sorted(client.call("list_dbs")), ["T", "U", "_Server"])
        self.assertEqual(self.reload(s, databases={other: None}), "")
        self.assertEqual(s.ctl("ovsdb-server/list-dbs"), "U\n_Server\n")
        with self.assertRaises((EOFError, ConnectionError)):
            client.call("list_dbs")
        self.assertEqual(self.reload(s), "")
        self.assertEqual(s.ctl("ovsdb-server/list-dbs"), "_Server\n")
        self.assertEqual(self.reload(s, databases={"T.db": None}), "")
        self.assertEqual(len(s.contents()["C"]), 2)

    def test_remotes_and_their_options(self):
        s = self.configured(databases={"T.db": None})
        client = Client(s.path)
        path = os.path.join(s.dir, "more")
        options = {"max-backoff": 1000, "inactivity-probe": 0, "dscp": 16, "read-only": True, "role": "r"}
        self.assertEqual(self.reload(s, {f"punix:{path}": options}, {"T.db": None}), "")
        self.assertEqual(s.ctl("ovsdb-server/list-remotes"), "".join(f"punix:{p}\n" for p in sorted((path, s.path))))
        reading = Client(path)
        self.assertEqual(reading.call("transact", "T", insert("C", c=1))[0]["error"], "not allowed")
        self.assertEqual(sorted(client.call("list_dbs")), ["T", "_Server"])  # Not disturbed.
        self.assertEqual(self.reload(s, {f"punix:{path}": {"read-only": False}}, {"T.db": None}), "")
        with self.assertRaises((EOFError, ConnectionError)):
            reading.call("list_dbs")  # What a connection may do does not change.
        self.assertIn("uuid", Client(path).call("transact", "T", insert("C", c=1))[0])
        self.assertEqual(self.reload(s, {f"punix:{path}": {"colour": "red"}}, {"T.db": None}), "")
        self.assertIn("unknown option 'colour'", s.errors())
        self.assertEqual(self.reload(s, {}, {"T.db": None}), "")
        self.assertFalse(os.path.exists(path))

    def test_remotes_in_a_database(self):
        gate = {"name": "G", "version": "1.0.0", "tables": {"G": {"isRoot": True, "columns": {
            "r": {"type": {"key": "string", "min": 0, "max": "unlimited"}}}}}}
        s = self.configured({"db:G,G,r": {"read-only": True}}, {"G.db": None, "T.db": None}, schemas=(SCHEMA, gate))
        path = os.path.join(s.dir, "more")
        s.transact(insert("G", r=f"punix:{path}"), db="G")
        self.until("it listens", lambda: os.path.exists(path))
        self.assertEqual(Client(path).call("transact", "T", insert("C", c=1))[0]["error"], "not allowed")

    def test_a_relay(self):
        source, other = self.server("ours"), self.server("ours")
        source.transact(*BEGINNING)
        s = self.configured(databases={"T": {"service-model": "relay", "source": {f"unix:{source.path}": {
            "inactivity-probe": 0, "max-backoff": 1000, "dscp": 8}}}})
        self.until_equal(s, source)
        self.assertEqual(self.reload(s, databases={"T": {"service-model": "relay",
                                                         "source": {f"unix:{other.path}": None}}}), "")
        self.until_equal(s, other)
        # From a relay to a file and back.
        self.assertEqual(self.reload(s, databases={"T.db": None}), "")
        self.assertEqual(s.about("model"), [{"model": "standalone"}])
        self.assertEqual(self.reload(s, databases={"T": {"service-model": "relay",
                                                         "source": {f"unix:{source.path}": None}}}), "")
        self.until_equal(s, source)

    def test_an_active_backup_pair(self):
        active = self.server("ours")
        active.transact(*BEGINNING)
        source = {f"unix:{active.path}": {"inactivity-probe": 1000}}
        standalone = dict(SCHEMA, name="U")
        backup = {"service-model": "active-backup", "backup": True, "source": source}
        s = self.configured(databases={"T.db": backup, "U.db": None}, schemas=(SCHEMA, standalone))
        self.until_equal(s, active)
        self.assertEqual(s.ctl("ovsdb-server/sync-status"),
                         f"database: T\nstate: backup\nreplicating: unix:{active.path}\n\n")
        self.assertEqual(s.transact(insert("C", c=1))[0]["error"], "not allowed")
        client = Client(s.path)
        client.call("set_db_change_aware", True)
        self.assertEqual(client.call("lock", "x"), {"locked": True})  # For the other database.
        self.assertIn("uuid", s.transact(insert("C", c=1), db="U")[0])
        # A table is left out; then it is the active one; then one of its own.
        without_c = dict(backup, **{"exclude-tables": ["C"]})
        self.assertEqual(self.reload(s, databases={"T.db": without_c, "U.db": None}), "")
        self.until("it is left out", lambda: "exclude: T:C" in s.ctl("ovsdb-server/sync-status"))
        active.transact(insert("C", c=77), insert("A", name="last"))
        self.until("the rest is there", lambda: s.contents()["A"] == active.contents()["A"])
        self.assertNotIn('"c": 77', str(s.contents()["C"]))
        self.assertEqual(self.reload(s, databases={"T.db": dict(backup, backup=False), "U.db": None}), "")
        self.assertEqual(s.ctl("ovsdb-server/sync-status"), "database: T\nstate: active\n\n")
        self.assertIn("uuid", s.transact(insert("C", c=1))[0])
        self.assertEqual(self.reload(s, databases={"T.db": None}), "")
        self.assertEqual(s.ctl("ovsdb-server/sync-status"), "state: active\n")

    def test_commands_that_would_change_something(self):
        s = self.configured(databases={"T.db": None})
        for command in CONFIGURES:
            self.assertIn(f"Update the {s.config} and use ovsdb-server/reload instead",
                          s.ctl("ovsdb-server/" + command[0], *command[1:]))
        for command in ("list-dbs", "list-remotes", "sync-status", "get-active-ovsdb-server"):
            self.assertNotIn("error", s.ctl("ovsdb-server/" + command))

    def test_what_is_wrong_changes_nothing(self):
        s = self.configured(databases={"T.db": None})
        s.transact(*BEGINNING)
        client = Client(s.path)
        source = {"source": {"unix:x": None}}
        relay, pair = dict(source, **{"service-model": "relay"}), {"service-model": "active-backup"}
        for text in ("", "{", "[]", "null", "{}", '{"remotes":null}', '{"databases":null}',
                     '{"remotes":[],"databases":null}', '{"remotes":null,"databases":"x"}',
                     '{"remotes":null,"databases":null,"more":1}', '{"remotes":{"punix:x":1},"databases":null}',
                     *(json.dumps({"remotes": {"punix:x": o}, "databases": None}) for o in (
                         {"max-backoff": "1"}, {"max-backoff": -1}, {"dscp": 64}, {"dscp": 1.5}, {"read-only": 1},
                         {"role": None}, {"inactivity-probe": 2**40})),
                     *(json.dumps({"remotes": None, "databases": {"T.db": o}}) for o in (
                         5, {"colour": 1}, {"service-model": "x"}, {"service-model": 1}, source, {"backup": True},
                         {"exclude-tables": ["A"]}, {"service-model": "relay"}, pair, dict(pair, backup=True),
                         dict(pair, backup=1, **source), dict(pair, backup=True, source={}),
                         dict(pair, backup=True, source={"unix:x": None, "unix:y": None}),
                         dict(pair, backup=True, source={"unix:x": 1}),
                         dict(pair, backup=True, source={"unix:x": {"role": "x"}}),
                         dict(pair, backup=True, **{"exclude-tables": [1], **source}),
                         dict(relay, backup=True))),
                     json.dumps({"remotes": None, "databases": {"T.db": None, s.dir + "/T.db": None}})):
            with self.subTest(text=text):
                with open(s.config, "w", encoding="utf-8") as f:
                    f.write(text)
                self.assertIn("Configuration failed.  See the log file for details.",
                              s.ctl("ovsdb-server/reload"))
                self.assertEqual(s.ctl("ovsdb-server/list-dbs"), "T\n_Server\n")
        os.remove(s.config)
        self.assertIn("Configuration failed.", s.ctl("ovsdb-server/reload"))
        self.assertEqual(len(client.call("list_dbs")), 2)
        self.assertEqual(self.reload(s, databases={"T.db": None}), "")

    def test_what_cannot_be_served_does_not_keep_the_rest_from_it(self):
        s = self.configured()
        for other in ({"nowhere.db": None}, {"nowhere.db": {"service-model": "clustered"}}):
            self.assertIn("Configuration failed.", self.reload(s, {"db:X,Y,z": None}, {"T.db": None, **other}))
            self.assertEqual(s.ctl("ovsdb-server/list-dbs"), "T\n_Server\n")
        self.assertIn("nowhere.db: open failed", s.errors())
        self.assertIn("no database named X", s.errors())
        self.assertIn("Configuration failed.", self.reload(s, None, {"T.db": {"service-model": "clustered"}}))
        self.assertEqual(s.ctl("ovsdb-server/list-dbs"), "_Server\n")

    def test_at_the_start(self):
        s = self.configured(start=False)
        with open(s.config, "w", encoding="utf-8") as f:
            f.write("{")
        for options, says in (([], "server configuration failed"), (["--remote=punix:x"], "--remote"),
                              (["--active"], "--active"), (["--sync-from=unix:x"], "--sync-from"),
                              (["x.db"], "databases"), (["--sync-exclude-tables=T:C"], "--sync-exclude-tables")):
            done = subprocess.run([SERVERS["ours"], f"--config-file={s.config}", "--unixctl=none", *options],
                                  capture_output=True, text=True, timeout=20, check=False,
                                  env=dict(os.environ, OVS_RUNDIR=s.dir, OVS_SYSLOG_METHOD="null"))
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(says, done.stderr)
        with open(os.path.join(s.dir, "err"), "wb"):
            pass

    def test_without_the_option(self):
        s = self.server("ours")
        self.assertIn("Configuration file was not specified on command line", s.ctl("ovsdb-server/reload"))

if __name__ == "__main__":
    unittest.main()
