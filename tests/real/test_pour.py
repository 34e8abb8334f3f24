"""The demo model into a real store: over http and https, path and virtual-host style, and what lies there afterwards."""

import pathlib

import pytest

from lane import DEMO, STATE, assert_holds, hub_hash, until


@pytest.fixture(scope="module")
def model(running_hub):
    """{path: bytes}, from the folder the stand-in Hub serves, not from its answers."""
    folder = running_hub.root / "models" / pathlib.PurePosixPath(DEMO)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def poured(outcome, model):
    assert outcome.exit == 0, outcome
    assert outcome.json()["status"] == "poured", outcome
    assert (outcome.json()["poured_files"], outcome.json()["poured_bytes"]) == (
        len(model), sum(map(len, model.values())))


def test_http(pour, bucket, hub, model, prefix):
    outcome = pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}")
    poured(outcome, model)
    place = prefix + DEMO + "/"
    assert outcome.json()["uri"] == f"s3://{bucket.name}/{place}"
    assert_holds(bucket, place, model)

    commit, entries = hub.commit(DEMO), hub.files(DEMO)
    assert outcome.json()["commit"] == commit == bucket.manifest(place)["commit"]
    types = {".json": "application/json", ".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8"}
    for path, entry in entries.items():
        head = bucket.head(place + path)
        assert head["Metadata"] == {"hf-repo": DEMO, "hf-commit": commit, "hf-hash": hub_hash(entry)}, path
        assert head["ContentType"] == types.get(pathlib.PurePath(path).suffix, "application/octet-stream"), path
    # The weights went up in parts, the small files did not, and the manifest knows which.
    parts = {record["path"]: record["part_size"] > 0 for record in bucket.manifest(place)["files"]}
    assert parts["model-00001-of-00003.safetensors"] and not parts["config.json"]
    assert {record["path"]: record["hash"] for record in bucket.manifest(place)["files"]} == {
        path: hub_hash(entry) for path, entry in entries.items()}


def test_second_run_asks_the_store_only(pour, bucket, hub, model, prefix):
    poured(pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}"), model)
    before = bucket.list(prefix)
    hub.admin("reset", {"all": False})
    again = pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}")
    assert (again.exit, again.json()["status"], again.json()["poured_files"]) == (0, "present", 0), again
    assert "already there" in again.stderr
    assert hub.requests() == 0
    # Not even a Hub that nobody can reach matters.
    gone = pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}", HF_ENDPOINT="http://127.0.0.1:9")
    assert (gone.exit, gone.json()["status"]) == (0, "present"), gone
    assert bucket.list(prefix) == before


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_tls(pour, bucket, gateway, model, prefix, how):
    flags = ["--endpoint-url", gateway.tls_url]
    variables = {}
    if how == "flag":
        flags += ["--ca-bundle", gateway.ca]
    else:
        variables["AWS_CA_BUNDLE"] = gateway.ca
    outcome = pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}", *flags, **variables)
    poured(outcome, model)
    assert "0 retries" in outcome.stderr, "it stood still"  # the gateway's lists come in chunks, their lengths in records of their own
    assert_holds(bucket, prefix + DEMO + "/", model)


def test_tls_of_an_unknown_authority(pour, bucket, hub, gateway, prefix):
    outcome = pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}", "--endpoint-url", gateway.tls_url)
    assert outcome.exit == 2, outcome
    assert "is not trusted" in outcome.stderr and "--ca-bundle" in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert bucket.list(prefix) == {}
    assert hub.requests() == 0


def test_bucket_in_the_host_name(pour, bucket, gateway, model, prefix):
    endpoint = gateway.url.replace("127.0.0.1", "localhost")
    poured(pour("hf://" + DEMO, f"s3://{bucket.name}/{prefix}", "--endpoint-url", endpoint, "--addressing", "virtual"), model)
    place = prefix + DEMO + "/"
    assert_holds(bucket, place, model)
    # The gateway logs the path as it came: it began with the key, not with the bucket.
    log = until(lambda: (text := gateway.access_log()).count(f"/{place}{STATE}manifest.json HTTP/1.1") and text,
                "the gateway's log of the pour")
    assert f'"PUT /{place}config.json HTTP/1.1" 200' in log
    assert f'"PUT /{bucket.name}/{place}config.json' not in log
