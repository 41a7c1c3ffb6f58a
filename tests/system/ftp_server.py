"""A small FTP server (RFC 959, 2428) on port 21 that has one file, and a small TFTP server (RFC 1350) on port 69.

"SITE SPLIT N" makes it send each answer in two segments, the first one N bytes long.

Usage: ftp_server.py ADDRESS..."""
import re
import socket
import sys
import threading
import time

FILE = b"contents of the file\n" * 1000


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Session:
    def __init__(self, control, address):
        self.control, self.address, self.listener, self.target, self.split = control, address, None, None, 0
        control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, text):
        line = f"{text}\r\n".encode()
        if self.split:
            self.control.sendall(line[:self.split])
            time.sleep(0.05)
        self.control.sendall(line[self.split:])

    def listen(self):
        s = socket.create_server((self.address, 0), family=family(self.address))
        s.settimeout(10)
        return s

    def data(self):
        if self.listener:
            connection, _ = self.listener.accept()
            self.listener.close()
            return connection
        return socket.create_connection(self.target, 10, source_address=(self.address, 0))

    def passive(self):
        self.listener = self.listen()
        return self.listener.getsockname()[1]

    def run(self):
        self.say("220 ready")
        for line in self.control.makefile("r", newline="\r\n"):
            self.command(*(line.strip().split(" ", 1) + [""])[:2])

    def command(self, verb, rest):
        if verb == "PASV":
            port = self.passive()
            self.say(f"227 Entering Passive Mode ({self.address.replace('.', ',')},{port >> 8},{port & 255}).")
        elif verb == "EPSV":
            self.say(f"229 Entering Extended Passive Mode (|||{self.passive()}|)")
        elif verb in ("PORT", "EPRT"):
            self.listener = None
            n = re.findall(r"\d+", rest)
            self.target = ((".".join(n[:4]), int(n[4]) * 256 + int(n[5])) if verb == "PORT"
                           else (rest.split("|")[2], int(rest.split("|")[3])))
            self.say("200 good")
        elif verb == "SITE":
            self.say("200 good")
            self.split = int(rest.split()[1])
        elif verb == "RETR":
            self.say("150 here it comes")
            with self.data() as connection:
                connection.sendall(FILE)
            self.say("226 done")
        else:
            self.say({"USER": "331 password", "PASS": "230 in", "QUIT": "221 bye"}.get(verb, "200 good"))


def tftp(address):
    s = socket.socket(family(address), socket.SOCK_DGRAM)
    s.bind((address, 69))
    while True:
        _, client = s.recvfrom(600)
        with socket.socket(family(address), socket.SOCK_DGRAM) as answer:
            answer.bind((address, 0))
            answer.sendto(b"\0\3\0\1" + b"by TFTP", client)


def ftp(address, server):
    while True:
        threading.Thread(target=Session(server.accept()[0], address).run, daemon=True).start()


for a in sys.argv[1:]:
    threading.Thread(target=tftp, args=(a,), daemon=True).start()
    threading.Thread(target=ftp, args=(a, socket.create_server((a, 21), family=family(a))), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
