"""UUIDs in the forms of the database protocol (RFC 7047 section 5.1)."""
import re
import uuid

from ovs.db import error
from ovs.db import parser

uuidRE = re.compile("^" + "-".join("[0-9a-fA-F]{%d}" % n for n in (8, 4, 4, 4, 12)) + r"\Z")


def zero():
    return uuid.UUID(int=0)


def is_valid_string(s):
    return uuidRE.match(s) is not None


def from_string(s):
    """The UUID whose text is 's'; raises ovs.db.error.Error if there is none."""
    if not is_valid_string(s):
        raise error.Error(f"{s} is not a valid UUID")
    return uuid.UUID(s)


def from_json(json, symtab=None):
    """The UUID of ["uuid", TEXT], or of ["named-uuid", NAME] for a name in the dict 'symtab' (which gets an entry
    with a random UUID for a name that it lacks)."""
    try:
        s = parser.unwrap_json(json, "uuid", [str], "string")
    except error.Error as e:
        if not symtab:
            raise
        try:
            name = parser.unwrap_json(json, "named-uuid", [str], "string")
        except error.Error:
            raise e from None
        if name not in symtab:
            symtab[name] = uuid.uuid4()
        return symtab[name]
    if not is_valid_string(s):
        raise error.Error(f'"{s}" is not a valid UUID', json)
    return uuid.UUID(s)


def to_json(uuid_):
    return ["uuid", str(uuid_)]


def to_c_initializer(uuid_, var):
    """'uuid_' as the initializer, followed by a comma, of a C struct of four 32-bit numbers."""
    numbers = [uuid_.int >> shift & 0xffffffff for shift in (96, 64, 32, 0)]
    return "{ " + ", ".join("0x%08x" % n for n in numbers) + " },"
