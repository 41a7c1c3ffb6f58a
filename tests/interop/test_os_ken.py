"""An os-ken application as the controller of a bridge, in each version that os-ken has: what it hears from our switch
is what it hears from the reference's, and hosts talk through it.

    h1 (10.0.0.1) -- p1 ---- br0 ---- p2 -- h2 (10.0.0.2)
                              |  \\
    h3 (10.0.0.3) -- p3 ------+   tcp:127.0.0.1:6653  osken-manager os_ken_app.py"""
import difflib
import json
import os
import shutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
from place import Place  # noqa: E402

VERSIONS = {"OpenFlow10": 1, "OpenFlow13": 4, "OpenFlow14": 5, "OpenFlow15": 6}


def start(place, version):
    place.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
    place.start_database()
    place.start_switch("--disable-system")
    place.sh(f"ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure protocols={version}"
             " other_config:hwaddr=02:00:00:00:00:99 other_config:datapath-id=5 other_config:disable-in-band=true"
             " other_config:dp-desc=x other_config:dp-sn=y")
    for n in (1, 2, 3):
        place.host(n)
        # Frames that nobody asked for would be counted.
        place.sh(f"ip netns exec h{n} sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
        place.sh(f"ip link set p{n} address 02:00:00:00:00:0{n}")
        place.sh(f"ovs-vsctl add-port br0 p{n} -- set interface p{n} ofport_request={n}")
    assert not place.pings(1, 2), "a secure bridge without a controller forwards packets"
    place.sh("ip -n h1 neigh flush dev eth0")


def converse(place, version):
    """What the application heard, a dictionary of steps; its learning switch is at work from then on."""
    transcript = f"{place.dir}/transcript"
    place.sh(f"(WIRE_VERSION={VERSIONS[version]} TRANSCRIPT={transcript} osken-manager --ofp-listen-host 127.0.0.1"
             f" --ofp-tcp-listen-port 6653 {HERE}/os_ken_app.py >{place.dir}/osken.log 2>&1 &)")
    place.sh("ovs-vsctl set-controller br0 tcp:127.0.0.1:6653")
    ended = place.run(f"timeout 50 sh -c 'until grep -qsx \\\"end\\\" {transcript}; do sleep 0.1; done'")
    log = place.sh(f"cat {place.dir}/osken.log")
    assert not ended.returncode and "Traceback" not in log, log[:3000] + place.sh(f"tail -n 9 {transcript}")
    lines = [json.loads(line) for line in place.sh(f"cat {transcript}").splitlines()]
    assert len([line for line in lines if line[0] == "connected"]) == 1, "the connection did not last"
    return {f"{i}: {name}": heard for i, (name, *heard) in enumerate(lines[:-1])}


def lines_of(heard):
    return json.dumps(heard, indent=1, sort_keys=True).splitlines()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_application_hears_the_same_and_hosts_talk(version):
    if not shutil.which("osken-manager"):
        pytest.skip("needs osken-manager")
    heard = {}
    for side in ("ours", "reference"):
        place = Place(reference=side == "reference")
        try:
            start(place, version)
            heard[side] = converse(place, version)
            for source, to in ((1, 2), (2, 3), (3, 1)):
                # The first packets may fall between the controller's messages; then none may be lost.
                place.wait(f"h{source} reaches h{to}", lambda s=source, t=to: place.pings(s, t), 20)
            flows = place.sh(f"ovs-ofctl -O {version} dump-flows br0")
            assert flows.count("priority=1,") >= 6, flows
        finally:
            place.leave()
    for step, answers in heard["reference"].items():
        ours, theirs = lines_of(heard["ours"].get(step)), lines_of(answers)
        assert ours == theirs, f"{step}\n" + "\n".join(difflib.unified_diff(theirs, ours, n=1, lineterm=""))
    assert heard["ours"].keys() == heard["reference"].keys()
    assert len([answers for answers, unasked in heard["ours"].values() if answers or unasked]) > 5
