"""The container lane: the shipped image and the shipped manifests, run as a node would run them, into a real store.

    /usr/bin/python3 -m pytest tests/container        # as root; Debian: what scripts/test installs

Nothing is skipped: what cannot be built or run has failed.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import signal
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "real"), str(TESTS / "flow"), str(TESTS / "lint")]  # their verbs serve here as well

import lane  # noqa: E402
from machine import MIB, TREE, Machine  # noqa: E402
from lane_fixtures import gateway, hub, running_hub  # noqa: E402, F401 (fixtures)

TEN_TIMES = "virtual/ten-times"
TEN_TIMES_BYTES = 11 * 240 * MIB
ONE_FILE = "virtual/one-file"
FORTY = "virtual/forty"
GATED, GATED_TOKEN = "virtual/gated", "hf_ContainerLaneNeverToBeSeen"
MOST_BYTES = 25_000_000  # of an image, unpacked
RELEASE = ("--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=abc", "--build-arg", "SOURCE=https://example.org/hfpour",
           "--build-arg", "CREATED=2026-01-02T03:04:05Z")
lane.VIRTUAL["models"].update({
    TEN_TIMES: {"files": [{"path": "w-{:02d}.safetensors", "count": 11, "size": 240 * MIB, "seed": 30},
                          {"path": "config.json", "text": "{}\n"}]},
    ONE_FILE: {"files": [{"path": "w.safetensors", "size": 1024 * MIB, "seed": 32}]},
    FORTY: {"files": [{"path": "w-{:02d}.safetensors", "count": 40, "size": 240 * MIB, "seed": 100}]},
    GATED: {"gated": "auto", "token": GATED_TOKEN, "files": [
        {"path": "w.safetensors", "size": 20 * MIB, "seed": 31}, {"path": "config.json", "text": '{"gated": true}\n'}]},
})


def pytest_configure():
    """SIGTERM ends the tests as Ctrl-C does: neither gateway nor containers must outlive them."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


@pytest.fixture(scope="session")
def machine():
    assert os.getuid() == 0, "this lane wants root: cgroups and mounts"
    with Machine() as made:
        yield made


# What is built, by the fixture that asks for it: architecture (this machine's), tag, and how.
BUILDS = {"image": ("", "ci", RELEASE, "buildah"), "again": ("", "again", ("--no-cache", *RELEASE), "podman"),
          "arm64": ("arm64", "arm64", (), "buildah")}


@pytest.fixture(scope="session")
def builds(machine, request):
    """The images that the chosen tests want, all ended: for each its engine, and the builder's words or its failure.

    Each is built from nothing, in a storage of its own: builders of one storage spoil each other's cache. Side by side,
    since half of a build (packages, the last files) has work for one core only. Nothing that is measured goes on beside.
    """
    wanted = {name for test in request.session.items for name in test.fixturenames} & set(BUILDS)
    with contextlib.ExitStack() as opened, concurrent.futures.ThreadPoolExecutor(len(BUILDS)) as pool:
        engines = {name: machine if name == "image" else opened.enter_context(Machine(name)) for name in wanted}
        said = {name: pool.submit(build_one, engines[name], *BUILDS[name]) for name in wanted}
        concurrent.futures.wait(said.values())
        yield {name: (engines[name], said[name]) for name in wanted}


def build_one(engine, arch, tag, arguments, builder):
    return engine.build(arch or engine.native, tag, *arguments, builder=builder)


@pytest.fixture(scope="session")
def image(builds):
    """The image for this machine."""
    builds["image"][1].result()
    return "localhost/hfpour:ci"


@pytest.fixture
def bucket(gateway):
    """The bucket; at the end of each test no multipart upload may be open in it, and it is empty again."""
    found = lane.Bucket(gateway)
    yield found
    uploads = found.uploads()
    for key, upload in uploads:
        found.s3.abort_multipart_upload(Bucket=found.name, Key=key, UploadId=upload)
    for key in found.list():
        found.s3.delete_object(Bucket=found.name, Key=key)
    assert uploads == [], "an upload was left open"


@pytest.fixture
def settings(hub, gateway):
    """The environment of a pour, as the Pod has it."""
    return {"HF_ENDPOINT": hub.url, "S3_ENDPOINT_URL": gateway.url, "S3_BUCKET": gateway.bucket, **gateway.credentials}


@pytest.fixture(scope="session")
def tree():
    return TREE
