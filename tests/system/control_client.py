"""A client of the switch's control socket that keeps its connection and reads when it is told to."""
import glob
import json
import socket


class SlowClient:
    """Has asked, and reads when it is told to."""

    def __init__(self, place, method, *params):
        [path] = glob.glob(f"{place.root}{place.dir}/ovs-vswitchd.*.ctl")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.ask(method, *params)

    def ask(self, method, *params):
        self.socket.sendall(json.dumps({"id": 1, "method": method, "params": params}).encode())

    def reply(self):
        data = b""
        while True:
            data += self.socket.recv(65536)
            try:
                return json.loads(data)
            except ValueError:
                continue

    def lines(self):
        reply = self.reply()
        assert reply["error"] is None and reply["id"] == 1
        assert reply["result"] == "" or reply["result"].endswith("\n")
        return reply["result"].splitlines()
