"""Pipelines into and out of a real store: what cat, tar and put moved is read back with boto3 and libs3."""

import hashlib
import io
import os
import signal
import subprocess
import tarfile
import threading
import time

import pytest
from lane import MIB, digest, until

FILE = "virtual/large"


@pytest.fixture
def shell(pour):
    """A script in bash where `hfpour` is the binary, with the gateway's and the Hub's settings."""
    env = pour.environment(S3_ENDPOINT_URL=pour.gateway.url, **pour.gateway.credentials)
    env["PATH"] = os.path.dirname(os.path.abspath(pour.binary)) + ":" + env["PATH"]

    def run(script, *arguments, status=0, **options):
        done = subprocess.run(["bash", "-c", "set -o pipefail; " + script, "bash", *arguments], env=env, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=300, check=False, **options)
        assert done.returncode == status, (done.returncode, done.stderr.decode())
        return done

    run.env = env
    return run


def check_object(bucket, key, content):
    assert digest(bucket.get(key)) == digest(content)
    assert bucket.libs3(key).split()[2] == digest(content)["sha256"]


def test_a_file_of_the_hub_through_a_pipe(shell, bucket, hub, prefix):
    content = hub.content(FILE)["w-0.bin"]
    key = prefix + "w.bin"
    shell(f"hfpour cat hf://{FILE}/w-0.bin | hfpour put - s3://{bucket.name}/{key} --sha256 {digest(content)['sha256']}")
    check_object(bucket, key, content)
    assert bucket.head(key)["Metadata"] == {"hf-hash": "sha256:" + digest(content)["sha256"]}
    assert shell(f"hfpour cat s3://{bucket.name}/{key} | sha256sum").stdout.split()[0].decode() == digest(content)["sha256"]
    part = shell(f"hfpour cat s3://{bucket.name}/{key} --range 8388600-8388700").stdout
    assert part == content[8388600:8388701]


def test_curl_through_a_pipe(shell, bucket, hub, prefix):
    content = hub.content(FILE)["tail.bin"]
    key = prefix + "tail.bin"
    url = f"{hub.url}/{FILE}/resolve/main/tail.bin"
    shell(f"curl -fsSL -r 0-{len(content) - 1} '{url}' | hfpour put - s3://{bucket.name}/{key}")
    check_object(bucket, key, content)


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 8 * MIB, 8 * MIB + 1])
def test_every_length(shell, bucket, prefix, size, tmp_path):
    content = hashlib.shake_128(b"pipe").digest(size)
    (tmp_path / "in").write_bytes(content)
    key = f"{prefix}{size}.bin"
    shell(f'cat "$1" | hfpour put - s3://{bucket.name}/{key}', tmp_path / "in")
    check_object(bucket, key, content)
    assert shell(f"hfpour cat s3://{bucket.name}/{key}").stdout == content


def test_an_archive(shell, hub, bucket, prefix):
    content = hub.content("virtual/gate")
    key = prefix + "gate.tar"
    shell(f"hfpour tar hf://virtual/gate | hfpour put - s3://{bucket.name}/{key}")
    with tarfile.open(fileobj=io.BytesIO(bucket.get(key))) as tar:
        assert {member.name: digest(tar.extractfile(member).read()) for member in tar} == {
            path: digest(data) for path, data in content.items()}


def test_a_wrong_hash_leaves_nothing(shell, bucket, prefix):
    key = prefix + "wrong.bin"
    done = shell(f"head -c 20000000 /dev/zero | hfpour put - s3://{bucket.name}/{key} --sha256 {'0' * 64}", status=7)
    assert b"0" * 64 in done.stderr and hashlib.sha256(bytes(20000000)).hexdigest().encode() in done.stderr
    assert bucket.head(key) is None


def test_an_object_that_is_replaced_while_it_is_read(shell, pour, bucket, prefix):
    """The gateway honours If-Match on a GET: what comes is of the first object, or nothing more comes."""
    key, size = prefix + "changing.bin", 160 * MIB  # more stripes than there are lanes
    old, new = b"o" * size, b"n" * size
    bucket.s3.put_object(Bucket=bucket.name, Key=key, Body=old)
    process = subprocess.Popen([pour.binary, "cat", f"s3://{bucket.name}/{key}", "--memory", "64Mi"],
                               env=shell.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    got = process.stdout.read(MIB)
    bucket.s3.put_object(Bucket=bucket.name, Key=key, Body=new)
    rest, stderr = process.communicate(timeout=120)
    assert (process.returncode, b"was replaced" in stderr) == (5, True), stderr
    assert set(got + rest) == {ord("o")} and len(got + rest) < size


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
def test_a_signal_leaves_nothing_behind(shell, pour, bucket, prefix, number, status):
    key = prefix + "signal.bin"
    process = subprocess.Popen([pour.binary, "put", "-", f"s3://{bucket.name}/{key}"], env=shell.env, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(bytes(20 * MIB))
    process.stdin.flush()
    until(lambda: bucket.stored_parts() >= 8 * MIB, "a part is stored")
    sent = time.monotonic()
    process.send_signal(number)
    guard = threading.Timer(60, process.kill)
    guard.start()
    process.wait()
    guard.cancel()
    assert process.returncode == status, process.stderr.read()
    assert time.monotonic() - sent < 10
    process.stdin.close()
    assert bucket.uploads() == [] and bucket.head(key) is None
