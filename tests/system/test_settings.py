"""Settings of the whole daemon and what they do: Open_vSwitch.other_config, statistics, TLS files of the database.

    h1 ---- p1 [ br0 ] p2 ---- h2
"""
import re

import pytest
from place import switch_place


@pytest.fixture(scope="module", name="place")
def fixture_place():
    with switch_place(1, 2, levels="WARN|ERR|EMER", expected="'(many|few)' is not a number") as p:
        p.sh("ovs-vsctl add-br br0 -- add-port br0 p1 -- add-port br0 p2")
        yield p


def statistics(place):
    text = place.sh("ovs-vsctl get open . statistics")
    return dict(re.findall(r'([\w-]+)="?([^"}]*)"?[,}]', text))


def test_enable_statistics_fills_the_column_and_its_end_empties_it(place):
    assert statistics(place) == {}
    place.sh("ovs-vsctl set open . other_config:enable-statistics=true")
    place.wait("statistics", lambda: statistics(place))
    place.sh("ovs-vsctl --timeout=20 wait-until open . statistics!={}")
    found = place.sh("ovs-vsctl get open . statistics")
    for key, form in (("cpu", r"[1-9]\d*"), ("load_average", r"[\d.]+,[\d.]+,[\d.]+"),
                      ("memory", r"\d+,\d+,\d+,\d+,\d+"),
                      ("process_ovs-vswitchd", r"\d+,[1-9]\d*,\d+,0,\d+,\d+"),
                      ("process_ovsdb-server", r"\d+,[1-9]\d*,\d+,0,\d+,\d+"),
                      ("file_systems", r"/[^,\"]*,\d+,\d+[^\"]*")):
        assert re.search(rf'[{{ ]{key}="{form}"[,}}]', found), (key, found)
    place.sh("ovs-vsctl remove open . other_config enable-statistics")
    place.wait("no statistics", lambda: not statistics(place))


def test_stats_update_interval_is_at_least_five_seconds(place):
    place.sh("ovs-vsctl set open . other_config:stats-update-interval=1000000")
    place.sh("ovs-vsctl remove open . other_config stats-update-interval")
    assert place.pings(1, 2)
    counted = "ovs-vsctl get interface p1 statistics:rx_packets"
    before = int(place.sh(counted))
    place.pings(1, 2)
    place.wait("newer statistics", lambda: int(place.sh(counted)) > before, 12)
    shown = place.sh("ovs-vsctl get interface p1 statistics")
    for key in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "rx_dropped", "rx_over_err", "rx_crc_err",
                "rx_errors", "tx_dropped", "collisions", "tx_errors", "rx_frame_err"):
        assert re.search(rf"[{{ ]{key}=\d+", shown), (key, shown)


def test_status_of_a_device_names_its_driver(place):
    shown = place.sh("ovs-vsctl get interface p1 status")
    for key in ("driver_name=veth", 'driver_version="', 'firmware_version="'):
        assert key in shown


def test_flow_restore_wait_holds_packets_and_controllers(place):
    place.sh("ovs-vsctl set open . other_config:flow-restore-wait=true")
    place.sh("ovs-vsctl set-controller br0 tcp:127.0.0.1:6653")
    place.sh("ovs-appctl revalidator/purge")
    assert not place.pings(1, 2)
    assert place.sh("ovs-vsctl get controller br0 status") == "{}\n"
    place.sh("ovs-vsctl del-controller br0")
    place.sh("ovs-vsctl remove open . other_config flow-restore-wait")
    assert place.pings(1, 2)


def test_flow_limit_and_idle_times_govern_megaflows(place):
    place.sh("ovs-vsctl set open . other_config:max-idle=500 other_config:max-revalidator=100")
    place.pings(1, 2)
    place.wait("idle megaflows gone", lambda: place.sh("ovs-appctl dpctl/dump-flows filter=icmp") == "")
    place.sh("ovs-vsctl set open . other_config:flow-limit=1000")
    place.wait("the limit of the next sweep", lambda: "(limit 1000)" in place.sh("ovs-appctl upcall/show"))
    place.sh("ovs-vsctl clear open . other_config")
    place.wait("the default", lambda: "(limit 200000)" in place.sh("ovs-appctl upcall/show"))


def test_polling_workers_run_where_the_mask_says(place):
    place.sh("ovs-vsctl set open . other_config:pmd-cpu-mask=0x1")
    place.sh("ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev "
             "-- add-port br1 d0 -- set interface d0 type=dpdk options:dpdk-devargs=net_null0,no-rx=1")
    assert place.sh("ovs-vsctl get interface d0 error") == "[]\n"
    assert "core id:  0 created" in place.sh(f"grep 'PMD thread' {place.dir}/ovs-vswitchd.log")
    assert place.sh("ovs-appctl dpif-netdev/pmd-rxq-show ovs-netdev") == """\
Displaying last 60 seconds pmd usage %
pmd thread numa_id 0 core_id 0:
  isolated : false
  port: d0                queue-id:  0 (enabled)   pmd usage: NOT AVAIL
  overhead: NOT AVAIL
"""
    other = place.sh("ovs-appctl dpif-netdev/pmd-rxq-show -pmd 3 -secs 5 ovs-netdev")
    assert other == "Displaying last 5 seconds pmd usage %\n"
    assert place.sh("ovs-appctl dpif-netdev/pmd-sleep-show ovs-netdev") == """\
Default max sleep:    0 us
pmd thread numa_id 0 core_id 0:
  max sleep:    0 us
"""
    shown = place.sh("ovs-vsctl get interface d0 status")
    for key in ("driver_name", "if_type", "if_descr", "max_rx_queues", "max_tx_queues", "min_rx_bufsize",
                "max_rx_pktlen", "max_mac_addrs", "max_vfs", "max_vmdq_pools", "numa_id", "port_no", "n_rxq", "n_txq",
                "rx_csum_offload", "bus_info"):
        assert re.search(rf"[{{ ]{key}=", shown), (key, shown)
    assert 'bus_info="bus_name=vdev"' in shown
    place.sh("ovs-vsctl --timeout=20 set interface d0 options:n_rxq_desc=many")  # As if it were not given.
    place.sh("ovs-vsctl --timeout=20 set interface d0 options:n_txq_desc=few")
    said = place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    assert "n_rxq_desc: 'many' is no power of 2" in said and "n_txq_desc: 'few' is no power of 2" in said
    assert place.sh("ovs-vsctl get interface d0 error") == "[]\n"
    place.sh("ovs-vsctl del-br br1 -- remove open . other_config pmd-cpu-mask")


def test_logging_accepts_the_reference_s_modules(place):
    with open("tests/conform/interface/vlog.modules.txt", encoding="ascii") as f:
        wanted = set(f.read().split())
    listed = place.sh("ovs-appctl vlog/list").split("\n")[2:]
    assert wanted - {line.split()[0] for line in listed if line} == set()
    for module in sorted(wanted):
        place.sh(f"ovs-appctl vlog/set {module}:file:dbg && ovs-appctl vlog/set {module}:file:info")
    assert place.run("ovs-appctl vlog/set nosuchmodule:dbg").returncode == 2


def test_a_message_can_be_put_into_the_log(place):
    place.sh("ovs-appctl vlog/message 'remember this'")
    assert "|vlog|INFO|user-message: remember this" in place.sh(f"cat {place.dir}/ovs-vswitchd.log")


def test_tls_files_of_the_database_serve_controllers(place):
    place.sh(f"cd {place.dir} && "
             "openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -subj /CN=x -days 2 2>/dev/null")
    place.sh("(tail -f /dev/null | setsid "
             f"openssl s_server -quiet -accept 6640 -key {place.dir}/k.pem -cert {place.dir}/c.pem "
             f"-Verify 1 -CAfile {place.dir}/c.pem ) >/dev/null 2>&1 &")
    place.sh(f"ovs-vsctl set-ssl {place.dir}/k.pem {place.dir}/c.pem {place.dir}/c.pem")
    place.sh("ovs-vsctl set-controller br0 ssl:127.0.0.1:6640")
    place.wait("a connection", lambda: re.search("ESTAB.*:6640", place.sh("ss -tn")))
    assert "private key must be configured" not in place.sh(f"cat {place.dir}/ovs-vswitchd.log")
    place.sh("ovs-vsctl del-controller br0 -- del-ssl")


MEMORY = ("other_config:dpdk-init=true other_config:dpdk-extra=--no-pci other_config:dpdk-socket-mem=64 "
          "other_config:dpdk-socket-limit=96 other_config:dpdk-hugepage-dir=/tmp/huge")


def test_settings_of_huge_pages_where_none_are_mounted_leave_ordinary_memory():
    """And nobody is refused a port for it."""
    prepare = f"umount -a -t hugetlbfs; ovs-vsctl --no-wait set Open_vSwitch . {MEMORY}"
    with switch_place(prepare=prepare) as p:
        p.sh("ovs-vsctl --timeout=30 add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 n -- "
             "set interface n type=dpdk options:dpdk-devargs=net_null0")
        log = p.sh(f"cat {p.dir}/ovs-vswitchd.log")
        assert "there are no free huge pages, or none are mounted: DPDK uses ordinary memory" in log
        started = re.search(r"EAL ARGS: .*", log)[0]
        assert "--no-huge" in started and not re.search("--socket-|--huge-dir", started), started
        assert p.sh("ovs-vsctl get interface n link_state").strip() == "up"
        assert p.sh("ovs-vsctl get Open_vSwitch . dpdk_initialized").strip() == "true"
