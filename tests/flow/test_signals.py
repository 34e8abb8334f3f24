"""The run is ended from outside: nothing half-done stays visible, and the next run goes on where this one was."""

import json
import signal
import time

import pytest
from support import BUCKET, MIB, PART, data, wait_until
from test_pour import check_bucket

DESTINATION = f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
CHECKPOINT = BASE + ".hfpour/checkpoint.json"
MANIFEST = BASE + ".hfpour/manifest.json"
FINISHED = {
    "config.json": b'{"a": 1}\n',
    "nested/notes.txt": b"n" * 5000,
    "empty.txt": b"",
    "first.bin": data(2 * PART + 1, 21),
    "second.safetensors": data(12 * MIB, 22),
}
HELD = {"held.bin": data(20 * MIB, 23)}
MODEL = {**FINISHED, **HELD}
SIGNALS = pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)],
                                  ids=["SIGTERM", "SIGINT"])


def begin(pour, *more):
    return pour.start("hf://me/model", DESTINATION, *more)


def begin_and_hold(hub, store, pour, *more, at=PART + 1000):
    """A run whose other files are all in the bucket while `held.bin` hangs: with the parts before `at` in the store."""
    hub.repo("me/model", MODEL)
    hub.fault("stall", path="held.bin", at_offset=at, count=-1)
    running = begin(pour, *more)
    keys = {BASE + path for path in FINISHED}

    def ready():
        uploads = store.uploads()
        if len(uploads) != 1 or len(uploads[0]["parts"]) < at // PART or CHECKPOINT not in store.objects():
            return False
        # That an object is in the bucket is not yet known to a run that has not read the answer.
        return keys <= {BASE + entry["path"] for entry in json.loads(store.body(CHECKPOINT))["files"]}
    wait_until(ready)
    return running


def end(running, number, within=10):
    """Sends the signal; the result, which must come soon."""
    sent = time.monotonic()
    running.signal(number)
    result = running.wait(30)
    assert time.monotonic() - sent < within, result.stderr
    return result


def wait_for_stall(store, op):
    assert store.admin(f"wait?event=stalled&op={op}&count=1&timeout_s=20")["ok"]


def check_second_run(hub, store, pour, kept=PART):
    """It fetches only what the first did not finish, and leaves nothing but the model and its manifest."""
    hub.reset()
    result = pour("hf://me/model", DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    seen = hub.counters()
    assert set(seen["bytes"]) == {"models/me/model/held.bin"}
    assert seen["bytes"]["models/me/model/held.bin"] == len(HELD["held.bin"]) - kept
    assert set(seen["resolves"]) == {"models/me/model/held.bin"}


@SIGNALS
@pytest.mark.parametrize("lanes", [(), ("--lanes", 2)], ids=["lanes", "two-lanes"])
def test_a_signal_in_mid_pour_saves_what_is_done(hub, store, pour, number, status, lanes):
    running = begin_and_hold(hub, store, pour, *lanes)
    result = end(running, number)
    assert result.exit == status, result.stderr
    assert set(store.objects()) == {BASE + path for path in FINISHED} | {CHECKPOINT}
    checkpoint = json.loads(store.body(CHECKPOINT))
    assert [(one["path"], one["upload"]) for one in checkpoint["unfinished"]] == [("held.bin", store.uploads()[0]["id"])]
    assert checkpoint["complete"] is False
    assert {entry["path"] for entry in checkpoint["files"]} == set(FINISHED)
    check_second_run(hub, store, pour)


@SIGNALS
def test_an_upload_without_a_part_is_dropped(hub, store, pour, number, status):
    result = end(begin_and_hold(hub, store, pour, at=1000), number)
    assert result.exit == status, result.stderr
    assert store.uploads() == [] and "unfinished" not in json.loads(store.body(CHECKPOINT))
    check_second_run(hub, store, pour, kept=0)


def test_json_tells_of_the_signal(hub, store, pour):
    running = begin_and_hold(hub, store, pour, "--json")
    said = end(running, signal.SIGTERM).json()
    assert (said["status"], said["error"]["exit"], said["error"]["kind"]) == ("failed", 143, "cancelled")
    assert said["poured_files"] == len(FINISHED)


def test_after_a_signal_a_third_run_has_nothing_to_do(hub, store, pour):
    end(begin_and_hold(hub, store, pour), signal.SIGTERM)
    hub.reset()
    assert pour("hf://me/model", DESTINATION).exit == 0
    hub.reset()
    result = pour("hf://me/model", DESTINATION, "--json")
    assert (result.exit, result.json()["status"]) == (0, "present")
    assert hub.requests() == 0


@SIGNALS
def test_a_second_signal_leaves_at_once(hub, store, pour, number, status):
    running = begin_and_hold(hub, store, pour, at=1000)
    store.fault("stall", op="AbortMultipartUpload", count=-1)
    running.signal(number)
    wait_for_stall(store, "AbortMultipartUpload")
    result = end(running, number, within=3)
    assert result.exit == status
    store.admin("release", {})
    assert MANIFEST not in store.objects()


def test_a_store_that_hangs_cannot_hold_the_end_up(hub, store, pour):
    running = begin_and_hold(hub, store, pour, at=1000)
    store.fault("stall", op="AbortMultipartUpload", count=-1)
    result = end(running, signal.SIGTERM)
    assert result.exit == 143, result.stderr
    assert "held.bin" in result.stderr  # whose upload could not be dropped
    store.admin("release", {})


def test_a_checkpoint_that_hangs_cannot_hold_the_end_up(hub, store, pour):
    running = begin_and_hold(hub, store, pour)
    store.fault("stall", op="PutObject", key=CHECKPOINT, count=-1)
    result = end(running, signal.SIGTERM)
    assert result.exit == 143, result.stderr
    assert "checkpoint could not be written" in result.stderr
    store.admin("release", {})


@SIGNALS
@pytest.mark.parametrize("route", ["info", "tree"])
def test_a_signal_during_the_listing(hub, store, pour, number, status, route):
    hub.repo("me/model", MODEL)
    hub.fault("delay", route=route, delay_ms=60_000)
    running = begin(pour)
    wait_until(lambda: hub.counters()["requests"].get(route))
    result = end(running, number, within=3)
    assert result.exit == status, result.stderr
    assert store.journal() == [] and store.uploads() == []


def test_a_signal_while_the_hub_wants_us_to_wait(hub, store, pour):
    hub.repo("me/model", MODEL)
    hub.fault("rate_limited", route="tree", t=120, count=-1)
    running = begin(pour)
    wait_until(lambda: hub.counters()["requests"].get("tree"))
    result = end(running, signal.SIGTERM, within=3)
    assert result.exit == 143, result.stderr
    assert store.journal() == [] and store.uploads() == []


@pytest.mark.parametrize("op", ["ListObjectsV2", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
@pytest.mark.row("s3 4.5.2")
def test_a_signal_while_the_store_hangs(hub, store, pour, op):
    hub.repo("me/model", MODEL)
    store.fault("stall", op=op, count=-1)
    running = begin(pour)
    wait_for_stall(store, op)
    result = end(running, signal.SIGTERM)
    assert result.exit == 143, result.stderr
    assert MANIFEST not in store.objects()
    store.admin("release", {})
    if op != "CreateMultipartUpload":  # one that was asked for and not answered may come to be
        wait_until(lambda: store.orphans() == [], timeout=5)


def test_a_kill_in_mid_pour_and_a_new_run(hub, store, pour):
    running = begin_and_hold(hub, store, pour)
    running.process.kill()
    running.process.wait(timeout=10)
    for reader in running.readers:
        reader.join()
    assert MANIFEST not in store.objects() and BASE + "held.bin" not in store.objects()
    left = {upload["id"] for upload in store.uploads()}
    hub.reset()
    result = pour("hf://me/model", DESTINATION)
    assert result.exit == 0, result.stderr
    assert {upload["id"] for upload in store.uploads()} <= left
    objects = store.objects()
    assert set(objects) == {BASE + path for path in MODEL} | {MANIFEST}
    assert all(store.body(BASE + path) == content for path, content in MODEL.items())
    # What was complete before the kill is checked in the bucket and not fetched again.
    assert set(hub.counters()["bytes"]) == {"models/me/model/held.bin"}
