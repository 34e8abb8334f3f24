"""Where a store's word stands against another of its words: what is believed, and what is asked again."""

import pytest
from support import MIB, data
from store_support import (ALWAYS, BASE, MODEL, PART, fails, final, fired, model, pours, run,  # noqa: F401  (a fixture)
                           settled)

LARGE, SMALL = BASE + "big.bin", BASE + "small.bin"


def damage(store, key, offset=12_345):
    """The object keeps its size and metadata; one byte and the ETag that belongs to it are others."""
    store.admin("object", {"key": key, "action": "flip", "offset": offset, "etag": "0" * 32})


@pytest.mark.parametrize("mode, parameters", [
    ("complete_200_error", {"code": "InternalError"}), ("status", {"op": "CompleteMultipartUpload", "status": 500}),
    ("reset", {"op": "CompleteMultipartUpload", "at": "start"})])
@pytest.mark.row("s3 4.4.12")
def test_a_damaged_object_is_not_taken_for_the_one_just_sent(model, store, pour, mode, parameters):
    """It bears our own note of the hash, but its ETag says that the bytes are others (contract s3 4.4)."""
    assert run(pour).exit == 0
    damage(store, LARGE)
    store.fault(mode, **parameters)
    result = run(pour)
    assert result.exit == 0, result.stderr
    assert fired(store) == 1
    assert store.body(LARGE) == MODEL["big.bin"]
    assert store.manifest(BASE)["complete"] is True and store.uploads() == []


@pytest.mark.parametrize("key", [LARGE, SMALL])
def test_a_damaged_object_is_poured_again(model, store, pour, key):
    assert run(pour).exit == 0
    damage(store, key)
    assert run(pour).exit == 0
    assert store.body(key) == MODEL[key.removeprefix(BASE)]


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId",
                                  "SignatureDoesNotMatch"])
@pytest.mark.parametrize("op", ["UploadPart", "PutObject", "ListObjectsV2"])
@pytest.mark.row("s3 4.11.7")
def test_a_session_that_ends_in_mid_run_ends_with_6(model, store, pour, op, code):
    store.fault("status", op=op, code=code, count=ALWAYS)
    missing = {"UploadPart": {"big.bin"}, "PutObject": set(MODEL) - {"big.bin"}, "ListObjectsV2": set(MODEL)}
    final(store, pour, 6, code, missing=missing[op])
    assert fired(store) <= 4, "one try for each lane; nothing renews these credentials"


@pytest.mark.parametrize("op, code", [("UploadPart", "BadDigest"), ("UploadPart", "InvalidDigest"), ("PutObject", "BadDigest"),
                                      ("PutObject", "XAmzContentSHA256Mismatch")])
@pytest.mark.row("s3 4.11.5")
def test_a_body_that_always_arrives_damaged_is_sent_three_times(model, store, pour, op, code):
    """Contract s3 4.11: "re-send the part from source; 3 times then fail"."""
    where = {"part": 2} if op == "UploadPart" else {"key": "*/small.bin"}
    store.fault("status", op=op, code=code, count=ALWAYS, **where)
    final(store, pour, 5, code, missing={"big.bin" if op == "UploadPart" else "small.bin"}, timeout=20)
    assert 2 <= fired(store) <= 5


@pytest.mark.parametrize("op, header", [("PutObject", "Content-MD5"), ("PutObject", "x-amz-meta-hf-hash"),
                                        ("CreateMultipartUpload", "x-amz-meta-hf-repo")])
@pytest.mark.row("s3 4.6.3", "s3 4.11.13")
def test_an_optional_header_that_is_not_implemented_is_left_out(model, store, pour, op, header):
    """Contract s3 4.11: a 501 that names one of our optional headers: drop it and try once more."""
    store.fault("status", op=op, code="NotImplemented", header=header, has_header=header, count=ALWAYS,
                message="A header you provided implies functionality that is not implemented.")
    pours(store, pour)


@pytest.mark.parametrize("place", [{"op": "UploadPart", "part": 1}, {"op": "UploadPart", "part": 3}, {"op": "PutObject", "key": "*/small.bin"}])
@pytest.mark.parametrize("body", ["", "<html>bad gateway</html>", "<Error><Code>", "\x00\x01", "x" * 3_000_000])
@pytest.mark.row("s3 4.11.2")
def test_an_error_without_a_usable_body_is_judged_by_its_status(model, store, pour, place, body):
    store.fault("status", status=502, body=body, **place)
    pours(store, pour)


@pytest.mark.parametrize("code", ["Weird", "UserSuspended", "MethodNotAllowed"])
@pytest.mark.row("s3 4.11.15")
def test_an_unknown_refusal_is_final_and_told_with_its_code(model, store, pour, code):
    store.fault("status", op="UploadPart", part=1, status=403 if code == "UserSuspended" else 400, code=code, count=ALWAYS)
    final(store, pour, 6, code, "request id", missing={"big.bin"})
    assert fired(store) <= 4  # parts under way at the same time; none is sent again


def test_a_refusal_cannot_steer_the_terminal(model, store, pour):
    store.fault("status", op="UploadPart", code="AccessDenied", message="no\x1b[2J\r\nhfpour: poured all\u202e", count=ALWAYS)
    result = final(store, pour, 6, "AccessDenied", missing={"big.bin"})
    assert all(letter.isprintable() or letter == "\n" for letter in result.stderr), repr(result.stderr)
    assert not any(line.startswith("hfpour: poured all") for line in result.stderr.splitlines())


@pytest.mark.row("s3 4.11.14")
def test_a_success_that_holds_an_error_is_none(model, store, pour):
    """Any operation may answer 200 and mean an error."""
    error = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>later</Message></Error>"
    for op in ("ListObjectsV2", "CreateMultipartUpload", "PutObject"):
        store.fault("status", op=op, status=200, body=error)
    pours(store, pour, faults=3)


def test_an_upload_id_that_is_empty_is_asked_for_again(model, store, pour):
    store.fault("status", op="CreateMultipartUpload", status=200,
                body="<InitiateMultipartUploadResult><UploadId></UploadId></InitiateMultipartUploadResult>")
    pours(store, pour)


def test_a_refused_manifest_is_a_failure(model, store, pour):
    """All files are there, but nothing says so: the exit status must not be 0, and the next run only writes it."""
    store.fault("status", op="PutObject", key="*/manifest.json", code="AccessDenied", count=ALWAYS)
    result = run(pour)
    assert result.exit == 6 and result.stdout == "" and "manifest" in result.stderr, result.stderr
    settled(store, MODEL, complete=False)
    journal = len(store.journal())
    store.admin("release", {})
    store.admin("reset", {})
    assert run(pour).exit == 0
    settled(store)
    assert {entry["key"] for entry in store.journal()[journal:]} <= {BASE + ".hfpour/manifest.json", BASE + "special/empty.txt"}


def test_a_checkpoint_that_cannot_be_removed_does_no_harm(hub, store, pour):
    files = {**MODEL, "later.bin": data(MIB, 7)}
    hub.repo("me/model", files)
    store.fault("status", op="PutObject", key="*/later.bin", code="AccessDenied", count=1)
    assert run(pour).exit == 6
    store.fault("status", op="DeleteObject", code="AccessDenied", count=ALWAYS)
    assert run(pour).exit == 0
    hub.admin("reset", {})
    result = run(pour, "--json")
    assert result.exit == 0 and result.json()["status"] == "present" and hub.requests() == 0


def test_a_store_that_may_not_be_listed_ends_with_6(model, store, pour):
    store.fault("status", op="ListObjectsV2", code="AccessDenied", count=ALWAYS)
    fails(store, pour, 6, "denied")
    assert fired(store) == 1 and PART == 5 * MIB
