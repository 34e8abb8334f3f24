#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that src/, bench/ and tests/ look as .clang-format says, by asking clang-format 14.

    check_format.py [ROOT]      one line a fault; exit 1 if there is any
    check_format.py --self-test proves that a line out of shape is found
"""

import pathlib
import subprocess
import tempfile

from lint import HERE, main

TOOL = "clang-format-14"  # other versions shape some things in other ways


def check(root):
    """One line for each file that would be changed."""
    files = sorted(path for folder in ("src", "bench", "tests") for path in (root / folder).rglob("*")
                   if path.suffix in (".cc", ".h"))
    if not files:
        return [f"{root}: no C++ files"]
    done = subprocess.run([TOOL, "--dry-run", *map(str, files)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return [f"{TOOL}: {done.stderr.strip()}"]
    named = {line.split(":", 1)[0] for line in done.stderr.splitlines() if "clang-format-violations" in line}
    return [f"{path}: not as .clang-format says; run {TOOL} -i on it" for path in sorted(named)]


def self_test():
    style = HERE / ".clang-format"
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "src").mkdir()
        (root / ".clang-format").write_text(style.read_text(encoding="utf-8"), encoding="utf-8")
        good, bad = root / "src" / "good.cc", root / "src" / "bad.cc"
        good.write_text("int one() { return 1; }\n" if "AllowShortFunctionsOnASingleLine: All" in style.read_text()
                        else "int one() {\n  return 1;\n}\n", encoding="utf-8")
        assert check(root) == [], check(root)
        bad.write_text("int  two( ){return 2 ;}\n", encoding="utf-8")
        assert len(check(root)) == 1 and "bad.cc" in check(root)[0], check(root)
    return 0


if __name__ == "__main__":
    main(check, self_test)
