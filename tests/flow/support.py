"""The verbs of the flow tests: a stand-in Hub, a stand-in store, and the real binary between them."""

import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
SERVERS = HERE.parent / "servers"
KEY_ID, SECRET_KEY = "AKIAFLOWTESTS0000001", "flow/secret+key/never-to-be-seen-anywhere"
TOKEN = "hf_FlowTestsTokenNeverToBeSeen"
BUCKET = "bucket"
MIB = 1 << 20
PART = 8 * MIB
DEADLINE_S = 120

# What must never be printed, whatever happens: secrets, and anything that looks like a signed query.
FORBIDDEN = [SECRET_KEY, TOKEN, "Signature=", "X-Amz-Signature", "Policy=", "Expires=", "Key-Pair-Id=", "Bearer "]


class Server:
    """A stand-in process and its admin routes."""

    def __init__(self, script, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-B", str(SERVERS / script), "--exit-with-parent", *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())

    def connection(self, timeout):
        parts = urllib.parse.urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def fetch(self, target, value=None, timeout=60):
        """The body of an admin route: GET without a value, POST with one."""
        connection = self.connection(timeout)
        try:
            connection.request("GET" if value is None else "POST", "/_admin/" + target,
                               body=None if value is None else json.dumps(value))
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, (target, value, answer.status, body)
            return body
        finally:
            connection.close()

    def admin(self, name, value=None, timeout=60):
        body = self.fetch(name, value, timeout)
        return json.loads(body) if body else None

    def counters(self):
        return self.admin("counters")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


class Hub(Server):
    """The stand-in Hub. Repositories are folders below `root`, made with `repo`."""

    def __init__(self, root, *options):
        self.root = pathlib.Path(root)
        super().__init__("hub.py", "--root", root, *options)
        self.url, self.cdn = self.ready["hub"], self.ready["cdn"]

    def repo(self, name, files, about=None, kind="models"):
        """Writes a repository; `files` maps paths to bytes, `about` is its .hub.json."""
        folder = self.root / kind / name
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        folder.mkdir(parents=True, exist_ok=True)
        if about is not None:
            (folder / ".hub.json").write_text(json.dumps(about), encoding="utf-8")
        return folder

    def fault(self, mode, **parameters):
        self.admin("faults", [{"id": mode, **parameters}])

    def reset(self):
        self.admin("reset", {"all": True})

    def requests(self):
        """How many requests it has seen, admin routes not counted."""
        return sum(self.counters()["requests"].values())


class Store(Server):
    """The stand-in store, with one bucket."""

    def __init__(self, *options):
        super().__init__("s3.py", "--bucket", BUCKET, "--access-key", KEY_ID, "--secret-key", SECRET_KEY, *options)
        self.url = self.ready["endpoint"]

    def fault(self, mode, **parameters):
        self.admin("faults", [{"mode": mode, **parameters}])

    def reset(self):
        self.admin("reset", {"objects": True})

    def state(self):
        return self.admin("state")

    def objects(self):
        """What is visible now: key -> {size, etag, sha256, meta, ...}."""
        found = self.state()["objects"]
        return {entry["key"]: entry for entry in (found.values() if isinstance(found, dict) else found)}

    def uploads(self):
        found = self.state()["uploads"]
        return list(found.values()) if isinstance(found, dict) else found

    def orphans(self):
        """The open uploads that no checkpoint claims: nobody would ever go on with them."""
        claimed = set()
        for key in self.objects():
            if key.endswith("/.hfpour/checkpoint.json"):
                claimed |= {one["upload"] for one in json.loads(self.body(key)).get("unfinished", ())}
        return [upload for upload in self.uploads() if upload["id"] not in claimed]

    def journal(self):
        """Each time a key became visible, in order."""
        return self.state()["journal"]

    def body(self, key):
        return self.fetch("object?" + urllib.parse.urlencode({"bucket": BUCKET, "key": key}))

    def left_alone(self):
        """Waits until the requests of programs that have ended are over too: a store goes on with what it has got."""
        assert self.admin("wait?event=open&count=1&timeout_s=30")["ok"], self.counters()["in_flight"]

    def manifest(self, base):
        return json.loads(self.body(base + ".hfpour/manifest.json"))

    def requests(self):
        return sum(self.counters()["requests"].values())


@dataclass
class Result:
    exit: int
    stdout: str
    stderr: str
    seconds: float

    def json(self):
        return json.loads(self.stdout)


@dataclass
class Running:
    """A run that has not ended yet."""
    process: subprocess.Popen
    begun: float
    output: dict = field(default_factory=dict)
    readers: list = field(default_factory=list)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=DEADLINE_S):
        timer = threading.Timer(timeout, self.process.kill)
        timer.start()
        try:
            _, status = os.waitpid(self.process.pid, 0)
        finally:
            timer.cancel()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        for reader in self.readers:
            reader.join()
        result = Result(self.process.returncode, self.output["stdout"], self.output["stderr"],
                        time.monotonic() - self.begun)
        assert result.exit != -signal.SIGKILL, "killed after %s s:\n%s" % (timeout, result.stderr)
        look_for_secrets(result)
        return result


def look_for_secrets(result):
    for word in FORBIDDEN:
        assert word not in result.stdout, word
        assert word not in result.stderr, word


class Pourer:
    """The binary, with a clean environment that knows both stand-ins."""

    def __init__(self, binary, hub=None, store=None):
        self.binary = str(binary)
        self.hub, self.store = hub, store

    def environment(self, **more):
        env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8",
               "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        for name in os.environ:
            if name.startswith(("ASAN_", "UBSAN_", "TSAN_", "LSAN_")):
                env[name] = os.environ[name]
        if self.hub:
            env["HF_ENDPOINT"] = self.hub.url
        if self.store:
            env["S3_ENDPOINT_URL"] = self.store.url
        env.update(more)
        return {name: str(value) for name, value in env.items() if value is not None}

    def start(self, *arguments, env=None):
        """Begins a run; `env` adds to the environment, a value of None takes a name away."""
        process = subprocess.Popen([self.binary, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment(**(env or {})))
        running = Running(process, time.monotonic())

        def read(name, stream):
            running.output[name] = stream.read().decode("utf-8")
            stream.close()

        for name in ("stdout", "stderr"):
            reader = threading.Thread(target=read, args=(name, getattr(process, name)))
            reader.start()
            running.readers.append(reader)
        return running

    def __call__(self, *arguments, env=None, timeout=DEADLINE_S):
        return self.start(*arguments, env=env).wait(timeout)


def wait_until(true, timeout=30, every=0.01):
    """Looks again and again until `true()` is; fails after the timeout."""
    ended = threading.Event()
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < timeout, "it did not happen within %s s" % timeout
        ended.wait(every)


def data(size, seed=1):
    """`size` bytes that repeat only after 251 * 65,521, so that a shifted or swapped piece shows."""
    block = hashlib.shake_128(b"%d" % seed).digest(65521)
    ramp = bytes((i * 7 + seed) % 251 for i in range(251))
    whole = bytearray((block * (size // len(block) + 1))[:size])
    whole[::1009] = (ramp * (len(whole[::1009]) // 251 + 1))[:len(whole[::1009])]
    return bytes(whole)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def git_blob(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def etag_of(content, part=PART, multipart=None):
    """The ETag a store gives: the MD5, or the MD5 of the parts' MD5s."""
    if multipart is None:
        multipart = len(content) > part
    if not multipart:
        return hashlib.md5(content).hexdigest()
    pieces = [hashlib.md5(content[i:i + part]).digest() for i in range(0, len(content), part)]
    return "%s-%d" % (hashlib.md5(b"".join(pieces)).hexdigest(), len(pieces))
