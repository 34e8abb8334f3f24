# SPDX-License-Identifier: MIT
"""Reading the rows of results.json."""

import statistics

MIB = 1 << 20
GB = 10**9

METRICS = {
    "wall": lambda row: row["wall"],
    "speed": lambda row: row["bytes"] / MIB / row["wall"],           # MiB/s
    "time": lambda row: row["wall"] / row["bytes"],                  # a byte's share
    "file_time": lambda row: row["wall"] / row["files"],
    "cpu": lambda row: row["cpu"] / row["bytes"] * GB,               # s/GB
    "peak": lambda row: row["peak"],
    "high_water": lambda row: row["high_water"],
    "disk": lambda row: row["disk"],
    "busiest_thread": lambda row: row["busiest_thread"],
    "machine_busy": lambda row: row["machine_busy"],
}


def rows_of(case, tool):
    """The rows of a tool that did what it was told, by round."""
    return {row["round"]: row for row in case["rows"] if row["tool"] == tool and row["exit"] == 0}


def values(case, tool, metric):
    return [METRICS[metric](row) for row in rows_of(case, tool).values()]


def median(case, tool, metric):
    """None when there is no good row."""
    found = values(case, tool, metric)
    return statistics.median(found) if found else None


def most(case, tool, metric):
    return max(values(case, tool, metric), default=None)


def ratio(case, tool, other, metric):
    """The median of tool : other, each of one and the same round; None when they share none."""
    mine, others = rows_of(case, tool), rows_of(case, other)
    found = [METRICS[metric](mine[number]) / METRICS[metric](others[number]) for number in mine
             if number in others and METRICS[metric](others[number])]
    return statistics.median(found) if found else None
