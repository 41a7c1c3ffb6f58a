"""Case files: a script of commands with the output that the reference programs gave.

    # What the case shows.  Lines with '#' are comments and stay where they are.
    daemons: ovsdb-server ovs-vswitchd     which daemons to start (default: ovsdb-server; none)
    vswitchd: --enable-dummy=override      options of a daemon, replacing the default ones
    ovsdb-server: ...

    file NAME                              a file to make before the next command
    < its text
    $ ovs-vsctl add-br br0                 a command for sh -c, continued by lines that begin with '>'
    < standard input
    | standard output                      ('|-' for a last line without a line end)
    ! standard error                       ('!-' likewise)
    ? 1                                    exit status, where it is not 0
    differs tools: REASON                  what is wanted instead where the tools (daemons, both) are ours
    | ...

A 'differs' block is written by hand and kept when the case is recorded again."""
import re

HEADERS = ("daemons", "vswitchd", "ovsdb-server", "sides")
DIFFERS = re.compile(r"differs (tools|daemons|both): (.+)")


class Output:
    """What a command gave, or should give: text of stdout and stderr, status."""

    def __init__(self, out="", err="", status=0):
        self.out, self.err, self.status = out, err, status

    def __eq__(self, other):
        return (self.out, self.err, self.status) == (other.out, other.err, other.status)

    def lines(self):
        found = []
        for mark, text in (("|", self.out), ("!", self.err)):
            for line in text.splitlines(keepends=True):
                if not line.endswith("\n"):
                    found.append(f"{mark}- {line}")
                else:
                    found.append(f"{mark} {line[:-1]}" if line != "\n" else mark)
        if self.status:
            found.append(f"? {self.status}")
        return found

    def put(self, line):
        mark, rest = line[0], line[1:]
        if mark == "?":
            self.status = rest.strip() if rest.strip() in ("timeout",) else int(rest)
            return
        ending = "\n"
        if rest.startswith("- "):
            rest, ending = rest[1:], ""
        text = (rest[1:] if rest.startswith(" ") else rest) + ending
        if mark == "|":
            self.out += text
        else:
            self.err += text


class Step:
    """A command ('file' is None) or a file to write."""

    def __init__(self, line_number, command=None, file=None):
        self.line_number, self.command, self.file = line_number, command, file
        self.input = ""
        self.expected = Output()
        self.differs = {}   # "tools", "daemons" or "both" -> (reason, Output)
        self.before = []    # Comments and blank lines in front of it.

    def expected_for(self, tools, daemons):
        wanted = []
        if tools == daemons == "ours":
            wanted.append("both")
        if tools == "ours":
            wanted.append("tools")
        if daemons == "ours":
            wanted.append("daemons")
        for which in wanted:
            if which in self.differs:
                return self.differs[which][1]
        return self.expected

    def lines(self):
        found = list(self.before)
        if self.file is not None:
            found.append(f"file {self.file}")
        else:
            first, *more = self.command.split("\n")
            found += [f"$ {first}"] + [f"> {m}" for m in more]
        found += [f"< {i}" if i else "<" for i in self.input.split("\n")[:-1]]
        if self.file is None:
            found += self.expected.lines()
        for which, (reason, output) in self.differs.items():
            found += [f"differs {which}: {reason}"] + output.lines()
        return found


class Case:
    def __init__(self, path):
        self.path = path
        self.headers, self.steps = {}, []
        self.top, self.tail = [], []
        with open(path, encoding="utf-8") as f:
            self._read(f.read().split("\n")[:-1])

    def fail(self, number, why):
        raise SystemExit(f"{self.path}:{number}: {why}")

    def _read(self, lines):
        pending, step, output = [], None, None
        for number, line in enumerate(lines, 1):
            header = re.match(r"([a-z-]+): (.*)", line)
            differs = DIFFERS.fullmatch(line)
            if not line or line.startswith("#"):
                pending.append(line)
                continue
            if header and not self.steps and header[1] in HEADERS:
                self.headers[header[1]] = header[2]
                self.top += pending + [line]
                pending = []
                continue
            if line.startswith("$ ") or line.startswith("file "):
                is_file = line.startswith("file ")
                step = Step(number, None if is_file else line[2:], line[5:] if is_file else None)
                step.before, pending = pending, []
                output = step.expected
                self.steps.append(step)
                continue
            if not step:
                self.fail(number, "neither a header nor a command")
            if pending:
                self.fail(number, "output after an empty line or a comment")
            if line[0] == ">":
                step.command += "\n" + line[2:]
            elif line[0] == "<":
                step.input += line[2:] + "\n"
            elif line[0] in "|!?" and step.file is None:
                output.put(line)
            elif differs:
                output = Output()
                step.differs[differs[1]] = (differs[2], output)
            else:
                self.fail(number, f"not understood: {line}")
        self.tail = pending

    def daemons(self):
        names = self.headers.get("daemons", "ovsdb-server").split()
        return [] if names == ["none"] else names

    def write(self):
        lines = self.top + [x for s in self.steps for x in s.lines()] + self.tail
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
