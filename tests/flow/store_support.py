"""The verbs of the tests that give the store faults: pour a small model, and look at what is there afterwards."""

import contextlib

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
# Where a fault may strike, and the files that cannot be there when it always does.
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
NOT_STORED = {
    "UploadPart": {"big.bin"},
    "UploadPart last": {"big.bin"},
    "PutObject": {"small.bin"},
    "PutObject empty": {"special/empty.txt"},
    "PutObject manifest": set(),
    "CreateMultipartUpload": {"big.bin"},
    "ListObjectsV2": set(MODEL),
    "GetObject": set(MODEL),
}

# ---- what holds after each test

def settled(store, present=MODEL, files=MODEL, base=BASE, complete=True, etags_are_md5=True, part=PART):
    """No upload is open that the checkpoint does not own, no wrong object was ever visible, and exactly `present` lies there, byte for byte; None stands for
    any of the files."""
    store.left_alone()
    assert store.orphans() == []
    assert not complete or store.uploads() == []
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
    if present is None:
        present = [path for path in files if base + path in objects]
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


def final(store, pour, status, *words, missing, **more):
    """The run ends in mid-work: the files `missing` are not there, nor is the manifest; any other file may be, whole."""
    result = run(pour, **more)
    assert result.exit == status, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
    settled(store, None, complete=False)
    assert not {BASE + path for path in missing} & set(store.objects()), result.stderr
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
