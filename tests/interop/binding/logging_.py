"""ovs.vlog: levels, patterns, files, control commands, options."""
import argparse
import os
import re
import sys
import tempfile
import threading

from show import call

import ovs.unixctl
from ovs import vlog
from ovs.vlog import Vlog

a, b = Vlog("mod_a"), Vlog("other")


class Reply:
    def reply(self, body):
        print("reply", repr(body))

    reply_error = reply


def command(name, *args):
    ovs.unixctl.commands[name].callback(Reply(), list(args), None)


def levels():
    for s in ("dbg", "x", "mod_a:dbg", "mod_a:file:dbg", "ANY:console:off", "console:dbg:mod_a", "file", "any:any:any",
              "FACILITY:daemon", "FACILITY:x", "mod_a dbg", "mod_a,dbg", "", "dbg:info", "console:file:dbg", "a:b:c:d",
              "other:syslog:err", "mod_a:other:err", "off", "emer", "nomod:dbg", "console dbg", "mod_a"):
        call(s, Vlog.set_levels_from_string, s)
        mine = [line for line in Vlog.get_levels().split("\n") if re.match("mod_a|other| ", line)]
        print("\n".join(mine), a.dbg_is_enabled(), a.info_is_enabled(), a.warn_is_enabled())
    for args in (("mod_a", "console", "info"), ("nomod", "console", "info"), ("mod_a", "nodest", "info"),
                 ("mod_a", "any", "nolevel"), ("any", "any", "info")):
        call(str(args), Vlog.set_level, *args)
    for name in ("dbg", "DBG", "zz"):
        call(name, vlog.get_level, name)


def writing(log):
    for pattern in ("%A|%m", "%c", "%c|%p", "%08N", "%N", "%D{%Y}", "%D{%Y-%m}x", "%t", "%T", "%m%n", "%q", "%5N|",
                    "%p%p", "%{x}", "%0m", "%c%T|%p|%m"):
        Vlog.set_pattern("console", pattern)
        a.info("msg")
        thread = threading.Thread(target=lambda: b.warn("from a thread"), name="helper")
        thread.start()
        thread.join()
    for level in ("emer", "err", "warn", "info", "dbg"):
        getattr(a, level)("level " + level)
    Vlog.set_level("mod_a", "console", "warn")
    a.info("not seen")
    a.warn("multi\nline 100% %s é")
    Vlog.set_pattern("file", "%p|%m")
    a.info("to the file")
    Vlog.close_log_file()
    Vlog.reopen_log_file()
    a.err("reopened")
    os.unlink(log)
    Vlog.reopen_log_file()
    a.err("again")
    with open(log, encoding="utf-8") as f:
        print(f.read())


def control():
    for name in sorted(ovs.unixctl.commands):
        c = ovs.unixctl.commands[name]
        print(name, repr(c.usage), c.min_args, c.max_args)
    for args in (["vlog/set", "dbg"], ["vlog/set", "zz"], ["vlog/set", "any:console:off", "mod_a:off", "zz"],
                 ["vlog/reopen"], ["vlog/close"], ["help"]):
        command(*args)


def options():
    parser = argparse.ArgumentParser(prog="x")
    vlog.add_args(parser)
    print(parser.format_help())
    for args in (["-v", "-vdbg", "--verbose=console:off", "--log-file=/tmp/q"], ["-vzz"], ["--log-file"], []):
        print(parser.parse_args(args))
    args = parser.parse_args(["-vany:zz"])
    sys.stderr = sys.stdout
    try:
        vlog.handle_args(args)
    except SystemExit as e:
        print("exit", e.code)


with tempfile.TemporaryDirectory() as directory:
    sys.stderr = sys.stdout
    levels()
    Vlog.set_level("any", "any", "dbg")
    Vlog.set_level("any", "syslog", "off")
    Vlog.set_pattern("console", "%c|%p|%m")
    a.err("before init")
    Vlog.init(f"{directory}/log")
    writing(f"{directory}/log")
    control()
    options()
