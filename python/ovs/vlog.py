"""Log messages as the daemons write them: a level for each pair of module and destination, patterns, control commands.

A module makes one Vlog of its own name when it is imported; the program calls init(), or handle_args(), once it knows
its options: before that nothing is written."""
import datetime
import logging.handlers
import os
import re
import socket
import sys
import threading
import time
import traceback

import ovs.dirs
import ovs.unixctl
import ovs.util

DESTINATIONS = {"console": "info", "file": "info", "syslog": "info"}
PATTERNS = {
    "console": "%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m",
    "file": "%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m",
    "syslog": "ovs|%05N|%c%T|%p|%m",
}
LEVELS = {"dbg": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "err": logging.ERROR,
          "emer": logging.CRITICAL, "off": logging.CRITICAL}
FACILITIES = ["auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp",
              "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]

# From the least to the most important; "off" lets nothing through.
_RANKS = {name: rank for rank, name in enumerate(("dbg", "info", "warn", "err", "emer", "off"))}
_SYSLOG_PRIORITY = {"dbg": "debug", "info": "info", "warn": "warning", "err": "error", "emer": "critical"}

_conversion_re = re.compile(r"%(?P<flags>[-0]*)(?P<width>\d*)(?P<letter>[ABcdDEmNnpPrtT%])(?:\{(?P<format>[^}]*)\})?")


def get_level(level_str):
    """The number of a level's name, in any case; None if there is none."""
    return LEVELS.get(level_str.lower())


def _format_time(moment, template):
    """strftime() in which '#' stand for digits of the fraction of the second."""
    fraction = "%06d" % moment.microsecond
    return re.sub("#+", lambda m: fraction[:len(m.group())].ljust(len(m.group()), "0"), moment.strftime(template))


class _State:
    """What all Vlogs share."""

    def __init__(self):
        self.lock = threading.Lock()
        self.levels = {}               # Module to destination to name of level.
        self.patterns = dict(PATTERNS)
        self.inited = False
        self.started = 0.0
        self.n_messages = 0
        self.file_name = None
        self.file = None
        self.syslog = None
        self.facility = "daemon"


_state = _State()


class Vlog:
    def __init__(self, name):
        """A log for the module 'name'; all of them are made before init()."""
        assert not _state.inited
        self.name = name.lower()
        _state.levels.setdefault(self.name, dict(DESTINATIONS))

    # ---- Writing ----

    def _goes_to(self, destination, level):
        return _RANKS[level] >= _RANKS[_state.levels[self.name][destination]] and level != "off"

    def _is_enabled(self, level):
        return any(self._goes_to(destination, level) for destination in DESTINATIONS)

    def _log(self, level, message, exc_info=False):
        if not _state.inited:
            return
        trace = traceback.format_exc().rstrip("\n") if exc_info else None
        with _state.lock:
            number = _state.n_messages
            _state.n_messages += 1
            for destination in DESTINATIONS:
                if self._goes_to(destination, level):
                    text = self._format(str(message), destination, level, number)
                    _write(destination, level, f"{text}\n{trace}" if trace else text)

    def _format(self, message, destination, level, number):
        def convert(match):
            text = self._field(match, message, level, number)
            if match["letter"] in "%n":
                return text
            width = int(match["width"] or 0)
            if match["letter"] == "N" and width:
                return text.center(width)
            text = text.ljust(width) if "-" in match["flags"] else text.rjust(width)
            return f" {text} " if text else ""

        return _conversion_re.sub(convert, _state.patterns[destination]).strip()

    def _field(self, match, message, level, number):
        letter = match["letter"]
        if letter in "dD":
            now = datetime.datetime.now(datetime.timezone.utc if letter == "D" else None)
            return _format_time(now, match["format"] or "%Y-%m-%dT%H:%M:%S")
        thread = threading.current_thread()
        is_main = thread is threading.main_thread()
        simple = {"A": ovs.util.PROGRAM_NAME, "c": self.name, "m": message, "N": str(number), "n": "\n",
                  "p": level.upper(), "P": str(os.getpid()), "t": "main" if is_main else thread.name,
                  "T": "" if is_main else f"({thread.name})", "%": "%"}
        if letter in simple:
            return simple[letter]
        if letter == "r":
            return "%.2f" % ((time.time() - _state.started) * 1000)
        if letter == "E":
            return socket.gethostname()
        handler = logging.handlers.SysLogHandler
        return "<%d>" % (handler.facility_names[_state.facility] << 3
                         | handler.priority_names[_SYSLOG_PRIORITY[level]])

    def emer(self, message, **kwargs):
        self._log("emer", message, **kwargs)

    def err(self, message, **kwargs):
        self._log("err", message, **kwargs)

    def warn(self, message, **kwargs):
        self._log("warn", message, **kwargs)

    def info(self, message, **kwargs):
        self._log("info", message, **kwargs)

    def dbg(self, message, **kwargs):
        self._log("dbg", message, **kwargs)

    def exception(self, message):
        """Logs an error, followed by the trace of the exception that is being handled."""
        self.err(message, exc_info=True)

    def emer_is_enabled(self):
        return self._is_enabled("emer")

    def err_is_enabled(self):
        return self._is_enabled("err")

    def warn_is_enabled(self):
        return self._is_enabled("warn")

    def info_is_enabled(self):
        return self._is_enabled("info")

    def dbg_is_enabled(self):
        return self._is_enabled("dbg")

    # ---- Settings ----

    @staticmethod
    def init(log_file=None):
        """Starts to log, also to the file 'log_file' unless None.  Once: further calls do nothing."""
        if _state.inited:
            return
        _state.inited = True
        _state.started = time.time()
        Vlog.add_syslog_handler()
        if log_file:
            _state.file_name = os.path.abspath(log_file)
            Vlog._open_log_file()
        ovs.unixctl.command_register("vlog/reopen", "", 0, 0, Vlog._unixctl_vlog_reopen, None)
        ovs.unixctl.command_register("vlog/close", "", 0, 0, Vlog._unixctl_vlog_close, None)
        ovs.unixctl.command_register("vlog/set", "spec", 1, sys.maxsize, Vlog._unixctl_vlog_set, None)
        ovs.unixctl.command_register("vlog/list", "", 0, 0, Vlog._unixctl_vlog_list, None)

    @staticmethod
    def _open_log_file():
        """Returns what went wrong, or None."""
        try:
            _state.file = open(_state.file_name, "a", encoding="utf-8")
        except OSError as e:
            return f"{_state.file_name}: {e.strerror}"
        return None

    @staticmethod
    def reopen_log_file():
        """Closes and opens the log file, after its rotation."""
        if not _state.file_name:
            return
        Vlog.close_log_file()
        with _state.lock:
            error = Vlog._open_log_file()
        if error:
            ovs.util.ovs_error(0, f"opening {error}")

    @staticmethod
    def close_log_file():
        with _state.lock:
            if _state.file:
                _state.file.close()
                _state.file = None

    @staticmethod
    def set_level(module, destination, level):
        """Sets the level of 'module' for 'destination', each of them a name or "any".  What does not exist is
        ignored."""
        module, destination, level = module.lower(), destination.lower(), level.lower()
        if level not in LEVELS:
            return
        with _state.lock:
            for name in _state.levels if module == "any" else [module]:
                for to in DESTINATIONS if destination == "any" else [destination]:
                    if name in _state.levels and to in DESTINATIONS:
                        _state.levels[name][to] = level

    @staticmethod
    def set_pattern(destination, pattern):
        if destination in _state.patterns:
            _state.patterns[destination] = pattern

    @staticmethod
    def set_levels_from_string(s):
        """Obeys one --verbose argument, MODULE, DESTINATION and LEVEL in any order, PATTERN:DESTINATION:PATTERN or
        FACILITY:NAME.  Returns a message if it makes no sense, None otherwise."""
        kind, _, rest = s.partition(":")
        if kind.lower() == "pattern" and rest:
            destination, _, pattern = rest.partition(":")
            if destination.lower() not in DESTINATIONS:
                return f"unknown destination {destination}"
            Vlog.set_pattern(destination.lower(), pattern)
            return None
        if kind.lower() == "facility" and rest:
            if rest not in FACILITIES:
                return f"Facility {rest} is invalid"
            Vlog.add_syslog_handler(rest)
            return None
        return Vlog._set_levels(s)

    @staticmethod
    def _set_levels(s):
        module = level = destination = None
        for word in (word.lower() for word in re.split("[ :]", s)):
            if word == "any":
                continue
            if word in DESTINATIONS:
                if destination:
                    return "cannot specify multiple destinations"
                destination = word
            elif word in LEVELS:
                if level:
                    return "cannot specify multiple levels"
                level = word
            elif word in _state.levels:
                if module:
                    return "cannot specify multiple modules"
                module = word
            else:
                return f'no destination, level, or module "{word}"'
        Vlog.set_level(module or "any", destination or "any", level or "any")
        return None

    @staticmethod
    def get_levels():
        """A table of the levels of all modules."""
        lines = ["                 console    syslog    file", "                 -------    ------    ------"]
        for name, levels in sorted(_state.levels.items()):
            lines.append("%-16s  %4s       %4s       %4s" % (name, levels["console"], levels["syslog"], levels["file"]))
        return "\n".join(lines) + "\n"

    @staticmethod
    def add_syslog_handler(facility=None):
        """Starts to write to the system's log as 'facility', or changes the facility."""
        if facility:
            _state.facility = facility
        if not _state.inited:
            return
        if _state.syslog:
            _state.syslog.close()
            _state.syslog = None
        if os.path.exists("/dev/log"):
            handler = logging.handlers.SysLogHandler
            try:
                _state.syslog = handler("/dev/log", handler.facility_names[_state.facility])
            except OSError:
                pass  # Nobody listens there; the other destinations have the messages.

    # ---- Control commands ----

    @staticmethod
    def _unixctl_vlog_set(conn, argv, unused_aux):
        for word in argv:
            message = Vlog.set_levels_from_string(word)
            if message:
                conn.reply(message)
                return
        conn.reply(None)

    @staticmethod
    def _unixctl_vlog_list(conn, unused_argv, unused_aux):
        conn.reply(Vlog.get_levels())

    @staticmethod
    def _unixctl_vlog_reopen(conn, unused_argv, unused_aux):
        if _state.file_name:
            Vlog.reopen_log_file()
            conn.reply(None)
        else:
            conn.reply("Logging to file not configured")

    @staticmethod
    def _unixctl_vlog_close(conn, unused_argv, unused_aux):
        if _state.file_name:
            Vlog.close_log_file()
            conn.reply(None)
        else:
            conn.reply("Logging to file not configured")


def _write(destination, level, text):
    """Logging is not to end a program: what cannot be written is lost."""
    try:
        if destination == "console":
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
        elif destination == "file" and _state.file:
            _state.file.write(text + "\n")
            _state.file.flush()
        elif destination == "syslog" and _state.syslog:
            _state.syslog.emit(logging.LogRecord("ovs", LEVELS[level], "", 0, text, None, None))
    except (OSError, ValueError, AttributeError):
        pass


def add_args(parser):
    """Adds the options about logging to an ArgumentParser; handle_args() obeys them."""
    group = parser.add_argument_group(title="Logging Options")
    group.add_argument("--log-file", nargs="?", const="default",
                       help="Enables logging to a file. Default log file is used if LOG_FILE is omitted.")
    group.add_argument("-v", "--verbose", nargs="*",
                       help="Sets logging levels, see ovs-vswitchd(8). Defaults to dbg.")


def handle_args(args):
    """Obeys the options of add_args() as parse_args() returned them, and calls init()."""
    log_file = args.log_file
    if log_file == "default":
        log_file = f"{ovs.dirs.LOGDIR}/{ovs.util.PROGRAM_NAME}.log"
    verbose = args.verbose
    if verbose is None:
        verbose = []
    elif not verbose:
        verbose = ["any:any:dbg"]
    for word in verbose:
        message = Vlog.set_levels_from_string(word)
        if message:
            ovs.util.ovs_fatal(0, f'processing "{word}": {message}')
    Vlog.init(log_file)
