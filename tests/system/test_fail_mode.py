"""What a bridge does without its controller (ovs-vswitchd.conf.db(5), fail_mode): Debian's controller comes and goes.

    h1 ---- p1 [ br0 ] p2 ---- h2
"""
import re
import time

import pytest
from place import switch_place

HIDDEN = "priority=15790320"


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(1, 2) as p:
        p.sh("ovs-vsctl add-br br0 -- add-port br0 p1 -- add-port br0 p2 -- set-controller br0 tcp:127.0.0.1:6653 -- "
             "set controller br0 inactivity_probe=1000 max_backoff=1000")
        yield p


def start_controller(place):
    place.sh(f"ovs-testcontroller --detach --no-chdir --pidfile={place.dir}/controller.pid "
             f"--log-file={place.dir}/c.log -vconsole:off ptcp:6653")
    place.wait("the controller is connected",
               lambda: place.sh("ovs-vsctl --bare --columns=is_connected list controller").strip() == "true")


def stop_controller(place):
    place.kill("controller")


def has_rule(place):
    return HIDDEN in place.sh("ovs-appctl bridge/dump-flows br0")


def test_standalone_takes_over_when_the_controller_is_lost_and_ends_when_it_is_back(place):
    start_controller(place)
    place.wait("the controller lets hosts talk", lambda: place.pings(1, 2))
    assert not has_rule(place)
    stop_controller(place)
    place.sh("ovs-ofctl del-flows br0")
    place.wait("the bridge has become a learning switch", lambda: has_rule(place))
    place.wait("hosts talk", lambda: place.pings(1, 2))
    # The rule is nobody's to see, count or remove.
    assert "actions" not in place.sh("ovs-ofctl dump-flows br0")
    assert "flow_count=0" in place.sh("ovs-ofctl dump-aggregate br0")
    place.sh("ovs-ofctl del-flows br0")
    assert has_rule(place)
    assert place.sh("ovs-vsctl get controller br0 role").strip() == "[]"
    start_controller(place)
    place.wait("the rule goes", lambda: not has_rule(place))
    place.wait("the controller lets hosts talk", lambda: place.pings(1, 2))


def test_secure_never_does(place):
    place.sh("ovs-vsctl set-fail-mode br0 secure")
    stop_controller(place)
    place.sh("ovs-ofctl del-flows br0")
    time.sleep(5)
    assert not has_rule(place)
    assert not place.pings(1, 2)
    place.sh("ovs-vsctl set-fail-mode br0 standalone")
    place.wait("a change of mode counts", lambda: has_rule(place) and place.pings(1, 2))
    place.sh("ovs-vsctl del-controller br0")
    place.wait("without controllers there is nothing to lose", lambda: not has_rule(place))


def test_nothing_was_logged_as_an_error(place):
    log = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    assert not re.search(r"\|(ERR|EMER)\|", log), log
