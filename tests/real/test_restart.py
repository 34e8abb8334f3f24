"""radosgw is killed in the middle of a pour and started again: the pour goes on and the bytes are right."""

from lane import MIB, assert_holds, ended, until


def test_gateway_killed_in_the_middle(pour, bucket, hub, gateway, prefix):
    hub.admin("settings", {"cdn_rate": 24 * MIB})  # four streams of this: long enough to be in the middle
    run = pour.start("hf://virtual/large", f"s3://{bucket.name}/{prefix}", "--lanes", "4")
    until(lambda: ended(run) or bucket.stored_parts() >= 80 * MIB, "80 MiB in the store")
    assert not ended(run), run.wait()
    gateway.restart()
    assert not ended(run), run.wait()
    # What was acknowledged before is still there: the uploads were not begun anew.
    assert bucket.stored_parts() >= 80 * MIB
    outcome = run.wait()
    assert outcome.exit == 0, outcome
    assert outcome.json()["retries"] > 0, "nothing was under way when the gateway died"
    content = hub.content("virtual/large")
    assert sum(map(len, content.values())) >= 256 * MIB
    assert_holds(bucket, prefix + "virtual/large/", content)
