"""Answers and error documents, in the form of each profile."""

import email.utils
import secrets
import time
from xml.sax.saxutils import escape as _escape

from .faults import STATUS_OF

XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
REASONS = {
    200: "OK", 204: "No Content", 206: "Partial Content", 301: "Moved Permanently",
    302: "Found", 304: "Not Modified", 307: "Temporary Redirect",
    308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 411: "Length Required",
    412: "Precondition Failed", 416: "Requested Range Not Satisfiable",
    429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}


class S3Error(Exception):
    """Ends a request with an error document; `extra` adds elements to it."""

    def __init__(self, code, message="", status=None, headers=(), **extra):
        super().__init__(code)
        self.code, self.message, self.extra = code, message, extra
        self.status = STATUS_OF.get(code, 400) if status is None else int(status)
        self.headers = list(headers)


class Answer:
    """An answer before it is sent.

    `body` is bytes; `slices` an iterable of views of `length` bytes in all;
    `pieces` an iterable of bytes sent chunk by chunk as they come.
    """

    def __init__(self, status=200, headers=(), body=b"", slices=None, length=None, pieces=None,
                 chunked=False):
        self.status, self.headers, self.body = status, list(headers), body
        self.slices, self.length, self.pieces = slices, length, pieces
        self.chunked = chunked
        self.close = False

    def set(self, name, value):
        """Replaces a header, or removes it if the value is None."""
        self.headers = [(n, v) for n, v in self.headers if n.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))


def escape(text):
    return _escape(str(text), {'"': "&quot;", "'": "&apos;"})


def element(name, value):
    return "<%s>%s</%s>" % (name, escape(value), name)


def xml(root, inner, status=200, chunked=False):
    """An XML answer with the S3 name space on its root."""
    text = "%s<%s%s>%s</%s>" % (XML_HEAD, root, NAMESPACE, inner, root)
    return Answer(status, [("Content-Type", "application/xml")],
                  text.encode("utf-8", "surrogateescape"), chunked=chunked)


def iso_time(when):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + ".%03dZ" % (when % 1 * 1000)


def http_time(when):
    return email.utils.formatdate(when, usegmt=True)


def request_id(profile):
    if profile == "aws":
        return secrets.token_hex(8).upper()
    return "tx%s-%08x-100f-default" % (secrets.token_hex(11)[:21], int(time.time()))


def error_document(profile, error, bucket, key, rid):
    """The body of an error; RGW leaves most messages empty, AWS does not."""
    known_words = error.code == "InternalError" and error.message
    parts = [element("Code", error.code)]
    if profile == "aws":
        parts.append(element("Message", error.message or error.code))
    else:
        parts.append(element("Message", error.message if known_words else ""))
        if bucket:
            parts.append(element("BucketName", bucket))
    if profile == "aws" and key is not None:
        parts.append(element("Key", key))
    shown = error.extra if profile == "aws" else {
        k: v for k, v in error.extra.items() if k in ("Region", "Endpoint", "Header", "Bucket")}
    parts.extend(element(k, v) for k, v in shown.items())
    parts.append(element("RequestId", rid))
    parts.append(element("HostId", "100f-default-default" if profile != "aws"
                         else rid.lower() * 4))
    return (XML_HEAD + "<Error>" + "".join(parts) + "</Error>").encode("utf-8",
                                                                     "surrogateescape")
