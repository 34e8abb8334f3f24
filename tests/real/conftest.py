"""The real-store lane: hfpour against a Ceph RADOS Gateway, read back with boto3 and libs3.

    HFPOUR_BINARY=… LIBS3_READ=… [CEPH_SUITE=trixie] /usr/bin/python3 -m pytest tests/real

Nothing is skipped: a missing program or a gateway that does not start is a failure. One gateway and one Hub serve all
tests, each test writes to a place of its own and leaves no open upload behind.
"""

import pathlib
import re
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "flow"))  # its verbs serve here as well

import lane  # noqa: E402
from lane_fixtures import gateway, hub, running_hub  # noqa: E402, F401 (fixtures)


def pytest_configure():
    """SIGTERM ends the tests as Ctrl-C does: the gateway must not outlive them."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


@pytest.fixture
def bucket(gateway):
    """The bucket; at the end of each test no multipart upload may be open in it."""
    found = lane.Bucket(gateway)
    assert found.uploads() == []
    yield found
    assert found.uploads() == [], "an upload was left open"


@pytest.fixture(scope="session")
def small_bucket(gateway):
    """Somebody else's, with a quota."""
    found = lane.Bucket(gateway, "small", gateway.small)
    found.s3.create_bucket(Bucket=found.name)
    return found


@pytest.fixture
def pour(hub, gateway):
    pourer = lane.Pourer(hub, gateway)
    yield pourer
    pourer.end()


@pytest.fixture
def prefix(request):
    """A prefix for this test alone."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-") + "/"
