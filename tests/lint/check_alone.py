#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that each file of src/ compiles by itself: the builds of scripts/test put a folder's files together, where one may
live on what another includes.

    check_alone.py [ROOT]      one line a fault; exit 1 if there is any
    check_alone.py --self-test proves that a missing include is found
"""

import concurrent.futures
import os
import pathlib
import subprocess
import tempfile

from lint import main

COMPILER = os.environ.get("CXX", "c++").split()[-1]  # without a ccache before it
PACKAGES = ("libcurl", "libssl", "libcrypto", "libxxhash", "fmt", "spdlog", "nlohmann_json", "pugixml", "CLI11")


def flags_of(root):
    found = subprocess.run(["pkg-config", "--cflags", *PACKAGES], capture_output=True, text=True, check=True).stdout.split()
    return ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", '-DHFPOUR_VERSION="0"', "-DSPDLOG_FMT_EXTERNAL",
            f"-I{root / 'src'}", *found]


def check(root):
    """The first error of each file that does not compile."""
    flags = flags_of(root)

    def compiled(path):
        done = subprocess.run([COMPILER, *flags, str(path)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return None
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        return f"{path}: {(errors or done.stderr.splitlines() or ['?'])[0]}"

    files = sorted((root / "src").rglob("*.cc"))
    if not files:
        return [f"{root}: no C++ files"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [fault for fault in pool.map(compiled, files) if fault]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "src" / "base").mkdir(parents=True)
        (root / "src" / "base" / "good.cc").write_text("#include <vector>\nstd::vector<int> one;\n", encoding="utf-8")
        assert check(root) == [], check(root)
        (root / "src" / "base" / "late.cc").write_text("std::vector<int> two;\n", encoding="utf-8")
        assert len(check(root)) == 1 and "late.cc" in check(root)[0], check(root)
    return 0


if __name__ == "__main__":
    main(check, self_test)
