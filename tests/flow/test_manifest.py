"""What lies beside the files: the manifest, down to each part's checksum, and the metadata of each object."""

import ctypes
import ctypes.util
import json
import re

import pytest
from support import BUCKET, PART, data, etag_of, git_blob, sha256

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
MODEL = {
    "config.json": b'{"a": 1}\n',
    "empty.txt": b"",
    "größe \"x\\y\".txt": b"odd",
    "one.bin": data(PART, 2),
    "many.bin": data(3 * PART + 1, 3),
}
LFS = {"lfs": ["*.bin"]}


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


@pytest.fixture(scope="module")
def xxh3():
    """XXH3-128 from the system's own library, in its canonical (big-endian) form."""
    name = ctypes.util.find_library("xxhash")
    assert name, "libxxhash is needed: the program itself is linked to it"
    function = ctypes.CDLL(name).XXH3_128bits
    function.restype, function.argtypes = Hash128, [ctypes.c_char_p, ctypes.c_size_t]

    def digest(content):
        value = function(content, len(content))
        return "%016x%016x" % (value.high, value.low)

    return digest


@pytest.fixture
def poured(hub, store, pour):
    hub.repo("me/model", MODEL, LFS)
    result = pour(SOURCE, DESTINATION, "--json")
    assert result.exit == 0, result.stderr
    return result.json()


def hub_hash(path, content):
    return "sha256:" + sha256(content) if path.endswith(".bin") else "git-sha1:" + git_blob(content)


def test_the_head_says_what_it_is_of(poured, store):
    manifest = store.manifest(BASE)
    assert manifest["schema"] == 1 and manifest["tool"].startswith("hfpour ")
    assert (manifest["repository"], manifest["type"], manifest["revision"]) == ("me/model", "model", "main")
    assert re.fullmatch("[0-9a-f]{40}", manifest["commit"]) and manifest["commit"] == poured["commit"]
    assert manifest["complete"] is True and manifest["selection"]


def test_every_file_has_its_record_in_order(poured, store, xxh3):
    manifest = store.manifest(BASE)
    assert [record["path"] for record in manifest["files"]] == sorted(MODEL, key=str.encode)
    for record in manifest["files"]:
        content = MODEL[record["path"]]
        assert (record["size"], record["hash"]) == (len(content), hub_hash(record["path"], content))
        step = record["part_size"] or max(len(content), 1)
        pieces = [content[at:at + step] for at in range(0, len(content), step)] or [b""]
        assert record["xxh3"] == [xxh3(piece) for piece in pieces], record["path"]
        assert record["etag"] == etag_of(content, PART, multipart=record["part_size"] > 0)
        assert record["part_size"] in ((PART,) if len(content) > PART else (0, PART) if len(content) == PART else (0,))


def test_the_manifest_becomes_visible_once_and_last(poured, store):
    keys = [entry["key"] for entry in store.journal()]
    assert keys[-1] == BASE + ".hfpour/manifest.json"
    assert all(keys.count(BASE + path) == 1 for path in [*MODEL, ".hfpour/manifest.json"])


@pytest.mark.row("s3 4.8.6")
def test_each_object_says_where_it_is_from(poured, store):
    for path, content in MODEL.items():
        meta = {name.lower(): value for name, value in store.objects()[BASE + path]["meta"].items()}
        assert meta == {"hf-repo": "me/model", "hf-commit": poured["commit"], "hf-hash": hub_hash(path, content)}
        assert sum(len(name) + len(value) for name, value in meta.items()) < 1024


def test_datasets_and_spaces_are_told_apart(hub, store, pour):
    for kind in ("datasets", "spaces"):
        hub.repo("me/model", {"only.txt": kind.encode()}, kind=kind)
        result = pour(f"hf://{kind}/me/model", f"s3://{BUCKET}/{kind}/", "--json")
        assert result.exit == 0, result.stderr
        assert store.manifest(f"{kind}/me/model/")["type"] == result.json()["type"] == kind.removesuffix("s")


@pytest.mark.parametrize("refresh", [(), ("--refresh",)], ids=["plain", "refresh"])
def test_a_dataset_does_not_share_the_place_of_the_model_of_its_name(hub, store, pour, refresh):
    """Both have the same place below one prefix: the second must not replace or mix with the first."""
    hub.repo("me/model", {"only.txt": b"model"})
    hub.repo("me/model", {"only.txt": b"other", "more.txt": b"more"}, kind="datasets")
    assert pour(SOURCE, DESTINATION).exit == 0
    before = store.journal()
    result = pour("hf://datasets/me/model", DESTINATION, *refresh)
    assert (result.exit, result.stdout) == (2, ""), result.stderr
    assert "holds the model 'me/model'" in result.stderr and "another prefix" in result.stderr, result.stderr
    assert store.journal() == before
    assert pour("hf://datasets/me/model", DESTINATION + "data/").exit == 0
    assert pour(SOURCE, DESTINATION, *refresh).exit == 0


def test_a_half_poured_dataset_keeps_its_place_too(hub, store, pour):
    hub.repo("me/model", {"only.txt": b"model"})
    hub.repo("me/model", {"a.txt": b"a", "b.txt": b"b"}, kind="datasets")
    store.fault("status", op="PutObject", key="*/b.txt", code="AccessDenied")
    assert pour("hf://datasets/me/model", DESTINATION, "--lanes", 1).exit == 6
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 2 and "holds the dataset 'me/model'" in result.stderr, result.stderr


@pytest.mark.parametrize("revision", ["v2", "refs/pr/1"])
def test_the_revision_is_recorded_as_it_was_asked_for(hub, store, pour, revision):
    hub.repo("me/model", {"a.txt": b"1", "two/a.txt": b"2"}, {"revisions": {revision: "two"}})
    result = pour(SOURCE, DESTINATION, "--revision", revision, "--json")
    assert result.exit == 0, result.stderr
    assert store.manifest(BASE)["revision"] == result.json()["revision"] == revision
    assert store.body(BASE + "a.txt") == b"2"
    hub.admin("reset", {})
    assert pour(f"{SOURCE}@{revision}", DESTINATION).exit == 0 and hub.requests() == 0


def test_a_manifest_of_thousands_of_files_is_still_json(hub, store, pour):
    files = {f"f/{n:04}.txt": b"%d" % n for n in range(1200)}
    hub.repo("me/model", files)
    assert pour(SOURCE, DESTINATION).exit == 0
    assert len(json.loads(store.body(BASE + ".hfpour/manifest.json"))["files"]) == 1200
    hub.admin("reset", {})
    result = pour(SOURCE, DESTINATION, "--json")
    assert result.json()["status"] == "present" and hub.requests() == 0, "the listing has two pages"
