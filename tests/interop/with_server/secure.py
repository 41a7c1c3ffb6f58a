"""ovs.stream and ovs.db.idl over TLS, with certificates on both sides."""
import os
import socket
import ssl
import subprocess
import time

from server import place, server, until

from ovs import jsonrpc
from ovs.db import idl as idl_
from ovs.stream import Stream

SCHEMA = {"name": "Db", "tables": {"T": {"isRoot": True, "columns": {"s": {"type": "string"}}}}}


def sh(*args):
    subprocess.run(args, cwd=place, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def authority(name):
    sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout",
       f"{name}.key", "-out", f"{name}.pem")


def certificate(name, by):
    sh("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
       f"{name}.csr")
    sh("openssl", "x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key",
       "-CAcreateserial", "-out", f"{name}.pem")


def use(name, ca):
    Stream.ssl_set_private_key_file(f"{place}/{name}.key")
    Stream.ssl_set_certificate_file(f"{place}/{name}.pem")
    Stream.ssl_set_ca_cert_file(f"{place}/{ca}.pem")


def start():
    """A server that speaks TLS; returns its name."""
    db = server(SCHEMA)
    db.stop()
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    db.process = subprocess.Popen([os.environ["SERVER"], "-vconsole:off", f"--remote=pssl:{port}:127.0.0.1",
                                   f"--unixctl={db.dir}/ctl", "--private-key=them.key", "--certificate=them.pem",
                                   "--ca-cert=ca.pem", f"{db.dir}/db"], cwd=place)
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.05)
    return f"ssl:127.0.0.1:{port}"


def echo(remote, what):
    try:
        error, stream = Stream.open_block(Stream.open(remote), 5000)
    except ssl.SSLError:
        error = True  # How Debian's binding says it.
    if error:
        print(what, "does not open")
        return
    connection = jsonrpc.Connection(stream)
    error, reply = connection.transact_block(jsonrpc.Message.create_request("echo", [what]))
    print(what, reply.result if reply else "no answer")
    connection.close()


authority("ca")
authority("other")
certificate("me", "ca")
certificate("them", "ca")
certificate("stranger", "other")
use("me", "ca")
name = start()
echo(name, "good")
use("stranger", "ca")
echo(name, "unknown to the server")
use("me", "other")
echo(name, "does not trust the server")
use("me", "ca")
helper = idl_.SchemaHelper(schema_json=SCHEMA)
helper.register_all()
idl = idl_.Idl(name, helper)
until(idl, idl.has_ever_connected)
txn = idl_.Transaction(idl)
txn.insert(idl.tables["T"]).s = "x" * 1000000
print(txn.commit_block())
until(idl, lambda: idl.tables["T"].rows)
print([len(r.s) for r in idl.tables["T"].rows.values()])
idl.close()
