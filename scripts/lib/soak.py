#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A long pour of a virtual model, watched: memory over bytes, as CSV and SVG. Started by scripts/soak."""

import argparse
import json
import pathlib
import sys
import tempfile
import time
import urllib.request

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "tests" / "flow"))  # the flow tests' servers and their sampler serve here as well

import support  # noqa: E402
import test_memory  # noqa: E402

REPO = "virtual/large"
MIB, GB = 1024 * 1024, 10**9
SHARDS, SHARD_BYTES = 140, 5 * GB
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 300, 60, 40


def received(hub):
    return sum(hub.counters()["bytes"].values())


class Servers:
    """A Hub that makes the bytes of `files` up, and a store that sums and forgets them."""

    def __init__(self, binary, memory, files, folder):
        (folder / "spec.json").write_text(json.dumps({"models": {REPO: {"files": files}}}), encoding="utf-8")
        (folder / "root").mkdir()
        self.hub = support.Hub(folder / "root", "--virtual", folder / "spec.json", "--digest-cache", folder / "digests.json")
        self.store = support.Store("--keep", "none")
        self.pourer, self.memory = support.Pourer(binary, self.hub, self.store), memory
        # The first listing sums each content, 0.6 s a GB: longer than a client would wait.
        urllib.request.urlopen(f"{self.hub.url}/api/models/{REPO}/tree/main", timeout=3600).read()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.store.stop()
        self.hub.stop()

    def pour(self, *options, samples, kill_at=None):
        """Pours, and adds (bytes from the Hub, resident, socket buffers) to `samples` each second.

        Gives what the run said and its peak; one that is killed says nothing.
        """
        run = self.pourer.start(f"hf://{REPO}", f"s3://{support.BUCKET}/soak/", "--memory", self.memory, "--json", *options)
        watch = test_memory.Sampler(run.process.pid)
        while watch.thread.is_alive() and run.process.poll() is None:
            samples.append((received(self.hub), watch.resident(), watch.sockets()))
            if kill_at is not None and samples[-1][0] >= kill_at:
                run.process.kill()
                run.process.wait()
            time.sleep(1)
        watch.stop()
        for reader in run.readers:
            reader.join()
        said = run.output["stdout"]
        return json.loads(said) if said else None, watch.peak


def many_shards(options, folder, samples):
    """As many shards as fit into the time."""
    # Shards of one content: the Hub sums 5 GB once, and the run takes each for a file of its own.
    files = [{"path": f"model-{i:05d}-of-{SHARDS:05d}.safetensors", "size": SHARD_BYTES, "seed": 3} for i in range(SHARDS)]
    with Servers(options.binary, options.memory, files, folder) as servers:
        said, peak = servers.pour("--deadline", f"{options.minutes}m", samples=samples)
        assert servers.store.orphans() == [], "an upload that nobody claims"
    print(f"{samples[-1][0] / GB:.1f} GB of {SHARDS * SHARD_BYTES // GB} in {options.minutes} min, status {said['status']}")
    return peak


def one_file(options, folder, samples):
    """One file, killed when 96 % of it were fetched, and gone on with."""
    size = options.one_file * GB
    with Servers(options.binary, options.memory, [{"path": "model.safetensors", "size": size, "seed": 5}], folder) as servers:
        _, peak = servers.pour(samples=samples, kill_at=size * 96 // 100)
        fetched = received(servers.hub)
        said, second_peak = servers.pour(samples=samples)
        again = received(servers.hub) - fetched
        assert servers.store.uploads() == [], "an upload is left"
    print(f"one file of {options.one_file} GB, kill -9 after {fetched / GB:.1f} GB; the next run fetched {again / GB:.1f} GB "
          f"(in all {(fetched + again) / size:.4f} of it), status {said['status']}")
    assert said["status"] == "poured" and fetched + again < size + 2 * GB, "more than a few seconds' work was fetched twice"
    return max(peak, second_peak)


def svg(samples, ceiling):
    """Resident memory, and with socket buffers, over bytes; the ceiling as a line."""
    most_bytes, most = samples[-1][0], ceiling * 1.1
    x = lambda sample: LEFT + (WIDTH - LEFT - 10) * sample[0] / most_bytes  # noqa: E731
    y = lambda size: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 10) * size / most  # noqa: E731
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(ceiling):.1f}" y2="{y(ceiling):.1f}" stroke="#c33" stroke-dasharray="4 3"/>',
             f'<text x="{LEFT + 4}" y="{y(ceiling) - 4:.1f}" fill="#c33">--memory {ceiling // MIB} MiB</text>']
    for name, colour, value in (("resident and socket buffers", "#26a", lambda s: s[1] + s[2]), ("resident", "#888", lambda s: s[1])):
        points = " ".join(f"{x(s):.1f},{y(value(s)):.1f}" for s in samples)
        lines.append(f'<polyline fill="none" stroke="{colour}" points="{points}"><title>{name}</title></polyline>')
    for step in range(5):
        at = most_bytes * step / 4
        lines.append(f'<text x="{LEFT + (WIDTH - LEFT - 10) * step / 4:.0f}" y="{HEIGHT - 22}" text-anchor="middle">{at / GB:.0f} GB</text>')
        lines.append(f'<text x="{LEFT - 6}" y="{y(most * step / 4) + 4:.0f}" text-anchor="end">{most * step / 4 / MIB:.0f} MiB</text>')
    lines.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">bytes from the Hub; blue: resident and socket buffers, grey: resident</text>')
    return "\n".join(lines + ["</svg>\n"])


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--binary", required=True)
    options.add_argument("--memory", required=True)
    options.add_argument("--minutes", type=int, default=10)
    options.add_argument("--one-file", type=int, metavar="GB")
    options.add_argument("--out", required=True, type=pathlib.Path)
    options = options.parse_args()
    ceiling = int(options.memory.removesuffix("Mi")) * MIB  # what it cannot read is told before the long run
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        peak = (one_file if options.one_file else many_shards)(options, pathlib.Path(folder), samples)
    assert len(samples) > 10, samples
    name = "soak-one-file" if options.one_file else "soak"
    options.out.mkdir(exist_ok=True)
    rows = ["bytes,resident,socket_buffers"] + [",".join(map(str, sample)) for sample in samples]
    (options.out / f"{name}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (options.out / f"{name}.svg").write_text(svg(samples, ceiling), encoding="utf-8")
    tenth = max(1, len(samples) // 10)
    mean = lambda part: sum(s[1] + s[2] for s in part) / len(part) / MIB  # noqa: E731
    print(f"peak {peak / MIB:.1f} MiB of {ceiling // MIB}; mean of the second tenth {mean(samples[tenth:2 * tenth]):.1f} MiB, "
          f"of the last {mean(samples[-tenth:]):.1f}")
    assert peak <= ceiling, "more than --memory"


if __name__ == "__main__":
    main()
