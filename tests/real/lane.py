"""What the tests of this lane talk to besides the verbs of the flow tests: a real Ceph gateway, and two readers of it."""

import hashlib
import http.client
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import support

TESTS = pathlib.Path(__file__).resolve().parent.parent
CEPH_RGW = TESTS.parent / "scripts" / "lib" / "ceph-rgw"
DEMO_MODEL = TESTS.parent / "scripts" / "lib" / "demo-model"

MIB, PART = support.MIB, support.PART
STATE = ".hfpour/"  # hfpour's own objects below a model's place
ROLE = "pourer"
SMALL_QUOTA = 20 * MIB

DEMO = "demo/tiny-ocr"
# Bytes the stand-in makes up on the fly; their hashes are what its listing says.
VIRTUAL = {"models": {
    "virtual/parts": {"files": [
        {"path": "one-part.bin", "size": 5 * MIB, "seed": 1},
        {"path": "two-parts.bin", "size": 10 * MIB, "seed": 2},
        {"path": "two-parts-and-a-byte.bin", "size": 10 * MIB + 1, "seed": 3},
        {"path": "three-parts-less-a-byte.bin", "size": 15 * MIB - 1, "seed": 4},
        {"path": "one-byte.bin", "size": 1, "seed": 5, "lfs": True},
        {"path": "nothing.bin", "size": 0, "lfs": True}]},
    "virtual/striped": {"files": [{"path": "weights.bin", "size": 64 * MIB, "seed": 6}]},
    "virtual/gate": {"files": [
        {"path": "a.bin", "size": 12 * MIB, "seed": 7},
        {"path": "bad.bin", "size": 48 * MIB, "seed": 8},
        {"path": "c.bin", "size": 20 * MIB, "seed": 9},
        {"path": "README.md", "text": "not harmed\n"}]},
    "virtual/large": {"files": [
        {"path": "w-{:d}.bin", "count": 3, "size": 72 * MIB, "seed": 10},
        {"path": "tail.bin", "size": 41 * MIB + 7, "seed": 11},
        {"path": "config.json", "text": "{}\n"}]},
    "virtual/too-much": {"files": [
        {"path": "first.txt", "text": "fits\n"},
        {"path": "weights.bin", "size": 64 * MIB, "seed": 12}]},
}}


def need_program(variable):
    """The program an environment variable names; a missing one is a failure, not a reason to skip."""
    path = os.environ.get(variable, "")
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise FileNotFoundError(f"{variable} must name a program, it is {path!r}")
    return path


def until(condition, what, seconds=20):
    """The first true value of `condition`, which asks a server or a file and so needs no pause of its own."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
    raise AssertionError(f"{what}: not within {seconds} s")


def ended(run):
    """Whether a run has; its exit status stays for `wait`."""
    return os.waitid(os.P_PID, run.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


# --- the Hub ----------------------------------------------------------------------------------------------------


class Hub(support.Hub):
    """The stand-in Hub of the flow tests with the demo model and the virtual repositories."""

    def __init__(self, folder, *options):
        subprocess.run([sys.executable, "-B", DEMO_MODEL, folder], check=True, capture_output=True)
        virtual = folder / "virtual.json"
        virtual.write_text(json.dumps(VIRTUAL), encoding="utf-8")
        super().__init__(folder, "--virtual", virtual, *options)

    def reset(self):
        """No faults, no counts, full speed."""
        super().reset()
        self.admin("settings", {"cdn_rate": 0})

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return answer.read()

    def commit(self, repo):
        return json.loads(self.ask(f"/api/models/{repo}"))["sha"]

    def files(self, repo):
        """{path: listing entry} of every file."""
        tree = json.loads(self.ask(f"/api/models/{repo}/tree/main?recursive=true"))
        return {entry["path"]: entry for entry in tree if entry["type"] == "file"}

    def content(self, repo):
        """{path: bytes} of the whole repository, at full speed from here on."""
        self.admin("settings", {"cdn_rate": 0})
        return {path: self.ask(f"/{repo}/resolve/main/{urllib.parse.quote(path)}") for path in self.files(repo)}


# --- the store --------------------------------------------------------------------------------------------------


class Gateway:
    """A real Ceph RADOS Gateway of its own; a context manager."""

    def __init__(self):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="hfpour-real-"))
        self.sts = False

    def __enter__(self):
        try:
            answer = subprocess.run([CEPH_RGW, "up", self.state], check=True, stdout=subprocess.PIPE, text=True)
            facts = dict(word.split("=", 1) for word in shlex.split(answer.stdout))
            self.url, self.tls_url = facts["S3_ENDPOINT_URL"], facts["S3_TLS_ENDPOINT_URL"]
            self.ca, self.bucket = facts["S3_CA_FILE"], facts["S3_BUCKET"]
            self.credentials = {name: facts[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        subprocess.run([CEPH_RGW, "down", self.state], check=False)
        shutil.rmtree(self.state, ignore_errors=True)

    def prepare(self):
        """All that needs radosgw-admin: after a restart, for half a minute, its changes wait for the dead gateway."""
        self.small = {"AWS_ACCESS_KEY_ID": "SMALLUSER00000000001", "AWS_SECRET_ACCESS_KEY": "small/secret+0123456789"}
        self.admin("user", "create", "--uid=small", "--display-name=small",
                   f"--access-key={self.small['AWS_ACCESS_KEY_ID']}",
                   f"--secret-key={self.small['AWS_SECRET_ACCESS_KEY']}")
        self.admin("quota", "set", "--quota-scope=bucket", "--uid=small", f"--max-size={SMALL_QUOTA}")
        self.admin("quota", "enable", "--quota-scope=bucket", "--uid=small")
        trust = {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/fixture"]}, "Action": ["sts:AssumeRole"]}
        allow = {"Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::*"}
        self.admin("role", "create", f"--role-name={ROLE}", "--assume-role-policy-doc=" + policy(trust))
        self.admin("role-policy", "put", f"--role-name={ROLE}", "--policy-name=all", "--policy-doc=" + policy(allow))

    def admin(self, *arguments):
        subprocess.run([self.state / "admin", *arguments], check=True, capture_output=True, timeout=60)

    def restart(self):
        """Kills radosgw with SIGKILL and starts it again."""
        subprocess.run([self.state / "rgw-restart"], check=True, timeout=60)

    def client(self, service="s3", credentials=None):
        keys = credentials or self.credentials
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1",
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"], aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=keys.get("AWS_SESSION_TOKEN"),
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 10}))

    def temporary_credentials(self):
        """An access key with a session token, from AssumeRole. The gateway has to be told to give any."""
        if not self.sts:
            with (self.state / "ceph.conf").open("a", encoding="utf-8") as conf:
                conf.write("rgw_sts_key = 0123456789abcdef\nrgw_s3_auth_use_sts = true\n")  # [client.rgw] is last
            self.restart()
            self.sts = True
        answer = self.client("sts").assume_role(RoleArn=f"arn:aws:iam:::role/{ROLE}", RoleSessionName="lane")
        given = answer["Credentials"]
        return {"AWS_ACCESS_KEY_ID": given["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
                "AWS_SESSION_TOKEN": given["SessionToken"]}

    def access_log(self):
        return (self.state / "log" / "client.rgw.log").read_text(encoding="utf-8", errors="replace")


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Bucket:
    """A bucket through boto3's eyes, and through those of libs3."""

    def __init__(self, gateway, name=None, credentials=None):
        self.gateway = gateway
        self.name = name or gateway.bucket
        self.credentials = credentials or gateway.credentials
        self.s3 = gateway.client(credentials=self.credentials)

    def list(self, prefix=""):
        """{key: listing entry}"""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return {entry["Key"]: entry for page in pages for entry in page.get("Contents", [])}

    def get(self, key):
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()

    def head(self, key):
        """None when there is no such object."""
        try:
            return self.s3.head_object(Bucket=self.name, Key=key)
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def uploads(self):
        pages = self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=self.name)
        return [(upload["Key"], upload["UploadId"]) for page in pages for upload in page.get("Uploads", [])]

    def stored_parts(self):
        """Bytes in the parts of all open uploads."""
        total = 0
        for key, upload in self.uploads():
            try:
                pages = self.s3.get_paginator("list_parts").paginate(Bucket=self.name, Key=key, UploadId=upload)
                total += sum(part["Size"] for page in pages for part in page.get("Parts", []))
            except self.s3.exceptions.NoSuchUpload:
                pass  # completed since it was listed
        return total

    def manifest(self, place):
        return json.loads(self.get(place + STATE + "manifest.json"))

    def libs3(self, *arguments):
        host = urllib.parse.urlsplit(self.gateway.url).netloc
        done = subprocess.run([need_program("LIBS3_READ"), host, self.name, *arguments], capture_output=True, text=True,
                              timeout=600, check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **self.credentials})
        assert done.returncode == 0, f"libs3_read {arguments}: {done.stderr}"
        return done.stdout


def digest(data):
    """What the two readers tell of an object."""
    return {"size": len(data), "md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest()}


def assert_holds(bucket, place, content, state=("manifest.json",)):
    """Below `place` there are these files and the objects of hfpour's own, nothing else, and both readers see the same bytes.

    The ETags are the ones computed here from the bytes, the ones the store lists, and the ones the manifest records.
    """
    listed = bucket.list(place)
    assert set(listed) == {place + path for path in content} | {place + STATE + name for name in state}
    manifest = bucket.manifest(place)
    assert manifest["complete"] is True
    records = {record["path"]: record for record in manifest["files"]}
    assert set(records) == set(content)
    seen_by_libs3 = {}
    for line in bucket.libs3("--list", place).splitlines():
        size, etag, key = line.split(" ", 2)
        seen_by_libs3[key] = (int(size), etag)
    for path, data in content.items():
        key, record, wanted = place + path, records[path], digest(data)
        assert digest(bucket.get(key)) == wanted, key
        assert bucket.libs3(key).split() == [str(wanted["size"]), wanted["md5"], wanted["sha256"]], key
        etag = support.etag_of(data, record["part_size"], multipart="-" in record["etag"])
        assert listed[key]["ETag"].strip('"') == etag == record["etag"], key
        assert seen_by_libs3[key] == (wanted["size"], etag), key
        assert record["size"] == listed[key]["Size"] == wanted["size"], key


def hub_hash(entry):
    """How hfpour notes the hash that the Hub's listing promises."""
    return "sha256:" + entry["lfs"]["oid"] if "lfs" in entry else "git-sha1:" + entry["oid"]


# --- hfpour -----------------------------------------------------------------------------------------------------


class Pourer(support.Pourer):
    """The binary between the Hub and the gateway; it answers in JSON. Settings by keyword, None takes one away."""

    def __init__(self, hub, gateway):
        super().__init__(need_program("HFPOUR_BINARY"), hub)
        self.gateway = gateway
        self.runs = []

    def start(self, *arguments, credentials=None, **settings):
        env = {"S3_ENDPOINT_URL": self.gateway.url, **(credentials or self.gateway.credentials), **settings}
        self.runs.append(super().start(*arguments, "--json", env=env))
        return self.runs[-1]

    def end(self):
        """No run outlives its test, however that ended."""
        for run in self.runs:
            if run.process.returncode is None:
                run.signal(signal.SIGKILL)
                run.process.wait()

    def __call__(self, *arguments, **settings):
        return self.start(*arguments, **settings).wait()


# --- one object -------------------------------------------------------------------------------------------------


class Watch:
    """Asks, as often as it is told to, whether an object exists; plain HTTP, presigned."""

    def __init__(self, bucket, key):
        url = urllib.parse.urlsplit(bucket.s3.generate_presigned_url(
            "head_object", Params={"Bucket": bucket.name, "Key": key}, ExpiresIn=600))
        self.target = f"{url.path}?{url.query}"
        self.connection = http.client.HTTPConnection(url.netloc, timeout=30)
        self.statuses = []

    def look(self):
        self.connection.request("HEAD", self.target)
        answer = self.connection.getresponse()
        answer.read()
        self.statuses.append(answer.status)
