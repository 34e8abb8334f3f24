"""What happens at the two ends of a pipeline: readers that leave or are slow, signals, odd descriptors."""

import fcntl
import os
import pty
import signal
import socket
import subprocess
import threading
import tty

import pytest
from pipe_support import SIGNALS, Piper, end_with, finished, pipe  # noqa: F401
from store_support import own
from support import BUCKET, MIB, PART, data, wait_until

URI = f"s3://{BUCKET}/in/a.bin"
BIG = data(60 * MIB + 3, 61)
FILES = {"big.bin": BIG, "config.json": b'{"a": 1}\n'}
OUT = pytest.mark.parametrize("words", [("cat", "hf://me/model/big.bin"), ("tar", "hf://me/model")], ids=["cat", "tar"])


@pytest.fixture
def model(hub):
    hub.repo("me/model", FILES)
    return hub


# --- the reader leaves


@OUT
@pytest.mark.parametrize("head", [0, 10, 3 * MIB])
def test_a_reader_that_leaves_ends_it_quietly_with_141(model, pipe, words, head):
    result = pipe.shell(f'hfpour "$@" | head -c {head} | wc -c; echo ${{PIPESTATUS[@]}}', *words).check(0)
    assert (result.stdout.split(), result.stderr) == ([str(head).encode(), b"141", b"0", b"0"], "")


@OUT
def test_a_reader_that_leaves_while_the_run_waits_for_it(model, pipe, words):
    """As with a pager that is quit: the write that hangs ends at once."""
    process = pipe.start(*words)
    process.stdout.read(MIB)
    process.stdout.close()
    process.stdout = None
    process.wait(timeout=10)
    assert (process.returncode, process.stderr.read()) == (141, b"")


def test_pipefail_makes_it_known(model, pipe):
    assert pipe.shell("set -o pipefail; hfpour cat hf://me/model/big.bin | head -c 1").exit == 141
    assert pipe.shell("set -o pipefail; hfpour cat hf://me/model/big.bin | wc -c").exit == 0


@pytest.mark.parametrize("shell, status, said", [
    (">/dev/full", 8, "stdout cannot be written: No space left on device"), (">&-", 2, "stdout cannot be written"),
    ("1</dev/null", 2, "stdout cannot be written")])
@OUT
def test_an_output_that_cannot_be_written(model, pipe, words, shell, status, said):
    pipe.shell(f'hfpour "$@" {shell}', *words).check(status, said)


def test_the_address_of_put_that_nobody_gets(store, pipe):
    assert pipe.shell(f"echo x | hfpour put - {URI} >/dev/full").exit == 1
    assert store.body("in/a.bin") == b"x\n"


# --- signals


@SIGNALS
@OUT
def test_a_signal_while_the_reader_sleeps(model, pipe, words, number, status):
    """The write hangs in a full pipe that nobody reads."""
    process = pipe.start(*words)
    assert process.stdout.read(1)
    end_with(process, number).check(status)


@SIGNALS
@OUT
def test_a_signal_while_the_hub_sleeps(model, pipe, words, number, status):
    model.fault("stall", path="big.bin", at_offset=1000, count=-1)
    process = pipe.start(*words)
    wait_until(lambda: model.counters()["bytes_by_listener"]["cdn"] > 0)
    result = end_with(process, number).check(status)
    assert len(result.stdout) < len(BIG)


@SIGNALS
def test_a_signal_while_put_waits_for_its_input(store, pipe, number, status):
    process = pipe.start("put", "-", URI)
    process.stdin.write(BIG[:3 * PART + 5])
    process.stdin.flush()
    wait_until(lambda: store.counters()["requests"].get("UploadPart", 0) == 3)
    result = end_with(process, number).check(status)
    assert result.stdout == b""
    assert (store.objects(), store.uploads(), store.journal()) == ({}, [], [])


@SIGNALS
def test_a_signal_while_the_store_sleeps(store, pipe, number, status):
    store.fault("stall", op="UploadPart", at="body", bytes=1000, count=-1)
    process = pipe.start("put", "-", URI)
    process.stdin.write(BIG[:4 * PART])
    process.stdin.flush()
    assert store.admin("wait?event=stalled&op=UploadPart&count=1&timeout_s=20")["ok"]
    end_with(process, number).check(status)
    store.admin("release", {})
    assert (store.objects(), store.journal()) == ({}, [])
    wait_until(lambda: store.uploads() == [])


@SIGNALS
def test_a_signal_while_an_upload_is_being_created(store, pipe, number, status):
    """Its id is waited for: an upload that nobody knows would stay in the bucket for ever."""
    store.fault("stall", op="CreateMultipartUpload", at="after", then="continue")
    process = pipe.start("put", "-", URI)
    process.stdin.write(BIG[:2 * PART])
    process.stdin.flush()
    assert store.admin("wait?event=stalled&op=CreateMultipartUpload&count=1&timeout_s=20")["ok"]
    process.send_signal(number)
    wait_until(lambda: "0000000000000000" in [line.split()[1] for line in open(f"/proc/{process.pid}/status", encoding="ascii")
                                              if line.startswith("ShdPnd")])  # it has been received
    store.admin("release", {})
    assert process.wait(timeout=10) == status, process.stderr.read()
    assert (store.objects(), store.uploads(), store.journal()) == ({}, [], [])


@pytest.mark.parametrize("delay", [0, 1])
def test_a_signal_before_the_first_byte(store, pipe, delay):
    process = pipe.start("put", "-", URI)
    if delay:
        process.stdin.write(b"x")
        process.stdin.flush()
    wait_until(lambda: "SigQ" in open(f"/proc/{process.pid}/status", encoding="ascii").read()
               and len(os.listdir(f"/proc/{process.pid}/task")) > 1)  # its reading thread is there
    end_with(process, signal.SIGTERM).check(143)
    assert store.journal() == []


@SIGNALS
def test_a_signal_in_a_pipeline_of_both(model, store, pipe, number, status):
    """A terminal's Ctrl-C, or a Job's SIGTERM, reaches every program of the pipeline."""
    model.fault("stall", path="big.bin", at_offset=30 * MIB, count=-1)
    process = subprocess.Popen(
        ["bash", "-c", f'trap "" INT TERM; {pipe.binary} cat hf://me/model/big.bin | {pipe.binary} put - {URI}; '
         'echo ${PIPESTATUS[@]}'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=pipe.pour.environment(),
        start_new_session=True)
    wait_until(lambda: store.counters()["requests"].get("UploadPart", 0) >= 1)
    os.killpg(process.pid, number)
    stdout, stderr = process.communicate(timeout=20)
    assert stdout.split() == [str(status).encode()] * 2, stderr
    assert (store.objects(), store.uploads(), store.journal()) == ({}, [], [])


# --- pauses that are ours: SLOW, as long as the limits for the other side's silence, 60 s for the Hub, 120 s for stores


def reads_after(seconds, process, seen):
    """Reads a little, nothing for so long, and then the rest. No synchronisation: the time itself is what is tested."""
    got = process.stdout.read(MIB)
    threading.Event().wait(seconds)
    assert seen() < len(BIG) // 2, "the one request stands still in the middle"
    rest, stderr = process.communicate(timeout=60)
    return finished(process, got + rest, stderr)


@pytest.mark.slow
def test_a_pause_of_the_reader_is_no_silence_of_the_hub(model, pipe):
    process = pipe.start("cat", "hf://me/model/big.bin", "--lanes", 1)
    result = reads_after(75, process, lambda: model.counters()["bytes_by_listener"]["cdn"])
    after = model.counters()
    assert (result.exit, result.stdout == BIG, result.stderr) == (0, True, ""), result.stderr
    assert after["statuses"]["cdn"] == {"206": 1} and after["bytes"] == {"models/me/model/big.bin": len(BIG)}


@pytest.mark.slow
def test_a_pause_of_either_end_is_no_silence_of_the_store(binary, hub, store, pipe):
    """A producer that thinks, and a reader of a store that itself would wait for hours."""
    with own(binary, hub, "--idle-ms", 10_000_000) as (other, pour):
        Piper(pour)("put", "-", URI, stdin=BIG).check(0)
        reading = Piper(pour).start("cat", URI, "--lanes", 1)
        writing = pipe.start("put", "-", URI)
        writing.stdin.write(BIG[:3 * PART + 5])
        result = reads_after(135, reading, lambda: other.counters()["bytes_sent"])
        assert (result.exit, result.stdout == BIG, result.stderr) == (0, True, ""), result.stderr
        assert [entry["status"] for entry in other.counters()["log"] if entry["op"] == "GetObject"] == [206]
    assert store.counters()["requests"]["UploadPart"] == 3
    stdout, stderr = writing.communicate(BIG[3 * PART + 5:], timeout=60)
    assert (writing.returncode, stdout) == (0, URI.encode() + b"\n"), stderr
    assert b"retry" not in stderr and store.counters()["requests"]["UploadPart"] == -(-len(BIG) // PART)
    assert store.body("in/a.bin") == BIG


# --- what kind of descriptor


def flags_of(descriptor):
    return fcntl.fcntl(descriptor, fcntl.F_GETFL)


@pytest.mark.parametrize("nonblocking", [False, True])
@OUT
def test_the_flags_of_a_shared_pipe_stay_as_they_were(model, pipe, words, nonblocking):
    reading, writing = os.pipe()
    os.set_blocking(writing, not nonblocking)
    before = flags_of(writing)
    process = pipe.start(*words, stdout=writing)
    got = b""
    while not got:
        got = os.read(reading, 1)
    assert flags_of(writing) == before
    os.set_blocking(reading, True)
    with os.fdopen(reading, "rb") as stream:
        after = flags_of(writing)
        os.close(writing)
        got += stream.read()
    process.wait(timeout=30)
    assert (process.returncode, after) == (0, before), process.stderr.read()
    if words[0] == "cat":
        assert got == BIG


@pytest.mark.parametrize("nonblocking", [False, True])
def test_the_flags_of_a_shared_input_stay_as_they_were(store, pipe, nonblocking):
    reading, writing = os.pipe()
    os.set_blocking(reading, not nonblocking)
    before = flags_of(reading)
    process = pipe.start("put", "-", URI, stdin=reading)
    with os.fdopen(writing, "wb") as stream:
        stream.write(BIG)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, URI.encode() + b"\n"), stderr
    assert flags_of(reading) == before
    os.close(reading)
    assert store.body("in/a.bin") == BIG


def test_a_file_and_its_end(model, pipe, tmp_path):
    (tmp_path / "out").write_bytes(b"before")
    pipe.shell('cd "$1"; hfpour cat hf://me/model/big.bin >>out && hfpour cat hf://me/model/config.json >>out', tmp_path).check(0)
    assert (tmp_path / "out").read_bytes() == b"before" + BIG + FILES["config.json"]


def test_a_terminal(model, pipe):
    master, slave = pty.openpty()
    tty.setraw(slave)
    process = pipe.start("cat", "hf://me/model/config.json", stdout=slave)
    os.close(slave)
    assert os.read(master, 100) == FILES["config.json"]
    process.wait(timeout=20)
    os.close(master)
    assert finished(process, b"", process.stderr.read()).exit == 0


def test_a_socket(model, store, pipe):
    ours, theirs = socket.socketpair()
    process = pipe.start("cat", "hf://me/model/big.bin", stdout=theirs)
    theirs.close()
    got = b""
    while chunk := ours.recv(1 << 20):
        got += chunk
    process.wait(timeout=30)
    assert (process.returncode, got == BIG) == (0, True)


def test_a_fifo(model, store, pipe, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    pipe.shell('cd "$1"; set -e; hfpour cat hf://me/model/big.bin > fifo & hfpour put fifo ' + URI + "; wait $!", tmp_path).check(0)
    assert store.body("in/a.bin") == BIG
