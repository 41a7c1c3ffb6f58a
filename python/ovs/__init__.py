"""Clients of Weft's database and daemons in Python.

The interface is the one that programs written for Open vSwitch import as "ovs"; docs/clients.md is the guide."""
