"""What OpenSSL has read ahead, and the kernel no longer knows of, is fetched; and the kernel is asked less often for it."""

import re
import shutil
import subprocess

import pytest
from support import BUCKET, MIB, Pourer, data
from test_pour import check_bucket
from tls_support import Splitter, TlsHub, TlsStore, make_ca

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


# With sanitizers the program alone needs more than 32 MiB.
@pytest.mark.parametrize("memory", [pytest.param("32Mi", marks=pytest.mark.own_size), "256Mi"])
def test_downloads_that_were_paused_go_on_with_what_was_read_ahead(place, memory):
    _, store, pour, authority = place
    store.fault("slow", op="UploadPart", rate=8 * MIB, count=-1)
    result = pour("hf://me/model", f"s3://{BUCKET}/p/", "--ca-bundle", authority, "--memory", memory)
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/model/", FILES)
    assert "0 retries" in result.stderr


def test_chunks_whose_lengths_come_in_records_of_their_own(binary, hub, store, tmp_path):
    """libcurl says nothing of a chunk's length, so nobody but TLS knows that the chunk may be in memory behind it."""
    make_ca(tmp_path, "ca", server="IP:127.0.0.1")
    model = {f"{name}.txt": b"one line\n" * 5000 for name in ("a", "b", "c")}  # not LFS: no redirect past the front
    hub.repo("me/model", model)
    fronts = [Splitter(tmp_path, "server", place.url) for place in (hub, store)]
    try:
        result = Pourer(binary, hub, store)("hf://me/model", f"s3://{BUCKET}/p/", "--ca-bundle", tmp_path / "ca.pem",
                                            env={"HF_ENDPOINT": fronts[0].url, "S3_ENDPOINT_URL": fronts[1].url})
        assert result.exit == 0, result.stderr
        check_bucket(store, "p/me/model/", model)
        assert "0 retries" in result.stderr
        assert [front.split >= 2 for front in fronts] == [True, True], "nothing was split"
    finally:
        for front in fronts:
            front.stop()


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
