"""pip install ./python: the binding without the rest of Weft, for the usual places of a switch's files."""
import os
import re
import subprocess

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = {"pkgdatadir": "/usr/share/openvswitch", "rundir": "/var/run/openvswitch", "logdir": "/var/log/openvswitch",
          "dbdir": "/etc/openvswitch", "bindir": "/usr/bin"}


def compat_version():
    with open(os.path.join(HERE, "..", "meson.build"), encoding="utf-8") as f:
        return re.search(r"compat_version = '(.*)'", f.read()).group(1)


class Build(build_py):
    """Makes the modules that Meson makes otherwise."""

    def run(self):
        super().run()
        for name in ("dirs.py", "version.py"):
            with open(os.path.join(HERE, "ovs", name + ".in"), encoding="utf-8") as f:
                text = f.read()
            for key, value in (PLACES | {"version": compat_version()}).items():
                text = text.replace(f"@{key}@", value)
            with open(os.path.join(self.build_lib, "ovs", name), "w", encoding="utf-8") as f:
                f.write(text)
        with open(os.path.join(self.build_lib, "ovs", "flow", "ofp_fields.py"), "w", encoding="utf-8") as f:
            subprocess.run([os.path.join(HERE, "flow-fields"), os.path.dirname(HERE)], stdout=f, check=True)


setup(name="ovs", version=compat_version(), license="Apache-2.0", python_requires=">=3.9",
      description="Clients of OVSDB and of a switch's daemons", install_requires=["sortedcontainers"],
      extras_require={"flow": ["netaddr", "pyparsing"]},
      packages=["ovs", "ovs.db", "ovs.flow", "ovs.unixctl"], ext_modules=[Extension("ovs._json", ["ovs/_json.c"])],
      cmdclass={"build_py": Build})
