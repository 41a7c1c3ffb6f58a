"""Whether somebody takes connections at a Unix socket: its file is there a little before."""
import socket


def listens(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(path)
        except OSError:
            return False
        return True
