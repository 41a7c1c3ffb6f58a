#!/usr/bin/env python3
"""What tests/conform/interface/not-served.txt lists is not served indeed, and docs/status.md says so.

    not_served.py [--build DIR]

A command, field or action that is listed must fail and say so; a key that is listed must not stand in the code that
reads keys."""
import argparse
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
from side import Daemons, Place, Side  # noqa: E402

UNSERVED = re.compile(r"is not a valid command|does not track connections yet|unknown command|not supported yet")
# Who reads keys of columns, and in which columns they are configuration.
READERS = ("src/vswitchd/*.c", "src/netdev/*.c", "src/ofproto/*.c")
CONFIGURATION = re.compile(r"\.(other_config|options|bfd|lldp|timeouts):")
# Words that stand there for something else.
OTHERWISE = {"key", "enable", "seq", "csum", "ttl", "tos", "loss", "limit", "oam", "mult"}


def listed():
    found = {}
    with open(os.path.join(HERE, "interface", "not-served.txt"), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                area, item = line.strip().split(": ", 1)
                found.setdefault(area, []).append(item)
    return found


def source():
    text = ""
    for pattern in READERS:
        for path in glob.glob(os.path.join(ROOT, pattern)):
            if not path.endswith("_test.c"):
                with open(path, encoding="utf-8") as f:
                    text += f.read()
    return text


def check_commands(build, found):
    """With any number of arguments."""
    side, wrong = Side("ours", build), []
    with Place(Daemons(), side, side) as place:
        place.run("ovs-vsctl add-br br0", "")
        for area, prefix in (("ovs-vswitchd control commands", "ovs-appctl"), ("ovs-dpctl commands", "ovs-dpctl")):
            for command in found.get(area, []):
                for arguments in ("", " 1", " 1 1", " 1 1 1"):
                    _, err, status = place.run(f"{prefix} {command}{arguments}", "")
                    if not status:
                        wrong.append(f"{prefix} {command}{arguments}: it succeeds")
                        break
                    if UNSERVED.search(err.decode()):
                        break
                else:
                    wrong.append(f"{prefix} {command}: it does not say that it is not served: {err.decode()}")
    return wrong


def check_syntax(build, found):
    """Fields and actions: what has one is refused with the reason."""
    ofctl, wrong = os.path.join(build, "src", "cmd", "ovs-ofctl", "ovs-ofctl"), []
    flows = [f"{field}=1,actions=drop" for field in found.get("match fields", [])]
    flows += [f"actions={action}:tun_metadata0" for action in found.get("actions", [])]
    for flow in flows:
        done = subprocess.run([ofctl, "parse-flow", flow], capture_output=True, text=True, check=False)
        if not done.returncode or not UNSERVED.search(done.stderr):
            wrong.append(f"{flow}: it is not refused for not being served: {done.stdout}{done.stderr}")
    return wrong


def check_keys(found):
    text, wrong = source(), []
    for item in found.get("schema keys", []):
        key = item.rsplit(":", 1)[1]
        if CONFIGURATION.search(item) and key not in OTHERWISE and f'"{key}"' in text:
            wrong.append(f"{item}: the code reads it")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    found = listed()
    wrong = check_keys(found) + check_syntax(args.build, found) + check_commands(args.build, found)
    if subprocess.run([sys.executable, os.path.join(ROOT, "tools", "not-served"), "--check"], check=False).returncode:
        wrong.append("docs/status.md differs")
    print("\n".join(wrong) or f"{sum(map(len, found.values()))} items are not served, and said to be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
