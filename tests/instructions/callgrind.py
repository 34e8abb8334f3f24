"""A program under valgrind's callgrind, and what it counted: the instructions of each function, and of all calls to it."""

import collections
import contextlib
import os
import re

from support import Pourer

DEADLINE_S = 600


class Profile:
    """The output file of callgrind, whose format is in valgrind's manual."""

    def __init__(self, path):
        self.functions = collections.Counter()  # (object's path, function) -> what it spent itself
        self.calls = collections.Counter()  # function -> what all calls to it spent, with all they called
        self.names = collections.defaultdict(dict)
        with open(path, encoding="utf-8") as lines:
            said = self.read(lines)
        self.total = sum(self.functions.values())
        assert self.total == said > 0, (self.total, said)

    def read(self, lines):
        """Adds up all cost lines; returns the sum that callgrind itself says."""
        at, callee, said = {"ob": "", "fn": ""}, None, 0
        for line in lines:
            word, _, rest = line.rstrip("\n").partition("=")
            if word in ("ob", "fn"):
                at[word] = self.name(word, rest)
            elif word in ("cob", "cfn"):
                at[word] = self.name(word[1:], rest)
            elif word == "calls":
                callee = at["cfn"]  # the next cost is that of the calls
            elif line[0] in "+-*0123456789":
                cost = int(line.split()[1])
                if callee is None:
                    self.functions[at["ob"], at["fn"]] += cost
                else:
                    self.calls[callee] += cost
                callee = None
            elif line.startswith("totals:"):
                said = int(line.split()[1])
        return said

    def name(self, kind, text):
        """A name is written once, as `(number) name`, and from then on as its number."""
        number, _, new = text.partition(" ")
        if new:
            self.names[kind][number] = new
        return self.names[kind][number]

    def spent_in(self, library="", function=""):
        """What functions spent themselves, by the object's file name and their own, both regular expressions."""
        return sum(cost for (path, name), cost in self.functions.items()
                   if re.match(library, os.path.basename(path)) and re.match(function, name))

    def spent_by_calls(self, function):
        """What all calls to functions spent whose names begin so; none of them may call another."""
        return sum(cost for name, cost in self.calls.items() if name.startswith(function))


@contextlib.contextmanager
def two_cores():
    """The program has a hash worker for each core; they should be as many on each machine."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:2])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def count(binary, hub, store, folder, *arguments):
    """The profile of one run that must end well."""
    out = folder / "callgrind.out"
    with two_cores():
        running = Pourer("valgrind", hub, store).start("-q", "--tool=callgrind", f"--callgrind-out-file={out}", binary, *arguments)
    result = running.wait(DEADLINE_S)
    assert result.exit == 0, result.stderr
    return Profile(out)
