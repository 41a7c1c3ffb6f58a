"""Control sockets: the commands that a program serves (ovs.unixctl.server) and a client (ovs.unixctl.client)."""
import ovs.dirs
import ovs.util

commands = {}


class _UnixctlCommand:
    def __init__(self, usage, min_args, max_args, callback, aux):
        self.usage = usage
        self.min_args = min_args
        self.max_args = max_args
        self.callback = callback
        self.aux = aux


def command_register(name, usage, min_args, max_args, callback, aux):
    """Makes servers obey the command 'name', with 'min_args' to 'max_args' arguments, which 'usage' describes, by
    callback(UnixctlConnection, ARGUMENTS, aux).  That calls reply() or reply_error() of the connection, at once or
    later; until then the connection serves no other command.  A name that is registered already keeps its callback."""
    assert isinstance(name, str) and isinstance(usage, str)
    assert isinstance(min_args, int) and isinstance(max_args, int) and callable(callback)
    if name not in commands:
        commands[name] = _UnixctlCommand(usage, min_args, max_args, callback, aux)


def _unixctl_help(conn, unused_argv, unused_aux):
    lines = ["The available commands are:"]
    lines += [f"  {name:<23} {command.usage}" if command.usage else f"  {name}"
              for name, command in sorted(commands.items())]
    conn.reply("\n".join(lines) + "\n")


def socket_name_from_target(target):
    """The control socket's file of 'target', an absolute name or that of a program whose pid file tells its process:
    (0, NAME) or (errno, message)."""
    import ovs.daemon

    if target.startswith("/"):
        return 0, target
    pidfile_name = f"{ovs.dirs.RUNDIR}/{target}.pid"
    pid = ovs.daemon.read_pidfile(pidfile_name)
    if pid < 0:
        return -pid, f'cannot read pidfile "{pidfile_name}"'
    return 0, f"{ovs.dirs.RUNDIR}/{target}.{pid}.ctl"


command_register("help", "", 0, 0, _unixctl_help, None)
