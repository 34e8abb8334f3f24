"""The image under the limits of a Pod, pouring more than ten times its memory into Ceph."""

import hashlib
import os
import re
import socket
import stat

import lane
import pytest
from conftest import FORTY, ONE_FILE, TEN_TIMES, TEN_TIMES_BYTES
from machine import CONFINED, MIB, TREE, Account

LIMIT = 256 * MIB
LIMITED = ("--memory", "256m", "--memory-swap", "256m")


def pour(machine, image, account, settings, *arguments):
    """Gives (exit status, log, the kernel's account of it)."""
    words = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    name = account.name.strip("/")
    machine.podman("create", "--name", name, "--cgroup-parent", account.name, *CONFINED, *LIMITED, *words, image, *arguments)
    try:
        machine.podman("init", name)
        account.count_tcp()
        machine.podman("start", name)
        status = int(machine.podman("wait", name, timeout=900).stdout)
        return status, machine.podman("logs", name).stderr, account.peak()
    finally:
        machine.podman("rm", "--force", "--time", "0", name)


def test_ten_times_its_memory_goes_through(machine, image, hub, bucket, settings):
    assert TEN_TIMES_BYTES >= 10 * LIMIT
    with Account("pour") as account:
        status, log, (memory, tcp) = pour(machine, image, account, {**settings, "MODEL_NAME": TEN_TIMES}, "--json")
    print(f"memory {memory / MIB:.1f} MiB + TCP {tcp / MIB:.1f} MiB at the most")
    assert status == 0, log
    assert memory > 8 * MIB and (account.v2 or tcp > 0), "nothing was measured"
    assert memory + tcp <= LIMIT, (memory / MIB, tcp / MIB)
    place = f"models/{TEN_TIMES}/"
    listed = bucket.list(place)
    for path, entry in hub.files(TEN_TIMES).items():
        assert listed[place + path]["Size"] == entry["size"], path
    assert bucket.manifest(place)["complete"] is True
    # One of them read back whole, by somebody else.
    body, digest = bucket.s3.get_object(Bucket=bucket.name, Key=place + "w-07.safetensors")["Body"], hashlib.sha256()
    for block in body.iter_chunks(MIB):
        digest.update(block)
    assert "sha256:" + digest.hexdigest() == lane.hub_hash(hub.files(TEN_TIMES)["w-07.safetensors"])


def test_the_limit_bites(machine, image, hub, bucket, settings):
    """Told to take more than there is, as a setting of someone's who knows better: the kernel kills it."""
    greedy = {**settings, "MODEL_NAME": ONE_FILE, "HFPOUR_MEMORY": "2Gi", "HFPOUR_LANES": "12", "HFPOUR_PART_SIZE": "64Mi"}
    with Account("greedy") as account:
        status, log, (memory, _) = pour(machine, image, account, greedy)
    assert status == 137, (status, log[-2000:])
    assert memory > 0.95 * LIMIT, memory / MIB
    for key, upload in bucket.uploads():  # a killed run cannot drop them
        bucket.s3.abort_multipart_upload(Bucket=bucket.name, Key=key, UploadId=upload)


def test_the_table_of_sizes_is_what_the_program_says(machine, image, hub, bucket, settings):
    """container/README.md: memory limit, ceiling, streams side by side on either kind of kernel; of a run that only plans.

    How much of the program's own pages the kernel has mapped differs from run to run, by less than a stream takes.
    """
    text = (TREE / "container/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (\d+)Mi[^|]*\| \d+ MiB \| (\d+) \| (\d+) \|$", text)
    assert len(rows) == 4
    with open("/proc/sys/net/core/rmem_max", encoding="ascii") as setting:
        small = int(setting.read()) < 768 * 1024
    promised = [int(row[2 if small else 1]) for row in rows]
    words = [word for name, value in {**settings, "MODEL_NAME": FORTY}.items() for word in ("--env", f"{name}={value}")]
    found = []
    for limit, _, _ in rows:
        limited = ("--memory", limit + "m", "--memory-swap", limit + "m")
        done = machine.podman("run", "--rm", *CONFINED, *limited, *words, image, "--dry-run", check=False)
        said = re.search(r"; (\d+) lanes? of", done.stderr)
        assert said, done.stderr
        found.append(int(said[1]))
    assert all(abs(there - streams) <= 1 for there, streams in zip(found, promised)), (found, promised)
    assert bucket.list() == {}


@pytest.fixture
def silence():
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield "http://127.0.0.1:%d" % listening.getsockname()[1]


def writable_for_everyone(pid):
    """Mounts that are not read-only and whose top user 1000 may write to; the kernel's own file systems aside."""
    found = []
    with open(f"/proc/{pid}/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, place, kind, options = line.split()[:4]
            if kind in ("proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue") or "rw" not in options.split(","):
                continue
            facts = os.stat(f"/proc/{pid}/root{place}")
            special = stat.S_ISCHR(facts.st_mode)  # /dev/null and the like
            if not special and (facts.st_mode & 0o002 or facts.st_uid == 1000 or facts.st_gid == 1000):
                found.append(place)
    return found


def test_it_is_confined(machine, image, settings, silence):
    """What the kernel says of the process while it runs: no right, no other user, and nowhere to write."""
    name = "hfpour-confined"
    settings = {**settings, "HF_ENDPOINT": silence, "S3_ENDPOINT_URL": silence, "MODEL_NAME": "demo/tiny-ocr"}
    words = [word for key, value in settings.items() for word in ("--env", f"{key}={value}")]
    machine.podman("run", "--detach", "--name", name, *CONFINED, *LIMITED, *words, image)
    try:
        pid = machine.podman("inspect", "--format", "{{.State.Pid}}", name).stdout.strip()
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            said = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
        writable = writable_for_everyone(pid)
        changed = machine.podman("diff", name).stdout
    finally:
        machine.podman("rm", "--force", "--time", "0", name)
    assert said["Uid"].split() == ["1000"] * 4 and said["Gid"].split() == ["1000"] * 4
    assert {said[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert said["NoNewPrivs"] == "1" and said["Seccomp"] == "2"
    assert writable == []
    assert not [line for line in changed.splitlines() if line.startswith(("A /tmp", "A /var", "A /home"))], changed
