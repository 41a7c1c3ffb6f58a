"""A server that says to be a member of a cluster: as much of the protocol as clients need to see whether it leads."""
import json
import socket
import threading

ROW = "11111111-2222-3333-4444-555555555555"
ZERO = "00000000-0000-0000-0000-000000000000"
SERVER_SCHEMA = {"name": "_Server", "version": "1.2.0", "tables": {"Database": {"columns": {
    "name": {"type": "string"}, "connected": {"type": "boolean"}, "leader": {"type": "boolean"},
    "model": {"type": {"key": {"type": "string", "enum": ["set", ["clustered", "relay", "standalone"]]}}},
    "schema": {"type": {"key": "string", "min": 0}}, "sid": {"type": {"key": "uuid", "min": 0}},
    "cid": {"type": {"key": "uuid", "min": 0}}, "index": {"type": {"key": "integer", "min": 0}}}}}}


class Member:
    """Serves 'contents', <table-updates2>, of the database 'name' at the Unix socket 'path'."""

    def __init__(self, path, name, contents, model="clustered", leader=True, connected=True, cid=ROW, index=5):
        self.name, self.contents = name, contents
        self.about = {"name": name, "model": model, "leader": leader, "connected": connected, "schema": "{}",
                      "cid": ["uuid", cid], "sid": ["uuid", cid], "index": index}
        self.remote = f"unix:{path}"
        self.n_connections = self.n_monitors = 0
        self.clients = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(5)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            self.n_connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        text, decoder, monitor = "", json.JSONDecoder(), [None]
        while True:
            try:
                data = client.recv(65536)
            except OSError:
                return
            if not data:
                return
            text += data.decode()
            while text:
                try:
                    message, n = decoder.raw_decode(text)
                except ValueError:
                    break
                text = text[n:]
                if message.get("method"):
                    result = self._answer(message["method"], message["params"], monitor, client)
                    try:
                        client.sendall(json.dumps({"id": message["id"], "result": result, "error": None}).encode())
                    except OSError:
                        return  # It has seen enough.

    def _answer(self, method, params, monitor, client):
        if method == "get_schema":
            return SERVER_SCHEMA
        if method == "monitor" and params[0] == "_Server":
            monitor[0] = params[1]
            self.clients.append((client, monitor[0]))
            return {"Database": {ROW: {"new": self.about}}}
        if method == "monitor_cond_since":
            self.n_monitors += 1
            return [False, ZERO, self.contents]
        return params if method == "echo" else {}

    def change(self, **columns):
        """Tells all clients that the state of the server is different now."""
        self.about.update(columns)
        for client, monitor in self.clients:
            update = {"Database": {ROW: {"new": self.about}}}
            try:
                client.sendall(json.dumps({"id": None, "method": "update", "params": [monitor, update]}).encode())
            except OSError:
                pass  # It has gone already.
