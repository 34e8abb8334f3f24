"""The instructions lane: what the program costs, counted by valgrind's callgrind, since times are noisy.

    HFPOUR_BINARY=… /usr/bin/python3 -m pytest tests/instructions

The figures are those of a release build.
"""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "flow"))  # its verbs serve here as well


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("HFPOUR_BINARY")
    assert path and os.access(path, os.X_OK), "HFPOUR_BINARY must name the built program"
    return path
