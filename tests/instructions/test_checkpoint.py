"""A checkpoint costs less than 1 % of the instructions, in a run whose checkpoints are long.

There is at most one in a second, so each may take a hundredth of what a slow core does in a second, half of it for the
writing of the text. And those of a run under valgrind may cost a hundredth of that run: there they cost more than they ever
do elsewhere, since the program is some thirty times slower, checkpoints come by the clock, and their text is hashed without
the processor's help. How many there are depends on the machine: one that was on its way for long makes the next one wait.
"""

import json
import signal

import pytest
from callgrind import count
from support import BUCKET, MIB, Hub, Pourer, Store, wait_until

FILES, PARTS, PART = 20, 30, 5 * MIB
POURED = 0.92  # before the run that is counted
KEY = "me/model/.hfpour/checkpoint.json"
SLOW_CORE = 1e9  # instructions in a second
CALL = ("hf://me/model", f"s3://{BUCKET}/", "--part-size", "5MiB", "--memory", "1Gi", "--quiet")


@pytest.fixture
def servers(tmp_path):
    spec = tmp_path / "spec.json"
    files = [{"path": "model-{:03}.safetensors", "count": FILES, "size": PARTS * PART, "seed": 3}]
    spec.write_text(json.dumps({"models": {"me/model": {"files": files}}}), encoding="utf-8")
    (tmp_path / "root").mkdir()
    hub, store = Hub(tmp_path / "root", "--virtual", spec, "--prepare"), Store("--keep", "none")
    yield hub, store
    store.stop()
    hub.stop()


def pour_most(binary, hub, store):
    """A run that is ended when most parts of all files are stored, at full speed; returns what it has noted."""
    running = Pourer(binary, hub, store).start(*CALL, "--lanes", FILES)
    wait_until(lambda: store.counters()["requests"].get("UploadPart", 0) >= POURED * FILES * PARTS, every=0.05)
    running.signal(signal.SIGTERM)
    result = running.wait()
    assert result.exit == 143, result.stderr
    noted = json.loads(store.body(KEY))["unfinished"]
    assert len(noted) == FILES and all(one["parts"] for one in noted), noted
    return sum(len(one["parts"]) // 2 for one in noted)


def test_checkpoints_cost_less_than_a_hundredth(binary, servers, tmp_path):
    hub, store = servers
    parts = pour_most(binary, hub, store)
    assert parts >= 0.8 * FILES * PARTS, parts
    before = len(store.journal())
    # Two lanes: with many, valgrind lets a checkpoint be on its way for longer.
    profile = count(binary, hub, store, tmp_path, *CALL, "--lanes", 2)
    sizes = [entry["size"] for entry in store.journal()[before:] if entry["key"] == KEY]
    assert sizes and min(sizes) > 20_000, sizes

    # Collecting, sorting and writing; then the hash of what is sent, with those of all other requests. What is left out is
    # the sending itself, as for any byte: the texts are far less than a hundredth of the bytes.
    written = profile.spent_by_calls("hfpour::Ledger::save_checkpoint(")
    hashed = profile.spent_by_calls("hfpour::s3::sha256_hex[")
    print(f"{parts} parts noted, {len(sizes)} checkpoints of {max(sizes):,} bytes at most; writing {written / profile.total:.2%}, "
          f"hashing {hashed / profile.total:.2%} of {profile.total / 1e9:.1f} G instructions")
    assert min(written, hashed) / len(sizes) > min(sizes), ("callgrind names them otherwise", written, hashed)
    share = (written + hashed) / profile.total
    # The hashes are not asked one by one: those of the other requests are among them, and more than those of one text.
    assert written < 0.005 * SLOW_CORE * len(sizes), (written, len(sizes))
    assert share < 0.01, f"{len(sizes)} checkpoints took {share:.2%} of all instructions"
    assert sum(sizes) < 0.01 * FILES * PARTS * PART * (1 - POURED), sizes
