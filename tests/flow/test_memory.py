"""`--memory` is a ceiling: resident memory and the kernel's socket buffers together stay below it, whatever is poured.

HFPOUR_BIG_BYTES sets how much the large repositories hold (512 MiB); a release check takes 4 GiB and more.
"""

import collections
import hashlib
import json
import os
import re
import subprocess
import threading

import pytest
from support import BUCKET, MIB, PART, Hub, Pourer, Store
from tls_support import TlsHub, TlsStore, make_ca, system_like

pytestmark = pytest.mark.own_size

BIG = int(os.environ.get("HFPOUR_BIG_BYTES", 512 * MIB))
SIXTEEN = BIG // 16
SMALL = {
    "me/many": [{"path": "part/{:05d}.json", "count": 20000, "size": 100, "seed": 10}],
    "me/most": [{"path": "part/{:06d}.json", "count": 100000, "size": 100, "seed": 11}],
    "me/endless": [{"path": "part/{:06d}.json", "count": 400000, "size": 100, "seed": 12}],
    "me/tiny": [{"path": "part/{:05d}.json", "count": 5000, "size": 100, "seed": 9}],
}
DEADLINE_S = max(120, BIG // MIB // 2)


class Sampler:
    """Adds up what a process holds: resident memory and the buffers of its sockets."""

    def __init__(self, pid):
        self.pid, self.peak, self.at_peak, self.samples, self.with_sockets = pid, 0, (0, 0), 0, 0
        self.receive_buffers = {}  # {peer: {size the kernel gave them: how many had it at a time, at most}}
        self.high_water = 0  # VmHWM; the ru_maxrss of wait4 would begin with what pytest itself had when it forked
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.ended.wait(0.05):
            resident = self.resident()
            if resident == 0:
                return
            sockets = self.sockets()
            self.samples += 1
            self.with_sockets += sockets > 0
            if resident + sockets > self.peak:
                self.peak, self.at_peak = resident + sockets, (resident, sockets)

    def resident(self):
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
                said = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status.read()))
        except OSError:
            said = {}
        self.high_water = max(self.high_water, int(said.get("VmHWM", 0)) * 1024)
        return int(said.get("VmRSS", 0)) * 1024

    def sockets(self):
        """Bytes the kernel charges the sockets with, received and to be sent (skmem r and w)."""
        said = subprocess.run(["ss", "-tmnpH"], capture_output=True, text=True, check=True).stdout
        total = 0
        sizes = collections.Counter()
        for entry in re.split(r"\n(?=\S)", said):
            if f"pid={self.pid}," not in entry:
                continue
            received = re.search(r"skmem:\(r(\d+),rb(\d+)", entry)
            sizes[entry.split()[4], int(received.group(2))] += 1
            queued = re.search(r"skmem:\([^)]*?\bw(\d+)", entry)
            total += int(received.group(1)) + int(queued.group(1))
        for (peer, size), count in sizes.items():
            known = self.receive_buffers.setdefault(peer, {})
            known[size] = max(known.get(size, 0), count)
        return total

    def stop(self):
        self.ended.set()
        self.thread.join()


def large_models(total):
    """`total` bytes, in sixteen files, in four and in one, and a quarter of it in one."""
    return {"me/sixteen": [{"path": "model-{:05d}.safetensors", "count": 16, "size": total // 16, "seed": 7}],
            "me/four": [{"path": "part-{}.safetensors", "count": 4, "size": total // 4, "seed": 6}],
            "me/one": [{"path": "one.safetensors", "size": total, "seed": 8}],
            "me/quarter": [{"path": "quarter.safetensors", "size": total // 4, "seed": 9}]}


def stand_ins(binary, folder, models, hub_options, store_options, hub_kind=Hub, store_kind=Store):
    """A Hub that makes its bytes up, a store, and the binary that knows both."""
    spec = folder / "spec.json"
    spec.write_text(json.dumps({"models": {name: {"files": files} for name, files in models.items()}}), encoding="utf-8")
    (folder / "root").mkdir()
    hub = hub_kind(folder / "root", "--virtual", spec, *hub_options)
    store = store_kind(*store_options)
    yield hub, store, Pourer(binary, hub, store)
    store.stop()
    hub.stop()


@pytest.fixture(scope="module")
def forgetful(binary, tmp_path_factory):
    """For few large files: the store keeps their sums only, the Hub computes their digests once."""
    folder = tmp_path_factory.mktemp("large")
    yield from stand_ins(binary, folder, large_models(BIG), ("--digest-cache", folder / "digests.json"), ("--keep", "none"))


@pytest.fixture(scope="module")
def encrypted(binary, tmp_path_factory):
    """The same over TLS on both legs, and what the program must be told to trust it."""
    folder = tmp_path_factory.mktemp("encrypted")
    make_ca(folder, "ca", server="IP:127.0.0.1")
    tls = ("--tls-cert", folder / "server.pem", "--tls-key", folder / "server.key")
    made = stand_ins(binary, folder, large_models(min(BIG, 1 << 30)), ("--digest-cache", folder / "digests.json", *tls),
                     ("--keep", "none", *tls), TlsHub, TlsStore)
    for servers in made:
        yield *servers, ("--ca-bundle", system_like(folder, "ca"))


@pytest.fixture(scope="module")
def keeping(binary, tmp_path_factory):
    """For many small files: the store keeps all, also a manifest of more than 1 MiB."""
    yield from stand_ins(binary, tmp_path_factory.mktemp("small"), SMALL, (), ())


@pytest.fixture
def large(forgetful):
    forgetful[1].reset()
    return forgetful


@pytest.fixture
def small(keeping):
    keeping[1].reset()
    return keeping


def pour_with(pour, repository, memory, *options):
    running = pour.start(f"hf://{repository}", f"s3://{BUCKET}/", "--memory", memory, "--json", *options)
    sampler = Sampler(running.process.pid)
    try:
        result = running.wait(DEADLINE_S)
    finally:
        sampler.stop()
    print("%s with %s: peak %.1f MiB resident, %.1f MiB with sockets %s, %.1f s, %d samples" % (
        repository, memory, sampler.high_water / MIB, sampler.peak / MIB, [round(part / MIB, 1) for part in sampler.at_peak],
        result.seconds, sampler.samples))
    return result, sampler


def large_windows_are_granted():
    with open("/proc/sys/net/core/rmem_max", encoding="ascii") as limit:
        return int(limit.read()) >= MIB


def check_etags(store, repository, count):
    """Every object is there, and its ETag is what the parts' MD5s in the store and the manifest's record say."""
    manifest = store.manifest(repository + "/")
    assert manifest["complete"] is True and len(manifest["files"]) == count
    objects = {entry["key"]: entry for entry in store.admin("state?sha256=0")["objects"]}
    for entry in manifest["files"]:
        there = objects[f"{repository}/{entry['path']}"]
        assert there["size"] == entry["size"] and there["etag"].strip('"') == entry["etag"], entry["path"]


def virtual_etag(hub, repository, path, size, part=PART):
    """The ETag of what the Hub has, computed from its bytes and nothing else."""
    import http.client
    import urllib.parse
    parts = urllib.parse.urlsplit(hub.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.request("GET", f"/{repository}/resolve/main/{path}")
    answer = connection.getresponse()
    answer.read()
    place = urllib.parse.urlsplit(answer.getheader("Location"))
    connection.close()
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
    connection.request("GET", place.path + "?" + place.query)
    answer = connection.getresponse()
    assert answer.status in (200, 206)
    sums = []
    while size > 0:
        piece, left = hashlib.md5(), min(part, size)
        size -= left
        while left > 0:
            block = answer.read(min(left, MIB))
            assert block
            piece.update(block)
            left -= len(block)
        sums.append(piece.digest())
    connection.close()
    return "%s-%d" % (hashlib.md5(b"".join(sums)).hexdigest(), len(sums))


@pytest.mark.parametrize("memory", [64, 128])
@pytest.mark.parametrize("repository, count", [("me/sixteen", 16), ("me/one", 1)])
@pytest.mark.row("hub F.11.41", "s3 8.14")
def test_memory_stays_below_the_ceiling(large, repository, count, memory):
    hub, store, pour = large
    result, sampler = pour_with(pour, repository, f"{memory}Mi")
    assert result.exit == 0, result.stderr
    check_etags(store, repository, count)
    path, size = ("one.safetensors", BIG) if count == 1 else ("model-00003.safetensors", SIXTEEN)
    objects = {entry["key"]: entry for entry in store.admin("state?sha256=0")["objects"]}
    assert objects[f"{repository}/{path}"]["etag"].strip('"') == virtual_etag(hub, repository, path, size)
    assert store.uploads() == []
    assert sampler.samples > 5 and sampler.with_sockets > 0, "the sampler saw nothing"
    assert sampler.high_water <= memory * MIB, sampler.high_water / MIB
    assert sampler.peak <= memory * MIB, [part / MIB for part in sampler.at_peak]


def test_the_kernel_does_not_let_the_buffers_of_downloads_grow(large):
    """Its own tuning does, file after file on the same connection, wherever the cores are the limit."""
    hub, store, pour = large
    result, sampler = pour_with(pour, "me/sixteen", "256Mi")
    assert result.exit == 0, result.stderr
    buffers = sampler.receive_buffers[hub.cdn.split("//")[1]]
    if large_windows_are_granted():
        assert set(buffers) == {2 * MIB}, "twice the window of 1 MiB, which all have room for"
    else:
        assert max(buffers) <= 16 * MIB, "tuning is ended when the buffer has become large"


@pytest.mark.parametrize("memory, wide", [(96, 0), (256, 8)])
def test_the_first_streams_of_few_large_files_get_wide_windows(large, memory, wide):
    hub, store, pour = large
    result, sampler = pour_with(pour, "me/four", f"{memory}Mi", "--lanes", 32)
    assert result.exit == 0, result.stderr
    buffers = sampler.receive_buffers[hub.cdn.split("//")[1]]
    assert buffers.get(2 * MIB, 0) == (wide if large_windows_are_granted() else 0), buffers
    assert 1 <= sum(count for size, count in buffers.items() if size <= MIB) <= 32 - wide, buffers


def test_with_tls_there_are_no_wide_windows(encrypted):
    hub, store, pour, trust = encrypted
    store.reset()
    result, sampler = pour_with(pour, "me/one", "256Mi", *trust)
    assert result.exit == 0, result.stderr
    assert max(sampler.receive_buffers[hub.cdn.split("//")[1]]) <= MIB


@pytest.mark.parametrize("memory", [64, 256])
@pytest.mark.parametrize("repository, count", [("me/sixteen", 16), ("me/one", 1)])
def test_memory_with_tls_on_both_legs(encrypted, repository, count, memory):
    """A TLS connection holds buffers of its own, beyond what the sockets' are, but no copy of all trusted certificates."""
    _, store, pour, trust = encrypted
    store.reset()
    result, sampler = pour_with(pour, repository, f"{memory}Mi", *trust)
    assert result.exit == 0, result.stderr
    check_etags(store, repository, count)
    assert sampler.samples > 5 and sampler.with_sockets > 0, "the sampler saw nothing"
    assert sampler.high_water <= memory * MIB, sampler.high_water / MIB
    assert sampler.peak <= memory * MIB, [part / MIB for part in sampler.at_peak]


def test_memory_of_the_longest_listing(small):
    """A hundred thousand files, the most the Hub recommends for one repository, with the default ceiling."""
    _, store, pour = small
    result, sampler = pour_with(pour, "me/most", "256Mi", "--dry-run")
    assert result.exit == 0 and result.json()["files"] == 100_000, result.stderr
    assert sampler.samples > 5 and sampler.high_water > 15 * MIB, "the sampler saw nothing"
    assert sampler.high_water <= 256 * MIB, sampler.high_water / MIB


@pytest.mark.row("hub F.11.41")
def test_a_listing_that_does_not_fit_is_not_read_to_its_end(small):
    hub, _, pour = small
    result, sampler = pour_with(pour, "me/endless", "64Mi", "--dry-run")
    assert result.exit == 2 and "too much for --memory" in result.stderr, result.stderr
    assert sampler.high_water <= 64 * MIB, sampler.high_water / MIB


@pytest.mark.row("hub F.11.41")
def test_memory_of_many_tiny_files(small):
    _, store, pour = small
    result, sampler = pour_with(pour, "me/tiny", "64Mi")
    assert result.exit == 0, result.stderr
    check_etags(store, "me/tiny", 5000)
    assert store.uploads() == []
    assert sampler.high_water <= 64 * MIB, sampler.high_water / MIB
    assert sampler.peak <= 64 * MIB, [part / MIB for part in sampler.at_peak]


def test_memory_of_as_many_files_as_the_ceiling_allows(small):
    """What is kept of each file, in the job, the ledger and the checkpoint's text, is in the plan."""
    _, store, pour = small
    refused, _ = pour_with(pour, "me/many", "32Mi", "--dry-run")
    least = int(re.search(r"give at least (\d+) MiB", refused.stderr).group(1)) + 4  # the listing may lie a little differently
    result, sampler = pour_with(pour, "me/many", f"{least}Mi")
    assert result.exit == 0, result.stderr
    assert len(store.manifest("me/many/")["files"]) == 20_000
    assert sampler.high_water <= least * MIB, sampler.high_water / MIB
    assert sampler.peak <= least * MIB, [part / MIB for part in sampler.at_peak]


def test_memory_of_a_second_look_at_many_tiny_files(small):
    """Listing, manifest and nothing to do."""
    _, store, pour = small
    assert pour_with(pour, "me/tiny", "64Mi")[0].exit == 0
    result, sampler = pour_with(pour, "me/tiny", "64Mi")
    assert result.exit == 0 and result.json()["status"] == "present", result.stderr
    assert sampler.high_water <= 64 * MIB, sampler.high_water / MIB


@pytest.mark.parametrize("memory", [32, 40, 48])
def test_memory_that_is_scarce_works_or_is_refused_with_the_arithmetic(large, memory):
    _, store, pour = large
    result, sampler = pour_with(pour, "me/quarter", f"{memory}Mi")
    if result.exit == 2:
        assert re.search(r"--memory \S+ \S+ is too little: .* \+ .* = .*; give at least \d+ MiB", result.stderr), result.stderr
        assert store.journal() == [] and store.uploads() == []
        return
    assert result.exit == 0, result.stderr
    check_etags(store, "me/quarter", 1)
    assert sampler.high_water <= memory * MIB, sampler.high_water / MIB
    assert sampler.peak <= memory * MIB, [part / MIB for part in sampler.at_peak]


def test_memory_that_is_too_little_is_refused_with_the_arithmetic(small):
    """The listing of 20,000 files alone takes more than the least that may be given."""
    _, store, pour = small
    refused, sampler = pour_with(pour, "me/many", "32Mi", "--dry-run")
    assert refused.exit == 2, refused.stderr
    last = refused.stderr.splitlines()[-1]
    said = re.search(r"--memory (\S+ \S+) is too little: (.+) in use .* \+ (.+) reserve \+ (.+) for one lane = (.+); "
                     r"give at least (\d+) MiB", last)
    assert said, refused.stderr
    amounts = [float(text.split()[0]) * (1 if text.endswith("MiB") else 1 / 1024) for text in said.groups()[1:5]]
    assert abs(sum(amounts[:3]) - amounts[3]) < 0.2, last
    assert store.journal() == [] and store.uploads() == []
    # What it names is enough; the listing may lie a little differently in memory the next time.
    enough, _ = pour_with(pour, "me/many", f"{int(said.group(6)) + 4}Mi", "--dry-run")
    assert enough.exit == 0, enough.stderr
