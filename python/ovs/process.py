"""How processes end."""
import os
import signal


def _signal_message(what, number):
    for name in dir(signal):
        if name.startswith("SIG") and not name.startswith("SIG_") and getattr(signal, name) == number:
            return f"{what} by signal {number} ({name})"
    return f"{what} by signal {number}"


def status_msg(status):
    """Text for the status of a process as waitpid(2) gives it."""
    if os.WIFEXITED(status):
        text = f"exit status {os.WEXITSTATUS(status)}"
    elif os.WIFSIGNALED(status):
        text = _signal_message("killed", os.WTERMSIG(status))
    elif os.WIFSTOPPED(status):
        text = _signal_message("stopped", os.WSTOPSIG(status))
    else:
        text = f"terminated abnormally ({status:x})"
    if os.WCOREDUMP(status):
        text += ", core dumped"
    return text
