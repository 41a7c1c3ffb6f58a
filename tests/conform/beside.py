"""The reference's switch and ours side by side: the same commands to both, and what they show compared."""
import argparse
import os
import random
import sys

from normalise import Normaliser
from side import REFERENCE_DIRS, Place, Side


class Difference(Exception):
    pass


class Switch:
    """One side.  'plain' takes out of a normalised output what may differ."""

    def __init__(self, daemons, tools, side, plain):
        self.place = Place(daemons, tools, side).__enter__()
        self.plain = plain

    def sh(self, command, stdin=""):
        normalise = Normaliser(self.place.directory, self.place.pids())
        out, err, status = self.place.run(command, stdin)
        return self.plain(normalise(out)) + normalise(err) + (f"(status {status})\n" if status else "")

    def close(self):
        self.place.__exit__()


def by_lines(text):
    """Tables whose order means nothing."""
    return "\n".join(sorted(text.splitlines()))


def compare(what, outputs):
    if outputs[0] != outputs[1]:
        theirs, ours = (o.splitlines() for o in outputs)
        lines = [f"  - {line}" for line in theirs if line not in ours] + \
            [f"  + {line}" for line in ours if line not in theirs] or [f"  - {theirs}", f"  + {ours}"]
        raise Difference(f"$ {what}\n" + "\n".join(lines[:30]))


class Beside:
    """Both, with the commands of 'generator', which has step() and questions(): lists of (command, stdin), and pairs
    of a command and whether the order of its lines means something."""

    def __init__(self, daemons, tools, plain, args):
        self.args, self.done = args, []
        self.switches = [Switch(daemons, t, s, plain) for t, s in zip(tools, sides(args))]

    def both(self, command, stdin="", ordered=True):
        outputs = [s.sh(command, stdin) for s in self.switches]
        compare(command, outputs if ordered else [by_lines(o) for o in outputs])
        return outputs

    def change(self, command, stdin="", ordered=True):
        self.done.append((command, stdin))
        if self.args.verbose:
            print("\n< ".join([f"$ {command}", *stdin.splitlines()]), flush=True)
        outputs = self.both(command, stdin, ordered)
        if self.args.verbose:
            print("\n".join("| " + line for line in outputs[0].splitlines()), flush=True)

    def run(self, generator):
        """The first difference, or null."""
        try:
            for command, stdin in generator.start():
                self.change(command, stdin)
            for _ in range(self.args.steps):
                for command, stdin in generator.step():
                    self.change(command, stdin, generator.is_ordered(command))
                for command, ordered in generator.questions():
                    self.both(command, ordered=ordered)
        except Difference as e:
            lines = ["\n< ".join([f"$ {c}", *stdin.splitlines()]) for c, stdin in self.done[-self.args.last:]]
            return "\n".join(lines) + f"\n{e}"
        finally:
            for s in self.switches:
                s.close()
        return None


def sides(args):
    return [Side("reference"), Side("ours", args.build)]


def arguments(description, steps):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--last", type=int, default=1000, help="how many of the commands before a difference to show")
    parser.add_argument("--verbose", action="store_true")
    return parser


def run_seeds(args, run_seed):
    """'run_seed' is given a random.Random and returns the difference that it found, or null."""
    if not any(os.access(os.path.join(d, "ovs-vswitchd"), os.X_OK) for d in REFERENCE_DIRS):
        print("ovs-vswitchd is not installed")
        sys.exit(77)
    bad = 0
    for seed in range(args.first, args.first + args.seeds):
        found = run_seed(random.Random(seed))
        if found:
            bad += 1
            print(f"seed {seed}, after\n{found}", flush=True)
    print(f"{args.seeds} seeds of {args.steps} steps, {bad} with differences")
    sys.exit(1 if bad else 0)
