"""AWS Signature Version 4 for S3, seen from the server's side.

Everything here works on what arrived: the request target as it was sent and the
header lines in their order.  The canonical form decodes each byte of the path
and encodes it again exactly once, as the S3 services do; it never collapses
dots or slashes.  Nothing is shared with the product's own signer.
"""

import calendar
import hashlib
import hmac
import re
import time
import urllib.parse
from dataclasses import dataclass, field

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
SKEW_SECONDS = 15 * 60
_HEX64 = re.compile(r"^[0-9a-f]{64}$")
_CREDENTIAL = re.compile(r"^(.+)/(\d{8})/([^/]*)/([^/]*)/([^/]*)$")


class SignatureError(Exception):
    """A request that may not pass; `code` is the S3 error code."""

    def __init__(self, code, message="", status=403, **extra):
        super().__init__(code)
        self.code, self.message, self.status, self.extra = code, message, status, extra


@dataclass
class Credential:
    """One key pair the store accepts."""
    access_key: str
    secret_key: str
    session_token: str = ""
    expires: float = 0.0          # Unix time, 0 means never


@dataclass
class Signed:
    """What a verified request said about itself."""
    access_key: str = ""
    payload: str = UNSIGNED       # the value of x-amz-content-sha256
    presigned: bool = False
    signed_headers: list = field(default_factory=list)
    region: str = ""


def percent_decode(text):
    """Decodes %XX once and returns bytes; anything else stays as it is."""
    return urllib.parse.unquote_to_bytes(text.encode("latin-1"))


def percent_encode(raw, keep_slash=False):
    """Encodes every byte outside A-Z a-z 0-9 - . _ ~ as %XX, upper case."""
    return urllib.parse.quote(raw, safe="/" if keep_slash else "")


def parse_query(raw_query):
    """The query as a list of (name, value) byte pairs, in the order sent."""
    pairs = []
    for piece in raw_query.split("&") if raw_query else []:
        if not piece:
            continue
        name, _, value = piece.partition("=")
        pairs.append((percent_decode(name.replace("+", " ")),
                      percent_decode(value.replace("+", " "))))
    return pairs


def canonical_query(pairs):
    encoded = sorted((percent_encode(n), percent_encode(v)) for n, v in pairs)
    return "&".join("%s=%s" % pair for pair in encoded)


def canonical_request(method, raw_path, pairs, headers, signed_headers, payload):
    """Joins the canonical request; `headers` is a list of (name, value)."""
    lines = []
    for name in signed_headers:
        values = [re.sub(" +", " ", v.strip()) for n, v in headers if n.lower() == name]
        lines.append("%s:%s\n" % (name, ",".join(values)))
    return "\n".join([
        method,
        percent_encode(percent_decode(raw_path), keep_slash=True) or "/",
        canonical_query(pairs),
        "".join(lines),
        ";".join(signed_headers),
        payload])


def signing_key(secret, day, region, service="s3"):
    key = ("AWS4" + secret).encode("utf-8")
    for word in (day, region, service, "aws4_request"):
        key = hmac.new(key, word.encode("utf-8"), hashlib.sha256).digest()
    return key


def signature(secret, stamp, scope, canonical):
    day, region = scope.split("/")[:2]
    text = "\n".join([ALGORITHM, stamp, scope,
                      hashlib.sha256(canonical.encode("latin-1")).hexdigest()])
    return hmac.new(signing_key(secret, day, region), text.encode("utf-8"),
                    hashlib.sha256).hexdigest()


def parse_stamp(stamp):
    """YYYYMMDDTHHMMSSZ as Unix time, or None."""
    try:
        return calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None


class Verifier:
    """Checks requests against a set of credentials.

    `strict` switches from the habits of Ceph RGW to those of AWS: the region in
    the scope must be the configured one, and a few codes differ.
    """

    def __init__(self, credentials, region="us-east-1", strict=False, anonymous=False):
        self.credentials = {c.access_key: c for c in credentials}
        self.region, self.strict, self.anonymous = region, strict, anonymous

    def verify(self, method, raw_path, raw_query, headers, now):
        """Returns a Signed, or raises SignatureError.  `now` is the server's clock."""
        pairs = parse_query(raw_query)
        query = {n.decode("utf-8", "replace"): v.decode("utf-8", "replace") for n, v in pairs}
        first = {}
        for name, value in headers:
            first.setdefault(name.lower(), value.strip())
        if "X-Amz-Algorithm" in query:
            return self._presigned(method, raw_path, pairs, query, headers, first, now)
        auth = first.get("authorization")
        if auth is None:
            if self.anonymous:
                return Signed(payload=first.get("x-amz-content-sha256", UNSIGNED))
            raise SignatureError("AccessDenied", "Access Denied")
        if not auth.startswith(ALGORITHM):
            if self.strict:
                raise SignatureError(
                    "InvalidRequest", "The authorization mechanism you have provided is not "
                    "supported. Please use AWS4-HMAC-SHA256.", 400)
            raise SignatureError("AccessDenied", "only AWS4-HMAC-SHA256 is accepted")
        fields = {}
        for piece in auth[len(ALGORITHM):].split(","):
            name, _, value = piece.strip().partition("=")
            fields[name] = value
        if not all(fields.get(n) for n in ("Credential", "SignedHeaders", "Signature")):
            raise self._malformed("The authorization header is malformed.")
        payload = first.get("x-amz-content-sha256")
        if payload is None:
            if self.strict:
                raise SignatureError("InvalidRequest", "Missing required header for this "
                                     "request: x-amz-content-sha256", 400)
            raise SignatureError("SignatureDoesNotMatch",
                                 "x-amz-content-sha256 is missing")
        if not (payload == UNSIGNED or payload.startswith("STREAMING-")
                or _HEX64.match(payload)):
            raise SignatureError("InvalidArgument" if self.strict
                                 else "XAmzContentSHA256Mismatch", "x-amz-content-sha256 must "
                                 "be UNSIGNED-PAYLOAD or a valid sha256 value.", 400)
        stamp = first.get("x-amz-date", "")
        sent_at = parse_stamp(stamp)
        if sent_at is None:
            raise SignatureError("AccessDenied", "AWS authentication requires a valid "
                                 "x-amz-date header")
        if abs(sent_at - now) > SKEW_SECONDS:
            raise SignatureError(
                "RequestTimeTooSkewed", "The difference between the request time and the "
                "current time is too large.", RequestTime=stamp,
                ServerTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
                MaxAllowedSkewMilliseconds=str(SKEW_SECONDS * 1000))
        return self._check(method, raw_path, pairs, headers, first, fields["Credential"],
                           fields["SignedHeaders"], fields["Signature"], stamp, payload,
                           first.get("x-amz-security-token", ""), now, presigned=False)

    def _presigned(self, method, raw_path, pairs, query, headers, first, now):
        needed = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
                  "X-Amz-Signature")
        sent_at = parse_stamp(query.get("X-Amz-Date", ""))
        if query["X-Amz-Algorithm"] != ALGORITHM or sent_at is None \
                or not all(query.get(n) for n in needed) \
                or not query["X-Amz-Expires"].isdigit() \
                or int(query["X-Amz-Expires"]) > 604800:
            raise SignatureError("AuthorizationQueryParametersError",
                                 "the query string is not a valid signature", 400)
        if sent_at - now > SKEW_SECONDS:
            raise SignatureError("AccessDenied", "Request is not yet valid")
        if now > sent_at + int(query["X-Amz-Expires"]):
            raise SignatureError("AccessDenied", "Request has expired")
        payload = first.get("x-amz-content-sha256", UNSIGNED)
        rest = [p for p in pairs if p[0] != b"X-Amz-Signature"]
        return self._check(method, raw_path, rest, headers, first, query["X-Amz-Credential"],
                           query["X-Amz-SignedHeaders"], query["X-Amz-Signature"],
                           query["X-Amz-Date"], payload,
                           query.get("X-Amz-Security-Token", ""), now, presigned=True)

    def _check(self, method, raw_path, pairs, headers, first, credential, signed_text,
               given, stamp, payload, token, now, presigned):
        match = _CREDENTIAL.match(credential)
        if not match:
            raise self._malformed("The Credential is malformed.")
        access_key, day, region, service, last = match.groups()
        if service != "s3" or last != "aws4_request":
            raise self._malformed("The Credential scope is malformed.")
        if self.strict and region != self.region:
            raise self._malformed("the region '%s' is wrong; expecting '%s'"
                                  % (region, self.region), Region=self.region)
        known = self.credentials.get(access_key)
        if known is None:
            raise SignatureError("InvalidAccessKeyId", "The access key Id you provided does "
                                 "not exist in our records.", AWSAccessKeyId=access_key)
        token_status = 400 if self.strict else 403
        if known.session_token and not token:
            raise SignatureError("InvalidAccessKeyId", "The access key Id you provided does "
                                 "not exist in our records.", AWSAccessKeyId=access_key)
        if known.session_token and token != known.session_token:
            raise SignatureError("InvalidToken", "The provided token is malformed or "
                                 "otherwise invalid.", token_status)
        if token and not known.session_token and self.strict:
            raise SignatureError("InvalidToken", "The provided token is malformed or "
                                 "otherwise invalid.", token_status)
        signed = signed_text.split(";")
        missing = [n for n in signed if n not in first]
        unsigned = [n for n in first if n.startswith("x-amz-") and n not in signed]
        if "host" not in signed or missing or signed != sorted(signed) or stamp[:8] != day:
            raise SignatureError("SignatureDoesNotMatch", "host is not signed, a signed "
                                 "header is missing, or the day differs: %s" % missing)
        if unsigned and not (presigned and unsigned == ["x-amz-content-sha256"]):
            raise SignatureError("AccessDenied", "There were headers present in the request "
                                 "which were not signed", HeadersNotSigned=", ".join(unsigned))
        scope = "%s/%s/%s/%s" % (day, region, service, last)
        canonical = canonical_request(method, raw_path, pairs, headers, signed, payload)
        expected = signature(known.secret_key, stamp, scope, canonical)
        if not hmac.compare_digest(expected.encode(), given.encode("latin-1", "replace")):
            raise SignatureError("SignatureDoesNotMatch", "The request signature we calculated "
                                 "does not match the signature you provided.",
                                 CanonicalRequest=canonical)
        if known.expires and now > known.expires:
            raise SignatureError("ExpiredToken", "The provided token has expired.", token_status)
        return Signed(access_key, payload, presigned, signed, region)

    def _malformed(self, message, **extra):
        if not self.strict:
            return SignatureError("AccessDenied", message)
        return SignatureError("AuthorizationHeaderMalformed", message, 400, **extra)


def sign(method, raw_path, pairs, headers, credential, region="us-east-1", payload=UNSIGNED,
         now=None):
    """Signs a request for the tests; returns the full list of header pairs.

    `headers` must hold Host.  `pairs` is the query as (bytes, bytes).
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if now is None else now))
    out = list(headers) + [("x-amz-date", stamp), ("x-amz-content-sha256", payload)]
    if credential.session_token:
        out.append(("x-amz-security-token", credential.session_token))
    names = sorted({n.lower() for n, _ in out
                    if n.lower() not in ("content-length", "expect", "connection",
                                         "transfer-encoding", "user-agent")})
    scope = "%s/%s/s3/aws4_request" % (stamp[:8], region)
    text = canonical_request(method, raw_path, pairs, out, names, payload)
    out.append(("Authorization", "%s Credential=%s/%s,SignedHeaders=%s,Signature=%s" % (
        ALGORITHM, credential.access_key, scope, ";".join(names),
        signature(credential.secret_key, stamp, scope, text))))
    return out


def presign(method, raw_path, pairs, host, credential, region="us-east-1", expires=300,
            now=None):
    """A query string with a signature inside, for the tests."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if now is None else now))
    scope = "%s/%s/s3/aws4_request" % (stamp[:8], region)
    every = list(pairs) + [
        (b"X-Amz-Algorithm", ALGORITHM.encode()), (b"X-Amz-Date", stamp.encode()),
        (b"X-Amz-Credential", ("%s/%s" % (credential.access_key, scope)).encode()),
        (b"X-Amz-Expires", str(expires).encode()), (b"X-Amz-SignedHeaders", b"host")]
    if credential.session_token:
        every.append((b"X-Amz-Security-Token", credential.session_token.encode()))
    text = canonical_request(method, raw_path, every, [("Host", host)], ["host"], UNSIGNED)
    return "%s&X-Amz-Signature=%s" % (
        canonical_query(every), signature(credential.secret_key, stamp, scope, text))
