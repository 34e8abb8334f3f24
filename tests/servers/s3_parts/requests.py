"""One S3 request: which operation it is, on which bucket and key."""

from .sigv4 import Signed, parse_query, percent_decode

_OTHER_SUBRESOURCES = ("acl", "cors", "lifecycle", "policy", "tagging", "website", "logging",
                       "notification", "replication", "requestPayment", "object-lock",
                       "retention", "legal-hold", "encryption", "attributes", "restore",
                       "torrent", "versions", "select")


def _text(raw):
    return raw.decode("utf-8", "surrogateescape")


class Request:
    """Built from a head alone; the body is read later, by the operation."""

    def __init__(self, head, domains):
        self.head = head
        self.query = {}
        for name, value in parse_query(head.query):
            self.query.setdefault(_text(name), _text(value))
        self.signed = Signed()
        self.plan, self.body = None, None
        self.clock_offset = 0.0
        self.bucket, self.key = self._address(domains)
        part = self.query.get("partNumber", "")
        self.part = int(part) if part.isdigit() else None
        self.op = self._operation()

    def _address(self, domains):
        host = self.head.get("host").lower()
        if not host.startswith("["):
            host = host.rpartition(":")[0] or host
        raw = self.head.path[1:]
        for domain in domains:
            if host.endswith("." + domain):
                bucket = host[:-len(domain) - 1]
                return bucket, _text(percent_decode(raw)) if raw else None
        first, slash, rest = raw.partition("/")
        return (_text(percent_decode(first)) or None,
                _text(percent_decode(rest)) if slash and rest else None)

    def _operation(self):
        method, query = self.head.method, self.query
        if any(name in query for name in _OTHER_SUBRESOURCES):
            return "Unknown"
        if self.bucket is None:
            return "ListBuckets" if method == "GET" else "Unknown"
        if self.key is None:
            if method == "GET":
                for name, op in (("uploads", "ListMultipartUploads"),
                                 ("location", "GetBucketLocation"),
                                 ("versioning", "GetBucketVersioning")):
                    if name in query:
                        return op
                return "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"
            if method == "POST":
                return "DeleteObjects" if "delete" in query else "Unknown"
            return {"HEAD": "HeadBucket", "PUT": "CreateBucket",
                    "DELETE": "DeleteBucket"}.get(method, "Unknown")
        copy = "x-amz-copy-source" in self.head.first
        if "uploadId" in query:
            return {"PUT": "UploadPartCopy" if copy else "UploadPart",
                    "GET": "ListParts", "POST": "CompleteMultipartUpload",
                    "DELETE": "AbortMultipartUpload"}.get(method, "Unknown")
        if method == "POST":
            return "CreateMultipartUpload" if "uploads" in query else "Unknown"
        if method == "PUT":
            return "CopyObject" if copy else "PutObject"
        return {"GET": "GetObject", "HEAD": "HeadObject",
                "DELETE": "DeleteObject"}.get(method, "Unknown")
