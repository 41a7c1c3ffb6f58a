"""Mirrors with real traffic: what a port for mirrored packets gets, and what it does not.

    h1 ---- p1 [ br0 ] p2 ---- h2
            10.0.0.1 | 10.0.0.2
                     p3
                     |
                     h3 (listens), 10.0.0.3
"""

import pytest
from place import switch_place


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(1, 2, 3) as p:
        p.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 p1 -- add-port br0 p2 -- "
             "add-port br0 p3 -- set open . other_config:stats-update-interval=5000")
        yield p


@pytest.fixture(name="mirror")
def fixture_mirror(place):
    """Makes the bridge's only mirror of the given columns; @pN are its ports."""
    def make(columns):
        ports = " ".join(f"--id=@p{n} get port p{n} --" for n in (1, 2, 3))
        place.sh(f"ovs-vsctl {ports} --id=@m create mirror name=m {columns} -- set bridge br0 mirrors=@m")
    yield make
    place.sh("ovs-vsctl clear bridge br0 mirrors")


def seen(place, ping, count=5, listen="icmp or (vlan and icmp)"):
    """What arrives at h3 while h1 pings: the lines of tcpdump."""
    place.sh("ip netns exec h1 arping -q -c 1 -I eth0 10.0.0.2; true")
    place.sh(f"ip netns exec h3 timeout 20 tcpdump -Q in -nevi eth0 -w {place.dir}/seen --immediate-mode '{listen}' "
             f"> {place.dir}/tcpdump 2>&1 & echo $! > {place.dir}/tcpdump.pid")
    place.wait("tcpdump", lambda: "listening" in place.run(f"cat {place.dir}/tcpdump").stdout)
    place.sh(f"ip netns exec h1 ping -q -c {count} -i 0.1 -W 2 {ping} 10.0.0.2")
    place.sh(f"sleep 0.3; kill $(cat {place.dir}/tcpdump.pid); sleep 0.2")
    return place.sh(f"tcpdump -ner {place.dir}/seen 2>/dev/null").splitlines()


def count(lines, word):
    return sum(word in line for line in lines)


def test_without_a_mirror_nothing_arrives(place):
    assert not seen(place, "")


def test_a_mirror_of_a_port_carries_both_directions_once(place, mirror):
    mirror("select_src_port=@p1,@p2 select_dst_port=@p1,@p2 output_port=@p3")
    lines = seen(place, "")
    assert (count(lines, "echo request"), count(lines, "echo reply")) == (5, 5)


def test_a_mirror_of_what_comes_in_has_one_direction(place, mirror):
    mirror("select_src_port=@p1 output_port=@p3")
    lines = seen(place, "")
    assert (count(lines, "echo request"), count(lines, "echo reply")) == (5, 0)


def test_a_change_of_the_mirror_counts_for_traffic_under_way(place, mirror):
    mirror("select_src_port=@p1 output_port=@p3")
    seen(place, "")
    place.sh("ovs-vsctl --id=@p2 get port p2 -- set mirror m select_src_port=@p2")
    lines = seen(place, "")
    assert (count(lines, "echo request"), count(lines, "echo reply")) == (0, 5)


def test_snaplen_cuts_the_copies_alone(place, mirror):
    mirror("select_all=true output_port=@p3 snaplen=100")
    lines = seen(place, "-s 500")
    assert count(lines, "length 100:") == 10, lines


def test_a_filter_chooses_among_the_selected(place, mirror):
    mirror("select_all=true output_port=@p3 'filter=\"icmp,nw_dst=10.0.0.1\"'")
    lines = seen(place, "", listen="ip or arp")
    assert (count(lines, "echo request"), count(lines, "echo reply"), len(lines)) == (0, 5, 5)


def test_a_port_for_mirrored_packets_takes_part_in_nothing_else(place, mirror):
    assert place.pings(3, 1)
    mirror("select_src_port=@p2 output_port=@p3")
    place.sh("ovs-appctl fdb/flush br0")
    assert not place.pings(3, 1)
    # h1's broadcasts do not reach it either.
    assert not seen(place, "", listen="arp and ether src 02:00:00:00:01:01")


def test_a_mirror_to_a_vlan_goes_to_its_ports_with_and_without_tag(place, mirror):
    mirror("select_src_port=@p1 output_vlan=7")
    lines = seen(place, "")
    assert count(lines, "vlan 7") == 5, lines
    place.sh("ovs-vsctl set port p3 tag=7")
    lines = seen(place, "")
    assert (count(lines, "vlan"), count(lines, "echo request")) == (0, 5), lines
    place.sh("ovs-vsctl remove port p3 tag 7")


def test_statistics_are_of_what_was_mirrored(place, mirror):
    mirror("select_all=true output_port=@p3 filter=icmp")
    seen(place, "-s 100")
    place.wait("the statistics", lambda: place.sh("ovs-vsctl get mirror m statistics") ==
               f"{{tx_bytes={10 * 142}, tx_packets=10}}\n", 15)
    place.sh("ovs-vsctl set mirror m snaplen=64")
    seen(place, "-s 100")
    place.wait("the statistics", lambda: "tx_packets=20}" in place.sh("ovs-vsctl get mirror m statistics"), 15)


def test_mirrors_end_with_the_bridge(place, mirror):
    mirror("select_all=true output_port=@p3")
    place.sh("ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev -- --id=@br1 get port br1 -- "
             "--id=@m create mirror name=n select_all=true output_vlan=5 -- set bridge br1 mirrors=@m")
    place.sh("ovs-vsctl del-br br1")
    assert place.sh("ovs-vsctl --columns=name list mirror").split() == ["name", ":", "m"]
    assert len(seen(place, "")) == 10
