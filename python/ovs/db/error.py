"""Errors about databases, schemas and data."""
import ovs.json


class Error(Exception):
    """'msg' says what is wrong; 'json', if not None, is the value that it is about; 'tag' is the kind of error (RFC
    7047 section 3.1 calls it so)."""

    def __init__(self, msg, json=None, tag=None):
        self.msg = msg
        self.json = json
        self.tag = tag or ("ovsdb error" if json is None else "syntax error")
        place = "" if json is None else f'syntax "{ovs.json.to_string(json)}": '
        super().__init__(f"{place}{self.tag}: {msg}")
