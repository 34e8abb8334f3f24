"""`hfpour put`: a stream of any length becomes one object, whole or not at all."""

import hashlib
import json
import os
import threading
import time

import pytest
from pipe_support import pipe  # noqa: F401
from support import BUCKET, MIB, PART, data, etag_of, sha256, wait_until

URI = f"s3://{BUCKET}/in/a.bin"
KEY = "in/a.bin"
BIG = data(45 * MIB + 7, 51)
SIZES = [0, 1, 4096, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 1, len(BIG)]


def check_stored(store, content, key=KEY, parts=None):
    assert store.body(key) == content
    entry = store.objects()[key]
    assert entry["etag"] == etag_of(content, multipart=None if parts is None else parts > 0)
    assert store.uploads() == []


def check_nothing(store):
    assert KEY not in store.objects()
    assert store.uploads() == []
    assert store.journal() == []


@pytest.mark.parametrize("size", SIZES)
def test_every_length_arrives(store, pipe, size):
    content = BIG[:size]
    result = pipe("put", "-", URI, stdin=content).check(0)
    assert result.stdout == URI.encode() + b"\n"
    check_stored(store, content)
    multipart = store.counters()["requests"].get("CreateMultipartUpload", 0)
    assert multipart == (1 if size > PART else 0)


def test_the_dash_may_be_left_out_and_quiet_is_quiet(store, pipe):
    result = pipe("put", URI, "--quiet", stdin=b"abc").check(0)
    assert (result.stdout, result.stderr) == (URI.encode() + b"\n", "")
    check_stored(store, b"abc")


def test_json(store, pipe):
    said = json.loads(pipe("put", "-", URI, "--json", stdin=BIG).check(0).stdout)
    assert (said["uri"], said["status"], said["bytes"]) == (URI, "poured", len(BIG))


def test_a_file(store, pipe, tmp_path):
    (tmp_path / "a file.bin").write_bytes(BIG)
    pipe("put", tmp_path / "a file.bin", URI).check(0)
    check_stored(store, BIG)
    assert pipe.shell(f'hfpour put - {URI}2 < "$1"', tmp_path / "a file.bin").exit == 0
    assert store.body(KEY + "2") == BIG


def test_what_cannot_be_read(store, pipe, tmp_path):
    pipe("put", tmp_path / "nothing", URI).check(2, "No such file")
    pipe("put", tmp_path, URI).check(2, "it is a folder")
    pipe.shell(f"hfpour put - {URI} < /").check(2, "stdin cannot be read: Is a directory")
    pipe.shell(f"hfpour put - {URI} <&-").check(2, "stdin cannot be read")
    pipe.shell(f"hfpour put - {URI} 0>/dev/null").check(2, "stdin cannot be read")
    check_nothing(store)


# --- gates


@pytest.mark.parametrize("size", [0, 5, PART, len(BIG)])
def test_the_right_hash_passes_and_is_noted(store, pipe, size):
    content = BIG[:size]
    pipe("put", "-", URI, "--sha256", sha256(content).upper(), stdin=content).check(0)
    check_stored(store, content)
    assert store.objects()[KEY]["meta"] == {"hf-hash": "sha256:" + sha256(content)}


@pytest.mark.parametrize("size", [0, 5, PART, len(BIG)])
def test_a_wrong_hash_leaves_nothing(store, pipe, size):
    content = BIG[:size]
    other = sha256(content + b"!")
    result = pipe("put", "-", URI, "--sha256", other, stdin=content).check(7, other, sha256(content))
    assert result.stdout == b""
    check_nothing(store)


@pytest.mark.parametrize("size, expected, said", [
    (100, 100, None), (0, 0, None), (len(BIG), len(BIG), None), (100, 101, "ended after 100 of the 101 bytes"),
    (100, 99, "longer than the 99 bytes"), (0, 1, "ended after 0 of the 1 bytes"), (1, 0, "longer than the 0 bytes"),
    (len(BIG), len(BIG) - 1, "longer than"), (len(BIG), len(BIG) + 1, "ended after"), (2 * PART, 2 * PART, None)])
def test_the_expected_size_is_a_gate(store, pipe, size, expected, said):
    result = pipe("put", "-", URI, "--expected-size", expected, stdin=BIG[:size])
    if said is None:
        result.check(0)
        check_stored(store, BIG[:size])
    else:
        result.check(7, said)
        check_nothing(store)


def test_a_producer_that_dies_is_an_end_of_input_like_any_other(store, pipe):
    """That is all a pipe can tell; with --expected-size or --sha256 the part does not pass for the whole."""
    dying = "(head -c 20000000 /dev/zero; kill -9 $BASHPID)"
    pipe.shell(f"{dying} | hfpour put - {URI} --expected-size 20000001").check(7, "ended after 20000000")
    check_nothing(store)
    whole = hashlib.sha256(bytes(20000001)).hexdigest()
    pipe.shell(f"{dying} | hfpour put - {URI} --sha256 {whole}").check(7)
    check_nothing(store)
    status = pipe.shell(f"set -o pipefail; {dying} | hfpour put - {URI}").exit
    assert status == 137, "the shell is told by pipefail"
    assert store.objects()[KEY]["size"] == 20000000


# --- trouble


@pytest.mark.parametrize("fault", [
    {"mode": "status", "status": 503, "code": "SlowDown", "op": "UploadPart", "count": 4},
    {"mode": "status", "status": 500, "code": "InternalError", "when": "late", "op": "UploadPart", "count": 2},
    {"mode": "reset", "at": "body", "bytes": 100000, "op": "UploadPart", "count": 3},
    {"mode": "lost_answer", "op": "UploadPart", "count": 2},
    {"mode": "damage", "at_byte": 5, "op": "UploadPart", "count": 2},
    {"mode": "empty_etag", "op": "UploadPart", "count": 1},
    {"mode": "status", "status": 503, "op": "CreateMultipartUpload", "count": 1},
    {"mode": "complete_lost_answer"}, {"mode": "complete_500_after_commit"}, {"mode": "complete_empty_etag"},
    {"mode": "close_after", "silent": True}], ids=lambda f: "-".join(str(f[k]) for k in ("mode", "op", "at") if k in f))
def test_a_part_is_sent_again_from_memory(store, pipe, fault):
    store.fault(**fault)
    pipe("put", "-", URI, stdin=BIG).check(0)
    check_stored(store, BIG)


@pytest.mark.parametrize("mode", ["complete_lost_answer", "complete_500_after_commit", "complete_empty_etag"])
def test_a_stream_without_any_hash_is_known_again(store, pipe, mode):
    """Nothing says what the object's ETag should be, as on a store that encrypts."""
    store.fault(mode)
    pipe("put", "-", URI, "--upload-check", "none", stdin=BIG).check(0)
    check_stored(store, BIG)


def test_another_object_of_the_same_length_is_not_taken_for_ours(store, pipe):
    pipe("put", "-", URI, "--upload-check", "none", stdin=bytes(len(BIG))).check(0)
    store.fault("status", op="CompleteMultipartUpload", status=500, code="InternalError", count=-1)
    pipe("put", "-", URI, "--upload-check", "none", "--retry-for", "3s", stdin=BIG).check(5)
    check_stored(store, bytes(len(BIG)))


def test_a_file_that_says_nothing_of_its_length(store, pipe):
    """Those of /proc have none until they are read."""
    pipe("put", "/proc/self/cmdline", URI).check(0)
    assert store.body(KEY).split(b"\0")[1:3] == [b"put", b"/proc/self/cmdline"]


def test_a_small_object_is_sent_again(store, pipe):
    store.fault("reset", op="PutObject", at="body", bytes=100, count=2)
    pipe("put", "-", URI, stdin=BIG[:100000]).check(0)
    check_stored(store, BIG[:100000])


def test_an_upload_that_vanished_cannot_be_begun_again(store, pipe):
    store.fault("forget_upload", op="UploadPart", skip=2)
    pipe("put", "-", URI, stdin=BIG).check(5, "NoSuchUpload")
    check_nothing(store)


def test_a_failure_does_not_wait_for_the_producer(store, pipe):
    """The upload is gone while the producer keeps the pipe open and says nothing: the reading that hangs is ended."""
    store.fault("forget_upload", op="UploadPart", skip=1)
    process = pipe.start("put", "-", URI)
    process.stdin.write(BIG[:3 * PART + 1])
    assert process.wait(timeout=20) == 5, process.stderr.read()
    process.stdin.close()
    check_nothing(store)


def test_bytes_that_arrive_wrong_again_and_again(store, pipe):
    store.fault("damage", op="UploadPart", at_byte=5, count=-1)
    pipe("put", "-", URI, stdin=BIG).check(5, "is not the MD5 of what was sent")
    check_nothing(store)


def test_a_store_without_md5_etags(store, pipe):
    store.fault("non_md5_etag", form="hex32", count=-1)
    pipe("put", "-", URI, stdin=BIG).check(5, "--upload-check none")
    check_nothing(store)
    pipe("put", "-", URI, "--upload-check", "none", stdin=BIG).check(0)
    assert store.body(KEY) == BIG


def test_a_full_store(store, pipe):
    store.fault("quota", bytes=20 * MIB)
    pipe("put", "-", URI, stdin=BIG).check(8, "QuotaExceeded")
    check_nothing(store)


def test_refusals_of_the_store(store, pipe):
    pipe("put", "-", "s3://no-such-bucket/a", stdin=b"x").check(3)
    pipe("put", "-", URI, stdin=b"x", env={"AWS_SECRET_ACCESS_KEY": "wrong"}).check(6)


def test_a_producer_that_pauses_holds_no_connection_open(store, pipe):
    """Parts begin when they are full: while the producer thinks, the store waits for nothing."""
    process = pipe.start("put", "-", URI)
    process.stdin.write(BIG[:2 * PART + MIB])
    process.stdin.flush()
    wait_until(lambda: store.counters()["requests"].get("UploadPart", 0) == 2)
    for connection in range(3):
        store.fault("status", op="UploadPart", status=503, code="SlowDown", count=1, skip=connection)
    stdout, stderr = process.communicate(BIG[2 * PART + MIB:], timeout=60)
    assert process.returncode == 0, stderr
    check_stored(store, BIG)


def lines_of_progress(said):
    return [line for line in said.splitlines() if b"stored, " in line or b"progress bytes" in line]


@pytest.mark.parametrize("options, line", [((), b"hfpour: 16.0 MiB stored, 1."), (("--log-format", "json"), b"progress bytes=16777216 rate=1")],
                         ids=["text", "json"])
def test_a_long_stream_says_how_far_it_is(store, pipe, options, line):
    """Every ten seconds one line."""
    process = pipe.start("put", "-", URI, *options)
    begun = time.monotonic()
    process.stdin.write(BIG[:2 * PART + 5])
    late = threading.Timer(30, process.kill)
    late.start()
    first = next((said for said in process.stderr if lines_of_progress(said)), b"")
    late.cancel()
    assert line in first and 10 < time.monotonic() - begun < 20, first
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, URI.encode() + b"\n")
    assert lines_of_progress(stderr) == []


@pytest.mark.parametrize("option", ["--quiet", "--no-progress"])
def test_a_long_stream_is_silent_when_told_to_be(store, pipe, option):
    process = pipe.start("put", "-", URI, option)
    begun = time.monotonic()
    process.stdin.write(BIG[:2 * PART + 5])
    wait_until(lambda: time.monotonic() - begun > 13)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, URI.encode() + b"\n")
    assert lines_of_progress(stderr) == []


# --- memory and parts


def test_memory_that_is_too_little_is_refused_with_the_arithmetic(store, pipe):
    result = pipe("put", "-", URI, "--memory", "32Mi", stdin=b"x").check(2, "--memory 32.0 MiB is too little", "give at least")
    least = int(result.stderr.split("give at least ")[1].split()[0])
    pipe("put", "-", URI, "--memory", f"{least + 2}Mi", stdin=BIG).check(0)
    assert store.body(KEY) == BIG
    pipe("put", "-", URI, "--expected-size", "2Ti", stdin=b"x").check(2, "too little for 2.0 TiB", "give at least")
    pipe("put", "-", URI, "--expected-size", "100Ti", stdin=b"x").check(8, "more than 10000 parts")


def test_parts_of_one_length_with_an_expected_size(store, pipe):
    pipe("put", "-", URI, "--expected-size", len(BIG), "--part-size", "5Mi", stdin=BIG).check(0)
    sizes = store.objects()[KEY]["part_sizes"]
    assert set(sizes[:-1]) == {5 * MIB} and sum(sizes) == len(BIG)


def test_one_upload_at_a_time(store, pipe):
    pipe("put", "-", URI, "--lanes", 1, stdin=BIG).check(0)
    check_stored(store, BIG)


def test_a_terminal_is_pointed_out(store, pipe):
    master, slave = os.openpty()
    process = pipe.start("put", "-", URI, stdin=slave)
    os.close(slave)
    os.write(master, b"typed\n\x04")
    stdout, stderr = process.communicate(timeout=30)
    os.close(master)
    assert (process.returncode, b"reading from the terminal" in stderr) == (0, True), stderr
    assert store.body(KEY) == b"typed\n"


def test_cat_pipes_into_put(hub, store, pipe):
    hub.repo("me/model", {"big.bin": BIG})
    pipe.shell(f"set -o pipefail; hfpour cat hf://me/model/big.bin | hfpour put - {URI} --sha256 {sha256(BIG)}").check(0)
    check_stored(store, BIG)
    copied = pipe.shell(f"set -o pipefail; hfpour cat {URI} | hfpour put - {URI}.copy").check(0)
    assert copied.stdout == URI.encode() + b".copy\n"
    assert store.body(KEY + ".copy") == BIG


def test_curl_pipes_into_put(hub, store, pipe):
    hub.repo("me/model", {"big.bin": BIG})
    url = f"{hub.url}/me/model/resolve/main/big.bin"
    pipe.shell(f"set -o pipefail; curl -fsSL -r 0-{len(BIG) - 1} '{url}' | hfpour put - {URI}").check(0)
    assert sha256(store.body(KEY)) == sha256(BIG)


