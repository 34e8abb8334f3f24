"""`hfpour tar`: an archive that tar and Python read, the same bytes each time, and without an end when a file is wrong."""

import io
import json
import subprocess
import tarfile
import urllib.request

import pytest
from pipe_support import Piper, pipe  # noqa: F401
from support import MIB, Hub, Pourer, data, sha256

LONG = "d" * 60 + "/" + "e" * 60 + "/" + "f" * 90 + ".bin"
FILES = {
    "config.json": b'{"a": 1}\n',
    "empty.txt": b"",
    "exactly-a-block.bin": data(512, 1),
    "model.bin": data(21 * MIB + 5, 2),
    "nested/deeper/notes.txt": b"n" * 5000,
    "name with blanks & 'quotes'.txt": b"odd\n",
    "ünïcode/文件.txt": "text äöü\n".encode(),
    LONG: b"split\n",
    "x" * 99 + "y": b"100 bytes of name\n",
    "z" * 101: b"101 bytes of name\n",
    "p" * 150 + "/" + "q" * 101: b"no slash where one is needed\n",
}


@pytest.fixture
def model(hub):
    hub.repo("me/model", FILES)
    return hub


def members(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: (member, tar.extractfile(member).read()) for member in tar.getmembers()}


def test_python_reads_every_file(model, pipe):
    archive = pipe("tar", "hf://me/model").check(0).stdout
    found = members(archive)
    assert {name: content for name, (_, content) in found.items()} == FILES
    for member, _ in found.values():
        assert (member.mode, member.mtime, member.uid, member.gid, member.uname, member.gname) == (0o644, 1, 0, 0, "", "")
        assert member.isreg()
    assert len(archive) % 512 == 0 and archive.endswith(bytes(1024))


def test_gnu_tar_unpacks_it_without_a_word(model, pipe, tmp_path):
    said = pipe.shell('set -o pipefail; hfpour tar hf://me/model | tar -x -C "$1"', tmp_path).check(0)
    assert said.stderr == ""
    assert {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == FILES


def test_the_order_is_that_of_the_listing(model, pipe):
    with tarfile.open(fileobj=io.BytesIO(pipe("tar", "hf://me/model").stdout)) as tar:
        names = tar.getnames()
    with urllib.request.urlopen(model.url + "/api/models/me/model/tree/main?recursive=true&limit=1000", timeout=30) as answer:
        listing = [entry["path"] for entry in json.load(answer) if entry["type"] == "file"]
    assert names == listing


def test_one_commit_gives_the_same_bytes_each_time(model, pipe):
    first = pipe("tar", "hf://me/model").check(0).stdout
    model.fault("reset_after", path="model.bin", after_bytes=MIB, count=3)
    model.fault("delay", path="config.json", route="cdn|cache|resolve", delay_ms=300)
    assert pipe("tar", "hf://me/model", "--lanes", 2, "--memory", "64Mi").check(0).stdout == first
    assert pipe("tar", "hf://me/model", "--lanes", 1).check(0).stdout == first


def test_a_selection(model, pipe):
    assert set(members(pipe("tar", "hf://me/model", "--include", "*.json,nested/*").check(0).stdout)) == {
        "config.json", "nested/deeper/notes.txt"}
    assert "model.bin" not in members(pipe("tar", "hf://me/model", "--exclude", "*.bin").check(0).stdout)
    assert set(members(pipe("tar", "hf://me/model/config.json").check(0).stdout)) == {"config.json"}
    result = pipe("tar", "hf://me/model", "--include", "*.nothing").check(4)
    assert result.stdout == b""


@pytest.mark.parametrize("path", ["config.json", "model.bin"])
def test_a_wrong_file_leaves_an_archive_that_tar_refuses(model, pipe, path, tmp_path):
    model.fault("flip", path=path, flip_offset=3, count=-1)
    result = pipe("tar", "hf://me/model")
    result.check(7, "expected", "got")
    (tmp_path / "broken.tar").write_bytes(result.stdout)
    tar = subprocess.run(["tar", "-tf", tmp_path / "broken.tar"], capture_output=True, text=True, check=False)
    assert tar.returncode != 0 or result.stdout == b"", tar
    shell = pipe.shell("hfpour tar hf://me/model | tar -t >/dev/null; echo ${PIPESTATUS[@]}", timeout=60)
    assert shell.stdout.split()[0] == b"7", shell


def test_a_path_that_would_leave_the_folder_is_refused(binary, store, tmp_path):
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"models": {
        "me/up": {"files": [{"path": "good.txt", "text": "a"}, {"path": "../evil.txt", "text": "b"}]},
        "me/huge": {"files": [{"path": "huge.bin", "size": 9 << 30, "seed": 1}]}}}), encoding="utf-8")
    (tmp_path / "root").mkdir()
    hub = Hub(tmp_path / "root", "--virtual", spec)
    try:
        pipe = Piper(Pourer(binary, hub, store))
        assert pipe("tar", "hf://me/up").check(6, "evil").stdout == b""
        # More than 8 GiB: the size stands in a pax record, and for tools that read none in base 256.
        head = pipe.shell("hfpour tar hf://me/huge | head -c 2000; echo ${PIPESTATUS[0]}").check(0).stdout
        assert head.endswith(b"141\n")
        block = tarfile.TarInfo.frombuf(head[1024:1536], "utf-8", "strict")
        assert (block.name, block.size) == ("huge.bin", 9 << 30)
        assert head[512:1024].rstrip(b"\0") == b"19 size=%d\n" % (9 << 30)
        said = subprocess.run(["tar", "-tv"], input=head[:2000], capture_output=True, check=False)
        assert str(9 << 30).encode() in said.stdout, said
    finally:
        hub.stop()


def test_many_small_files(hub, pipe):
    files = {f"part/{number:04d}.json": b"%d\n" % number for number in range(300)}
    hub.repo("me/model", files)
    archive = pipe("tar", "hf://me/model").check(0).stdout
    assert {name: content for name, (_, content) in members(archive).items()} == files


def test_sha256_of_the_archive_is_stable_across_processes(model, pipe):
    seen = {sha256(pipe("tar", "hf://me/model", "--memory", memory).stdout) for memory in ("64Mi", "128Mi")}
    assert len(seen) == 1
