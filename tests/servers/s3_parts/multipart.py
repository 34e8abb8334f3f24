"""The multipart operations, with the limits and habits of each profile."""

import hashlib
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

from .answers import Answer, NAMESPACE, S3Error, XML_HEAD, element, iso_time, xml
from .store import Part, Segment, StoredObject, Upload
from .wire import Abandon

COMPLETE_BODY_BYTES = 1024 * 1024        # RGW refuses a longer list of parts
IN_PROGRESS = "This multipart completion is already in progress"


def create(ctx, rq):
    ctx.no_body(rq)
    upload = Upload(rq.bucket, rq.key, ctx.store.new_upload_id(ctx.aws),
                    ctx.metadata(rq), ctx.kept_headers(rq))
    with ctx.store.lock:
        ctx.store.uploads[upload.id] = upload
    return xml("InitiateMultipartUploadResult", element("Bucket", rq.bucket)
               + element("Key", rq.key) + element("UploadId", upload.id))


def upload_part(ctx, rq):
    text = rq.query.get("partNumber", "")
    if not text.isdigit():
        raise S3Error("InvalidArgument", "Part number must be an integer")
    number = int(text)
    if ctx.aws and not 1 <= number <= ctx.options.max_parts:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and %d, "
                      "inclusive" % ctx.options.max_parts)
    received = ctx.receive_object(rq)
    etag = ctx.etag_of(rq, received)
    if rq.plan.mode() == "drop_part":
        return Answer(200, [("ETag", '"%s"' % etag)])
    with ctx.store.lock:
        upload = ctx.store.find_upload(rq.bucket, rq.key, rq.query.get("uploadId", ""))
        if upload is None:
            raise S3Error("NoSuchUpload", "The specified upload does not exist.")
        ctx.check_quota(rq, received.size)
        upload.parts[number] = Part(number, received, etag)
    return Answer(200, [("ETag", '"%s"' % etag)])


def _number(rq, name, default):
    text = rq.query.get(name, "")
    if not text:
        return default
    if not text.isdigit():
        raise S3Error("InvalidArgument", "%s is not a number" % name)
    return int(text)


def list_parts(ctx, rq):
    ctx.no_body(rq)
    limit = ctx.page_limit(rq, min(1000, _number(rq, "max-parts", 1000)))
    marker = _number(rq, "part-number-marker", 0)
    with ctx.store.lock:
        upload = ctx.store.find_upload(rq.bucket, rq.key, rq.query.get("uploadId", ""))
        if upload is None:
            raise S3Error("NoSuchUpload" if ctx.aws else "NoSuchKey")
        # A part number 0 is before every page, so it shows on the first one only.
        parts = sorted((p for p in upload.parts.values()
                        if p.number > marker or (p.number == 0 and marker == 0)),
                       key=lambda p: p.number)
    page, more = parts[:limit], len(parts) > limit
    out = [element("Bucket", rq.bucket), element("Key", rq.key), element("UploadId", upload.id),
           element("StorageClass", "STANDARD"), element("PartNumberMarker", marker)]
    if page and not (more and ctx.no_token(rq)):
        out.append(element("NextPartNumberMarker", ctx.looped(rq, marker, page[-1].number)))
    out += [element("MaxParts", limit), element("IsTruncated", "true" if more else "false"),
            "<Owner><ID>standin</ID><DisplayName>standin</DisplayName></Owner>"]
    for part in page:
        out.append("<Part>%s%s%s%s</Part>" % (
            element("LastModified", iso_time(part.modified)), element("PartNumber", part.number),
            element("ETag", '"%s"' % part.etag), element("Size", part.size)))
    return xml("ListPartsResult", "".join(out), chunked=True)


def list_uploads(ctx, rq):
    ctx.no_body(rq)
    prefix, key_marker = rq.query.get("prefix", ""), rq.query.get("key-marker", "")
    id_marker = rq.query.get("upload-id-marker", "")
    limit = ctx.page_limit(rq, min(1000, _number(rq, "max-uploads", 1000)))

    def shown(name, encoded):
        return urllib.parse.quote(name.encode("utf-8", "surrogateescape"), safe="/") if encoded else name

    def place(upload):
        return (upload.key.encode("utf-8", "surrogateescape"), upload.id)

    with ctx.store.lock:
        every = sorted((u for u in ctx.store.uploads.values()
                        if u.bucket == rq.bucket and u.key.startswith(prefix)), key=place)
    if key_marker:
        mark = key_marker.encode("utf-8", "surrogateescape")
        every = [u for u in every if place(u)[0] > mark
                 or (id_marker and place(u) > (mark, id_marker))]
    page, more = every[:limit], len(every) > limit
    url = rq.query.get("encoding-type") == "url"
    # RGW 16 encodes the keys of the entries and nothing else, and does not say that it did.
    out = [element("EncodingType", "url")] if url and ctx.aws else []
    out.append(element("Bucket", rq.bucket))
    if prefix:
        out.append(element("Prefix", prefix))
    if key_marker:
        out.append(element("KeyMarker", key_marker))
    if id_marker:
        out.append(element("UploadIdMarker", id_marker))
    if page and not (more and ctx.no_token(rq)):
        out.append(element("NextKeyMarker", shown(
            ctx.looped(rq, key_marker, page[-1].key), url and ctx.aws)))
        out.append(element("NextUploadIdMarker", ctx.looped(rq, id_marker, page[-1].id)))
    out += [element("MaxUploads", limit), element("IsTruncated", "true" if more else "false")]
    for upload in page:
        who = "<ID>standin</ID><DisplayName>standin</DisplayName>"
        out.append("<Upload>%s%s<Initiator>%s</Initiator><Owner>%s</Owner>%s%s</Upload>" % (
            element("Key", shown(upload.key, url)), element("UploadId", upload.id), who, who,
            element("StorageClass", "STANDARD"), element("Initiated",
                                                         iso_time(upload.initiated))))
    return xml("ListMultipartUploadsResult", "".join(out), chunked=True)


def abort(ctx, rq):
    ctx.no_body(rq)
    with ctx.store.lock:
        upload = ctx.store.find_upload(rq.bucket, rq.key, rq.query.get("uploadId", ""))
        if upload is None:
            raise S3Error("NoSuchUpload", "The specified upload does not exist.")
        del ctx.store.uploads[upload.id]
    return Answer(204)


def _parse_parts(raw):
    """The (number, etag) pairs of a Complete request, in the order sent."""
    try:
        root = ElementTree.fromstring(raw)
    except ElementTree.ParseError:
        raise S3Error("MalformedXML") from None

    def plain(node):
        return re.sub(r"^\{.*\}", "", node.tag)

    if plain(root) != "CompleteMultipartUpload":
        raise S3Error("MalformedXML")
    pairs = []
    for part in root:
        if plain(part) != "Part":
            continue
        fields = {plain(f): (f.text or "").strip() for f in part}
        if not fields.get("PartNumber", "").isdigit() or "ETag" not in fields:
            raise S3Error("MalformedXML")
        pairs.append((int(fields["PartNumber"]), fields["ETag"].strip('"')))
    if not pairs:
        raise S3Error("MalformedXML")
    return pairs


def _result(ctx, rq, etag):
    """The success document; `etag` is bare hex or empty."""
    shown = '"%s"' % etag if ctx.aws and etag else etag
    inner = "".join((
        element("Location", "%s/%s/%s" % (rq.head.get("host") if ctx.aws else "localhost",
                                          rq.bucket, rq.key)),
        element("Bucket", rq.bucket), element("Key", rq.key), element("ETag", shown)))
    return "<CompleteMultipartUploadResult%s>%s</CompleteMultipartUploadResult>" % (
        NAMESPACE, inner)


def _check(ctx, rq, upload, pairs):
    """The parts to join, or the error the profile gives.  Holds the lock."""
    if len(pairs) > ctx.options.max_parts:
        raise S3Error("InvalidArgument" if ctx.aws else "InvalidRange")
    numbers = [n for n, _ in pairs]
    if numbers != sorted(set(numbers)):
        if ctx.aws:
            raise S3Error("InvalidPartOrder", "The list of parts was not in ascending order.")
        pairs = sorted(dict(pairs).items())
    parts = []
    for number, etag in pairs:
        part = upload.parts.get(number)
        if part is None or part.etag != etag or number == 0:
            raise S3Error("InvalidPart", "One or more of the specified parts could not be "
                          "found.")
        parts.append(part)
    if not ctx.aws and len(parts) != len(upload.parts):
        raise S3Error("InvalidPart")           # RGW wants every part that was uploaded
    if any(p.size < ctx.options.min_part for p in parts[:-1]):
        raise S3Error("EntityTooSmall", "Your proposed upload is smaller than the minimum "
                      "allowed size")
    if ctx.aws and "if-none-match" in rq.head.first \
            and "ignore_conditions" not in rq.plan.ambient \
            and ctx.store.find(rq.bucket, rq.key):
        raise S3Error("PreconditionFailed")
    return parts


def _replay(ctx, rq, upload_id, pairs):
    """Answers a Complete of an upload that is not open (any more)."""
    bucket, key, obj, sent = ctx.store.finished.get(upload_id, (None, None, None, None))
    if ctx.aws:
        raise S3Error("NoSuchUpload", "The specified upload does not exist.")
    if (bucket, key) == (rq.bucket, rq.key) and ctx.store.find(bucket, key) is obj \
            and dict(sent) == dict(pairs):
        return _result(ctx, rq, "")
    raise S3Error("InternalError", IN_PROGRESS)


def _join(upload, parts):
    """The object an upload becomes."""
    if all(re.fullmatch("[0-9a-f]{32}", p.etag) for p in parts):
        joined = hashlib.md5(b"".join(bytes.fromhex(p.etag) for p in parts)).hexdigest()
    else:
        joined = hashlib.sha1("".join(p.etag for p in parts).encode()).hexdigest()[:32]
    return StoredObject(upload.key, [Segment(p.size, p.segment.data) for p in parts],
                        "%s-%d" % (joined, len(parts)), upload.meta, upload.headers,
                        upload_id=upload.id)


def complete(ctx, rq):
    mode = rq.plan.mode() or ""
    limit = None if ctx.aws else COMPLETE_BODY_BYTES
    pairs = _parse_parts(ctx.receive_small(rq, limit))
    upload_id = rq.query.get("uploadId", "")
    if mode == "complete_200_error" and not rq.plan.get("commit"):
        return _error_as_200(ctx, rq)
    with ctx.store.lock:
        upload = ctx.store.find_upload(rq.bucket, rq.key, upload_id)
        if upload is None:
            return xml_text(_replay(ctx, rq, upload_id, pairs))
        if upload.completing:
            raise S3Error("InternalError", IN_PROGRESS)
        parts = _check(ctx, rq, upload, pairs)
        upload.completing = True

    def commit():
        with ctx.store.lock:
            upload.completing = False
            if ctx.store.uploads.pop(upload.id, None) is None:
                return None                       # aborted meanwhile
            obj = _join(upload, parts)
            ctx.store.finished[upload.id] = (rq.bucket, rq.key, obj, pairs)
            ctx.store.publish(rq.bucket, obj, "CompleteMultipartUpload")
            return obj

    if mode == "complete_whitespace":
        return _with_blanks(ctx, rq, upload, commit)
    etag = commit().etag
    if mode == "complete_200_error":
        return _error_as_200(ctx, rq)
    if mode == "complete_500_after_commit":
        raise S3Error(rq.plan.get("code", "InternalError"), status=rq.plan.get("status"))
    if mode == "complete_not_found_after_commit":
        raise S3Error(rq.plan.get("code", "NoSuchUpload"), status=rq.plan.get("status"))
    if mode == "complete_lost_answer":
        raise Abandon(reset=bool(rq.plan.get("reset", True)))
    if mode == "complete_empty_etag":
        etag = ""
    if mode == "wrong_etag":
        etag = ctx.false_etag(rq, etag)
    answer = xml_text(_result(ctx, rq, etag))
    if mode == "complete_truncated":
        keep = int(rq.plan.get("bytes", len(answer.body) // 2))
        answer.body = answer.body[:keep]
        if not rq.plan.get("clean"):              # announced whole, cut by a close
            answer.length, answer.close = len(answer.body) + 100, True
    return answer


def xml_text(inner):
    return Answer(200, [("Content-Type", "application/xml")],
                  (XML_HEAD + inner).encode("utf-8", "surrogateescape"))


def _error_as_200(ctx, rq):
    error = S3Error(rq.plan.get("code", "InternalError"), rq.plan.get("message", ""))
    return Answer(200, [("Content-Type", "application/xml")],
                  ctx.error_bytes(rq, error))


def _with_blanks(ctx, rq, upload, commit):
    """White space for a while, then the result, or an error that came late."""
    plan = rq.plan
    before, after = int(plan.get("before", 3)), int(plan.get("after", 3))
    pause = float(plan.get("interval_ms", 20)) / 1000
    code = plan.get("code")

    def pieces():
        try:
            for _ in range(before):
                yield b" " if plan.get("blank", "space") == "space" else b"\r\n"
                ctx.wait(pause)
            yield XML_HEAD.encode()
            for _ in range(after):
                yield b" \n"
                ctx.wait(pause)
            obj = commit() if not code or plan.get("commit") else None
            if obj is None:
                error = S3Error(code or "InternalError")
                yield ctx.error_bytes(rq, error)[len(XML_HEAD):]
            else:
                yield _result(ctx, rq, obj.etag).encode("utf-8", "surrogateescape")
        finally:
            upload.completing = False

    return Answer(200, [("Content-Type", "application/xml")], pieces=pieces())
