"""What lies in the bucket and is right is not fetched again, and the Hub is only asked when it must be."""

import base64
import json

import pytest
from support import BUCKET, MIB, Hub, Pourer, data, etag_of, sha256
from test_pour import check_bucket

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
MANIFEST = BASE + ".hfpour/manifest.json"
MODEL = {
    "config.json": b'{"a": 1}\n',
    "empty.txt": b"",
    "nested/notes.txt": b"n" * 5000,
    "big.safetensors": data(17 * MIB, 2),
    "small.safetensors": data(300_000, 3),
}


@pytest.fixture
def model(hub):
    hub.repo("me/model", MODEL, {"lfs": ["*.safetensors"]})
    return hub


def pour_again(pour, hub, store, *arguments, **more):
    """Pours with fresh counters; gives the result and the keys that became visible, in order, state objects left out."""
    hub.admin("reset", {})
    before = len(store.journal())
    result = pour(*(arguments or (SOURCE, DESTINATION)), **more)
    keys = [entry["key"] for entry in store.journal()[before:]]
    return result, [key.removeprefix(BASE) for key in keys if "/.hfpour/" not in key]


def fetched(hub):
    """The paths of which bytes have come from the Hub or its CDN."""
    return {path.split("/model/", 1)[-1] for path in hub.counters()["bytes"]}


def commit_of(store):
    return store.manifest(BASE)["commit"]


def change(store, key, action, **more):
    store.admin("object", {"key": BASE + key, "action": action, **more})


def put(store, key, content, **more):
    change(store, key, "put", base64=base64.b64encode(content).decode(), **more)


def first(pour):
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 0, result.stderr


def test_a_second_run_does_not_ask_the_hub(model, store, pour):
    first(pour)
    commit = commit_of(store)
    result, poured = pour_again(pour, model, store, SOURCE, DESTINATION, "--json")
    assert result.exit == 0, result.stderr
    assert model.requests() == 0 and poured == []
    assert result.seconds < 2
    said = result.json()
    assert (said["status"], said["uri"], said["commit"]) == ("present", f"s3://{BUCKET}/p/me/model/", commit)
    assert (said["files"], said["poured_files"], said["poured_bytes"]) == (len(MODEL), 0, 0)
    assert said["bytes"] == sum(map(len, MODEL.values()))
    assert "already there" in result.stderr
    check_bucket(store, BASE, MODEL)


def test_a_second_run_only_reads_the_manifest_and_lists(model, store, pour):
    first(pour)
    store.admin("reset", {})
    result, _ = pour_again(pour, model, store)
    assert result.exit == 0
    log = store.counters()["log"]
    assert len(log) <= 3, log


def test_a_second_run_from_the_environment_writes_the_address(model, store, pour):
    env = {"MODEL_NAME": "me/model", "S3_BUCKET": BUCKET, "S3_PREFIX": "p/"}
    assert pour(env=env).exit == 0
    model.admin("reset", {})
    result = pour(env=env)
    assert (result.exit, result.stdout) == (0, f"s3://{BUCKET}/p/me/model/\n")
    assert model.requests() == 0


def test_the_hub_may_be_down_when_all_is_there(binary, store, tmp_path):
    hub = Hub(tmp_path)
    hub.repo("me/model", MODEL)
    pour = Pourer(binary, hub, store)
    try:
        assert pour(SOURCE, DESTINATION).exit == 0
    finally:
        hub.stop()
    journal = len(store.journal())
    result = pour(SOURCE, DESTINATION, timeout=30)
    assert (result.exit, result.stdout) == (0, f"s3://{BUCKET}/p/me/model/\n"), result.stderr
    assert result.seconds < 2
    assert len(store.journal()) == journal


DAMAGES = {
    "gone": ("delete", {}),
    "longer": ("extend", {}),
    "shorter": ("truncate", {"size": 3}),
    "another ETag": ("set", {"etag": "0" * 32}),
    "other bytes and their ETag": ("put", {"text": "something else"}),
}


@pytest.mark.parametrize("path", ["config.json", "big.safetensors"])
@pytest.mark.parametrize("name", DAMAGES)
def test_only_what_was_damaged_is_poured_again(model, store, pour, name, path):
    action, more = DAMAGES[name]
    first(pour)
    change(store, path, action, **more)
    result, poured = pour_again(pour, model, store, SOURCE, DESTINATION, "--json")
    assert result.exit == 0, result.stderr
    assert poured == [path]
    assert fetched(model) == {path}
    assert (result.json()["poured_files"], result.json()["poured_bytes"]) == (1, len(MODEL[path]))
    check_bucket(store, BASE, MODEL)
    assert pour_again(pour, model, store)[1] == [] and model.requests() == 0


def test_an_empty_file_that_is_gone_costs_no_bytes(model, store, pour):
    first(pour)
    change(store, "empty.txt", "delete")
    result, poured = pour_again(pour, model, store)
    assert result.exit == 0 and poured == ["empty.txt"] and fetched(model) == set()
    check_bucket(store, BASE, MODEL)


def test_two_that_are_damaged_are_both_poured(model, store, pour):
    first(pour)
    change(store, "nested/notes.txt", "delete")
    change(store, "small.safetensors", "truncate")
    result, poured = pour_again(pour, model, store)
    assert result.exit == 0 and set(poured) == fetched(model) == {"nested/notes.txt", "small.safetensors"}
    check_bucket(store, BASE, MODEL)


def broken_manifests():
    good = {"schema": 1, "tool": "x", "repository": "me/model", "type": "model", "revision": "main", "commit": "c" * 40,
            "selection": "everything", "complete": True, "files": []}
    entry = {"path": "a", "size": 1, "hash": "sha256:" + "0" * 64, "etag": "e", "part_size": 0, "xxh3": []}
    return {
        "cut short": '{"schema": 1, "tool": "hfp',
        "empty": "",
        "no JSON": "<html>not found</html>",
        "a list": "[]",
        "null": "null",
        "of a schema to come": json.dumps(good | {"schema": 2}),
        "without a commit": json.dumps({k: v for k, v in good.items() if k != "commit"}),
        "with a file twice": json.dumps(good | {"files": [entry, entry]}),
        "with a size below nothing": json.dumps(good | {"files": [entry | {"size": -1}]}),
        "with a hash that is none": json.dumps(good | {"files": [entry | {"hash": "md5:0"}]}),
        "with a field twice": json.dumps(good)[:-1] + ', "complete": true}',
        "deep": "[" * 100_000,
    }


@pytest.mark.parametrize("name", broken_manifests())
def test_a_damaged_manifest_is_remarked_and_the_run_goes_on(model, store, pour, name):
    first(pour)
    put(store, ".hfpour/manifest.json", broken_manifests()[name].encode())
    result, poured = pour_again(pour, model, store)
    assert result.exit == 0, result.stderr
    notes = [line for line in result.stderr.splitlines() if "manifest.json" in line]
    assert len(notes) == 1 and "note" in notes[0], result.stderr
    # The objects are checked in the bucket instead of being fetched; a file of no bytes is simply written.
    assert fetched(model) == set() and set(poured) <= {"empty.txt"}
    check_bucket(store, BASE, MODEL)
    assert pour_again(pour, model, store)[0].exit == 0 and model.requests() == 0


def test_a_manifest_of_another_repository_is_ignored(model, store, pour):
    """Another repository's manifest lies where ours should: what it says is there is not what was asked for."""
    model.repo("me/other", {"config.json": b'{"b": 2}\n', "only-there.txt": b"o"})
    first(pour)
    assert pour("hf://me/other", DESTINATION).exit == 0
    for key in ("config.json", "only-there.txt"):
        put(store, key, store.body("p/me/other/" + key))
    foreign = store.body("p/me/other/.hfpour/manifest.json")
    put(store, ".hfpour/manifest.json", foreign)
    result, poured = pour_again(pour, model, store)
    assert result.exit == 0, result.stderr
    assert model.requests() > 0
    assert "config.json" in poured
    assert store.body(BASE + "config.json") == MODEL["config.json"]
    assert store.manifest(BASE)["repository"] == "me/model"


def test_a_manifest_that_is_not_complete_is_not_believed(model, store, pour):
    first(pour)
    manifest = store.manifest(BASE) | {"complete": False}
    put(store, ".hfpour/manifest.json", json.dumps(manifest).encode())
    result, poured = pour_again(pour, model, store)
    assert result.exit == 0 and model.requests() > 0
    assert poured == [] and fetched(model) == set(), "its records are still proofs"
    assert store.manifest(BASE)["complete"] is True


V2 = {**{path: MODEL[path] for path in ("config.json", "empty.txt", "big.safetensors")},
      "small.safetensors": data(300_000, 4), "new.txt": b"new\n"}


@pytest.fixture
def two_revisions(hub):
    hub.repo("me/model", {**MODEL, **{"v2-files/" + path: content for path, content in V2.items()}},
             {"lfs": ["*.safetensors"], "revisions": {"v2": "v2-files"}})
    return hub


def test_a_new_revision_moves_only_what_changed(two_revisions, store, pour):
    first(pour)
    result, poured = pour_again(pour, two_revisions, store, SOURCE + "@v2", DESTINATION, "--json")
    assert result.exit == 0, result.stderr
    assert set(poured) == fetched(two_revisions) == {"small.safetensors", "new.txt"}
    said = result.json()
    assert (said["files"], said["poured_files"]) == (len(V2), 2)
    assert (said["revision"], said["poured_bytes"]) == ("v2", 300_000 + 4)
    # What only the older revision had is left alone.
    check_bucket(store, BASE, MODEL | V2)
    assert store.manifest(BASE)["revision"] == "v2"
    result, poured = pour_again(pour, two_revisions, store, SOURCE + "@v2", DESTINATION)
    assert (result.exit, poured, two_revisions.requests()) == (0, [], 0)


def test_the_revision_asked_for_by_its_commit_is_there(model, store, pour):
    first(pour)
    commit = commit_of(store)
    for arguments in ([f"{SOURCE}@{commit}", DESTINATION], [SOURCE, DESTINATION, "--revision", commit]):
        result, poured = pour_again(pour, model, store, *arguments)
        assert (result.exit, poured, model.requests()) == (0, [], 0), result.stderr


def test_another_commit_is_not_there(two_revisions, store, pour):
    assert pour(SOURCE + "@v2", DESTINATION).exit == 0
    other = commit_of(store)
    first(pour)
    result, _ = pour_again(pour, two_revisions, store, f"{SOURCE}@{other}", DESTINATION)
    assert result.exit == 0 and two_revisions.requests() > 0
    assert commit_of(store) == other


def test_a_branch_that_moved_needs_refresh(model, store, pour):
    first(pour)
    commit = commit_of(store)
    model.repo("me/model", {"config.json": b'{"a": 2}\n'})
    result, poured = pour_again(pour, model, store)
    assert (result.exit, poured, model.requests()) == (0, [], 0), "Pods must start while the Hub is down"
    assert commit_of(store) == commit
    result, poured = pour_again(pour, model, store, SOURCE, DESTINATION, "--refresh")
    assert (result.exit, poured) == (0, ["config.json"]), result.stderr
    assert fetched(model) == {"config.json"}
    assert commit_of(store) != commit
    assert store.body(BASE + "config.json") == b'{"a": 2}\n'


@pytest.mark.parametrize("arguments, env", [(["--refresh"], {}), ([], {"HFPOUR_REFRESH": "1"})])
def test_refresh_asks_the_hub_and_moves_nothing(model, store, pour, arguments, env):
    first(pour)
    result, poured = pour_again(pour, model, store, SOURCE, DESTINATION, *arguments, env=env)
    assert result.exit == 0 and model.requests() > 0
    assert poured == [] and fetched(model) == set() and not model.counters()["resolves"]


def test_another_selection_asks_the_hub(model, store, pour):
    result = pour(SOURCE, DESTINATION, "--include", "*.json,*.txt")
    assert result.exit == 0
    result, poured = pour_again(pour, model, store)
    assert result.exit == 0 and model.requests() > 0
    assert set(poured) == fetched(model) == {"big.safetensors", "small.safetensors"}
    result, poured = pour_again(pour, model, store, SOURCE, DESTINATION, "--include", "config.json")
    assert result.exit == 0 and model.requests() > 0 and poured == []


def test_the_same_selection_written_otherwise_is_there(model, store, pour):
    assert pour(SOURCE, DESTINATION, "--include", "*.json,*.txt").exit == 0
    result, poured = pour_again(pour, model, store, SOURCE, DESTINATION, "--include", "*.txt", "--include", "*.json")
    assert (result.exit, poured, model.requests()) == (0, [], 0)


def test_what_another_tool_put_there_is_checked_and_stays(model, store, pour):
    for path, content in MODEL.items():
        put(store, path, content)
    result, poured = pour_again(pour, model, store, SOURCE, DESTINATION, "--json")
    assert result.exit == 0, result.stderr
    assert fetched(model) == set() and set(poured) <= {"empty.txt"}
    assert result.json()["poured_bytes"] == 0
    assert {entry["path"] for entry in store.manifest(BASE)["files"]} == set(MODEL)
    for path, content in MODEL.items():
        assert sha256(store.body(BASE + path)) == sha256(content), path
    result, poured = pour_again(pour, model, store)
    assert (result.exit, poured, model.requests()) == (0, [], 0), result.stderr


def test_what_another_tool_put_there_wrongly_is_poured(model, store, pour):
    for path, content in MODEL.items():
        put(store, path, content)
    wrong = bytearray(MODEL["small.safetensors"])
    wrong[200_000] ^= 1
    put(store, "small.safetensors", bytes(wrong))
    put(store, "nested/notes.txt", b"n" * 4999)
    result, poured = pour_again(pour, model, store)
    assert result.exit == 0, result.stderr
    assert fetched(model) == {"small.safetensors", "nested/notes.txt"}
    assert set(poured) - {"empty.txt"} == {"small.safetensors", "nested/notes.txt"}
    for path, content in MODEL.items():
        assert sha256(store.body(BASE + path)) == sha256(content), path


def test_a_right_etag_does_not_make_wrong_bytes_right(model, store, pour):
    """Without a record, only the bytes themselves prove anything."""
    content = MODEL["small.safetensors"]
    put(store, "small.safetensors", bytes(len(content)), etag=etag_of(content))
    result, poured = pour_again(pour, model, store)
    assert result.exit == 0 and "small.safetensors" in poured
    check_bucket(store, BASE, MODEL)


def test_other_objects_beside_the_model_are_left_alone(model, store, pour):
    for key in ("p/me/model.txt", "p/me/model-2/config.json", "p/other", BASE + "notes of mine.txt"):
        store.admin("object", {"key": key, "action": "put", "text": "mine"})
    first(pour)
    for key in ("p/me/model.txt", "p/me/model-2/config.json", "p/other", BASE + "notes of mine.txt"):
        assert store.body(key) == b"mine"
    assert pour_again(pour, model, store)[1] == [] and model.requests() == 0
    assert store.state()["deletions"] == [] or all(".hfpour/" in str(gone) for gone in store.state()["deletions"])


def test_a_dry_run_when_all_is_there_writes_nothing(model, store, pour):
    first(pour)
    journal = len(store.journal())
    result = pour(SOURCE, DESTINATION, "--dry-run")
    assert result.exit == 0 and "already there" in result.stderr
    assert len(store.journal()) == journal
