"""README's first command, as a newcomer types it: everything it says is looked at, and a second time it works as well."""

import hashlib
import pathlib
import re
import subprocess

import pytest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
PLACE = "models/demo/tiny-ocr/"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """What is poured: path to size and the first digits of its SHA-256."""
    folder = tmp_path_factory.mktemp("model")
    made = subprocess.run([TREE / "scripts/lib/demo-model", folder], check=True, capture_output=True, text=True).stdout.strip()
    files = [path for path in pathlib.Path(made).rglob("*") if path.is_file()]
    return {str(path.relative_to(made)): (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()[:16]) for path in files}


@pytest.mark.parametrize("time", ["first", "second"])
def test_the_demo(model, time):
    done = subprocess.run([TREE / "scripts/demo"], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"(?m)^ *(\d+)  sha256 ([0-9a-f]{16})…  " + PLACE + "(.+)$", done.stdout)
    there = {path: (int(size), digest) for size, digest, path in rows}
    assert there.pop(".hfpour/manifest.json")[0] > 1000
    assert there == model
    poured, again = done.stderr.split("== pouring again")
    assert f"poured {len(model)} files" in poured and "already there" not in poured
    assert f"already there: {len(model)} files" in again
    assert re.fullmatch(r"s3://[a-z]+/" + PLACE, done.stdout.splitlines()[-1])
