"""The main job: a repository lands in the bucket, byte for byte."""

import contextlib
import json
import os
import pathlib
import shutil

import pytest
from support import BUCKET, MIB, PART, Pourer, data, etag_of, git_blob, sha256, wait_until

MODEL = {
    "config.json": b'{"a": 1}\n',
    "nested/deep/file.txt": b"x" * 1000,
    "special/empty.txt": b"",
    "special/two words+Größe %41#?[x].txt": "ü".encode(),
    "small.safetensors": data(3 * MIB, 2),
    "one-part.bin": data(PART, 3),
    "two-parts.bin": data(2 * PART, 4),
    "odd.safetensors": data(2 * PART + 1, 5),
}


def check_bucket(store, base, files, state=("manifest.json",)):
    """Exactly `files` lie at `base`, byte for byte, besides the objects of hfpour's own."""
    objects = store.objects()
    assert set(objects) == {base + path for path in files} | {base + ".hfpour/" + name for name in state}
    for path, content in files.items():
        entry = objects[base + path]
        assert entry["size"] == len(content), path
        assert sha256(store.body(base + path)) == sha256(content), path
        meta = {name.lower(): value for name, value in entry["meta"].items()}
        assert any(sha256(content) in value or git_blob(content) in value for value in meta.values()), (path, meta)
    assert store.uploads() == []


def test_arguments_pour_a_model_byte_for_byte(hub, store, pour):
    hub.repo("me/model", MODEL)
    result = pour("hf://me/model", f"s3://{BUCKET}/some/prefix/")
    assert result.exit == 0, result.stderr
    assert result.stdout == f"s3://{BUCKET}/some/prefix/me/model/\n"
    check_bucket(store, "some/prefix/me/model/", MODEL)


def test_the_predecessors_environment_is_enough(hub, store, pour):
    hub.repo("me/model", MODEL)
    result = pour(env={"MODEL_NAME": "me/model", "S3_BUCKET": BUCKET, "DOWNLOAD_DIR": "/tmp", "DISABLE_PROGRESS": "true"})
    assert result.exit == 0, result.stderr
    assert result.stdout == f"s3://{BUCKET}/models/me/model/\n"
    assert result.stderr.count("DOWNLOAD_DIR") == 1
    check_bucket(store, "models/me/model/", MODEL)


def threads_of(running):
    """Their names; some end while we look."""
    names = set()
    for thread in pathlib.Path(f"/proc/{running.process.pid}/task").iterdir():
        with contextlib.suppress(OSError):
            names.add((thread / "comm").read_text().strip())
    return names


@pytest.mark.parametrize("most_cores", [1, 1024])
def test_parts_have_a_thread_of_their_own_where_there_are_two_cores(hub, store, binary, most_cores):
    hub.repo("me/model", MODEL)
    cores = sorted(os.sched_getaffinity(0))[:most_cores]
    hub.fault("stall", count=-1)
    running = Pourer(shutil.which("taskset"), hub, store).start(
        "-c", ",".join(map(str, cores)), binary, "hf://me/model", f"s3://{BUCKET}/p/", "--part-size", "5Mi")
    try:
        wait_until(lambda: "hash" in threads_of(running))  # the first of them begins last
        names = threads_of(running)
    finally:
        hub.reset()
        result = running.wait(60)
    assert ("send" in names) == (len(cores) > 1), names
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/model/", MODEL)


@pytest.mark.own_size  # sanitizers cannot live with what so large a stack does to the addresses
def test_it_pours_where_no_thread_may_be_started(hub, store, binary):
    hub.repo("me/model", MODEL)
    too_much = "--stack=%d:" % (1 << 47)  # for each new thread, and more than there are addresses
    result = Pourer(shutil.which("prlimit"), hub, store)(too_much, binary, "hf://me/model", f"s3://{BUCKET}/p/")
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/model/", MODEL)


def test_lanes_are_not_bound_by_the_first_limit_of_descriptors(hub, store, binary):
    """A shell's limit of open files is often a low one with a high one above it."""
    files = {f"{i}.bin": data(300_000) for i in range(16)}
    hub.repo("me/model", files)
    result = Pourer(shutil.which("prlimit"), hub, store)(
        "--nofile=24:4096", binary, "hf://me/model", f"s3://{BUCKET}/p/", "--lanes", "16")
    assert result.exit == 0, result.stderr
    assert "retry" not in result.stderr
    check_bucket(store, "p/me/model/", files)


@pytest.mark.parametrize("destination, base", [
    (f"s3://{BUCKET}", "models/me/m/"), (f"s3://{BUCKET}/", "me/m/"), (f"s3://{BUCKET}/a/b", "a/b/me/m/")])
def test_the_prefix_is_what_the_destination_says(hub, store, pour, destination, base):
    hub.repo("me/m", {"a.txt": b"a"})
    assert pour("hf://me/m", destination).exit == 0
    check_bucket(store, base, {"a.txt": b"a"})


@pytest.mark.parametrize("kind", ["datasets", "spaces"])
def test_datasets_and_spaces(hub, store, pour, kind):
    hub.repo("me/thing", {"data/x.bin": data(100), "app.py": b"print()"}, kind=kind)
    result = pour(f"hf://{kind}/me/thing", f"s3://{BUCKET}/p/")
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/thing/", {"data/x.bin": data(100), "app.py": b"print()"})


def test_the_manifest_says_what_is_there(hub, store, pour):
    hub.repo("me/model", MODEL)
    result = pour("hf://me/model", f"s3://{BUCKET}/models/", "--json")
    assert result.exit == 0, result.stderr
    said = result.json()
    assert (said["status"], said["files"], said["poured_files"]) == ("poured", len(MODEL), len(MODEL))
    manifest = store.manifest("models/me/model/")
    assert manifest["complete"] is True and manifest["commit"] == said["commit"]
    assert manifest["repository"] == "me/model" and manifest["revision"] == "main"
    objects = store.objects()
    for entry in manifest["files"]:
        content = MODEL[entry["path"]]
        assert entry["size"] == len(content)
        assert entry["hash"] in ("sha256:" + sha256(content), "git-sha1:" + git_blob(content))
        multipart = entry["part_size"] > 0
        assert entry["etag"] == etag_of(content, PART, multipart)
        assert entry["etag"] == objects["models/me/model/" + entry["path"]]["etag"].strip('"')
        assert len(entry["xxh3"]) == (-(-len(content) // PART) if multipart else 1)


def test_json_log_lines_are_json(hub, store, pour):
    hub.repo("me/m", {"a.txt": b"a"})
    result = pour("hf://me/m", f"s3://{BUCKET}/", "--log-format", "json")
    assert result.exit == 0
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert lines and all({"time", "level", "message"} <= set(line) for line in lines)


def test_quiet_says_nothing_and_stdout_is_the_address(hub, store, pour):
    hub.repo("me/m", {"a.txt": b"a"})
    result = pour("hf://me/m", f"s3://{BUCKET}/", "--quiet")
    assert (result.exit, result.stderr, result.stdout) == (0, "", f"s3://{BUCKET}/me/m/\n")


def test_a_dry_run_writes_nothing(hub, store, pour):
    hub.repo("me/model", MODEL)
    result = pour("hf://me/model", f"s3://{BUCKET}/", "--dry-run", "--json")
    assert result.exit == 0 and result.json()["status"] == "planned"
    assert store.journal() == [] and store.uploads() == []
    assert f"{len(MODEL)} files" in result.stderr


def test_one_file_by_its_path(hub, store, pour):
    hub.repo("me/model", MODEL)
    assert pour("hf://me/model/nested/deep/file.txt", f"s3://{BUCKET}/").exit == 0
    check_bucket(store, "me/model/", {"nested/deep/file.txt": MODEL["nested/deep/file.txt"]})
