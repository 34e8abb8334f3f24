"""What OpenSSL has read ahead, and the kernel no longer knows of, is fetched; and the kernel is asked less often for it."""

import re
import shutil
import subprocess

import pytest
from support import BUCKET, MIB, Pourer, data
from test_pour import check_bucket
from tls_support import TlsHub, TlsStore, make_ca

FILES = {"one.bin": data(12 * MIB + 5, 1), "two.bin": data(9 * MIB, 2), "small.bin": data(70 * 1024, 3), "config.json": b"{}"}


@pytest.fixture(scope="module")
def encrypted(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make_ca(folder, "ca", server="IP:127.0.0.1")
    (folder / "files").mkdir()
    tls = "--tls-cert", folder / "server.pem", "--tls-key", folder / "server.key"
    hub, store = TlsHub(folder / "files", *tls), TlsStore(*tls)
    hub.repo("me/model", FILES, {"lfs": ["*.bin"]})
    yield hub, store, Pourer(binary, hub, store), folder / "ca.pem"
    hub.stop()
    store.stop()


@pytest.fixture
def place(encrypted):
    encrypted[1].reset()
    return encrypted


@pytest.mark.parametrize("memory", ["32Mi", "256Mi"])
def test_downloads_that_were_paused_go_on_with_what_was_read_ahead(place, memory):
    _, store, pour, authority = place
    store.fault("slow", op="UploadPart", rate=8 * MIB, count=-1)
    result = pour("hf://me/model", f"s3://{BUCKET}/p/", "--ca-bundle", authority, "--memory", memory)
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/model/", FILES)
    assert "0 retries" in result.stderr


@pytest.mark.own_size
def test_the_kernel_is_not_asked_for_each_record(place, tmp_path):
    """Without reading ahead that is twice for each 16 KiB."""
    _, _, pour, authority = place
    assert shutil.which("strace"), "strace is needed (Debian package strace)"
    log = tmp_path / "calls"
    done = subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=recvfrom", pour.binary, "hf://me/model", f"s3://{BUCKET}/p/",
                           "--ca-bundle", authority, "--include", "*.bin"], env=pour.environment(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    got = [int(number) for number in re.findall(r"= (\d+)$", log.read_text(), re.MULTILINE)]
    moved = sum(map(len, FILES.values()))
    assert sum(got) > moved
    assert len(got) < moved / (16 * 1024), f"{len(got)} for {moved} B"
