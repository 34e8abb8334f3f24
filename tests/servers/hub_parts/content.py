"""File contents: on disk, inline, or generated on the fly; and their digests."""

import hashlib
import json
import os
import random
import threading

PRIME = 1048583          # length of a generated block: a prime just above 1 MiB
BASE_BLOCKS = 8          # distinct blocks kept in memory, each stored twice over
HEAD = 64                # bytes at the start that are unique to (seed, size)
MASK = (1 << 64) - 1
READ_STEP = 1 << 20


def splitmix(value):
    """A well mixed 64-bit hash of a number (the splitmix64 finaliser)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


class Digests:
    """Digests by content key, computed once, optionally kept in a file."""

    def __init__(self, path=None):
        self.path = path
        self.lock = threading.Lock()
        self.known = {}
        self.running = {}
        if path and os.path.exists(path):
            with open(path, encoding="utf-8") as handle:
                self.known = json.load(handle)

    def get(self, key, compute):
        with self.lock:
            if key in self.known:
                return self.known[key]
            lock = self.running.setdefault(key, threading.Lock())
        with lock:
            with self.lock:
                if key in self.known:
                    return self.known[key]
            value = compute()
            with self.lock:
                self.known[key] = value
                self.running.pop(key, None)
                if self.path and key.startswith("generated:"):
                    self.save()
        return value

    def save(self):
        keep = {k: v for k, v in sorted(self.known.items()) if k.startswith("generated:")}
        temporary = f"{self.path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as handle:
            json.dump(keep, handle, indent=0)
        os.replace(temporary, self.path)


class Content:
    """Bytes that can be read by ranges and hashed."""

    size = 0
    key = ""

    def slices(self, start, end):
        raise NotImplementedError

    def open(self):
        """A binary file handle for sendfile, or None."""
        return None

    def read(self):
        return b"".join(self.slices(0, self.size))

    def hash(self, hasher):
        for view in self.slices(0, self.size):
            hasher.update(view)
        return hasher.hexdigest()

    def sha256(self, digests):
        return digests.get(self.key + ":sha256", lambda: self.hash(hashlib.sha256()))

    def blob_sha1(self, digests):
        return digests.get(self.key + ":sha1",
                           lambda: self.hash(hashlib.sha1(b"blob %d\0" % self.size)))


class DiskContent(Content):
    """A file on disk, re-hashed when its size or modification time changes."""

    def __init__(self, path):
        stat = os.stat(path)
        self.path = path
        self.size = stat.st_size
        self.key = f"disk:{path}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"

    def open(self):
        return open(self.path, "rb", buffering=0)

    def slices(self, start, end):
        with open(self.path, "rb", buffering=0) as handle:
            handle.seek(start)
            left = end - start
            while left > 0:
                data = handle.read(min(READ_STEP, left))
                if not data:
                    return
                left -= len(data)
                yield memoryview(data)


class BytesContent(Content):
    """Bytes held in memory."""

    def __init__(self, data):
        self.data = data
        self.size = len(data)
        self.key = "bytes:" + hashlib.sha1(data).hexdigest()

    def slices(self, start, end):
        if end > start:
            yield memoryview(self.data)[start:end]


class GeneratedContent(Content):
    """Seeded bytes of any size, read by ranges without being stored.

    After a unique 64-byte head the content is a sequence of prime-length
    blocks; block k is one shared pseudo-random block rotated by a hash of
    (seed, k).  A rotated block is a plain slice of the block stored twice,
    so ranges are served without copying, and no two aligned ranges agree.
    """

    blocks = {}
    lock = threading.Lock()

    def __init__(self, size, seed):
        self.size = size
        self.seed = seed
        self.salt = splitmix(seed & MASK)
        self.key = f"generated:v1:{size}:{seed}"
        self.base = self.salt % BASE_BLOCKS
        self.head = hashlib.sha512(self.key.encode()).digest()

    def block(self):
        with self.lock:
            if self.base not in self.blocks:
                data = random.Random(f"block {self.base}").randbytes(PRIME)
                self.blocks[self.base] = memoryview(data + data)
            return self.blocks[self.base]

    def slices(self, start, end):
        if start < HEAD and start < end:
            stop = min(end, HEAD)
            yield memoryview(self.head)[start:stop]
            start = stop
        block = self.block() if start < end else None
        while start < end:
            number, inside = divmod(start - HEAD, PRIME)
            length = min(PRIME - inside, end - start)
            at = splitmix(self.salt ^ number) % PRIME + inside
            if at >= PRIME:
                at -= PRIME
            yield block[at:at + length]
            start += length
