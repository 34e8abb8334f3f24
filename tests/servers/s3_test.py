"""Tests of the stand-in S3 store: signatures, operations, every fault, other clients.

Run with the system's Python, which has pytest and boto3 from the distribution:
    /usr/bin/python3 -m pytest -q tests/servers/s3_test.py
"""

import base64
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from s3_parts import sigv4                                            # noqa: E402
from s3_parts.client import KEY, SECRET, Standin, joined_etag          # noqa: E402
from s3_parts.sigv4 import Credential, SignatureError, Verifier       # noqa: E402

LOST = (ConnectionError, http.client.HTTPException)
MIN = 1000                       # the smallest part of the shared stores


@pytest.fixture(scope="module")
def rgw_store():
    with Standin("--min-part", str(MIN)) as store:
        yield store


@pytest.fixture(scope="module")
def aws_store():
    with Standin("--min-part", str(MIN), "--profile", "aws", "--region", "eu-west-3") as store:
        yield store


@pytest.fixture
def rgw(rgw_store):
    rgw_store.admin("reset", {"objects": True})
    return rgw_store


@pytest.fixture
def aws(aws_store):
    aws_store.admin("reset", {"objects": True})
    store = aws_store
    plain = type(store).call
    store.call = lambda *a, **k: plain(store, *a, **{"region": "eu-west-3", **k})
    return store


def md5(data):
    return hashlib.md5(data).hexdigest()


# ---- signatures

VECTORS = [
    ("GET", "/test.txt", "", [("range", "bytes=0-9")], b"",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    ("PUT", "/test%24file.text", "",
     [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
     b"Welcome to Amazon S3.",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    ("GET", "/", "lifecycle", [], b"",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    ("GET", "/", "max-keys=2&prefix=J", [], b"",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
]
VECTOR_KEY = Credential("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
VECTOR_TIME = 1369353600


def vector_headers(extra, payload, given):
    sha = hashlib.sha256(payload).hexdigest()
    every = [("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", sha),
             ("x-amz-date", "20130524T000000Z")] + extra
    names = ";".join(sorted(n.lower() for n, _ in every))
    return every + [("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"
                     "20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s"
                     % (names, given))]


@pytest.mark.parametrize("vector", VECTORS, ids=["get", "put", "lifecycle", "list"])
@pytest.mark.parametrize("strict", [False, True])
def test_published_vectors(vector, strict):
    method, path, query, extra, payload, expected = vector
    verifier = Verifier([VECTOR_KEY], strict=strict)
    headers = vector_headers(extra, payload, expected)
    assert verifier.verify(method, path, query, headers, VECTOR_TIME).access_key \
        == VECTOR_KEY.access_key
    wrong = vector_headers(extra, payload, "0" + expected[1:] if expected[0] != "0" else
                           "1" + expected[1:])
    with pytest.raises(SignatureError) as caught:
        verifier.verify(method, path, query, wrong, VECTOR_TIME)
    assert caught.value.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("path,query", [
    ("/b/a%20b%2Bc%3D%25", ""), ("/b/a/./b/../c//d", ""), ("/b/%C3%A9%7E~", ""),
    ("/b", "prefix=a%2Fb&continuation-token=x%2B%2F%3D&a-b=1&a=2"), ("/b", "uploads"),
    ("/b", "uploads=")])
def test_any_signed_text_counts(path, query):
    """A signature holds for its own target and for no other."""
    verifier = Verifier([VECTOR_KEY])
    headers = sigv4.sign("GET", path, sigv4.parse_query(query), [("Host", "h:1")], VECTOR_KEY)
    verifier.verify("GET", path, query, headers, time.time())
    for other in (path + "x", path.replace("%20", "+"), path.replace("/./", "/")):
        if other != path:
            with pytest.raises(SignatureError):
                verifier.verify("GET", other, query, headers, time.time())
    with pytest.raises(SignatureError):
        verifier.verify("GET", path, query + "&z=1", headers, time.time())


def test_reference_signer_is_accepted_in_odd_cases(rgw):
    """botocore's own signer, on keys and tokens that invite mistakes."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    for target in ("/bucket/a%20b%2Bc%3D%25d", "/bucket/a/./b/../c", "/bucket//x//",
                   "/bucket/%28p%29%21%2A%27", "/bucket?list-type=2&prefix=a%2Fb%2B%3D%20c",
                   "/bucket?uploads="):
        request = AWSRequest("GET", rgw.endpoint + target)
        S3SigV4Auth(Credentials(KEY, SECRET), "s3", "us-east-1").add_auth(request)
        headers = [("Host", rgw.host)] + list(request.headers.items())
        reply = rgw.exchange("GET", target, headers)
        assert reply.code in ("", "NoSuchKey"), (target, reply)
    assert rgw.admin("counters")["bad_signatures"] == 0


def test_wrong_signatures(rgw):
    def code(**more):
        return rgw.call("GET", query={"list-type": 2}, **more).code
    assert code() == ""
    assert code(credential=Credential(KEY, "other")) == "SignatureDoesNotMatch"
    assert code(credential=Credential("nobody", SECRET)) == "InvalidAccessKeyId"
    assert code(now=time.time() - 1000) == code(now=time.time() + 1000) == "RequestTimeTooSkewed"
    assert code(now=time.time() - 800) == code(region="xx-nowhere-9") == ""
    assert code(credential=Credential(KEY, SECRET, "junk-token")) == ""      # RGW ignores it
    assert rgw.admin("counters")["bad_signatures"] == 4
    assert rgw.exchange("GET", "/bucket", [("Host", rgw.host)]).code == "AccessDenied"


def test_header_rules(rgw):
    target, headers = rgw.signed("GET", "/bucket")
    no_sha = [h for h in headers if h[0] != "x-amz-content-sha256"]
    assert rgw.exchange("GET", target, no_sha).code == "SignatureDoesNotMatch"
    more = headers + [("x-amz-meta-added", "later")]
    assert rgw.exchange("GET", target, more).code == "AccessDenied"
    other_host = [("Host", "127.0.0.1:1")] + [h for h in headers if h[0] != "Host"]
    assert rgw.exchange("GET", target, other_host).code == "SignatureDoesNotMatch"
    target, headers = rgw.signed("GET", "/bucket", headers=[("Range", "bytes=0-1")])
    assert rgw.exchange("GET", target, [h for h in headers if h[0] != "Range"]).status == 403


def test_payload_hashes(rgw):
    data = b"payload"
    sha = hashlib.sha256(data).hexdigest()
    assert rgw.call("PUT", "k", body=data, payload=sha).status == 200
    bad = rgw.call("PUT", "k2", body=b"other", payload=sha)
    assert (bad.status, bad.code) == (400, "XAmzContentSHA256Mismatch")
    upload = rgw.create("m")
    assert rgw.part("m", upload, 1, b"other", payload=sha).code == "XAmzContentSHA256Mismatch"
    assert rgw.call("DELETE", "k", payload=sha).code == "XAmzContentSHA256Mismatch"
    assert rgw.keys() == ["k"]


def test_aws_profile_is_strict_about_region_and_token(aws):
    reply = aws.call("GET", region="us-east-1")
    assert (reply.status, reply.code) == (400, "AuthorizationHeaderMalformed")
    assert reply.text("Region") == "eu-west-3"
    head = aws.call("HEAD", region="us-east-1")
    assert (head.status, head.headers["x-amz-bucket-region"], head.body) == (400, "eu-west-3", b"")
    assert aws.call("HEAD").headers["x-amz-bucket-region"] == "eu-west-3"
    assert aws.call("GET", credential=Credential(KEY, SECRET, "junk")).code == "InvalidToken"
    target, headers = aws.signed("GET", "/bucket", region="eu-west-3")
    reply = aws.exchange("GET", target, [h for h in headers if "sha256" not in h[0]])
    assert (reply.status, reply.code) == (400, "InvalidRequest")


def test_session_tokens_and_changing_keys():
    with Standin("--session-token", "tok", credential=Credential(KEY, SECRET, "tok")) as store:
        def code(token, secret=SECRET):
            return store.call("GET", credential=Credential(KEY, secret, token)).code
        assert code("tok") == ""
        assert code("") == "InvalidAccessKeyId" and code("else") == "InvalidToken"
        target, headers = store.signed("GET", "/bucket")
        headers = [(n, "tok " if n == "x-amz-security-token" else v) for n, v in headers]
        assert store.exchange("GET", target, headers).code == ""      # trimmed
        store.admin("credentials", [{"access_key": KEY, "secret_key": SECRET,
                                     "session_token": "tok", "expires_in_s": -1},
                                    {"access_key": "new", "secret_key": "s"}])
        assert code("tok") == "ExpiredToken"
        assert store.call("GET", credential=Credential("new", "s")).code == ""


def test_presigned(rgw):
    data = os.urandom(3000)
    put = rgw.exchange("PUT", rgw.presigned("PUT", "p q"), [("Host", rgw.host)], data)
    assert put.status == 200 and put.etag == md5(data)
    get = rgw.presigned("GET", "p q")
    assert rgw.exchange("GET", get, [("Host", rgw.host)]).body == data
    assert rgw.exchange("PUT", get, [("Host", rgw.host)], b"x").code == "SignatureDoesNotMatch"
    old = rgw.presigned("GET", "p q", now=time.time() - 400)
    assert rgw.exchange("GET", old, [("Host", rgw.host)]).code == "AccessDenied"


# ---- operations

def test_put_get_head_delete(rgw):
    data = os.urandom(300000)
    put = rgw.call("PUT", "dir/a b+c", body=data, headers=[("x-amz-meta-UP", "v"),
                                                           ("Content-Type", "text/x")])
    assert put.headers["etag"] == '"%s"' % md5(data) and put.body == b""
    get = rgw.call("GET", "dir/a b+c")
    assert get.body == data and get.headers["x-amz-meta-up"] == "v"
    head = rgw.call("HEAD", "dir/a b+c")
    assert head.headers["content-length"] == "300000" and head.headers["content-type"] == "text/x"
    part = rgw.call("GET", "dir/a b+c", headers=[("Range", "bytes=10-19")])
    assert (part.status, part.body) == (206, data[10:20])
    assert part.headers["content-range"] == "bytes 10-19/300000"
    tail = rgw.call("GET", "dir/a b+c", headers=[("Range", "bytes=-5")])
    assert tail.body == data[-5:]
    assert rgw.call("GET", "dir/a b+c", headers=[("Range", "bytes=300000-")]).status == 416
    assert rgw.call("DELETE", "dir/a b+c").status == 204
    assert rgw.call("DELETE", "dir/a b+c").status == 204
    assert (rgw.call("HEAD", "dir/a b+c").status, rgw.call("GET", "dir/a b+c").code) \
        == (404, "NoSuchKey")
    assert rgw.call("HEAD").status == 200
    assert rgw.call("GET", path="/absent").code == "NoSuchBucket"
    assert rgw.call("HEAD", path="/absent").status == 404


def test_put_limits(rgw, aws):
    for store, long_code in ((rgw, "InvalidObjectName"), (aws, "KeyTooLongError")):
        assert store.call("PUT", "k" * 1024, body=b"1").status == 200
        assert store.call("PUT", "k" * 1025, body=b"1").code == long_code
        wrong = base64.b64encode(hashlib.md5(b"z").digest()).decode()
        assert store.call("PUT", "d", body=b"1", headers=[("Content-MD5", wrong)]).code \
            == "BadDigest"
        assert store.call("PUT", "d", body=b"1", headers=[("Content-MD5", "x")]).code \
            == "InvalidDigest"
        assert store.call("PUT", "e", body=b"").status == 200
        assert store.call("GET", "e", headers=[("Range", "bytes=0-0")]).status == 416
        assert store.keys() == ["e", "k" * 1024]
    big = [("x-amz-meta-a", "v" * 9000)]
    assert rgw.call("PUT", "m", body=b"", headers=big).status == 200
    assert aws.call("PUT", "m", body=b"", headers=big).code == "MetadataTooLarge"


def test_conditions(rgw, aws):
    none, etag = [("If-None-Match", "*")], md5(b"one")
    for store in (rgw, aws):
        assert store.call("PUT", "c", body=b"one", headers=none).status == 200
        assert store.call("PUT", "c", body=b"two", headers=none).code == "PreconditionFailed"
        assert store.call("GET", "c").body == b"one"
    quoted, bare = [("If-Match", '"%s"' % etag)], [("If-Match", etag)]
    assert rgw.call("PUT", "c", body=b"x", headers=quoted).status == 412
    assert rgw.call("PUT", "c", body=b"one", headers=bare).status == 200
    assert aws.call("PUT", "c", body=b"one", headers=quoted).status == 200
    assert rgw.call("DELETE", "c", headers=[("If-Match", '"0"')]).status == 204
    assert aws.call("DELETE", "c", headers=[("If-Match", '"0"')]).status == 412


def test_one_of_many_conditional_writers_wins(rgw):
    results = []

    def write(n):
        results.append(rgw.call("PUT", "lock", body=b"%d" % n,
                                headers=[("If-None-Match", "*")]).status)
    threads = [threading.Thread(target=write, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(results) == [200] + [412] * 15
    assert len(rgw.journal()) == 1


@pytest.mark.parametrize("key", [
    "sp ace", "pl+us", "per%20cent", "eq=al", "é/日本", "q?x#y", "(p)!*'", "a//b", "~t",
    "a/./b/../c", "trailing/", '"q"&<x>', "[br]{}|\\^`", "x" * 1024])
def test_odd_keys(rgw, key):
    assert rgw.call("PUT", key, body=key.encode()).status == 200
    assert rgw.call("GET", key).body == key.encode()
    assert rgw.call("GET", query={"list-type": 2}).texts("Key") == [key]
    assert rgw.keys() == [key]


@pytest.mark.parametrize("profile", ["rgw", "aws"])
def test_listing(request, profile):
    store = request.getfixturevalue(profile)
    for key in ("a+b c", "d/1", "d/2", "e/1", "z"):
        store.call("PUT", key, body=b"12")
    got, token, pages = [], None, 0
    while True:
        query = {"list-type": 2, "max-keys": 2}
        if token:
            query["continuation-token"] = token
        page = store.call("GET", query=query)
        got += page.texts("Key")
        pages += 1
        token = page.text("NextContinuationToken")
        if page.text("IsTruncated") != "true":
            break
    assert got == ["a+b c", "d/1", "d/2", "e/1", "z"] and pages == 3 and not token
    grouped = store.call("GET", query={"list-type": 2, "delimiter": "/"})
    assert grouped.texts("Key") == ["a+b c", "z"]
    assert grouped.texts("Prefix")[-2:] == ["d/", "e/"] and grouped.text("KeyCount") == "4"
    assert store.call("GET", query={"list-type": 2, "start-after": "d/2"}).texts("Key") \
        == ["e/1", "z"]
    assert store.call("GET", query={"list-type": 2, "prefix": "d/"}).texts("Size") == ["2", "2"]
    url = store.call("GET", query={"list-type": 2, "prefix": "a", "encoding-type": "url"})
    assert url.text("Key") == "a%2Bb%20c"
    none = store.call("GET", query={"list-type": 2, "max-keys": 0})
    assert (none.text("IsTruncated"), none.texts("Key")) == ("false", [])
    old = store.call("GET", query={"max-keys": 1})
    assert old.text("NextMarker") == "a+b c"
    gone = store.call("POST", query={"delete": ""}, headers=[("Content-MD5", "x")], body=b"<Delete>"
                      b"<Object><Key>z</Key></Object><Object><Key>no</Key></Object></Delete>")
    assert gone.status == 200 and "z" not in store.keys()


def test_multipart(rgw):
    pieces = [os.urandom(5000), os.urandom(5000), b"tail"]
    upload = rgw.create("m/x", [("x-amz-meta-repo", "r"), ("Content-Type", "text/y")])
    assert upload.startswith("2~")
    for number in (3, 1, 2):
        reply = rgw.part("m/x", upload, number, pieces[number - 1])
        assert reply.headers["etag"] == '"%s"' % md5(pieces[number - 1])
    assert rgw.call("HEAD", "m/x").status == 404 and rgw.journal() == []
    done = rgw.complete("m/x", upload, list(enumerate(pieces, 1)))
    assert done.status == 200 and b"<CompleteMultipartUploadResult" in done.body
    assert done.text("ETag") == joined_etag(pieces)                  # bare, as RGW 18 does
    get = rgw.call("GET", "m/x")
    assert get.body == b"".join(pieces) and get.etag == joined_etag(pieces)
    assert get.headers["x-amz-meta-repo"] == "r" and get.headers["content-type"] == "text/y"
    middle = rgw.call("GET", "m/x", headers=[("Range", "bytes=4990-5009")])
    assert middle.body == b"".join(pieces)[4990:5010]
    state = rgw.admin("state")
    assert state["objects"][0]["sha256"] == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert rgw.journal() == [("m/x", 10004)] and state["uploads"] == []


def test_complete_errors(rgw, aws):
    big = b"b" * MIN
    for store in (rgw, aws):
        upload, parts = store_upload(store, "k", [big, big, b"t"])
        def code(some):
            return finish(store, "k", upload, some).code
        assert code([(1, "0" * 32), parts[1], parts[2]]) == "InvalidPart"
        assert code(parts + [(4, big)]) == "InvalidPart"
        assert code([]) == "MalformedXML"
        assert store.call("POST", "k", {"uploadId": upload}, body=b"junk").code == "MalformedXML"
        assert store.keys() == []
    assert finish(rgw, "k", only_upload(rgw), parts[:2]).code == "InvalidPart"
    assert finish(rgw, "k", only_upload(rgw), parts[::-1]).code == ""
    assert finish(aws, "k", only_upload(aws), parts[::-1]).code == "InvalidPartOrder"
    assert finish(aws, "k", only_upload(aws), parts[:2]).status == 200
    assert aws.call("GET", "k").body == big + big and rgw.call("GET", "k").body == big + big + b"t"
    for store in (rgw, aws):
        upload, parts = store_upload(store, "s", [b"small", b"t"])
        assert finish(store, "s", upload, parts).code == "EntityTooSmall"


def store_upload(store, key, pieces):
    upload = store.call("POST", key, {"uploads": ""}).text("UploadId")
    for number, piece in enumerate(pieces, 1):
        store.call("PUT", key, {"partNumber": number, "uploadId": upload}, body=piece)
    return upload, list(enumerate(pieces, 1))


def finish(store, key, upload, parts):
    body = "".join("<Part><PartNumber>%d</PartNumber><ETag>&quot;%s&quot;</ETag></Part>" % (
        n, md5(e) if isinstance(e, bytes) else e) for n, e in parts)
    return store.call("POST", key, {"uploadId": upload}, body=(
        "<CompleteMultipartUpload xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>%s"
        "</CompleteMultipartUpload>" % body).encode())


def only_upload(store):
    return store.admin("state")["uploads"][0]["id"]


def test_replayed_complete(rgw, aws):
    upload, parts = store_upload(rgw, "k", [b"x"])
    assert finish(rgw, "k", upload, parts).text("ETag") == joined_etag([b"x"])
    again = finish(rgw, "k", upload, parts)
    assert again.status == 200 and b"<ETag></ETag>" in again.body
    assert (finish(rgw, "k", upload, [(1, "0" * 32)]).code) == "InternalError"
    rgw.call("PUT", "k", body=b"new")
    assert finish(rgw, "k", upload, parts).status == 500
    unknown = finish(rgw, "k", "2~unknown", parts)
    assert (unknown.status, unknown.code) == (500, "InternalError")
    upload, parts = store_upload(aws, "k", [b"x"])
    assert finish(aws, "k", upload, parts).text("ETag") == '"%s"' % joined_etag([b"x"])
    assert finish(aws, "k", upload, parts).code == "NoSuchUpload"


def test_overwritten_part_makes_its_old_etag_invalid(rgw):
    upload, parts = store_upload(rgw, "k", [b"x" * MIN, b"y"])
    rgw.part("k", upload, 1, b"z" * MIN)
    assert finish(rgw, "k", upload, parts).code == "InvalidPart"
    assert finish(rgw, "k", upload, [(1, b"z" * MIN), parts[1]]).status == 200


def test_abort_and_unknown_uploads(rgw, aws):
    for store, listed in ((rgw, "NoSuchKey"), (aws, "NoSuchUpload")):
        upload, _ = store_upload(store, "k", [b"x"])
        assert store.call("DELETE", "k", {"uploadId": upload}).status == 204
        assert store.call("DELETE", "k", {"uploadId": upload}).code == "NoSuchUpload"
        late = store.call("PUT", "k", {"partNumber": 1, "uploadId": upload}, body=b"x")
        assert late.code == "NoSuchUpload"
        assert store.call("GET", "k", {"uploadId": upload}).code == listed


def test_part_numbers(rgw, aws):
    upload = rgw.create("k")
    assert [rgw.part("k", upload, n, b"x").status for n in (0, 10000, 10001)] == [200] * 3
    assert rgw.call("PUT", "k", {"partNumber": "x", "uploadId": upload}, body=b"").code \
        == "InvalidArgument"
    upload, _ = store_upload(aws, "k", [])
    for number, status in ((0, 400), (10000, 200), (10001, 400)):
        query = {"partNumber": number, "uploadId": upload}
        assert aws.call("PUT", "k", query, body=b"x").status == status
    many = [(n, "0" * 32) for n in range(1, 10002)]
    assert finish(rgw, "k", rgw.create("k"), many).code == "InvalidRange"
    blank = b"<CompleteMultipartUpload>" + b" " * (1 << 20)
    assert rgw.call("POST", "k", {"uploadId": upload}, body=blank).status == 416


def test_list_parts_and_uploads_paging(rgw):
    upload = rgw.create("p")
    conn = rgw.connect()
    for number in range(1, 1003):
        assert rgw.part("p", upload, number, b"x", conn=conn).status == 200
    conn.close()
    first = rgw.call("GET", "p", {"uploadId": upload})
    assert len(first.texts("PartNumber")) == 1000 and first.text("IsTruncated") == "true"
    rest = rgw.call("GET", "p", {"uploadId": upload,
                                 "part-number-marker": first.text("NextPartNumberMarker")})
    assert rest.texts("PartNumber") == ["1001", "1002"] and rest.text("IsTruncated") == "false"
    assert rest.text("ETag") == '"%s"' % md5(b"x") and rest.text("Size") == "1"
    expected = {("p", upload)} | {(k, rgw.create(k)) for k in ("p", "q/1", "q/2")}
    got, query = [], {"uploads": "", "max-uploads": 1}
    while True:
        page = rgw.call("GET", query=query)
        got += zip(page.texts("Key"), page.texts("UploadId"))
        if page.text("IsTruncated") != "true":
            break
        query.update({"key-marker": page.text("NextKeyMarker"),
                      "upload-id-marker": page.text("NextUploadIdMarker")})
    assert len(got) == 4 and set(got) == expected
    assert rgw.call("GET", query={"uploads": "", "prefix": "q/"}).texts("Key") == ["q/1", "q/2"]
    rgw.admin("upload", {"id": upload, "age_s": 86400 * 3})
    old = [u for u in rgw.admin("state")["uploads"] if u["id"] == upload][0]
    assert time.time() - old["initiated"] > 86400 * 2


def test_virtual_host_style(rgw):
    host = "bucket.localhost:" + rgw.host.split(":")[1]
    assert rgw.call("PUT", path="/v/k", host=host, body=b"v").status == 200
    assert rgw.call("GET", "v/k").body == b"v"
    listed = rgw.call("GET", path="/", host=host, query={"list-type": 2})
    assert listed.texts("Key") == ["v/k"]


# ---- HTTP

def test_keep_alive_expect_and_early_refusal(rgw):
    conn = rgw.connect()
    for number in range(50):
        assert rgw.call("PUT", "n%d" % number, body=b"x", conn=conn).status == 200
    refused = rgw.call("PUT", "x", body=b"z" * 3000000, conn=conn,
                       credential=Credential(KEY, "wrong"))
    assert refused.status == 403
    assert rgw.call("PUT", "after", body=b"x", conn=conn).status == 200   # still usable
    conn.close()
    assert rgw.admin("counters")["connections_used_again"] >= 51
    assert raw_expect(rgw, Credential(KEY, SECRET))[:2] == ["100", "200"]
    assert raw_expect(rgw, Credential(KEY, "wrong")) == ["403"]


def raw_expect(store, credential, body=b"hello"):
    """The status codes seen by a client that waits for "100 Continue"."""
    target, headers = store.signed("PUT", "/bucket/expect", credential=credential)
    lines = ["PUT %s HTTP/1.1" % target] + ["%s: %s" % h for h in headers]
    lines += ["Expect: 100-continue", "Content-Length: %d" % len(body), "Connection: close"]
    host, port = store.host.split(":")
    codes = []
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        stream = sock.makefile("rb")
        for line in stream:
            if line.startswith(b"HTTP/1.1 "):
                codes.append(line.split()[1].decode())
                if codes == ["100"]:
                    sock.sendall(body)
    return codes


def test_chunked_and_missing_length(rgw, aws):
    for store, code in ((rgw, ""), (aws, "NotImplemented")):
        target, headers = store.signed("PUT", "/bucket/te", region="eu-west-3")
        chunks = b"5\r\nhello\r\n6; x=y\r\n world\r\n0\r\n\r\n"
        reply = store.exchange("PUT", target, headers + [("Transfer-Encoding", "chunked")], chunks)
        assert reply.code == code
        assert store.exchange("PUT", target, headers).code == "MissingContentLength"
    assert rgw.call("GET", "te").body == b"hello world"


def test_aws_chunked_is_unframed(rgw):
    framed = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    reply = rgw.call("PUT", "f", body=framed, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                     headers=[("x-amz-decoded-content-length", "5"),
                              ("Content-Encoding", "aws-chunked")])
    assert reply.status == 200 and rgw.call("GET", "f").body == b"hello"


def test_a_body_cut_short_leaves_nothing(rgw):
    upload = rgw.create("cut")
    for path, query in (("/bucket/cut", {"partNumber": 1, "uploadId": upload}),
                        ("/bucket/whole", {})):
        target, headers = rgw.signed("PUT", path, query)
        conn = rgw.connect()
        conn.putrequest("PUT", target, skip_host=True, skip_accept_encoding=True)
        for header in headers:
            conn.putheader(*header)
        conn.putheader("Content-Length", "100000")
        conn.endheaders()
        conn.send(b"x" * 50000)
        conn.close()
    rgw.admin("wait?event=done&op=PutObject&count=1")
    rgw.admin("wait?event=done&op=UploadPart&count=1")
    state = rgw.admin("state")
    assert state["objects"] == [] and state["uploads"][0]["parts"] == []
    assert rgw.admin("counters")["cut_bodies"] == 2


def test_idle_body_is_closed():
    for profile, expected in (("rgw", b""), ("aws", b"HTTP/1.1 400")):
        with Standin("--idle-ms", "100", "--profile", profile) as store:
            target, headers = store.signed("PUT", "/bucket/k")
            host, port = store.host.split(":")
            with socket.create_connection((host, int(port)), timeout=20) as sock:
                sock.sendall(("PUT %s HTTP/1.1\r\n" % target + "".join(
                    "%s: %s\r\n" % h for h in headers)
                    + "Content-Length: 10\r\n\r\nabc").encode())
                assert sock.recv(65536)[:12] == expected
            assert store.keys() == []


# ---- faults

ERRORS = [("InternalError", 500), ("SlowDown", 503), ("ServiceUnavailable", 503),
          ("TooManyRequests", 429), ("RequestTimeout", 400), ("IncompleteBody", 400),
          ("BadDigest", 400), ("AccessDenied", 403), ("QuotaExceeded", 403),
          ("ExpiredToken", 400), ("InvalidToken", 400), ("NoSuchBucket", 404),
          ("NoSuchUpload", 404), ("NotImplemented", 501), ("OperationAborted", 409),
          ("ConditionalRequestConflict", 409), ("EntityTooLarge", 400)]


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("code,status", ERRORS)
def test_status_faults(rgw, code, status, when):
    rgw.fault("status", code=code, op="PutObject", when=when)
    conn = rgw.connect()
    reply = rgw.call("PUT", "k", body=b"x" * 100000, conn=conn)
    assert (reply.status, reply.code) == (status, code)
    assert rgw.keys() == []
    assert rgw.call("PUT", "k", body=b"ok", conn=conn).status == 200
    conn.close()
    log = rgw.admin("counters")["log"]
    assert [(e["status"], e["fault"]) for e in log] == [(status, "status"), (200, None)]


def test_status_fault_forms(rgw):
    rgw.admin("faults", [
        {"mode": "status", "status": 503, "retry_after": 7, "retry_after_ms": 250,
         "op": "GetObject"},
        {"mode": "status", "status": 502, "html": True, "op": "GetObject"},
        {"mode": "status", "status": 429, "body": "slow", "headers": {"X-Y": "z"},
         "op": "GetObject"},
        {"mode": "status", "code": "NotImplemented", "header": "If-None-Match", "op": "GetObject"},
        {"mode": "status", "status": 500, "when": "after", "op": "PutObject"}])
    one, two, three, four = [rgw.call("GET", "k") for _ in range(4)]
    assert (one.headers["retry-after"], one.headers["x-amz-retry-after"]) == ("7", "250")
    assert two.status == 502 and two.headers["content-type"] == "text/html"
    assert (three.body, three.headers["x-y"]) == (b"slow", "z")
    assert four.text("Header") == "If-None-Match"
    assert rgw.call("PUT", "k", body=b"1").status == 500 and rgw.keys() == ["k"]
    assert [f["hits"] for f in rgw.admin("faults")] == [1] * 5


def test_early_status_with_close_can_be_read(rgw):
    rgw.fault("status", code="AccessDenied", close=True)
    reply = rgw.call("PUT", "k", body=b"x" * 5000000)
    assert reply.code == "AccessDenied" and reply.headers["connection"] == "close"


def test_matching_count_skip_part_header(rgw):
    upload = rgw.create("m/k")
    rgw.fault("status", code="SlowDown", op="UploadPart", key="m/*", part=2, skip=1, count=2)
    codes = [rgw.part("m/k", upload, n, b"x").status for n in (1, 2, 2, 2, 2, 3)]
    assert codes == [200, 200, 503, 503, 200, 200]
    rgw.fault("status", code="NotImplemented", has_header="If-None-Match", count=-1)
    assert rgw.call("PUT", "k", body=b"").status == 200
    for _ in range(3):
        assert rgw.call("PUT", "k", body=b"", headers=[("If-None-Match", "*")]).status == 501
    for bad in ({"mode": "nonsense"}, {"mode": "reset", "op": "Nonsense"}, 7):
        with pytest.raises(ValueError):
            rgw.admin("faults", [bad])


@pytest.mark.parametrize("fault,visible,taken", [
    ({"mode": "reset"}, [], 0), ({"mode": "reset", "reset": False}, [], 0),
    ({"mode": "reset", "at": "body", "bytes": 70000}, [], 70000),
    ({"mode": "reset", "at": "after"}, ["k"], 400000), ({"mode": "lost_answer"}, ["k"], 400000)])
def test_resets(rgw, fault, visible, taken):
    rgw.admin("faults", [dict(fault, op="PutObject")])
    with pytest.raises(LOST):
        rgw.call("PUT", "k", body=b"x" * 400000)
    assert rgw.keys() == visible
    entry = rgw.admin("counters")["log"][0]
    assert (entry["status"], entry["body_bytes"]) == (0, taken)


@pytest.mark.parametrize("fault,end", [
    ({"at": "start"}, "release"), ({"at": "body", "bytes": 10}, "reset"),
    ({"at": "after"}, "release"), ({"at": "start", "then": "continue"}, "release")])
def test_stall_lasts_until_it_is_released(rgw, fault, end):
    rgw.fault("stall", op="PutObject", **fault)
    got = []

    def put():
        try:
            got.append(rgw.call("PUT", "k", body=b"x" * 1000).status)
        except LOST:
            got.append("lost")
    thread = threading.Thread(target=put)
    thread.start()
    assert rgw.admin("wait?event=stalled&count=1")["ok"]
    assert got == [] and rgw.admin("counters")["stalled"] == 1
    rgw.admin(end, {})
    thread.join(20)
    assert got == [200 if "then" in fault else "lost"]


def test_stall_in_the_middle_of_an_answer(rgw):
    rgw.call("PUT", "k", body=b"123456789")
    rgw.fault("stall", op="GetObject", at="answer", bytes=4)
    target, headers = rgw.signed("GET", "/bucket/k")
    conn = rgw.connect()
    conn.request("GET", target, headers=dict(headers))
    answer = conn.getresponse()
    assert answer.read(4) == b"1234" and rgw.admin("wait?event=stalled&count=1")["ok"]
    rgw.admin("release", {})
    with pytest.raises(http.client.IncompleteRead):
        answer.read()


def test_stall_ends_when_the_client_leaves(rgw):
    rgw.fault("stall", op="GetObject")
    target, headers = rgw.signed("GET", "/bucket/k")
    conn = rgw.connect()
    conn.request("GET", target, headers=dict(headers))
    assert rgw.admin("wait?event=stalled&count=1")["ok"]
    conn.close()
    assert rgw.admin("wait?event=done&op=GetObject&count=1")["ok"]


def test_slow_and_rate(rgw):
    rgw.fault("slow", op="PutObject", rate=1000000, count=1)
    began = time.monotonic()
    assert rgw.call("PUT", "k", body=b"x" * 300000).status == 200
    assert time.monotonic() - began > 0.2
    rgw.fault("slow", op="GetObject", rate=1000000, delay_ms=50, count=1)
    began = time.monotonic()
    assert len(rgw.call("GET", "k").body) == 300000
    assert time.monotonic() - began > 0.25


def test_latency_and_rate_options():
    with Standin("--latency-ms", "60", "--rate", "2000000") as store:
        began = time.monotonic()
        store.part("k", store.create("k"), 1, b"x" * 200000)
        assert time.monotonic() - began > 0.14


def completed(store, **fault):
    """A ready upload, its parts, and the fault for the coming Complete."""
    upload, parts = store.upload("k", [b"x" * MIN, b"y"])
    if fault:
        store.admin("faults", [fault])
    return upload, parts


def test_complete_200_error(rgw):
    upload, parts = completed(rgw, mode="complete_200_error", code="SlowDown")
    first = rgw.complete("k", upload, parts)
    assert (first.status, first.code) == (200, "SlowDown") and rgw.keys() == []
    assert rgw.complete("k", upload, parts).text("ETag") and rgw.keys() == ["k"]
    upload, parts = completed(rgw, mode="complete_200_error", commit=True)
    assert rgw.complete("k", upload, parts).code == "InternalError"
    assert len(rgw.journal()) == 2


@pytest.mark.parametrize("code", [None, "InternalError"])
def test_complete_whitespace(rgw, code):
    upload, parts = completed(rgw, mode="complete_whitespace", before=4, after=3, interval_ms=5,
                              code=code)
    reply = rgw.complete("k", upload, parts)
    assert reply.status == 200 and reply.headers["transfer-encoding"] == "chunked"
    assert reply.body.startswith(b"    <?xml") and b"?> \n \n \n<" in reply.body
    assert reply.code == (code or "") and rgw.keys() == ([] if code else ["k"])


def test_concurrent_complete_while_one_is_running(rgw):
    upload, parts = completed(rgw, mode="complete_whitespace", before=40, interval_ms=25)
    got = []
    thread = threading.Thread(target=lambda: got.append(rgw.complete("k", upload, parts)))
    thread.start()
    rgw.admin("wait?event=started&op=CompleteMultipartUpload&count=1")
    codes = set()
    while not got and not codes - {""}:
        codes.add(rgw.complete("k", upload, parts).code)
    thread.join()
    assert codes <= {"", "InternalError"} and len(rgw.journal()) == 1


def test_complete_that_succeeded_and_says_otherwise(rgw):
    for number, (mode, status, code) in enumerate([
            ("complete_500_after_commit", 500, "InternalError"),
            ("complete_not_found_after_commit", 404, "NoSuchUpload")], 1):
        upload, parts = completed(rgw, mode=mode)
        reply = rgw.complete("k", upload, parts)
        assert (reply.status, reply.code) == (status, code)
        assert rgw.call("HEAD", "k").etag == joined_etag([b"x" * MIN, b"y"])
        assert len(rgw.journal()) == number
    upload, parts = completed(rgw, mode="complete_lost_answer")
    with pytest.raises(LOST):
        rgw.complete("k", upload, parts)
    assert len(rgw.journal()) == 3
    assert b"<ETag></ETag>" in rgw.complete("k", upload, parts).body      # the replay


def test_complete_odd_answers(rgw):
    upload, parts = completed(rgw, mode="complete_empty_etag")
    assert b"<ETag></ETag>" in rgw.complete("k", upload, parts).body
    upload, parts = completed(rgw, mode="complete_truncated", bytes=60, clean=True)
    assert len(rgw.complete("k", upload, parts).body) == 60
    upload, parts = completed(rgw, mode="complete_truncated")
    with pytest.raises(http.client.IncompleteRead):
        rgw.complete("k", upload, parts)
    upload, parts = completed(rgw, mode="wrong_etag", op="CompleteMultipartUpload")
    etag = rgw.complete("k", upload, parts).text("ETag")
    assert etag.endswith("-2") and etag != joined_etag([b"x" * MIN, b"y"])
    assert len(rgw.journal()) == 4


def test_etag_faults(rgw):
    upload = rgw.create("k")
    rgw.fault("wrong_etag", op="UploadPart", part=1)
    for form in ("empty", "quotes", "missing"):
        rgw.fault("empty_etag", op="UploadPart", part=2, form=form)
    wrong = rgw.part("k", upload, 1, b"x" * MIN)
    assert len(wrong.etag) == 32 and wrong.etag != md5(b"x" * MIN)
    forms = [rgw.part("k", upload, 2, b"y").headers.get("etag") for _ in range(3)]
    assert forms == ["", '""', None]
    assert rgw.complete("k", upload, [(1, b"x" * MIN), (2, b"y")]).status == 200


@pytest.mark.parametrize("form", ["hex32", "opaque"])
def test_non_md5_etags_are_consistent(rgw, form):
    rgw.fault("non_md5_etag", form=form)
    upload = rgw.create("k")
    first = rgw.part("k", upload, 1, b"x" * MIN).etag
    assert first == rgw.part("k", upload, 1, b"x" * MIN).etag != md5(b"x" * MIN)
    assert (len(first) == 32) == (form == "hex32")
    assert rgw.complete("k", upload, [(1, first)]).status == 200
    assert rgw.call("HEAD", "k").etag != joined_etag([b"x" * MIN])


def test_damage_and_drop(rgw):
    rgw.fault("damage", op="PutObject", at_byte=3)
    assert rgw.call("PUT", "k", body=b"00000").etag == md5(b"00010")
    assert rgw.call("GET", "k").body == b"00010"
    rgw.fault("drop_part", part=2)
    upload, parts = rgw.upload("m", [b"x" * MIN, b"y" * MIN, b"z"])
    assert [p["number"] for p in rgw.admin("state")["uploads"][0]["parts"]] == [1, 3]
    assert rgw.complete("m", upload, parts).code == "InvalidPart"


def test_skewed_clock(rgw):
    rgw.fault("skewed_clock", seconds=1800, count=3)
    head = rgw.call("HEAD")
    assert head.status == 403
    server = http_date(head.headers["date"])
    assert 1700 < server - time.time() < 1900
    assert rgw.call("GET").code == "RequestTimeTooSkewed"
    assert rgw.call("GET", now=server).status == 200
    assert rgw.call("GET").status == 200


def http_date(text):
    import email.utils
    return email.utils.parsedate_to_datetime(text).timestamp()


def test_redirect_and_region(rgw):
    rgw.fault("redirect", status=307, endpoint="http://other.localhost:1", region="eu-west-3")
    reply = rgw.call("PUT", "a b", body=b"x" * 100000)
    assert (reply.status, reply.code) == (307, "TemporaryRedirect")
    assert reply.headers["location"] == "http://other.localhost:1/bucket/a%20b"
    assert reply.headers["x-amz-bucket-region"] == "eu-west-3"
    assert reply.text("Endpoint") == "other.localhost:1"
    rgw.fault("redirect", status=301, region="eu-west-3")
    head = rgw.call("HEAD")
    assert (head.status, head.headers["x-amz-bucket-region"], head.body) == (301, "eu-west-3", b"")
    rgw.fault("region_error", region="eu-west-3", not_region="eu-west-3", count=-1)
    reply = rgw.call("GET")
    assert (reply.status, reply.code, reply.text("Region")) \
        == (400, "AuthorizationHeaderMalformed", "eu-west-3")
    assert rgw.call("HEAD").headers["x-amz-bucket-region"] == "eu-west-3"
    assert rgw.call("GET", region="eu-west-3").status == 200


def test_list_faults(rgw):
    for key in "abc":
        rgw.call("PUT", key, body=b"")
    rgw.fault("list_broken_xml", op="ListObjectsV2")
    broken = rgw.call("GET", query={"list-type": 2})
    assert broken.status == 200 and not broken.body.rstrip().endswith(b"</ListBucketResult>")
    rgw.fault("list_truncated", page=1)
    page = rgw.call("GET", query={"list-type": 2})
    assert (page.texts("Key"), page.text("IsTruncated")) == (["a"], "true")
    upload, _ = rgw.upload("p", [b"1", b"2"])
    assert rgw.call("GET", "p", {"uploadId": upload}).texts("PartNumber") == ["1"]
    rgw.create("p2")
    assert rgw.call("GET", query={"uploads": ""}).texts("Key") == ["p"]
    rgw.admin("faults", method="DELETE")
    rgw.fault("list_truncated", loop=True)
    query = {"list-type": 2, "continuation-token": "a"}
    assert rgw.call("GET", query=query).text("NextContinuationToken") == "a"
    rgw.admin("faults", method="DELETE")
    rgw.fault("list_truncated", no_token=True)
    page = rgw.call("GET", query={"list-type": 2})
    assert page.text("IsTruncated") == "true" and not page.texts("NextContinuationToken")


def test_head_403_forget_upload_and_ignored_conditions(rgw):
    rgw.call("PUT", "k", body=b"")
    rgw.fault("head_403")
    assert [rgw.call("HEAD", "k").status for _ in range(2)] == [403, 200]
    upload, parts = rgw.upload("m", [b"x"])
    rgw.fault("forget_upload", op="UploadPart", part=2)
    assert rgw.part("m", upload, 1, b"x").status == 200
    assert rgw.part("m", upload, 2, b"x").code == "NoSuchUpload"
    assert rgw.complete("m", upload, parts).status == 500
    rgw.fault("ignore_conditions")
    assert rgw.call("PUT", "k", body=b"", headers=[("If-None-Match", "*")]).status == 200


def test_quota_counts_pending_parts(rgw):
    rgw.fault("quota", bytes=4 * MIN)
    rgw.call("PUT", "k", body=b"x" * MIN)
    upload = rgw.create("m")
    replies = [rgw.part("m", upload, n, b"x" * MIN) for n in range(1, 5)]
    assert [r.status for r in replies] == [200, 200, 200, 403]
    assert replies[3].code == "QuotaExceeded"
    rgw.call("DELETE", "m", {"uploadId": upload})
    assert rgw.call("PUT", "k2", body=b"x" * MIN).status == 200


def test_throttle(rgw):
    rgw.fault("throttle", per_second=0.001, burst=3, retry_after=2, op="PutObject")
    replies = [rgw.call("PUT", "k", body=b"") for _ in range(5)]
    assert [r.status for r in replies] == [200, 200, 200, 503, 503]
    assert replies[4].headers["retry-after"] == "2" and replies[4].code == "SlowDown"


def test_close_after_and_continue_faults(rgw):
    rgw.fault("close_after", count=1)
    assert rgw.call("PUT", "k", body=b"").headers["connection"] == "close"
    rgw.fault("close_after", silent=True, count=1)
    conn = rgw.connect()
    assert rgw.call("GET", "k", conn=conn).headers["connection"] == "Keep-Alive"
    conn.auto_open = 0
    with pytest.raises(LOST):
        rgw.call("GET", "k", conn=conn)
    rgw.fault("expect", answers=3, count=1)
    assert raw_expect(rgw, Credential(KEY, SECRET)) == ["100", "100", "100", "200"]
    rgw.fault("expect", unasked=True, count=1)
    assert rgw.call("PUT", "k", body=b"1").status == 200
    rgw.fault("cut_answer", op="GetObject", bytes=4)
    rgw.call("PUT", "k", body=b"123456789")
    with pytest.raises(http.client.IncompleteRead) as caught:
        rgw.call("GET", "k")
    assert caught.value.partial == b"1234"


# ---- the process and the admin routes

def test_admin_objects(rgw):
    rgw.admin("object", {"key": "a/b", "text": "hello", "meta": {"x": "y"}, "age_s": 3600})
    get = rgw.call("GET", "a/b")
    assert get.body == b"hello" and get.headers["x-amz-meta-x"] == "y"
    assert rgw.admin("object?bucket=bucket&key=a%2Fb") == b"hello"
    rgw.admin("object", {"key": "a/b", "action": "flip", "offset": 1})
    assert rgw.call("GET", "a/b").body == b"hdllo" and rgw.call("HEAD", "a/b").etag == md5(b"hello")
    rgw.admin("object", {"key": "a/b", "action": "truncate", "size": 2})
    rgw.admin("object", {"key": "a/b", "action": "extend", "size": 4})
    assert rgw.call("GET", "a/b").body == b"hd\0\0"
    rgw.admin("object", {"key": "a/b", "action": "set", "etag": "e"})
    assert rgw.call("HEAD", "a/b").etag == "e"
    rgw.admin("object", {"key": "a/b", "action": "delete"})
    state = rgw.admin("state")
    assert state["objects"] == [] and [d["how"] for d in state["deletions"]] == ["Admin"]
    assert [e["seq"] for e in state["journal"]] == [1, 2, 3, 4, 5]


def test_counters(rgw):
    rgw.call("PUT", "k", body=b"x" * 1000, headers=[("x-amz-meta-a", "1")])
    rgw.call("GET", "none")
    counters = rgw.admin("counters")
    assert counters["requests"] == {"PutObject": 1, "GetObject": 1}
    assert counters["statuses"]["GetObject"] == {"404": 1}
    assert counters["bytes_received"] == 1000 and counters["peak_connections"] >= 1
    assert "x-amz-meta-a" in counters["headers_by_op"]["PutObject"]
    assert "expect" not in counters["header_names"]
    assert [(e["op"], e["key"], e["status"]) for e in counters["log"]] \
        == [("PutObject", "k", 200), ("GetObject", "none", 404)]


def test_keep_none_forgets_large_contents():
    big = os.urandom(3 << 20)
    with Standin("--keep", "none") as store:
        assert store.call("PUT", "big", body=big).etag == md5(big)
        assert store.call("PUT", "small", body=b"s" * 1000).status == 200
        upload, parts = store.upload("m", [big * 2, b"tail"])
        assert store.complete("m", upload, parts).status == 200
        assert store.call("HEAD", "m").etag == joined_etag([big * 2, b"tail"])
        assert store.call("HEAD", "m").headers["content-length"] == str(len(big) * 2 + 4)
        assert store.call("GET", "big").status == store.call("GET", "m").status == 500
        assert store.call("GET", "small").body == b"s" * 1000


def test_odd_upload_ids():
    with Standin("--odd-upload-ids", "--min-part", "1") as store:
        upload, parts = store.upload("k", [b"a", b"b"])
        assert "+/=&% " in upload
        assert store.complete("k", upload, parts).status == 200
        assert store.call("GET", "k").body == b"ab"


def test_process_ends():
    store = Standin()
    assert store.close() == 0                          # SIGTERM
    store = Standin()
    store.process.stdin.close()                        # --exit-with-parent
    assert store.process.wait(timeout=10) == 0
    store.process.stdout.close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_tls(tmp_path):
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    with Standin("--tls-cert", cert, "--tls-key", key, cafile=cert) as store:
        assert store.endpoint.startswith("https://")
        data = os.urandom(3 << 20)
        assert store.call("PUT", "k", body=data).status == 200
        assert store.call("GET", "k").body == data
        store.fault("reset", at="body", bytes=100000)
        with pytest.raises((OSError, http.client.HTTPException)):
            store.call("PUT", "k", body=data)


# ---- clients from elsewhere

def environment(**more):
    keep = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")
            and not k.startswith(("AWS_", "RCLONE_"))}
    return dict(keep, AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET,
                AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true", **more)


@pytest.mark.parametrize("profile", ["rgw", "aws"])
@pytest.mark.parametrize("style", ["path", "virtual"])
def test_boto3(profile, style, monkeypatch):
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
    look_up, hosts = socket.getaddrinfo, set()

    def resolve(host, *more, **named):               # not every resolver knows *.localhost
        hosts.add(host)
        return look_up("127.0.0.1" if str(host).endswith("localhost") else host, *more, **named)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with Standin("--profile", profile) as store:
        endpoint = store.endpoint.replace("127.0.0.1", "localhost")
        s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=KEY,
                          aws_secret_access_key=SECRET, region_name="us-east-1",
                          config=Config(s3={"addressing_style": style}, proxies={},
                                        retries={"max_attempts": 1}))
        data = os.urandom(100000)
        s3.put_object(Bucket="bucket", Key="d/ä +%.txt", Body=data, Metadata={"a": "b"})
        got = s3.get_object(Bucket="bucket", Key="d/ä +%.txt")
        assert got["Body"].read() == data and got["Metadata"] == {"a": "b"}
        assert got["ETag"] == '"%s"' % md5(data)
        listed = s3.list_objects_v2(Bucket="bucket", Prefix="d/")
        assert [o["Key"] for o in listed["Contents"]] == ["d/ä +%.txt"]
        pieces = [os.urandom(5 << 20), os.urandom(5 << 20), b"end"]
        upload = s3.create_multipart_upload(Bucket="bucket", Key="m")["UploadId"]
        sent = [{"PartNumber": n, "ETag": s3.upload_part(
            Bucket="bucket", Key="m", UploadId=upload, PartNumber=n, Body=p)["ETag"]}
            for n, p in enumerate(pieces, 1)]
        parts = s3.list_parts(Bucket="bucket", Key="m", UploadId=upload)["Parts"]
        assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in parts] \
            == [(n, len(p), '"%s"' % md5(p)) for n, p in enumerate(pieces, 1)]
        assert s3.list_multipart_uploads(Bucket="bucket")["Uploads"][0]["UploadId"] == upload
        done = s3.complete_multipart_upload(Bucket="bucket", Key="m", UploadId=upload,
                                            MultipartUpload={"Parts": sent})
        assert done["ETag"].strip('"') == joined_etag(pieces)
        assert s3.get_object(Bucket="bucket", Key="m")["Body"].read() == b"".join(pieces)
        upload = s3.create_multipart_upload(Bucket="bucket", Key="gone")["UploadId"]
        s3.abort_multipart_upload(Bucket="bucket", Key="gone", UploadId=upload)
        with pytest.raises(ClientError) as caught:
            s3.abort_multipart_upload(Bucket="bucket", Key="gone", UploadId=upload)
        assert caught.value.response["Error"]["Code"] == "NoSuchUpload"
        s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "m"}]})
        s3.delete_object(Bucket="bucket", Key="d/ä +%.txt")
        assert store.keys() == [] and store.admin("counters")["bad_signatures"] == 0
        assert ("bucket.localhost" in hosts) == (style == "virtual")


@pytest.mark.skipif(not shutil.which("rclone"), reason="needs rclone")
def test_rclone(tmp_path):
    source = tmp_path / "source"
    (source / "sub dir").mkdir(parents=True)
    (source / "a+b.bin").write_bytes(os.urandom(12 << 20))
    (source / "sub dir" / "ü.txt").write_bytes(b"text")
    (source / "empty").write_bytes(b"")
    with Standin() as store:
        common = ["--config", str(tmp_path / "none.conf"), "--s3-provider", "Ceph",
                  "--s3-endpoint", store.endpoint, "--s3-access-key-id", KEY,
                  "--s3-secret-access-key", SECRET, "--s3-upload-cutoff", "6M",
                  "--s3-chunk-size", "5M", "--retries", "1"]
        for verb in ("copy", "check"):
            extra = ["--download"] if verb == "check" else []
            ran = subprocess.run(["rclone", verb, str(source), ":s3:bucket/p"] + common + extra,
                                 env=environment(), capture_output=True, text=True, timeout=120)
            assert ran.returncode == 0, ran.stderr
        assert store.keys() == ["p/a+b.bin", "p/empty", "p/sub dir/ü.txt"]
        counters = store.admin("counters")
        assert counters["requests"]["UploadPart"] == 3 and counters["bad_signatures"] == 0
        store.admin("object", {"key": "p/a+b.bin", "action": "flip", "offset": 7000000})
        ran = subprocess.run(["rclone", "check", "--download", str(source), ":s3:bucket/p"]
                             + common, env=environment(), capture_output=True, timeout=120)
        assert ran.returncode != 0


AWS = "/usr/bin/aws"


@pytest.mark.skipif(not os.path.exists(AWS), reason="needs the distribution's awscli")
def test_aws_cli(tmp_path):
    data = os.urandom(20 << 20)
    (tmp_path / "in").write_bytes(data)
    with Standin() as store:
        store.fault("status", code="SlowDown", op="UploadPart", part=2, when="late")

        def aws_cli(*words):
            return subprocess.run(["/usr/bin/python3", AWS, "--endpoint-url", store.endpoint, "s3",
                                   *words], env=environment(HOME=str(tmp_path)), timeout=120,
                                  capture_output=True, text=True)
        ran = aws_cli("cp", str(tmp_path / "in"), "s3://bucket/dir/x y")
        assert ran.returncode == 0, ran.stderr
        ran = aws_cli("cp", "s3://bucket/dir/x y", str(tmp_path / "out"))
        assert ran.returncode == 0, ran.stderr
        assert (tmp_path / "out").read_bytes() == data
        assert "x y" in aws_cli("ls", "s3://bucket/dir/").stdout
        assert store.journal() == [("dir/x y", len(data))]
        counters = store.admin("counters")
        assert counters["statuses"]["UploadPart"]["503"] == 1
        assert counters["bad_signatures"] == 0


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_with_presigned_url(rgw, tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(2 << 20))
    url = rgw.endpoint + rgw.presigned("PUT", "curl")
    ran = subprocess.run(["curl", "-sS", "-f", "--noproxy", "*", "-T", str(tmp_path / "f"), url],
                         capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(json.dumps(rgw.journal())) == [["curl", 2 << 20]]
