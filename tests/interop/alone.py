"""A place of one's own: the script that calls alone() first goes on in network, mount and process namespaces that only
it has, so that nothing it makes (links, namespaces, processes, files in /run) can outlive it or meet anyone else's."""
import os
import subprocess
import sys
import tempfile

MARK = "WEFT_TEST_IS_ALONE"


def alone():
    if os.environ.get(MARK) != "1":
        if os.geteuid() != 0:
            print("needs root: skipped")
            sys.exit(77)
        os.environ[MARK] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              sys.executable, *sys.argv])
    for directory in ("/run", "/tmp"):
        subprocess.run(["mount", "-t", "tmpfs", "alone", directory], check=True)
    os.makedirs("/run/netns")
    tempfile.tempdir = "/tmp"
    sh("ip link set lo up")


def sh(command, check=True, **kwargs):
    """Runs a shell command; returns its output; on failure says what it printed."""
    done = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          **kwargs)
    if check and done.returncode:
        raise SystemExit(f"$ {command}\n{done.stdout}(exit status {done.returncode})")
    return done.stdout


def add_host(name, address):
    """A host: a network namespace with eth0, whose other end is the device NAME here."""
    sh(f"ip netns add {name} && ip link add {name} type veth peer name eth0 netns {name} && ip link set {name} up &&"
       f"ip -n {name} link set lo up && ip -n {name} addr add {address}/24 dev eth0 && ip -n {name} link set eth0 up")


def ping(source, address, n=1, wait=2):
    """Whether all of 'n' pings were answered."""
    out = sh(f"ip netns exec {source} ping -c {n} -i 0.2 -W {wait} {address}", check=False)
    return f"{n} received" in out
