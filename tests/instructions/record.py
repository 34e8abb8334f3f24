#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes figures.json anew: what a GB costs, in instructions, with the program as it is.

    [HFPOUR_BINARY=build-release/src/hfpour] python3 -B tests/instructions/record.py [RUNS]

Takes the median of three runs, or RUNS, half a minute each, and notes how far any was from it.
"""

import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "flow"))  # its verbs serve here as well

from byte_path import CASE, FIGURES, RUNS, made_with, measure_all  # noqa: E402

BINARY = os.environ.get("HFPOUR_BINARY", HERE.parent.parent / "build-release" / "src" / "hfpour")


def main():
    medians, runs = measure_all(BINARY, int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
    furthest = {name: f"{max(abs(run[name] / median - 1) for run in runs):.2%}" for name, median in medians.items()}
    FIGURES.write_text(json.dumps({
        "case": CASE,
        "counted": "instructions that callgrind counts, in millions per GB (10^9 bytes); what is in which figure says byte_path.py",
        "millions_per_gb": medians,
        "runs": len(runs),
        "furthest_from_the_median": furthest,
        "made_with": made_with(),
    }, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
