"""What else stores are known for: pauses they do not bear, lists in pages, two Completes, and what they need not be asked."""

import base64

import pytest
from credentials_support import metadata
from store_support import ALWAYS, BASE, MODEL, PART, final, fired, model, own, pours, run, settled  # noqa: F401  (a fixture)
from support import BUCKET, KEY_ID, SECRET_KEY, Pourer, Server, Store, data, wait_until
from test_pour import check_bucket
from test_resume import CHECKPOINT, HELD, LARGE, MODEL as LONG_MODEL, PARTS, go_on, killed, noted
from test_resume import PART as LONG_PART

BIG = BASE + "big.bin"


# ---- Complete

@pytest.mark.row("s3 4.4.11")
def test_until_complete_the_older_object_stays_whole(model, store, pour):
    before = data(3000, 77)
    store.admin("object", {"key": BIG, "action": "put", "base64": base64.b64encode(before).decode()})
    store.fault("stall", op="CompleteMultipartUpload", at="start", then="continue")
    running = pour.start("hf://me/model", f"s3://{BUCKET}/p/", "--part-size", "5Mi")
    assert store.admin("wait?event=stalled&op=CompleteMultipartUpload&count=1&timeout_s=20")["ok"]
    assert store.body(BIG) == before
    store.admin("release", {})
    result = running.wait(30)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)


@pytest.mark.row("s3 4.4.10")
def test_two_completes_of_one_upload(hub, store, pour):
    """A run hangs in Complete; another goes on with its upload and completes it. Both end well, with one object."""
    hub.repo("me/model", LONG_MODEL)
    store.fault("stall", op="CompleteMultipartUpload", at="start", then="continue")
    first = pour.start("hf://me/model", f"s3://{BUCKET}/p/", "--lanes", 1)
    assert store.admin("wait?event=stalled&op=CompleteMultipartUpload&count=1&timeout_s=20")["ok"]
    wait_until(lambda: (note := noted(store)) and len(note["parts"]) >= 2 * (PARTS - 1), timeout=10)
    second = pour("hf://me/model", f"s3://{BUCKET}/p/", "--lanes", 1)
    assert second.exit == 0, second.stderr
    store.admin("release", {})
    result = first.wait(30)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, LONG_MODEL)
    assert [entry["key"] for entry in store.journal()].count(BASE + "large.bin") == 1
    assert store.counters()["requests"]["CompleteMultipartUpload"] >= 2


@pytest.mark.row("s3 4.4.4")
def test_blanks_for_longer_than_a_stream_may_be_slow(model, store, pour):
    """A stream of the Hub that is as slow is given up after 30 s."""
    store.fault("complete_whitespace", before=66, after=4, interval_ms=500)
    result = pours(store, pour, timeout=60)
    assert result.seconds > 34 and store.counters()["requests"]["CompleteMultipartUpload"] == 1


# ---- lists

@pytest.mark.row("s3 4.5.3")
def test_parts_are_listed_in_pages(hub, store, pour):
    killed(hub, store, pour)
    store.fault("list_truncated", op="ListParts", page=2)
    go_on(hub, store, pour)
    assert store.counters()["requests"]["ListParts"] == -(-HELD // 2)


@pytest.mark.row("s3 4.5.4")
@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchUpload"])
def test_parts_of_an_upload_that_is_gone(hub, store, pour, code):
    killed(hub, store, pour)
    store.admin("upload", {"id": noted(store)["upload"], "forget": True})
    store.fault("status", op="ListParts", status=404, code=code, count=ALWAYS)
    go_on(hub, store, pour, fetched=len(LARGE))


@pytest.mark.row("s3 4.8.1")
def test_marks_of_a_list_are_sent_back_as_they_came(hub, store, pour):
    files = {name: name.encode() for name in ("a&b", "a+b", "a b", "a%2Bb", "a<b>", "ü 1+&", "x;y=z", "größe/&amp;", "z")}
    hub.repo("me/model", files)
    assert run(pour).exit == 0
    store.fault("list_truncated", op="ListObjectsV2", page=1)
    result = run(pour, "--json")
    assert result.exit == 0 and result.json()["status"] == "present", result.stderr
    assert store.counters()["requests"]["ListObjectsV2"] >= len(files)
    settled(store, files, files=files)


# ---- what is not asked

@pytest.mark.row("s3 4.6.1", "s3 4.7.2")
def test_nothing_is_sent_that_only_some_stores_know(model, store, pour):
    pours(store, pour, faults=0)
    for op, names in store.counters()["headers_by_op"].items():
        for name in map(str.lower, names):
            assert not name.startswith(("x-amz-checksum", "x-amz-sdk", "x-amz-trailer")), (op, name)
            assert name not in ("if-match", "if-none-match") or op == "GetObject", (op, name)


# ---- places

class Dotted(Store):
    def __init__(self, *options):
        Server.__init__(self, "s3.py", "--bucket", "my.dotted.bucket", "--access-key", KEY_ID, "--secret-key", SECRET_KEY, *options)
        self.url = self.ready["endpoint"]


@pytest.mark.row("s3 4.10.2")
def test_a_bucket_with_a_dot_goes_into_the_path(model, binary, hub):
    store = Dotted()
    try:
        result = Pourer(binary, hub, store)("hf://me/model", "s3://my.dotted.bucket/p/")
        assert result.exit == 0, result.stderr
        assert {entry["key"] for entry in store.journal()} >= {BASE + path for path in MODEL}
    finally:
        store.stop()


@pytest.mark.row("s3 4.9.2")
@pytest.mark.parametrize("status", [302, 308])
def test_the_other_redirects_teach_the_region_too(model, store, pour, status):
    store.fault("redirect", status=status, region="eu-central-1", endpoint=store.url, not_region="eu-central-1", count=ALWAYS)
    pours(store, pour)
    assert fired(store) == 1


# ---- patience

@pytest.mark.row("s3 4.11.16")
@pytest.mark.parametrize("fault", [{"mode": "reset", "at": "start"}, {"mode": "status", "status": 503, "html": True},
                                   {"mode": "status", "code": "SlowDown"}, {"mode": "status", "status": 500},
                                   {"mode": "status", "status": 503, "code": "ServiceUnavailable"}])
@pytest.mark.parametrize("op", ["UploadPart", "ListObjectsV2"])
def test_a_store_that_never_recovers_ends_the_run(model, store, pour, fault, op):
    store.fault(op=op, count=ALWAYS, **fault)
    result = run(pour, "--retry-for", "1s")
    assert result.exit == 5 and result.seconds < 15, result.stderr
    last = result.stderr.splitlines()[-1]
    answered = fault["mode"] == "status"
    for word in (store.url.removeprefix("http://"), op if answered else "", fault.get("code", "")):
        assert word in last, result.stderr
    assert ("request id tx" in last) == answered and (f"HTTP {fault.get('status', 503)}, " in last) == answered, result.stderr
    assert ("big.bin" in result.stderr) == (op == "UploadPart")
    settled(store, None, complete=False)
    assert BIG not in store.objects()


@pytest.mark.row("s3 4.11.16")
def test_a_store_that_dies_ends_the_run(hub, binary):
    hub.repo("me/model", MODEL)
    with own(binary, hub) as (store, pour):
        store.fault("stall", op="UploadPart", at="start", count=ALWAYS)
        running = pour.start("hf://me/model", f"s3://{BUCKET}/p/", "--part-size", "5Mi", "--retry-for", "1s")
        assert store.admin("wait?event=stalled&op=UploadPart&count=1&timeout_s=20")["ok"]
        store.process.kill()
        result = running.wait(30)
        assert (result.exit, result.stdout) == (5, ""), result.stderr
        assert store.url.removeprefix("http://") in result.stderr


@pytest.mark.row("s3 8.4")
@pytest.mark.parametrize("profile", ["rgw", "aws"])
def test_a_part_that_paused_for_longer_than_the_store_bears_is_sent_again(hub, binary, profile):
    """The Hub's bytes stop within a part; the store does not wait."""
    hub.repo("me/model", LONG_MODEL)
    hub.fault("stall", path="large.bin", at_offset=HELD * LONG_PART + 1_000_000, count=1)
    with own(binary, hub, "--profile", profile, "--idle-ms", 600) as (store, pour):
        running = pour.start("hf://me/model", f"s3://{BUCKET}/p/", "--lanes", 1)
        wait_until(lambda: hub.counters()["faults_fired"].get("stall"), timeout=20)
        store.admin("wait?event=done&op=Nothing&count=1&timeout_s=2")  # lets the store's limit pass
        hub.admin("reset", {})
        result = running.wait(30)
        assert result.exit == 0, result.stderr
        check_bucket(store, BASE, LONG_MODEL)
        assert store.uploads() == [] and CHECKPOINT not in store.objects()
        assert [entry["key"] for entry in store.journal()].count(BASE + "large.bin") == 1


@pytest.mark.row("s3 8.4")
def test_a_store_that_falls_silent_is_given_up_after_two_minutes(hub, binary):
    hub.repo("me/model", MODEL)
    with own(binary, hub) as (store, pour):
        store.fault("stall", op="UploadPart", at="after", count=1)
        result = pour("hf://me/model", f"s3://{BUCKET}/p/", "--part-size", "5Mi", timeout=200)
        assert result.exit == 0, result.stderr
        assert 119 < result.seconds < 150 and "for 120 s" in result.stderr, result.stderr
        check_bucket(store, BASE, MODEL)


@pytest.mark.row("s3 8.6")
@pytest.mark.parametrize("close", [False, True])
def test_a_refusal_while_a_part_is_still_sent_is_heard(model, store, pour, close):
    """The sentence is the store's, not one of a broken pipe."""
    store.fault("status", op="UploadPart", code="AccessDenied", close=close, count=ALWAYS)
    result = final(store, pour, 6, "AccessDenied", missing={"big.bin"})
    assert "reset" not in result.stderr and "pipe" not in result.stderr, result.stderr


@pytest.mark.row("s3 8.12")
def test_without_a_metadata_service_little_time_is_lost(model, store, pour, tmp_path):
    class Nowhere:
        url = "http://127.0.0.1:9"
    result = run(pour, env={**metadata(Nowhere, tmp_path), "HOME": tmp_path})
    assert result.exit == 2 and result.seconds < 4, result.stderr
    assert store.requests() == 0
