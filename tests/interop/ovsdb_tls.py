#!/usr/bin/python3
"""TLS between ovs-vsctl and ovsdb-server: our programs with each other and, both ways, with the reference's.

Usage: ovsdb_tls.py BUILD.  Certificates are made by openssl; all connections are to 127.0.0.1."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

# A directory as the argument, or as pytest has it from tools/check.
BUILD = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1])
                        else os.environ.get("WEFT_BUILD") or "build")
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OURS = {"ovsdb-server": "src/ovsdb-server/ovsdb-server", "ovs-vsctl": "src/cmd/ovs-vsctl/ovs-vsctl",
        "ovsdb-tool": "src/cmd/ovsdb-tool/ovsdb-tool"}
PROGRAMS = {"ours": {name: os.path.join(BUILD, path) for name, path in OURS.items()}}
if os.path.exists("/usr/sbin/ovsdb-server"):
    PROGRAMS["reference"] = {"ovsdb-server": "/usr/sbin/ovsdb-server", "ovs-vsctl": "/usr/bin/ovs-vsctl"}
PAIRS = [(tool, daemon) for tool in PROGRAMS for daemon in PROGRAMS if "ours" in (tool, daemon)]


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Authority:
    """A certificate authority and what it has signed."""

    def __init__(self, place, name):
        self.place, self.name = place, name
        self.cert = self.file("ca.pem")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name} authority",
                     "-keyout", self.file("ca.key"), "-out", self.cert)

    def file(self, name):
        return os.path.join(self.place, f"{self.name}-{name}")

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)

    def pair(self, name):
        """Key and certificate for 'name', as options."""
        key, request, cert = (self.file(f"{name}.{end}") for end in ("key", "csr", "pem"))
        if not os.path.exists(cert):
            self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                         "-out", request)
            self.openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.file("ca.key"),
                         "-CAcreateserial", "-days", "30", "-out", cert)
        return ["-p", key, "-c", cert]


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.mkdtemp(prefix="tls-keys.")
        cls.good, cls.other = (Authority(cls.keys, n) for n in ("good", "other"))
        for authority in (cls.good, cls.other):
            authority.pair("server")
            authority.pair("client")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.keys)

    def setUp(self):
        self.servers = []
        self.place = tempfile.mkdtemp(prefix="tls.")
        self.env = dict(os.environ, LC_ALL="C", OVS_SYSLOG_METHOD="null",
                        **{f"OVS_{n}DIR": self.place for n in ("RUN", "LOG", "DB", "SYSCONF")})

    def tearDown(self):
        self.stop()
        shutil.rmtree(self.place)

    def stop(self):
        while self.servers:
            process = self.servers.pop()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, side, *options):
        """A server on a fresh file; the TLS port is self.port."""
        self.stop()
        self.port = free_port()
        db = os.path.join(self.place, "db")
        if os.path.exists(db):
            os.remove(db)
        subprocess.run([PROGRAMS["ours"]["ovsdb-tool"], "create", db, os.path.join(TREE, "schema/vswitch.ovsschema")],
                       check=True, env=self.env, timeout=60)
        with open(os.path.join(self.place, "err"), "w", encoding="utf-8") as err:
            self.servers.append(subprocess.Popen(
                [PROGRAMS[side]["ovsdb-server"], "--remote=punix:db.sock", "--unixctl=ctl", "-vconsole:warn",
                 f"--remote=pssl:{self.port}:127.0.0.1", *options, db], env=self.env, stderr=err, cwd=self.place))
        for _ in range(200):
            if self.unix(side, "get-manager").returncode == 0:
                return
            time.sleep(0.05)
        self.fail("the server did not start")

    def vsctl(self, side, *arguments):
        return subprocess.run([PROGRAMS[side]["ovs-vsctl"], "--no-wait", "-vconsole:off", *arguments], env=self.env,
                              cwd=self.place, capture_output=True, text=True, timeout=60, check=False)

    def unix(self, side, *arguments):
        return self.vsctl(side, f"--db=unix:{self.place}/db.sock", "--timeout=10", *arguments)

    def tls(self, side, *options, timeout=10):
        return self.vsctl(side, f"--db=ssl:127.0.0.1:{self.port}", f"--timeout={timeout}", *options, "--", "show")

    def works(self, side, *options):
        done = self.tls(side, *options)
        self.assertEqual(done.returncode, 0, f"{side} {options}: {done.stderr}")

    def fails(self, side, *options):
        """It does not get through, and does not say that it did."""
        done = self.tls(side, *options, timeout=2)
        self.assertNotEqual(done.returncode, 0, f"{side} {options}: {done.stdout}")

    def server_keys(self, ca=True):
        return [*self.good.pair("server"), *(["-C", self.good.cert] if ca else [])]

    def test_both_prove_who_they_are(self):
        for tool, daemon in PAIRS:
            with self.subTest(tool=tool, daemon=daemon):
                self.start(daemon, *self.server_keys())
                key, cert = self.good.pair("client")[1::2]
                self.works(tool, "-p", key, "-c", cert, "-C", self.good.cert)
                self.works(tool, f"--private-key={key}", f"--certificate={cert}", f"--ca-cert={self.good.cert}")
                self.works(tool, "-p", key, "-c", cert, "-C", "none")
                self.fails(tool, *self.good.pair("client"), "-C", self.other.cert)
                self.fails(tool, *self.other.pair("client"), "-C", self.good.cert)
                done = self.tls(tool, timeout=2)
                self.assertEqual(done.returncode, 1)
                self.fails(tool, "-p", key, "-c", cert, "-C", "/nowhere.pem")

    def test_a_client_learns_the_authority(self):
        for tool, daemon in PAIRS:
            with self.subTest(tool=tool, daemon=daemon):
                self.start(daemon, *self.server_keys(), f"--peer-ca-cert={self.good.cert}")
                learnt = os.path.join(self.place, f"learnt-by-{tool}-from-{daemon}.pem")
                # The first connection only brings the certificate.
                self.fails(tool, *self.good.pair("client"), f"--bootstrap-ca-cert={learnt}")
                with open(learnt, encoding="utf-8") as got, open(self.good.cert, encoding="utf-8") as want:
                    self.assertIn(want.read().strip(), got.read())
                self.works(tool, *self.good.pair("client"), f"--bootstrap-ca-cert={learnt}")
                shutil.copy(self.other.cert, learnt)
                self.fails(tool, *self.good.pair("client"), f"--bootstrap-ca-cert={learnt}")
                os.remove(learnt)
                self.works(tool, "--retry", *self.good.pair("client"), f"--bootstrap-ca-cert={learnt}")

    def test_a_server_learns_the_authority_of_nobody_who_calls(self):
        for tool, daemon in PAIRS:
            with self.subTest(tool=tool, daemon=daemon):
                learnt = os.path.join(self.place, f"learnt-by-{daemon}-from-{tool}.pem")
                self.start(daemon, *self.server_keys(ca=False), f"--bootstrap-ca-cert={learnt}")
                for _ in range(2):
                    self.fails(tool, *self.good.pair("client"), "-C", self.good.cert,
                               f"--peer-ca-cert={self.good.cert}")
                self.assertFalse(os.path.exists(learnt))
                shutil.copy(self.good.cert, learnt)
                time.sleep(1.1)  # Changed files are looked for once a second.
                self.works(tool, *self.good.pair("client"), "-C", self.good.cert)

    def test_a_server_learns_the_authority_of_whom_it_calls(self):
        for tool, daemon in PAIRS:
            with self.subTest(tool=tool, daemon=daemon):
                learnt = os.path.join(self.place, f"learnt-by-{daemon}-from-{tool}.pem")
                self.start(daemon, *self.server_keys(ca=False), f"--bootstrap-ca-cert={learnt}",
                           "--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
                port = free_port()
                self.unix(tool, "init", "--", "set-manager", f"ssl:127.0.0.1:{port}")
                for _ in range(2):
                    done = self.vsctl(tool, f"--db=pssl:{port}:127.0.0.1", "--timeout=20", *self.good.pair("client"),
                                      "-C", self.good.cert, f"--peer-ca-cert={self.good.cert}", "--", "get-manager")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(os.path.exists(learnt))

    def test_protocols_and_ciphers(self):
        for tool, daemon in PAIRS:
            with self.subTest(tool=tool, daemon=daemon):
                self.start(daemon, *self.server_keys(), "--ssl-protocols=TLSv1.2", "--ssl-ciphers=AES256-GCM-SHA384")
                keys = [*self.good.pair("client"), "-C", self.good.cert]
                self.works(tool, *keys, "--ssl-protocols=TLSv1.2")
                self.works(tool, *keys, "--ssl-protocols=TLSv1.2", "--ssl-ciphers=AES256-GCM-SHA384")
                self.fails(tool, *keys, "--ssl-protocols=TLSv1.2", "--ssl-ciphers=AES128-GCM-SHA256")

    def test_what_newer_releases_have(self):
        keys = [*self.good.pair("client"), "-C", self.good.cert]
        self.start("ours", *self.server_keys(), "--ssl-protocols=TLSv1.3",
                   "--ssl-ciphersuites=TLS_AES_256_GCM_SHA384")
        self.works("ours", *keys, "--ssl-protocols=TLSv1.3", "--ssl-ciphersuites=TLS_AES_256_GCM_SHA384",
                   "--ssl-server-name=server")
        self.fails("ours", *keys, "--ssl-protocols=TLSv1.3", "--ssl-ciphersuites=TLS_AES_128_GCM_SHA256")
        self.fails("ours", *keys, "--ssl-protocols=TLSv1.2")
        done = self.tls("ours", *keys, "--ssl-protocols=nonsense", timeout=2)
        self.assertIn("nonsense", done.stderr)
        self.assertNotEqual(done.returncode, 0)

    def test_keys_from_the_database(self):
        for tool, daemon in PAIRS:
            with self.subTest(tool=tool, daemon=daemon):
                self.start(daemon, *(f"--{option}=db:Open_vSwitch,SSL,{column}" for option, column in
                                     (("private-key", "private_key"), ("certificate", "certificate"),
                                      ("ca-cert", "ca_cert"))),
                           "--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
                manager = free_port()
                key, cert = self.good.pair("server")[1::2]
                done = self.unix(tool, "init", "--", "set-ssl", key, cert, self.good.cert, "--", "set-manager",
                                 f"pssl:{manager}:127.0.0.1")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.port = manager
                self.works(tool, *self.good.pair("client"), "-C", self.good.cert)
                self.fails(tool, *self.other.pair("client"), "-C", self.good.cert)

    def test_the_server_calls(self):
        """ovs-vsctl listens, and the server connects to it as to a manager."""
        for tool, daemon in PAIRS:
            with self.subTest(tool=tool, daemon=daemon):
                self.start(daemon, *self.server_keys(), "--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
                port = free_port()
                self.unix(tool, "init", "--", "set-manager", f"ssl:127.0.0.1:{port}")
                done = self.vsctl(tool, f"--db=pssl:{port}:127.0.0.1", "--timeout=20", *self.good.pair("client"), "-C",
                                  self.good.cert, "--", "get-manager")
                self.assertEqual((done.returncode, done.stdout), (0, f"ssl:127.0.0.1:{port}\n"), done.stderr)

    def test_messages_go_to_a_syslog_server(self):
        self.start("ours", *self.server_keys())
        for tool in PROGRAMS:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
                log.bind(("127.0.0.1", 0))
                log.settimeout(10)
                self.env["OVS_SYSLOG_METHOD"] = "null"
                done = self.unix(tool, f"--syslog-target=127.0.0.1:{log.getsockname()[1]}", "-vsyslog:info", "init")
                self.assertEqual(done.returncode, 0, done.stderr)
                while b"Called as" not in (message := log.recv(65536)):
                    pass
                self.assertIn(b"init", message)


if __name__ == "__main__":
    if not shutil.which("openssl") or not all(os.access(p, os.X_OK) for p in PROGRAMS["ours"].values()):
        print("openssl, or one of our programs, is missing")
        sys.exit(77)
    unittest.main()
