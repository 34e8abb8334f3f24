"""What a person sees on a terminal, what a script gets, and that a broken stdout or stderr breaks nothing."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time

import pytest
from support import BUCKET, MIB, Result, data, look_for_secrets, wait_until
from test_pour import check_bucket

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
MODEL = {"config.json": b'{"a": 1}\n', "weights.safetensors": data(6 * MIB, 2), "more.safetensors": data(3 * MIB, 3)}
WIPE = "\r\x1b[K"
SIZE = r"[\d.]+ (B|KiB|MiB|GiB)"
BAR = re.compile(rf"\[=* *\] +\d+%  {SIZE} of {SIZE}  {SIZE}/s  ETA \S.*  \d+/\d+ files")


class Terminal:
    """A pseudo-terminal of a given width; what is written to it is kept."""

    def __init__(self, columns=120):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        flags = termios.tcgetattr(self.slave)
        flags[1] &= ~termios.ONLCR
        termios.tcsetattr(self.slave, termios.TCSANOW, flags)
        self.pieces = []
        self.reader = threading.Thread(target=self._read)

    def _read(self):
        while True:
            try:
                piece = os.read(self.master, 65536)
            except OSError:  # EIO: no one holds the other end any more
                return
            if not piece:
                return
            self.pieces.append(piece)

    def text(self):
        os.close(self.slave)
        self.reader.start()
        self.reader.join(timeout=20)
        os.close(self.master)
        return b"".join(self.pieces).decode()


def run_on_terminal(pour, *arguments, env=None, columns=120):
    """Runs with stderr on a terminal."""
    terminal = Terminal(columns)
    begun = time.monotonic()
    process = subprocess.Popen([pour.binary, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=terminal.slave, env=pour.environment(TERM="xterm", **(env or {})))
    answer = {}
    reader = threading.Thread(target=lambda: answer.update(text=process.stdout.read().decode()))
    reader.start()
    stderr = terminal.text()
    status = process.wait(timeout=60)
    reader.join()
    process.stdout.close()
    result = Result(status, answer["text"], stderr, time.monotonic() - begun)
    look_for_secrets(result)
    return result


def rows(text):
    """The lines that stay on the screen of a terminal that knows `\\r` and `ESC [ K`."""
    shown = []
    for line in text.split("\n"):
        row, cursor = "", 0
        for piece in re.split(r"(\r|\x1b\[K)", line):
            if piece == "\r":
                cursor = 0
            elif piece == "\x1b[K":
                row = row[:cursor]
            else:
                row = row[:cursor] + piece + row[cursor + len(piece):]
                cursor += len(piece)
        shown.append(row)
    return shown


@pytest.fixture
def slow(hub):
    """A model that takes two seconds or so, so that a bar is drawn."""
    hub.repo("me/model", MODEL, {"lfs": ["*.safetensors"]})
    before = hub.admin("settings")["cdn_rate"]
    hub.admin("settings", {"cdn_rate": 3 * MIB})
    yield hub
    hub.admin("settings", {"cdn_rate": before})


@pytest.fixture
def model(hub):
    hub.repo("me/model", MODEL, {"lfs": ["*.safetensors"]})
    return hub


def test_a_terminal_gets_a_live_bar(slow, store, pour):
    result = run_on_terminal(pour, SOURCE, DESTINATION)
    assert (result.exit, result.stdout) == (0, f"s3://{BUCKET}/{BASE}\n"), result.stderr
    drawn = BAR.findall(result.stderr)
    assert len(drawn) >= 3, repr(result.stderr)
    assert "9.0 MiB" in result.stderr and "/3 files" in result.stderr
    check_bucket(store, BASE, MODEL)


def test_the_bar_moves(slow, store, pour):
    result = run_on_terminal(pour, SOURCE, DESTINATION)
    bars = [piece.split("\n")[0] for piece in result.stderr.split(WIPE) if BAR.match(piece)]
    percents = [int(re.search(r"(\d+)%", bar).group(1)) for bar in bars]
    assert percents == sorted(percents) and percents[-1] > percents[0] and percents[-1] <= 100, percents
    assert any(re.search(r"[1-9][\d.]* (KiB|MiB)/s", bar) for bar in bars), "a rate is shown: %s" % bars
    assert any("limit: " in bar for bar in bars), "what limits is shown: %s" % bars


def test_the_bar_is_wiped_before_each_line_and_at_the_end(slow, store, pour):
    result = run_on_terminal(pour, SOURCE, DESTINATION)
    for line in rows(result.stderr):
        assert not BAR.search(line), repr(line)
        assert line == "" or line.startswith("hfpour: "), repr(line)
    assert result.stderr.endswith("\n")
    stored = [line for line in rows(result.stderr) if "stored " in line]
    assert len(stored) == len(MODEL)


def test_the_bar_fits_a_narrow_terminal(slow, store, pour):
    columns = 40
    result = run_on_terminal(pour, SOURCE, DESTINATION, columns=columns)
    bars = [piece.split("\n")[0] for piece in result.stderr.split(WIPE)[1:] if "%" in piece.split("\n")[0][:40]]
    assert len(bars) >= 3, repr(result.stderr)
    assert all(len(bar) < columns for bar in bars), bars


@pytest.mark.parametrize("arguments, env", [
    ([], {"DISABLE_PROGRESS": "true"}), ([], {"DISABLE_PROGRESS": "1"}), (["--no-progress"], {}),
    ([], {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}), (["--log-format", "json"], {}), (["--quiet"], {})])
def test_no_bar_when_it_is_not_wanted(model, store, pour, arguments, env):
    result = run_on_terminal(pour, SOURCE, DESTINATION, *arguments, env=env)
    assert result.exit == 0
    assert "\r" not in result.stderr and "\x1b" not in result.stderr and "ETA" not in result.stderr, repr(result.stderr)
    if "--quiet" in arguments:
        assert result.stderr == ""
    else:
        assert result.stderr.count("stored ") == len(MODEL)


def test_no_bar_where_nobody_looks(model, store, pour):
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 0 and "\r" not in result.stderr and "\x1b" not in result.stderr


def test_DISABLE_PROGRESS_that_says_false_leaves_the_bar(model, store, pour):
    result = run_on_terminal(pour, SOURCE, DESTINATION, env={"DISABLE_PROGRESS": "false"})
    assert BAR.search(result.stderr)


def test_a_failure_on_a_terminal_leaves_no_bar(slow, store, pour):
    slow.fault("flip", path="weights.safetensors", count=-1)
    result = run_on_terminal(pour, SOURCE, DESTINATION)
    assert (result.exit, result.stdout) == (7, ""), result.stderr
    assert not any(BAR.search(line) for line in rows(result.stderr))
    assert [line for line in rows(result.stderr) if line][-1].startswith("hfpour: failed")


# C0 characters are refused as keys (test_refusals.py); to a store these are letters.
@pytest.mark.parametrize("letter", ["\u0085", "\u009b", "\u202e", "\u2066"], ids=["next line", "CSI", "right to left", "isolate"])
def test_hostile_names_cannot_steer_the_terminal(hub, store, pour, letter):
    hub.repo("me/model", {f"a{letter}31mtxt.exe": b"x"})
    result = run_on_terminal(pour, SOURCE, DESTINATION)
    # Whether such a name is stored or refused, it must not reach the terminal as it is.
    assert letter not in result.stderr, repr(result.stderr)
    assert result.exit in (0, 5, 6)


# What a script gets.

FAILURES = {
    "not found": (["hf://me/nothing", DESTINATION], 3, "not_found", 401),
    "revision": ([SOURCE + "@nowhere", DESTINATION], 3, "not_found", 404),
    "nothing selected": ([SOURCE, DESTINATION, "--include", "*.gguf"], 4, "empty_selection", 0),
    "bucket": ([SOURCE, "s3://no-such-bucket/p/"], 3, "not_found", 404),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_an_object_on_stdout(model, store, pour, name):
    arguments, status, kind, http_status = FAILURES[name]
    result = pour(*arguments, "--json", timeout=30)
    assert result.exit == status, result.stderr
    assert result.stdout.count("\n") == 1
    said = result.json()
    assert said["status"] == "failed"
    assert (said["error"]["exit"], said["error"]["kind"], said["error"]["http_status"]) == (status, kind, http_status)
    assert said["error"]["message"] and said["error"]["message"] in result.stderr
    assert said["poured_files"] == 0


def test_a_hash_that_differs_is_an_object_on_stdout(model, store, pour):
    model.fault("flip", path="weights.safetensors", count=-1)
    result = pour(SOURCE, DESTINATION, "--json")
    said = result.json()
    assert result.exit == said["error"]["exit"] == 7 and said["error"]["kind"] == "integrity"
    assert "weights.safetensors" in said["error"]["message"]
    assert said["files"] == len(MODEL)


def test_the_object_has_every_field(model, store, pour):
    said = pour(SOURCE, DESTINATION, "--json").json()
    assert set(said) >= {"uri", "repo", "type", "revision", "commit", "status", "files", "bytes", "poured_files",
                         "poured_bytes", "seconds", "rate", "peak_memory", "retries", "limit", "error"}
    assert (said["error"], said["repo"], said["type"]) == (None, "me/model", "model")
    assert said["bytes"] == sum(map(len, MODEL.values()))


def test_the_summary_says_what_the_readme_promises(model, store, pour):
    result = pour(SOURCE, DESTINATION)
    summary = result.stderr.splitlines()[-1]
    for word in (r"poured 3 files, 9\.0 MiB", r"in [\d.]+ s", r"/s\)", r"peak memory [\d.]+ MiB", r"0 retries",
                 r"commit [0-9a-f]{40}"):
        assert re.search(word, summary), (word, summary)


# Broken outputs.

def run_with(pour, *arguments, shell):
    """Runs the binary in a shell that redirects its outputs."""
    process = subprocess.run(["/bin/sh", "-c", f'"$0" "$@" {shell}', pour.binary, *arguments], stdin=subprocess.DEVNULL,
                             capture_output=True, env=pour.environment(), timeout=60)
    return Result(process.returncode, process.stdout.decode(), process.stderr.decode(), 0)


BROKEN = ["2>&-", ">&-", ">&- 2>&-", "2>/dev/full", ">/dev/full", ">/dev/full 2>/dev/full", "<&- >&- 2>&-"]


@pytest.mark.parametrize("shell", BROKEN)
def test_a_broken_output_does_not_stop_the_pour(model, store, pour, shell):
    result = run_with(pour, SOURCE, DESTINATION, shell=shell)
    assert 0 <= result.exit < 128, "died by a signal: %s" % result
    check_bucket(store, BASE, MODEL)
    broken_stdout = ">&-" in shell.replace("2>&-", "") or ">/dev/full" in shell.replace("2>/dev/full", "")
    if not broken_stdout:
        assert (result.exit, result.stdout) == (0, f"s3://{BUCKET}/{BASE}\n")


def test_an_address_that_could_not_be_written_is_a_failure(model, store, pour):
    """`uri=$(hfpour …) && use "$uri"` must not go on with an empty address."""
    result = run_with(pour, SOURCE, DESTINATION, shell=">/dev/full")
    assert result.exit != 0, "nobody got the address, and the status says all is well"
    check_bucket(store, BASE, MODEL)


@pytest.mark.parametrize("shell", BROKEN)
def test_a_refusal_keeps_its_status_when_outputs_are_broken(model, store, pour, shell):
    assert run_with(pour, SOURCE, DESTINATION, "--lanes", "abc", shell=shell).exit == 2
    assert run_with(pour, "hf://me/nothing", DESTINATION, shell=shell).exit == 3


@pytest.mark.parametrize("which", ["stdout", "stderr"])
def test_a_reader_that_leaves_does_not_stop_the_pour(model, store, pour, which):
    """As in `hfpour … | head -0`: SIGPIPE would kill it in the middle."""
    reading, writing = os.pipe()
    os.close(reading)
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, which: writing}
    process = subprocess.Popen([pour.binary, SOURCE, DESTINATION], stdin=subprocess.DEVNULL, env=pour.environment(), **pipes)
    os.close(writing)
    status = process.wait(timeout=60)
    assert status >= 0, "killed by signal %d" % -status
    check_bucket(store, BASE, MODEL)


@pytest.mark.parametrize("shell, closed", [("2>&-", (2,)), (">&-", (1,)), (">&- 2>&-", (1, 2)), ("<&- >&- 2>&-", (0, 1, 2))])
def test_a_closed_output_is_not_something_else(slow, store, pour, shell, closed):
    """What is opened next gets the free number; a log line must not land in a connection or a pipe of the loop."""
    process = subprocess.Popen(["/bin/sh", "-c", f'exec "$0" "$@" {shell}', pour.binary, SOURCE, DESTINATION],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=pour.environment())
    try:
        wait_until(lambda: slow.counters()["bytes_by_listener"]["cdn"] > 0)
        held = {}
        for number in closed:
            try:
                held[number] = os.readlink(f"/proc/{process.pid}/fd/{number}")
            except FileNotFoundError:
                held[number] = "/dev/null"
    finally:
        process.wait(timeout=60)
    assert set(held.values()) == {"/dev/null"}, held
