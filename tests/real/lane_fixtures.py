"""The servers of the real-store lane as fixtures, for each lane that needs them (a conftest.py imports them)."""

import lane
import pytest


@pytest.fixture(scope="session")
def gateway():
    with lane.Gateway() as running:
        yield running


@pytest.fixture(scope="session")
def running_hub(tmp_path_factory):
    running = lane.Hub(tmp_path_factory.mktemp("hub"))
    yield running
    running.stop()


@pytest.fixture
def hub(running_hub):
    running_hub.reset()
    yield running_hub
    running_hub.reset()
