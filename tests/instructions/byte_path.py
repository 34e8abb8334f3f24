"""The fixed case: what a GB costs on its way, in instructions.

The same files are poured twice, long ones and short ones, and the difference counts: what a run or a file costs once, be
it the dynamic linker's work or the listing, is in both. Three figures, each a part of the one before:

    total         everything
    own           without SHA-256 and MD5: the one is three quarters of all without the processor's SHA instructions,
                  which valgrind does not know; the other depends on how many streams come together
    control_flow  without memcpy and XXH3 either: ours, libcurl's and libc's way of handing the bytes on
"""

import json
import pathlib
import statistics
import subprocess
import tempfile

from callgrind import count
from support import BUCKET, MIB, Hub, Store

FIGURES = pathlib.Path(__file__).resolve().parent / "figures.json"
FILES, LONG, SHORT = 4, 48 * MIB, 16 * MIB
GIGABYTES = FILES * (LONG - SHORT) / 1e9
OPTIONS = ("--memory", "512Mi", "--lanes", 16, "--quiet")
CASE = f"{FILES} files of {LONG // MIB} MiB less {FILES} files of {SHORT // MIB} MiB, {' '.join(map(str, OPTIONS))}"
TOLERANCE = 0.05
RUNS = 3
RECORD = "python3 -B tests/instructions/record.py"
PACKAGES = ("valgrind", "g++", "libc6", "libcurl4", "libssl3", "libxxhash0")


def split(profile):
    """The three figures of one run, in instructions."""
    sha256 = profile.spent_in(library="libcrypto")
    md5 = profile.spent_by_calls("hfpour::Md5::update_abreast(")
    xxh3 = profile.spent_in(library="libxxhash")
    copied = profile.spent_in(library=r"libc\.", function="__mem(cpy|move)_")
    assert min(sha256, md5, xxh3, copied) > 0, ("callgrind names them otherwise", sha256, md5, xxh3, copied)
    own = profile.total - sha256 - md5
    return {"total": profile.total, "own": own, "control_flow": own - xxh3 - copied}


def measure(binary, folder):
    """The three figures, in millions of instructions per GB."""
    models = {name: {"files": [{"path": "{}.safetensors", "count": FILES, "size": size, "seed": 1}]}
              for name, size in (("me/long", LONG), ("me/short", SHORT))}
    spec = folder / "spec.json"
    spec.write_text(json.dumps({"models": models}), encoding="utf-8")
    (folder / "root").mkdir()
    hub, store = Hub(folder / "root", "--virtual", spec, "--prepare"), Store("--keep", "none")
    try:
        long, short = (split(count(binary, hub, store, folder, f"hf://{name}", f"s3://{BUCKET}/", *OPTIONS)) for name in models)
    finally:
        store.stop()
        hub.stop()
    return {name: round((long[name] - short[name]) / GIGABYTES / 1e6, 1) for name in long}


def measure_all(binary, runs=RUNS):
    """The median of each figure, and all of them: one run of twenty had 5 % more of the last, of which most have 2 %."""
    found = []
    for number in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(binary, pathlib.Path(folder)))
        print(number + 1, found[-1], flush=True)
    return {name: round(statistics.median(run[name] for run in found), 1) for name in found[0]}, found


def made_with():
    """What the figures depend on besides our code."""
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Package}=${Version}\n", *PACKAGES], capture_output=True, text=True, check=False)
    found = dict(line.split("=", 1) for line in said.stdout.splitlines())
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return {**found, "processor": "with AVX2" if "avx2" in flags else "without AVX2"}


def complaint(name, value, recorded, here):
    """Why `value` is not what was recorded; nothing when it is."""
    expected = recorded["millions_per_gb"][name]
    off = value / expected - 1
    if abs(off) <= TOLERANCE:
        return None
    other = [f"{what} {here.get(what)}, then {then}" for what, then in recorded["made_with"].items() if here.get(what) != then]
    return (f"{name}: {value:,.1f} million instructions per GB are {abs(off):.1%} {'more' if off > 0 else 'less'} than the "
            f"{expected:,.1f} in {FIGURES.name}, and up to {TOLERANCE:.0%} are allowed. If that is meant, gain or loss, write it "
            f"down with {RECORD}, and commit it." + (f" Other than then: {'; '.join(other)}." if other else ""))
