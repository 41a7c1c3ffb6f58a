"""What the scripts of this directory share.  Each prints what programs see of a database; test_python_binding.py runs
it with Debian's binding and ours, against Debian's server and ours,
and compares.  $SERVER and $TOOL are the programs."""
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import ovs.poller

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from listening import listens  # noqa: E402

sys.tracebacklimit = 0  # Of an exception only the message counts.

place = tempfile.mkdtemp()
_names = {}


class Server:
    """An ovsdb-server with a new database of 'schema': a file's name, or the schema itself."""

    def __init__(self, schema, name="db"):
        self.dir = os.path.join(place, name)
        os.mkdir(self.dir)
        if not isinstance(schema, str):
            with open(f"{self.dir}/schema", "w", encoding="utf-8") as f:
                json.dump(schema, f)
            schema = f"{self.dir}/schema"
        subprocess.run([os.environ["TOOL"], "create", f"{self.dir}/db", schema], check=True)
        self.remote = f"unix:{self.dir}/sock"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([os.environ["SERVER"], "-vconsole:off", f"--remote=p{self.remote}",
                                         f"--unixctl={self.dir}/ctl", f"{self.dir}/db"])
        for _ in range(200):
            if listens(f"{self.dir}/sock"):
                return
            time.sleep(0.05)
        raise SystemExit("the server does not start")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None
            if os.path.exists(f"{self.dir}/sock"):
                os.unlink(f"{self.dir}/sock")


_servers = []


def server(*args):
    _servers.append(Server(*args))
    return _servers[-1]


@atexit.register
def _end():
    for s in _servers:
        s.stop()
    shutil.rmtree(place, ignore_errors=True)


def text(value):
    """str(value) with the UUIDs replaced by names in their order of appearance."""
    value = re.sub(r"row[0-9a-f_]{36}", lambda m: _names.setdefault(m.group(), f"ROW{len(_names)}"), str(value))
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", lambda m: _names.setdefault(m.group(), f"UUID{len(_names)}"), value)


def until(idl, condition):
    """Runs 'idl' until condition()."""
    deadline = time.monotonic() + 10
    while True:
        idl.run()
        if condition():
            return
        if time.monotonic() > deadline:
            raise SystemExit("nothing came of it")
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.timer_wait(100)
        poller.block()
