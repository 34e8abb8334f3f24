"""The stand-in for the places that give out keys, asked by botocore, which nobody here wrote."""

import json
import pathlib
import subprocess
import sys
import urllib.request

import botocore.exceptions
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config

HERE = pathlib.Path(__file__).resolve().parent
ROLE = "arn:aws:iam::123456789012:role/model-writer"
SESSIONS = [{"access_key": "ASIA%016d" % n, "secret_key": "secret-%d/+=" % n, "session_token": "session-%d/+==" % n}
            for n in (1, 2)]


@pytest.fixture
def place(monkeypatch, tmp_path):
    process = subprocess.Popen([sys.executable, "-B", str(HERE / "credentials.py"), "--exit-with-parent"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = json.loads(process.stdout.readline())["endpoint"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    admin(url, "sessions", SESSIONS)
    yield url
    process.stdin.close()
    process.wait(timeout=20)
    process.stdout.close()


def admin(url, name, value=None):
    body = None if value is None else json.dumps(value).encode()
    with urllib.request.urlopen(url + "/_admin/" + name, data=body, timeout=20) as answer:
        return json.loads(answer.read())


def found():
    keys = botocore.session.Session().get_credentials().get_frozen_credentials()
    return {"access_key": keys.access_key, "secret_key": keys.secret_key, "session_token": keys.token}


def test_the_agent(place, monkeypatch):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", place + "/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-1")
    assert found() == SESSIONS[0]
    assert found() == SESSIONS[1]
    assert admin(place, "counters")["issued"] == {"agent": 2}


def test_the_agent_refuses_a_wrong_token(place, monkeypatch):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", place + "/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-2")
    with pytest.raises(botocore.exceptions.CredentialRetrievalError):
        found()


def test_the_metadata(place, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", place + "/")
    assert found() == SESSIONS[0]
    log = admin(place, "counters")["log"]
    assert [entry["method"] for entry in log] == ["PUT", "GET", "GET"]


def test_the_metadata_without_a_token_refuse(place):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(place + "/latest/meta-data/iam/security-credentials/", timeout=20)
    assert refusal.value.code == 401


def sts(place, **wishes):
    client = botocore.session.Session().create_client("sts", region_name="us-east-1", endpoint_url=place,
                                                      config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}))
    wanted = {"RoleArn": ROLE, "RoleSessionName": "test", "WebIdentityToken": "identity-1", **wishes}
    return client.assume_role_with_web_identity(**wanted)["Credentials"]


def test_sts(place):
    keys = sts(place)
    assert (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]) == tuple(SESSIONS[0].values())
    assert keys["Expiration"].tzinfo is not None


@pytest.mark.parametrize("wishes, code", [({"WebIdentityToken": "identity-9"}, "InvalidIdentityToken"),
                                          ({"RoleArn": ROLE + "x"}, "AccessDenied")])
def test_sts_refuses(place, wishes, code):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        sts(place, **wishes)
    assert refusal.value.response["Error"]["Code"] == code


def test_faults_act_as_often_as_they_say(place, monkeypatch):
    admin(place, "faults", [{"place": "agent", "mode": "status", "status": 500, "count": 1}])
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", place + "/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-1")
    assert found() == SESSIONS[0]  # it asks again after a second
    assert len(admin(place, "counters")["log"]) == 2
