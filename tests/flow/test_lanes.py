"""How much happens side by side: the lanes asked for, connections used again, and two runs into one place."""

import re

import pytest
from support import BUCKET, MIB, PART, data, etag_of, sha256
from test_pour import check_bucket

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
MODEL = {f"{n}.bin": data(3 * MIB + n, n) for n in range(12)}


@pytest.fixture
def slow(hub):
    """Twelve files, each of which takes a third of a second on its connection."""
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"]})
    before = hub.admin("settings")["cdn_rate"]
    hub.admin("settings", {"cdn_rate": 10 * MIB})
    yield hub
    hub.admin("settings", {"cdn_rate": before})


def peak(hub):
    return hub.counters()["peak_requests"]["cdn"]


@pytest.mark.parametrize("arguments, env, lanes", [
    (["--lanes", 1], {}, 1), (["--lanes", 3], {}, 3), ([], {"HF_MAX_WORKERS": 2}, 2), ([], {"HFPOUR_LANES": 2}, 2),
    (["--lanes", 2], {"HF_MAX_WORKERS": 5}, 2)])
def test_as_many_files_move_at_once_as_was_asked_for(slow, store, pour, arguments, env, lanes):
    result = pour(SOURCE, DESTINATION, *arguments, env=env)
    assert result.exit == 0, result.stderr
    assert peak(slow) == lanes
    assert f"{lanes} lane" in result.stderr
    check_bucket(store, BASE, MODEL)


def test_by_default_several_files_move_at_once(slow, store, pour):
    assert pour(SOURCE, DESTINATION).exit == 0
    assert 4 <= peak(slow) <= 32


def test_connections_are_used_again(hub, store, pour):
    files = {f"{n:03}.json": b"%d" % n for n in range(200)}
    hub.repo("me/model", files)
    result = pour(SOURCE, DESTINATION, "--lanes", 4)
    assert result.exit == 0, result.stderr
    assert hub.counters()["connections"]["hub"] <= 8, hub.counters()["connections"]
    assert store.counters()["connections"] <= 8
    check_bucket(store, BASE, files)


def test_nothing_is_asked_for_compressed(hub, store, pour):
    hub.repo("me/model", {"config.json": b"{}" * 5000, "weights.bin": data(MIB, 2)}, {"lfs": ["*.bin"]})
    assert pour(SOURCE, DESTINATION).exit == 0
    for listener, seen in hub.counters()["accept_encoding"].items():
        assert set(seen) == {"identity"}, (listener, seen)


@pytest.mark.own_size  # slower than two seconds, a run writes a checkpoint besides
def test_the_order_of_requests_is_the_cheapest(hub, store, pour):
    """One info, one listing, one resolve and one GET for each file; one request for each small object."""
    files = {"a.bin": data(100, 1), "b.bin": data(200, 2), "c.json": b"{}", "d.bin": data(2 * PART, 3)}
    hub.repo("me/model", files, {"lfs": ["*.bin"]})
    assert pour(SOURCE, DESTINATION, "--lanes", 1).exit == 0
    seen = hub.counters()["requests"]
    assert (seen["info"], seen["tree"], seen["resolve"], seen["cdn"], seen["cache"]) == (1, 1, 4, 3, 1), seen
    seen = store.counters()["requests"]
    assert (seen["PutObject"], seen["CreateMultipartUpload"], seen["UploadPart"], seen["CompleteMultipartUpload"]) == (4, 1, 2, 1)
    assert seen["ListObjectsV2"] == 1 and "HeadObject" not in seen, seen


@pytest.mark.parametrize("lanes", [3, 4, 8])
def test_a_long_file_over_several_lanes_has_one_address(hub, store, pour, lanes):
    """Addresses are metered, bytes are not (contract hub, rule 5): also when all lanes wait for the store at once."""
    content = data(96 * MIB, 3)
    hub.repo("me/model", {"long.bin": content})
    store.fault("slow", op="UploadPart", delay_ms=300)
    result = pour(SOURCE, DESTINATION, "--lanes", lanes)
    assert result.exit == 0, result.stderr
    assert hub.counters()["resolves"] == {"models/me/model/long.bin": 1}
    check_bucket(store, BASE, {"long.bin": content})


def check_right(store):
    for entry in store.journal():
        path = entry["key"].removeprefix(BASE)
        if path in MODEL:
            assert entry["etag"].strip('"') in (etag_of(MODEL[path]), etag_of(MODEL[path], multipart=True)), entry
    assert all(sha256(store.body(BASE + path)) == sha256(content) for path, content in MODEL.items())


def test_two_runs_into_one_place_both_end_well(slow, store, pour):
    """Twice the traffic, but never a wrong object: the place is the same whoever fills it."""
    runs = [pour.start(SOURCE, DESTINATION) for _ in range(2)]
    for result in [running.wait() for running in runs]:
        assert (result.exit, result.stdout) == (0, f"s3://{BUCKET}/{BASE}\n"), result.stderr
    check_right(store)
    assert store.uploads() == [] and store.manifest(BASE)["complete"] is True
    slow.admin("reset", {})
    assert pour(SOURCE, DESTINATION).exit == 0 and slow.requests() == 0


def test_two_revisions_into_one_place_leave_no_false_manifest(slow, store, pour):
    """Whichever ends last, the next run sees which files are not its own."""
    changed = {path: content[::-1] for path, content in list(MODEL.items())[:6]}
    slow.repo("me/model", {"two/" + path: content for path, content in {**MODEL, **changed}.items()},
              {"lfs": ["*.bin"], "revisions": {"v2": "two"}})
    runs = [pour.start(SOURCE, DESTINATION), pour.start(SOURCE + "@v2", DESTINATION)]
    for result in [running.wait() for running in runs]:
        assert result.exit == 0, result.stderr
    assert pour(SOURCE, DESTINATION).exit == 0
    assert all(store.body(BASE + path) == content for path, content in MODEL.items())
    assert pour(SOURCE + "@v2", DESTINATION).exit == 0
    assert all(store.body(BASE + path) == content for path, content in {**MODEL, **changed}.items())


def test_fewer_lanes_than_asked_for_are_told_of(hub, store, pour):
    """What one lane takes depends on the build: one with sanitizers has no room for any in the least there is."""
    hub.repo("me/model", {f"{n}.bin": data(9 * MIB, n) for n in range(16)}, {"lfs": ["*.bin"]})
    arguments = ("hf://me/model", f"s3://{BUCKET}/p/", "--dry-run", "--lanes", 16)
    tight = 32
    result = pour(*arguments, "--memory", f"{tight}Mi")
    if result.exit == 2:
        tight = int(re.search(r"give at least (\d+) MiB", result.stderr)[1]) + 4
        result = pour(*arguments, "--memory", f"{tight}Mi")
    assert result.exit == 0 and f"--lanes 16: --memory {tight}.0 MiB has room for " in result.stderr, result.stderr
    result = pour(*arguments)
    assert result.exit == 0 and "has room for" not in result.stderr, result.stderr
