# SPDX-License-Identifier: MIT
"""What the project has promised itself, and whether the rows keep it. Nothing here is written by hand but the limits."""

import dataclasses

from peers import PIPE
from rows import MIB, median, most, ratio, rows_of

FULL = 0.95   # a core counts as full from here on
QUIET = 0.1   # what others may take of the machine, for its load to count as that of the tool and its servers
CORE_FULL = "a core was full"
GROWTH_MIB = 8
LONG_S, LONG_SAMPLES = 10, 40  # a run that tells of growth


@dataclasses.dataclass
class Verdict:
    """`found` is None when it was not measured. `note` says what a reader must know of it."""

    letter: str
    promise: str
    found: float = None
    limit: float = 0
    at_most: bool = True
    unit: str = ""
    note: str = ""

    def word(self):
        if self.found is None:
            return "not measured"
        met = self.found <= self.limit if self.at_most else self.found >= self.limit
        return "met" if met else "**not met**"

    def line(self):
        sign = "≤" if self.at_most else "≥"
        found = "–" if self.found is None else f"{self.found:.2f}{self.unit}" if self.unit != " MiB" else f"{self.found:.1f}{self.unit}"
        return f"| {self.letter} | {self.promise} | {sign} {self.limit:g}{self.unit} | {found} | {self.word()} | {self.note} |"


def held(case, tool):
    """The most memory a tool ever had, by either way of looking, in MiB."""
    peaks = [most(case, tool, metric) for metric in ("peak", "high_water")]
    return None if None in peaks else max(peaks) / MIB


def full_core(case, tool):
    """What a run says of cores that were full."""
    thread, machine = median(case, tool, "busiest_thread"), median(case, tool, "machine_busy")
    if thread is None:
        return ""
    others = case["facts"]["busy_before"]
    ours = machine if others < QUIET else 0.0
    said = f"busiest thread {thread:.0%} of a core, the machine with the servers {machine:.0%}, {others:.0%} before"
    return f"{CORE_FULL}: {said}" if max(thread, ours) >= FULL else said


def full_speed(case):
    rclone = min(("rclone copyurl", "rclone copy"), key=lambda tool: median(case, tool, "wall") or 1e9)
    high = most(case, "hfpour --lanes 4", "high_water")
    total = held(case, "hfpour --lanes 4")
    yield Verdict("a", "wall time, hfpour : rclone", ratio(case, "hfpour", rclone, "wall"), 0.5, note=f"`{rclone}`, the faster of its two ways")
    yield Verdict("a", "wall time, hfpour : `curl \\| curl`", ratio(case, "hfpour", PIPE, "wall"), 1.15, note=f"of the pipe: {full_core(case, PIPE)}")
    yield Verdict("a", "CPU, hfpour with SHA-256 alone : `curl \\| curl`", ratio(case, "hfpour --upload-check none", PIPE, "cpu"), 1.4,
                  note="`--upload-check none`")
    yield Verdict("a", "CPU, hfpour with SHA-256 and MD5 : `curl \\| curl`", ratio(case, "hfpour", PIPE, "cpu"), 2.4)
    yield Verdict("a", "peak RSS at 4 lanes", None if high is None else high / MIB, 32, unit=" MiB",
                  note=f"with socket buffers {total:.1f} MiB" if total else "")


def encrypted(case, plain):
    cost = case["facts"]["gcm_s_per_gb"]
    mine, other = median(case, "hfpour", "cpu"), plain and median(plain, "hfpour", "cpu")
    if plain and plain["run"] != case["run"]:
        note = "a and b are of different runs"
    else:
        note = f"AES-256-GCM takes {cost:.3f} s/GB here; one pass a leg"
    yield Verdict("b", "CPU, hfpour : (its CPU of a + AES-256-GCM for both legs)", mine / (other + 2 * cost) if mine and other else None, 1.25,
                  note=note)


class OnEdge(Verdict):
    """A speed that is asked for only until a core is full."""

    def word(self):
        word = super().word()
        return "not met, a core was full" if word == "**not met**" and self.note.startswith(CORE_FULL) else word


def edge(case):
    stream = case["facts"]["stream"]["mib_s"]
    bare = case["facts"].get("streams_mib_s", {})
    for tool, lanes in (("hfpour --lanes 8", 8), ("hfpour --lanes 16", 16), ("hfpour --lanes 32 --memory 64Mi", 32), ("hfpour --lanes 64 --memory 128Mi", 64),
                        ("hfpour", 32)):
        speed = median(case, tool, "speed")
        note = full_core(case, tool)
        if str(lanes) in bare:
            note += f"; {lanes} curls into /dev/null {bare[str(lanes)] / (lanes * stream):.2f}"
        yield OnEdge("c", f"speed, `{tool}` : {lanes} lanes x one stream", speed and speed / (lanes * stream), 0.92, at_most=False, note=note)
    yield Verdict("c", "memory, 32 lanes", held(case, "hfpour --lanes 32 --memory 64Mi"), 64, unit=" MiB")
    yield Verdict("c", "memory, 64 lanes", held(case, "hfpour --lanes 64 --memory 128Mi"), 128, unit=" MiB")
    for other, limit in (("rclone copy", 4), ("curl | aws s3 cp -", 6), ("rclone copy --transfers 32", 1)):
        yield Verdict("c", f"speed, hfpour : `{other}`".replace("|", "\\|"), ratio(case, "hfpour", other, "speed"), limit, at_most=False)
    yield Verdict("c", "memory, hfpour : `rclone copy --transfers 32`", ratio(case, "hfpour", "rclone copy --transfers 32", "peak"), 0.2)


def one_file(case):
    stream = case["facts"]["stream"]["mib_s"]
    speed = median(case, "hfpour --memory 256Mi", "speed")
    yield Verdict("d", "speed, `hfpour --memory 256Mi` : one stream", speed and speed / stream, 5, at_most=False,
                  note=f"one stream gave {stream:.1f} MiB/s")
    for less, more in (("64Mi", "256Mi"), ("256Mi", "1Gi")):
        yield Verdict("d", f"speed, `--memory {more}` : `--memory {less}`", ratio(case, f"hfpour --memory {more}", f"hfpour --memory {less}", "speed"),
                      1.1, at_most=False, note=full_core(case, f"hfpour --memory {more}"))
    for memory, limit in (("64Mi", 64), ("256Mi", 256), ("1Gi", 1024)):
        yield Verdict("d", f"memory, `--memory {memory}`", held(case, f"hfpour --memory {memory}"), limit, unit=" MiB")


def small_files(case):
    other = "rclone copy --transfers 32"
    yield Verdict("e", f"time, hfpour : `{other}`", ratio(case, "hfpour", other, "file_time"), 1)
    yield Verdict("e", f"CPU, hfpour : `{other}`", ratio(case, "hfpour", other, "cpu"), 0.5)


def growth(case):
    """(MiB, tool) of the run of hfpour that was long enough to tell and grew the most from its second to its last fifth."""
    worst, who = None, ""
    for tool in (tool["name"] for tool in case["tools"] if tool["name"].startswith("hfpour")):
        for row in rows_of(case, tool).values():
            grown = (row["late"] - row["early"]) / MIB
            if row["wall"] >= LONG_S and row["samples"] >= LONG_SAMPLES and (worst is None or grown > worst):
                worst, who = grown, tool
    return worst, who


def flat(cases):
    """Memory does not grow with what was poured, and stays below what was given."""
    for letter, case in sorted(cases.items()):
        grown, who = growth(case)
        yield Verdict(letter, "memory, last fifth of a run less its second fifth", grown, GROWTH_MIB, unit=" MiB",
                      note=f"the worst run, `{who}`" if who else f"no run took {LONG_S} s")
        if median(case, "hfpour", "peak") is not None:
            yield Verdict(letter, "memory, hfpour as it comes", held(case, "hfpour"), 256, unit=" MiB")


def verdicts(cases):
    """All of them, for those cases that were measured."""
    if "a" in cases:
        yield from full_speed(cases["a"])
    if "b" in cases:
        yield from encrypted(cases["b"], cases.get("a"))
    for letter, judge in (("c", edge), ("d", one_file), ("e", small_files)):
        if letter in cases:
            yield from judge(cases[letter])
    yield from flat(cases)
