"""The reference's switch and ours side by side: the same random commands to both, and what they show compared.

A generator has step(), the commands of the next change, and questions(), what is asked after it: both give Asks.  They
do not depend on answers, so that steps can be left out (--shrink)."""
import argparse
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from normalise import Normaliser
from side import REFERENCE_DIRS, Place, Side

END = "-- end of answer --"


class Ask(NamedTuple):
    command: str
    stdin: str = ""
    ordered: bool = True  # False: the order of the answer's lines means nothing.

    def __str__(self):
        return "\n  < ".join([f"  $ {self.command}", *self.stdin.splitlines()])

    def script(self):
        return f"({self.command}) 2>.stderr <<'END OF INPUT'\n{self.stdin}END OF INPUT\n" \
            f"s=$?; cat .stderr; test $s = 0 || echo \"(status $s)\"; echo '{END}'"


def unordered(command):
    return Ask(command, ordered=False)


class Switch:
    """One side.  'plain' takes out of a normalised output what may differ."""

    def __init__(self, daemons, tools, side, plain):
        self.place = Place(daemons, tools, side).__enter__()
        self.plain = plain

    def answers(self, asks):
        normalise = Normaliser(self.place.directory, self.place.pids())
        out, err, status = self.place.run("\n".join(a.script() for a in asks), "")
        assert not err and not status, (err, status)
        answers = [self.plain(o) for o in normalise(out).split(END + "\n")[:-1]]
        assert len(answers) == len(asks), out
        return answers

    def close(self):
        self.place.__exit__()


def difference(ask, answers):
    theirs, ours = (a.splitlines() if ask.ordered else sorted(a.splitlines()) for a in answers)
    if theirs == ours:
        return None
    lines = [f"  - {line}" for line in theirs if line not in ours] + \
        [f"  + {line}" for line in ours if line not in theirs] or [f"  - {theirs}", f"  + {ours}"]
    return f"{ask}\n" + "\n".join(lines[:30])


class Beside:
    """'tools' are the sides whose tools are used with the reference's switch and with ours."""

    def __init__(self, daemons, tools, plain, args):
        self.daemons, self.tools, self.plain, self.args = daemons, tools, plain, args

    def run(self, steps, say):
        """Each step is a change and questions, lists of Asks.  Returns (number of steps done, the Ask, how the answers
        to it differ), or None."""
        switches = []
        try:
            switches += [Switch(self.daemons, t, s, self.plain) for t, s in zip(self.tools, sides(self.args))]
            with ThreadPoolExecutor(2) as pool:
                for i, (change, questions) in enumerate(steps):
                    for ask in change:
                        say(ask)
                    asks = change + questions
                    both = zip(*pool.map(lambda s, asks=asks: s.answers(asks), switches))
                    for ask, answers in zip(asks, both):
                        found = difference(ask, answers)
                        if found:
                            return i + 1, ask, found
        finally:
            for s in switches:
                s.close()
        return None

    def shrink(self, steps, wanted):
        """Leaves out steps as long as the answers to 'wanted' still differ at the end."""
        last = [q for q in steps[-1][1] if q == wanted]
        steps = [(change, []) for change, _ in steps]
        size = len(steps) // 2
        while size:
            at = 0
            while at < len(steps) - (not last):
                fewer = steps[:at] + steps[at + size:]
                if fewer:
                    fewer[-1] = (fewer[-1][0], last)
                found = self.run(fewer, lambda ask: None) if fewer else None
                if found and found[:2] == (len(fewer), wanted):
                    steps = fewer
                else:
                    at += size
            size //= 2
        return steps

    def find(self, generator):
        """The steps to the first difference, and the difference, as text; or None."""
        steps = [(list(generator.step()), list(generator.questions())) for _ in range(self.args.steps)]
        found = self.run(steps, (lambda ask: print(ask, flush=True)) if self.args.verbose else lambda ask: None)
        if not found:
            return None
        n, ask, text = found
        steps = self.shrink(steps[:n], ask) if self.args.shrink else steps[:n]
        return "\n".join(str(a) for change, _ in steps for a in change) + f"\ndiffer:\n{text}"


def sides(args):
    return [Side("reference"), Side("ours", args.build)]


def arguments(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--shrink", action="store_true", help="leave out steps that a difference does not need")
    parser.add_argument("--verbose", action="store_true")
    return parser


def run_seeds(args, daemons, tools, plain, generator):
    """'generator' makes one of a random.Random.  Returns the exit status."""
    if not any(os.access(os.path.join(d, "ovs-vswitchd"), os.X_OK) for d in REFERENCE_DIRS):
        print("ovs-vswitchd is not installed")
        return 77
    beside, bad = Beside(daemons, tools, plain, args), 0
    for seed in range(args.first, args.first + args.seeds):
        found = beside.find(generator(random.Random(seed)))
        if found:
            bad += 1
            print(f"seed {seed}, after\n{found}", flush=True)
    print(f"{args.seeds} seeds of {args.steps} steps, {bad} with differences")
    return 1 if bad else 0
