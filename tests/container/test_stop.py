"""A Pod that is stopped in mid-pour: the program is PID 1, gets SIGTERM, ends in time and in order, and the next Pod goes on.

podman knows no termination message, so the file that a kubelet lays at /dev/termination-log is mounted.
"""

import hashlib
import json
import os
import time

import lane
import pytest
from conftest import TEN_TIMES
from lane import STATE
from machine import CONFINED, MIB

NAME = "hfpour-stopped"
PLACE = f"models/{TEN_TIMES}/"
GRACE_S = 10
STREAM_RATE = 8 * MIB  # bytes a second: with a stream for each of the 11 files the pour lasts half a minute
STORED_AT_STOP = 0.4  # of the model: a second run that began anew would fetch 1.4 of it in all
MOST_FETCHED = 1.25


class Container:
    """The image, confined and limited as in a Pod; `begin` starts a new one in the place of the one before."""

    def __init__(self, machine, image, settings, message):
        self.machine, self.image, self.settings, self.message = machine, image, settings, message
        message.touch()
        message.chmod(0o666)  # as a kubelet leaves it

    def begin(self):
        self.remove()
        words = [word for name, value in self.settings.items() for word in ("--env", f"{name}={value}")]
        self.machine.podman("run", "--detach", "--name", NAME, *CONFINED, "--memory", "256m", "--memory-swap", "256m",
                            "--volume", f"{self.message}:/dev/termination-log", *words, self.image)

    def state(self):
        return json.loads(self.machine.podman("inspect", NAME).stdout)[0]["State"]

    def stop(self):
        """As a kubelet ends a Pod; gives the seconds it took."""
        begun = time.monotonic()
        self.machine.podman("stop", "--time", GRACE_S, NAME)
        return time.monotonic() - begun

    def wait(self):
        return int(self.machine.podman("wait", NAME, timeout=900).stdout)

    def log(self):
        return self.machine.podman("logs", NAME).stderr[-4000:]

    def last_words(self):
        return json.loads(self.message.read_text())

    def remove(self):
        self.machine.podman("rm", "--force", "--ignore", "--time", "0", NAME)


@pytest.fixture
def container(machine, image, settings, tmp_path):
    made = Container(machine, image, {**settings, "MODEL_NAME": TEN_TIMES}, tmp_path / "termination-log")
    yield made
    made.remove()


def is_the_program_as_pid_1(pid):
    """Whether hfpour itself is the first process of its PID namespace, where a signal without a handler does nothing."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        said = dict(line.split(":", 1) for line in status)
    return said["Name"].strip() == "hfpour" and said["NSpid"].split()[-1] == "1"


def stored(bucket):
    """Bytes below the model's place, those in the parts of open uploads with them; 0 while no upload has a part."""
    parts = bucket.stored_parts()
    return parts and parts + sum(entry["Size"] for entry in bucket.list(PLACE).values())


def pour_and_stop(container, bucket, wanted):
    """Stops it when so many bytes are in the store; gives the seconds it took."""
    container.begin()
    pid = container.state()["Pid"]
    lane.until(lambda: not os.path.exists(f"/proc/{pid}") or stored(bucket) >= wanted, f"{wanted} bytes in the store", 120)
    assert container.state()["Status"] == "running", container.log()
    assert is_the_program_as_pid_1(pid)
    return container.stop()


def check_what_a_stop_leaves(bucket, files):
    """Every object is whole, and each open upload is in the checkpoint; gives the paths that were not finished."""
    listed = bucket.list(PLACE)
    assert PLACE + STATE + "checkpoint.json" in listed and PLACE + STATE + "manifest.json" not in listed, sorted(listed)
    models = {key.removeprefix(PLACE): entry["Size"] for key, entry in listed.items() if not key.startswith(PLACE + STATE)}
    assert models == {path: files[path]["size"] for path in models}
    unfinished = json.loads(bucket.get(PLACE + STATE + "checkpoint.json"))["unfinished"]
    uploads = bucket.uploads()
    assert uploads and set(uploads) <= {(PLACE + one["path"], one["upload"]) for one in unfinished}
    return [one["path"] for one in unfinished]


def check_the_model(bucket, files, read_back):
    """All of it is there and nothing besides; one file is read back whole."""
    sizes = {key: entry["Size"] for key, entry in bucket.list(PLACE).items()}
    sizes.pop(PLACE + STATE + "manifest.json")
    assert sizes == {PLACE + path: entry["size"] for path, entry in files.items()}
    assert bucket.manifest(PLACE)["complete"] is True
    assert bucket.uploads() == []
    body, digest = bucket.s3.get_object(Bucket=bucket.name, Key=PLACE + read_back)["Body"], hashlib.sha256()
    for block in body.iter_chunks(MIB):
        digest.update(block)
    assert "sha256:" + digest.hexdigest() == lane.hub_hash(files[read_back])


def test_a_stopped_pour_ends_in_order_and_the_next_one_goes_on(container, hub, bucket):
    files = hub.files(TEN_TIMES)
    model = sum(entry["size"] for entry in files.values())
    hub.admin("settings", {"cdn_rate": STREAM_RATE})
    seconds = pour_and_stop(container, bucket, STORED_AT_STOP * model)
    assert container.wait() == 143, container.log()
    assert seconds < GRACE_S, container.log()
    last = container.last_words()
    assert (last["code"], last["retryable"]) == (143, True), last
    unfinished = check_what_a_stop_leaves(bucket, files)

    hub.admin("settings", {"cdn_rate": 0})
    container.begin()
    assert container.wait() == 0, container.log()
    assert container.last_words()["code"] == 0
    check_the_model(bucket, files, unfinished[0])
    fetched = sum(hub.counters()["bytes"].values())
    print(f"stopped in {seconds:.2f} s with {len(unfinished)} files unfinished; {fetched / model:.3f} of the model was fetched")
    assert fetched <= MOST_FETCHED * model
