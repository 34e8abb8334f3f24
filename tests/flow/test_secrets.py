"""At the loudest log level and in the worst weather no output shows a secret, and JSON stays JSON."""

import json

import pytest
from support import BUCKET, KEY_ID, MIB, PART, TOKEN, Pourer, Store, data

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
SESSION = "session-token/that+must=never==be&seen"
MODEL = {"config.json": b'{"a": 1}\n', 'odd "name" \\ größe.txt': b"n" * 5000, "weights.bin": data(2 * PART + 1, 2)}
ABOUT = {"lfs": ["*.bin"], "private": True, "token": TOKEN}
FORMATS = pytest.mark.parametrize("form", ["text", "json"])

HUB_WEATHER = {
    "rate limit": [("rate_limited", {"t": 1, "route": "tree"})],
    "errors": [("status", {"status": 503, "route": route}) for route in ("info", "tree", "resolve", "cache", "cdn")],
    "resets": [("reset_before_headers", {"route": route}) for route in ("info", "tree", "resolve", "cache", "cdn")],
    "broken streams": [("reset_after", {"path": "*.bin", "at_offset": PART + 5}), ("short_fin", {"path": "*.txt", "after_bytes": 9})],
    "dead addresses": [("forbidden", {"path": "*.bin"}), ("invalid_key_pair", {"path": "*.bin"}), ("expire", {"life_s": -5})],
    "wrong ranges": [("ignore_range", {"path": "*.bin"}), ("wrong_content_range", {"path": "*.bin"})],
    "one more hop": [("extra_hop", {"path": "*.bin"})],
    "noise": [("noise", {"count": -1, "route": "any"}), ("odd_headers", {"count": -1, "route": "any"})],
    "wrong bytes": [("flip", {"path": "*.bin", "flip_offset": 5, "count": -1})],
    "wrong promise": [("wrong_sha", {"path": "*.bin", "count": -1, "route": "tree|resolve"})],
    "token revoked": [("unauthorized", {"route": "resolve", "count": -1})],
    "gated": [("gated_403", {"route": "resolve", "count": -1})],
    "circle": [("redirect", {"route": "resolve", "count": -1})],
    "foreign Hub": [("redirect", {"route": "tree", "location": "{cdn}{target}", "count": -1})],
}
STORE_WEATHER = {
    "slow down": [("status", {"op": "UploadPart", "code": "SlowDown"})],
    "resets": [("reset", {"op": "UploadPart", "at": "body", "bytes": MIB}), ("reset", {"op": "CreateMultipartUpload"})],
    "doubt": [("complete_lost_answer", {}), ("lost_answer", {"op": "PutObject"})],
    "redirect": [("redirect", {"endpoint": "http://192.0.2.1:9/?X-Amz-Signature=1", "count": -1})],
    "region": [("region_error", {"region": "eu-central-1", "not_region": "eu-central-1", "count": -1})],
    "wrong part": [("wrong_etag", {"op": "UploadPart"})],
    "denied": [("status", {"op": "PutObject", "code": "AccessDenied", "count": -1})],
    "quota": [("quota", {"bytes": 1000})],
    "bad signature": [("status", {"code": "SignatureDoesNotMatch", "count": -1})],
}


@pytest.fixture(scope="module")
def guarded():
    store = Store("--session-token", SESSION)
    yield store
    store.stop()


@pytest.fixture
def loud(binary, hub, guarded):
    """Runs with every secret there is, and looks for each in what was printed."""
    guarded.reset()
    hub.repo("me/model", MODEL, ABOUT)
    pourer = Pourer(binary, hub, guarded)

    def run(form, *arguments, **env):
        env = {"HF_TOKEN": TOKEN, "AWS_SESSION_TOKEN": SESSION, **env}
        result = pourer(*(arguments or (SOURCE, DESTINATION)), "--log-level", "trace", "--log-format", form, env=env, timeout=60)
        for word in (SESSION, SESSION[:12], "geheim", KEY_ID, "X-Amz-", "AWS4-HMAC", "Credential="):
            assert word not in result.stdout + result.stderr, word
        if form == "json":
            lines = [json.loads(line) for line in result.stderr.splitlines()]
            assert lines and all({"time", "level", "message"} <= set(line) for line in lines)
        assert (result.stdout == "") == (result.exit != 0)
        return result

    return run


@FORMATS
def test_a_good_day_tells_no_secret(loud, form):
    assert loud(form).exit == 0


@FORMATS
@pytest.mark.parametrize("name", HUB_WEATHER)
def test_trouble_with_the_hub_tells_no_secret(loud, hub, guarded, form, name):
    for mode, parameters in HUB_WEATHER[name]:
        hub.fault(mode, **parameters)
    result = loud(form)
    assert result.exit in (0, 2, 5, 6, 7), result.stderr
    assert guarded.uploads() == []
    assert hub.counters()["authorization"]["cdn"] == 0


@FORMATS
@pytest.mark.parametrize("name", STORE_WEATHER)
def test_trouble_with_the_store_tells_no_secret(loud, guarded, form, name):
    for mode, parameters in STORE_WEATHER[name]:
        guarded.fault(mode, **parameters)
    result = loud(form)
    assert result.exit in (0, 2, 5, 6, 8), result.stderr
    assert guarded.uploads() == []


@FORMATS
@pytest.mark.parametrize("env", [
    {"AWS_SECRET_ACCESS_KEY": "geheim-wrong-secret"}, {"AWS_SESSION_TOKEN": "geheim-wrong-token"}, {"HF_TOKEN": "hf_geheim"},
    {"AWS_ACCESS_KEY_ID": "AKIAgeheim0000000000"}], ids=lambda env: next(iter(env)))
def test_a_secret_that_is_wrong_is_not_shown_either(loud, form, env):
    assert loud(form, **env).exit in (3, 6)


@FORMATS
def test_a_full_store_that_quotes_the_request_tells_no_secret(loud, guarded, form):
    """A SignatureDoesNotMatch answer carries what was signed; none of that may be echoed."""
    body = ("<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><AWSAccessKeyId>%s</AWSAccessKeyId>"
            "<StringToSign>AWS4-HMAC-SHA256 geheim</StringToSign><SignatureProvided>geheim</SignatureProvided></Error>" % KEY_ID)
    guarded.fault("status", status=403, body=body, count=-1)
    result = loud(form)
    assert result.exit == 6 and "SignatureDoesNotMatch" in result.stderr


def test_the_token_is_not_among_the_arguments_or_the_metadata(loud, guarded):
    assert loud("text").exit == 0
    everything = json.dumps(guarded.state()) + guarded.body("p/me/model/.hfpour/manifest.json").decode()
    for secret in (TOKEN, SESSION, KEY_ID):
        assert secret not in everything


def test_at_debug_each_exchange_has_a_line(loud, hub, guarded):
    result = loud("text", SOURCE, DESTINATION)
    assert result.exit == 0, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.endswith(" B received")]
    for begin, status in (("GET " + hub.url + "/api/models/me/model", "HTTP 200"), ("HEAD " + hub.url, "HTTP 302"),
                          ("GET " + hub.cdn, "HTTP 206"), ("PUT " + guarded.url, "HTTP 200")):
        assert any(begin in line and status in line for line in lines), (begin, lines)
