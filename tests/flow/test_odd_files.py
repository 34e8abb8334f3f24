"""Names and sizes at the edge of what a repository may hold arrive as they are."""

import hashlib

import pytest
from support import BUCKET, MIB, PART, data, git_blob, sha256
from test_pour import check_bucket

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
LONGEST = BASE + "/".join(["k" * 255, "l" * 255, "m" * 255]) + "/"  # filled up to the 1,024 bytes a key may have

NAMES = [
    "a b", " leading", "trailing ", "a+b", "a%20b", "a%2Fb", "100%", "a#b", "a?b=c&d", "a;b", "a=b", "a&b", "a,b", "a:b", "a@b", "a!b",
    "a$b", "a*b", "a(b)", "a'b", 'a"b', "a\\b", "a<b>", "a[b]", "a{b}", "a|b", "a^b", "a`b", "a~b", "-a", "--help", ".gitattributes",
    "...", "..a", "a..", ".hidden/.more", ".hfpour.txt", "größe", "gro\u0308ße", "模型", "🤗", "\u00a0", "é/è/ê",
    "uploads", "a?uploads", "x" * 255, "ü" * 127, LONGEST.removeprefix(BASE) + "n" * (1024 - len(LONGEST)),
]


@pytest.mark.row("hub F.11.40", "s3 4.8.7", "s3 8.1")
def test_odd_names_arrive_as_they_are(hub, store, pour):
    files = {name: name.encode() for name in NAMES}
    hub.repo("me/model", files)
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, files)
    assert {entry["path"] for entry in store.manifest(BASE)["files"]} == set(files)
    hub.admin("reset", {})
    again = pour(SOURCE, DESTINATION, "--json")
    assert again.exit == 0 and again.json()["status"] == "present", again.stderr
    assert hub.requests() == 0


@pytest.mark.row("hub F.11.40", "s3 8.1")
def test_odd_names_of_lfs_files_arrive_as_they_are(hub, store, pour):
    """These go through a resolve, a signed address and, above the ring, a multipart upload with the name in every request."""
    files = {name + ".bin": data(300, n) for n, name in enumerate(NAMES) if len(name.encode()) < 200}
    files["ein Ordner/größe +%41 #?.bin"] = data(PART * 2 + 17, 90)
    hub.repo("me/model", files, {"lfs": ["*.bin"]})
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, files)


@pytest.mark.parametrize("lfs", [True, False], ids=["lfs", "git"])
@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 1])
@pytest.mark.row("hub F.11.39", "s3 8.2")
def test_sizes_around_a_part(hub, store, pour, size, lfs):
    content = data(size, 40)
    about = {"lfs": ["*.bin"]} if lfs else {"lfs": [], "lfs_min_size": 1 << 40}
    hub.repo("me/model", {"file.bin": content}, about)
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, {"file.bin": content})
    record = store.manifest(BASE)["files"][0]
    assert record["hash"] == ("sha256:" + sha256(content) if lfs else "git-sha1:" + git_blob(content))
    seen = hub.counters()
    assert seen["bytes"].get("models/me/model/file.bin", 0) == size
    assert sum(seen["resolves"].values()) == (1 if size else 0)
    parts = store.counters()["requests"].get("UploadPart", 0)
    assert parts == -(-size // PART) or (parts == 0 and size <= PART)


@pytest.mark.parametrize("size", [5 * MIB, 20 * MIB + 3])
def test_the_part_size_is_the_one_asked_for(hub, store, pour, size):
    content = data(size, 41)
    hub.repo("me/model", {"file.bin": content})
    assert pour(SOURCE, DESTINATION, "--part-size", "5Mi").exit == 0
    check_bucket(store, BASE, {"file.bin": content})
    sums = [hashlib.md5(content[at:at + 5 * MIB]).digest() for at in range(0, size, 5 * MIB)]
    wanted = {hashlib.md5(content).hexdigest(), "%s-%d" % (hashlib.md5(b"".join(sums)).hexdigest(), len(sums))}
    assert store.objects()[BASE + "file.bin"]["etag"].strip('"') in wanted
    assert size == 5 * MIB or store.counters()["requests"]["UploadPart"] == 5


LARGE_GIT = {"large.json": data(26 * MIB + 5, 42)}


@pytest.fixture
def large_git(hub):
    """A file of several parts that is not LFS: one address on the Hub itself, and a SHA-1."""
    hub.repo("me/model", LARGE_GIT, {"lfs": [], "lfs_min_size": 1 << 40})
    return hub


@pytest.mark.parametrize("mode", ["reset_after", "short_fin"])
@pytest.mark.parametrize("offset", [1, PART, 17 * MIB + 3])
def test_a_large_git_file_goes_on_at_its_byte(large_git, store, pour, mode, offset):
    large_git.fault(mode, route="cache", at_offset=offset)
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, LARGE_GIT)
    assert large_git.counters()["faults_fired"][mode] == 1
    assert large_git.counters()["bytes"]["models/me/model/large.json"] <= 26 * MIB + 5 + 2 * MIB
    assert large_git.counters()["ranged_resolves"] == 0


@pytest.mark.parametrize("path, offset", [("large.json", 19 * MIB), ("small.json", 7)])
@pytest.mark.row("hub F.11.33")
def test_a_git_file_that_always_comes_wrong_is_never_seen(large_git, store, pour, path, offset):
    files = {**LARGE_GIT, "small.json": b'{"a": 1}\n'}
    large_git.repo("me/model", files)
    wrong = bytearray(files[path])
    wrong[offset] ^= 0xFF
    large_git.fault("flip", path=path, flip_offset=offset, count=-1)
    result = pour(SOURCE, DESTINATION)
    assert (result.exit, result.stdout) == (7, ""), result.stderr
    assert git_blob(files[path]) in result.stderr and git_blob(bytes(wrong)) in result.stderr
    other, = set(files) - {path}
    keys = [entry["key"] for entry in store.journal()]
    assert BASE + path not in keys and BASE + other in keys and BASE + ".hfpour/manifest.json" not in keys
    assert store.uploads() == []


@pytest.mark.row("hub F.11.39")
def test_an_empty_lfs_file_costs_no_request(hub, store, pour):
    hub.repo("me/model", {"empty.bin": b"", "empty.txt": b""}, {"lfs": ["*.bin"]})
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, {"empty.bin": b"", "empty.txt": b""})
    assert hub.counters()["resolves"] == {} and hub.counters()["bytes"] == {}


def test_two_files_of_the_same_content(hub, store, pour):
    content = data(9 * MIB, 43)
    files = {"a.bin": content, "b.bin": content, "c/a.bin": content}
    hub.repo("me/model", files)
    assert pour(SOURCE, DESTINATION).exit == 0
    check_bucket(store, BASE, files)


def test_a_file_and_a_folder_of_nearly_the_same_name(hub, store, pour):
    files = {"a": b"1", "a.b": b"2", "a-b/c": b"3", "a0": b"4", "A": b"5", "a b/c": b"6"}
    hub.repo("me/model", files)
    assert pour(SOURCE, DESTINATION).exit == 0
    check_bucket(store, BASE, files)
