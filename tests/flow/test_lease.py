"""`--lease-wait`: of several runs into one place one pours and the others wait for it."""

import base64
import contextlib
import json
import signal

import pytest
from support import BUCKET, MIB, PART, data, wait_until
from test_pour import check_bucket
from test_resume import noted, receipts
from test_signals import BASE, CHECKPOINT, DESTINATION, MODEL, begin_and_hold, end

SOURCE = "hf://me/model"
LEASES = BASE + ".hfpour/lease/"
WAIT = ("--lease-wait", "200s")
WAITING = "is pouring into this place: waiting for it"
SMALL = {f"{n}.bin": data(2 * MIB + n, n) for n in range(4)}


def leases(store):
    """What the leases in the bucket say, by number."""
    return {key.removeprefix(LEASES): json.loads(store.body(key)) for key in store.objects() if key.startswith(LEASES)}


def is_noted(store):
    """The checkpoint knows the first part of `held.bin`: it has nothing more to say."""
    note = noted(store)
    return note and note["path"] == "held.bin" and receipts(note) and "" not in receipts(note)


def served(hub):
    """Bytes of each file."""
    return {name.removeprefix("models/me/model/"): count for name, count in hub.counters()["bytes"].items()}


def check_poured(store, files, number="00000001"):
    """The files, the manifest, and one lease that is over."""
    check_bucket(store, BASE, files, ("manifest.json", "lease/" + number))
    assert leases(store)[number]["released"] is True


@contextlib.contextmanager
def taken_over(hub, pour, frozen):
    """The place of a holder that is frozen goes to another run, which ends well; it wakes at the end of the block."""
    frozen.signal(signal.SIGSTOP)
    try:
        waiting = pour.start(SOURCE, DESTINATION, *WAIT)
        hub.admin("reset", {})
        result = waiting.wait(110)
        assert result.exit == 0, result.stderr
        yield
    finally:
        frozen.signal(signal.SIGCONT)


@pytest.mark.row("s3 8.13")
def test_of_eight_that_start_at_once_one_pours(hub, store, pour):
    hub.repo("me/model", SMALL, {"lfs": ["*.bin"]})
    hub.fault("delay", route="cache", delay_ms=500, count=-1)
    runs = [pour.start(SOURCE, DESTINATION, "--json", *WAIT) for _ in range(8)]
    results = [run.wait(60) for run in runs]
    assert [result.exit for result in results] == [0] * 8, [result.stderr for result in results]
    assert sorted(result.json()["status"] for result in results) == ["poured"] + ["present"] * 7
    check_poured(store, SMALL)
    assert served(hub) == {path: len(content) for path, content in SMALL.items()}
    assert sum(WAITING in result.stderr for result in results) == 7


@pytest.mark.row("s3 8.13")
def test_a_holder_that_was_killed_is_waited_for_a_minute(hub, store, pour):
    held = begin_and_hold(hub, store, pour, *WAIT)
    wait_until(lambda: is_noted(store))
    waiting = pour.start(SOURCE, DESTINATION, *WAIT)
    held.signal(signal.SIGKILL)
    held.process.wait()
    hub.admin("reset", {})
    result = waiting.wait(110)
    assert result.exit == 0, result.stderr
    assert WAITING in result.stderr and result.seconds > 50
    check_poured(store, MODEL, "00000002")
    assert store.uploads() == []
    assert served(hub) == {"held.bin": len(MODEL["held.bin"]) - PART}, "what the first had poured was poured again"


@pytest.mark.row("s3 8.13")
def test_a_holder_that_was_frozen_notices_and_does_no_harm(hub, store, pour):
    frozen = begin_and_hold(hub, store, pour, *WAIT)
    wait_until(lambda: is_noted(store))
    with taken_over(hub, pour, frozen):
        check_poured(store, MODEL, "00000002")
    late = frozen.wait(30)
    assert late.exit == 11, late.stderr
    assert "another run took over" in late.stderr
    check_poured(store, MODEL, "00000002")
    assert store.manifest(BASE)["complete"] is True and CHECKPOINT not in store.objects()
    assert [entry["key"] for entry in store.journal()].count(BASE + "held.bin") == 1
    assert store.uploads() == []


@pytest.mark.row("s3 8.13")
def test_a_holder_that_was_frozen_drops_what_it_had_not_noted_yet(hub, store, pour):
    """Whoever takes over cannot know of an upload that is in no checkpoint."""
    store.fault("stall", op="PutObject", key="*/checkpoint.json", at="start", count=-1)
    held = {"held.bin": MODEL["held.bin"]}
    hub.repo("me/model", held, {"lfs": ["*.bin"]})
    hub.fault("stall", path="held.bin", at_offset=PART + 1000, count=-1)
    frozen = pour.start(SOURCE, DESTINATION, *WAIT)
    wait_until(lambda: any(upload["parts"] for upload in store.uploads()))
    assert store.admin("wait?event=stalled&op=PutObject&count=1&timeout_s=20")["ok"]
    with taken_over(hub, pour, frozen):
        assert len(store.uploads()) == 1
    late = frozen.wait(30)
    assert late.exit == 11, late.stderr
    check_poured(store, held, "00000002")
    assert store.uploads() == []


@pytest.mark.row("s3 8.13")
def test_one_that_looked_too_early_looks_again(hub, store, pour):
    """Between its look at the bucket and its look at the lease another run pours everything."""
    hub.repo("me/model", SMALL, {"lfs": ["*.bin"]})
    store.fault("stall", op="ListObjectsV2", at="start", then="continue")
    early = pour.start(SOURCE, DESTINATION, "--json", *WAIT)
    assert store.admin("wait?event=stalled&op=ListObjectsV2&count=1&timeout_s=20")["ok"]
    assert pour(SOURCE, DESTINATION, *WAIT).exit == 0
    store.admin("release", {})
    result = early.wait(30)
    assert (result.exit, result.json()["status"]) == (0, "present"), result.stderr
    check_poured(store, SMALL)
    assert served(hub) == {path: len(content) for path, content in SMALL.items()}


@pytest.mark.row("s3 8.13")
def test_the_answer_to_the_claim_may_be_lost(hub, store, pour):
    hub.repo("me/model", SMALL)
    store.fault("lost_answer", op="PutObject", key=LEASES + "*")
    result = pour(SOURCE, DESTINATION, *WAIT)
    assert result.exit == 0, result.stderr
    assert WAITING not in result.stderr
    check_poured(store, SMALL)


def test_a_claim_that_a_signal_cuts_off_is_given_back(hub, store, pour):
    """Its object is there, and the look for others hangs: whoever comes next need not wait a minute."""
    hub.repo("me/model", SMALL)
    store.fault("stall", op="ListObjectsV2", at="start", skip=2)  # the bucket's and the first of the leases
    running = pour.start(SOURCE, DESTINATION, *WAIT)
    assert store.admin("wait?event=stalled&op=ListObjectsV2&count=1&timeout_s=20")["ok"]
    assert leases(store)["00000001"]["released"] is False
    result = end(running, signal.SIGTERM)
    assert result.exit == 143, result.stderr
    store.admin("release", {})
    assert leases(store)["00000001"]["released"] is True
    after = pour(SOURCE, DESTINATION, *WAIT)
    assert after.exit == 0 and WAITING not in after.stderr, after.stderr


def test_a_claim_that_a_signal_cuts_off_between_its_two_tries_is_given_back(hub, store, pour):
    """The lease is created once more, to see that the store minds its condition: until then it is there all the same."""
    hub.repo("me/model", SMALL)
    store.fault("stall", op="PutObject", key=LEASES + "*", at="start", skip=1)
    running = pour.start(SOURCE, DESTINATION, *WAIT)
    assert store.admin("wait?event=stalled&op=PutObject&count=1&timeout_s=20")["ok"]
    assert leases(store)["00000001"]["released"] is False
    result = end(running, signal.SIGTERM)
    assert result.exit == 143, result.stderr
    store.admin("release", {})
    assert leases(store)["00000001"]["released"] is True


def test_a_store_that_hangs_cannot_hold_the_end_up_with_a_lease_either(hub, store, pour):
    """Aborts, checkpoint and lease together."""
    hub.repo("me/model", {f"{n}.bin": data(12 * MIB, n) for n in range(6)}, {"lfs": ["*.bin"]})
    store.fault("stall", op="UploadPart", count=-1)
    running = pour.start(SOURCE, DESTINATION, "--lanes", "4", *WAIT)
    assert store.admin("wait?event=stalled&op=UploadPart&count=4&timeout_s=20")["ok"]
    for op in ("AbortMultipartUpload", "PutObject", "CreateMultipartUpload"):
        store.fault("stall", op=op, count=-1)
    result = end(running, signal.SIGTERM)
    assert result.exit == 143, result.stderr
    assert "the lease could not be given back" in result.stderr
    store.admin("release", {})


@pytest.mark.row("s3 4.11.9", "s3 8.13")
@pytest.mark.parametrize("when", ["early", "after"], ids=["refused", "done all the same"])
def test_a_claim_that_raced_is_looked_at_again(hub, store, pour, when):
    """409 ConditionalRequestConflict: the state is read again. Its own claim is known; what nobody holds is claimed once more."""
    hub.repo("me/model", SMALL)
    store.fault("status", op="PutObject", key=LEASES + "*", has_header="If-None-Match", when=when,
                code="ConditionalRequestConflict")
    result = pour(SOURCE, DESTINATION, *WAIT)
    assert result.exit == 0, result.stderr
    assert store.admin("faults")[0]["hits"] == 1
    assert "cannot keep a lease" not in result.stderr and (WAITING in result.stderr) == (when == "early"), result.stderr
    check_poured(store, SMALL)


@pytest.mark.row("s3 8.13")
@pytest.mark.parametrize("fault", [
    {"mode": "ignore_conditions"}, {"mode": "status", "code": "NotImplemented", "status": 501, "has_header": "If-None-Match", "count": -1},
    {"mode": "status", "code": "AccessDenied", "status": 403, "op": "PutObject", "key": LEASES + "*", "count": -1}],
    ids=["ignored", "refused", "not writable"])
def test_a_store_that_keeps_no_lease_is_told_of_and_gone_on_with(hub, store, pour, fault):
    hub.repo("me/model", SMALL)
    store.fault(**fault)
    result = pour(SOURCE, DESTINATION, *WAIT)
    assert result.exit == 0, result.stderr
    assert "this store cannot keep a lease" in result.stderr
    check_bucket(store, BASE, SMALL)
    assert leases(store) == {}


@pytest.mark.row("s3 8.13")
def test_a_listing_of_leases_has_pages(hub, store, pour):
    hub.repo("me/model", SMALL)
    text = base64.b64encode(json.dumps({"owner": "old/1", "nonce": "", "released": True}).encode()).decode()
    for number in range(1, 1102):
        store.admin("object", {"bucket": BUCKET, "key": f"{LEASES}{number:08}", "action": "put", "base64": text})
    result = pour(SOURCE, DESTINATION, *WAIT)
    assert result.exit == 0, result.stderr
    assert WAITING not in result.stderr
    found = leases(store)
    assert max(found) == "00001102" and found["00001102"]["released"] is True
    assert len(found) < 1102, "some of the old ones are dropped each time"


def test_a_wait_that_is_over_has_a_status_of_its_own(hub, store, pour):
    held = begin_and_hold(hub, store, pour, *WAIT)
    result = pour(SOURCE, DESTINATION, "--lease-wait", "1s")
    assert result.exit == 11, result.stderr
    assert "is still pouring into 's3://" in result.stderr.splitlines()[-1], result.stderr
    assert f"/{held.process.pid}) is" in result.stderr
    held.signal(signal.SIGTERM)
    assert held.wait(30).exit == 143
    assert leases(store)["00000001"]["released"] is True
    hub.admin("reset", {})
    after = pour(SOURCE, DESTINATION, "--lease-wait", "1s")
    assert after.exit == 0, after.stderr
    check_poured(store, MODEL, "00000002")


def test_what_is_there_and_what_is_only_planned_asks_for_no_lease(hub, store, pour):
    hub.repo("me/model", SMALL)
    assert pour(SOURCE, DESTINATION, "--dry-run", *WAIT).exit == 0
    assert leases(store) == {}
    assert pour(SOURCE, DESTINATION).exit == 0
    assert pour(SOURCE, DESTINATION, *WAIT).exit == 0
    assert leases(store) == {}


def test_one_that_does_not_ask_does_not_wait(hub, store, pour):
    """The default: both pour, and both end right."""
    held = begin_and_hold(hub, store, pour, *WAIT, at=PART + 1000)
    hub.admin("reset", {})
    assert pour(SOURCE, DESTINATION).exit == 0
    result = held.wait(30)
    assert result.exit == 0, result.stderr
    check_poured(store, MODEL)
