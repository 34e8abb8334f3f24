"""A pipeline of any length in fixed memory: `head -c 100G /dev/zero | hfpour put -`, and files read back.

HFPOUR_BIG_BYTES sets how much is put (as it comes 6 GiB); a quarter of it is read by cat. HFPOUR_PUT_BYTES, as it comes the same, goes into
the bench's store, HFPOUR_SINK, which throws bytes away faster than they come.
"""

import json
import os
import subprocess
import urllib.request

import pytest
from pipe_support import Piper
from support import BUCKET, MIB, Hub, Pourer, Store
from test_memory import Sampler

pytestmark = pytest.mark.own_size

BIG = int(os.environ.get("HFPOUR_BIG_BYTES", 6 << 30))
PUT = int(os.environ.get("HFPOUR_PUT_BYTES", BIG))
DEADLINE_S = max(300, max(BIG, PUT) // (50 * MIB))
URI = f"s3://{BUCKET}/big.bin"


@pytest.fixture(scope="module")
def pipe(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipe")
    spec = folder / "spec.json"
    spec.write_text(json.dumps({"models": {"me/one": {"files": [{"path": "one.bin", "size": BIG // 4, "seed": 8}]}}}), "utf-8")
    (folder / "root").mkdir()
    hub, store = Hub(folder / "root", "--virtual", spec, "--digest-cache", folder / "digests.json"), Store("--keep", "none")
    yield Piper(Pourer(binary, hub, store))
    store.stop()
    hub.stop()


def sampled(process, feeder=None):
    sampler = Sampler(process.pid)
    try:
        stdout, stderr = process.communicate(timeout=DEADLINE_S)
    finally:
        sampler.stop()
        if feeder:
            feeder.wait(timeout=60)
    assert process.returncode == 0, stderr
    print("peak %.1f MiB resident, %.1f MiB with sockets, %d samples" % (
        sampler.high_water / MIB, sampler.peak / MIB, sampler.samples))
    assert sampler.samples > 5
    return stdout, sampler


def zeros(count):
    return subprocess.Popen(["head", "-c", str(count), "/dev/zero"], stdout=subprocess.PIPE)


@pytest.mark.parametrize("memory, total", [("64Mi", BIG), ("256Mi", BIG // 4)])
def test_put_of_a_long_stream(pipe, memory, total):
    pipe.pour.store.reset()
    feeder = zeros(total)
    process = pipe.start("put", "-", URI, "--memory", memory, stdin=feeder.stdout)
    feeder.stdout.close()
    _, sampler = sampled(process, feeder)
    assert max(sampler.high_water, sampler.peak) <= int(memory[:-2]) * MIB
    entry = pipe.pour.store.objects()["big.bin"]
    assert entry["size"] == total
    sizes = entry["part_sizes"]
    assert sizes[0] == 8 * MIB and sorted(sizes[:-1]) == sizes[:-1]
    if len(sizes) > 501:
        assert sizes[500] == 16 * MIB, "parts grow as the stream goes on"
    assert pipe.pour.store.uploads() == []


@pytest.fixture
def sink():
    """The endpoint of the store that forgets everything but sizes."""
    program = os.environ.get("HFPOUR_SINK")
    assert program, "HFPOUR_SINK must name bench/hfpour_sink of a build with -Dbench=enabled"
    process = subprocess.Popen([program, "--exit-with-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield json.loads(process.stdout.readline())["endpoint"]
    process.stdin.close()
    process.stdout.close()
    assert process.wait(timeout=10) == 0


def test_put_of_a_stream_without_end_nearly(pipe, sink):
    """Longer than 10,000 parts of the first size, and memory stays where it is. Without MD5, which would take two of four minutes
    here; the streams above have it."""
    feeder = zeros(PUT)
    process = pipe.start("put", "-", f"s3://{BUCKET}/endless.bin", "--memory", "64Mi", "--upload-check", "none", stdin=feeder.stdout,
                         env={"S3_ENDPOINT_URL": sink})
    feeder.stdout.close()
    _, sampler = sampled(process, feeder)
    assert max(sampler.high_water, sampler.peak) <= 64 * MIB
    with urllib.request.urlopen(urllib.request.Request(f"{sink}/{BUCKET}/endless.bin", method="HEAD"), timeout=10) as answer:
        assert int(answer.headers["Content-Length"]) == PUT
    with urllib.request.urlopen(f"{sink}/_sink/counters", timeout=10) as answer:
        assert json.load(answer)["body_bytes"] >= PUT, "every byte has really arrived"


@pytest.mark.parametrize("memory", ["64Mi", "256Mi"])
def test_cat_of_a_long_file(pipe, memory):
    process = pipe.start("cat", "hf://me/one/one.bin", "--memory", memory)
    reader = subprocess.Popen(["sha256sum"], stdin=process.stdout, stdout=subprocess.PIPE)
    process.stdout.close()
    process.stdout = None
    _, sampler = sampled(process)
    said = reader.communicate(timeout=60)[0].split()[0].decode()
    assert max(sampler.high_water, sampler.peak) <= int(memory[:-2]) * MIB
    listing = pipe.pour.hub.url + "/api/models/me/one/tree/main?recursive=true"
    with urllib.request.urlopen(listing, timeout=60) as answer:
        assert json.load(answer)[0]["lfs"]["oid"] == said
