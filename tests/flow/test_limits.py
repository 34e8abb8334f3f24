"""What held a run back, as its summary and its report name it: each limit made by whoever it is the name of.

A digest on one core (`hash`) cannot be made to wait from outside on a machine with few cores: tests/transfer/limits_test.cc.
"""

import json
import re
import shutil

import pytest
from support import BUCKET, MIB, Pourer, data
from test_pour import check_bucket

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"


@pytest.fixture
def edge(hub):
    """The Hub, whose edge the test makes slow; afterwards it is as before."""
    before = {name: hub.admin("settings")[name] for name in ("cdn_rate", "cdn_ttfb_ms")}
    yield hub
    hub.admin("settings", before)


def files(count, size):
    return {f"{n}.bin": data(size + n, n) for n in range(count)}


def limit_of(result):
    """What the report says; the summary's last words are the same."""
    assert result.exit == 0, result.stderr
    named = json.loads(result.stdout)["run"]["limit"]
    summary = result.stderr.splitlines()[-1]
    assert re.search(r"limited by (\w+)$", summary), summary
    assert summary.endswith(f"limited by {named}"), (named, summary)
    return named


def test_an_edge_that_brings_little_is_named(edge, store, pour):
    model = files(4, 3 * MIB)
    edge.repo("me/model", model, {"lfs": ["*.bin"]})
    edge.admin("settings", {"cdn_rate": 2 * MIB})
    assert limit_of(pour(SOURCE, DESTINATION, "--report", "-")) == "hub"
    check_bucket(store, BASE, model)


def test_an_edge_whose_first_byte_comes_late_is_named(edge, store, pour):
    edge.repo("me/model", files(4, 3 * MIB), {"lfs": ["*.bin"]})
    edge.admin("settings", {"cdn_ttfb_ms": 1500})
    assert limit_of(pour(SOURCE, DESTINATION, "--report", "-")) == "hub"


def test_a_store_that_takes_little_is_named(edge, store, pour):
    """One long stream, whose ring is full as long as it lasts: the kernel's buffers alone hold some MiB of each part."""
    model = files(1, 32 * MIB)
    edge.repo("me/model", model, {"lfs": ["*.bin"]})
    store.fault("slow", op="UploadPart", rate=2 * MIB)
    assert limit_of(pour(SOURCE, DESTINATION, "--lanes", 1, "--part-size", "5Mi", "--report", "-")) == "store"
    check_bucket(store, BASE, model)


# A busy machine may need a second and more for the digests of 12 MiB with sanitizers: the store takes several.
@pytest.mark.parametrize("count, size, slow", [
    (1, 12 * MIB, {"op": "UploadPart", "rate": MIB}),
    (1, 12 * MIB, {"op": "UploadPart", "delay_ms": 6000}),
    (1, 12 * MIB, {"op": "CompleteMultipartUpload", "delay_ms": 6000}),
    (32, 100_000, {"op": "PutObject", "delay_ms": 2000}),
], ids=["part in the ring", "answers to parts", "answers to Complete", "answers to small files"])
def test_a_store_that_is_waited_for_after_the_last_byte_came_is_named(edge, store, pour, count, size, slow):
    edge.repo("me/model", files(count, size), {"lfs": ["*.bin"]})
    store.fault("slow", **slow)
    assert limit_of(pour(SOURCE, DESTINATION, "--report", "-")) == "store"


@pytest.mark.own_size
def test_memory_that_allows_fewer_lanes_than_there_are_files_is_named(edge, store, pour):
    """Each stream waits for its first byte and is slow after it: only more of them, in more memory, would help."""
    edge.repo("me/model", files(12, 3 * MIB), {"lfs": ["*.bin"]})
    edge.admin("settings", {"cdn_ttfb_ms": 300, "cdn_rate": 6 * MIB})
    assert limit_of(pour(SOURCE, DESTINATION, "--memory", "40Mi", "--report", "-")) == "memory"
    store.reset()
    assert limit_of(pour(SOURCE, DESTINATION, "--memory", "256Mi", "--report", "-")) == "hub"


@pytest.mark.own_size
def test_memory_is_not_named_when_the_store_takes_little(edge, store, pour):
    edge.repo("me/model", files(12, 3 * MIB), {"lfs": ["*.bin"]})
    store.fault("slow", op="UploadPart", rate=2 * MIB)
    assert limit_of(pour(SOURCE, DESTINATION, "--memory", "40Mi", "--report", "-")) == "store"


class SlowCores(Pourer):
    """The binary as on cores that are some thirty times slower: valgrind translates it and lets one thread run at a time. The tool
    `memcheck` makes it a hundred."""

    tool = "none"

    def start(self, *arguments, env=None):
        valgrind, binary = shutil.which("valgrind"), self.binary
        return Pourer(valgrind, self.hub, self.store).start("--tool=" + self.tool, "-q", binary, *arguments, env=env)


@pytest.mark.own_size  # valgrind cannot run a program with sanitizers
def test_full_cores_are_named(edge, store, binary):
    model = files(16, 2 * MIB)
    edge.repo("me/model", model, {"lfs": ["*.bin"]})
    slow = SlowCores(binary, edge, store)
    slow.tool = "memcheck"  # slower by far than the stand-ins, whose language is no quick one either
    assert limit_of(slow(SOURCE, DESTINATION, "--report", "-")) == "cpu"
    check_bucket(store, BASE, model)


@pytest.mark.own_size
def test_slow_cores_that_have_little_to_do_are_not_named(edge, store, binary):
    edge.repo("me/model", files(2, MIB), {"lfs": ["*.bin"]})
    edge.admin("settings", {"cdn_rate": MIB // 4})
    assert limit_of(SlowCores(binary, edge, store)(SOURCE, DESTINATION, "--report", "-")) == "hub"
