# SPDX-License-Identifier: MIT
"""The discarding store of scripts/bench: what boto3, rclone and the AWS CLI leave in it is what they were given.

HFPOUR_SINK names the program: meson setup with -Dbench=enabled builds it as bench/hfpour_sink.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest

MIB = 1 << 20
BUCKET = "bench"


class Sink:
    def __init__(self, *options):
        path = os.environ.get("HFPOUR_SINK")
        assert path and os.access(path, os.X_OK), "HFPOUR_SINK must name the built program"
        self.process = subprocess.Popen([path, "--exit-with-parent", *map(str, options)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.endpoint = json.loads(self.process.stdout.readline())["endpoint"]
        self.port = int(self.endpoint.rsplit(":", 1)[1])

    def client(self, **options):
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="key",
                            aws_secret_access_key="secret", **options,
                            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))

    def counters(self):
        with urllib.request.urlopen(f"{self.endpoint}/_sink/counters", timeout=10) as answer:
            return json.load(answer)

    def sizes(self, prefix=""):
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=10)


@pytest.fixture
def sink():
    server = Sink()
    yield server
    server.stop()


@pytest.fixture
def environment(tmp_path, sink):
    return {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NO_PROXY": "*", "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1", "RCLONE_CONFIG": "",
            "RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_PROVIDER": "Ceph", "RCLONE_CONFIG_S3_ENV_AUTH": "true",
            "RCLONE_CONFIG_S3_ENDPOINT": sink.endpoint,
            "RCLONE_CONFIG_S3_USE_MULTIPART_ETAG": "false"}  # the sink's are no MD5s


def error_code(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


def test_objects_are_their_sizes(sink):
    s3 = sink.client()
    sizes = {"a": 0, "b c/d+e&f": 1, "g/é": 3 * MIB}
    for key, size in sizes.items():
        assert s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(size))["ETag"].endswith('-1"')
        assert s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == size
    assert sink.sizes() == sizes
    assert sink.counters()["body_bytes"] == sum(sizes.values())
    assert error_code(s3.get_object, Bucket=BUCKET, Key="a") == (403, "InvalidObjectState")
    assert error_code(s3.get_object, Bucket=BUCKET, Key="z") == (404, "NoSuchKey")
    s3.delete_object(Bucket=BUCKET, Key="a")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "b c/d+e&f"}]})
    assert sink.sizes() == {"g/é": 3 * MIB}


def test_notes_are_kept(sink):
    s3, key = sink.client(), "models/o/n/.hfpour/manifest.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"one")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"two")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"two"
    only_new = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key})
    request = urllib.request.Request(only_new, data=b"three", method="PUT", headers={"If-None-Match": "*"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 412
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"two"


def test_multipart_uploads(sink):
    s3 = sink.client()
    begun = s3.create_multipart_upload(Bucket=BUCKET, Key="m")["UploadId"]
    etags = [s3.upload_part(Bucket=BUCKET, Key="m", UploadId=begun, PartNumber=number, Body=bytes(5 * MIB + number))["ETag"]
             for number in (1, 2, 3)]
    assert len(set(etags)) == 3
    listed = s3.list_parts(Bucket=BUCKET, Key="m", UploadId=begun, MaxParts=2)
    assert [part["PartNumber"] for part in listed["Parts"]] == [1, 2] and listed["IsTruncated"]
    rest = s3.list_parts(Bucket=BUCKET, Key="m", UploadId=begun, PartNumberMarker=listed["NextPartNumberMarker"])
    assert [part["Size"] for part in rest["Parts"]] == [5 * MIB + 3] and rest["Parts"][0]["ETag"] == etags[2]
    assert [upload["Key"] for upload in s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]] == ["m"]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    wrong = parts + [{"PartNumber": 4, "ETag": '"x"'}]
    assert error_code(s3.complete_multipart_upload, Bucket=BUCKET, Key="m", UploadId=begun,
                      MultipartUpload={"Parts": wrong}) == (400, "InvalidPart")
    assert sink.sizes() == {}
    s3.complete_multipart_upload(Bucket=BUCKET, Key="m", UploadId=begun, MultipartUpload={"Parts": parts})
    assert sink.sizes() == {"m": 15 * MIB + 6}
    other = s3.create_multipart_upload(Bucket=BUCKET, Key="n")["UploadId"]
    s3.abort_multipart_upload(Bucket=BUCKET, Key="n", UploadId=other)
    assert error_code(s3.list_parts, Bucket=BUCKET, Key="n", UploadId=other) == (404, "NoSuchUpload")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET) and sink.counters()["uploads"] == 0


def test_long_lists(sink):
    s3 = sink.client()
    for number in range(2300):
        s3.put_object(Bucket=BUCKET, Key=f"p/{number % 3}/{number:04d}", Body=b"x" * (number % 7))
    s3.put_object(Bucket=BUCKET, Key="q", Body=b"")
    assert sink.sizes("p/") == {f"p/{number % 3}/{number:04d}": number % 7 for number in range(2300)}
    assert len(s3.list_objects_v2(Bucket=BUCKET)["Contents"]) == 1000
    first = s3.list_objects(Bucket=BUCKET, Prefix="p/", Delimiter="/", MaxKeys=2)
    assert [entry["Prefix"] for entry in first["CommonPrefixes"]] == ["p/0/", "p/1/"] and first["IsTruncated"]
    rest = s3.list_objects(Bucket=BUCKET, Prefix="p/", Delimiter="/", Marker=first["NextMarker"])
    assert [entry["Prefix"] for entry in rest["CommonPrefixes"]] == ["p/2/"] and not rest["IsTruncated"]


def test_each_answer_waits(tmp_path):
    server = Sink("--delay-ms", 150)
    try:
        begun = time.monotonic()
        workers = [threading.Thread(target=server.client().put_object, kwargs={"Bucket": BUCKET, "Key": str(i), "Body": b"x"})
                   for i in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        took = time.monotonic() - begun
        assert 0.15 <= took < 1.0, took  # side by side, not one after another
        begun = time.monotonic()
        assert len(server.sizes()) == 8
        assert time.monotonic() - begun >= 0.15
    finally:
        server.stop()


def test_what_it_refuses(sink):
    with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as raw:
        raw.sendall(b"PUT /bench/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 501 ")
    with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as raw:
        raw.sendall(b"PUT /bench/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert raw.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b"abc")
        assert raw.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert sink.sizes() == {"k": 3}


def test_tls(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sink", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"], cwd=tmp_path, check=True,
                   capture_output=True)
    server = Sink("--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem")
    try:
        s3 = server.client(verify=str(tmp_path / "cert.pem"))
        s3.put_object(Bucket=BUCKET, Key="t", Body=bytes(20 * MIB))
        assert s3.head_object(Bucket=BUCKET, Key="t")["ContentLength"] == 20 * MIB
    finally:
        server.stop()


def test_rclone(sink, environment, tmp_path):
    (tmp_path / "in").mkdir()
    sizes = {"small": 1000, "large": 30 * MIB + 1}
    for name, size in sizes.items():
        (tmp_path / "in" / name).write_bytes(bytes(size))
    subprocess.run(["rclone", "copy", str(tmp_path / "in"), f"s3:{BUCKET}/r", "--s3-no-check-bucket", "--s3-upload-cutoff", "10Mi"],
                   env=environment, check=True, timeout=60)
    assert sink.sizes() == {f"r/{name}": size for name, size in sizes.items()}
    assert sink.counters()["body_bytes"] >= sum(sizes.values())
    seen = subprocess.run(["rclone", "lsf", "-R", "--files-only", "--format", "ps", f"s3:{BUCKET}"], env=environment, check=True, timeout=60,
                          capture_output=True, text=True).stdout.split()
    assert sorted(seen) == sorted(f"r/{name};{size}" for name, size in sizes.items())


def test_aws(sink, environment, tmp_path):
    (tmp_path / "file").write_bytes(bytes(20 * MIB + 5))
    aws = ["/usr/bin/aws", "--endpoint-url", sink.endpoint, "s3"]
    subprocess.run([*aws, "cp", str(tmp_path / "file"), f"s3://{BUCKET}/a", "--only-show-errors"], env=environment, check=True,
                   timeout=60)
    with open(tmp_path / "file", "rb") as stdin:
        subprocess.run([*aws, "cp", "-", f"s3://{BUCKET}/b"], stdin=stdin, env=environment, check=True, timeout=60)
    assert sink.sizes() == {"a": 20 * MIB + 5, "b": 20 * MIB + 5}
    subprocess.run([*aws, "rm", "--recursive", f"s3://{BUCKET}/", "--only-show-errors"], env=environment, check=True, timeout=60)
    assert sink.sizes() == {}


def test_it_ends_with_its_parent_and_by_a_signal():
    assert Sink().stop() == 0
    server = Sink()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=10) == 0
    server.process.stdin.close()
    server.process.stdout.close()
