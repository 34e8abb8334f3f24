# SPDX-License-Identifier: MIT
"""docs/bench/README.md: the tables, and the targets they are to meet."""

import statistics

from rows import MIB, most, values
from targets import verdicts

HEADER = """<!-- Made by scripts/bench; scripts/bench --report makes it again from results.json. -->
# Measured

`scripts/bench` ran every tool in turn against the same servers on loopback: nginx as Hub and CDN, and a store that answers like S3
and throws the bytes away (a to e), or a real Ceph RGW that keeps them in memory (f). The servers share the machine's cores
with the tools, and are not counted. Medians of the rounds, in brackets the fastest and the slowest. CPU is user and
system of the tool's process tree, a GB is 10^9 bytes. Memory is the highest sum of proportional set sizes and kernel socket
buffers of the tree, sampled every 100 ms. Disk is what the tree wrote. Tools that would take minutes pour less of the
same; the column says what, and speed and CPU are of that. `results.json` has every row.
"""


def spread(found, digits=2):
    """The median, and the least and the most."""
    if not found:
        return "failed"
    low, high = min(found), max(found)
    text = f"{statistics.median(found):,.{digits}f}"
    return text if len(found) == 1 else f"{text} ({low:,.{digits}f}–{high:,.{digits}f})"


def safe(text):
    """For a cell of a Markdown table."""
    return text.replace("|", "\\|")


def table(letter, case):
    small = letter == "e"
    head = ["tool", "poured", "wall, s", "files/s" if small else "MiB/s", "CPU, s/GB", "memory, MiB", "of it sockets", "disk, MiB", "verified"]
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for tool in case["tools"]:
        name = tool["name"]
        rows = [row for row in case["rows"] if row["tool"] == name and row["exit"] == 0]
        if not rows:
            yield f"| {safe(name)} | {tool['pours']} | failed |" + " |" * (len(head) - 3)
            continue
        rate = [row["files"] / row["wall"] for row in rows] if small else values(case, name, "speed")
        highest = max(rows, key=lambda row: row["peak"])
        shown = f"**{safe(name)}**" if tool["verified"] else safe(name)
        yield (f"| {shown} | {tool['pours']} | {spread(values(case, name, 'wall'))} | {spread(rate, 0)} "
               f"| {spread(values(case, name, 'cpu'))} | {spread([peak / MIB for peak in values(case, name, 'peak')], 0)} "
               f"| {highest['sockets_at_peak'] / MIB:.0f} | {most(case, name, 'disk') / MIB:.1f} | {'SHA-256' if tool['verified'] else 'no'} |")


def facts_of(letter, case):
    rounds = case["rounds"]
    lines = [f"{rounds} round{'s' if rounds > 1 else ''}, {case['run'].replace('T', ' ')}, the machine {case['facts']['busy_before']:.0%} busy before."]
    stream = case["facts"].get("stream")
    if stream:
        lines.append(f"Each answer of the CDN waits 660 ms, then comes at 28 MiB/s a connection; each answer of the store waits 60 ms. "
                     f"A single curl measured {stream['first_byte_s'] * 1000:.0f} ms and {stream['mib_s']:.1f} MiB/s, of a range of 8 MiB "
                     f"{stream['range_first_byte_s'] * 1000:.0f} ms and {stream['range_mib_s']:.1f} MiB/s.")
    if "gcm_s_per_gb" in case["facts"]:
        lines.append(f"AES-256-GCM takes {case['facts']['gcm_s_per_gb']:.3f} CPU s/GB here (`openssl speed`, 16 KiB records), once for each leg.")
    stolen = [row["stolen"] for row in case["rows"] if "stolen" in row]
    if stolen:
        lines.append(f"The host took {min(stolen):.0%} to {max(stolen):.0%} of the cores' time for others while the tools ran.")
    failed = sum(row["exit"] != 0 for row in case["rows"])
    if failed:
        lines.append(f"{failed} of {len(case['rows'])} runs failed and are left out.")
    if letter == "e":
        lines.append("The files have 4 to 64 KiB; a listing has 1,000 entries a page.")
    return " ".join(lines)


def commands(case):
    yield "<details><summary>commands</summary>\n\n```sh"
    for tool in case["tools"]:
        yield tool["command"].replace('"$HFPOUR"', "hfpour")
    yield "```\n\n</details>"


def report(results):
    """The whole page."""
    lines = [HEADER]
    for letter, case in sorted(results["cases"].items()):
        lines += [f"\n## ({letter}) {case['title']}\n", facts_of(letter, case), "", *table(letter, case), "", f"![case {letter}](case-{letter}.svg)\n",
                  *commands(case)]
    lines += ["\n## Machine and versions\n"]
    seen = {}
    for letter, case in sorted(results["cases"].items()):
        seen.setdefault((case["machine"], "; ".join(case["versions"])), []).append(letter)
    lines += [f"- {', '.join(letters)}: {machine}. {versions}." for (machine, versions), letters in seen.items()]
    lines += ["\nIn commands, `$URL` is the file's address on the Hub, `$CDN` the CDN's index, `$PUT` a presigned address, `$CA` the throwaway "
              "authority's certificate. rclone has provider Ceph and its keys from the environment"
              "; into the sink `use_multipart_etag` is off, since its ETags are no MD5s (rclone computes its MD5s all the same)."]
    lines += ["\n## Targets\n", "Ratios are medians over the rounds, each of two runs of the same round. Made by `bench/targets.py` from the rows.\n",
              "| case | what | target | found | | remark |", "| --- | --- | --- | --- | --- | --- |"]
    found = list(verdicts(results["cases"]))
    lines += [verdict.line() for verdict in found]
    words = [verdict.word() for verdict in found]
    met, unknown = words.count("met"), words.count("not measured")
    lines += [f"\n{met} of {len(found) - unknown} met" + (f", {unknown} not measured." if unknown else ".")]
    return "\n".join(lines) + "\n"
