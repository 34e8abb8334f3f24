"""One flipped bit on the way: the object never exists in the store, not for a moment."""

from lane import MIB, Watch, digest, ended, hub_hash


def test_flipped_byte(pour, bucket, hub, prefix):
    place = prefix + "virtual/gate/"
    wanted = hub_hash(hub.files("virtual/gate")["bad.bin"])
    hub.fault("flip", path="bad.bin", flip_offset=30 * MIB + 5, count=-1)
    hub.admin("settings", {"cdn_rate": 24 * MIB})  # so that there is time to look
    watch, begun = Watch(bucket, place + "bad.bin"), 0
    run = pour.start("hf://virtual/gate", f"s3://{bucket.name}/{prefix}")
    while not ended(run):
        watch.look()
        begun += any(key == place + "bad.bin" for key, _ in bucket.uploads())
    outcome = run.wait()
    watch.look()
    hub.reset()

    assert outcome.exit == 7, outcome
    assert set(watch.statuses) == {404} and len(watch.statuses) > 3, watch.statuses
    assert begun >= 1, "looked while its upload was open"
    assert bucket.head(place + "bad.bin") is None

    right = hub.content("virtual/gate")
    assert wanted == "sha256:" + digest(right["bad.bin"])["sha256"]
    wrong = bytearray(right.pop("bad.bin"))
    wrong[30 * MIB + 5] ^= 0xFF
    sentence = next(line for line in outcome.stderr.splitlines() if "failed bad.bin" in line)
    assert digest(bytes(wrong))["sha256"] in sentence, sentence
    assert wanted.removeprefix("sha256:") in sentence, sentence
    # The others are there and right; there is no manifest, since the model is not whole.
    assert place + ".hfpour/manifest.json" not in bucket.list(place)
    for path, data in right.items():
        assert digest(bucket.get(place + path)) == digest(data), path
        assert bucket.libs3(place + path).split()[2] == digest(data)["sha256"], path

    # The next run finds the Hub in order and brings only what is missing.
    again = pour("hf://virtual/gate", f"s3://{bucket.name}/{prefix}")
    assert (again.exit, again.json()["poured_files"]) == (0, 1), again
    assert bucket.head(place + "bad.bin")["ContentLength"] == 48 * MIB
