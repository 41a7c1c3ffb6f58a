"""What is configured in OVN's northbound database by the interoperability test.

    vm1 10.0.1.11   vm2 10.0.1.12   vm3 10.0.2.11   vm4 10.0.2.12    vm5 10.0.3.11
         \\            /                 \\            /                  |
          +-- sw1 --+                    +-- sw2 --+                    sw3
               | 10.0.1.1                     | 10.0.2.1                 | 10.0.3.1
               +------------- r1 -------------+            +------------ r2
                               | 172.16.0.1                |  172.16.0.2
                               +---------------------------+            (r2 is on the chassis c1, with NAT)

Each line, with the indented ones that continue it, is one run of ovn-nbctl."""

SWITCHES = """
ls-add sw1
ls-add sw2 -- set Logical_Switch sw2 other_config:subnet=10.0.2.0/24 other_config:exclude_ips="10.0.2.2..10.0.2.9"
ls-add sw3 -- set Logical_Switch sw3 other_config:mcast_snoop=true other_config:mcast_querier=false
lsp-add sw1 vm1 -- lsp-set-addresses vm1 "00:00:00:00:01:01 10.0.1.11"
    -- lsp-set-port-security vm1 "00:00:00:00:01:01 10.0.1.11"
lsp-add sw1 vm2 -- lsp-set-addresses vm2 "00:00:00:00:01:02 10.0.1.12 fd00::12" unknown
lsp-add sw2 vm3 -- lsp-set-addresses vm3 "00:00:00:00:02:01 dynamic"
lsp-add sw2 vm4 -- lsp-set-addresses vm4 "00:00:00:00:02:02 10.0.2.12" -- lsp-set-options vm4 requested-chassis=c2
lsp-add sw3 vm5 -- lsp-set-addresses vm5 "00:00:00:00:03:01 10.0.3.11" -- lsp-set-enabled vm5 enabled
lsp-add sw3 ln3 -- lsp-set-type ln3 localnet -- lsp-set-addresses ln3 unknown
    -- lsp-set-options ln3 network_name=phys
lsp-add sw1 trunk1 vm1 77 -- lsp-set-addresses trunk1 "00:00:00:00:01:77 10.0.1.77"
"""

ROUTERS = """
lr-add r1
lr-add r2 -- set Logical_Router r2 options:chassis=c1
lrp-add r1 r1-sw1 00:00:00:01:01:01 10.0.1.1/24 fd00::1/64
lrp-add r1 r1-sw2 00:00:00:01:02:01 10.0.2.1/24
lrp-add r2 r2-sw3 00:00:00:02:03:01 10.0.3.1/24
lrp-add r1 r1-r2 00:00:00:01:ff:01 172.16.0.1/30 peer=r2-r1
lrp-add r2 r2-r1 00:00:00:02:ff:01 172.16.0.2/30 peer=r1-r2
lsp-add sw1 sw1-r1 -- lsp-set-type sw1-r1 router -- lsp-set-addresses sw1-r1 router
    -- lsp-set-options sw1-r1 router-port=r1-sw1
lsp-add sw2 sw2-r1 -- lsp-set-type sw2-r1 router -- lsp-set-addresses sw2-r1 router
    -- lsp-set-options sw2-r1 router-port=r1-sw2
lsp-add sw3 sw3-r2 -- lsp-set-type sw3-r2 router -- lsp-set-addresses sw3-r2 router
    -- lsp-set-options sw3-r2 router-port=r2-sw3 nat-addresses=router
lr-route-add r1 0.0.0.0/0 172.16.0.2
lr-route-add r2 10.0.1.0/24 172.16.0.1
lr-route-add r2 10.0.2.0/24 172.16.0.1 r2-r1
--policy=src-ip lr-route-add r2 10.9.0.0/16 172.16.0.1
lr-policy-add r1 100 "ip4.src == 10.0.1.12" reroute 172.16.0.2
lr-policy-add r1 90 "ip4.src == 10.0.1.13" drop
lrp-set-gateway-chassis r1-sw2 c2 20
set Logical_Router_Port r1-sw1 ipv6_ra_configs:address_mode=slaac ipv6_ra_configs:mtu=1400
"""

SERVICES = """
lr-nat-add r2 snat 203.0.113.1 10.0.3.0/24
lr-nat-add r2 dnat 203.0.113.2 10.0.3.11
lr-nat-add r2 dnat_and_snat 203.0.113.3 10.0.1.11
lb-add lb0 203.0.113.10:80 10.0.1.11:8080,10.0.1.12:8080
lb-add lb0 203.0.113.10:443 10.0.2.11:443
lb-add lb1 203.0.113.11:53 10.0.3.11:53 udp
ls-lb-add sw1 lb0
lr-lb-add r2 lb1
lr-lb-add r2 lb0
set Load_Balancer lb0 ip_port_mappings:10.0.1.11="vm1:10.0.1.2" ip_port_mappings:10.0.1.12="vm2:10.0.1.2"
--id=@hc create Load_Balancer_Health_Check vip="203.0.113.10\\:80" options:timeout=5
    -- add Load_Balancer lb0 health_check @hc
create Address_Set name=as1 addresses="10.0.1.11 10.0.2.0/24"
create Address_Set name=as6 addresses="fd00\\:\\:12"
pg-add pg1 vm1 vm3
pg-add pg2 vm5
pg-set-ports pg2 vm5 vm4
acl-add sw1 from-lport 1001 "inport == \\"vm1\\" && ip4.dst == $as1" allow-related
acl-add sw1 to-lport 1000 "outport == \\"vm2\\" && tcp.dst == {22, 80, 1000}" drop
--log --name=web --severity=info --meter=m1 acl-add pg1 to-lport 1002 "outport == @pg1 && tcp.dst == 80" allow-related
acl-add pg2 from-lport 1003 "inport == @pg2 && ip4.src == $pg1_ip4" reject
--apply-after-lb acl-add sw2 from-lport 500 ip6 drop
meter-add m1 drop 100 pktps 10
qos-add sw1 from-lport 200 "inport == \\"vm1\\"" rate=1000 burst=100 dscp=10
--id=@d create DHCP_Options cidr=10.0.1.0/24 options:server_id=10.0.1.1 options:lease_time=3600
    options:server_mac="00\\:00\\:00\\:01\\:01\\:01"
    options:router=10.0.1.1 options:dns_server="{8.8.8.8,8.8.4.4}"
    -- set Logical_Switch_Port vm1 dhcpv4_options=@d
--id=@e create DHCP_Options cidr="fd00\\:\\:/64" options:server_id="00\\:00\\:00\\:01\\:01\\:01"
    options:dns_server="fd00\\:\\:1"
    -- set Logical_Switch_Port vm2 dhcpv6_options=@e
--id=@n create DNS records:vm1="10.0.1.11 fd00\\:\\:11" -- add Logical_Switch sw1 dns_records @n
--id=@g create Load_Balancer_Group name=g1 -- add Logical_Switch sw2 load_balancer_group @g
--id=@c create Copp name=copp1 meters:arp=m1 -- set Logical_Router r1 copp=@c
--id=@f create Forwarding_Group name=fg1 vip=10.0.3.77 vmac="00\\:00\\:00\\:00\\:03\\:77" child_port=vm5 liveness=false
    -- add Logical_Switch sw3 forwarding_groups @f
"""

# What comes, changes and goes afterwards.
CHANGES = """
lsp-set-addresses vm4 "00:00:00:00:02:02 10.0.2.99"
lsp-del trunk1
lb-del lb0 203.0.113.10:443
acl-del sw1 to-lport 1000 "outport == \\"vm2\\" && tcp.dst == {22, 80, 1000}"
add Address_Set as1 addresses 10.0.7.0/24
remove Address_Set as1 addresses 10.0.2.0/24
pg-set-ports pg1 vm1
lr-nat-del r2 dnat 203.0.113.2
lr-route-del r2 10.9.0.0/16
lr-policy-del r1 90
lrp-set-enabled r1-sw1 enabled
ls-add gone -- lsp-add gone gone1
ls-del gone
"""


def lines(text):
    """The lines, each with those that continue it: they are indented."""
    return [line for line in text.replace("\n    ", " ").splitlines() if line]
