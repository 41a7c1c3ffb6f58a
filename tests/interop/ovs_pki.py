#!/usr/bin/python3
"""Certificates of ovs-pki, ours and the reference's: both sides' servers and clients take both; trees of one are used
by the other.

Usage: ovs_pki.py BUILD.  Connections are to 127.0.0.1."""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from ovsdb_tls import BUILD, TREE, free_port

PKI = {"ours": os.path.join(BUILD, "utilities/ovs-pki")}
SERVERS = {"ours": os.path.join(BUILD, "src/ovsdb-server/ovsdb-server")}
CLIENTS = {"ours": os.path.join(BUILD, "src/cmd/ovsdb-client/ovsdb-client")}
if os.path.exists("/usr/bin/ovs-pki"):
    PKI["reference"], SERVERS["reference"] = "/usr/bin/ovs-pki", "/usr/sbin/ovsdb-server"
    CLIENTS["reference"] = "/usr/bin/ovsdb-client"


class Pki(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="ovs-pki.")
        self.addCleanup(shutil.rmtree, self.place)
        self.env = dict(os.environ, OVS_RUNDIR=self.place, OVS_LOGDIR=self.place, OVS_SYSLOG_METHOD="null")

    def file(self, *names):
        return os.path.join(self.place, *names)

    def pki(self, side, tree, *arguments, check=True):
        done = subprocess.run([PKI[side], f"--dir={self.file(tree)}", f"--log={self.file('log')}", *arguments],
                              cwd=self.place, capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def options(self, name, authority):
        return ["-p", self.file(f"{name}-privkey.pem"), "-c", self.file(f"{name}-cert.pem"), "-C",
                self.file(authority, "cacert.pem")]

    def talk(self, server, client, client_name, authority):
        """Whether a client with that certificate gets an answer."""
        port = free_port()
        process = subprocess.Popen(
            [SERVERS[server], "--no-dbs", f"--remote=pssl:{port}:127.0.0.1", "--unixctl=none", "-vconsole:off",
             *self.options("server", authority)], env=self.env, cwd=self.place)
        try:
            for _ in range(100):
                done = subprocess.run([CLIENTS[client], "-t", "3", "-vconsole:off", "list-dbs", f"ssl:127.0.0.1:{port}",
                                       *self.options(client_name, "pki/controllerca")], env=self.env, check=False,
                                      capture_output=True, text=True, timeout=20)
                if "refused" not in done.stderr:
                    return done.stdout == "_Server\n"
                time.sleep(0.05)
            return False
        finally:
            process.terminate()
            process.wait(10)

    def test_certificates_are_taken_by_all(self):
        for maker in PKI:
            with self.subTest(maker=maker):
                shutil.rmtree(self.file("pki"), ignore_errors=True)
                self.pki(maker, "pki", "init")
                self.pki(maker, "pki", "-f", "-b", "req+sign", "server", "controller")
                self.pki(maker, "pki", "-f", "-b", "-u", "req+sign", "client", "switch")
                self.pki(maker, "pki", "-f", "req", "alone")
                self.pki(maker, "pki", "-f", "self-sign", "alone")
                for server in SERVERS:
                    for client in CLIENTS:
                        self.assertTrue(self.talk(server, client, "client", "pki/switchca"), (server, client))
                        self.assertFalse(self.talk(server, client, "alone", "pki/switchca"), (server, client))
                        self.assertFalse(self.talk(server, client, "client", "pki/controllerca"), (server, client))

    def test_each_goes_on_with_the_other_s_tree(self):
        for maker in PKI:
            for other in PKI:
                if maker == other:
                    continue
                with self.subTest(maker=maker, other=other):
                    self.pki(maker, maker, "init")
                    self.pki(other, maker, "-b", "req+sign", f"{maker}1")
                    self.pki(maker, maker, "-b", "req+sign", f"{maker}2", "switch")
                    self.pki(other, maker, "req", f"{maker}3")
                    self.pki(maker, maker, "-b", "sign", f"{maker}3")
                    for name in ("1", "2", "3"):
                        for side in PKI:
                            self.assertEqual(self.pki(side, maker, "verify", maker + name).stdout,
                                             f"{maker}{name}-cert.pem: OK\n")
                            self.assertEqual(self.pki(side, maker, "fingerprint", f"{maker}{name}-cert.pem").stdout,
                                             self.pki("ours", maker, "fingerprint", f"{maker}{name}-cert.pem").stdout)
                            self.assertNotEqual(self.pki(side, maker, "verify", maker + name, "controller",
                                                         check=False).returncode, 0)

    def test_a_request_that_wants_to_be_an_authority(self):
        """What is signed is never itself able to sign."""
        self.pki("ours", "pki", "init")
        with open(self.file("evil.cnf"), "w", encoding="ascii") as f:
            f.write("[req]\nprompt=no\ndistinguished_name=s\nreq_extensions=e\n[s]\nO=Open vSwitch\nCN=evil\n"
                    "[e]\nbasicConstraints=CA:true\nkeyUsage=keyCertSign\n")
        subprocess.run(["openssl", "req", "-config", self.file("evil.cnf"), "-newkey", "rsa:2048", "-nodes", "-keyout",
                        self.file("evil-privkey.pem"), "-out", self.file("evil-req.pem")], check=True,
                       capture_output=True, timeout=60)
        self.pki("ours", "pki", "-b", "sign", "evil")
        shown = subprocess.run(["openssl", "x509", "-in", self.file("evil-cert.pem"), "-noout", "-text"], check=True,
                               capture_output=True, text=True, timeout=60).stdout
        self.assertIn("CA:FALSE", shown)
        self.assertNotIn("CA:TRUE", shown)


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("openssl is missing")
        sys.exit(77)
    os.chdir(TREE)
    unittest.main()
