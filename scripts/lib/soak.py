#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A long pour of a virtual model, watched: memory over bytes, as CSV and SVG. Started by scripts/soak."""

import argparse
import json
import pathlib
import sys
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "tests" / "flow"))  # the flow tests' servers and their sampler serve here as well

import support  # noqa: E402
import test_memory  # noqa: E402

MIB, GB = 1024 * 1024, 10**9
SHARDS, SHARD_BYTES = 140, 5 * GB
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 300, 60, 40


def received(hub):
    return sum(hub.counters()["bytes"].values())


def pour(binary, memory, minutes, folder):
    """The samples (bytes from the Hub, resident, socket buffers), and how the run ended."""
    # Shards of one content: the Hub sums 5 GB once, and the run takes each for a file of its own.
    files = [{"path": f"model-{i:05d}-of-{SHARDS:05d}.safetensors", "size": SHARD_BYTES, "seed": 3} for i in range(SHARDS)]
    (folder / "spec.json").write_text(json.dumps({"models": {"virtual/large": {"files": files}}}), encoding="utf-8")
    (folder / "root").mkdir()
    hub = support.Hub(folder / "root", "--virtual", folder / "spec.json")
    store = support.Store("--keep", "none")
    try:
        run = support.Pourer(binary, hub, store).start(
            "hf://virtual/large", f"s3://{support.BUCKET}/soak/", "--memory", memory, "--deadline", f"{minutes}m", "--json")
        watch = test_memory.Sampler(run.process.pid)
        samples = []
        while watch.thread.is_alive() and run.process.poll() is None:
            samples.append((received(hub), watch.resident(), watch.sockets()))
            time.sleep(1)
        watch.stop()
        for reader in run.readers:
            reader.join()
        assert store.orphans() == [], "an upload that nobody claims"
        return samples, json.loads(run.output["stdout"]), watch.peak
    finally:
        store.stop()
        hub.stop()


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
    options.add_argument("--minutes", required=True, type=int)
    options.add_argument("--out", required=True, type=pathlib.Path)
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples, said, peak = pour(options.binary, options.memory, options.minutes, pathlib.Path(folder))
    assert len(samples) > 10, samples
    ceiling = int(options.memory.removesuffix("Mi")) * MIB
    options.out.mkdir(exist_ok=True)
    rows = ["bytes,resident,socket_buffers"] + [",".join(map(str, sample)) for sample in samples]
    (options.out / "soak.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (options.out / "soak.svg").write_text(svg(samples, ceiling), encoding="utf-8")
    tenth = max(1, len(samples) // 10)
    mean = lambda part: sum(s[1] + s[2] for s in part) / len(part) / MIB  # noqa: E731
    print(f"{samples[-1][0] / GB:.1f} GB of {SHARDS * SHARD_BYTES // GB} in {options.minutes} min; peak {peak / MIB:.1f} MiB of "
          f"{ceiling // MIB}; mean of the second tenth {mean(samples[tenth:2 * tenth]):.1f} MiB, of the last {mean(samples[-tenth:]):.1f}; "
          f"status {said['status']}")
    assert peak <= ceiling, "more than --memory"


if __name__ == "__main__":
    main()
