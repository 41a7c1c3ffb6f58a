"""The OVSDB client: ovs.db.idl is what programs use, the other modules are its data types."""
