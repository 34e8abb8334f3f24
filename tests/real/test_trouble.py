"""The gateway is frozen, or told to put requests off; the Hub dies and comes back: the pour goes on and the bytes are right."""

import contextlib
import os
import pathlib
import signal
import urllib.parse

import lane
from lane import MIB, assert_holds, ended, until

REPO = "virtual/large"
NEW_CEPH = bool(os.environ.get("CEPH_SUITE"))


@contextlib.contextmanager
def frozen(gateway):
    """radosgw does nothing, and its connections stay open."""
    pids = [int(folder.name) for folder in pathlib.Path("/proc").glob("[0-9]*") if is_gateway(command(folder), gateway)]
    assert len(pids) == 1, pids
    os.kill(pids[0], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pids[0], signal.SIGCONT)


def is_gateway(words, gateway):
    """A Ceph of another release is started by a loader of its own, which is then the first word."""
    return any(word.endswith("radosgw") for word in words) and str(gateway.state) in " ".join(words)


def command(folder):
    try:
        return (folder / "cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def begin(pour, hub, bucket, prefix, *more):
    """A run that has poured 40 MiB of 257."""
    hub.admin("settings", {"cdn_rate": 24 * MIB})
    run = pour.start(f"hf://{REPO}", f"s3://{bucket.name}/{prefix}", "--lanes", "4", *more)
    until(lambda: ended(run) or bucket.stored_parts() >= 40 * MIB, "40 MiB in the store")
    assert not ended(run), run.wait()
    return run


def check_end(run, hub, bucket, prefix):
    outcome = run.wait()
    assert outcome.exit == 0, outcome
    assert_holds(bucket, f"{prefix}{REPO}/", hub.content(REPO))


def received(hub):
    return sum(hub.counters()["bytes"].values())


def test_gateway_frozen_for_a_while(pour, bucket, hub, gateway, prefix):
    run = begin(pour, hub, bucket, prefix, "--memory", "64Mi")
    with frozen(gateway):
        seen = [received(hub)]

        def stands():
            seen.append(received(hub))
            return len(seen) > 200 and seen[-1] == seen[-200]
        until(stands, "the download to stop, as the memory is full")
        assert not ended(run), run.wait()
    check_end(run, hub, bucket, prefix)


def test_gateway_frozen_until_the_deadline(pour, bucket, hub, gateway, prefix):
    run = begin(pour, hub, bucket, prefix, "--deadline", "6s")
    with frozen(gateway):
        outcome = run.wait()
    assert outcome.exit == 10, outcome
    assert outcome.seconds < 16, outcome
    before = received(hub)
    # What the last checkpoint noted is gone on with, although the end of the run could not be noted any more.
    check_end(pour.start(f"hf://{REPO}", f"s3://{bucket.name}/{prefix}", "--gc-after", "0s"), hub, bucket, prefix)
    assert before >= 40 * MIB


def test_hub_killed_and_started_again(bucket, gateway, prefix, tmp_path):
    first = lane.Hub(tmp_path)
    ports = [urllib.parse.urlsplit(url).port for url in (first.url, first.cdn)]
    pour = lane.Pourer(first, gateway)
    second = None
    try:
        run = begin(pour, first, bucket, prefix)
        first.process.kill()
        first.process.wait(timeout=10)
        second = lane.Hub(tmp_path, "--port", str(ports[0]), "--cdn-port", str(ports[1]))
        outcome = run.wait()
        assert outcome.exit == 0, outcome
        assert outcome.json()["retries"] > 0, "nothing was under way when the Hub died"
        assert_holds(bucket, f"{prefix}{REPO}/", second.content(REPO))
    finally:
        pour.end()
        for server in filter(None, (first, second)):
            server.stop()


if NEW_CEPH:  # older gateways cannot be told to
    def test_gateway_that_puts_requests_off(pour, bucket, hub, gateway, prefix):
        gateway.admin("ratelimit", "set", "--ratelimit-scope=bucket", f"--bucket={bucket.name}", "--max-write-ops=60")
        gateway.admin("ratelimit", "enable", "--ratelimit-scope=bucket", f"--bucket={bucket.name}")
        try:
            outcome = pour(f"hf://{REPO}", f"s3://{bucket.name}/{prefix}", "--lanes", "8", "--part-size", "5Mi")
        finally:
            gateway.admin("ratelimit", "disable", "--ratelimit-scope=bucket", f"--bucket={bucket.name}")
        assert outcome.exit == 0, outcome
        assert "SlowDown" in outcome.stderr and "asked to slow down" in outcome.stderr, outcome
        assert_holds(bucket, f"{prefix}{REPO}/", hub.content(REPO))
