"""An ovsdb-server with a database of its own, and its replies in a form that can be compared with another server's.

UUIDs are numbered in order of appearance and rows sorted, since their order means nothing."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
UUID = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')


def sort_rows(value):
    if isinstance(value, dict):
        for member in value.values():
            sort_rows(member)
        if isinstance(value.get('rows'), list):
            value['rows'].sort(key=lambda row: (UUID.sub('U', json.dumps(row, sort_keys=True)),
                                               json.dumps(row, sort_keys=True)))
    elif isinstance(value, list):
        for element in value:
            sort_rows(element)


class Connection:
    """A client of one of the servers."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.text = ''

    def send(self, method, params, number=1):
        self.socket.sendall(json.dumps({'id': number, 'method': method, 'params': params}).encode())

    def receive(self):
        while True:
            self.text = self.text.lstrip()
            try:
                value, n = json.JSONDecoder().raw_decode(self.text)
                self.text = self.text[n:]
                return value
            except ValueError:
                more = self.socket.recv(65536)
                if not more:
                    raise ConnectionError('connection closed') from None
                self.text += more.decode()

    def call(self, method, params):
        """The reply, and the notifications that came before it."""
        self.send(method, params)
        notes = []
        while True:
            message = self.receive()
            if message.get('id') == 1:
                return message, notes
            notes.append(message)


    def answer(self):
        """The reply to what was sent and may be waiting for something; None if it still does."""
        self.send('echo', [], 2)
        found = None
        while (message := self.receive()).get('id') != 2:
            found = message
        return found


class Server:
    def __init__(self, program, schema=os.path.join(HERE, 'test.ovsschema')):
        self.program = program
        self.dir = tempfile.mkdtemp()
        self.file = os.path.join(self.dir, 't.db')
        self.uuids = {}
        self.process = None
        subprocess.check_call(['ovsdb-tool', 'create', self.file, schema])
        self.start()

    def start(self):
        """Also after stop(): on the file that the server left."""
        self.path = os.path.join(self.dir, 's')
        self.process = subprocess.Popen([self.program, self.file, '--remote=punix:' + self.path, '-vconsole:off',
                                         '--unixctl=' + os.path.join(self.dir, 'c')],
                                        env=dict(os.environ, OVS_RUNDIR=self.dir))
        for _ in range(600):
            try:
                self.main = Connection(self.path)
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(.1)
        raise RuntimeError('%s did not start' % self.program)

    def call(self, params):
        return self.main.call('transact', params)[0]

    def normal(self, value):
        """The text of a reply in which this server's UUIDs are numbers; rows are sorted while new ones are alike."""
        known = json.loads(UUID.sub(lambda m: self.uuids.get(m.group(0), m.group(0)), json.dumps(value)))
        sort_rows(known)
        return UUID.sub(lambda m: self.uuids.setdefault(m.group(0), 'u%d' % len(self.uuids)),
                        json.dumps(known, sort_keys=True))

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.dir)
