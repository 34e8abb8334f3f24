#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that each fault the Hub and the stores are known for has a test, and that tests/README.md says which.

The rows are data (fault_rows.json). A flow test names those it proves: @pytest.mark.row("hub F.11.7"), also as
a mark of one of its parameters. A row may instead name a unit test (`elsewhere`, beside which flow tests are
welcome) or say why there is none (`none`); `but` says what its tests leave out.

    check_fault_table.py [ROOT]          one sentence a fault; exit 1 if there is any
    check_fault_table.py --write [ROOT]  writes the table into tests/README.md
    check_fault_table.py --self-test     proves on small trees that each rule fires
"""

import ast
import json
import sys
from pathlib import Path

from lint import HERE, main, run_cases

RULES = {
    "missing": "a row without a test",
    "unknown": "a test that names a row there is not, or something that is no text",
    "elsewhere": "a row whose unit test does not exist",
    "built": "a row that says it has no test, and has one",
    "stale": "a table that is not the one of today",
}
ROWS, TABLE, TESTS = "tests/lint/fault_rows.json", "tests/README.md", "tests/flow"
BEGIN, END = "<!-- fault table: made by check_fault_table.py --write -->\n", "<!-- end of the fault table -->\n"


def marks(node):
    """The row marks within a decorator or a list of parameters: (line, names)."""
    for call in ast.walk(node):
        function = getattr(call, "func", None)
        if isinstance(function, ast.Attribute) and function.attr == "row" and ast.unparse(function) == "pytest.mark.row":
            yield call.lineno, [getattr(argument, "value", None) for argument in call.args]


def proofs(root):
    """(file, test, line, row) of each mark in the flow tests."""
    for path in sorted((root / TESTS).glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            for decorator in node.decorator_list:
                for line, names in marks(decorator):
                    for name in names:
                        yield path.name, node.name, line, name


def rows_of(root):
    found = json.loads((root / ROWS).read_text(encoding="utf-8"))
    return {name: about if isinstance(about, dict) else {"words": about} for name, about in found.items()}


def table(rows, found):
    lines = ["| row | what happens | tests |", "| --- | --- | --- |"]
    for name, about in rows.items():
        tests = {}
        for file, test, _, row in found:
            if row == name:
                tests.setdefault(file, {})[test] = None
        cells = [f"`{file.removesuffix('.py')}`: " + ", ".join(names).replace("test_", "").replace("_", " ")
                 for file, names in tests.items()]
        cells += [f"`{about['elsewhere']}`"] if "elsewhere" in about else []
        cells += [f"none: {about['none']}"] if "none" in about else []
        cells += [f"({about['but']})"] if "but" in about else []
        lines.append(f"| {name} | {about['words']} | {'; '.join(cells)} |")
    return BEGIN + "\n".join(lines) + "\n" + END


def committed(root):
    """What stands before the table, the table, and what stands behind it."""
    text = (root / TABLE).read_text(encoding="utf-8") if (root / TABLE).exists() else ""
    before, begin, rest = text.partition(BEGIN)
    body, end, after = rest.partition(END)
    return before, begin + body + end, after


def check(root):
    """The faults of a tree, each a sentence."""
    rows, found, sentences = rows_of(root), list(proofs(root)), []
    proven = {row for _, _, _, row in found}
    for file, test, line, row in found:
        if row not in rows:
            sentences.append(f"{TESTS}/{file}:{line}: [unknown] {test} names {row!r}, which is no row of {ROWS}.")
    for name, about in rows.items():
        if "elsewhere" in about and not (root / about["elsewhere"]).is_file():
            sentences.append(f"{ROWS}: [elsewhere] {name} names {about['elsewhere']}, which does not exist.")
        if "none" in about and name in proven:
            sentences.append(f"{ROWS}: [built] {name} says that it has no test, but it has one.")
        if not proven & {name} and not {"none", "elsewhere"} & set(about):
            sentences.append(f"{ROWS}: [missing] {name} ({about['words']}) has no test in {TESTS}.")
    if committed(root)[1] != table(rows, found):
        sentences.append(f"{TABLE}: [stale] the table is not the one of today; run check_fault_table.py --write.")
    return sentences


def write(root):
    before, _, after = committed(root)
    (root / TABLE).write_text(before + table(rows_of(root), list(proofs(root))) + after, encoding="utf-8")


def self_test():
    def tree(rows, tests, written=None):
        found = [("test_x.py", name, 1, row) for name, named in tests.items() for row in named]
        about = {name: one if isinstance(one, dict) else {"words": one} for name, one in rows.items()}
        body = "import pytest\n" + "".join(
            f"@pytest.mark.row({', '.join(map(repr, named))})\ndef {name}():\n    pass\n" for name, named in tests.items())
        return {ROWS: json.dumps(rows), f"{TESTS}/test_x.py": body, "tests/unit.cc": "",
                TABLE: "# Tests\n\n" + (table(about, found) if written is None else written) + "\nmore\n"}

    one = {"test_a": ["hub 1"]}
    of_a_parameter = tree({"hub 1": "w"}, one)
    of_a_parameter[f"{TESTS}/test_x.py"] = ("import pytest\n@pytest.mark.parametrize('x', [1, pytest.param(2, "
                                           "marks=pytest.mark.row('hub 1'))])\ndef test_a(x):\n    pass\n")
    not_a_test = tree({"hub 1": "w"}, one)
    not_a_test[f"{TESTS}/test_x.py"] = "import pytest\n@pytest.mark.row('hub 1')\ndef helper():\n    pass\n"
    cases = [
        ((), tree({"hub 1": "w"}, one)),
        ((), of_a_parameter),
        ((), tree({"hub 1": "w", "hub 2": {"words": "v", "none": "not built"}}, one)),
        ((), tree({"hub 1": {"words": "w", "elsewhere": "tests/unit.cc"}}, {})),
        (("missing",), tree({"hub 1": "w", "hub 2": "v"}, one)),
        (("missing", "stale"), not_a_test),
        (("unknown",), tree({"hub 1": "w"}, {"test_a": ["hub 1", "hub 9"]})),
        (("unknown",), tree({"hub 1": "w"}, {"test_a": ["hub 1", 2]})),
        (("elsewhere",), tree({"hub 1": {"words": "w", "elsewhere": "tests/gone.cc"}}, {})),
        (("built",), tree({"hub 1": {"words": "w", "none": "not built"}}, one)),
        (("stale",), tree({"hub 1": "w"}, one, "")),
        (("stale",), tree({"hub 1": "w"}, one, BEGIN + "| hub 1 | another |\n" + END)),
    ]
    return run_cases(check, RULES, cases)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        del sys.argv[1]
        write(Path(sys.argv[1]) if sys.argv[1:] else HERE)
    main(check, self_test)
