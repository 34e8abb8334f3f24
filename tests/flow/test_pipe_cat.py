"""`hfpour cat`: the right bytes in order, whatever happens on the way; and when they are not right, the reader hears of it."""

import re
import threading

import pytest
from pipe_support import pipe  # noqa: F401
from support import BUCKET, MIB, PART, data, git_blob, sha256, wait_until
from test_pour import check_bucket

HOLD = 256 * 1024
SIZES = [0, 1, 4096, HOLD - 1, HOLD, HOLD + 1, PART - 1, PART, PART + 1, 2 * PART + 100, 9 * MIB + 7]
BIG = data(70 * MIB + 13, 41)


@pytest.fixture
def big(hub):
    hub.repo("me/model", {"big.bin": BIG, "config.json": b'{"a": 1}\n'})
    return hub


def counted(hub, path="big.bin"):
    return hub.counters()["bytes"].get("models/me/model/" + path, 0)


@pytest.mark.parametrize("lfs", [True, False], ids=["lfs", "git"])
def test_every_size_arrives_whole(hub, pipe, lfs):
    files = {f"{size}.bin": data(size, size % 97) for size in SIZES}
    hub.repo("me/model", files, about={"lfs_min_size": 0 if lfs else 1 << 40})
    for path, content in files.items():
        result = pipe("cat", f"hf://me/model/{path}")
        assert (result.exit, result.stderr) == (0, ""), path
        assert result.stdout == content, path


@pytest.mark.parametrize("options", [(), ("--lanes", 1), ("--lanes", 2), ("--memory", "48Mi"), ("--memory", "96Mi", "--lanes", 3)],
                         ids=lambda options: " ".join(map(str, options)) or "as it comes")
def test_lanes_and_memory_do_not_change_the_stream(big, pipe, options):
    assert pipe("cat", "hf://me/model/big.bin", *options).check(0).stdout == BIG
    assert big.counters()["resolves"] == {"models/me/model/big.bin": 1}, "one address for the whole file"


@pytest.mark.parametrize("memory, streams", [("256Mi", 4), ("1Gi", 8)])  # with 1Gi a ring would hold twice as much of it
def test_ranges_are_fetched_side_by_side(big, pipe, memory, streams):
    big.admin("settings", {"cdn_ttfb_ms": 300})
    try:
        assert pipe("cat", "hf://me/model/big.bin", "--memory", memory).check(0).stdout == BIG
    finally:
        big.admin("settings", {"cdn_ttfb_ms": 0})
    assert big.counters()["peak_requests"]["cdn"] >= streams
    assert counted(big) == len(BIG), "each byte once"


@pytest.mark.row("hub F.11.16")
def test_a_mirror_that_serves_the_bytes_itself_is_asked_for_each_once(big, store, pipe, pour):
    """It answers `/resolve/` with 200 instead of a redirect, so there is no signature that a range could spoil."""
    big.fault("direct_200", count=-1)
    assert pipe("cat", "hf://me/model/big.bin").check(0).stdout == BIG
    assert counted(big) == len(BIG)
    result = pour("hf://me/model/big.bin", f"s3://{BUCKET}/p/")
    assert result.exit == 0, result.stderr
    assert counted(big) == 2 * len(BIG)


@pytest.mark.parametrize("wanted, first, last", [
    ("0-0", 0, 1), ("0-99", 0, 100), ("5-1000000", 5, 1000001), (f"{PART - 1}-{PART}", PART - 1, PART + 1),
    ("100-", 100, None), ("-100", -100, None), ("-999999999999", 0, None), (f"{len(BIG) - 1}-", -1, None),
    ("10-999999999999", 10, None), (f"0-{len(BIG) - 1}", 0, None), (f"7-{2**64 - 1}", 7, None), (f"7-{2**64 - 2}", 7, None)])
def test_a_range_is_that_part_of_the_file(big, pipe, wanted, first, last):
    assert pipe("cat", "hf://me/model/big.bin", "--range", wanted).check(0).stdout == BIG[first:last]


@pytest.mark.row("hub F.11.40")
def test_a_backslash_in_a_name_is_not_a_slash(hub, store, pipe, pour):
    """Git allows it, so two files may differ in nothing else; in patterns it does count as a slash (contract hub, 7)."""
    twins = {"model/config.json": b"one", "model\\config.json": b"other"}
    hub.repo("me/model", {**twins, "only\\here.txt": b"here"})
    for path, content in twins.items():
        assert pipe("cat", "hf://me/model/" + path).check(0).stdout == content
        assert pour("hf://me/model/" + path, f"s3://{BUCKET}/one/").exit == 0
    check_bucket(store, "one/me/model/", twins)
    pipe("cat", "hf://me/model/only/here.txt").check(3, "no file 'only/here.txt'")


def test_a_range_behind_the_end_is_refused(big, pipe):
    result = pipe("cat", "hf://me/model/config.json", "--range", "9-").check(2, "--range begins at byte 9", "has 9 bytes")
    assert result.stdout == b""


@pytest.mark.parametrize("fault", [
    {"mode": "reset_after", "after_bytes": 3 * MIB, "count": 4}, {"mode": "short_fin", "after_bytes": 100, "count": 3},
    {"mode": "status", "route": "cdn", "status": 503, "count": 3}, {"mode": "forbidden", "count": 2},
    {"mode": "delay", "route": "cdn", "delay_ms": 1500}, {"mode": "ignore_range", "count": 1, "skip": 2},
    {"mode": "rate_limited", "route": "resolve", "t": 1}], ids=lambda fault: fault["mode"])
def test_trouble_on_the_way_changes_nothing(big, pipe, fault):
    big.fault(**{**fault, "path": "big.bin"})
    assert pipe("cat", "hf://me/model/big.bin").check(0).stdout == BIG
    assert fault["mode"] == "delay" or big.counters()["faults_fired"], "the fault was not met"


@pytest.mark.parametrize("offset", [0, 5 * PART + 3, len(BIG) - 1])
def test_a_wrong_byte_is_told_and_the_end_is_not_written(big, pipe, offset):
    big.fault("flip", path="big.bin", flip_offset=offset, count=-1)
    wrong = bytearray(BIG)
    wrong[offset] ^= 0xFF
    result = pipe("cat", "hf://me/model/big.bin").check(7, sha256(BIG), sha256(bytes(wrong)))
    assert len(result.stdout) <= len(BIG) - HOLD
    assert bytes(wrong).startswith(result.stdout)


@pytest.mark.parametrize("size", [1, 1000, HOLD])
def test_of_a_small_file_with_a_wrong_byte_nothing_is_written(hub, pipe, size):
    content = data(size, 5)
    hub.repo("me/model", {"small.txt": content})
    hub.fault("flip", path="small.txt", flip_offset=size // 2, count=-1)
    result = pipe("cat", "hf://me/model/small.txt").check(7, git_blob(content))
    assert result.stdout == b""


def test_of_a_range_only_the_length_is_checked(big, pipe):
    big.fault("flip", path="big.bin", flip_offset=50, count=-1)
    result = pipe("cat", "hf://me/model/big.bin", "--range", "0-99").check(0)
    assert len(result.stdout) == 100 and result.stdout != BIG[:100]


def test_a_range_that_is_the_whole_file_is_verified(big, pipe):
    big.fault("flip", path="big.bin", flip_offset=50, count=-1)
    pipe("cat", "hf://me/model/big.bin", "--range", "0-").check(7)


def test_what_is_not_there(big, pipe):
    pipe("cat", "hf://me/model/nothing.bin").check(3, "has no file 'nothing.bin'")
    pipe("cat", "hf://me/nobody/nothing.bin").check(3)
    pipe("cat", "hf://me/model@nowhere/big.bin").check(3)
    big.repo("me/gated", {"a.bin": b"secret"}, about={"gated": "auto", "token": "hf_other"})
    assert pipe("cat", "hf://me/gated/a.bin").check(6).stdout == b""


def test_no_settings_of_a_store_are_needed(big, pipe):
    env = {"S3_ENDPOINT_URL": None, "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    assert pipe("cat", "hf://me/model/config.json", env=env).check(0).stdout == b'{"a": 1}\n'


def test_sha256sum_sees_the_file(big, pipe):
    said = pipe.shell("set -o pipefail; hfpour cat hf://me/model/big.bin | sha256sum").check(0).stdout
    assert said.split()[0] == sha256(BIG).encode()


def test_a_slow_reader_pauses_the_download_and_an_address_that_expired_is_renewed(big, pipe):
    """One lane of 2 MiB: far more than it holds is never fetched, and after the pause the stream goes on."""
    big.fault("expire", path="big.bin", life_s=2, count=1)
    big.fault("reset_after", path="big.bin", at_offset=40 * MIB)
    process = pipe.start("cat", "hf://me/model/big.bin", "--lanes", 1)
    got = process.stdout.read(MIB)
    seen = []

    def quiet_for_longer_than_the_address_lives():
        seen.append(counted(big))
        return len(seen) > 30 and len(set(seen[-30:])) == 1

    wait_until(quiet_for_longer_than_the_address_lives, every=0.1)
    assert seen[-1] < 30 * MIB, "the download went on without a reader"
    rest, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert got + rest == BIG
    assert big.counters()["resolves"]["models/me/model/big.bin"] >= 2


def test_a_connection_that_is_dropped_while_the_reader_sleeps(big, pipe):
    """The ring of the one lane is full and the download paused when the other side hangs up."""
    held = 2 * MIB + 512 * 1024
    big.fault("stall", path="big.bin", at_offset=held)
    process = pipe.start("cat", "hf://me/model/big.bin", "--lanes", 1)
    got = process.stdout.read(1)
    wait_until(lambda: counted(big) == held)
    big.admin("reset", {})  # ends the stall by hanging up
    seen = {}
    reader = threading.Thread(target=lambda: seen.update(zip(("rest", "stderr"), process.communicate(timeout=60))))
    reader.start()
    # Bytes are counted before they leave: a stall that had not begun by then is ended by the next one.
    wait_until(lambda: big.admin("reset", {})["ok"] and not reader.is_alive(), every=0.3)
    assert process.returncode == 0, seen
    assert got + seen["rest"] == BIG
    reached = re.search(rb"retry 'big.bin' at byte (\d+)", seen["stderr"])
    assert reached and MIB <= int(reached.group(1)) <= held, "gone on with at the byte it had reached"


@pytest.mark.parametrize("memory", ["32Mi", "33Mi", "36Mi"])
def test_the_least_memory_is_enough_or_is_refused(big, pipe, memory):
    result = pipe("cat", "hf://me/model/big.bin", "--memory", memory)
    if result.exit == 0:
        assert result.stdout == BIG
    else:
        result.check(2, "is too little", "give at least")


# --- from a bucket


@pytest.fixture
def stored(store, pipe):
    pipe("put", f"s3://{BUCKET}/k/big.bin", "--sha256", sha256(BIG), stdin=BIG).check(0)
    return f"s3://{BUCKET}/k/big.bin"


def test_an_object_is_read_back(stored, store, pipe):
    assert pipe("cat", stored).check(0).stdout == BIG
    assert pipe("cat", stored, "--range", "8388607-8388608").check(0).stdout == BIG[PART - 1:PART + 1]
    reads = [entry for entry in store.counters()["log"] if entry["op"] == "GetObject"]
    assert len(reads) > 8, "in ranges"


def test_an_object_that_a_pour_stored_is_checked_against_its_note(hub, store, pour, pipe):
    hub.repo("me/model", {"a.bin": BIG, "b.txt": b"text\n"})
    assert pour("hf://me/model", f"s3://{BUCKET}/p/").exit == 0
    assert pipe("cat", f"s3://{BUCKET}/p/me/model/a.bin").check(0).stdout == BIG
    assert pipe("cat", f"s3://{BUCKET}/p/me/model/b.txt").check(0).stdout == b"text\n"
    for key, content in (("a.bin", BIG), ("b.txt", b"text\n")):
        store.admin("object", {"bucket": BUCKET, "key": "p/me/model/" + key, "action": "flip", "offset": 3})
        result = pipe("cat", f"s3://{BUCKET}/p/me/model/{key}")
        result.check(7, sha256(content) if key == "a.bin" else git_blob(content))
        assert len(result.stdout) < len(content)


def test_an_object_of_another_tool_is_read_as_it_is(store, pipe):
    store.admin("object", {"bucket": BUCKET, "key": "other.txt", "action": "put", "text": "hello"})
    assert pipe("cat", f"s3://{BUCKET}/other.txt").check(0).stdout == b"hello"


@pytest.mark.row("s3 4.7.1")
def test_an_object_that_is_replaced_meanwhile_is_never_mixed(stored, store, pipe):
    store.fault("cut_answer", op="GetObject", bytes=40 * MIB)
    process = pipe.start("cat", stored, "--lanes", 1)
    got = process.stdout.read(MIB)
    store.admin("object", {"bucket": BUCKET, "key": "k/big.bin", "action": "put", "size": len(BIG)})
    rest, stderr = process.communicate(timeout=60)
    assert (process.returncode, b"was replaced" in stderr) == (5, True), stderr
    assert BIG.startswith(got + rest) and len(got + rest) <= 40 * MIB


@pytest.mark.row("s3 4.7.1", "s3 4.11.9")
@pytest.mark.parametrize("how", ["condition", "etag"])
def test_another_object_behind_the_name_ends_the_run(stored, store, pipe, how):
    """A store that honours If-Match answers 412; one that does not is found out by the ETag it answers with."""
    if how == "condition":
        store.fault("status", op="GetObject", status=412, code="PreconditionFailed", skip=2, count=1)
    else:
        store.fault("wrong_etag", op="GetObject", skip=2, count=1)
    result = pipe("cat", stored).check(5, "was replaced or removed while it was being read")
    assert BIG.startswith(result.stdout) and len(result.stdout) < len(BIG)


@pytest.mark.parametrize("fault", [
    {"mode": "cut_answer", "bytes": 3 * MIB, "count": 3}, {"mode": "status", "status": 503, "code": "SlowDown", "count": 2},
    {"mode": "reset", "at": "start", "count": 2}], ids=lambda fault: fault["mode"])
def test_trouble_of_the_store_changes_nothing(stored, store, pipe, fault):
    store.fault(**{**fault, "op": "GetObject"})
    assert pipe("cat", stored).check(0).stdout == BIG


def test_objects_that_are_not_there(store, pipe):
    pipe("cat", f"s3://{BUCKET}/nothing").check(3, f"there is no 's3://{BUCKET}/nothing'")
    pipe("cat", "s3://no-such-bucket/nothing").check(3)
    pipe("cat", f"s3://{BUCKET}/x", env={"AWS_SECRET_ACCESS_KEY": "wrong"}).check(6)
