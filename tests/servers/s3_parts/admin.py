"""The unsigned routes under /_admin/ with which tests set up faults and look inside."""

import base64
import hashlib
import json
import time
import urllib.parse

from .faults import FaultError
from .sigv4 import Credential
from .store import Segment, StoredObject
from .wire import receive


class AdminError(Exception):
    """Becomes a 400 with its text."""


class Admin:
    """Dispatches by method and path."""

    def __init__(self, service):
        self.service = service

    def handle(self, head, body):
        """Returns (status, content type, bytes)."""
        query = {k: v[-1] for k, v in urllib.parse.parse_qs(
            head.query, keep_blank_values=True).items()}
        raw = b""
        if not body.ended:
            raw = bytes(receive(body.conn, body, None, True, False).data)
        name = "%s_%s" % (head.method.lower(), head.path[len("/_admin/"):].replace("/", "_"))
        route = getattr(self, "route_" + name, None)
        if route is None:
            return self._json({"error": "no such route"}, 404)
        try:
            given = json.loads(raw) if raw else None
            answer = route(query, given)
        except (AdminError, FaultError, KeyError, TypeError, ValueError) as error:
            return self._json({"error": "%s: %s" % (type(error).__name__, error)}, 400)
        return answer if isinstance(answer, tuple) else self._json(answer)

    def _json(self, value, status=200):
        return status, "application/json", json.dumps(value).encode() + b"\n"

    # ---- faults

    def route_post_faults(self, query, given):
        return {"added": self.service.faults.add(given or [])}

    def route_get_faults(self, query, given):
        return self.service.faults.describe()

    def route_delete_faults(self, query, given):
        self.service.faults.clear()
        return {}

    def route_post_release(self, query, given):
        """Ends all stalls; the faults stay."""
        self.service.end_stalls()
        return {}

    def route_post_reset(self, query, given):
        """Clears faults, stalls and counters; with {"objects": true} the data as well."""
        service = self.service
        service.faults.clear()
        service.end_stalls()
        service.counters.clear()
        if given and given.get("objects"):
            service.store.clear()
        return {}

    # ---- looking

    def route_get_state(self, query, given):
        return self.service.store.state(query.get("sha256", "1") != "0")

    def route_get_counters(self, query, given):
        return self.service.counters.describe()

    def route_get_wait(self, query, given):
        """Blocks until something has happened often enough, at most timeout_s."""
        event, count = query.get("event", "started"), int(query.get("count", "1"))
        if event not in ("started", "done", "stalled", "open"):
            raise AdminError("event is started, done, stalled or open")
        got = self.service.counters.wait(event, query.get("op", "any"), count,
                                         float(query.get("timeout_s", "10")))
        return {"ok": got <= count if event == "open" else got >= count, "count": got}

    def route_get_object(self, query, given):
        obj = self._find(query.get("bucket"), query.get("key"))
        if not obj.kept:
            return self._json({"error": "contents not kept"}, 409)
        return 200, "application/octet-stream", obj.bytes()

    # ---- changing behind the client's back

    def _find(self, bucket, key):
        bucket = bucket or self.service.options.bucket[0]
        obj = self.service.store.buckets.get(bucket, {}).get(key)
        if obj is None:
            raise AdminError("no such object")
        return obj

    def route_post_object(self, query, given):
        """Puts, damages or deletes an object; action put, flip, truncate, extend, set, delete."""
        store = self.service.store
        bucket = given.get("bucket") or self.service.options.bucket[0]
        key, action = given["key"], given.get("action", "put")
        with store.lock:
            if action == "delete":
                store.remove(bucket, key, "Admin")
                return {}
            if action == "put":
                new = self._fresh(key, given)
            else:
                new = self._altered(self._find(bucket, key), action, given)
            if "etag" in given:
                new.etag = given["etag"].strip('"')
            if "meta" in given:
                new.meta = dict(given["meta"])
            if "age_s" in given:
                new.modified = time.time() - float(given["age_s"])
            store.publish(bucket, new, "Admin")
        return {"etag": new.etag, "size": new.size}

    def _fresh(self, key, given):
        if "base64" in given:
            data = base64.b64decode(given["base64"])
        elif "text" in given:
            data = given["text"].encode()
        else:
            size = int(given.get("size", 0))
            return StoredObject(key, [Segment(size, bytes(size) if size < 1 << 20 else None)],
                                hashlib.md5(b"%d" % size).hexdigest())
        return StoredObject(key, [Segment(len(data), data)], hashlib.md5(data).hexdigest(),
                            headers=given.get("headers"))

    def _altered(self, old, action, given):
        """A damaged copy: the ETag stays as it was unless one is given."""
        segments = [Segment(s.size, s.data) for s in old.segments]
        if action in ("flip", "truncate", "extend") and not old.kept:
            delta = {"flip": 0, "truncate": -1, "extend": 1}[action]
            segments = [Segment(max(0, int(given.get("size", old.size + delta))), None)]
        elif action == "flip":
            data, at = bytearray(old.bytes()), int(given.get("offset", 0))
            data[at] ^= 0x01
            segments = [Segment(len(data), data)]
        elif action == "truncate":
            data = old.bytes()[:int(given.get("size", max(0, old.size - 1)))]
            segments = [Segment(len(data), data)]
        elif action == "extend":
            data = old.bytes()
            data += bytes(int(given.get("size", old.size + 1)) - len(data))
            segments = [Segment(len(data), data)]
        elif action != "set":
            raise AdminError("unknown action")
        return StoredObject(old.key, segments, old.etag, old.meta, old.headers, old.modified,
                            old.upload_id)

    def route_post_upload(self, query, given):
        """Makes an open upload ("age_s") and its parts ("part_age_s") older, or forgets it ("forget": true)."""
        store = self.service.store
        with store.lock:
            upload = store.uploads.get(given["id"])
            if upload is None:
                raise AdminError("no such upload")
            if given.get("forget"):
                del store.uploads[upload.id]
            if "age_s" in given:
                upload.initiated = time.time() - float(given["age_s"])
            if "part_age_s" in given:
                for part in upload.parts.values():
                    part.modified = time.time() - float(given["part_age_s"])
        return {}

    def route_post_credentials(self, query, given):
        """Replaces the accepted keys: [{"access_key", "secret_key", "session_token",
        "expires_in_s"}]."""
        new = [Credential(c["access_key"], c["secret_key"], c.get("session_token", ""),
                          time.time() + float(c["expires_in_s"]) if "expires_in_s" in c else 0)
               for c in given]
        self.service.verifier.credentials = {c.access_key: c for c in new}
        return {"accepted": len(new)}
