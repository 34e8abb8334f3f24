"""CompleteMultipartUpload is never trusted: every answer a store is known to give ends in a right object or in an error."""

import pytest
from support import BUCKET, data
from store_support import ALWAYS, BASE, MODEL, final, fired, model, own, pours, run, settled  # noqa: F401  (model is a fixture)

BIG = "*/big.bin"


def completes(store):
    return store.counters()["requests"]["CompleteMultipartUpload"]


def published(store):
    """How often the large file became visible."""
    return sum(entry["key"].endswith("/big.bin") for entry in store.journal())


# ---- a success that is hard to see

@pytest.mark.parametrize("before, after", [(5, 0), (0, 5), (5, 5)])
@pytest.mark.parametrize("blank", ["space", "newline"])
@pytest.mark.row("s3 4.4.1", "s3 8.3")
def test_white_space_around_the_declaration(model, store, pour, before, after, blank):
    store.fault("complete_whitespace", before=before, after=after, blank=blank)
    pours(store, pour)
    assert completes(store) == 1


@pytest.mark.parametrize("mode, parameters", [
    ("complete_500_after_commit", {}),
    ("complete_500_after_commit", {"status": 503, "code": "SlowDown"}),
    ("complete_500_after_commit", {"status": 504, "code": "GatewayTimeout"}),
    ("complete_lost_answer", {}),
    ("complete_lost_answer", {"reset": False}),
    ("complete_empty_etag", {}),
    ("complete_truncated", {}),
    ("complete_truncated", {"clean": True}),
    ("complete_truncated", {"bytes": 0, "clean": True}),
    ("complete_truncated", {"bytes": 45, "clean": True}),
    ("complete_not_found_after_commit", {}),
    ("complete_not_found_after_commit", {"status": 404, "code": "NoSuchKey"}),
    ("complete_200_error", {"commit": True}),
    ("complete_200_error", {"commit": True, "code": "NoSuchUpload"}),
    ("complete_200_error", {"commit": True, "code": "InvalidPart"}),
    ("cut_answer", {"op": "CompleteMultipartUpload", "bytes": 80}),
    ("reset", {"op": "CompleteMultipartUpload", "at": "after"}),
    ("lost_answer", {"op": "CompleteMultipartUpload"}),
    ("status", {"op": "CompleteMultipartUpload", "when": "after", "status": 502, "html": True}),
    ("status", {"op": "CompleteMultipartUpload", "when": "after", "status": 400, "code": "RequestTimeout"}),
])
@pytest.mark.row("s3 4.4.3", "s3 4.4.7", "s3 4.4.8", "s3 8.3")
def test_a_success_that_looks_like_a_failure_is_recognised_by_a_look(model, store, pour, mode, parameters):
    store.fault(mode, **parameters)
    pours(store, pour)
    counted = store.counters()["requests"]
    assert counted["CreateMultipartUpload"] == 1, "nothing is sent twice"
    # libcurl itself sends a request again whose reused connection ended without a single byte of an answer.
    silent = mode in ("complete_lost_answer", "lost_answer", "reset")
    assert counted["CompleteMultipartUpload"] <= 1 + silent and published(store) == 1
    assert counted["HeadObject"] == 1


@pytest.mark.parametrize("mode", ["complete_lost_answer", "complete_500_after_commit", "complete_not_found_after_commit"])
def test_the_look_itself_fails_once(model, store, pour, mode):
    store.fault(mode)
    store.fault("status", op="HeadObject", status=503)
    pours(store, pour, faults=2)
    assert published(store) == 1


@pytest.mark.parametrize("mode", ["complete_lost_answer", "complete_500_after_commit", "complete_empty_etag"])
def test_opaque_etags_leave_the_note_of_the_hash(model, store, pour, mode):
    store.fault("non_md5_etag", form="opaque")
    store.fault(mode)
    pours(store, pour, faults=2, etags_are_md5=False)
    assert published(store) == 1 and completes(store) <= 1 + (mode == "complete_lost_answer")


@pytest.mark.parametrize("mode", ["complete_lost_answer", "complete_500_after_commit", "complete_empty_etag"])
@pytest.mark.row("s3 4.4.7", "s3 4.8.4")
def test_without_the_right_to_look_it_is_sent_again(model, store, pour, mode):
    # A replay says the same success with an empty ETag (Ceph RGW), so a second look must be allowed.
    store.fault(mode)
    store.fault("head_403")
    pours(store, pour, faults=2)
    assert published(store) == 1


@pytest.mark.row("s3 4.4.12")
def test_an_older_object_of_the_same_size_is_not_taken_for_ours(model, store, pour):
    store.admin("object", {"key": "p/me/model/big.bin", "action": "put", "text": "x" * len(MODEL["big.bin"])})
    store.fault("complete_200_error", code="InternalError")
    result = pour("hf://me/model", "s3://bucket/p/", "--part-size", "5Mi")
    assert result.exit == 0, result.stderr
    assert fired(store) == 1 and completes(store) == 2
    mine = [entry for entry in store.journal() if entry["how"] == "CompleteMultipartUpload"]
    assert len(mine) == 1 and store.uploads() == []
    assert store.body("p/me/model/big.bin") == MODEL["big.bin"]


def pours_after_another(store, pour, mode, **parameters):
    """Of two runs one has stored everything by the time the other's Complete meets this fault."""
    store.fault("stall", op="CreateMultipartUpload", at="start", then="continue")
    late = pour.start("hf://me/model", f"s3://{BUCKET}/p/", "--part-size", "5Mi")
    assert store.admin("wait?event=stalled&op=CreateMultipartUpload&count=1&timeout_s=20")["ok"]
    first = run(pour)
    assert first.exit == 0, first.stderr
    store.fault(mode, op="CompleteMultipartUpload", **parameters)
    store.admin("release", {})
    result = late.wait(30)
    assert result.exit == 0, result.stderr
    return result


@pytest.mark.parametrize("mode, parameters", [
    ("status", {"status": 503, "code": "SlowDown"}), ("status", {"status": 502, "html": True}),
    ("complete_200_error", {"code": "InternalError"})])
def test_the_same_object_of_another_run_does_not_leave_the_own_upload_open(model, store, pour, mode, parameters):
    """A look finds the bytes there, and yet this Complete has done nothing: its parts would be billed for ever."""
    pours_after_another(store, pour, mode, count=2, **parameters)
    assert fired(store) == 3 and published(store) == 2
    settled(store)


def test_the_same_object_of_another_run_is_enough_where_complete_is_refused_for_good(model, store, pour):
    pours_after_another(store, pour, "status", code="AccessDenied", count=ALWAYS)
    assert fired(store) == 2 and published(store) == 1 and store.manifest(BASE)["complete"] is True


# ---- a failure that another try heals

@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted", "RequestTimeout"])
@pytest.mark.row("s3 4.4.2", "s3 8.3")
def test_an_error_within_a_200_is_tried_again(model, store, pour, code):
    store.fault("complete_200_error", code=code)
    pours(store, pour)
    assert completes(store) == 2 and store.counters()["requests"]["CreateMultipartUpload"] == 1


@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
@pytest.mark.row("s3 4.4.1", "s3 4.4.2")
def test_an_error_after_white_space_is_tried_again(model, store, pour, code):
    store.fault("complete_whitespace", code=code)
    pours(store, pour)
    assert completes(store) == 2


@pytest.mark.parametrize("parameters", [
    {"status": 500}, {"status": 502, "html": True}, {"status": 503, "code": "SlowDown", "retry_after_ms": 50},
    {"status": 504, "html": True}, {"status": 429, "code": "TooManyRequests"}, {"status": 400, "code": "RequestTimeout"},
    {"status": 409, "code": "OperationAborted"}])
def test_two_errors_that_are_not_final(model, store, pour, parameters):
    store.fault("status", op="CompleteMultipartUpload", count=2, **parameters)
    pours(store, pour, faults=2)
    assert completes(store) == 3 and store.counters()["requests"]["CreateMultipartUpload"] == 1


@pytest.mark.parametrize("at", ["start", "body"])
def test_a_connection_that_breaks_before_it_is_done(model, store, pour, at):
    store.fault("reset", op="CompleteMultipartUpload", at=at, bytes=10, count=2)
    pours(store, pour, faults=2)
    assert completes(store) == 3


@pytest.mark.parametrize("code", ["NoSuchUpload", "InvalidPart", "InvalidPartOrder"])
@pytest.mark.parametrize("mode", ["status", "complete_200_error"])
@pytest.mark.row("s3 4.4.5", "s3 8.3")
def test_an_upload_that_is_spoiled_is_begun_again_once(model, store, pour, mode, code):
    store.fault(mode, op="CompleteMultipartUpload", code=code)
    pours(store, pour)
    assert store.counters()["requests"]["CreateMultipartUpload"] == 2 and published(store) == 1


@pytest.mark.parametrize("profile", ["rgw", "aws"])
@pytest.mark.row("s3 4.4.9")
def test_an_upload_that_vanished_before_complete_is_begun_again(model, hub, binary, profile):
    # Ceph RGW says 500 InternalError of an upload it does not know (contract s3 4.4), Amazon 404 NoSuchUpload.
    with own(binary, hub, "--profile", profile) as (store, pour):
        store.fault("forget_upload", op="CompleteMultipartUpload")
        pours(store, pour)
        assert store.counters()["requests"]["CreateMultipartUpload"] == 2


@pytest.mark.row("s3 4.4.5")
def test_an_upload_that_is_spoiled_twice_ends(model, store, pour):
    store.fault("status", op="CompleteMultipartUpload", code="InvalidPart", count=ALWAYS)
    result = final(store, pour, 5, "InvalidPart", missing={"big.bin"})
    assert "big.bin" in result.stderr and fired(store) == 2
    assert published(store) == 0


# ---- a failure that is final

@pytest.mark.parametrize("code, status", [("EntityTooSmall", 8), ("EntityTooLarge", 8), ("QuotaExceeded", 8), ("TooManyParts", 8),
                                      ("AccessDenied", 6), ("InvalidRequest", 6), ("NotImplemented", 6),
                                          ("MalformedXML", 6), ("NoSuchBucket", 3)])
@pytest.mark.parametrize("mode", ["status", "complete_200_error"])
@pytest.mark.row("s3 4.4.2")
def test_a_final_error_is_not_tried_again(model, store, pour, mode, code, status):
    store.fault(mode, op="CompleteMultipartUpload", code=code, count=ALWAYS)
    final(store, pour, status, code, missing={"big.bin"})
    assert fired(store) == 1 and published(store) == 0


@pytest.mark.row("s3 4.4.6")
def test_parts_below_the_stores_least_size_are_a_limit(model, hub, binary):
    with own(binary, hub, "--min-part", 6 << 20) as (store, pour):
        final(store, pour, 8, "EntityTooSmall", missing={"big.bin"})
        assert published(store) == 0


def test_the_wrong_etag_of_a_complete_does_not_hide_a_right_object(model, store, pour):
    store.fault("wrong_etag", op="CompleteMultipartUpload")
    pours(store, pour)


def test_a_complete_that_makes_something_else_of_the_parts_is_told_at_once(model, store, pour):
    """The store says so twice, in its answer and in HEAD: no retry will change it."""
    store.fault("wrong_etag", op="CompleteMultipartUpload", etag="0123456789abcdef0123456789abcdef-3", count=ALWAYS)
    store.fault("wrong_etag", op="HeadObject", etag="0123456789abcdef0123456789abcdef-3", count=ALWAYS)
    result = final(store, pour, 5, "0123456789abcdef0123456789abcdef-3", "--upload-check none", "'big.bin'", missing=())
    assert fired(store) == 2 and result.seconds < 5, result.stderr


def test_a_complete_that_makes_something_else_is_told_at_once_also_where_nobody_may_look(model, store, pour):
    store.fault("wrong_etag", op="CompleteMultipartUpload", etag="0123456789abcdef0123456789abcdef-3", count=ALWAYS)
    store.fault("head_403", count=ALWAYS)
    result = final(store, pour, 5, "0123456789abcdef0123456789abcdef-3", "--upload-check none", "'big.bin'", missing=(),
                   timeout=20)
    assert completes(store) == 1 and store.counters()["requests"]["HeadObject"] == 1, result.stderr


# ---- beside other files

def test_one_file_that_fails_does_not_keep_the_others(hub, store, pour):
    files = {**MODEL, "other.bin": data(len(MODEL["big.bin"]), 9)}
    hub.repo("me/model", files)
    store.fault("status", op="CompleteMultipartUpload", key=BIG, code="InvalidPart", count=ALWAYS)
    result = pour("hf://me/model", "s3://bucket/p/", "--part-size", "5Mi")
    assert result.exit == 5, result.stderr
    settled(store, set(files) - {"big.bin"}, files=files, complete=False)
