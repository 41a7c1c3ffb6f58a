"""What the scripts of this directory share.  Each prints what a Python binding does; test_python_binding.py runs it on
Debian's binding and on ours and compares."""
import re
import sys

sys.tracebacklimit = 0  # Of an exception only the message counts.


def call(name, function, *args):
    """Prints what 'function' returns or raises."""
    try:
        result = text(function(*args))
    except Exception as e:
        result = f"!! {type(e).__name__} {e}"
    print(name, "->", re.sub(r" at 0x[0-9a-f]+", "", result))


def text(value):
    """What is the same in both bindings of a result."""
    if hasattr(value, "to_string"):
        return value.to_string()
    if hasattr(value, "to_json"):
        import ovs.json

        return ovs.json.to_string(value.to_json())
    if isinstance(value, tuple):
        return repr(tuple(type(v).__name__ if hasattr(v, "close") else v for v in value))
    return repr(value)
