# SPDX-License-Identifier: MIT
"""What is poured: models of files with known SHA-256, and the folders nginx serves them from."""

import dataclasses
import functools
import hashlib
import os
import pathlib
import random
import shutil

MIB = 1 << 20
LARGEST_BLOCK = 16 * MIB


@dataclasses.dataclass
class Model:
    """Files of a repository; `folder` is where they lie."""

    id: str
    folder: pathlib.Path
    files: dict  # path: (size, SHA-256)

    @property
    def bytes(self):
        return sum(size for size, _ in self.files.values())

    def title(self):
        sizes = [size for size, _ in self.files.values()]
        count = "one file" if len(sizes) == 1 else f"{len(sizes):,} files"
        if min(sizes) == max(sizes):
            return f"{count} of {amount(sizes[0])}"
        return f"{count} of {amount(min(sizes))} to {amount(max(sizes))}"


def amount(size):
    if size >= MIB:
        return f"{size / MIB:.0f} MiB" if size < 8 << 30 else f"{size / 1e9:.1f} GB"
    return f"{size / 1024:.0f} KiB"


def room(folder):
    return shutil.disk_usage(folder).free


def folder_for(size, fallback):
    """/dev/shm if it has room for twice that much, so that no disk is measured; else the fallback."""
    shm = pathlib.Path("/dev/shm")
    return shm if shm.is_dir() and os.access(shm, os.W_OK) and room(shm) > 2 * size else pathlib.Path(fallback)


def names(count):
    return [f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)] if count > 1 else ["model.safetensors"]


def random_model(name, folder, count, size):
    """`count` files of `size` pseudo-random bytes each."""
    source, files = random.Random(name), {}
    folder.mkdir(parents=True)
    for path in names(count):
        digest, left = hashlib.sha256(), size
        with open(folder / path, "wb") as out:
            while left > 0:
                block = source.randbytes(min(left, LARGEST_BLOCK))
                digest.update(block)
                out.write(block)
                left -= len(block)
        files[path] = (size, digest.hexdigest())
    return Model(name, folder, files)


@functools.lru_cache(maxsize=None)
def sha256_of_zeros(size):
    digest, block = hashlib.sha256(), bytes(4 * MIB)
    for _ in range(size // len(block)):
        digest.update(block)
    digest.update(bytes(size % len(block)))
    return digest.hexdigest()


def sparse_model(name, folder, count, size):
    """`count` files of zeros that take no room on a disk: names of one and the same sparse file."""
    folder.mkdir(parents=True)
    paths = names(count)
    with open(folder / paths[0], "wb") as out:
        out.truncate(size)
    for path in paths[1:]:
        os.link(folder / paths[0], folder / path)
    return Model(name, folder, {path: (size, sha256_of_zeros(size)) for path in paths})


def small_model(name, folder, count):
    """Many files of 4 to 64 KiB, a thousand to a folder."""
    source, files = random.Random(name), {}
    block = source.randbytes(LARGEST_BLOCK)
    for number in range(count):
        size, start = source.randint(4096, 65536), source.randrange(LARGEST_BLOCK - 65536)
        path = f"part-{number // 1000:03d}/{number:06d}.json"
        data = block[start:start + size]
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        files[path] = (size, hashlib.sha256(data).hexdigest())
    return Model(name, folder, files)


def part_of(model, name, folder, count):
    """The first files of a model, for tools that would take minutes: hard links, for an index that names these alone."""
    files = dict(list(model.files.items())[:count])
    for path in files:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(model.folder / path, place)
    return Model(name, folder, files)
