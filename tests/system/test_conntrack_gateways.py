"""FTP and TFTP through connection tracking and NAT, over IPv4 and IPv6, with real clients.

        h1 10.0.0.1 fd00::1     h2 10.0.0.2 fd00::2          network namespaces; h2 serves FTP and TFTP
            |eth0                   |eth0
            |p1                     |p2
        +---+-----------------------+---+
        |              br0              |       a firewall: what is neither FTP, TFTP nor related to it is dropped
        +-------------------------------+

"source": h1 is seen as .99; "destination": h1 calls h2 .77.  All cases use one private place (place.py)."""
import shutil

import pytest
from place import two_hosts

HERE = __file__.rsplit("/", 1)[0]
CLIENT, SERVER, SEEN, CALLED = (
    {4: f"10.0.0.{n}", 6: f"fd00::{n}"} for n in (1, 2, 99, 77))
PROTO = {4: "", 6: "6"}


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with two_hosts("fail-mode=secure") as p:
        for h, other in ((1, 2), (2, 1)):
            p.sh(f"ip -n h{h} addr add fd00::{h}/64 dev eth0 nodad")
            for address in [f"10.0.0.{other}", f"fd00::{other}"] + [a[v] for v in (4, 6) for a in (SEEN, CALLED)]:
                p.sh(f"ip -n h{h} neigh replace {address} lladdr 02:00:00:00:01:0{other} dev eth0")
        p.sh(f"ip netns exec h2 setsid /usr/bin/python3 {HERE}/ftp_server.py 10.0.0.2 fd00::2 >/tmp/ftp 2>&1 &")
        p.wait("the servers are there", lambda: p.run("grep -q ready /tmp/ftp").returncode == 0)
        yield p


def translation(nat, version):
    def bracketed(address):
        return f"[{address}]" if version == 6 else address
    return {"none": "", "source": f",nat(src={bracketed(SEEN[version])})",
            "destination": f",nat(dst={bracketed(SERVER[version])})"}[nat]


def gateway(place, version, alg, nat):
    """Only connections to the gateway's port may be begun by h1, and by either what belongs to such a one."""
    transport, port, v = {"ftp": ("tcp", 21), "tftp": ("udp", 69)}[alg] + (PROTO[version],)
    ip = {4: "ip", 6: "ipv6"}[version]
    place.sh("ovs-ofctl del-flows br0 && ovs-appctl dpctl/flush-conntrack")
    for flow in (f"{ip},actions=ct(table=1,nat)",
                 f"table=1,in_port=1,{transport}{v},tp_dst={port},ct_state=+new-rel,"
                 f"actions=ct(commit,alg={alg}{translation(nat, version)},table=2)",
                 f"table=1,{ip},ct_state=+new+rel,actions=ct(commit,nat,table=2)",
                 f"table=1,{ip},ct_state=-new+est,actions=resubmit(,2)",
                 f"table=1,{ip},ct_state=-new+rel,actions=resubmit(,2)",
                 "table=2,in_port=1,actions=2", "table=2,in_port=2,actions=1"):
        place.sh(f"ovs-ofctl add-flow br0 '{flow}'")


def run_client(place, command):
    done = place.run(f"ip netns exec h1 timeout 20 {command}")
    assert done.returncode == 0, (done.stdout + done.stderr + place.sh("ovs-appctl dpctl/dump-conntrack; "
                                                                       "ovs-appctl dpctl/dump-flows"))


FTPLIB = """
import ftplib
f = ftplib.FTP()
f.connect("{address}", 21, 5)
f.login()
f.set_pasv({passive})
if {extended}:
    f.sendport = f.sendeprt
    f.makepasv = lambda: ftplib.parse229(f.sendcmd("EPSV"), f.sock.getpeername())
if {split}:
    f.sock.setsockopt(6, 1, 1)
    f.sendcmd("SITE SPLIT {split}")
    def putline(line):
        import time
        data = (line + ftplib.CRLF).encode()
        f.sock.sendall(data[:{split}])
        time.sleep(0.05)
        f.sock.sendall(data[{split}:])
    f.putline = putline
n = []
f.retrbinary("RETR x", n.append)
assert len(b"".join(n)) == 21000
f.quit()
"""


def ftplib_client(place, **kwargs):
    with open(f"{place.root}/tmp/client.py", "w", encoding="ascii") as f:
        f.write(FTPLIB.format(**kwargs))
    run_client(place, "/usr/bin/python3 /tmp/client.py")


@pytest.mark.parametrize("nat", ["none", "source", "destination"])
@pytest.mark.parametrize("passive", [True, False])
@pytest.mark.parametrize("version, extended", [(4, False), (4, True), (6, True)])
def test_ftp(place, version, extended, passive, nat):
    gateway(place, version, "ftp", nat)
    address = (CALLED if nat == "destination" else SERVER)[version]
    ftplib_client(place, address=address, passive=passive, extended=extended, split=0)
    assert "helper=ftp" in place.sh("ovs-appctl dpctl/dump-conntrack")


@pytest.mark.parametrize("split", [2, 12, 16])
@pytest.mark.parametrize("passive", [True, False])
@pytest.mark.parametrize("version, extended", [(4, False), (4, True), (6, True)])
def test_ftp_in_pieces(place, version, extended, passive, split):
    """Each command and each answer comes in two segments."""
    gateway(place, version, "ftp", "none")
    ftplib_client(place, address=SERVER[version], passive=passive, extended=extended, split=split)


@pytest.mark.parametrize("passive", [True, False])
@pytest.mark.parametrize("version", [4, 6])
def test_ftp_in_pieces_is_rewritten_where_the_address_comes_late(place, version, passive):
    nat = "destination" if passive and version == 4 else "source"
    gateway(place, version, "ftp", nat)
    address = (CALLED if nat == "destination" else SERVER)[version]
    ftplib_client(place, address=address, passive=passive, extended=version == 6, split=4)


def test_without_a_gateway_data_does_not_pass(place):
    """The firewall is none that lets everything through."""
    gateway(place, 6, "ftp", "none")
    place.sh("ovs-ofctl del-flows br0 'table=1,tcp6,tp_dst=21,ct_state=+new-rel' --strict; "
             "ovs-ofctl add-flow br0 'table=1,in_port=1,tcp6,tp_dst=21,ct_state=+new-rel,actions=ct(commit,table=2)'")
    with pytest.raises(AssertionError):
        ftplib_client(place, address=SERVER[6], passive=False, extended=True, split=0)


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
# IPv6 has the extended forms alone.
@pytest.mark.parametrize("version,mode", [(4, "-P - --disable-eprt"), (4, "--disable-epsv"),
                                          *((version, mode) for version in (4, 6) for mode in ("", "-P -"))])
@pytest.mark.parametrize("nat", ["none", "source"])
def test_ftp_of_curl(place, version, mode, nat):
    gateway(place, version, "ftp", nat)
    address = f"[{SERVER[6]}]" if version == 6 else SERVER[4]
    run_client(place, f"curl -g -sS {mode} -o /tmp/got ftp://{address}/x")
    assert place.sh("stat -c %s /tmp/got") == "21000\n"


@pytest.mark.parametrize("nat", ["none", "source", "destination"])
@pytest.mark.parametrize("version", [4, 6])
def test_tftp(place, version, nat):
    gateway(place, version, "tftp", nat)
    address = (CALLED if nat == "destination" else SERVER)[version]
    code = ("import socket; s = socket.socket(socket.AF_INET{six}, socket.SOCK_DGRAM); s.settimeout(5); "
            "s.sendto(b\"\\0\\1file\\0octet\\0\", (\"{address}\", 69)); assert b\"by TFTP\" in s.recv(99)")
    run_client(place, f"/usr/bin/python3 -c '{code.format(six='6' if version == 6 else '', address=address)}'")
