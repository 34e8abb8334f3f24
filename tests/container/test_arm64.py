"""The image for arm64: cross-compiled here, run under qemu. Debian: qemu-user-static binfmt-support."""

import pathlib
import subprocess

import lane
import pytest
from conftest import MOST_BYTES
from machine import CONFINED, run

DEMO = "demo/tiny-ocr"
BINFMT = pathlib.Path("/proc/sys/fs/binfmt_misc")


@pytest.fixture(scope="module")
def emulation():
    """Makes the kernel start arm64 programs with qemu, if it does not yet; taken back afterwards."""
    mounted = enabled = False
    if not (BINFMT / "register").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
        mounted = True
    if not (BINFMT / "qemu-aarch64").exists():
        run("update-binfmts", "--enable", "qemu-aarch64")
        enabled = True
    yield
    if enabled:
        subprocess.run(["update-binfmts", "--disable", "qemu-aarch64"], check=False)
    if mounted:
        subprocess.run(["umount", BINFMT], check=False)


@pytest.fixture(scope="session")
def engine(builds):
    """Where the image for arm64 is."""
    engine, said = builds["arm64"]
    assert engine.native == "amd64", "on another machine this test would be one of amd64"
    said.result()
    return engine


@pytest.fixture(scope="session")
def arm64(engine):
    return "localhost/hfpour:arm64"


def test_every_program_and_library_is_of_the_right_machine(engine, arm64, tmp_path):
    facts = engine.inspect(arm64)
    assert (facts["Architecture"], facts["Os"], facts["Config"]["User"]) == ("arm64", "linux", "1000:1000")
    assert facts["Size"] <= MOST_BYTES
    root = engine.unpack(arm64, tmp_path / "root")
    found = {path for path in root.rglob("*") if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"}
    assert len(found) > 20
    for path in found:
        assert path.read_bytes()[18:20] == b"\xb7\x00", path  # e_machine: AArch64


def test_it_pours_under_qemu(engine, emulation, arm64, hub, bucket, settings):
    words = [word for name, value in {**settings, "MODEL_NAME": DEMO}.items() for word in ("--env", f"{name}={value}")]
    done = engine.podman("run", "--rm", "--platform", "linux/arm64", *CONFINED, *words, arm64, check=False)
    assert done.returncode == 0, done.stderr
    place = f"models/{DEMO}/"
    assert done.stdout == f"s3://{bucket.name}/{place}\n"
    for path, data in hub.content(DEMO).items():
        assert lane.digest(bucket.get(place + path)) == lane.digest(data), path
    assert bucket.manifest(place)["complete"] is True
