"""Real TCP, UDP, ICMP, FTP and TFTP through connection tracking and NAT.

        h1 10.0.0.1        h2 10.0.0.2          network namespaces; h2 serves HTTP, FTP and TFTP
            |eth0              |eth0
            |p1                |p2
        +---+------------------+---+
        |           br0            |            a firewall: h1 may begin connections, h2 may not
        +--------------------------+

All cases use one private place (place.py); each sets the flows it needs."""
import pytest
from place import two_hosts

SNAT = "10.0.0.99"


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with two_hosts("fail-mode=secure") as p:
        p.sh("cd /tmp && head -c 300000 /dev/urandom > big && (ip netns exec h2 setsid python3 -m http.server 80 "
             ">/dev/null 2>&1 &)")
        p.sh(f"ip netns exec h2 setsid /usr/bin/python3 {__file__.rsplit('/', 1)[0]}/ftp_server.py 10.0.0.2 "
             ">/tmp/ftp 2>&1 &")
        p.wait("the servers are there", lambda: p.run("grep -q ready /tmp/ftp").returncode == 0)
        p.sh(f"ip -n h2 neigh add {SNAT} lladdr 02:00:00:00:01:01 dev eth0")
        yield p


def flows(place, *lines):
    place.sh("ovs-ofctl del-flows br0 && ovs-appctl dpctl/flush-conntrack")
    for line in ("priority=20,arp,actions=normal", *lines):
        place.sh(f"ovs-ofctl add-flow br0 '{line}'")


def firewall(place, commit="ct(commit)"):
    flows(place, "priority=10,ip,actions=ct(table=1,nat)", f"table=1,in_port=1,ip,ct_state=+new-rel,actions={commit},2",
          "table=1,in_port=1,ip,ct_state=+est,actions=2", "table=1,in_port=2,ip,ct_state=+est,actions=1",
          "table=1,ip,ct_state=+new+rel,actions=ct(commit,nat,table=2)",
          "table=1,ip,ct_state=-new+rel,actions=resubmit(,2)",
          "table=2,in_port=1,actions=2", "table=2,in_port=2,actions=1")


def python(place, host, code):
    return place.run(f"ip netns exec h{host} timeout 20 /usr/bin/python3 -c '{code}'")


def fetch(place, host, address):
    return place.run(f"ip netns exec h{host} timeout 10 wget -q -O /tmp/got http://{address}/big && "
                     "cmp /tmp/big /tmp/got")


def test_a_firewall_lets_answers_through_alone(place):
    firewall(place)
    assert fetch(place, 1, "10.0.0.2").returncode == 0
    assert place.pings(1, 2)
    assert not place.pings(2, 1)
    assert python(place, 2, "import socket; socket.create_connection((\"10.0.0.1\", 80), 1)").returncode
    assert "tcp,orig=(src=10.0.0.1,dst=10.0.0.2" in place.sh("ovs-appctl dpctl/dump-conntrack")


def test_an_error_about_a_connection_is_related(place):
    firewall(place)
    code = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); "
            "s.connect((\"10.0.0.2\", 9)); s.send(b\"x\"); s.recv(9)")
    assert "ConnectionRefusedError" in python(place, 1, code).stderr


def test_fragments_are_tracked(place):
    firewall(place)
    assert place.run("ip netns exec h1 ping -q -c 2 -s 4000 -W 2 10.0.0.2").returncode == 0
    assert "v4 frags completed: 0" not in place.sh("ovs-appctl dpctl/ipf-get-status")


def test_sources_are_translated(place):
    firewall(place, f"ct(commit,nat(src={SNAT}))")
    assert fetch(place, 1, "10.0.0.2").returncode == 0
    assert place.pings(1, 2)
    code = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); "
            "s.connect((\"10.0.0.2\", 9)); s.send(b\"x\"); s.recv(9)")
    assert "ConnectionRefusedError" in python(place, 1, code).stderr
    assert f"reply=(src=10.0.0.2,dst={SNAT}" in place.sh("ovs-appctl dpctl/dump-conntrack")


FTP = ("import ftplib; f = ftplib.FTP(); f.connect(\"10.0.0.2\", 21, 5); f.login(); f.set_pasv({passive}); "
       "f.af = {af}; n = []; f.retrbinary(\"RETR x\", n.append); assert len(b\"\".join(n)) == 21000; f.quit()")


@pytest.mark.parametrize("commit", ["ct(commit,alg=ftp)", f"ct(commit,alg=ftp,nat(src={SNAT}))"])
@pytest.mark.parametrize("passive", [True, False])
@pytest.mark.parametrize("af", ["2", "10"])
def test_ftp_finds_its_way(place, commit, passive, af):
    """af 10 makes the client say EPSV or EPRT."""
    firewall(place)
    flows(place, "priority=10,ip,actions=ct(table=1,nat)",
          f"table=1,priority=5,in_port=1,tcp,tp_dst=21,ct_state=+new-rel,actions={commit},2",
          "table=1,in_port=1,ip,ct_state=+est-rel,actions=2", "table=1,in_port=2,ip,ct_state=+est-rel,actions=1",
          "table=1,ip,ct_state=+new+rel,actions=ct(commit,nat,table=2)",
          "table=1,ip,ct_state=-new+rel,actions=resubmit(,2)",
          "table=2,in_port=1,actions=2", "table=2,in_port=2,actions=1")
    code = FTP.format(passive=passive, af=af)
    if af == "10" and not passive:  # The library would listen on IPv6.
        code = code.replace("f.af = 10;", "f.sendport = f.sendeprt;")
    elif af == "10":
        code = code.replace("f.af = 10;", "f.makepasv = lambda: ftplib.parse229(f.sendcmd(\"EPSV\"), "
                            "f.sock.getpeername());")
    done = python(place, 1, code)
    assert done.returncode == 0, done.stderr + place.sh("ovs-appctl dpctl/dump-conntrack; ovs-appctl dpctl/dump-flows")


@pytest.mark.parametrize("nat", ["", f",nat(src={SNAT})"])
def test_tftp_finds_its_way(place, nat):
    flows(place, "priority=10,ip,actions=ct(table=1,nat)",
          f"table=1,priority=5,in_port=1,udp,tp_dst=69,ct_state=+new-rel,actions=ct(commit,alg=tftp{nat}),2",
          "table=1,ip,ct_state=+new+rel,actions=ct(commit,nat,table=2)",
          "table=1,ip,ct_state=-new+rel,actions=resubmit(,2)",
          "table=2,in_port=1,actions=2", "table=2,in_port=2,actions=1")
    code = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); "
            "s.sendto(b\"\\0\\1file\\0octet\\0\", (\"10.0.0.2\", 69)); assert b\"by TFTP\" in s.recv(99)")
    done = python(place, 1, code)
    assert done.returncode == 0, done.stderr
