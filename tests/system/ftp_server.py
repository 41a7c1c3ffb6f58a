"""A small FTP server (RFC 959, 2428) on port 21 that has one file, and a small TFTP server (RFC 1350) on port 69.

Usage: ftp_server.py ADDRESS"""
import re
import socket
import sys
import threading

FILE = b"contents of the file\n" * 1000
ADDRESS = sys.argv[1]


def listen():
    s = socket.create_server((ADDRESS, 0))
    s.settimeout(10)
    return s


class Session:
    def __init__(self, control):
        self.control, self.listener, self.target = control, None, None

    def say(self, text):
        self.control.sendall(f"{text}\r\n".encode())

    def data(self):
        if self.listener:
            connection, _ = self.listener.accept()
            self.listener.close()
            return connection
        return socket.create_connection(self.target, 10, source_address=(ADDRESS, 0))

    def passive(self):
        self.listener = listen()
        return self.listener.getsockname()[1]

    def run(self):
        self.say("220 ready")
        for line in self.control.makefile("r", newline="\r\n"):
            self.command(*(line.strip().split(" ", 1) + [""])[:2])

    def command(self, verb, rest):
        if verb == "PASV":
            port = self.passive()
            self.say(f"227 Entering Passive Mode ({ADDRESS.replace('.', ',')},{port >> 8},{port & 255}).")
        elif verb == "EPSV":
            self.say(f"229 Entering Extended Passive Mode (|||{self.passive()}|)")
        elif verb in ("PORT", "EPRT"):
            self.listener = None
            n = re.findall(r"\d+", rest)
            self.target = ((".".join(n[:4]), int(n[4]) * 256 + int(n[5])) if verb == "PORT"
                           else (rest.split("|")[2], int(rest.split("|")[3])))
            self.say("200 good")
        elif verb == "RETR":
            self.say("150 here it comes")
            with self.data() as connection:
                connection.sendall(FILE)
            self.say("226 done")
        else:
            self.say({"USER": "331 password", "PASS": "230 in", "QUIT": "221 bye"}.get(verb, "200 good"))


def tftp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((ADDRESS, 69))
    while True:
        _, client = s.recvfrom(600)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as answer:
            answer.bind((ADDRESS, 0))
            answer.sendto(b"\0\3\0\1" + b"by TFTP", client)


threading.Thread(target=tftp, daemon=True).start()
server = socket.create_server((ADDRESS, 21))
print("ready", flush=True)
while True:
    threading.Thread(target=Session(server.accept()[0]).run, daemon=True).start()
