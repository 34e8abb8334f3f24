"""Where the store's keys come from: each place a Pod or a person has them, against stand-ins that AWS' own client speaks to."""

import pytest
from credentials_support import (ISSUERS, NO_KEYS, ROLE, SESSIONS, Places, accept, accept_standard, agent, hushed, metadata,
                                 profile_text, shared_file, web_identity)
from support import BUCKET, KEY_ID, PART, SECRET_KEY, data

SOURCE, DESTINATION, BASE = "hf://me/model", f"s3://{BUCKET}/p/", "p/me/model/"
MODEL = {"config.json": b'{"a": 1}\n', "weights.bin": data(PART + 5, 3)}
A, B = SESSIONS[:2]


@pytest.fixture(scope="module")
def places_session():
    places = Places()
    yield places
    places.stop()


@pytest.fixture
def places(places_session, hub, store):
    places_session.admin("reset", {})
    places_session.gives(A, B)
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"]})
    accept(store, A)
    yield places_session
    accept_standard(store)


def run(pour, env, *more):
    return hushed(pour(SOURCE, DESTINATION, *more, env=env))


def is_there(store):
    return all(store.body(BASE + path) == content for path, content in MODEL.items())


def environment(_, __):
    return {"AWS_ACCESS_KEY_ID": A["access_key"], "AWS_SECRET_ACCESS_KEY": A["secret_key"], "AWS_SESSION_TOKEN": A["session_token"]}


def environment_of_old(places, folder):
    env = environment(places, folder)
    return {**env, "AWS_SESSION_TOKEN": None, "AWS_SECURITY_TOKEN": env["AWS_SESSION_TOKEN"]}


def named_profile(_, folder):
    (folder / "config").write_text(profile_text(B) + profile_text(A, "profile pour"))
    return {**NO_KEYS, "AWS_PROFILE": "pour", "AWS_CONFIG_FILE": folder / "config"}


def profile_with_identity(places, folder):
    env = web_identity(places, folder)
    (folder / "config").write_text("[default]\nrole_arn = %s\nweb_identity_token_file = %s\n" % (ROLE, folder / "identity"))
    return {**env, "AWS_WEB_IDENTITY_TOKEN_FILE": None, "AWS_ROLE_ARN": None, "AWS_CONFIG_FILE": folder / "config"}


def home(_, folder):
    (folder / ".aws").mkdir()
    (folder / ".aws/credentials").write_text(profile_text(A))
    return {**NO_KEYS, "HOME": folder}


def agent_with_variable(places, folder):
    return {**agent(places, folder), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": None, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "agent-1"}


SOURCES = {function.__name__: function for function in (
    environment, environment_of_old, web_identity, shared_file, named_profile, profile_with_identity, home, agent,
    agent_with_variable, metadata)}


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_pours(places, store, pour, tmp_path, source):
    result = run(pour, SOURCES[source](places, tmp_path))
    assert result.exit == 0, result.stderr
    assert is_there(store)


def test_the_first_source_that_is_there_is_the_one(places, pour, tmp_path):
    everything = {**metadata(places, tmp_path), **agent(places, tmp_path), **shared_file(places, tmp_path),
                  **web_identity(places, tmp_path), "AWS_EC2_METADATA_DISABLED": None}
    files, pair = shared_file(places, tmp_path), environment(places, tmp_path)
    (tmp_path / "credentials").write_text(profile_text(A) + profile_text(A, "pour"))
    assert run(pour, {**everything, **pair}).exit == 0
    assert places.asked() == []
    assert run(pour, everything, "--refresh").exit == 0
    assert set(places.asked()) == {"sts"}
    places.admin("reset", {})
    assert run(pour, {**everything, "AWS_WEB_IDENTITY_TOKEN_FILE": None}, "--refresh").exit == 0
    assert places.asked() == []
    places.gives(A)
    assert run(pour, {**everything, "AWS_WEB_IDENTITY_TOKEN_FILE": None, "AWS_SHARED_CREDENTIALS_FILE": None}, "--refresh").exit == 0
    assert set(places.asked()) == {"agent"}
    # What is asked for by name beats even the environment.
    wrong = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    assert run(pour, {**files, **wrong}, "--refresh", "--profile", "pour").exit == 0
    assert run(pour, {**files, **wrong, "AWS_PROFILE": "pour"}, "--refresh").exit == 6


def test_region_and_address_of_a_profile(places, store, pour, tmp_path):
    env = shared_file(places, tmp_path)
    (tmp_path / "config").write_text("[default]\nregion = lon1\nendpoint_url = %s\n" % store.url)
    result = run(pour, {**env, "S3_ENDPOINT_URL": None, "AWS_CONFIG_FILE": tmp_path / "config"})
    assert result.exit == 0, result.stderr


@pytest.mark.parametrize("source", [*ISSUERS, "files"])
@pytest.mark.row("s3 4.11.7", "s3 8.11")
def test_keys_that_expire_in_the_middle_are_renewed_once_for_all_lanes(places, hub, store, pour, tmp_path, source):
    hub.repo("me/model", {f"{n}.bin": data(PART + 5, n) for n in range(6)}, {"lfs": ["*.bin"]})
    accept(store, A, B)
    store.fault("stall", op="UploadPart", at="start", then="continue", count=3)
    env = {**ISSUERS, "files": shared_file}[source](places, tmp_path)
    running = pour.start(SOURCE, DESTINATION, "--lanes", "4", env=env)
    assert store.admin("wait?event=stalled&op=UploadPart&count=3&timeout_s=60")["ok"]
    accept(store, {**A, "expires_in_s": -1}, B)
    if source == "files":
        (tmp_path / "credentials").write_text(profile_text(B))
    store.admin("release", {})
    result = hushed(running.wait())
    assert result.exit == 0, result.stderr
    assert store.body(BASE + "5.bin") == data(PART + 5, 5)
    assert not store.uploads()
    assert places.issued() == ({} if source == "files" else {source: 2})
    failures = store.counters()["auth_failures"]
    assert failures.get("ExpiredToken", 0) >= 1 and set(failures) == {"ExpiredToken"}


@pytest.mark.parametrize("source", ISSUERS)
def test_keys_are_renewed_before_they_expire(places, store, pour, tmp_path, source):
    places.gives({**A, "expires_in_s": 4}, B)
    accept(store, A, B)
    store.fault("stall", op="UploadPart", at="start", then="continue")
    running = pour.start(SOURCE, DESTINATION, env=ISSUERS[source](places, tmp_path))
    assert store.admin("wait?event=stalled&op=UploadPart&count=1&timeout_s=60")["ok"]
    # Later than three quarters of their life nobody may sign with them any more.
    store.admin("wait?event=done&op=Nothing&count=1&timeout_s=5")
    accept(store, B)
    store.admin("release", {})
    result = hushed(running.wait())
    assert result.exit == 0, result.stderr
    assert places.issued() == {source: 2}
    assert store.counters()["auth_failures"] == {}


@pytest.mark.row("s3 4.11.7")
def test_metadata_that_is_silent_for_a_while_ends_no_run_that_had_keys(places, store, pour, tmp_path):
    accept(store, A)
    store.fault("stall", op="UploadPart", at="start", then="continue")
    running = pour.start(SOURCE, DESTINATION, env=metadata(places, tmp_path))
    assert store.admin("wait?event=stalled&op=UploadPart&count=1&timeout_s=60")["ok"]
    accept(store, {**A, "expires_in_s": -1}, B)
    places.fails("metadata", mode="hang", count=3)
    store.admin("release", {})
    result = hushed(running.wait())
    assert result.exit == 0 and "the instance's metadata at" in result.stderr, result.stderr
    assert is_there(store) and store.uploads() == []


@pytest.mark.row("s3 4.11.7")
def test_keys_that_cannot_be_renewed_end_the_run_in_the_end(places, store, pour, tmp_path):
    accept(store, A)
    store.fault("stall", op="UploadPart", at="start", then="continue")
    running = pour.start(SOURCE, DESTINATION, env=agent(places, tmp_path))
    assert store.admin("wait?event=stalled&op=UploadPart&count=1&timeout_s=60")["ok"]
    accept(store, {**A, "expires_in_s": -1})
    places.fails("agent", mode="status", status=403, count=-1)
    store.admin("release", {})
    result = hushed(running.wait())
    assert result.exit == 6 and "the container's credentials service at" in result.stderr
    assert BASE + "weights.bin" not in store.objects()


REFUSED = ["InvalidAccessKeyId", "SignatureDoesNotMatch"]
# A refusal comes before the body was sent or after it, when it can no longer be sent again from memory.
WHERE = {"UploadPart": {"part": 2}, "UploadPart late": {"part": 2, "when": "late"}, "PutObject": {"key": "*/config.json"},
         "CreateMultipartUpload": {}, "CompleteMultipartUpload": {}}


@pytest.mark.parametrize("place", WHERE)
@pytest.mark.parametrize("code", REFUSED)
@pytest.mark.row("s3 4.11.7")
def test_keys_that_are_refused_once_are_asked_for_anew(places, store, pour, tmp_path, place, code):
    accept(store, A, B)
    store.fault("status", op=place.split()[0], code=code, **WHERE[place])
    result = run(pour, agent(places, tmp_path))
    assert result.exit == 0, result.stderr
    assert is_there(store) and store.uploads() == []
    assert places.issued() == {"agent": 2}


@pytest.mark.parametrize("place", WHERE)
@pytest.mark.parametrize("code", REFUSED)
@pytest.mark.row("s3 4.11.7")
def test_keys_that_are_always_refused_are_asked_for_anew_only_once(places, store, pour, tmp_path, place, code):
    """Contract s3 4.11: "refresh once, retry"; what the store says to the new keys is its last word."""
    accept(store, A, B)
    op = place.split()[0]
    store.fault("status", op=op, code=code, count=-1, **WHERE[place])
    result = run(pour, agent(places, tmp_path), "--retry-for", "5s")
    assert result.exit == 6, result.stderr
    last = result.stderr.splitlines()[-1]
    assert f"the store refused {op}: " in last and f"(HTTP 403, {code}, request id tx" in last, result.stderr
    missing = BASE + ("config.json" if op == "PutObject" else "weights.bin")
    assert missing not in {entry["key"] for entry in store.journal()} and store.orphans() == []
    assert store.admin("faults")[0]["hits"] == 2, result.stderr
    assert places.issued()["agent"] <= 3, "the first keys, the second, and those that save what is done"


def test_permanent_keys_that_are_not_accepted_are_no_matter_of_patience(places, store, pour, tmp_path):
    accept(store, {**A, "expires_in_s": -1})
    result = run(pour, environment(places, tmp_path))
    assert result.exit == 6 and "ExpiredToken" in result.stderr


def test_the_token_file_is_read_anew_for_each_renewal(places, store, pour, tmp_path):
    accept(store, A, B)
    store.fault("stall", op="UploadPart", at="start", then="continue")
    running = pour.start(SOURCE, DESTINATION, env=web_identity(places, tmp_path))
    assert store.admin("wait?event=stalled&op=UploadPart&count=1&timeout_s=60")["ok"]
    (tmp_path / "identity").write_text("identity-rotated")
    places.admin("tokens", {"identity": ["identity-rotated"], "agent": "-"})
    accept(store, {**A, "expires_in_s": -1}, B)
    store.admin("release", {})
    assert hushed(running.wait()).exit == 0
    assert [entry["form"]["WebIdentityToken"] for entry in places.counters()["log"]] == ["identity-1", "identity-rotated"]
