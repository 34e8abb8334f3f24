"""The contract of the command line, as data: what is typed, what is set, and what a person or a script gets.

    HFPOUR_BINARY=… /usr/bin/python3 -m pytest tests/cli/run.py

Each `*.json` here is a list of cases:

    {"name": …, "args": […], "env": {…}, "set": "person", "stdin": …, "exit": N, "stdout": …, "stderr": …}

`set` names one of the environments below, `env` changes it (null takes a name away). In arguments and environment {hub},
{store}, {folder} stand for what the test has started. `stdout` is the whole of it; `stdout~` and `stderr` are patterns that
must be found. What holds for every case is not repeated: see `check_manners`.
"""

import json
import os
import pathlib
import re
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "flow"))

from pipe_support import Piper  # noqa: E402
from support import BUCKET, KEY_ID, SECRET_KEY, TOKEN, Hub, Pourer, Store  # noqa: E402

KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
SETS = {
    "nothing": {},
    "person": {"S3_ENDPOINT_URL": "{store}", "HF_ENDPOINT": "{hub}", **KEYS},
    "container": {"S3_ENDPOINT_URL": "{store}", "HF_ENDPOINT": "{hub}", **KEYS, "MODEL_NAME": "me/model", "S3_BUCKET": BUCKET},
}
KNOWN = {"name", "args", "env", "set", "stdin", "exit", "stdout", "stdout~", "stderr", "leaves"}
FILES = {"config.json": b'{"a": 1}\n', "notes.md": b"# notes\n", "nested/a b.txt": b"blanks\n"}
FINAL_WORDS = {2, 3, 4, 6, 7, 8}


def load():
    cases = []
    for path in sorted(HERE.glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8")):
            assert set(case) <= KNOWN, (path.name, case)
            assert {"name", "exit"} <= set(case), (path.name, case)
            cases.append(pytest.param(case, id=path.stem + ": " + case["name"]))
    return cases


CASES = load()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Both stand-ins, and what there is to ask for."""
    binary = os.environ.get("HFPOUR_BINARY", "")
    assert os.access(binary, os.X_OK), "HFPOUR_BINARY must name the built program"
    folder = tmp_path_factory.mktemp("cli")
    (folder / "root").mkdir()
    (folder / "file.bin").write_bytes(b"from a file\n")
    (folder / "not-a-ca.pem").write_bytes(b"hello\n")
    hub, store = Hub(folder / "root"), Store()
    hub.repo("me/model", FILES)
    hub.repo("me/gated", {"a.txt": b"gated\n"}, about={"gated": "auto", "token": "hf_somebody_elses"})
    hub.repo("me/private", {"a.txt": b"private\n"}, about={"private": True, "token": TOKEN})
    hub.repo("me/data", FILES, kind="datasets")
    yield Piper(Pourer(os.path.abspath(binary), hub, store)), hub, store, folder
    store.stop()
    hub.stop()


def fill(text, world):
    _, hub, store, folder = world
    for hole, value in (("{hub}", hub.url), ("{store}", store.url), ("{folder}", str(folder)), ("{bucket}", BUCKET),
                        ("{token}", TOKEN)):
        text = text.replace(hole, value)
    return text


def check_manners(result, stdout):
    """A person gets one sentence and no secret; a script gets nothing on stdout that is no result."""
    for text in (result.stderr, stdout):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), "control characters"
        assert "Traceback" not in text and "terminate called" not in text
        assert "do-not-print-me" not in text
    lines = result.stderr.splitlines()
    assert all(line.startswith("hfpour: ") or line.startswith("{") for line in lines), result.stderr
    if result.exit == 0:
        return
    assert not stdout or stdout.startswith("{"), "a failure that has a result"
    assert lines, "a failure without a word"
    if result.exit in FINAL_WORDS:
        assert len([line for line in lines if "note: " not in line and "plan: " not in line]) == 1, result.stderr
        assert not lines[-1].endswith("."), "a sentence ends like the others"


def environment(case, world):
    """Only what the case says: nothing of the one that runs the tests."""
    piper = world[0]
    env = {name: None for name in piper.pour.environment() if name.startswith(("AWS_", "HF_", "S3_"))}
    env.update({name: fill(value, world) for name, value in SETS[case.get("set", "person")].items()})
    env.update({name: value and fill(value, world) for name, value in case.get("env", {}).items()})
    return env


@pytest.mark.parametrize("case", CASES)
def test_cli(world, case):
    piper, hub, store, _ = world
    hub.admin("reset", {})
    store.reset()
    arguments = [fill(word, world) for word in case.get("args", [])]
    result = piper(*arguments, stdin=case.get("stdin", "").encode(), env=environment(case, world), timeout=60)
    stdout = result.stdout.decode()
    assert result.exit == case["exit"], (result.exit, result.stderr)
    if "stdout" in case:
        assert stdout == fill(case["stdout"], world)
    if "stdout~" in case:
        assert re.search(fill(case["stdout~"], world), stdout), stdout
    if "stderr" in case:
        pattern = case["stderr"]
        assert re.search(pattern, result.stderr) if pattern else result.stderr == "", result.stderr
    check_manners(result, stdout)
    leaves = sorted(key for key in store.objects() if "/.hfpour/" not in key)
    assert leaves == sorted(case.get("leaves", [])) and store.uploads() == [], leaves


def test_there_are_enough():
    assert len(CASES) >= 100
    assert len({param.id for param in CASES}) == len(CASES), "a name twice"
