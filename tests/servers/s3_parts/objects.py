"""Operations on buckets and single objects."""

import base64
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

from .answers import Answer, S3Error, element, http_time, iso_time, xml
from .store import StoredObject

KEPT_HEADERS = ("content-type", "cache-control", "content-disposition", "content-encoding",
                "content-language", "expires")


# ---- buckets

def head_bucket(ctx, rq):
    ctx.no_body(rq)
    if ctx.aws:
        return Answer(200, [("x-amz-bucket-region", ctx.options.region),
                            ("Content-Type", "application/xml")])
    count = len(ctx.store.keys(rq.bucket))
    return Answer(200, [("X-RGW-Object-Count", str(count))])


def create_bucket(ctx, rq):
    ctx.receive_small(rq, 65536)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", rq.bucket) or ".." in rq.bucket:
        raise S3Error("InvalidBucketName")
    with ctx.store.lock:
        ctx.store.buckets.setdefault(rq.bucket, {})
    return Answer(200, [("Location", "/" + rq.bucket)] if ctx.aws else [])


def delete_bucket(ctx, rq):
    ctx.no_body(rq)
    with ctx.store.lock:
        if ctx.store.buckets[rq.bucket]:
            raise S3Error("BucketNotEmpty")
        del ctx.store.buckets[rq.bucket]
    return Answer(204)


def list_buckets(ctx, rq):
    ctx.no_body(rq)
    inner = "".join("<Bucket>%s%s</Bucket>" % (
        element("Name", b), element("CreationDate", iso_time(ctx.store.created)))
        for b in sorted(ctx.store.buckets))
    return xml("ListAllMyBucketsResult", "<Owner><ID>standin</ID><DisplayName>standin"
               "</DisplayName></Owner><Buckets>%s</Buckets>" % inner, chunked=True)


def location(ctx, rq):
    ctx.no_body(rq)
    region = ctx.options.region if ctx.options.region != "us-east-1" else ""
    answer = xml("LocationConstraint", "")
    answer.body = answer.body.replace(b"></L", b">%s</L" % (region if ctx.aws
                                                            else "default").encode())
    return answer


def versioning(ctx, rq):
    ctx.no_body(rq)
    return xml("VersioningConfiguration", "")


def list_objects(ctx, rq):
    """ListObjects and ListObjectsV2."""
    ctx.no_body(rq)
    v2 = rq.op == "ListObjectsV2"
    q = rq.query
    prefix, delimiter = q.get("prefix", ""), q.get("delimiter", "")
    text = q.get("max-keys", "1000")
    if not text.isdigit():
        raise S3Error("InvalidArgument")
    limit = ctx.page_limit(rq, min(1000, int(text)))
    token = q.get("continuation-token", "") if v2 else ""
    after = (_from_token(ctx, token) if token else q.get("start-after", "")) if v2 \
        else q.get("marker", "")
    url = q.get("encoding-type") == "url"

    def shown(name):
        if not url:
            return name
        return urllib.parse.quote(name.encode("utf-8", "surrogateescape"),
                                  safe="/" if ctx.aws else "")     # RGW encodes / too

    def order(name):
        return name.encode("utf-8", "surrogateescape")

    entries, groups, more, last = [], [], False, ""
    with ctx.store.lock:
        held = ctx.store.buckets[rq.bucket]
        for key in ctx.store.keys(rq.bucket):
            if not key.startswith(prefix) or (after and order(key) <= order(after)):
                continue
            group = None
            if delimiter:
                at = key.find(delimiter, len(prefix))
                if at >= 0:
                    group = key[:at + len(delimiter)]
                    if group in groups or (after and after.startswith(group)):
                        continue
            if len(entries) + len(groups) >= limit:
                more = limit > 0
                break
            if group:
                groups.append(group)
            else:
                entries.append(held[key])
            last = group or key
    endless = ctx.endless_page(rq, prefix, token) if v2 else None
    if endless:
        entries, groups, more = endless[0], [], True
    out = [element("EncodingType", "url")] if url else []
    out += [element("Name", rq.bucket), element("Prefix", shown(prefix) if ctx.aws else prefix),
            element("MaxKeys", limit)]
    if delimiter:
        out.append(element("Delimiter", shown(delimiter)))
    if v2 and token:
        out.append(element("ContinuationToken", token))
    if v2 and q.get("start-after"):
        out.append(element("StartAfter", shown(q["start-after"])))
    if not v2:
        out.append(element("Marker", shown(q.get("marker", ""))))
    out.append(element("IsTruncated", "true" if more else "false"))
    owner = "" if v2 and q.get("fetch-owner") != "true" \
        else "<Owner><ID>standin</ID><DisplayName>standin</DisplayName></Owner>"
    for obj in entries:
        out.append("<Contents>%s%s%s%s%s%s</Contents>" % (
            element("Key", shown(obj.key)), element("LastModified", iso_time(obj.modified)),
            element("ETag", '"%s"' % obj.etag), element("Size", obj.size),
            element("StorageClass", "STANDARD"), owner))
    out += ["<CommonPrefixes>%s</CommonPrefixes>" % element("Prefix", shown(g)) for g in groups]
    if more and not ctx.no_token(rq):
        if v2:
            out.append(element("NextContinuationToken", endless[1] if endless else
                               ctx.looped(rq, token, _to_token(ctx, last))))
        else:
            out.append(element("NextMarker", ctx.looped(rq, after, shown(last))))
    if v2:
        out.append(element("KeyCount", len(entries) + len(groups)))
    return xml("ListBucketResult", "".join(out), chunked=True)


def _to_token(ctx, last):
    """RGW hands out the last key itself, AWS something opaque with + / and =."""
    if not ctx.aws:
        return last
    return "1+/" + base64.b64encode(last.encode("utf-8", "surrogateescape")).decode() + "=="


def _from_token(ctx, token):
    if not ctx.aws:
        return token
    if not (token.startswith("1+/") and token.endswith("==")):
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect")
    try:
        return base64.b64decode(token[3:-2]).decode("utf-8", "surrogateescape")
    except ValueError:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect") \
            from None


def delete_objects(ctx, rq):
    if ctx.aws and "content-md5" not in rq.head.first:
        raise S3Error("InvalidRequest", "Missing required header for this request: Content-MD5")
    try:
        root = ElementTree.fromstring(ctx.receive_small(rq, 4 * 1024 * 1024))
    except ElementTree.ParseError:
        raise S3Error("MalformedXML") from None
    keys = [n.text or "" for n in root.iter() if re.sub(r"^\{.*\}", "", n.tag) == "Key"]
    for key in keys:
        ctx.store.remove(rq.bucket, key, "DeleteObjects")
    return xml("DeleteResult", "".join("<Deleted>%s</Deleted>" % element("Key", k)
                                       for k in keys), chunked=True)


# ---- objects

def put_object(ctx, rq):
    meta, headers = ctx.metadata(rq), ctx.kept_headers(rq)
    ctx.check_key(rq)
    received = ctx.receive_object(rq)
    etag = ctx.etag_of(rq, received)
    with ctx.store.lock:
        _conditions_for_put(ctx, rq)
        ctx.check_quota(rq, received.size)
        obj = StoredObject(rq.key, ctx.segments(received), etag, meta, headers)
        ctx.store.publish(rq.bucket, obj, "PutObject")
    return Answer(200, [("ETag", '"%s"' % etag)])


def _conditions_for_put(ctx, rq):
    """If-None-Match and If-Match; RGW 18 compares the latter with its quotes on."""
    if "ignore_conditions" in rq.plan.ambient:
        return
    there = ctx.store.find(rq.bucket, rq.key)
    none = rq.head.get("if-none-match")
    if none:
        if ctx.aws and none != "*":
            raise S3Error("NotImplemented", "A header you provided implies functionality that "
                          "is not implemented", Header="If-None-Match")
        # Seen on RGW: with anything but * a missing key answers 412 as well.
        if there or none != "*":
            raise S3Error("PreconditionFailed")
    match = rq.head.get("if-match")
    if match:
        wanted = match.strip('"') if ctx.aws else match
        if there is None and ctx.aws:
            raise S3Error("NoSuchKey")
        if there is None or (wanted != "*" and wanted != there.etag):
            raise S3Error("PreconditionFailed")


def get_object(ctx, rq):
    """GetObject and HeadObject."""
    ctx.no_body(rq)
    obj = ctx.store.find(rq.bucket, rq.key)
    if obj is None:
        raise S3Error("NoSuchKey", "The specified key does not exist.")
    headers = [("Last-Modified", http_time(obj.modified)), ("ETag", '"%s"' % obj.etag)]
    match, none = rq.head.get("if-match"), rq.head.get("if-none-match")
    if match and match != "*" and match.strip('"') != obj.etag:
        raise S3Error("PreconditionFailed")
    if none and (none == "*" or none.strip('"') == obj.etag):
        return Answer(304, headers)
    headers.append(("Accept-Ranges", "bytes"))
    headers += [("x-amz-meta-" + n, v) for n, v in obj.meta.items()]
    if "content-type" not in obj.headers:
        headers.append(("Content-Type", "binary/octet-stream"))
    headers += [(n.title(), v) for n, v in obj.headers.items()]
    first, last, status = 0, obj.size - 1, 200
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", rq.head.get("range"))
    if wanted and wanted.groups() != ("", ""):
        low, high = wanted.groups()
        if low:
            first, last = int(low), min(int(high), last) if high else last
        else:
            first = max(0, obj.size - int(high))
        if first > last or first >= obj.size or (not low and int(high) == 0):
            raise S3Error("InvalidRange", "The requested range is not satisfiable")
        status = 206
        headers.append(("Content-Range", "bytes %d-%d/%d" % (first, last, obj.size)))
    length = last - first + 1
    if rq.op == "HeadObject":
        return Answer(status, headers, length=length)
    if not obj.kept:
        raise S3Error("InternalError", "the contents of this object were not kept")
    return Answer(status, headers, slices=obj.slices(first, last), length=length)


def delete_object(ctx, rq):
    ctx.no_body(rq)
    with ctx.store.lock:
        obj = ctx.store.find(rq.bucket, rq.key)
        match = rq.head.get("if-match")
        if ctx.aws and match and "ignore_conditions" not in rq.plan.ambient:
            if obj is None:
                raise S3Error("NoSuchKey")
            if match != "*" and match.strip('"') != obj.etag:
                raise S3Error("PreconditionFailed")
        ctx.store.remove(rq.bucket, rq.key, "DeleteObject")
    return Answer(204)


def copy_object(ctx, rq):
    """A copy inside the store; conditions on the source are not looked at."""
    ctx.receive_small(rq, 65536)
    ctx.check_key(rq)
    source = urllib.parse.unquote(rq.head.get("x-amz-copy-source").split("?")[0])
    bucket, _, key = source.lstrip("/").partition("/")
    if bucket not in ctx.store.buckets:
        raise S3Error("NoSuchBucket")
    with ctx.store.lock:
        old = ctx.store.find(bucket, key)
        if old is None:
            raise S3Error("NoSuchKey")
        replace = rq.head.get("x-amz-metadata-directive").upper() == "REPLACE"
        if (bucket, key) == (rq.bucket, rq.key) and not replace:
            raise S3Error("InvalidRequest", "This copy request is illegal")
        obj = StoredObject(rq.key, list(old.segments), old.etag,
                           ctx.metadata(rq) if replace else old.meta,
                           ctx.kept_headers(rq) if replace else old.headers)
        ctx.store.publish(rq.bucket, obj, "CopyObject")
    return xml("CopyObjectResult", element("LastModified", iso_time(obj.modified))
               + element("ETag", '"%s"' % obj.etag), chunked=True)
