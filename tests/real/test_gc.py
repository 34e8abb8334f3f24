"""`hfpour gc` against a real gateway: uploads that another client left open go by age, and give back what they hold."""

from lane import MIB, until

PARTS = 2


def leave_open(bucket, key):
    """An upload with parts, begun by a client nobody here wrote."""
    upload = bucket.s3.create_multipart_upload(Bucket=bucket.name, Key=key)["UploadId"]
    for number in range(1, PARTS + 1):
        bucket.s3.upload_part(Bucket=bucket.name, Key=key, UploadId=upload, PartNumber=number, Body=b"x" * 5 * MIB)
    return upload


def gc(pour, bucket, prefix, *options):
    return pour("gc", f"s3://{bucket.name}/{prefix}", *options)


def test_what_was_left_open_goes_by_age(pour, bucket, prefix):
    keys = [prefix + name for name in ("a/plain.bin", "a/ä b+c%2F&.bin", "b/other.bin")]
    for key in keys:
        leave_open(bucket, key)
    bucket.s3.put_object(Bucket=bucket.name, Key=keys[0], Body=b"an object of the same key")

    young = gc(pour, bucket, prefix)
    assert young.exit == 0 and young.stdout.count('"kept"') == 3, young
    place = prefix + "a/"
    trial = until(lambda: in_age(gc(pour, bucket, place, "--older-than", "1s", "--dry-run"), '"would drop"', 2), "age")
    assert sorted(key for key, _ in bucket.uploads()) == sorted(keys), trial

    dropped = gc(pour, bucket, place, "--older-than", "1s")
    assert dropped.exit == 0 and dropped.stdout.count('"dropped"') == 2, dropped
    assert [key for key, _ in bucket.uploads()] == [keys[2]], "below another prefix"
    until(lambda: gc(pour, bucket, prefix, "--older-than", "1s").exit == 0 and not bucket.uploads(), "the last one's age")
    assert bucket.stored_parts() == 0
    assert bucket.get(keys[0]) == b"an object of the same key"


def in_age(outcome, word, count):
    """The run, once so many uploads are old enough for it."""
    assert outcome.exit == 0, outcome
    return outcome if outcome.stdout.count(word) == count else None


def test_no_permission_ends_with_6(pour, bucket, small_bucket, prefix):
    outcome = pour("gc", f"s3://{bucket.name}/{prefix}", credentials=small_bucket.credentials)
    assert outcome.exit == 6 and "denied" in outcome.stderr, outcome
