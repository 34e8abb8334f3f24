# SPDX-License-Identifier: MIT
"""The six cases: what is poured, from where to where, and by whom."""

import contextlib
import dataclasses
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import content
import peers
from content import MIB
from hub import Hub
from stores import Ceph, Sink, make_certificates
from watch import machine_ticks, measure

EDGE_STORE_MS = 60
EDGE_LANES = (8, 16, 32, 64)
GB = 10**9
TITLES = {"a": "loopback at full speed, http", "b": "loopback at full speed, TLS on both legs",
          "c": "the edge profile, many files", "d": "the edge profile, one file", "e": "many small files, loopback at full speed, http",
          "f": "the real Ceph RGW, http"}


def say(text):
    print("bench:", text, file=sys.stderr, flush=True)


@dataclasses.dataclass
class Sizes:
    """Settings of scripts/bench."""

    mib: int           # of the model of a and b
    ceph_mib: int      # of f
    edge_files: int    # of c
    edge_mib: int      # of each file of c
    one_mib: int       # of the file of d
    small_files: int   # of e
    parallel: int      # files side by side, for tools that do one at a time


# --- who ----------------------------------------------------------------------------------------------------------


def at_full_speed(sizes, tls=False):
    side = sizes.parallel
    return [peers.hfpour(tls=tls), peers.hfpour("--upload-check none", tls=tls), peers.hfpour("--lanes 4", tls=tls),
            peers.rclone_copyurl(side, tls=tls), peers.rclone_copy(tls=tls), peers.aws(side, tls=tls), peers.s3cmd(side, tls=tls),
            peers.pipe(side, tls=tls)]


def at_the_edge(_sizes):
    return [peers.hfpour(), peers.hfpour("--lanes 8", "quarter"), peers.hfpour("--lanes 16", "half"),
            peers.hfpour("--lanes 32 --memory 64Mi"), peers.hfpour("--lanes 64 --memory 128Mi"), peers.rclone_copy(pours="eighth"),
            peers.rclone_copy(32), peers.aws(1, "few"), peers.pipe(32)]


def one_large_file(_sizes):
    return [peers.hfpour("--memory 64Mi", "quarter"), peers.hfpour("--memory 256Mi"), peers.hfpour("--memory 1Gi"),
            peers.rclone_copyurl(1, "short"), peers.aws(1, "short"), peers.pipe(1, "short")]


def many_small_files(sizes):
    return [peers.hfpour(), peers.rclone_copy(), peers.rclone_copy(32), peers.aws(sizes.parallel, "few"),
            peers.s3cmd(sizes.parallel, "few"), peers.pipe(sizes.parallel, "tenth")]


WHO = {"a": at_full_speed, "b": lambda sizes: at_full_speed(sizes, tls=True), "c": at_the_edge, "d": one_large_file,
       "e": many_small_files, "f": at_full_speed}


# --- what ---------------------------------------------------------------------------------------------------------


def random_files(sizes, letter, folder):
    size = (sizes.ceph_mib if letter == "f" else sizes.mib) * MIB
    return {"all": content.random_model(f"bench/random-{letter}", folder / "all", 4, size // 4)}


def edge_files(sizes, _letter, folder):
    count = sizes.edge_files
    whole = content.sparse_model("bench/edge", folder / "all", count, sizes.edge_mib * MIB)
    parts = {"half": max(1, count // 2), "quarter": max(1, count // 4), "eighth": max(1, count // 8), "few": min(2, count)}
    return {"all": whole} | {name: content.part_of(whole, f"bench/edge-{name}", folder / name, files) for name, files in parts.items()}


def one_file(sizes, _letter, folder):
    amounts = {"all": sizes.one_mib, "quarter": max(1, sizes.one_mib // 4), "short": max(1, sizes.one_mib // 20)}
    return {name: content.sparse_model(f"bench/one-{name}", folder / name, 1, mib * MIB) for name, mib in amounts.items()}


def small_files(sizes, _letter, folder):
    whole = content.small_model("bench/small", folder / "all", sizes.small_files)
    parts = {"tenth": max(1, sizes.small_files // 10), "few": min(20, sizes.small_files)}
    return {"all": whole} | {name: content.part_of(whole, f"bench/small-{name}", folder / name, files) for name, files in parts.items()}


WHAT = {"a": random_files, "b": random_files, "c": edge_files, "d": one_file, "e": small_files, "f": random_files}


def folder_of_content(sizes, letter):
    """Sparse files lie on a disk, of which they take nothing: some kernels fill the holes of those in /dev/shm with memory."""
    if letter in "cd":
        return "/var/tmp"
    needed = {"e": sizes.small_files * 40960, "f": sizes.ceph_mib * MIB}.get(letter, sizes.mib * MIB)
    return content.folder_for(needed, os.environ.get("TMPDIR", "/var/tmp"))


# --- how ----------------------------------------------------------------------------------------------------------


class Bench:
    """One case with its servers up."""

    def __init__(self, letter, models, hub, store, binary, authority, folder):
        self.letter, self.models, self.hub, self.store = letter, models, hub, store
        self.binary, self.authority, self.folder = binary, authority, folder
        (folder / "home").mkdir()

    def run(self, peer):
        """One row. Tools that fail, or leave other sizes than the model has, have `exit` not 0."""
        model = self.models[peer.pours]
        prefix = f"{model.id.replace('/', '-')}/"
        environment = peers.environment(model, self.store, self.hub, prefix, self.folder / "home", self.binary, self.authority)
        row = measure(peer.command(model, self.store, prefix, self.hub, self.folder), environment)
        there = sorted(size for key, size in self.store.sizes().items() if "/.hfpour/" not in key)
        if row["exit"] == 0 and there != sorted(size for size, _ in model.files.values()):
            row.update(exit=-1, said=f"it left other sizes than the model has: {len(there)} objects, {sum(there)} bytes")
        self.store.clear()
        return row | {"tool": peer.name, "files": len(model.files), "bytes": model.bytes, "load": os.getloadavg()[0]}


def gcm_seconds_per_gb():
    """CPU seconds for AES-256-GCM over 10^9 bytes once, by openssl in records as large as TLS has them."""
    said = subprocess.run(["openssl", "speed", "-mr", "-seconds", "2", "-evp", "aes-256-gcm", "-bytes", "16384"], check=True,
                          capture_output=True, text=True).stdout
    rate = float(next(line for line in said.splitlines() if line.startswith("+F:")).split(":")[-1])
    return GB / rate


def busy_of_others():
    """Share of the machine's cores that is taken while nothing of ours runs."""
    busy, every = machine_ticks()
    time.sleep(2)
    busy_after, every_after = machine_ticks()
    return (busy_after - busy) / max(1, every_after - every)


@contextlib.contextmanager
def prepared(letter, sizes, binary, sink):
    """A `Bench` and what was measured beside the tools."""
    scratch = tempfile.mkdtemp(prefix="hfpour-bench-")
    bytes_folder = tempfile.mkdtemp(prefix="hfpour-bench-", dir=folder_of_content(sizes, letter))
    with contextlib.ExitStack() as stack:
        for folder in (scratch, bytes_folder):
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        base = content.pathlib.Path(scratch)
        say(f"case {letter}, {TITLES[letter]}: making and hashing the files")
        models = WHAT[letter](sizes, letter, content.pathlib.Path(bytes_folder))
        tls = make_certificates(base / "tls") if letter == "b" else None
        edge = letter in "cd"
        hub = Hub(base / "hub", list(models.values()), edge=edge, tls=tls and tls[1:])
        stack.callback(hub.stop)
        store = (Ceph(base / "rgw", 2 + sizes.ceph_mib * 2 // 1024) if letter == "f"
                 else Sink(sink, EDGE_STORE_MS if edge else 0, tls))
        stack.callback(store.stop)
        facts = {"models": {name: model.title() for name, model in models.items()}}
        if edge:
            facts["stream"] = hub.one_stream(models["all"], 224 * MIB)
        if letter == "c":
            facts["streams_mib_s"] = {str(lanes): hub.many_streams(models["all"], lanes) for lanes in EDGE_LANES}
        facts["busy_before"] = busy_of_others()
        yield Bench(letter, models, hub, store, binary, tls[0] if tls else None, base), facts


def run_case(letter, sizes, binary, sink, rounds):
    """All rounds of a case: each begins with another tool. Gives what results.json keeps of it."""
    every = WHO[letter](sizes)
    rows, ciphers = [], []
    with prepared(letter, sizes, binary, sink) as (bench, facts):
        for number in range(rounds):
            if letter == "b":
                ciphers.append(gcm_seconds_per_gb())
            first = number * len(every) // rounds
            for peer in every[first:] + every[:first]:
                row = bench.run(peer) | {"round": number + 1}
                rows.append(row)
                mib_s = row["bytes"] / MIB / row["wall"]
                say(f"{letter}, round {number + 1}: {peer.name}: {row['wall']:.2f} s, {mib_s:.0f} MiB/s, CPU {row['cpu'] / row['bytes'] * GB:.2f} "
                    f"s/GB, peak {row['peak'] / MIB:.0f} MiB, load {row['load']:.1f}"
                    + (f", FAILED ({row['exit']}): {row['said'][-400:]}" if row["exit"] != 0 else ""))
    if ciphers:
        facts["gcm_s_per_gb"] = statistics.median(ciphers)
    tools = [{"name": peer.name, "command": peer.shown(), "verified": peer.verified, "pours": facts["models"][peer.pours]} for peer in every]
    return {"title": TITLES[letter], "rounds": rounds, "sizes": dataclasses.asdict(sizes), "facts": facts,
            "tools": tools, "rows": rows}
