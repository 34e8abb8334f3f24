"""Repositories on disk and virtual ones, their revisions and listings."""

import concurrent.futures
import fnmatch
import hashlib
import json
import os
import re
import threading

from .content import BytesContent, DiskContent, GeneratedContent

TYPES = ("models", "datasets", "spaces")
LFS_PATTERNS = ["*.safetensors", "*.bin", "*.gguf", "*.traineddata", "*.pt", "*.onnx"]
LFS_SIZE = 10 * 1024 * 1024
OPTIONS = {"private": False, "gated": False, "disabled": False, "token": None, "denied": [],
           "renamed_to": None, "revisions": {}, "tags": {}, "lfs": LFS_PATTERNS,
           "lfs_min_size": LFS_SIZE}
SHA = re.compile(r"[0-9a-f]{40}\Z")


def is_utf8(path):
    try:
        return bool(path.encode())
    except UnicodeEncodeError:
        return False


class Entry:
    """One file of one revision."""

    def __init__(self, store, path, content, lfs):
        self.store = store
        self.path = path
        self.content = content
        self.size = content.size
        self.lfs = lfs
        self.xet_hash = hashlib.sha256(b"xet " + content.key.encode()).hexdigest()

    @property
    def sha256(self):
        return self.content.sha256(self.store.digests)

    @property
    def pointer(self):
        return ("version https://git-lfs.github.com/spec/v1\n"
                f"oid sha256:{self.sha256}\nsize {self.size}\n").encode()

    @property
    def oid(self):
        """The git blob id: of the content, or of the pointer of an LFS file."""
        if self.lfs:
            pointer = self.pointer
            return hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
        return self.content.blob_sha1(self.store.digests)

    @property
    def identity(self):
        """Stands for the bytes without reading generated ones."""
        if isinstance(self.content, GeneratedContent):
            return self.content.key
        return self.sha256 if self.lfs else self.oid

    def listing(self, xet):
        item = {"type": "file", "oid": self.oid, "size": self.size, "path": self.path}
        if self.lfs:
            item["lfs"] = {"oid": self.sha256, "size": self.size,
                           "pointerSize": len(self.pointer)}
            if xet:
                item["xetHash"] = self.xet_hash
        return item


class Snapshot:
    """The files of one commit."""

    def __init__(self, name, entries):
        self.entries = {entry.path: entry for entry in entries}
        text = "".join(f"{'lfs' if e.lfs else 'git'} {e.identity} {p}\n"
                       for p, e in sorted(self.entries.items()))
        self.sha = hashlib.sha1(f"commit {name}\n{text}".encode()).hexdigest()
        self.lock = threading.Lock()
        self.trees = None
        self.cached_rows = {}

    def prepare(self):
        """Compute all digests, in parallel since hashing frees the interpreter."""
        with self.lock:
            if self.trees is not None:
                return self.trees
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                list(pool.map(lambda entry: entry.oid, self.entries.values()))
            self.trees = self.tree_oids()
            return self.trees

    def tree_oids(self):
        """The git tree id of every directory."""
        children = {"": {}}
        for path, entry in self.entries.items():
            parent, _, name = path.rpartition("/")
            children.setdefault(parent, {})[name] = (b"100644", entry.oid)
            while parent:
                above, _, name = parent.rpartition("/")
                children.setdefault(above, {}).setdefault(name, (b"40000", None))
                parent = above
        oids = {}
        for folder in sorted(children, key=lambda p: (-p.count("/"), p == "", p)):
            items = []
            for name, (mode, oid) in children[folder].items():
                full = f"{folder}/{name}" if folder else name
                oid = oids.get(full, "0" * 40) if mode == b"40000" else oid
                order = name.encode() + (b"/" if mode == b"40000" else b"")
                items.append((order, mode + b" " + name.encode() + b"\0" + bytes.fromhex(oid)))
            data = b"".join(item for _, item in sorted(items))
            oids[folder] = hashlib.sha1(b"tree %d\0" % len(data) + data).hexdigest()
        return oids

    def rows(self, xet, folder="", recursive=True):
        """Listing rows below a folder, directories included; None if it is no folder."""
        trees = self.prepare()
        if folder and folder not in trees:
            return None
        wanted = (xet, folder, recursive)
        if wanted not in self.cached_rows:
            self.cached_rows[wanted] = self.make_rows(trees, *wanted)
        return self.cached_rows[wanted]

    def make_rows(self, trees, xet, folder, recursive):
        rows = [entry.listing(xet) for entry in self.entries.values()]
        rows += [{"type": "directory", "oid": oid, "size": 0, "path": path}
                 for path, oid in trees.items() if path]
        prefix = folder + "/" if folder else ""
        rows = [r for r in rows if r["path"].startswith(prefix)
                and (recursive or "/" not in r["path"][len(prefix):])]
        return sorted(rows, key=lambda r: r["path"])


class Repo:
    """One repository: options, revisions and the commits seen so far."""

    def __init__(self, store, kind, name, folder=None, spec=None):
        self.store = store
        self.kind = kind
        self.name = name
        self.folder = folder
        self.spec = spec
        self.key = f"{kind}/{name}"
        self.id = hashlib.sha1(self.key.encode()).hexdigest()[:24]
        self.overrides = {}
        self.moved = {}
        self.deleted = set()
        self.snapshots = {}

    def options(self):
        options = dict(OPTIONS)
        if self.spec is not None:
            options.update({k: v for k, v in self.spec.items() if k in OPTIONS})
        else:
            try:
                with open(os.path.join(self.folder, ".hub.json"), encoding="utf-8") as handle:
                    given = json.load(handle)
            except FileNotFoundError:
                given = {}
            unknown = set(given) - set(OPTIONS)
            if unknown:
                raise ValueError(f"{self.key}/.hub.json: unknown keys {sorted(unknown)}")
            options.update(given)
        options.update(self.overrides)
        return options

    def revision_names(self):
        options = self.options()
        return ["main"] + list(options["revisions"]) + list(options["tags"])

    def resolve(self, revision):
        """The snapshot of a revision name or commit, or None."""
        if SHA.match(revision):
            if revision in self.deleted:
                return None
            if revision not in self.snapshots:
                for name in self.revision_names():
                    self.resolve(name)
            return self.snapshots.get(revision)
        name = "main" if revision == "HEAD" else revision
        target = self.moved.get(name, name)
        if SHA.match(target):
            return self.resolve(target)
        if name in self.deleted or target not in self.revision_names():
            return None
        snapshot = Snapshot(self.key, self.scan(target))
        if snapshot.sha in self.deleted:
            return None
        return self.snapshots.setdefault(snapshot.sha, snapshot)

    def scan(self, name):
        options = self.options()
        places = {**options["revisions"], **options["tags"]}
        if self.spec is not None:
            files = self.spec["files"] if name == "main" else places[name]["files"]
            return list(self.virtual_entries(files, options))
        if name == "main":
            hidden = {os.path.normpath(os.path.join(self.folder, p)) for p in places.values()}
            return list(self.disk_entries(self.folder, hidden, options))
        folder = os.path.join(self.folder, places[name])
        return list(self.disk_entries(folder, set(), options))

    def is_lfs(self, path, size, options):
        return size >= options["lfs_min_size"] or any(
            fnmatch.fnmatchcase(path, pattern) for pattern in options["lfs"])

    def disk_entries(self, folder, hidden, options):
        for base, folders, files in os.walk(folder):
            folders[:] = [f for f in folders
                          if os.path.normpath(os.path.join(base, f)) not in hidden]
            for name in files:
                full = os.path.join(base, name)
                path = os.path.relpath(full, folder)
                if path == ".hub.json" or not is_utf8(path):
                    continue
                content = DiskContent(full)
                yield Entry(self.store, path, content,
                            self.is_lfs(path, content.size, options))

    def virtual_entries(self, files, options):
        for item in files:
            if "text" in item:
                made = [(item["path"], BytesContent(item["text"].encode()))]
            elif "count" in item:
                made = [(item["path"].format(number),
                         GeneratedContent(item["size"], item.get("seed", 0) + number))
                        for number in range(item["count"])]
            else:
                made = [(item["path"], GeneratedContent(item["size"], item.get("seed", 0)))]
            for path, content in made:
                lfs = item.get("lfs", self.is_lfs(path, content.size, options))
                yield Entry(self.store, path, content, lfs)

    def tokens(self):
        token = self.options()["token"]
        return [token] if isinstance(token, str) else list(token or [])


class Store:
    """Finds repositories below the root folder and in the virtual specification."""

    def __init__(self, root, digests, virtual=None):
        self.root = root
        self.digests = digests
        self.lock = threading.Lock()
        self.repos = {}
        for kind, repos in (virtual or {}).items():
            if kind not in TYPES:
                raise ValueError(f"virtual specification: unknown type {kind!r}")
            for name, spec in repos.items():
                unknown = set(spec) - set(OPTIONS) - {"files"}
                if unknown:
                    raise ValueError(f"virtual {kind}/{name}: unknown keys {sorted(unknown)}")
                spec.setdefault("files", [])
                self.repos[kind, name] = Repo(self, kind, name, spec=spec)

    def find(self, kind, name):
        """The repository of exactly this name, or None."""
        with self.lock:
            if (kind, name) in self.repos:
                return self.repos[kind, name]
            parts = name.split("/")
            if len(parts) > 2 or any(p in ("", ".", "..") or "\0" in p for p in parts):
                return None
            folder = os.path.join(self.root, kind, *parts)
            if not os.path.isdir(folder):
                return None
            if len(parts) == 1 and not os.path.exists(os.path.join(folder, ".hub.json")):
                return None  # an owner's folder, not a repository
            repo = self.repos[kind, name] = Repo(self, kind, name, folder=folder)
            return repo

    def names(self, kind):
        found = {name for k, name in self.repos if k == kind}
        base = os.path.join(self.root, kind)
        for owner in os.listdir(base) if os.path.isdir(base) else []:
            inner = os.path.join(base, owner)
            if os.path.isdir(inner):
                found |= {f"{owner}/{name}" for name in os.listdir(inner)
                          if os.path.isdir(os.path.join(inner, name))}
        return found

    def other_case(self, kind, name):
        """The name that differs only in upper and lower case, or None."""
        for found in sorted(self.names(kind)):
            if found.lower() == name.lower() and found != name:
                return found
        return None

    def all(self):
        return [self.find(kind, name) for kind in TYPES for name in sorted(self.names(kind))]

    def reset(self):
        for repo in self.repos.values():
            repo.overrides.clear()
            repo.moved.clear()
            repo.deleted.clear()
