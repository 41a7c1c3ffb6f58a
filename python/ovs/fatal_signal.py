"""What to do when the program ends, be it by a signal: hooks, and files to remove."""
import atexit
import os
import signal

import ovs.vlog

vlog = ovs.vlog.Vlog("fatal-signal")

_hooks = []   # (HOOK, CANCEL, RUN_AT_EXIT)
_files = {}   # Name to a descriptor to close as well, or None.
_inited = False
_added_hook = False
_ran = False


def add_hook(hook, cancel, run_at_exit):
    """Has hook() run before a fatal signal ends the program, and also at its regular end if 'run_at_exit'.  cancel(),
    unless None, runs instead when fork() forgets the hook."""
    _init()
    _hooks.append((hook, cancel, run_at_exit))


def fork():
    """Forgets all hooks and files: for one of two processes after a fork.  Calls the cancel() of the hooks."""
    for _, cancel, _ in _hooks:
        if cancel:
            cancel()
    _hooks.clear()
    global _added_hook
    _added_hook = False


def add_file_to_unlink(file):
    """Has 'file' removed when the program ends."""
    add_file_to_close_and_unlink(file)


def add_file_to_close_and_unlink(file, fd=None):
    """The same; closes 'fd' before, which has a close() method."""
    global _added_hook
    if not _added_hook:
        _added_hook = True
        add_hook(_unlink_files, _cancel_files, True)
    _files[os.path.abspath(file)] = fd


def remove_file_to_unlink(file):
    """Takes add_file_to_unlink() back."""
    _files.pop(os.path.abspath(file), None)


def unlink_file_now(file):
    """Removes 'file' at once.  Returns 0 or a positive errno value."""
    remove_file_to_unlink(file)
    error = _unlink(file)
    if error:
        vlog.warn(f'could not unlink "{file}" ({os.strerror(error)})')
    return error


def _unlink(file):
    try:
        os.unlink(file)
    except OSError as e:
        return e.errno
    return 0


def _unlink_files():
    for file, fd in _files.items():
        if fd:
            fd.close()
        _unlink(file)


def _cancel_files():
    global _added_hook
    _files.clear()
    _added_hook = False


def _call_hooks(signr):
    """'signr' 0: the program ends by itself."""
    global _ran
    if _ran:
        return  # A signal while the hooks run.
    _ran = True
    for hook, _, run_at_exit in _hooks:
        if signr or run_at_exit:
            hook()


def _signal_handler(signr, unused_frame):
    _call_hooks(signr)
    # Ends the program as the signal would have.
    signal.signal(signr, signal.SIG_DFL)
    os.kill(os.getpid(), signr)


def _atexit_handler():
    _call_hooks(0)


def _init():
    global _inited
    if _inited:
        return
    _inited = True
    for signr in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        # What the program, or who started it, chose to ignore or handle stays.
        try:
            if signal.getsignal(signr) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(signr, _signal_handler)
        except ValueError:
            break  # Only the main thread may; there the program's own handlers must do.
    atexit.register(_atexit_handler)


def signal_alarm(timeout):
    """Ends the program by SIGALRM after 'timeout' seconds; 0 or None: never."""
    if timeout:
        signal.alarm(timeout)
