"""A store that fails: a transient fault heals, a final one ends with its exit status, and nothing wrong is ever visible."""

import contextlib
import http.client
import json
import ssl
import subprocess
import urllib.parse

import pytest
from support import BUCKET, MIB, Pourer, Store, data, etag_of, sha256

PART = 5 * MIB  # the smallest there is, so that few bytes make several parts
BASE = "p/me/model/"
MODEL = {
    "config.json": b'{"a": 1}\n',
    "special/empty.txt": b"",
    "small.bin": data(300_000, 2),
    "big.bin": data(2 * PART + 1, 3),
}
ALWAYS = -1


# ---- what holds after each test

def settled(store, present=MODEL, files=MODEL, base=BASE, complete=True, etags_are_md5=True, part=PART):
    """No upload is open, no wrong object was ever visible, and exactly `present` lies there, byte for byte."""
    assert store.uploads() == []
    for entry in store.journal():
        path = entry["key"].removeprefix(base)
        assert entry["key"].startswith(base), entry
        if path.startswith(".hfpour/"):
            continue
        content = files[path]
        assert entry["size"] == len(content), entry
        right_sum = entry.get("sha256") == sha256(content)
        right_etag = entry["etag"].strip('"') in (etag_of(content, part), etag_of(content, part, multipart=True))
        assert right_sum or right_etag or not etags_are_md5, entry
    objects = store.objects()
    state = {base + ".hfpour/manifest.json", base + ".hfpour/checkpoint.json"}
    assert set(objects) - state == {base + path for path in present}
    for path in present:
        assert sha256(store.body(base + path)) == sha256(files[path]), path
    assert (base + ".hfpour/manifest.json" in objects) == complete
    if complete:
        manifest = store.manifest(base)
        assert manifest["complete"] is True and {entry["path"] for entry in manifest["files"]} == set(files)
        for entry in manifest["files"]:
            assert entry["etag"] == objects[base + entry["path"]]["etag"].strip('"'), entry


def run(pour, *options, env=None, timeout=45, **more):
    """One that ends up in the long back-off of a fault that should be final is killed: the test fails early."""
    return pour("hf://me/model", f"s3://{BUCKET}/p/", "--part-size", "5Mi", *options, env=env, timeout=timeout, **more)


def fired(store):
    return sum(fault["hits"] for fault in store.admin("faults"))


def pours(store, pour, *options, env=None, faults=1, present=MODEL, etags_are_md5=True, **more):
    """The run succeeds although the faults acted; all is there afterwards."""
    result = run(pour, *options, env=env, **more)
    assert result.exit == 0, result.stderr
    assert fired(store) >= faults, store.admin("faults")
    settled(store, present, etags_are_md5=etags_are_md5)
    return result


def fails(store, pour, status, *words, present=(), options=(), env=None, **more):
    """The run ends with this status and says these words; what is there is right."""
    result = run(pour, *options, env=env, **more)
    assert result.exit == status, result.stderr
    for word in words:
        assert word in result.stderr.splitlines()[-1], result.stderr
    settled(store, present, complete=False)
    return result


@pytest.fixture
def model(hub):
    hub.repo("me/model", MODEL)


@contextlib.contextmanager
def own(binary, hub, *options, kind=Store):
    """A store with options of its own, and a binary that knows it."""
    store = kind(*options)
    try:
        yield store, Pourer(binary, hub, store)
    finally:
        store.stop()


# ---- transient answers

TRANSIENT = {
    "SlowDown": {"code": "SlowDown", "retry_after_ms": 50},
    "429": {"status": 429, "code": "TooManyRequests"},
    "500": {"status": 500},
    "502 HTML": {"status": 502, "html": True},
    "503 ServiceUnavailable": {"status": 503, "code": "ServiceUnavailable"},
    "504 HTML": {"status": 504, "html": True},
    "RequestTimeout": {"status": 400, "code": "RequestTimeout"},
}
DAMAGED = {code: {"status": 400, "code": code} for code in ("IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch")}
PLACES = {
    "UploadPart": {"op": "UploadPart", "part": 2},
    "UploadPart last": {"op": "UploadPart", "part": 3},
    "PutObject": {"op": "PutObject", "key": "*/small.bin"},
    "PutObject empty": {"op": "PutObject", "key": "*/empty.txt"},
    "PutObject manifest": {"op": "PutObject", "key": "*/manifest.json"},
    "CreateMultipartUpload": {"op": "CreateMultipartUpload"},
    "ListObjectsV2": {"op": "ListObjectsV2"},
    "GetObject": {"op": "GetObject", "key": "*/manifest.json"},
}
WITH_BODY = ["UploadPart", "PutObject"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("answer", TRANSIENT)
def test_a_transient_answer_is_tried_again(model, store, pour, place, answer):
    store.fault("status", **PLACES[place], **TRANSIENT[answer])
    pours(store, pour)


@pytest.mark.parametrize("place", WITH_BODY)
@pytest.mark.parametrize("answer", TRANSIENT)
def test_a_transient_answer_after_the_body_is_tried_again(model, store, pour, place, answer):
    store.fault("status", when="late", **PLACES[place], **TRANSIENT[answer])
    pours(store, pour)


@pytest.mark.parametrize("place", WITH_BODY)
@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("answer", DAMAGED)
def test_a_body_that_arrived_damaged_is_sent_again(model, store, pour, place, when, answer):
    store.fault("status", when=when, **PLACES[place], **DAMAGED[answer])
    pours(store, pour)


# A Create that was done and not answered leaves an upload nobody knows; sweeping such is another matter (below).
KNOWN_PLACES = [place for place in PLACES if place != "CreateMultipartUpload"]


@pytest.mark.parametrize("fault", [{"mode": "status", "when": "after", "status": 500}, {"mode": "lost_answer"},
                                   {"mode": "cut_answer", "bytes": 60}])
def test_a_create_whose_answer_is_lost_leaves_no_more_than_an_empty_upload(model, store, pour, fault):
    store.fault(op="CreateMultipartUpload", **fault)
    assert run(pour).exit == 0
    left = store.uploads()
    assert len(left) <= 1 and all(not upload["parts"] for upload in left)


@pytest.mark.parametrize("place", KNOWN_PLACES)
def test_an_answer_that_was_wrong_although_the_work_was_done(model, store, pour, place):
    store.fault("status", when="after", status=500, **PLACES[place])
    pours(store, pour)


@pytest.mark.parametrize("place", WITH_BODY)
def test_an_early_answer_that_closes_the_connection(model, store, pour, place):
    store.fault("status", status=503, code="SlowDown", close=True, **PLACES[place])
    pours(store, pour)


@pytest.mark.parametrize("headers, least", [({"retry_after": 1}, 1.0), ({"retry_after_ms": 700}, 0.7)])
def test_the_stores_wish_for_a_pause_is_kept(model, store, pour, headers, least):
    store.fault("status", op="ListObjectsV2", code="SlowDown", **headers)
    assert pours(store, pour).seconds >= least


def test_several_faults_in_a_row(model, store, pour):
    store.fault("status", op="UploadPart", status=503, count=3)
    store.fault("reset", op="UploadPart", at="body", bytes=MIB, count=2)
    store.fault("status", op="PutObject", code="SlowDown", count=2)
    pours(store, pour, faults=7)


# ---- broken connections

@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fin", [False, True])
def test_a_connection_that_breaks_before_the_request_is_read(model, store, pour, place, fin):
    store.fault("reset", at="start", reset=not fin, **PLACES[place])
    pours(store, pour)


@pytest.mark.parametrize("place, count", [("UploadPart", 0), ("UploadPart", 3 * MIB), ("PutObject", 100_000),
                                          ("PutObject manifest", 10)])
def test_a_connection_that_breaks_within_the_body(model, store, pour, place, count):
    store.fault("reset", at="body", bytes=count, **PLACES[place])
    pours(store, pour)


@pytest.mark.parametrize("place", KNOWN_PLACES)
def test_an_answer_that_is_lost(model, store, pour, place):
    store.fault("lost_answer", **PLACES[place])
    pours(store, pour)


@pytest.mark.parametrize("place", ["ListObjectsV2"])
def test_an_answer_that_is_cut(model, store, pour, place):
    store.fault("cut_answer", bytes=60, **PLACES[place])
    pours(store, pour)


def test_an_answer_that_is_cut_while_reading_the_manifest(model, store, pour):
    assert run(pour).exit == 0
    store.fault("cut_answer", op="GetObject", bytes=60)
    result = run(pour, "--json")
    assert result.exit == 0 and result.json()["status"] == "present", result.stderr
    settled(store)


# ---- answers that lie

@pytest.mark.parametrize("place", WITH_BODY)
@pytest.mark.parametrize("form", ["empty", "quotes", "missing"])
def test_an_answer_without_an_etag_is_not_believed(model, store, pour, place, form):
    store.fault("empty_etag", form=form, **PLACES[place])
    pours(store, pour)


@pytest.mark.parametrize("place", WITH_BODY)
def test_a_wrong_etag_once_heals(model, store, pour, place):
    store.fault("wrong_etag", **PLACES[place])
    pours(store, pour)


def test_a_part_whose_etag_is_always_wrong_ends_with_advice(model, store, pour):
    store.fault("wrong_etag", op="UploadPart", part=1, count=ALWAYS)
    present = set(MODEL) - {"big.bin"}
    result = fails(store, pour, 5, "--upload-check none", present=present)
    assert "big.bin" in result.stderr.splitlines()[-1] and fired(store) <= 5, "three times, then it fails (contract s3 4.11)"


def test_without_the_check_wrong_etags_do_not_matter(model, store, pour):
    # A store that encrypts: 32 digits that are no MD5, the same in each answer.
    store.fault("non_md5_etag", form="hex32")
    pours(store, pour, "--upload-check", "none", etags_are_md5=False)


def test_opaque_etags_are_taken_as_they_are(model, store, pour):
    store.fault("non_md5_etag", form="opaque")
    pours(store, pour, etags_are_md5=False)


@pytest.mark.parametrize("place", WITH_BODY)
def test_a_byte_the_store_keeps_differently_is_sent_again(model, store, pour, place):
    store.fault("damage", at_byte=1234, **PLACES[place])
    pours(store, pour)


def test_a_part_the_store_loses_costs_one_restart(model, store, pour):
    store.fault("drop_part", part=2)
    pours(store, pour)
    assert store.counters()["requests"]["CreateMultipartUpload"] == 2


@pytest.mark.parametrize("part", [1, 2, 3])
def test_an_upload_that_vanished_is_begun_again(model, store, pour, part):
    store.fault("forget_upload", op="UploadPart", part=part)
    result = pours(store, pour)
    assert store.counters()["requests"]["CreateMultipartUpload"] == 2
    assert "could not be dropped" not in result.stderr and result.seconds < 5, result.stderr


# ---- final answers

def test_a_full_store_ends_with_8_and_gives_the_space_back(model, store, pour):
    store.fault("quota", bytes=2 * PART)
    fails(store, pour, 8, "quota", present=set(store_small()))
    assert store.state()["bytes_used"] < PART


def store_small():
    return [path for path in MODEL if path != "big.bin"]


def final(store, pour, status, *words, **more):
    """Like `fails`, but any of the files may be there already."""
    result = run(pour, **more)
    assert result.exit == status, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
    there = [path for path in MODEL if BASE + path in store.objects()]
    settled(store, there, complete=False)
    return result


@pytest.mark.parametrize("place", PLACES)
def test_access_denied_ends_with_6(model, store, pour, place):
    store.fault("status", code="AccessDenied", count=ALWAYS, **PLACES[place])
    final(store, pour, 6, "denied")


def test_access_denied_at_the_first_request(model, store, pour):
    store.fault("status", code="AccessDenied", count=ALWAYS)
    fails(store, pour, 6, "denied")
    assert store.requests() == 1


@pytest.mark.parametrize("code, status", [("AccountProblem", 6), ("InvalidRequest", 6), ("NotImplemented", 6),
                                          ("EntityTooLarge", 8), ("QuotaExceeded", 8)])
@pytest.mark.parametrize("place", ["UploadPart", "PutObject", "CreateMultipartUpload"])
def test_final_codes_are_not_tried_again(model, store, pour, place, code, status):
    store.fault("status", code=code, count=ALWAYS, **PLACES[place])
    final(store, pour, status, code)
    assert fired(store) == 1


def test_a_missing_bucket_ends_with_3(model, store, pour):
    result = pour("hf://me/model", "s3://no-such-bucket/p/")
    assert result.exit == 3 and "bucket" in result.stderr, result.stderr
    settled(store, [], complete=False)


def test_a_bucket_that_goes_away_in_mid_run_ends_with_3(model, store, pour):
    store.fault("status", op="UploadPart", code="NoSuchBucket", count=ALWAYS)
    final(store, pour, 3, "bucket")


@pytest.mark.parametrize("env", [{"AWS_SECRET_ACCESS_KEY": "wrong-secret-of-forty-letters-aaaaaaaaaaaa"},
                                 {"AWS_ACCESS_KEY_ID": "AKIANOBODYKNOWSTHIS0"}])
def test_a_wrong_key_ends_with_6(model, store, pour, env):
    result = fails(store, pour, 6, "key", env=env)
    assert env.get("AWS_SECRET_ACCESS_KEY", "-never-") not in result.stderr + result.stdout


def test_a_session_token_is_sent(model, binary, hub):
    token = "session/token+with=odd==letters"
    with own(binary, hub, "--session-token", token) as (store, pour):
        result = pours(store, pour, env={"AWS_SESSION_TOKEN": token}, faults=0)
        assert token not in result.stderr + result.stdout
        assert all("x-amz-security-token" in names for names in store.counters()["headers_by_op"].values())


def test_a_missing_session_token_ends_with_6(model, binary, hub):
    with own(binary, hub, "--session-token", "needed") as (store, pour):
        fails(store, pour, 6)


# ---- clock and region

@pytest.mark.parametrize("seconds", [1200, -1200])
def test_a_clock_that_is_off_costs_one_remark(model, binary, hub, seconds):
    with own(binary, hub, "--clock-offset", seconds) as (store, pour):
        result = pours(store, pour, faults=0)
        assert result.stderr.count("clock") == 1, result.stderr
        assert sum(store.counters()["auth_failures"].values()) == 1


def test_a_clock_that_jumps_in_mid_run(model, store, pour):
    store.fault("skewed_clock", op="UploadPart", seconds=1200, count=1)
    pours(store, pour)


def test_the_region_is_learnt_from_a_refusal(model, binary, hub):
    with own(binary, hub, "--profile", "aws", "--region", "eu-central-1") as (store, pour):
        result = pours(store, pour, faults=0)
        assert result.stderr.count("eu-central-1") == 1, result.stderr
        assert sum(store.counters()["auth_failures"].values()) == 1


def test_a_region_that_is_given_is_used(model, binary, hub):
    with own(binary, hub, "--profile", "aws", "--region", "eu-central-1") as (store, pour):
        pours(store, pour, "--region", "eu-central-1", faults=0)
        assert sum(store.counters()["auth_failures"].values()) == 0


@pytest.mark.parametrize("status", [301, 307])
def test_the_region_is_learnt_from_a_redirect(model, store, pour, status):
    store.fault("redirect", status=status, region="eu-central-1", endpoint=store.url, not_region="eu-central-1", count=ALWAYS)
    pours(store, pour)
    assert fired(store) == 1, "it is learnt once"


def test_a_redirect_that_teaches_nothing_ends(model, store, pour):
    store.fault("redirect", status=307, endpoint="http://192.0.2.1:9", count=ALWAYS)
    result = run(pour)
    assert result.exit in (2, 5) and "192.0.2.1" in result.stderr, result.stderr
    settled(store, [], complete=False)


@pytest.mark.parametrize("code", ["AuthorizationHeaderMalformed", "IllegalLocationConstraintException"])
@pytest.mark.parametrize("place", ["UploadPart", "PutObject", "CreateMultipartUpload", "ListObjectsV2"])
def test_a_region_error_in_mid_run(model, store, pour, place, code):
    store.fault("region_error", region="eu-central-1", header=True, code=code, not_region="eu-central-1", count=ALWAYS,
                **PLACES[place])
    pours(store, pour)


# ---- listing

def test_a_broken_listing_is_asked_for_again(model, store, pour):
    store.fault("list_broken_xml", op="ListObjectsV2")
    pours(store, pour)


def test_a_listing_in_many_pages(model, store, pour):
    assert run(pour).exit == 0
    store.fault("list_truncated", op="ListObjectsV2", page=1)
    result = run(pour, "--json")
    assert result.exit == 0 and result.json()["status"] == "present", result.stderr
    settled(store)


@pytest.mark.parametrize("how", [{"loop": True}, {"no_token": True}])
def test_a_listing_without_an_end_is_refused(model, store, pour, how):
    assert run(pour).exit == 0
    store.fault("list_truncated", op="ListObjectsV2", page=1, **how)
    result = run(pour)
    assert result.exit == 5 and "list" in result.stderr, result.stderr
    settled(store)


# ---- connections, rate, ids, addressing

@pytest.mark.parametrize("how", [{}, {"silent": True}, {"silent": True, "reset": True}])
def test_connections_that_close_after_every_answer(model, store, pour, how):
    store.fault("close_after", **how)
    pours(store, pour)


def test_a_throttled_store(model, store, pour):
    store.fault("throttle", per_second=8, burst=2)
    pours(store, pour)


def test_odd_upload_ids(model, binary, hub):
    with own(binary, hub, "--odd-upload-ids") as (store, pour):
        pours(store, pour, faults=0)


def test_virtual_host_addressing(model, store, pour):
    port = urllib.parse.urlsplit(store.url).port
    pours(store, pour, "--addressing", "virtual", "--endpoint-url", f"http://localhost:{port}", faults=0)


def test_virtual_host_addressing_has_the_bucket_in_the_host_only(model, binary, hub):
    with own(binary, hub, "--domain", "elsewhere.test") as (store, pour):
        port = urllib.parse.urlsplit(store.url).port
        result = run(pour, "--addressing", "virtual", "--endpoint-url", f"http://localhost:{port}")
        assert result.exit == 3, result.stderr


def test_expect_is_never_sent(model, store, pour):
    pours(store, pour, faults=0)
    for op, names in store.counters()["headers_by_op"].items():
        assert "expect" not in {name.lower() for name in names}, op


def test_a_store_that_says_continue_unasked(model, store, pour):
    store.fault("expect", unasked=True, answers=2, op="UploadPart")
    pours(store, pour)


# ---- TLS

class TlsStore(Store):
    def connection(self, timeout):
        parts = urllib.parse.urlsplit(self.url)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout,
                                           context=ssl._create_unverified_context())

    def get(self, target, value=None):
        connection = self.connection(60)
        try:
            connection.request("GET" if value is None else "POST", target, body=None if value is None else json.dumps(value))
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, (target, answer.status, body)
            return body
        finally:
            connection.close()

    def admin(self, name, value=None, timeout=60):
        body = self.get("/_admin/" + name, value)
        return json.loads(body) if body else None

    def body(self, key):
        return self.get("/_admin/object?" + urllib.parse.urlencode({"bucket": BUCKET, "key": key}))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA of our own, and a certificate for 127.0.0.1 that it signed."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *arguments],
                       cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    openssl("-subj", "/CN=Flow Test CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "key.pem", "-out", "cert.pem")
    return folder


@pytest.fixture
def tls(binary, hub, certificates):
    with own(binary, hub, "--tls-cert", certificates / "cert.pem", "--tls-key", certificates / "key.pem",
             kind=TlsStore) as pair:
        yield pair


def test_a_ca_bundle_by_flag(model, tls, certificates):
    store, pour = tls
    pours(store, pour, "--ca-bundle", certificates / "ca.pem", faults=0)


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_ca_bundle_by_environment(model, tls, certificates, name):
    store, pour = tls
    pours(store, pour, env={name: certificates / "ca.pem"}, faults=0)


def test_an_unknown_ca_is_refused(model, tls, hub):
    store, pour = tls
    result = fails(store, pour, 2, "certificate")
    assert result.seconds < 10
    assert store.journal() == []
