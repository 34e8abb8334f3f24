# SPDX-License-Identifier: MIT
"""Runs a shell command and measures its whole process tree.

Wall time; CPU seconds, user and system (wait4); bytes written to disks (the kernel's count, ru_oublock); and, sampled from
/proc, memory: proportional set sizes (PSS) plus what the kernel charges the tree's TCP sockets with, received and to be
sent (r and w of `ss -m`, asked for by the same netlink request). Servers share the machine but are not counted.
"""

import os
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time

INTERVAL_S = 0.1
THREADS_EACH = 5  # threads are looked at each so many samples
TICKS = os.sysconf("SC_CLK_TCK")

_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_SOCK_DIAG_BY_FAMILY, _DUMP_REQUEST, _DONE, _ERROR, _SKMEMINFO = 20, 0x301, 3, 2, 7
_STATES = 0xFFFFFFFF & ~(1 << 6)  # all but TIME_WAIT, of which there may be thousands
_MESSAGE_BYTES, _INODE_AT = 72, 68  # of struct inet_diag_msg


def socket_buffers():
    """{inode: bytes} of all TCP sockets of this network namespace."""
    found = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diag:
        for family in (socket.AF_INET, socket.AF_INET6):
            question = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 1 << (_SKMEMINFO - 1), 0, _STATES)
            diag.send(_HEADER.pack(_HEADER.size + len(question), _SOCK_DIAG_BY_FAMILY, _DUMP_REQUEST, 1, 0) + question)
            while _read_answers(diag.recv(1 << 18), found):
                pass
    return found


def _read_answers(data, found):
    """Adds what one netlink datagram says; whether more follow."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind in (_DONE, _ERROR):
            return False
        body = data[at + _HEADER.size:at + length]
        inode, = struct.unpack_from("=I", body, _INODE_AT)
        place = _MESSAGE_BYTES
        while place + _ATTRIBUTE.size <= len(body):
            size, name = _ATTRIBUTE.unpack_from(body, place)
            if name == _SKMEMINFO:
                numbers = struct.unpack_from("=9I", body, place + _ATTRIBUTE.size)
                found[inode] = numbers[0] + numbers[5]
            place += (size + 3) & ~3 or len(body)
        at += (length + 3) & ~3
    return True


def tree_of(pid):
    """A process and all below it."""
    found, queue = [], [pid]
    while queue:
        pid = queue.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                    queue += map(int, file.read().split())
        except OSError:
            pass
    return found


def _kilobytes(pid, file, field):
    """A field in kB of a file in /proc/PID, as bytes; 0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/{file}", encoding="ascii") as lines:
            return sum(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024
    except (OSError, ValueError):
        return 0


def _socket_inodes(pid):
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                try:
                    target = os.readlink(entry.path)
                except OSError:
                    continue
                if target.startswith("socket:["):
                    yield int(target[8:-1])
    except OSError:
        return


class Sampler(threading.Thread):
    """What the tree below a process holds, until it is told that it is over."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.over, self.begun = pid, threading.Event(), time.monotonic()
        self.samples = []  # (seconds, PSS, socket buffers)
        self.high_water = 0
        self.threads = {}  # id: CPU ticks

    def run(self):
        while not self.over.wait(INTERVAL_S):
            tree = tree_of(self.pid)
            pss = sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in tree)
            if pss == 0:
                continue
            self.high_water = max(self.high_water, sum(_kilobytes(pid, "status", "VmHWM:") for pid in tree))
            buffers = socket_buffers()
            sockets = sum(buffers.get(inode, 0) for inode in {inode for pid in tree for inode in _socket_inodes(pid)})
            self.samples.append((time.monotonic() - self.begun, pss, sockets))
            if len(self.samples) % THREADS_EACH == 0:
                self.look_at_threads(tree)

    def look_at_threads(self, tree):
        for pid in tree:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8", errors="replace") as file:
                        fields = file.read().rpartition(")")[2].split()
                    self.threads[task] = (int(fields[11]) + int(fields[12]), time.monotonic() - self.begun)
            except (OSError, ValueError):
                pass

    def middle(self, begin, end):
        """The median of memory in a stretch of the run, given as shares of it."""
        last = self.samples[-1][0] if self.samples else 0
        held = [pss + sockets for at, pss, sockets in self.samples if begin * last <= at <= end * last]
        return statistics.median(held) if held else 0

    def busiest_thread(self):
        """Share of one core that the busiest thread took."""
        return max((ticks / TICKS / at for ticks, at in self.threads.values() if at > 0), default=0.0)


def machine_ticks():
    """(busy, all) of the machine's cores since it was started."""
    with open("/proc/stat", encoding="ascii") as file:
        numbers = [int(word) for word in file.readline().split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)


def stolen_ticks():
    """What the host gave to others, of the time of the machine's cores."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[8])


def measure(command, environment):
    """What a shell command took, as a dictionary; `exit` is not 0 and `said` its last words when it failed."""
    with tempfile.TemporaryFile() as stderr:
        busy, every = machine_ticks()
        stolen = stolen_ticks()
        begun = time.monotonic()
        process = subprocess.Popen(["bash", "-c", command], env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=stderr)
        sampler = Sampler(process.pid)
        sampler.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        sampler.over.set()
        sampler.join()
        busy_after, every_after = machine_ticks()
        stolen = stolen_ticks() - stolen
        stderr.seek(0)
        said = stderr.read().decode("utf-8", "replace")[-2000:]
    peak = max(sampler.samples, key=lambda sample: sample[1] + sample[2], default=(0, 0, 0))
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "disk": usage.ru_oublock * 512,
            "peak": peak[1] + peak[2], "sockets_at_peak": peak[2],
            "resident": max((sample[1] for sample in sampler.samples), default=0), "high_water": sampler.high_water,
            "early": sampler.middle(0.2, 0.4), "late": sampler.middle(0.8, 1.0), "samples": len(sampler.samples),
            "busiest_thread": sampler.busiest_thread(),
            "stolen": stolen / max(1, every_after - every), "machine_busy": (busy_after - busy) / max(1, every_after - every), "exit": process.returncode,
            "said": said if process.returncode != 0 else ""}
