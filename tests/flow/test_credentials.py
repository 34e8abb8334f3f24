"""Keys of the store from each place a Pod has them, renewed in mid-run, and places that fail."""

import json
import subprocess
import sys

import pytest
from support import BUCKET, KEY_ID, MIB, SECRET_KEY, SERVERS, Server, data, wait_until

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
PART = 5 * MIB
MODEL = {"config.json": b'{"a": 1}\n', "weights.bin": data(3 * PART + 1, 2)}
TOKEN = "web-identity.token+that/must=never.be-seen"
NONE = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"}


def keys(number, **more):
    return {"access_key": "ASIAFLOW%012d" % number, "secret_key": "secret-of-keys-%d" % number,
            "session_token": "session-token-of-keys-%d" % number, **more}


@pytest.fixture(scope="module")
def place():
    server = Server.__new__(Server)
    server.process = subprocess.Popen([sys.executable, "-B", str(SERVERS / "credentials.py")], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
    server.url = json.loads(server.process.stdout.readline())["url"]
    yield server
    server.stop()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


@pytest.fixture
def ways(place, token_file, tmp_path):
    """The environment of each place that is asked over HTTP."""
    return {
        "web identity": {**NONE, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": token_file,
                         "AWS_ENDPOINT_URL_STS": place.url},
        "container": {**NONE, "AWS_CONTAINER_CREDENTIALS_FULL_URI": place.url + "/v1/credentials",
                      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token_file},
        "metadata": {**NONE, "AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": place.url},
    }


WAYS = pytest.mark.parametrize("way", ["web identity", "container", "metadata"])


@pytest.fixture
def guarded(store):
    """A store that takes these keys and no others."""
    def accept(*given):
        store.admin("credentials", [{"expires_in_s": 3600, **{k: v for k, v in each.items() if k != "life_s"}} for each in given])
    yield accept
    store.admin("credentials", [{"access_key": KEY_ID, "secret_key": SECRET_KEY}])


def never_seen(result, *words):
    for word in (TOKEN, "secret-of-keys", "session-token-of-keys", "metadata-token", *words):
        assert word not in result.stdout + result.stderr, word


@WAYS
def test_each_place_gives_keys(hub, pour, place, guarded, ways, way):
    hub.repo("me/model", MODEL)
    guarded(keys(1))
    place.admin("set", {"keys": [keys(1)], "token": TOKEN})
    result = pour(SOURCE, DESTINATION, "--log-level", "trace", env={**ways[way]})
    assert result.exit == 0, result.stderr
    never_seen(result)
    assert sum("credentials" in asked and "node" in asked or asked in ("POST /", "GET /v1/credentials")
               for asked in place.admin("asked")) == 1  # one question for all lanes


@WAYS
def test_keys_that_the_store_calls_expired_are_renewed_in_mid_pour(hub, store, pour, place, guarded, ways, way):
    hub.repo("me/model", MODEL)
    guarded(keys(1))
    place.admin("set", {"keys": [keys(1), keys(2)], "token": TOKEN})
    store.fault("stall", op="UploadPart", at="body", bytes=1000, then="continue")
    running = pour.start(SOURCE, DESTINATION, "--part-size", "5Mi", "--lanes", "1", env=ways[way])
    wait_until(lambda: store.counters()["in_flight"])
    assert store.admin("wait?event=stalled&count=1&timeout_s=30")["ok"]
    guarded(keys(1, expires_in_s=-60), keys(2))
    store.admin("release", {})
    result = running.wait()
    assert result.exit == 0, result.stderr
    never_seen(result)


@pytest.mark.parametrize("fault, exit_status, word", [("404", 6, "HTTP 404"), ("500", 5, "HTTP 500"), ("hang", 5, "no answer"),
                                                      ("nonsense", 5, "")])
@pytest.mark.parametrize("way", ["web identity", "container"])
def test_a_place_that_fails_ends_the_run(hub, store, pour, place, ways, way, fault, exit_status, word):
    hub.repo("me/model", MODEL)
    place.admin("set", {"keys": [keys(1)], "token": TOKEN, "fault": fault})
    result = pour(SOURCE, DESTINATION, env=ways[way], timeout=60)
    assert result.exit == exit_status, result.stderr
    assert place.url in result.stderr.splitlines()[-1] and word in result.stderr
    assert store.requests() == 0
    never_seen(result)


@pytest.mark.parametrize("fault", ["404", "500", "hang"])
def test_no_place_at_all_is_one_sentence(hub, pour, place, ways, fault):
    hub.repo("me/model", MODEL)
    place.admin("set", {"keys": [keys(1)], "fault": fault})
    result = pour(SOURCE, DESTINATION, env=ways["metadata"], timeout=30)
    assert result.exit == 2, result.stderr
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/.aws/credentials", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                 place.url):
        assert name in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("where", ["credentials", "config"])
def test_a_profile_gives_keys(hub, pour, guarded, tmp_path, where):
    hub.repo("me/model", MODEL)
    guarded(keys(3))
    section = "[three]" if where == "credentials" else "[profile three]"
    (tmp_path / where).write_text("# a comment\n[default]\naws_access_key_id = wrong\naws_secret_access_key = wrong\n\n%s\n"
                                  "aws_access_key_id=%s\nAWS_SECRET_ACCESS_KEY = %s\naws_session_token = %s\ns3 =\n  a = b\n"
                                  % (section, keys(3)["access_key"], keys(3)["secret_key"], keys(3)["session_token"]))
    files = {"AWS_SHARED_CREDENTIALS_FILE": tmp_path / "credentials", "AWS_CONFIG_FILE": tmp_path / "config"}
    result = pour(SOURCE, DESTINATION, env={**NONE, **files, "AWS_PROFILE": "three"})
    assert result.exit == 0, result.stderr
    never_seen(result)
    result = pour(SOURCE, DESTINATION, env={**NONE, **files, "AWS_PROFILE": "four"})
    assert result.exit == 2 and "there is no profile 'four'" in result.stderr


def test_a_container_may_not_be_asked_anywhere_in_the_clear(hub, pour, store):
    hub.repo("me/model", MODEL)
    result = pour(SOURCE, DESTINATION, env={**NONE, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/v1"})
    assert result.exit == 2 and "need https" in result.stderr
    assert store.requests() == 0
