"""Ports of type dpdk, and of virtual machines, of the bridge br0, and another switch in the same place, for what such
ports of type dpdk lead to."""
import contextlib
import re

from place import DAEMON


@contextlib.contextmanager
def dpdk_ports(place):
    """A function that adds ports; they are removed at the end.

    'setting': another command of ovs-vsctl, which goes before it in the same transaction."""
    names = []

    def add(name, devargs, *more, setting=""):
        names.append(name)
        before = f"{setting} -- " if setting else ""
        done = place.run(f"ovs-vsctl --timeout=120 {before}add-port br0 {name} -- set interface {name} type=dpdk"
                         f" 'options:dpdk-devargs={devargs}' {' '.join(more)}", timeout=150)
        # That it takes long is no complaint.
        done.stderr = re.sub(r"^ovs-vsctl: still waiting for .*\n", "", done.stderr, flags=re.M)
        return done

    yield add
    for name in names:
        place.sh(f"ovs-vsctl --timeout=30 --if-exists del-port {name}")


def add_vhost_ports(place):
    """br0 with vu0 (port 1), which listens, and vc0 (port 2), which connects."""
    place.sh("ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure"
             " -- add-port br0 vu0 -- set interface vu0 type=dpdkvhostuser ofport_request=1"
             " -- add-port br0 vc0 -- set interface vc0 type=dpdkvhostuserclient ofport_request=2"
             f" options:vhost-server-path={place.dir}/vc0.sock")


def far(place, command):
    """A command in the run directory of the other switch."""
    there = "".join(f"OVS_{name}DIR=/tmp/far " for name in ("RUN", "LOG", "DB", "SYSCONF"))
    return place.sh(f"export {there} && {command}")


@contextlib.contextmanager
def far_switch(place, settings=""):
    """'settings': of Open_vSwitch, which the switch begins with."""
    far(place, "mkdir /tmp/far && ovsdb-tool create /tmp/far/conf.db schema/vswitch.ovsschema"
        f" && ovsdb-server /tmp/far/conf.db --remote=punix:/tmp/far/db.sock {DAEMON} && ovs-vsctl --no-wait init"
        + (f" && ovs-vsctl --no-wait set Open_vSwitch . {settings}" if settings else "")
        + f" && ovs-vswitchd unix:/tmp/far/db.sock {DAEMON}")
    try:
        yield
    finally:
        far(place, "for p in $(cat /tmp/far/*.pid); do kill $p; while [ -d /proc/$p ]; do sleep 0.05; done; done;"
            " rm -rf /tmp/far")
