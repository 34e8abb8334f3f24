# SPDX-License-Identifier: MIT
"""Where the bytes go: the discarding sink, or a real Ceph RADOS Gateway."""

import json
import os
import pathlib
import shlex
import subprocess

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parent.parent


def make_certificates(folder):
    """A throwaway authority and a certificate for loopback: (authority, certificate, key)."""
    folder.mkdir(parents=True)

    def openssl(*arguments):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                        *arguments], cwd=folder, check=True, capture_output=True)

    openssl("-subj", "/CN=bench authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
            "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-keyout", "server.key", "-out", "server.pem")
    return folder / "ca.pem", folder / "server.pem", folder / "server.key"


class Store:
    """An endpoint with credentials and a bucket."""

    name = ""

    def __init__(self, endpoint, key, secret, bucket, authority=None):
        self.bucket = bucket
        self.environment = {"S3_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
                            "AWS_DEFAULT_REGION": "us-east-1", "BUCKET": bucket}
        self.s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key,
                               aws_secret_access_key=secret, verify=str(authority) if authority else None,
                               config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"},
                                                             proxies={}))

    def sizes(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def open_uploads(self):
        return self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])

    def clear(self):
        keys = [{"Key": key} for key in self.sizes()]
        for begin in range(0, len(keys), 1000):
            self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": keys[begin:begin + 1000], "Quiet": True})
        for upload in self.open_uploads():
            self.s3.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    def put_url(self, key):
        return self.s3.generate_presigned_url("put_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=36000)


class Sink(Store):
    """Answers like S3 and throws the bytes away."""

    name = "the sink"

    def __init__(self, program, delay_ms=0, tls=None):
        """`tls`: (authority, certificate, key)."""
        options = ["--tls-cert", str(tls[1]), "--tls-key", str(tls[2])] if tls else []
        self.process = subprocess.Popen([program, "--exit-with-parent", "--delay-ms", str(delay_ms), *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        endpoint = json.loads(self.process.stdout.readline())["endpoint"]
        # Its ETags are no MD5s, and of a multipart upload rclone would insist on that; it computes them all the same.
        super().__init__(endpoint, "bench-key", "bench-secret", "bench", tls[0] if tls else None)
        self.environment["RCLONE_CONFIG_S3_USE_MULTIPART_ETAG"] = "false"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


class Ceph(Store):
    """Debian's Ceph RADOS Gateway with everything in memory."""

    name = "Ceph RGW"

    def __init__(self, folder, gigabytes):
        self.folder = folder
        answer = subprocess.run([ROOT / "scripts/lib/ceph-rgw", "up", folder], check=True, stdout=subprocess.PIPE, text=True,
                                env={**os.environ, "CEPH_STORE_GB": str(gigabytes)})
        facts = dict(word.split("=", 1) for word in shlex.split(answer.stdout))
        super().__init__(facts["S3_ENDPOINT_URL"], facts["AWS_ACCESS_KEY_ID"], facts["AWS_SECRET_ACCESS_KEY"],
                         facts["S3_BUCKET"])

    def stop(self):
        subprocess.run([ROOT / "scripts/lib/ceph-rgw", "down", self.folder], check=False)
