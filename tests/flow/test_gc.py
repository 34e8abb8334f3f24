"""`hfpour gc`: uploads that were left open are dropped when nothing has happened to them for long, and never sooner."""

import json

import boto3
import botocore.config
import pytest
from pipe_support import pipe  # noqa: F401
from support import BUCKET, KEY_ID, MIB, SECRET_KEY

HOUR = 3600
AWKWARD = "m/owner/name/a ü+b%2F&.bin"


@pytest.fixture
def s3(store):
    """A client nobody here wrote."""
    return boto3.client("s3", endpoint_url=store.url, region_name="us-east-1", aws_access_key_id=KEY_ID,
                        aws_secret_access_key=SECRET_KEY,
                        config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def leave_open(s3, store, key, age_s, part_age_s=None):
    """An upload begun so long ago; with a part of that age, if one is given."""
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    if part_age_s is not None:
        s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"x" * MIB)
    store.admin("upload", {"id": upload, "age_s": age_s, **({} if part_age_s is None else {"part_age_s": part_age_s})})
    return upload


def open_keys(store):
    return sorted(upload["key"] for upload in store.uploads())


def test_old_ones_go_and_young_ones_stay(s3, store, pipe):
    leave_open(s3, store, AWKWARD, 25 * HOUR)
    leave_open(s3, store, "m/old with parts", 30 * HOUR, 26 * HOUR)
    leave_open(s3, store, "m/young", 23 * HOUR)
    leave_open(s3, store, "m/begun long ago and alive", 99 * HOUR, 1 * HOUR)
    leave_open(s3, store, "other/old", 99 * HOUR)
    result = pipe("gc", f"s3://{BUCKET}/m/").check(0)
    assert open_keys(store) == ["m/begun long ago and alive", "m/young", "other/old"]
    said = sorted(line.rsplit(" (", 1)[0] for line in result.stdout.decode().splitlines())
    assert said == sorted([f"dropped s3://{BUCKET}/{AWKWARD}", f"dropped s3://{BUCKET}/m/old with parts",
                           f"kept s3://{BUCKET}/m/young", f"kept s3://{BUCKET}/m/begun long ago and alive"])
    assert "2 uploads dropped" in result.stderr


def test_the_age_is_a_choice(s3, store, pipe):
    leave_open(s3, store, "m/a", 2 * HOUR)
    assert b"kept" in pipe("gc", f"s3://{BUCKET}/", "--older-than", "3h").check(0).stdout
    assert b"dropped" in pipe("gc", f"s3://{BUCKET}/", "--older-than", "90m").check(0).stdout
    assert open_keys(store) == []


def test_a_dry_run_changes_nothing(s3, store, pipe):
    leave_open(s3, store, "m/a", 99 * HOUR)
    before = store.counters()["requests"].get("AbortMultipartUpload", 0)
    result = pipe("gc", f"s3://{BUCKET}/", "--dry-run", "--json").check(0)
    said = json.loads(result.stdout)
    assert (said["uri"], said["action"]) == (f"s3://{BUCKET}/m/a", "would drop") and abs(said["age_seconds"] - 99 * HOUR) < 60
    assert open_keys(store) == ["m/a"]
    assert store.counters()["requests"].get("AbortMultipartUpload", 0) == before


@pytest.mark.row("s3 4.5.5")
def test_more_than_a_page_of_them(s3, store, pipe):
    for number in range(1005):
        leave_open(s3, store, f"m/{number:04d}", 99 * HOUR)
    result = pipe("gc", f"s3://{BUCKET}/m/", timeout=120).check(0)
    assert result.stdout.count(b"dropped") == 1005 and open_keys(store) == []


def test_objects_stay(s3, store, pipe):
    s3.put_object(Bucket=BUCKET, Key="m/a", Body=b"bytes")
    leave_open(s3, store, "m/a", 99 * HOUR)
    pipe("gc", f"s3://{BUCKET}/m").check(0)
    assert open_keys(store) == [] and store.body("m/a") == b"bytes"


@pytest.mark.parametrize("fault", [{"mode": "status", "op": "ListMultipartUploads", "status": 503},
                                   {"mode": "list_broken_xml", "op": "ListMultipartUploads"},
                                   {"mode": "status", "op": "AbortMultipartUpload", "status": 500},
                                   {"mode": "status", "op": "ListParts", "status": 502, "html": True}])
def test_what_passes_is_waited_for(s3, store, pipe, fault):
    leave_open(s3, store, "m/a", 99 * HOUR, 99 * HOUR)
    store.admin("faults", [fault])
    pipe("gc", f"s3://{BUCKET}/").check(0)
    assert open_keys(store) == [] and store.admin("faults")[0]["hits"] == 1


@pytest.mark.parametrize("op", ["ListMultipartUploads", "AbortMultipartUpload"])
def test_what_is_not_allowed_ends_with_6(s3, store, pipe, op):
    leave_open(s3, store, "m/a", 99 * HOUR)
    store.fault("status", op=op, code="AccessDenied", count=-1)
    result = pipe("gc", f"s3://{BUCKET}/")
    assert result.exit == 6 and "denied" in result.stderr, result.stderr
    assert open_keys(store) == ["m/a"]


def test_a_bucket_alone_is_refused(s3, store, pipe):
    """Elsewhere it means models/, and the whole of it may hold other tools' uploads."""
    leave_open(s3, store, "other/backup", 99 * HOUR)
    result = pipe("gc", f"s3://{BUCKET}")
    assert result.exit == 2 and f"write s3://{BUCKET}/ for the whole bucket" in result.stderr, result.stderr
    assert open_keys(store) == ["other/backup"]
