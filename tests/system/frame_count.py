"""Where frames went that a switch got: in at port 2, out at port 1, or dropped for a reason that is counted; and who
polled their queues."""
import re


def replay(place, queues):
    """Frames of frames.pcap begin to come in, all of them by each queue."""
    files = ",".join([f"rx_pcap={place.dir}/frames.pcap"] * queues)
    place.sh(f"ovs-vsctl add-port br0 src -- set interface src type=dpdk ofport_request=2 options:n_rxq={queues} "
             f"options:dpdk-devargs='\"net_pcap0,{files}\"'")


def came(place):
    return int(re.search(r"rx pkts=(\d+)", place.sh("ovs-ofctl dump-ports br0 2"))[1])


def gone(place):
    """Frames that left at port 1, or were dropped anywhere, in all."""
    left, dropped = map(int, re.search(r"tx pkts=(\d+), bytes=\d+, drop=(\d+)",
                                       place.sh("ovs-ofctl dump-ports br0 1")).groups())
    return left + dropped + drops(place)


def drops(place):
    return sum(map(int, re.findall(r"^(?:datapath_)?drop_\w+ .*total: (\d+)", place.sh("ovs-appctl coverage/show"),
                                   re.M)))


def workers(place):
    """Core -> number of queues of src."""
    text = place.sh("ovs-appctl dpif-netdev/pmd-rxq-show")
    return {int(core): rest.count("port: src") for core, rest in
            re.findall(r"core_id (\d+):\n((?:  .*\n)*)", text)}
