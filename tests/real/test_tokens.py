"""Temporary credentials with a session token, as the gateway's STS gives them. Restarts the gateway with STS on, hence
last: with STS on, Ceph 16 says AccessDenied where it otherwise says which key is wrong."""

from lane import DEMO


def test_session_token(pour, bucket, gateway, prefix):
    credentials = gateway.temporary_credentials()
    outcome = pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}", credentials=credentials)
    assert (outcome.exit, outcome.json()["status"]) == (0, "poured"), outcome
    assert len(bucket.list(prefix)) == outcome.json()["files"] + 1
    without = {name: value for name, value in credentials.items() if name != "AWS_SESSION_TOKEN"}
    for bad in (without, {**credentials, "AWS_SESSION_TOKEN": "x" + credentials["AWS_SESSION_TOKEN"]}):
        outcome = pour("hf://" + DEMO, f"s3://{bucket.name}/not-{prefix}", credentials=bad)
        assert outcome.exit == 6, outcome
    assert bucket.list("not-" + prefix) == {}
