"""What a run leaves for those who come later: the termination message of a container, and the report."""

import json
import os
import stat

import pytest
from support import BUCKET, PART, data, sha256

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
MODEL = {"config.json": b'{"a": 1}\n', "empty.txt": b"", 'odd "name" \\ größe.txt': b"n" * 5000, "weights.bin": data(PART + 1, 2)}
KEYS = {"code", "reason", "message", "file", "commit", "retryable", "hint"}


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "termination-log"
    path.write_text("old words, longer than any new ones " * 200)
    return path


def words_of(path):
    raw = path.read_bytes()
    assert len(raw) <= 4096
    words = json.loads(raw)
    assert set(words) == KEYS
    return words


def test_a_success_says_which_commit_is_there(hub, pour, log):
    hub.repo("me/model", MODEL)
    assert pour(SOURCE, DESTINATION, env={"HFPOUR_TERMINATION_LOG": log}).exit == 0
    words = words_of(log)
    assert (words["code"], words["reason"], words["retryable"], len(words["commit"])) == (0, "poured", False, 40)
    assert pour(SOURCE, DESTINATION, env={"HFPOUR_TERMINATION_LOG": log}).exit == 0
    assert words_of(log)["reason"] == "present"


def test_a_file_with_wrong_bytes_is_named(hub, pour, log):
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"]})
    hub.fault("flip", path="*.bin", flip_offset=5, count=-1)
    assert pour(SOURCE, DESTINATION, env={"HFPOUR_TERMINATION_LOG": log}).exit == 7
    words = words_of(log)
    assert (words["code"], words["reason"], words["file"], words["retryable"]) == (7, "integrity", "weights.bin", False)
    assert words["hint"] and "weights.bin" in words["message"]


@pytest.mark.parametrize("arguments, env, code, reason", [
    ((SOURCE, DESTINATION, "--memory", "nonsense"), {}, 2, "usage"),
    ((SOURCE, "s3://B/"), {}, 2, "usage"),
    (("hf://me/nothing", DESTINATION), {}, 3, "not_found"),
    (("cat", "hf://me/nothing/at-all"), {}, 3, "not_found"),
    (("put", "/no/such/file", f"s3://{BUCKET}/x"), {}, 2, "usage"),
    ((SOURCE, DESTINATION), {"AWS_SECRET_ACCESS_KEY": "wrong"}, 6, "forbidden")])
def test_a_failure_of_any_command_leaves_its_words(hub, pour, log, arguments, env, code, reason):
    hub.repo("me/model", MODEL)
    assert pour(*arguments, env={"HFPOUR_TERMINATION_LOG": log, **env}).exit == code
    words = words_of(log)
    assert (words["code"], words["reason"], words["retryable"]) == (code, reason, False)
    assert words["message"] and words["hint"]


def test_temporary_trouble_is_worth_another_run(store, hub, pour, log):
    hub.repo("me/model", MODEL)
    store.fault("status", op="ListObjectsV2", code="SlowDown", retry_after=3600, count=-1)
    assert pour(SOURCE, DESTINATION, env={"HFPOUR_TERMINATION_LOG": log}).exit == 5
    assert words_of(log)["retryable"] is True


def test_a_long_name_is_cut_to_what_is_kept(hub, pour, log):
    name = "/".join(["\u00e4" * 100] * 4) + '/"' + "q" * 90
    hub.repo("me/model", {name: b"x" * 300_000}, {"lfs": ["*"]})
    hub.fault("wrong_sha", path="*", count=-1, route="tree|resolve")
    result = pour(SOURCE, DESTINATION, env={"HFPOUR_TERMINATION_LOG": log})
    assert result.exit == 7, result.stderr
    assert words_of(log)["file"].startswith("\u00e4")


def test_the_message_is_never_created_and_never_waited_for(hub, pour, tmp_path):
    hub.repo("me/model", {"a": b"a"})
    assert pour(SOURCE, DESTINATION, env={"HFPOUR_TERMINATION_LOG": tmp_path / "new"}).exit == 0
    assert os.listdir(tmp_path) == []
    os.mkfifo(tmp_path / "pipe")
    assert pour(SOURCE, DESTINATION, env={"HFPOUR_TERMINATION_LOG": tmp_path / "pipe"}).exit == 0
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)


# ---- the report

def checked(report, files, status="stored"):
    entries = {entry["path"]: entry for entry in report["files"]}
    assert set(entries) == set(files) and len(report["files"]) == len(files)
    for path, content in files.items():
        entry = entries[path]
        assert entry["status"] == status and entry["bytes"] == len(content)
        assert set(entry) == {"path", "status", "bytes", "seconds", "rate", "retries", "parts", "hash", "etag"}
        kind, digest = entry["hash"].split(":")
        assert kind in ("sha256", "git-sha1") and (kind != "sha256" or digest == sha256(content))
    return entries


def test_the_report_has_every_file_and_the_run(hub, store, pour, tmp_path):
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"]})
    hub.fault("reset_after", path="*.bin", at_offset=PART)
    path = tmp_path / "report.json"
    path.write_text("x" * 100_000)
    result = pour(SOURCE, DESTINATION, "--report", path)
    assert result.exit == 0 and result.stdout == "s3://bucket/p/me/model/\n"
    report = json.loads(path.read_text())
    entries = checked(report, MODEL)
    for name, entry in entries.items():
        assert entry["etag"].strip('"') == store.objects()["p/me/model/" + name]["etag"].strip('"')
    assert report["run"]["status"] == "poured" and report["run"]["poured_files"] == len(MODEL)


def test_a_report_on_stdout_takes_the_place_of_the_address(hub, pour):
    hub.repo("me/model", MODEL)
    result = pour(SOURCE, DESTINATION, "--report", "-")
    assert result.exit == 0
    report = result.json()
    checked(report, MODEL)
    assert report["run"]["uri"] == "s3://bucket/p/me/model/"
    again = pour(SOURCE, DESTINATION, "--report", "-").json()
    assert again["files"] == [] and again["run"]["status"] == "present"


def test_a_failed_run_has_its_report_too(hub, pour, tmp_path):
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"]})
    hub.fault("flip", path="*.bin", flip_offset=5, count=-1)
    path = tmp_path / "report.json"
    assert pour(SOURCE, DESTINATION, "--report", path).exit == 7
    report = json.loads(path.read_text())
    failed = [entry for entry in report["files"] if entry["status"] == "failed"]
    assert [(entry["path"], entry["kind"]) for entry in failed] == [("weights.bin", "integrity")]
    assert report["run"]["status"] == "failed" and report["run"]["error"]["exit"] == 7


def test_a_report_that_cannot_be_written_ends_the_run_before_it_begins(hub, store, pour):
    hub.repo("me/model", MODEL)
    result = pour(SOURCE, DESTINATION, "--report", "/no/such/folder/report.json")
    assert result.exit == 2 and "the report '/no/such/folder/report.json' cannot be written: " in result.stderr
    assert store.requests() == 0
    result = pour(SOURCE, DESTINATION, "--report", "-", "--json")
    assert result.exit == 2 and "both want stdout" in result.stderr


def test_a_report_on_a_full_disk_is_no_success(hub, pour):
    hub.repo("me/model", MODEL)
    result = pour(SOURCE, DESTINATION, "--report", "/dev/full")
    assert result.exit == 1 and "could not be written whole" in result.stderr
