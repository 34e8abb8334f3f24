"""A run that was ended in the middle of a file, however that was, is gone on with at the first byte that is not proven."""

import json
import shutil
import signal

import boto3
import botocore.config
import pytest
from support import BUCKET, KEY_ID, MIB, PART, SECRET_KEY, data, wait_until
from test_pour import check_bucket

DESTINATION = f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
CHECKPOINT = BASE + ".hfpour/checkpoint.json"
PARTS = 8
LARGE = data(PARTS * PART - 1000, 31)
MODEL = {"large.bin": LARGE, "config.json": b"{}\n"}
HELD = 5  # parts that are in the store when the first run ends


@pytest.fixture
def s3(store):
    """A client nobody here wrote."""
    return boto3.client("s3", endpoint_url=store.url, region_name="us-east-1", aws_access_key_id=KEY_ID,
                        aws_secret_access_key=SECRET_KEY,
                        config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def noted(store):
    """The unfinished file of the checkpoint, None if there is none."""
    if CHECKPOINT not in store.objects():
        return None
    unfinished = json.loads(store.body(CHECKPOINT)).get("unfinished", [])
    return unfinished[0] if unfinished else None


def receipts(note):
    return note["parts"][1::2]


def run_until_held(hub, store, pour, *more):
    """A run that hangs in `large.bin`; the checkpoint knows of the parts before that."""
    hub.repo("me/model", MODEL)
    hub.fault("stall", path="large.bin", at_offset=HELD * PART + 1000, count=-1)
    running = pour.start("hf://me/model", DESTINATION, "--lanes", 1, *more)
    wait_until(lambda: (note := noted(store)) and receipts(note).count("") == 0 and len(receipts(note)) == HELD, timeout=20)
    return running


def kill(running):
    running.process.kill()
    running.process.wait(timeout=10)
    for reader in running.readers:
        reader.join()


def killed(hub, store, pour, *more):
    kill(run_until_held(hub, store, pour, *more))
    hub.reset()
    store.left_alone()


def go_on(hub, store, pour, *more, fetched=len(LARGE) - HELD * PART, files=MODEL):
    """The next run succeeds, having fetched so many bytes of the large file."""
    result = pour("hf://me/model", DESTINATION, "--lanes", 1, *more)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, files)
    assert hub.counters()["bytes"].get("models/me/model/large.bin", 0) == fetched, result.stderr
    return result


def test_after_a_kill_only_the_rest_moves(hub, store, pour):
    killed(hub, store, pour)
    assert BASE + "large.bin" not in store.objects()
    upload = noted(store)["upload"]
    result = go_on(hub, store, pour, "--json")
    assert "going on with 'large.bin' at 40.0 MiB" in result.stderr
    assert result.json()["poured_bytes"] == sum(map(len, MODEL.values())) - HELD * PART  # what this run moved
    assert store.counters()["requests"]["CreateMultipartUpload"] == 1
    assert [entry["path"] for entry in store.manifest(BASE)["files"]] == sorted(MODEL)
    assert upload not in {one["id"] for one in store.uploads()}


def test_with_stripes_little_is_fetched_twice(hub, store, pour):
    killed(hub, store, pour, "--lanes", 4)
    result = pour("hf://me/model", DESTINATION, "--lanes", 4)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    assert hub.counters()["bytes"]["models/me/model/large.bin"] <= len(LARGE) - (HELD - 1) * PART


def test_killed_again_and_again(hub, store, pour):
    hub.repo("me/model", MODEL)
    for parts in range(1, PARTS):
        hub.reset()
        hub.fault("stall", path="large.bin", at_offset=parts * PART + 5, count=-1)
        running = pour.start("hf://me/model", DESTINATION, "--lanes", 1)
        wait_until(lambda: (note := noted(store)) and len(receipts(note)) == parts and "" not in receipts(note), timeout=20)
        kill(running)
        assert hub.counters()["bytes"]["models/me/model/large.bin"] <= PART + MIB
    hub.reset()
    go_on(hub, store, pour, fetched=len(LARGE) - (PARTS - 1) * PART)
    assert store.counters()["requests"]["CreateMultipartUpload"] == 1


def test_the_deadline_saves_what_is_done(hub, store, pour):
    running = run_until_held(hub, store, pour, "--deadline", "15s")
    result = running.wait(40)
    assert result.exit == 10, result.stderr
    assert "the deadline of 15" in result.stderr
    assert store.orphans() == [] and len(store.uploads()) == 1
    hub.reset()
    go_on(hub, store, pour, "--deadline", "1h")


def test_a_part_that_is_no_longer_there_is_fetched_again(hub, store, pour, s3):
    killed(hub, store, pour)
    note = noted(store)
    s3.upload_part(Bucket=BUCKET, Key=BASE + "large.bin", UploadId=note["upload"], PartNumber=2, Body=b"x" * PART)
    go_on(hub, store, pour, fetched=len(LARGE) - (HELD - 1) * PART)


@pytest.mark.row("s3 4.5.4")
def test_an_upload_that_is_gone_is_begun_anew(hub, store, pour, s3):
    killed(hub, store, pour)
    s3.abort_multipart_upload(Bucket=BUCKET, Key=BASE + "large.bin", UploadId=noted(store)["upload"])
    go_on(hub, store, pour, fetched=len(LARGE))


def test_parts_that_may_not_be_listed_are_not_believed(hub, store, pour):
    killed(hub, store, pour)
    store.fault("status", op="ListParts", code="AccessDenied", count=-1)
    result = go_on(hub, store, pour, fetched=len(LARGE))
    assert "begun anew" in result.stderr


def test_another_part_size_begins_anew_and_leaves_nothing(hub, store, pour):
    killed(hub, store, pour)
    result = go_on(hub, store, pour, "--part-size", "5Mi", fetched=len(LARGE))
    assert "its parts were of another size" in result.stderr


def test_other_content_under_the_same_name_begins_anew(hub, store, pour):
    killed(hub, store, pour)
    shutil.rmtree(hub.root / "models/me/model")
    changed = {**MODEL, "large.bin": data(len(LARGE), 32)}
    hub.repo("me/model", changed)
    go_on(hub, store, pour, fetched=len(LARGE), files=changed)


def test_another_commit_with_the_same_file_goes_on(hub, store, pour):
    killed(hub, store, pour)
    changed = {**MODEL, "config.json": b'{"a": 2}\n'}
    hub.repo("me/model", changed)
    go_on(hub, store, pour, files=changed)


def test_another_selection_leaves_what_was_begun(hub, store, pour):
    """A run without the large file ends well, and the run after that goes on where the first one was."""
    killed(hub, store, pour)
    upload = noted(store)["upload"]
    assert pour("hf://me/model", DESTINATION, "--exclude", "large.bin").exit == 0
    assert hub.counters()["bytes"].get("models/me/model/large.bin", 0) == 0
    assert store.manifest(BASE)["complete"] is True and noted(store)["upload"] == upload
    assert store.orphans() == []
    go_on(hub, store, pour)
    assert CHECKPOINT not in store.objects()


def test_what_no_run_wants_goes_by_age(hub, store, pour):
    killed(hub, store, pour)
    upload = noted(store)["upload"]
    store.admin("upload", {"id": upload, "age_s": 90000, "part_age_s": 90000})
    result = pour("hf://me/model", DESTINATION, "--exclude", "large.bin")
    assert result.exit == 0 and "dropped 1 upload" in result.stderr, result.stderr
    assert store.uploads() == [] and CHECKPOINT not in store.objects()


def spoil(note, how):
    if how == "hash":
        note["midstate"] = "00" + note["midstate"][2:]
    elif how == "hash cut short":
        note["midstate"] = note["midstate"][:-2]
    elif how == "sum of a part that is missing":
        note["parts"][2], note["parts"][3] = "0" * 32, ""
    elif how == "a part less":
        del note["parts"][-2:]
    elif how == "too many parts":
        note["parts"] *= 4
    elif how == "upload":
        note["upload"] = "nobody-knows-it"
    elif how == "size":
        note["size"] += 1
    elif how == "receipt":
        note["parts"][3] = '"' + "0" * 32 + '"'


@pytest.mark.parametrize("how", ["hash", "hash cut short", "sum of a part that is missing", "a part less", "too many parts",
                                 "upload", "size", "receipt"])
def test_a_checkpoint_that_lies_is_never_believed(hub, store, pour, s3, how):
    killed(hub, store, pour)
    checkpoint = json.loads(store.body(CHECKPOINT))
    spoil(checkpoint["unfinished"][0], how)
    s3.put_object(Bucket=BUCKET, Key=CHECKPOINT, Body=json.dumps(checkpoint).encode())
    result = pour("hf://me/model", DESTINATION, "--lanes", 1, "--gc-after", "0s")
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"schema": 2}', b"\xff" * 100])
def test_a_checkpoint_that_cannot_be_read_is_left_out(hub, store, pour, s3, text):
    killed(hub, store, pour)
    s3.put_object(Bucket=BUCKET, Key=CHECKPOINT, Body=text)
    result = pour("hf://me/model", DESTINATION, "--lanes", 1, "--gc-after", "0s")
    assert result.exit == 0, result.stderr
    assert "checkpoint.json is not used" in result.stderr and "dropped 1 upload" in result.stderr
    check_bucket(store, BASE, MODEL)


@pytest.mark.row("hub F.11.4")
def test_a_dead_hub_and_half_a_file_stay_as_they_are(hub, store, pour):
    killed(hub, store, pour)
    before = store.objects()
    hub.fault("status", status=503, count=-1)
    result = pour("hf://me/model", DESTINATION, "--retry-for", "1s")
    assert result.exit == 5, result.stderr
    assert store.objects() == before and store.orphans() == [] and len(store.uploads()) == 1
    hub.reset()
    go_on(hub, store, pour)


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
@pytest.mark.row("s3 4.11.7")
def test_keys_that_are_withdrawn_in_mid_file(hub, store, pour, code):
    store.fault("status", op="UploadPart", part=HELD + 1, code=code, when="late", count=-1)
    running = run_until_held(hub, store, pour)
    hub.reset()
    result = running.wait(30)
    assert result.exit == 6, result.stderr
    last = result.stderr.splitlines()[-1]
    assert f"part {HELD + 1} of 'large.bin': " in last and f"(HTTP 403, {code}, request id tx" in last, result.stderr
    assert {entry["key"] for entry in store.journal()} <= {BASE + "config.json", CHECKPOINT}
    assert store.orphans() == [] and len(store.uploads()) == 1 and "" not in receipts(noted(store))[:HELD]
    store.admin("reset", {})
    hub.reset()
    result = pour("hf://me/model", DESTINATION, "--lanes", 1)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    assert hub.counters()["bytes"]["models/me/model/large.bin"] <= len(LARGE) - HELD * PART


@pytest.mark.row("s3 4.5.7")
def test_a_full_store_gets_its_room_back(hub, store, pour):
    hub.repo("me/model", {**MODEL, "second.bin": data(4 * PART, 33)})
    store.fault("quota", bytes=HELD * PART)
    result = pour("hf://me/model", DESTINATION)
    assert result.exit == 8, result.stderr
    store.left_alone()
    assert store.uploads() == []


@pytest.mark.parametrize("code", ["AccessDenied", "QuotaExceeded"])
def test_what_cannot_be_noted_is_dropped(hub, store, pour, code):
    """Half a file that no checkpoint names would lie there unseen, and cost."""
    hub.repo("me/model", {"large.bin": LARGE})
    hub.fault("stall", path="large.bin", at_offset=HELD * PART + 1000, count=-1)
    store.fault("status", op="PutObject", code=code, count=-1)
    running = pour.start("hf://me/model", DESTINATION, "--lanes", 1)
    wait_until(lambda: any(len(one["parts"]) == HELD for one in store.uploads()))
    running.signal(signal.SIGTERM)
    result = running.wait(15)
    assert result.exit == 143, result.stderr
    assert "checkpoint could not be written" in result.stderr
    store.left_alone()
    assert store.uploads() == []


def test_what_could_not_be_noted_for_want_of_an_answer_is_told_of(hub, store, pour):
    hub.repo("me/model", {"large.bin": LARGE})
    hub.fault("stall", path="large.bin", at_offset=HELD * PART + 1000, count=-1)
    store.fault("status", op="PutObject", code="SlowDown", count=-1)
    running = pour.start("hf://me/model", DESTINATION, "--lanes", 1)
    wait_until(lambda: any(len(one["parts"]) == HELD for one in store.uploads()))
    running.signal(signal.SIGTERM)
    result = running.wait(15)
    assert result.exit == 143, result.stderr
    assert "1 upload that it would have named may stay open until --gc-after" in result.stderr
    assert "could not be dropped" not in result.stderr


def test_a_refresh_that_was_ended_is_gone_on_with_by_the_next(hub, store, pour):
    hub.repo("me/model", {**MODEL, "large.bin": data(len(LARGE), 35)})
    assert pour("hf://me/model", DESTINATION).exit == 0
    kill(run_until_held(hub, store, pour, "--refresh"))
    hub.reset()
    store.left_alone()
    go_on(hub, store, pour, "--refresh")
    assert store.uploads() == []


def test_a_manifest_that_is_refused_leaves_the_notes_of_others(hub, store, pour):
    killed(hub, store, pour)
    store.fault("status", op="PutObject", key="*/manifest.json", code="AccessDenied", count=-1)
    result = pour("hf://me/model", DESTINATION, "--include", "config.json")
    assert result.exit == 6, result.stderr
    assert store.orphans() == [] and len(store.uploads()) == 1
    store.admin("reset", {})
    hub.reset()
    go_on(hub, store, pour)


def test_what_an_earlier_run_noted_stays_when_this_one_cannot(hub, store, pour):
    killed(hub, store, pour)
    hub.fault("stall", path="large.bin", at_offset=(HELD + 1) * PART + 1000, count=-1)
    store.fault("status", op="PutObject", code="AccessDenied", count=-1)
    running = pour.start("hf://me/model", DESTINATION, "--lanes", 1)
    wait_until(lambda: any(len(one["parts"]) == HELD + 1 for one in store.uploads()))
    running.signal(signal.SIGTERM)
    result = running.wait(15)
    assert result.exit == 143, result.stderr
    store.left_alone()
    assert store.orphans() == [] and len(store.uploads()) == 1
    store.admin("reset", {})
    hub.reset()
    assert pour("hf://me/model", DESTINATION, "--lanes", 1).exit == 0
    check_bucket(store, BASE, MODEL)


HOUR = 3600


@pytest.mark.parametrize("age, more, stays", [(25, (), False), (23, (), True), (3, ("--gc-after", "2h"), False)])
@pytest.mark.row("s3 4.5.6")
def test_uploads_that_nobody_claims_are_dropped_when_they_are_old(hub, store, pour, s3, age, more, stays):
    hub.repo("me/model", MODEL)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=BASE + "large.bin")["UploadId"]
    elsewhere = s3.create_multipart_upload(Bucket=BUCKET, Key="p/me/model2/large.bin")["UploadId"]
    for one in (upload, elsewhere):
        store.admin("upload", {"id": one, "age_s": age * HOUR})
    result = pour("hf://me/model", DESTINATION, *more)
    assert result.exit == 0, result.stderr
    assert {one["id"] for one in store.uploads()} == {elsewhere} | ({upload} if stays else set())
    assert ("dropped 1 upload" in result.stderr) == (not stays)


def test_an_upload_that_the_checkpoint_claims_is_never_too_old(hub, store, pour):
    killed(hub, store, pour)
    store.admin("upload", {"id": noted(store)["upload"], "age_s": 99 * HOUR, "part_age_s": 99 * HOUR})
    go_on(hub, store, pour)


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented"])
def test_who_may_not_list_uploads_may_pour(hub, store, pour, code):
    hub.repo("me/model", MODEL)
    store.fault("status", op="ListMultipartUploads", code=code, count=-1)
    result = pour("hf://me/model", DESTINATION)
    assert result.exit == 0, result.stderr
    assert code not in result.stderr
    check_bucket(store, BASE, MODEL)


def test_a_checkpoint_under_way_holds_nothing_up(hub, store, pour):
    """It hangs in the store for ever, and the bytes go on behind it to the end."""
    hub.repo("me/model", MODEL)
    before = hub.admin("settings")["cdn_rate"]
    hub.admin("settings", {"cdn_rate": 8 * MIB})  # eight seconds; the first checkpoint is written when one is over
    store.fault("stall", op="PutObject", key=CHECKPOINT, count=-1)
    try:
        running = pour.start("hf://me/model", DESTINATION, "--lanes", 1)
        assert store.admin("wait?event=stalled&op=PutObject&count=1&timeout_s=20")["ok"]
        [upload] = store.uploads()
        result = running.wait(40)
    finally:
        hub.admin("settings", {"cdn_rate": before})
    assert result.exit == 0, result.stderr
    assert len(upload["parts"]) < PARTS - 1, "there was nothing left that the checkpoint could hold up"
    assert store.counters()["requests"]["PutObject"] == 3, "config.json, the checkpoint that hangs, the manifest"
    store.admin("release", {})
    check_bucket(store, BASE, MODEL)
