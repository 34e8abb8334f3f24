"""What changes while a pour is under way: a token revoked, a revision gone, and what is said meanwhile."""

import json
import re

import pytest
from support import BUCKET, KEY_ID, MIB, PART, SECRET_KEY, TOKEN, data
from test_pour import check_bucket

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
MODEL = {"a.bin": data(2 * PART + 1, 2), "b.bin": data(2 * PART, 3), "c.bin": data(MIB, 4), "d.txt": b"d" * 100}
PRIVATE = {"lfs": ["*.bin"], "private": True, "token": TOKEN}


def check_stopped(store):
    """No upload is left, nothing wrong was ever visible, and nothing says that the model is there."""
    assert store.uploads() == []
    for entry in store.journal():
        path = entry["key"].removeprefix(BASE)
        assert path == ".hfpour/checkpoint.json" or entry["size"] == len(MODEL[path]), entry
    assert BASE + ".hfpour/manifest.json" not in store.objects()


@pytest.mark.parametrize("route, skip", [("resolve", 1), ("resolve", 3), ("tree", 0), ("cache", 0)])
@pytest.mark.row("hub F.11.29")
def test_a_token_that_is_revoked_stops_the_run(hub, store, pour, route, skip):
    """Contract hub F.11 row 29: 401 after k good answers; stops, and drops its uploads."""
    hub.repo("me/model", MODEL, PRIVATE)
    hub.fault("unauthorized", route=route, skip=skip, count=-1)
    result = pour(SOURCE, DESTINATION, "--lanes", 1, env={"HF_TOKEN": TOKEN}, timeout=30)
    assert (result.exit, result.stdout) == (6, ""), result.stderr
    assert "HF_TOKEN" in result.stderr
    check_stopped(store)
    assert hub.counters()["faults_fired"]["unauthorized"] <= 2, "no retry helps here"


@pytest.mark.parametrize("mode, route, skip", [
    ("unauthorized", "resolve", 1), ("gated_403", "resolve", 1), ("unauthorized", "cache", 0)])
@pytest.mark.row("hub F.11.29")
def test_access_that_is_denied_once_in_mid_run_is_asked_for_again(hub, store, pour, mode, route, skip):
    """Contract hub §5.4: after earlier success a 401 or 403 is believed when it is said twice."""
    hub.repo("me/model", MODEL, PRIVATE)
    hub.fault(mode, route=route, skip=skip)
    result = pour(SOURCE, DESTINATION, "--lanes", 1, env={"HF_TOKEN": TOKEN}, timeout=30)
    assert result.exit == 0, result.stderr
    assert hub.counters()["faults_fired"][mode] == 1
    check_bucket(store, BASE, MODEL)


def test_what_was_done_before_the_token_was_revoked_is_kept(hub, store, pour):
    hub.repo("me/model", MODEL, PRIVATE)
    hub.fault("unauthorized", route="resolve", path="d.txt", count=-1)
    assert pour(SOURCE, DESTINATION, "--lanes", 1, env={"HF_TOKEN": TOKEN}).exit == 6
    hub.admin("reset", {})
    assert pour(SOURCE, DESTINATION, env={"HF_TOKEN": TOKEN}).exit == 0
    assert set(hub.counters()["bytes"]) == {"models/me/model/d.txt"}
    check_bucket(store, BASE, MODEL)


@pytest.mark.row("hub F.11.31")
def test_a_revision_that_is_deleted_in_mid_run_ends_with_3(hub, store, pour):
    """Its files were squashed away: what has no address yet is not found any more."""
    files = {"v2/" + path: content + b"v2" for path, content in MODEL.items()}
    hub.repo("me/model", files, {"lfs": ["*.bin"], "revisions": {"v2": "v2"}})
    commit = pour(SOURCE + "@v2", DESTINATION, "--dry-run", "--json").json()["commit"]
    hub.fault("stall", path="a.bin", at_offset=PART + 5, count=-1)
    running = pour.start(SOURCE + "@v2", DESTINATION, "--lanes", 1)
    assert store.admin("wait?event=done&op=CreateMultipartUpload&count=1&timeout_s=20")["ok"]
    hub.admin("repo", {"repo": "models/me/model", "delete_revision": commit})
    hub.admin("reset", {})
    result = running.wait(60)
    assert (result.exit, result.stdout) == (3, ""), result.stderr
    assert "revision" in result.stderr and "b.bin" in result.stderr, result.stderr
    assert store.uploads() == [] and BASE + ".hfpour/manifest.json" not in store.objects()
    assert BASE + "b.bin" not in store.objects()


def test_keys_that_are_revoked_in_mid_run_end_with_6(hub, store, pour):
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"]})
    hub.fault("stall", path="a.bin", at_offset=PART + 5)
    running = pour.start(SOURCE, DESTINATION, "--lanes", 1)
    assert store.admin("wait?event=done&op=CreateMultipartUpload&count=1&timeout_s=20")["ok"]
    store.admin("credentials", [{"access_key": "AKIASOMEBODYELSE0000", "secret_key": "other"}])
    try:
        hub.admin("reset", {})
        result = running.wait(60)
        assert result.exit == 6 and "key" in result.stderr, result.stderr
        assert KEY_ID not in result.stderr and SECRET_KEY not in result.stderr
        assert BASE + ".hfpour/manifest.json" not in store.objects()
    finally:
        store.admin("credentials", [{"access_key": KEY_ID, "secret_key": SECRET_KEY}])


def test_every_ten_seconds_a_line_tells_how_far_it_is(hub, store, pour):
    """Text and JSON at once: 12 MiB at 0.9 MiB/s and one lane take a little more than ten seconds."""
    hub.repo("me/model", {"a.bin": data(12 * MIB, 6)}, {"lfs": ["*.bin"]})
    hub.fault("trickle", rate=900_000, count=-1)
    forms = [[], ["--log-format", "json"], ["--no-progress"], ["--quiet"]]
    runs = [pour.start(SOURCE, f"s3://{BUCKET}/{n}/", "--lanes", 1, "--part-size", "5Mi", *form) for n, form in enumerate(forms)]
    text, lines, without, quiet = [running.wait(60) for running in runs]
    assert text.exit == lines.exit == without.exit == quiet.exit == 0, text.stderr
    said = re.findall(r"^hfpour: .*\d+%.*$", text.stderr, re.M)
    assert 1 <= len(said) <= int(text.seconds / 10), text.stderr
    for word in ("12.0 MiB", "/s", "ETA", "0 of 1 files", "hub"):
        assert word in said[0], said
    messages = [json.loads(line)["message"] for line in lines.stderr.splitlines()]
    assert any("progress" in message or "%" in message for message in messages), messages
    assert "%" not in without.stderr and quiet.stderr == ""
