#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures cases, keeps every round's rows in results.json, and makes the report and the charts of them. Started by
scripts/bench, which see."""

import argparse
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys

import cases
import charts
import report


def version(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}).stdout.split("\n", 1)[0].strip()
    except OSError:
        return "?"


def package(name):
    return f"{name} {version('dpkg-query', '-W', '-f', '${Version}', name) or '?'}"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "?")
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {'.'.join(os.uname().release.split('.')[:2])}"


def versions(binary):
    packages = ["rclone", "awscli", "s3cmd", "curl", "nginx-light", "libnginx-mod-http-echo", "openssl", "radosgw"]
    return [version(binary, "--version"), *map(package, packages)]


def load(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"cases": {}}


def save(results, out):
    """The rows and everything that is made of them."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for letter, case in results["cases"].items():
        (out / f"case-{letter}.svg").write_text(charts.chart(letter, case), encoding="utf-8")
    (out / "README.md").write_text(report.report(results), encoding="utf-8")


def arguments():
    parser = argparse.ArgumentParser(description="The measuring part of scripts/bench.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {' '.join(cases.TITLES)}; all")
    parser.add_argument("--report", action="store_true", help="measure nothing, make report and charts again")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--binary")
    parser.add_argument("--sink")
    for name, default in (("rounds", 3), ("mib", 2048), ("ceph-mib", 512), ("edge-files", 64), ("edge-mib", 512), ("one-mib", 19074),
                          ("small-files", 20000), ("parallel", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    if set(chosen.cases) - set(cases.TITLES):
        parser.error(f"cases are {' '.join(cases.TITLES)}")
    if min(value for value in vars(chosen).values() if type(value) is int) < 1:
        parser.error("sizes and rounds are at least 1")
    return chosen


def main():
    chosen = arguments()
    results = load(chosen.out / "results.json")
    if chosen.report:
        return save(results, chosen.out)
    # Ends as if by SystemExit, so that servers and files go too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sizes = cases.Sizes(chosen.mib, chosen.ceph_mib, chosen.edge_files, chosen.edge_mib, chosen.one_mib, chosen.small_files,
                        chosen.parallel)
    about = {"machine": machine(), "versions": versions(chosen.binary), "run": datetime.datetime.now().isoformat(timespec="minutes")}
    failed = False
    for letter in sorted(chosen.cases or cases.TITLES):
        results["cases"][letter] = about | cases.run_case(letter, sizes, chosen.binary, chosen.sink, chosen.rounds)
        failed |= any(row["exit"] != 0 for row in results["cases"][letter]["rows"])
        save(results, chosen.out)
    return sys.exit("bench: a tool failed, see above") if failed else None


if __name__ == "__main__":
    main()
