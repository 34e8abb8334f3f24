"""Buckets, objects, open uploads, and the journal of what became visible.

All changes happen under one lock.  Object contents are lists of segments and
are never joined, so that completing an upload costs nothing.
"""

import hashlib
import secrets
import string
import threading
import time

SMALL_BYTES = 1024 * 1024      # contents below this are kept in every mode
_ID_LETTERS = string.ascii_letters + string.digits + "-_"


class Segment:
    """A run of bytes; `data` is None if only the size is known."""
    __slots__ = ("size", "data")

    def __init__(self, size, data):
        self.size, self.data = size, data


class StoredObject:
    """One visible object.  It is never changed, only replaced."""

    def __init__(self, key, segments, etag, meta=None, headers=None, modified=None,
                 upload_id=None):
        self.key, self.segments, self.etag = key, segments, etag
        self.meta, self.headers = dict(meta or {}), dict(headers or {})
        self.modified = time.time() if modified is None else modified
        self.upload_id = upload_id
        self.size = sum(s.size for s in segments)
        self._sha256 = None

    @property
    def kept(self):
        return all(s.data is not None for s in self.segments)

    def sha256(self):
        """Hex SHA-256 of the contents, or None if they were thrown away."""
        if self._sha256 is None and self.kept:
            sha = hashlib.sha256()
            for segment in self.segments:
                sha.update(segment.data)
            self._sha256 = sha.hexdigest()
        return self._sha256

    def slices(self, first, last):
        """Views of the bytes first..last, both included."""
        at = 0
        for segment in self.segments:
            low, high = max(first, at), min(last + 1, at + segment.size)
            if low < high:
                yield memoryview(segment.data)[low - at:high - at]
            at += segment.size

    def bytes(self):
        return b"".join(bytes(s.data) for s in self.segments)


class Part:
    __slots__ = ("number", "size", "md5", "etag", "segment", "modified")

    def __init__(self, number, received, etag):
        self.number, self.size, self.md5, self.etag = number, received.size, received.md5, etag
        self.segment = Segment(received.size, received.data)
        self.modified = time.time()


class Upload:
    """An upload in progress."""

    def __init__(self, bucket, key, upload_id, meta, headers):
        self.bucket, self.key, self.id = bucket, key, upload_id
        self.meta, self.headers = meta, headers
        self.initiated = time.time()
        self.parts = {}
        self.completing = False


class Store:
    """Everything the stand-in keeps."""

    def __init__(self, buckets, keep_all, odd_upload_ids=False):
        self.lock = threading.RLock()
        self.keep_all, self.odd_upload_ids = keep_all, odd_upload_ids
        self.created = time.time()
        self.buckets = {name: {} for name in buckets}
        self.clear()

    def clear(self):
        """Forgets all data but not the buckets."""
        with self.lock:
            for objects in self.buckets.values():
                objects.clear()
            self.uploads = {}          # id -> Upload
            self.finished = {}         # id -> (bucket, key, StoredObject, parts sent)
            self.journal, self.deletions = [], []
            self.sequence = 0

    def keep(self, size):
        """True if a body of this size (None: unknown) is to be kept."""
        return self.keep_all or (size is not None and size < SMALL_BYTES)

    def new_upload_id(self, aws):
        word = "".join(secrets.choice(_ID_LETTERS) for _ in range(31))
        if self.odd_upload_ids:
            return "2~" + word[:20] + "+/=&% " + word[20:]
        return (word + "." + word[::-1] + "--") if aws else "2~" + word

    def bytes_used(self):
        """Stored bytes and bytes of parts not yet completed, as a quota counts them."""
        with self.lock:
            stored = sum(o.size for b in self.buckets.values() for o in b.values())
            return stored + sum(p.size for u in self.uploads.values()
                                for p in u.parts.values())

    def publish(self, bucket, obj, how):
        """Makes an object visible and writes the journal."""
        with self.lock:
            self.sequence += 1
            self.buckets[bucket][obj.key] = obj
            if not self.keep_all and obj.size >= SMALL_BYTES:
                obj.segments = [Segment(s.size, None) for s in obj.segments]
            entry = {"seq": self.sequence, "time": obj.modified, "bucket": bucket,
                     "key": obj.key, "size": obj.size, "etag": obj.etag, "how": how,
                     "upload_id": obj.upload_id, "meta": dict(obj.meta)}
            if obj.size < SMALL_BYTES:
                entry["sha256"] = obj.sha256()
            self.journal.append(entry)

    def remove(self, bucket, key, how):
        with self.lock:
            if self.buckets[bucket].pop(key, None) is not None:
                self.sequence += 1
                self.deletions.append({"seq": self.sequence, "time": time.time(),
                                       "bucket": bucket, "key": key, "how": how})

    def find(self, bucket, key):
        with self.lock:
            return self.buckets[bucket].get(key)

    def find_upload(self, bucket, key, upload_id):
        with self.lock:
            upload = self.uploads.get(upload_id)
            return upload if upload and (upload.bucket, upload.key) == (bucket, key) else None

    def keys(self, bucket):
        """All keys in the order of their bytes."""
        with self.lock:
            return sorted(self.buckets[bucket], key=lambda k: k.encode("utf-8", "surrogateescape"))

    def state(self, with_hash=True):
        """A plain description of everything, for the tests."""
        with self.lock:
            objects = [(b, o) for b, held in self.buckets.items() for o in held.values()]
            uploads = [{
                "bucket": u.bucket, "key": u.key, "id": u.id, "initiated": u.initiated,
                "meta": u.meta, "headers": u.headers,
                "parts": [{"number": p.number, "size": p.size, "etag": p.etag, "md5": p.md5}
                          for p in sorted(u.parts.values(), key=lambda p: p.number)],
            } for u in self.uploads.values()]
            journal, deletions = list(self.journal), list(self.deletions)
            buckets = sorted(self.buckets)
        return {
            "buckets": buckets,
            "objects": [{
                "bucket": b, "key": o.key, "size": o.size, "etag": o.etag, "meta": o.meta,
                "headers": o.headers, "modified": o.modified, "upload_id": o.upload_id,
                "kept": o.kept, "part_sizes": [s.size for s in o.segments],
                "sha256": o.sha256() if with_hash else None,
            } for b, o in objects],
            "uploads": uploads, "journal": journal, "deletions": deletions,
            "bytes_used": self.bytes_used(),
        }
