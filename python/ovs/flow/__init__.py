"""Flows of OpenFlow and of datapaths as data: what ovs-ofctl dump-flows and ovs-appctl dpctl/dump-flows print.

    from ovs.flow.ofp import OFPFlow
    flow = OFPFlow("cookie=0x0, table=0, priority=5,ip,nw_src=10.0.0.0/8 actions=output:2")
    flow.match["nw_src"], flow.actions   # IPMask('10.0.0.0/8'), [{'output': {'port': 2}}]

ovs.flow.odp.ODPFlow is the same for datapath flows, ovs.flow.filter.OFFilter finds flows by an expression.  It needs
netaddr, the filter pyparsing too."""
