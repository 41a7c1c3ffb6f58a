"""What does not belong anywhere else: names, messages, error codes."""
import os
import sys

PROGRAM_NAME = os.path.basename(sys.argv[0]) if hasattr(sys, "argv") and sys.argv else ""
EOF = -1


def abs_file_name(dir_, file_name):
    """'file_name' if it is absolute; else the same in 'dir_' (None or "": the working directory; the result is None if
    there is none).  Never resolves "..", so it means the same file."""
    if file_name.startswith("/"):
        return file_name
    if not dir_:
        try:
            dir_ = os.getcwd()
        except OSError:
            return None
    return dir_ + file_name if dir_.endswith("/") else f"{dir_}/{file_name}"


def ovs_retval_to_string(retval):
    """Text for 0 (none), a positive errno value, or EOF."""
    if not retval:
        return ""
    if retval > 0:
        return os.strerror(retval)
    return "End of file" if retval == EOF else f"***unknown return value: {retval}***"


def ovs_error(err_no, message, vlog=None):
    """Prints 'message' on stderr, with the text of 'err_no' unless that is 0, and logs it as an error to 'vlog'."""
    text = f"{PROGRAM_NAME}: {message}"
    if err_no:
        text += f" ({ovs_retval_to_string(err_no)})"
    sys.stderr.write(text + "\n")
    if vlog:
        vlog.err(text)


def ovs_fatal(*args, **kwargs):
    """ovs_error(), then ends the program with status 1."""
    ovs_error(*args, **kwargs)
    sys.exit(1)
