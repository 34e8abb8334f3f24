"""The fault list: what is to go wrong, for which requests, and how often."""

import fnmatch
import threading

# Modes that only change the surroundings of a request.  Any number of them can
# act together; of all the other modes the first that matches acts alone.
AMBIENT = frozenset(("skewed_clock", "quota", "throttle", "slow", "close_after", "expect",
                     "ignore_conditions", "non_md5_etag", "list_truncated"))

ACTING = frozenset((
    "status", "reset", "stall", "lost_answer", "cut_answer", "redirect", "region_error",
    "head_403", "wrong_etag", "empty_etag", "damage", "drop_part", "forget_upload",
    "list_broken_xml", "complete_200_error", "complete_whitespace", "complete_500_after_commit",
    "complete_lost_answer", "complete_empty_etag", "complete_truncated",
    "complete_not_found_after_commit"))

# Where a mode can only mean one operation, that is its default.
_DEFAULT_OP = {"head_403": "HeadObject", "drop_part": "UploadPart", "quota": "any"}

OPERATIONS = frozenset((
    "any", "HeadBucket", "CreateBucket", "DeleteBucket", "ListBuckets", "GetBucketLocation",
    "GetBucketVersioning", "ListObjects", "ListObjectsV2", "ListMultipartUploads", "ListParts",
    "PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects", "CopyObject",
    "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload",
    "AbortMultipartUpload", "Unknown"))

STATUS_OF = {
    "AccessDenied": 403, "AccountProblem": 403, "AuthorizationHeaderMalformed": 400,
    "BadDigest": 400, "BadGateway": 502, "ConditionalRequestConflict": 409,
    "EntityTooLarge": 400, "EntityTooSmall": 400, "ExpiredToken": 400, "GatewayTimeout": 504,
    "IllegalLocationConstraintException": 400, "IncompleteBody": 400, "InternalError": 500,
    "InvalidAccessKeyId": 403, "InvalidArgument": 400, "InvalidBucketName": 400,
    "InvalidDigest": 400, "InvalidObjectName": 400, "InvalidPart": 400,
    "InvalidPartOrder": 400, "InvalidRange": 416, "InvalidRequest": 400, "InvalidToken": 400,
    "KeyTooLongError": 400, "MalformedXML": 400, "MetadataTooLarge": 400,
    "MethodNotAllowed": 405, "MissingContentLength": 411, "NoSuchBucket": 404,
    "NoSuchKey": 404, "NoSuchUpload": 404, "NotImplemented": 501, "NotModified": 304,
    "OperationAborted": 409, "PermanentRedirect": 301, "PreconditionFailed": 412,
    "QuotaExceeded": 403, "RequestTimeTooSkewed": 403, "RequestTimeout": 400,
    "RequestLimitExceeded": 503, "ServiceUnavailable": 503, "SignatureDoesNotMatch": 403,
    "SlowDown": 503, "SlowDownRead": 503, "SlowDownWrite": 503, "TemporaryRedirect": 307,
    "ThrottlingException": 400, "TokenRefreshRequired": 400, "TooManyParts": 400,
    "TooManyRequests": 429, "UserSuspended": 403, "XAmzContentSHA256Mismatch": 400,
    "BucketNotEmpty": 409, "BucketAlreadyOwnedByYou": 409,
    "AuthorizationQueryParametersError": 400,
}


class FaultError(ValueError):
    """A fault description that makes no sense."""


class Fault:
    """One entry of the list."""

    def __init__(self, entry):
        if not isinstance(entry, dict):
            raise FaultError("a fault is an object")
        self.entry = dict(entry)
        self.mode = entry.get("mode")
        if self.mode not in AMBIENT and self.mode not in ACTING:
            raise FaultError("unknown mode %r" % (self.mode,))
        default = "CompleteMultipartUpload" if str(self.mode).startswith("complete_") \
            else _DEFAULT_OP.get(self.mode, "any")
        self.op = entry.get("op", default)
        if self.op not in OPERATIONS:
            raise FaultError("unknown op %r" % (self.op,))
        self.key = entry.get("key")
        self.part = entry.get("part")
        self.not_region = entry.get("not_region")
        self.has_header = entry.get("has_header")
        self.count = int(entry.get("count", -1 if self.mode in AMBIENT else 1))
        self.skip = int(entry.get("skip", 0))
        self.hits = 0
        self.tokens, self.filled = None, 0.0        # of a throttle's bucket

    def get(self, name, default=None):
        return self.entry.get(name, default)

    def fits(self, request):
        if self.op != "any" and self.op != request.op:
            return False
        if self.key is not None and not (
                request.key is not None and fnmatch.fnmatchcase(request.key, self.key)):
            return False
        if self.part is not None and request.part != self.part:
            return False
        if self.not_region is not None and request.signed.region == self.not_region:
            return False
        return self.has_header is None or self.has_header.lower() in request.head.first

    def use(self):
        """Counts one matching request; True if the fault acts on it."""
        if self.count == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.count > 0:
            self.count -= 1
        self.hits += 1
        return True

    def describe(self):
        return dict(self.entry, op=self.op, hits=self.hits, count=self.count, skip=self.skip)

    def over_rate(self, now):
        """For a throttle: True if this request is one too many."""
        rate = float(self.get("per_second", 1))
        burst = float(self.get("burst", max(1.0, rate)))
        if self.tokens is None:
            self.tokens, self.filled = burst, now
        self.tokens = min(burst, self.tokens + (now - self.filled) * rate)
        self.filled = now
        if self.tokens < 1:
            return True
        self.tokens -= 1
        return False


class Plan:
    """What goes wrong with one request."""

    def __init__(self):
        self.acting = None
        self.ambient = {}

    def mode(self):
        return self.acting.mode if self.acting else None

    def get(self, name, default=None):
        return self.acting.get(name, default) if self.acting else default


class Faults:
    """The list itself, shared by all connections."""

    def __init__(self):
        self.lock = threading.Lock()
        self.items = []

    def add(self, entries):
        """Adds a list of descriptions, or none of them if one is wrong."""
        if isinstance(entries, dict):
            entries = [entries]
        new = [Fault(e) for e in entries]
        with self.lock:
            self.items.extend(new)
        return len(new)

    def clear(self):
        with self.lock:
            self.items = []

    def clock_offset(self, request):
        """Seconds the server's clock is off for this request (before its signature)."""
        with self.lock:
            for fault in self.items:
                if fault.mode == "skewed_clock" and fault.fits(request) and fault.use():
                    return float(fault.get("seconds", 1200))
        return 0.0

    def plan(self, request):
        """Picks the faults for a request and counts them down."""
        plan = Plan()
        with self.lock:
            for fault in self.items:
                if fault.mode == "skewed_clock" or not fault.fits(request):
                    continue
                if fault.mode in AMBIENT:
                    if fault.mode in plan.ambient:
                        continue
                elif plan.acting is not None:
                    continue
                if not fault.use():
                    continue
                if fault.mode in AMBIENT:
                    plan.ambient[fault.mode] = fault
                else:
                    plan.acting = fault
        return plan

    def describe(self):
        with self.lock:
            return [f.describe() for f in self.items]
