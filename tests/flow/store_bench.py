"""What the tests of a failing store share: a model, runs with an expected end, and what must hold after each of them."""

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

# Where a fault may strike, and the files that cannot be there when it strikes for good.
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


def settled(store, present=MODEL, maybe=(), files=MODEL, base=BASE, complete=True, etags_are_md5=True, part=PART):
    """No upload is open, no wrong object was ever visible, and `present` lies there, byte for byte; beside it at most some of
    `maybe`: a file whose request was under way when another one ended the run may have arrived, even a moment later."""
    state = store.state()  # one look at everything
    assert listed(state["uploads"]) == []
    for entry in state["journal"]:
        path = entry["key"].removeprefix(base)
        assert entry["key"].startswith(base), entry
        if path.startswith(".hfpour/"):
            continue
        content = files[path]
        assert entry["size"] == len(content), entry
        right_sum = entry.get("sha256") == sha256(content)
        right_etag = entry["etag"].strip('"') in (etag_of(content, part), etag_of(content, part, multipart=True))
        assert right_sum or right_etag or not etags_are_md5, entry
    objects = {entry["key"]: entry for entry in listed(state["objects"])}
    manifest, checkpoint = base + ".hfpour/manifest.json", base + ".hfpour/checkpoint.json"
    there = {key.removeprefix(base) for key in set(objects) - {manifest, checkpoint}}
    assert set(present) <= there <= set(present) | set(maybe)
    for path in there:
        assert sha256(store.body(base + path)) == sha256(files[path]), path
    assert (manifest in objects) == complete
    if complete:
        document = store.manifest(base)
        assert document["complete"] is True and {entry["path"] for entry in document["files"]} == set(files)
        for entry in document["files"]:
            assert entry["etag"] == objects[base + entry["path"]]["etag"].strip('"'), entry


def listed(found):
    return list(found.values()) if isinstance(found, dict) else found


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
    """The run ends with this status, and its last line has these words; exactly `present` is there. For failures whose order
    with the other files is certain: the first request, or trouble that lets the other files go on."""
    result = run(pour, *options, env=env, **more)
    assert result.exit == status, result.stderr
    for word in words:
        assert word in result.stderr.splitlines()[-1], result.stderr
    settled(store, present, complete=False)
    return result


def ends(store, pour, status, *words, missing, **more):
    """The run ends in mid-work: the files `missing` are not there, nor is the manifest; any other file may be, whole."""
    result = run(pour, **more)
    assert result.exit == status, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr
    settled(store, (), set(MODEL) - set(missing), complete=False)
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
