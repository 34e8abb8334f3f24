"""Places that give no keys: the right exit status, one sentence that names the place, and no secret in it."""

import pytest
from credentials_support import (ISSUERS, NO_KEYS, agent, hushed, metadata, shared_file, web_identity)
from support import BUCKET
from test_credentials import SOURCE, DESTINATION, is_there, places, places_session, run  # noqa: F401  (fixtures)

NAMES = {"sts": "STS at http://127", "agent": "the container's credentials service at http://127",
         "metadata": "the instance's metadata at http://127"}
GARBAGE = {
    "no JSON": "<html>please log in</html>", "nothing": "", "another JSON": "[1, 2]", "null keys": '{"AccessKeyId": null}',
    "a line break": '{"AccessKeyId": "A\\nX-Evil: 1", "SecretAccessKey": "s", "Token": "t"}',
    "a number": '{"AccessKeyId": 5, "SecretAccessKey": "s"}', "deep": "[" * 30000,
    "a long one": '{"AccessKeyId": "%s"}' % ("A" * 70000),
    "an odd time": '{"AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "soon"}',
    "a refusal": '{"Code": "Failed", "Message": "flow-session-secret-0/+="}'}


def ends(result, exit, *words):
    assert result.exit == exit, result.stderr
    for word in words:
        assert word in result.stderr, (word, result.stderr)
    sentences = [line for line in result.stderr.splitlines() if "failed after" in line or line.startswith("hfpour: ")]
    assert len(sentences) == 1, result.stderr


@pytest.mark.parametrize("status, exit", [(400, 6), (403, 6), (404, 6), (302, 5), (500, 5), (503, 5)])
@pytest.mark.parametrize("place", ["sts", "agent"])
def test_a_status(places, pour, tmp_path, place, status, exit):
    places.fails(place, mode="status", status=status, body="flow-session-secret-1/+=", count=-1)
    ends(run(pour, ISSUERS[place](places, tmp_path)), exit, NAMES[place], f"HTTP {status}")


@pytest.mark.parametrize("place", ["sts", "agent"])
def test_trouble_that_passes(places, store, pour, tmp_path, place):
    places.fails(place, mode="status", status=500, count=2)
    assert run(pour, ISSUERS[place](places, tmp_path)).exit == 0
    assert is_there(store)


def test_an_identity_provider_that_was_not_reached(places, store, pour, tmp_path):
    body = ("<ErrorResponse><Error><Type>Sender</Type><Code>IDPCommunicationError</Code><Message>x</Message></Error>"
            "</ErrorResponse>")
    places.fails("sts", mode="status", status=400, body=body, count=2)
    assert run(pour, web_identity(places, tmp_path)).exit == 0
    assert is_there(store)


def test_an_agent_that_hangs(places, pour, tmp_path):
    places.fails("agent", mode="hang", count=-1)
    ends(run(pour, agent(places, tmp_path)), 5, NAMES["agent"], "did not answer within 2 s")
    assert places.asked() == ["agent"] * 3


def test_an_sts_that_hangs_once(places, store, pour, tmp_path):
    places.fails("sts", mode="hang")
    assert run(pour, web_identity(places, tmp_path)).exit == 0
    assert is_there(store)


@pytest.mark.parametrize("place", ISSUERS)
@pytest.mark.parametrize("text", GARBAGE)
def test_an_answer_that_makes_no_sense(places, pour, tmp_path, place, text):
    what = "*node-role" if place == "metadata" else "*"
    places.fails(place, mode="body", what=what, body=GARBAGE[text], count=-1)
    long = place == "metadata" and text == "a long one"  # what is no answer at all is no metadata service
    ends(run(pour, ISSUERS[place](places, tmp_path)), 2 if long else 5, "metadata" if long else "127.0.0.1")


@pytest.mark.parametrize("text", ["", "two words", "x\x01y", "Z" * 20000])
@pytest.mark.parametrize("what", ["*/token", "*/security-credentials/"])
def test_metadata_that_is_none(places, pour, tmp_path, what, text):
    places.fails("metadata", mode="body", what=what, body=text, count=-1)
    result = run(pour, metadata(places, tmp_path))
    assert result.exit in (2, 5) and NAMES["metadata"] in result.stderr, result.stderr


@pytest.mark.parametrize("fault, says", [({"mode": "status", "status": 404}, "has none for us (HTTP 404)"),
                                         ({"mode": "status", "status": 403}, "has none for us (HTTP 403)"),
                                         ({"mode": "hang"}, "does not answer")])
@pytest.mark.parametrize("what", ["*/token", "*/security-credentials/"])
def test_without_any_keys_every_place_is_named(places, pour, tmp_path, what, fault, says):
    places.fails("metadata", what=what, count=-1, **fault)
    env = {**metadata(places, tmp_path), "AWS_SHARED_CREDENTIALS_FILE": tmp_path / "none"}
    ends(run(pour, env), 2, "no credentials for the store", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
         "AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "none"), "AWS_CONTAINER_CREDENTIALS_FULL_URI", NAMES["metadata"], says)


def test_metadata_in_trouble(places, pour, tmp_path):
    places.fails("metadata", mode="status", status=500, count=-1)
    ends(run(pour, metadata(places, tmp_path)), 5, NAMES["metadata"], "HTTP 500")


def test_metadata_that_is_switched_off_is_not_asked(places, pour, tmp_path):
    env = {**metadata(places, tmp_path), "AWS_EC2_METADATA_DISABLED": "TRUE"}
    ends(run(pour, env), 2, "AWS_EC2_METADATA_DISABLED")
    assert places.asked() == []


def test_an_address_where_nobody_listens(places, pour, tmp_path):
    ends(run(pour, {**agent(places, tmp_path), "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/v1"}), 5, "127.0.0.1:9")


@pytest.mark.parametrize("uri", ["http://example.com/v1", "http://169.254.169.254/latest", "http://127.0.0.1.example.com/",
                                 "ftp://127.0.0.1/", "http://10.0.0.1/", "http://[fd00:ec2::254]/", "nonsense"])
def test_container_keys_are_not_asked_for_in_the_clear_elsewhere(places, pour, tmp_path, uri):
    result = run(pour, {**agent(places, tmp_path), "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri})
    ends(result, 2, "AWS_CONTAINER_CREDENTIALS_FULL_URI")



@pytest.mark.parametrize("content, says", [("agent-1\n", "line break"), ("a\r\nX-Evil: 1", "line break"), ("", "empty"),
                                           (None, "cannot be read"), ("a" * 70000, "too long")])
def test_a_container_token_that_cannot_be_sent(places, pour, tmp_path, content, says):
    env = agent(places, tmp_path)
    (tmp_path / "agent").unlink()
    if content is not None:
        (tmp_path / "agent").write_text(content, newline="")
    ends(run(pour, env), 2, says)
    assert places.asked() == []


@pytest.mark.parametrize("content, says", [("", "empty"), (None, "cannot be read")])
def test_an_identity_token_that_is_not_there(places, pour, tmp_path, content, says):
    env = web_identity(places, tmp_path)
    (tmp_path / "identity").unlink()
    if content is not None:
        (tmp_path / "identity").write_text(content)
    ends(run(pour, env), 2, "the web identity token file", says)


def test_what_sts_refuses_is_told_without_the_token(places, pour, tmp_path):
    env = web_identity(places, tmp_path)
    (tmp_path / "identity").write_text("identity-geheim")
    result = run(pour, env)
    ends(result, 6, "InvalidIdentityToken", "role/model-writer")
    assert "geheim" not in result.stderr
    ends(run(pour, {**web_identity(places, tmp_path), "AWS_ROLE_ARN": "arn:aws:iam::1:role/other"}), 6, "AccessDenied", "role/other")


@pytest.mark.parametrize("env, says", [
    ({"AWS_SECRET_ACCESS_KEY": None}, "AWS_SECRET_ACCESS_KEY"), ({"AWS_ACCESS_KEY_ID": None}, "AWS_ACCESS_KEY_ID"),
    ({**NO_KEYS, "AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}, "AWS_ROLE_ARN"), ({"AWS_PROFILE": "nobody"}, "'nobody'"),
    ({**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "v1"}, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    ({**NO_KEYS, "AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "nowhere"}, "AWS_EC2_METADATA_SERVICE_ENDPOINT")])
def test_settings_that_cannot_be_meant(places, pour, tmp_path, env, says):
    ends(run(pour, env), 2, says)


@pytest.mark.parametrize("text, says", [
    ("[default]\naws_access_key_id = A\n", "aws_secret_access_key"), ("[default]\naws_secret_access_key = s\n", "aws_access_key_id"),
    ("[default]\naws_access_key_id = A B\naws_secret_access_key = geheim\n", "aws_access_key_id"),
    ("[default]\nregion = x\n", "no keys for the profile 'default'"), ("", "no keys for the profile"), ("[default\n\0\xff]]]\n===\n", "no keys")])
def test_a_shared_file_that_does_not_say_enough(places, pour, tmp_path, text, says):
    env = shared_file(places, tmp_path)
    (tmp_path / "credentials").write_text(text, encoding="latin-1")
    result = run(pour, env)
    ends(result, 2, says)
    assert "geheim" not in result.stderr


def test_a_profile_that_needs_what_is_not_known_here(places, pour, tmp_path):
    env = shared_file(places, tmp_path)
    (tmp_path / "credentials").write_text("[pour]\nrole_arn = x\nsource_profile = y\n")
    ends(run(pour, {**env, "AWS_PROFILE": "pour"}), 2, "'pour'", "source_profile")
