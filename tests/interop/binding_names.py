"""Prints the interface of the Python binding that is imported: a line for each module, class, method, function, value.

What a module only imports from another belongs to that one, and is left out.  Names that begin with one underscore are
private; of those that begin with two, the ones that the binding's own classes define are part of the interface.  An
empty default is an empty default, however it is written: {}, [], () and None are the same to the caller here."""
import importlib
import inspect
import pkgutil

import ovs

# What each class has, and what says how it was written.
ANYWHERE = {"__module__", "__doc__", "__dict__", "__weakref__", "__slots__", "__annotations__", "__abstractmethods__",
            "__firstlineno__", "__static_attributes__", "__orig_bases__", "__parameters__"}
PLAIN = (bool, int, float, str, bytes)


def text_of_value(value):
    if value is None or value in ({}, [], ()):
        return "empty"
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(text_of_value(v) for v in value) + "]"
    return "an object"


def text_of_default(value):
    return getattr(value, "__name__", None) or text_of_value(value)


def parameters(function):
    """The parameters of 'function' as they are called: positions, names, and which may be left out."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return "(unknown)"
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = []
    for p in signature.parameters.values():
        default = "" if p.default is p.empty else "=" + text_of_default(p.default)
        found.append(stars.get(p.kind, "") + p.name + default)
    return "(" + ", ".join(found) + ")"


def is_public(name, owner):
    if name.startswith("__"):
        return name not in ANYWHERE and name in vars(owner)
    return not name.startswith("_")


def print_class(full, cls):
    print(full, "class")
    for name in sorted({n for c in cls.__mro__ if c.__module__.startswith("ovs") for n in vars(c) if is_public(n, c)}):
        value = inspect.getattr_static(cls, name)
        if isinstance(value, (staticmethod, classmethod)):
            kind = "static" if isinstance(value, staticmethod) else "of the class"
            print(f"{full}.{name}", kind, parameters(value.__func__))
        elif isinstance(value, property):
            print(f"{full}.{name}", "property", "can be set" if value.fset else "")
        elif inspect.isroutine(value):
            print(f"{full}.{name}", "method", parameters(value))
        else:
            print(f"{full}.{name}", "value", text_of_value(value))


def print_module(name):
    try:
        module = importlib.import_module(name)
    except Exception as e:
        print(name, "cannot be imported:", type(e).__name__)
        return
    print(name, "module")
    for n, value in sorted(vars(module).items()):
        full = f"{name}.{n}"
        if n.startswith("_") or inspect.ismodule(value) or getattr(value, "__module__", name) != name:
            continue
        if inspect.isclass(value):
            print_class(full, value)
        elif callable(value):
            print(full, "function", parameters(value))
        else:
            print(full, "value", text_of_value(value))


for found in ["ovs"] + sorted(m.name for m in pkgutil.walk_packages(ovs.__path__, "ovs.")):
    print_module(found)
