# SPDX-License-Identifier: MIT
"""What the lints share: how they are called, and the small trees that prove that each rule fires."""

import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def main(check, self_test):
    """Prints the faults that `check(root)` yields; ends with 1 if there are any, or as `self_test()` says."""
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        sys.exit(self_test())
    faults = list(check(Path(arguments[0]) if arguments else HERE))
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


def run_cases(check, rules, cases):
    """Runs (tags expected, files) cases in temporary trees; each rule needs a case that fires it.

    The tags must be exactly those expected, so a good snippet is a case with no tags.
    """
    failures = []
    for number, (expected, files) in enumerate(cases, 1):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            faults = check(root)
        got = {tag for fault in faults for tag in re.findall(r": \[(\w+)\] ", fault)[:1]}
        if got != set(expected):
            failures.append(f"Case {number} gave {sorted(got)}, not {sorted(expected)}: {faults}")
    fired = {tag for expected, _ in cases for tag in expected}
    failures += [f"No case fires the rule [{rule}]." for rule in rules if rule not in fired]
    if not any(not expected for expected, _ in cases):
        failures.append("No case shows good snippets.")
    for failure in failures:
        print(failure)
    print(f"self-test: {len(cases)} cases, {len(failures)} failures")
    return 1 if failures else 0
