"""The verbs of the pipe's tests: the binary with bytes at both ends, and whole pipelines in a shell."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

import pytest
from support import DEADLINE_S, FORBIDDEN


@dataclass
class Piped:
    exit: int
    stdout: bytes
    stderr: str

    def check(self, status, *pieces):
        """The status, and what stderr must say."""
        assert self.exit == status, (self.exit, self.stderr)
        for piece in pieces:
            assert piece in self.stderr, (piece, self.stderr)
        return self


def finished(process, stdout, stderr):
    text = stderr.decode("utf-8")
    for word in FORBIDDEN:
        assert word not in text, word
    return Piped(process.returncode, stdout, text)


class Piper:
    """The binary of a `Pourer`, used in a pipeline."""

    def __init__(self, pour):
        self.pour, self.binary = pour, pour.binary

    def __call__(self, *arguments, stdin=b"", env=None, timeout=DEADLINE_S):
        process = self.start(*arguments, env=env)
        stdout, stderr = process.communicate(stdin, timeout=timeout)
        return finished(process, stdout, stderr)

    def start(self, *arguments, env=None, stdin=subprocess.PIPE, stdout=subprocess.PIPE):
        # Unbuffered: what a test has read, and nothing more, has left the pipe.
        return subprocess.Popen([self.binary, *map(str, arguments)], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                                bufsize=0, env=self.pour.environment(**(env or {})))

    def shell(self, script, *arguments, timeout=DEADLINE_S, **env):
        """`script` in bash, where `hfpour` is the binary and $1, $2… are the arguments."""
        binary = os.path.dirname(os.path.abspath(self.binary))
        environment = self.pour.environment(**env)
        environment["PATH"] = binary + ":" + environment["PATH"]
        process = subprocess.Popen(["bash", "-c", script, "bash", *map(str, arguments)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        stdout, stderr = process.communicate(timeout=timeout)
        return finished(process, stdout, stderr)


@pytest.fixture
def pipe(pour):
    return Piper(pour)


def end_with(process, number, within=10):
    """Sends the signal to a run that must be gone soon; what it had written until then."""
    sent = time.monotonic()
    process.send_signal(number)
    guard = threading.Timer(within + 20, process.kill)
    guard.start()
    try:
        process.wait()
    finally:
        guard.cancel()
    took = time.monotonic() - sent
    if process.stdin:
        process.stdin.close()
        process.stdin = None
    stdout = process.stdout.read() if process.stdout else b""
    result = finished(process, stdout, process.stderr.read())
    assert took < within, (took, result.stderr)
    return result


SIGNALS = pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
