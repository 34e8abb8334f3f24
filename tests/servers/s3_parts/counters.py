"""What has happened: counts, peaks, the latest requests, header names."""

import collections
import threading
import time

LOG_LENGTH = 5000


class Counters:
    """Shared by all connections; waiting for an event needs no polling."""

    def __init__(self):
        self.changed = threading.Condition()
        # What is the case just now; a reset does not change it.
        self.open_connections = self.stalled = 0
        self.in_flight = collections.Counter()
        self.clear()

    def clear(self):
        with self.changed:
            self.sequence = 0
            self.started, self.done = collections.Counter(), collections.Counter()
            self.statuses = collections.defaultdict(collections.Counter)
            self.headers = collections.defaultdict(collections.Counter)
            self.auth_failures = collections.Counter()
            self.peak = collections.Counter(self.in_flight)
            self.stalls = self.idle_timeouts = self.cut_bodies = 0
            self.connections = self.connections_used_again = 0
            self.peak_connections = self.open_connections
            self.bytes_received = self.bytes_sent = 0
            self.log = collections.deque(maxlen=LOG_LENGTH)
            self.changed.notify_all()

    def connection(self, step):
        with self.changed:
            self.open_connections += step
            if step > 0:
                self.connections += 1
            self.peak_connections = max(self.peak_connections, self.open_connections)
            self.changed.notify_all()

    def start(self, request, again):
        with self.changed:
            self.started[request.op] += 1
            self.connections_used_again += bool(again)
            for op in (request.op, "any"):
                self.in_flight[op] += 1
                self.peak[op] = max(self.peak[op], self.in_flight[op])
            for name in request.head.first:
                self.headers[request.op][name] += 1
            self.changed.notify_all()

    def leave(self, request, sent):
        """After the answer, or after the end of the connection."""
        with self.changed:
            for op in (request.op, "any"):
                self.in_flight[op] -= 1
            self.bytes_sent += sent

    def finish(self, request, status, fault, body_bytes, began):
        """Just before the answer is sent, so that whoever has it finds it counted."""
        with self.changed:
            self.sequence += 1
            self.done[request.op] += 1
            self.statuses[request.op][str(status)] += 1
            self.bytes_received += body_bytes
            self.log.append({
                "seq": self.sequence, "op": request.op, "bucket": request.bucket,
                "key": request.key, "part": request.part,
                "upload_id": request.query.get("uploadId"), "status": status, "fault": fault,
                "body_bytes": body_bytes, "region": request.signed.region,
                "start": round(began, 6), "end": round(time.time(), 6)})
            self.changed.notify_all()

    def auth_failure(self, code):
        with self.changed:
            self.auth_failures[code] += 1

    def bump(self, name, step=1):
        with self.changed:
            setattr(self, name, getattr(self, name) + step)
            self.changed.notify_all()

    def wait(self, event, op, count, timeout):
        """Waits until `count` requests of `op` have started, ended or stalled, or until at most `count`
        connections are open, the asker's own among them."""
        if event == "open":
            with self.changed:
                self.changed.wait_for(lambda: self.open_connections <= count, timeout)
                return self.open_connections
        def value():
            if event == "stalled":
                return self.stalled
            table = self.started if event == "started" else self.done
            return sum(table.values()) if op == "any" else table[op]

        with self.changed:
            self.changed.wait_for(lambda: value() >= count, timeout)
            return value()

    def describe(self):
        with self.changed:
            return {
                "requests": dict(self.started), "done": dict(self.done),
                "statuses": {op: dict(c) for op, c in self.statuses.items()},
                "bad_signatures": sum(n for c, n in self.auth_failures.items()
                                      if c != "ExpiredToken"),
                "auth_failures": dict(self.auth_failures),
                "bytes_received": self.bytes_received, "bytes_sent": self.bytes_sent,
                "connections": self.connections, "open_connections": self.open_connections,
                "connections_used_again": self.connections_used_again,
                "peak_connections": self.peak_connections,
                "peak_requests": self.peak["any"],
                "peak_by_op": {k: v for k, v in self.peak.items() if k != "any"},
                "in_flight": {k: v for k, v in self.in_flight.items() if v and k != "any"},
                "stalled": self.stalled, "stalls": self.stalls,
                "idle_timeouts": self.idle_timeouts, "cut_bodies": self.cut_bodies,
                "header_names": sorted({n for c in self.headers.values() for n in c}),
                "headers_by_op": {op: dict(c) for op, c in self.headers.items()},
                "log": list(self.log),
            }
