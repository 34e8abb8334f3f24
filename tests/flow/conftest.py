"""Fixtures of the flow tests: one Hub and one store for the session, emptied before each test."""

import os
import shutil

import pytest
from support import Hub, Pourer, Store


def pytest_configure(config):
    config.addinivalue_line("markers", "row(name, ...): rows of tests/lint/fault_rows.json that the test proves")
    config.addinivalue_line("markers", "own_size: what it measures is another in a build with sanitizers or counters")
    config.addinivalue_line("markers", "slow: a minute and more of waiting, which is what it tests")


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("HFPOUR_BINARY")
    assert path and os.access(path, os.X_OK), "HFPOUR_BINARY must name the built program"
    return path


@pytest.fixture(scope="session")
def hub_session(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.stop()


@pytest.fixture(scope="session")
def store_session():
    store = Store()
    yield store
    store.stop()


@pytest.fixture
def hub(hub_session):
    for folder in hub_session.root.iterdir():
        shutil.rmtree(folder)
    hub_session.reset()
    return hub_session


@pytest.fixture
def store(store_session):
    store_session.reset()
    return store_session


@pytest.fixture
def pour(binary, hub, store):
    return Pourer(binary, hub, store)
