"""Runs that are ended at random moments, again and again, until the model is in the bucket: byte for byte, with little fetched
twice and no upload left open. A lane of its own (`kills`): each pours 6 GiB, and takes minutes.

HFPOUR_SEED repeats a run's moments.
"""

import hashlib
import os
import random
import signal

import lane
import pytest
from lane import MIB

LARGE = 3072 * MIB
SIZES = [1, 17, 4096, MIB, 3 * MIB + 1, 5 * MIB, 5 * MIB + 1, 9 * MIB, 16 * MIB, 24 * MIB + 7, 31 * MIB, 60 * MIB, 96 * MIB + 3,
         128 * MIB, 200 * MIB, 256 * MIB, 350 * MIB, 500 * MIB, 600 * MIB, 780 * MIB]  # as much again: both lanes end together
REPO = "virtual/kills"
lane.VIRTUAL["models"][REPO] = {"files": [{"path": "large.safetensors", "size": LARGE, "seed": 70}] + [
    {"path": f"folder/file-{i:02d}.bin", "size": size, "seed": 71 + i, "lfs": True} for i, size in enumerate(SIZES)]}
MODEL_BYTES = LARGE + sum(SIZES)
KILLS = 50
LAST_S = 600  # the last run may have most of it to pour, on cores that others take half of
# So many bytes a second that the model outlasts the kills; a run lives so long on average (seconds).
LIFE = {signal.SIGKILL: 6, signal.SIGTERM: 2}


class Ends:
    """When to end the runs: at moments that are random, and the same for the same seed."""

    def __init__(self, life):
        self.seed = int(os.environ.get("HFPOUR_SEED") or random.SystemRandom().randrange(10**6))
        self.random = random.Random(self.seed)
        self.life = life

    def next(self):
        return self.random.uniform(0.1, 2 * self.life - 0.1)


def check_bytes(bucket, hub, place):
    """boto3 and libs3 read what the Hub's listing promises, and nothing else is there."""
    files = hub.files(REPO)
    listed = bucket.list(place)
    assert set(listed) == {place + path for path in files} | {place + ".hfpour/manifest.json"}
    for path, entry in files.items():
        body, sha256, size = bucket.s3.get_object(Bucket=bucket.name, Key=place + path)["Body"], hashlib.sha256(), 0
        for chunk in body.iter_chunks(MIB):
            sha256.update(chunk)
            size += len(chunk)
        assert (size, sha256.hexdigest()) == (entry["size"], entry["lfs"]["oid"]), path
        assert bucket.libs3(place + path).split()[0::2] == [str(size), sha256.hexdigest()], path


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_ended_fifty_times(pour, bucket, hub, prefix, number):
    ends = Ends(LIFE[number])
    print("HFPOUR_SEED =", ends.seed)
    # Two lanes: more would only lose more parts that were under way, the connections are what limits.
    hub.admin("settings", {"cdn_rate": int(MODEL_BYTES / (KILLS * LIFE[number]) / 2)})
    arguments = (f"hf://{REPO}", f"s3://{bucket.name}/{prefix}", "--lanes", "2", "--part-size", "5Mi", "--gc-after", "0s")
    place = prefix + REPO + "/"
    killed = 0
    while killed < KILLS:
        run = pour.start(*arguments)
        moment = ends.next()
        result = None
        try:
            run.process.wait(timeout=moment)
        except lane.subprocess.TimeoutExpired:
            run.signal(number)
            result = run.wait(30) if number != signal.SIGKILL else run.process.wait(30)
            killed += 1
        else:
            pytest.fail(f"a run ended by itself after {killed} of {KILLS}: {run.wait().stderr}")
        assert result == -signal.SIGKILL or result.exit == 143 and result.seconds < moment + 10, result
        assert not any(key.endswith("manifest.json") for key in bucket.list(place)), "complete, and it cannot be"
    hub.admin("settings", {"cdn_rate": 0})
    last = pour.start(*arguments).wait(LAST_S)
    assert last.exit == 0, last
    fetched = sum(hub.counters()["bytes"].values())
    print(f"{fetched / MODEL_BYTES:.3f} of the model's bytes were fetched, {killed} runs ended")
    assert fetched <= 1.2 * MODEL_BYTES
    assert bucket.uploads() == []
    check_bytes(bucket, hub, place)
