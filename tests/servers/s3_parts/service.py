"""The S3 service: signature, faults, operation, answer, for one request at a time."""

import base64
import hashlib
import re
import select
import threading
import time

from . import multipart, objects
from .answers import Answer, S3Error, error_document, request_id
from .faults import STATUS_OF
from .sigv4 import SignatureError
from .store import Segment
from .wire import Abandon, Body, Closed, Deframer, receive

MAX_PUT_BYTES = 5 * 1024 ** 3
_HANDLERS = {
    "HeadBucket": objects.head_bucket, "CreateBucket": objects.create_bucket,
    "DeleteBucket": objects.delete_bucket, "ListBuckets": objects.list_buckets,
    "GetBucketLocation": objects.location, "GetBucketVersioning": objects.versioning,
    "ListObjects": objects.list_objects, "ListObjectsV2": objects.list_objects,
    "DeleteObjects": objects.delete_objects, "PutObject": objects.put_object,
    "GetObject": objects.get_object, "HeadObject": objects.get_object,
    "DeleteObject": objects.delete_object, "CopyObject": objects.copy_object,
    "CreateMultipartUpload": multipart.create, "UploadPart": multipart.upload_part,
    "ListParts": multipart.list_parts, "ListMultipartUploads": multipart.list_uploads,
    "CompleteMultipartUpload": multipart.complete, "AbortMultipartUpload": multipart.abort,
}
_CODE_OF = {400: "InvalidRequest", 403: "AccessDenied", 404: "NoSuchKey", 409:
            "OperationAborted", 411: "MissingContentLength", 412: "PreconditionFailed",
            429: "TooManyRequests", 500: "InternalError", 501: "NotImplemented",
            502: "BadGateway", 503: "SlowDown", 504: "GatewayTimeout"}


class Service:
    """Everything an operation needs; one for the whole process."""

    def __init__(self, options, store, faults, counters, verifier):
        self.options, self.store, self.faults = options, store, faults
        self.counters, self.verifier = counters, verifier
        self.aws = options.profile == "aws"
        self.stop = threading.Event()
        self.open = set()                      # connections, to be closed at the end
        self.release = threading.Event()       # ends stalls; replaced when it was set

    # ---- the course of a request

    def authenticate(self, rq):
        """Checks the signature; the clock may be off by a fault."""
        rq.clock_offset = self.options.clock_offset + self.faults.clock_offset(rq)
        head = rq.head
        try:
            rq.signed = self.verifier.verify(head.method, head.path, head.query, head.headers,
                                             time.time() + rq.clock_offset)
        except SignatureError as error:
            self.counters.auth_failure(error.code)
            headers = [("x-amz-bucket-region", error.extra["Region"])] \
                if head.method == "HEAD" and "Region" in error.extra else []
            raise S3Error(error.code, error.message, error.status, headers,
                          **error.extra) from None

    def perform(self, rq, conn):
        """Runs the operation with its faults and returns an Answer."""
        plan = rq.plan
        mode = plan.mode()
        at = plan.get("at", "after" if mode == "lost_answer" else "start")
        if "throttle" in plan.ambient:
            self._throttle(plan.ambient["throttle"])
        if mode in ("reset", "stall") and at == "start":
            self._disturb(rq, conn)
        if mode in ("reset", "stall") and at == "body":
            rq.body.trip_at = int(plan.get("bytes", 0))
            rq.body.trip = lambda: self._disturb(rq, conn)
        if mode == "status":
            when = plan.get("when", "early")
            if when == "late":
                rq.body.drain()
            if when != "after":
                return self._status(rq)
        if mode in ("redirect", "region_error", "head_403"):
            return getattr(self, "_" + mode)(rq)
        if mode == "forget_upload":
            with self.store.lock:
                self.store.uploads.pop(rq.query.get("uploadId", ""), None)
                self.store.finished.pop(rq.query.get("uploadId", ""), None)
        answer = self._operate(rq)
        if rq.op == "UploadPart" and self.options.latency_ms:
            self.wait(self.options.latency_ms / 1000)
        if "slow" in plan.ambient and plan.ambient["slow"].get("delay_ms"):
            self.wait(float(plan.ambient["slow"].get("delay_ms")) / 1000)
        if mode == "lost_answer" or (mode in ("reset", "stall") and at == "after"):
            self._disturb(rq, conn)
        if mode == "status":
            return self._status(rq)
        return self._spoil(rq, answer)

    def _operate(self, rq):
        handler = _HANDLERS.get(rq.op)
        if rq.bucket and rq.bucket not in self.store.buckets and rq.op != "CreateBucket":
            raise S3Error("NoSuchBucket", "The specified bucket does not exist")
        if handler is None:
            raise S3Error("MethodNotAllowed" if rq.op == "Unknown" and rq.head.method not in
                          ("GET", "PUT", "POST", "HEAD", "DELETE") else "NotImplemented",
                          "A header or parameter you provided implies functionality that is "
                          "not implemented")
        return handler(self, rq)

    def _spoil(self, rq, answer):
        """Changes a finished answer as the acting fault wants it."""
        mode, plan = rq.plan.mode(), rq.plan
        etag = next((v for n, v in answer.headers if n == "ETag"), None)
        if mode == "wrong_etag" and etag is not None:
            answer.set("ETag", '"%s"' % self.false_etag(rq, etag.strip('"')))
        elif mode == "empty_etag" and etag is not None:
            form = plan.get("form", "empty")
            answer.set("ETag", {"empty": "", "quotes": '""', "missing": None}[form])
        elif mode == "list_broken_xml":
            cut = int(plan.get("bytes", max(0, len(answer.body) - 40)))
            answer.body = answer.body[:cut] + plan.get("text", "<&").encode()
        return answer

    def _throttle(self, fault):
        with self.faults.lock:
            over = fault.over_rate(time.monotonic())
        if over:
            headers = []
            if fault.get("retry_after") is not None:
                headers.append(("Retry-After", str(fault.get("retry_after"))))
            raise S3Error(fault.get("code", "SlowDown"), "Please reduce your request rate.",
                          fault.get("status"), headers)

    def _disturb(self, rq, conn):
        """A reset, or a stall that lasts until it is released or the peer leaves."""
        if rq.plan.mode() == "stall":
            self.stall(conn)
            if rq.plan.get("then") == "continue" and not self.stop.is_set():
                return
        raise Abandon(reset=bool(rq.plan.get("reset", True)))

    def stall(self, conn):
        release = self.release
        self.counters.bump("stalls")
        self.counters.bump("stalled")
        try:
            poll = select.poll()
            poll.register(conn.sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
            while not release.is_set() and not self.stop.is_set():
                if poll.poll(0):
                    raise Closed()
                release.wait(0.1)
        except (OSError, ValueError):
            raise Closed() from None
        finally:
            self.counters.bump("stalled", -1)

    def end_stalls(self):
        old, self.release = self.release, threading.Event()
        old.set()

    def wait(self, seconds):
        self.stop.wait(seconds)

    # ---- answers made by faults

    def _status(self, rq):
        plan = rq.plan
        code = plan.get("code")
        status = int(plan.get("status") or STATUS_OF.get(code, 500))
        code = code or _CODE_OF.get(status, "InternalError")
        extra = {"Header": plan.get("header")} if plan.get("header") else {}
        answer = self.error_answer(rq, S3Error(code, plan.get("message", ""), status, **extra))
        if plan.get("html"):
            answer.body = ("<html>\r\n<head><title>%d</title></head>\r\n<body><center><h1>%d"
                           "</h1></center></body>\r\n</html>\r\n" % (status, status)).encode()
            answer.set("Content-Type", "text/html")
        if plan.get("body") is not None:
            answer.body = plan.get("body").encode()
        if plan.get("retry_after") is not None:
            answer.set("Retry-After", str(plan.get("retry_after")))
        if plan.get("retry_after_ms") is not None:
            answer.set("x-amz-retry-after", str(plan.get("retry_after_ms")))
        for name, value in (plan.get("headers") or {}).items():
            answer.set(name, str(value))
        answer.close = bool(plan.get("close"))
        return answer

    def _redirect(self, rq):
        plan = rq.plan
        status = int(plan.get("status", 307))
        endpoint = plan.get("endpoint", "")
        extra = {}
        if endpoint:
            extra["Endpoint"] = re.sub("^https?://", "", endpoint)
        if rq.bucket:
            extra["Bucket"] = rq.bucket
        code = plan.get("code", "PermanentRedirect" if status == 301 else "TemporaryRedirect")
        answer = self.error_answer(rq, S3Error(code, "", status, **extra))
        if endpoint:
            answer.set("Location", endpoint.rstrip("/") + rq.head.target)
        if plan.get("region"):
            answer.set("x-amz-bucket-region", plan.get("region"))
        return answer

    def _region_error(self, rq):
        plan = rq.plan
        region = plan.get("region", "eu-central-1")
        code = plan.get("code", "AuthorizationHeaderMalformed")
        extra = {"Region": region} if code == "AuthorizationHeaderMalformed" else {}
        answer = self.error_answer(rq, S3Error(code, "the region '%s' is wrong; expecting '%s'"
                                               % (rq.signed.region, region), 400, **extra))
        if rq.head.method == "HEAD" or plan.get("header"):
            answer.set("x-amz-bucket-region", region)
        return answer

    def _head_403(self, rq):
        return Answer(403, [("Content-Type", "application/xml")])

    def error_bytes(self, rq, error):
        bucket = rq.bucket if rq.plan or error.code == "AccessDenied" else None
        return error_document(self.options.profile, error, bucket, rq.key,
                              request_id(self.options.profile))

    def error_answer(self, rq, error):
        ranges = [] if self.aws else [("Accept-Ranges", "bytes")]
        return Answer(error.status, error.headers + ranges
                      + [("Content-Type", "application/xml")],
                      self.error_bytes(rq, error))

    # ---- help for the operations

    def metadata(self, rq):
        """x-amz-meta-* with lower-case names; the total is limited."""
        meta = {}
        for name, value in rq.head.headers:
            low = name.lower()
            if low.startswith("x-amz-meta-"):
                low = low[len("x-amz-meta-"):]
                meta[low] = meta[low] + "," + value if low in meta else value
        size = sum(len(n) + len(v) for n, v in meta.items())
        if size > (2048 if self.aws else 16000):
            raise S3Error("MetadataTooLarge", "Your metadata headers exceed the maximum "
                          "allowed metadata size")
        return meta

    def kept_headers(self, rq):
        kept = {n: rq.head.get(n) for n in objects.KEPT_HEADERS if rq.head.get(n)}
        if self.aws and kept.get("content-encoding", "").startswith("aws-chunked"):
            rest = kept.pop("content-encoding")[len("aws-chunked"):].strip(", ")
            kept.update({"content-encoding": rest} if rest else {})
        return kept

    def check_key(self, rq):
        if len(rq.key.encode("utf-8", "surrogateescape")) > 1024:
            raise S3Error("KeyTooLongError" if self.aws else "InvalidObjectName",
                          "Your key is too long")

    def segments(self, received):
        return [Segment(received.size, received.data)]

    def check_quota(self, rq, size):
        fault = rq.plan.ambient.get("quota")
        if fault and self.store.bytes_used() + size > int(fault.get("bytes", 0)):
            raise S3Error("QuotaExceeded")

    def no_body(self, rq):
        """Takes a body that nobody asked for, and checks its hash."""
        self.receive_small(rq, None)

    def receive_small(self, rq, limit):
        """A body of moderate size as bytes."""
        body = rq.body
        if body.ended and body.taken == 0:
            raw = b""
        else:
            if limit is not None and (body.declared or 0) > limit:
                raise S3Error("MalformedXML" if self.aws else "InvalidRange")
            got = receive(rq.conn, self._source(rq)[0], None, True, False)
            raw = bytes(got.data)
        token = rq.signed.payload
        if len(token) == 64 and hashlib.sha256(raw).hexdigest() != token:
            raise S3Error("XAmzContentSHA256Mismatch")
        return raw

    def _source(self, rq):
        """Where the bytes come from, and how many there will be if that is known."""
        if rq.signed.payload.startswith("STREAMING-"):
            declared = rq.head.get("x-amz-decoded-content-length")
            if not declared.isdigit():
                raise S3Error("MissingContentLength")
            return Deframer(rq.body), int(declared)
        return rq.body, rq.body.declared

    def receive_object(self, rq):
        """The body of PutObject or UploadPart, verified against what was promised."""
        head, body = rq.head, rq.body
        if body.chunked and self.aws:
            raise S3Error("NotImplemented", "A header you provided implies functionality that "
                          "is not implemented", Header="Transfer-Encoding")
        if not body.chunked and body.declared is None:
            raise S3Error("MissingContentLength", "You must provide the Content-Length HTTP "
                          "header.")
        source, expected = self._source(rq)
        if (expected or 0) > MAX_PUT_BYTES:
            raise S3Error("EntityTooLarge")
        promised = None
        if "content-md5" in head.first:
            try:
                promised = base64.b64decode(head.get("content-md5"), validate=True)
            except ValueError:
                promised = b""
            if len(promised) != 16:
                raise S3Error("InvalidDigest", "The Content-MD5 you specified is not valid.")
        self.check_quota(rq, expected or 0)
        token = rq.signed.payload
        check_sha = token != "UNSIGNED-PAYLOAD" and not token.startswith("STREAMING-")
        flip = int(rq.plan.get("at_byte", 0)) if rq.plan.mode() == "damage" else None
        got = receive(rq.conn, source, expected, self.store.keep(expected), check_sha, flip)
        if expected is not None and got.size != expected:
            raise S3Error("IncompleteBody")
        if check_sha and got.sha256 != token:
            raise S3Error("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' "
                          "header does not match what was computed.")
        if promised is not None and got.md5 != promised.hex():
            raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we "
                          "received.")
        return got

    def etag_of(self, rq, received):
        fault = rq.plan.ambient.get("non_md5_etag")
        if not fault:
            return received.md5
        other = hashlib.sha256(received.md5.encode()).hexdigest()
        return "opaque+/=" + other if fault.get("form") == "opaque" else other[:32]

    def false_etag(self, rq, etag):
        """Another ETag of the same form."""
        if rq.plan.get("etag") is not None:
            return rq.plan.get("etag")
        bare, dash, count = etag.partition("-")
        return hashlib.md5(bare.encode()).hexdigest() + dash + count

    def page_limit(self, rq, limit):
        fault = rq.plan.ambient.get("list_truncated")
        return min(limit, int(fault.get("page", 1))) if fault else limit

    def no_token(self, rq):
        fault = rq.plan.ambient.get("list_truncated")
        return bool(fault and fault.get("no_token"))

    def looped(self, rq, old, new):
        """With a looping list, the mark of the page before instead of the new one; with "loop": 2 the first two in turn."""
        fault = rq.plan.ambient.get("list_truncated")
        if not fault or not fault.get("loop"):
            return new
        if not old:
            self.first_mark = new
        elif fault.get("loop") is True:
            return old
        elif old != self.first_mark:
            return self.first_mark
        return new

    def body_for(self, rq, conn):
        """The body with the speed and the 100-continue habits of this request."""
        slow, expect = rq.plan.ambient.get("slow"), rq.plan.ambient.get("expect")
        rate = int(slow.get("rate", 0)) if slow else 0
        body = Body(conn, rq.head, self.stop, rate or self.options.rate)
        if expect:
            body.continues = int(expect.get("answers", 1))
            body.unasked = bool(expect.get("unasked"))
        return body
