"""Nothing is written to a disk: the kernel is asked what a pour opens."""

import re
import shutil
import subprocess

import pytest
from support import BUCKET, KEY_ID, PART, data

pytestmark = pytest.mark.own_size

CALLS = "openat,open,openat2,creat,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,link,linkat,symlink,symlinkat," \
        "mknod,mknodat,memfd_create,truncate,ftruncate"
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE")
HARMLESS = re.compile(r'"/dev/(null|tty|pts/\d+|console)"')


def trace(pour, folder, *arguments):
    """Runs the binary under strace in an empty folder; the finished process and the calls it made."""
    assert shutil.which("strace"), "strace is needed (Debian package strace)"
    log, work = folder / "calls", folder / "work"
    work.mkdir()
    env = pour.environment(TMPDIR=str(work), HOME=str(work))
    done = subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=" + CALLS, pour.binary, *arguments], cwd=work, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert list(work.iterdir()) == []
    return done, [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if "(" in line]


def changing(calls):
    """The calls that could change a file system."""
    found = []
    for call in calls:
        name = re.search(r"(\w+)\(", call).group(1)
        opens = name in ("open", "openat", "openat2")
        if opens and (not WRITES.search(call) or HARMLESS.search(call)):
            continue
        found.append(call)
    return found


@pytest.mark.row("s3 8.15")
def test_strace_a_pour_opens_no_file_for_writing(hub, store, pour, tmp_path):
    hub.repo("me/model", {"config.json": b"{}", "empty": b"", "one.bin": data(PART, 2), "many.bin": data(5 * PART + 7, 3)})
    done, calls = trace(pour, tmp_path, "hf://me/model", f"s3://{BUCKET}/p/")
    assert done.returncode == 0, done.stderr
    assert len(store.objects()) == 5 and calls
    assert changing(calls) == []


@pytest.mark.row("s3 8.15")
def test_strace_a_pour_with_small_memory_and_faults_opens_no_file_for_writing(hub, store, pour, tmp_path):
    hub.repo("me/model", {"many.bin": data(5 * PART + 7, 3)})
    store.fault("reset", op="UploadPart", at="body", bytes=1 << 20)
    store.fault("complete_lost_answer")
    done, calls = trace(pour, tmp_path, "hf://me/model", f"s3://{BUCKET}/p/", "--memory", "64Mi", "--json")
    assert done.returncode == 0, done.stderr
    assert changing(calls) == []


def test_strace_a_failing_run_opens_no_file_for_writing(hub, store, pour, tmp_path):
    hub.repo("me/model", {"many.bin": data(2 * PART + 7, 3)})
    store.fault("status", op="UploadPart", code="AccessDenied", count=-1)
    done, calls = trace(pour, tmp_path, "hf://me/model", f"s3://{BUCKET}/p/")
    assert done.returncode == 6, done.stderr
    assert KEY_ID not in done.stderr + done.stdout
    assert changing(calls) == []


def test_strace_the_check_itself_sees_a_file_that_is_written(tmp_path):
    assert shutil.which("strace"), "strace is needed (Debian package strace)"
    log = tmp_path / "calls"
    subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=" + CALLS, "/usr/bin/touch", tmp_path / "file"], check=True)
    assert len(changing([line for line in log.read_text().splitlines() if "(" in line])) == 1
