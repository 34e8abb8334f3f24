"""What the store refuses: one clear sentence, the right exit status, nothing left behind."""

from lane import DEMO, until


def only_sentence(outcome):
    """The one line that says why."""
    lines = [line for line in outcome.stderr.splitlines() if "failed after" in line]
    assert len(lines) == 1, outcome
    return lines[0]


def test_wrong_secret(pour, bucket, hub, prefix):
    secret = "wrong" + bucket.credentials["AWS_SECRET_ACCESS_KEY"][5:]
    outcome = pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}", AWS_SECRET_ACCESS_KEY=secret)
    assert outcome.exit == 6, outcome
    assert "the secret key does not match the access key" in only_sentence(outcome)
    assert "SignatureDoesNotMatch" in outcome.stderr
    assert secret not in outcome.stderr
    assert outcome.json()["error"]["kind"] == "forbidden"
    assert bucket.list(prefix) == {}
    assert hub.requests() == 0


def test_unknown_access_key(pour, bucket, prefix):
    outcome = pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}", AWS_ACCESS_KEY_ID="NOBODYKNOWSTHISKEY01")
    assert outcome.exit == 6, outcome
    assert "it does not know the access key" in only_sentence(outcome)


def test_unknown_bucket(pour, bucket, hub, prefix):
    outcome = pour("hf://" + DEMO, f"s3://{bucket.name}-that-is-not-there/{prefix}")
    assert outcome.exit == 3, outcome
    assert "there is no such bucket" in only_sentence(outcome)
    assert hub.requests() == 0


def test_bucket_of_somebody_else(pour, bucket, small_bucket, prefix):
    outcome = pour("hf://" + DEMO, f"s3://{small_bucket.name}/{prefix}")
    assert outcome.exit == 6, outcome
    assert "access denied" in only_sentence(outcome)
    assert small_bucket.list(prefix) == {}


def test_quota(pour, gateway, small_bucket, prefix):
    # One lane: the gateway lets pass what begins while the quota is not yet used up, so parts side by side exceed it.
    outcome = pour("hf://virtual/too-much", f"s3://{small_bucket.name}/{prefix}", "--lanes", "1", credentials=gateway.small)
    assert outcome.exit == 8, outcome
    assert "its quota is used up" in only_sentence(outcome)
    place = prefix + "virtual/too-much/"
    assert small_bucket.head(place + "weights.bin") is None
    assert small_bucket.uploads() == []
    # There was an upload, it had taken parts, and it was aborted.
    log = until(lambda: (text := gateway.access_log()).count(f'"DELETE /small/{place}weights.bin?uploadId=') and text,
                "the gateway's log of the abort")
    assert f'"PUT /small/{place}weights.bin?partNumber=1&uploadId=' in log
    assert any(" 204 " in line for line in log.splitlines() if f"DELETE /small/{place}weights.bin?uploadId=" in line)
