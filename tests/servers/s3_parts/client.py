"""Starts a stand-in store as a process and talks to it, for tests."""

import hashlib
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import urllib.parse

from .sigv4 import Credential, UNSIGNED, canonical_query, percent_encode, presign, sign

SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "s3.py")
KEY, SECRET = "test-key-id", "test/secret+key"


class Reply:
    """A whole answer."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {n.lower(): v for n, v in headers}

    @property
    def code(self):
        """The error code in the body, or an empty string."""
        found = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return found.group(1).decode() if found and b"<Error" in self.body else ""

    def texts(self, name):
        """The texts of all elements of that name."""
        found = re.findall(r"<%s>([^<]*)</%s>" % (name, name), self.body.decode())
        return [t.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">")
                .replace("&apos;", "'").replace("&amp;", "&") for t in found]

    def text(self, name):
        return (self.texts(name) or [""])[0]

    @property
    def etag(self):
        return self.headers.get("etag", "").strip('"')

    def __repr__(self):
        return "Reply(%s, %s, %r)" % (self.status, self.headers, self.body[:300])


class Standin:
    """A running store; a context manager."""

    def __init__(self, *options, bucket="bucket", credential=None, cafile=None):
        self.bucket = bucket
        self.credential = credential or Credential(KEY, SECRET)
        command = [sys.executable, SCRIPT, "--bucket", bucket, "--exit-with-parent",
                   "--access-key", self.credential.access_key,
                   "--secret-key", self.credential.secret_key, *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.endpoint = json.loads(self.process.stdout.readline())["endpoint"]
        self.host = urllib.parse.urlsplit(self.endpoint).netloc
        self.context = ssl.create_default_context(cafile=cafile) if cafile else None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        """Ends the process and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.stdin.close()
        code = self.process.wait(timeout=10)
        self.process.stdout.close()
        return code

    # ---- plain HTTP

    def connect(self, timeout=20):
        if self.context:
            return http.client.HTTPSConnection(self.host, timeout=timeout, context=self.context)
        return http.client.HTTPConnection(self.host, timeout=timeout)

    def exchange(self, method, target, headers, body=None, conn=None):
        """Sends exactly these headers, plus a length for a body."""
        own = conn is None
        conn = conn or self.connect()
        conn.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        names = [n.lower() for n, _ in headers]
        for name, value in headers:
            conn.putheader(name, value)
        if body is not None and not {"content-length", "transfer-encoding"} & set(names):
            conn.putheader("Content-Length", str(len(body)))
        conn.endheaders()
        if body:
            try:
                conn.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass                                 # an early answer may be waiting
        try:
            got = conn.getresponse()
            return Reply(got.status, got.getheaders(), got.read())
        finally:
            if own:
                conn.close()

    def admin(self, route, value=None, method=None):
        """A route under /_admin/; the decoded answer."""
        method = method or ("GET" if value is None else "POST")
        body = None if value is None else json.dumps(value).encode()
        reply = self.exchange(method, "/_admin/" + route, [("Host", self.host)], body)
        if reply.status != 200:
            raise ValueError(reply.body.decode())
        return json.loads(reply.body) if "json" in reply.headers["content-type"] else reply.body

    def fault(self, mode, **entry):
        """Adds one fault."""
        return self.admin("faults", [dict(entry, mode=mode)])

    # ---- signed requests

    def path(self, key=None):
        text = "/" + self.bucket
        return text if key is None else text + "/" + percent_encode(key.encode(), True)

    def target(self, path, query):
        pairs = [(n.encode(), str(v).encode()) for n, v in (query or {}).items()]
        return pairs, path + ("?" + canonical_query(pairs) if pairs else "")

    def signed(self, method, path, query=None, headers=(), payload=UNSIGNED, credential=None,
               region="us-east-1", now=None, host=None):
        """The target and the complete header list of a request."""
        pairs, target = self.target(path, query)
        return target, sign(method, path, pairs, [("Host", host or self.host)] + list(headers),
                            credential or self.credential, region, payload, now)

    def call(self, method, key=None, query=None, headers=(), body=None, conn=None, path=None,
             **more):
        """One signed request on the bucket or a key in it."""
        target, every = self.signed(method, path or self.path(key), query, headers, **more)
        if body is None and method in ("PUT", "POST"):
            body = b""
        return self.exchange(method, target, every, body, conn)

    def presigned(self, method, key, **more):
        path = self.path(key)
        return path + "?" + presign(method, path, [], self.host, self.credential, **more)

    # ---- multipart, step by step

    def create(self, key, headers=()):
        reply = self.call("POST", key, {"uploads": ""}, headers)
        if reply.status != 200:
            raise ValueError(repr(reply))
        return reply.text("UploadId")

    def part(self, key, upload, number, data, **more):
        return self.call("PUT", key, {"partNumber": number, "uploadId": upload}, body=data,
                         **more)

    def complete(self, key, upload, parts, **more):
        """`parts` is a list of (number, etag or bytes)."""
        body = "".join("<Part><PartNumber>%d</PartNumber><ETag>\"%s\"</ETag></Part>" % (
            n, hashlib.md5(e).hexdigest() if isinstance(e, bytes) else e) for n, e in parts)
        return self.call("POST", key, {"uploadId": upload},
                         body=("<CompleteMultipartUpload>%s</CompleteMultipartUpload>"
                               % body).encode(), **more)

    def upload(self, key, pieces):
        """Uploads all pieces and returns (upload id, parts), not yet completed."""
        upload = self.create(key)
        for number, piece in enumerate(pieces, 1):
            self.part(key, upload, number, piece)
        return upload, list(enumerate(pieces, 1))

    # ---- looking

    def keys(self):
        return sorted(o["key"] for o in self.admin("state")["objects"])

    def journal(self):
        return [(e["key"], e["size"]) for e in self.admin("state")["journal"]]


def joined_etag(pieces):
    """The ETag a multipart object of these pieces must have."""
    digests = b"".join(hashlib.md5(p).digest() for p in pieces)
    return "%s-%d" % (hashlib.md5(digests).hexdigest(), len(pieces))
