"""Settings, rate limits and counters of the stand-in Hub."""

import collections
import threading
import time

QUOTAS = {"api": 500, "resolvers": 3000, "pages": 100}


class Settings:
    """What the command line sets and `POST /_admin/settings` can change."""

    NAMES = ("page_size", "cdn_ttfb_ms", "cdn_rate", "unranged_limit", "xet", "gzip",
             "strict_auth", "url_life_s", "path_prefix")

    def __init__(self, **values):
        self.page_size = 1000
        self.cdn_ttfb_ms = 0
        self.cdn_rate = 0
        self.unranged_limit = 50_000_000_000
        self.xet = True
        self.gzip = True
        self.strict_auth = True
        self.url_life_s = 3600
        self.path_prefix = ""  # a mirror below this path, which hands on what the Hub says of addresses unchanged
        self.update(values)

    def update(self, values):
        for name, value in values.items():
            if name not in self.NAMES:
                raise ValueError(f"unknown setting {name!r}; known: {', '.join(self.NAMES)}")
            kind = type(getattr(self, name))
            if not isinstance(value, kind if kind in (bool, str) else int):
                raise ValueError(f"setting {name!r} wants {kind.__name__}")
            setattr(self, name, value)

    def as_dict(self):
        return {name: getattr(self, name) for name in self.NAMES}


class Release:
    """An event that ends every wait: replaced at each reset, final at the end."""

    def __init__(self):
        self.event = threading.Event()

    def __call__(self):
        return self.event

    def renew(self):
        old, self.event = self.event, threading.Event()
        old.set()


class RateLimits:
    """The RateLimit headers of each bucket.

    By default they show a fresh window and nothing is enforced.  A bucket
    given `remaining`/`reset` shows those for ever; a bucket given
    `quota`/`window` counts requests in fixed windows and refuses the rest.
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.buckets = {}

    def configure(self, options):
        name = options.get("bucket")
        if name not in QUOTAS:
            raise ValueError(f"bucket must be one of {', '.join(QUOTAS)}")
        unknown = set(options) - {"bucket", "remaining", "reset", "quota", "window"}
        if unknown:
            raise ValueError(f"unknown rate limit options: {sorted(unknown)}")
        with self.lock:
            self.buckets[name] = dict(options, used=0, began=None)

    def clear(self):
        with self.lock:
            self.buckets.clear()

    def take(self, name):
        """Book one request: (allowed, headers, seconds to the reset)."""
        with self.lock:
            bucket = self.buckets.get(name, {})
            quota = bucket.get("quota", QUOTAS[name])
            window = bucket.get("window", 300)
            allowed = True
            if "quota" in bucket:
                now = time.monotonic()
                if bucket["began"] is None or now - bucket["began"] >= window:
                    bucket.update(began=now, used=0)
                allowed = bucket["used"] < quota
                bucket["used"] += 1 if allowed else 0
                remaining = quota - bucket["used"]
                reset = max(1, int(window - (now - bucket["began"])))  # rounded down: what is hardest on a client
            else:
                remaining = bucket.get("remaining", quota - 1)
                reset = bucket.get("reset", window)
        return allowed, rate_headers(name, remaining, reset, quota, window), reset


def rate_headers(name, remaining, reset, quota=None, window=300):
    quota = QUOTAS[name] if quota is None else quota
    return [("RateLimit", f'"{name}";r={remaining};t={reset}'),
            ("RateLimit-Policy", f'"fixed window";"{name}";q={quota};w={window}')]


def bucket_of(path):
    if "/resolve/" in path or "/resolve-cache/" in path:
        return "resolvers"
    return "api" if path.startswith("/api/") else "pages"


class Counters:
    """Everything the tests assert on; read it with GET /_admin/counters."""

    def __init__(self):
        self.lock = threading.Lock()
        self.open = {"hub": 0, "cdn": 0}
        self.clear()

    def clear(self):
        with self.lock:
            self.requests = collections.Counter()
            self.statuses = collections.defaultdict(collections.Counter)
            self.resolves = collections.Counter()
            self.ranged_resolves = 0
            self.authorization = {"hub": 0, "cdn": 0}
            self.tokens = {"equal": 0, "different": 0}
            self.bytes = collections.Counter()
            self.bytes_by_listener = {"hub": 0, "cdn": 0}
            self.connections = {"hub": 0, "cdn": 0}
            self.peak_connections = {"hub": 0, "cdn": 0}
            self.peak_requests = {"hub": 0, "cdn": 0}
            self.unranged_cdn_gets = 0
            self.encodings = {"hub": collections.Counter(), "cdn": collections.Counter()}
            self.user_agents = collections.Counter()
            self.faults_fired = collections.Counter()
            self.last = collections.deque(maxlen=2000)

    def connected(self, listener, count):
        with self.lock:
            self.connections[listener] += 1
            self.peak_connections[listener] = max(self.peak_connections[listener], count)

    def busy(self, listener, count):
        with self.lock:
            self.peak_requests[listener] = max(self.peak_requests[listener], count)

    def served(self, key, listener, count):
        with self.lock:
            self.bytes_by_listener[listener] += count
            if key:
                self.bytes[key] += count

    def token(self, equal):
        with self.lock:
            self.tokens["equal" if equal else "different"] += 1

    def fired(self, mode):
        with self.lock:
            self.faults_fired[mode] += 1

    def log(self, listener, request, response):
        """Book one answered request; called before the answer is sent."""
        if request.route == "admin":
            return
        status = response.status or "reset"
        ranged = request.header("range")
        with self.lock:
            self.requests[request.route] += 1
            self.statuses[request.route][str(status)] += 1
            self.encodings[listener][request.header("accept-encoding", "(none)")] += 1
            self.user_agents[request.header("user-agent", "(none)")] += 1
            if request.header("authorization") is not None:
                self.authorization[listener] += 1
            if request.route == "resolve":
                self.resolves[f"{request.repo_key}/{request.file_path}"] += 1
                self.ranged_resolves += ranged is not None
            if request.route == "cdn" and request.method == "GET" and ranged is None:
                self.unranged_cdn_gets += 1
            self.last.append({"listener": listener, "method": request.method,
                              "path": request.path, "range": ranged, "status": status})

    def as_dict(self):
        with self.lock:
            return {
                "requests": dict(self.requests),
                "statuses": {route: dict(c) for route, c in self.statuses.items()},
                "resolves": dict(self.resolves),
                "ranged_resolves": self.ranged_resolves,
                "authorization": dict(self.authorization),
                "tokens": dict(self.tokens),
                "bytes": {k: v for k, v in self.bytes.items() if v},
                "bytes_by_listener": dict(self.bytes_by_listener),
                "connections": dict(self.connections),
                "peak_connections": dict(self.peak_connections),
                "peak_requests": dict(self.peak_requests),
                "unranged_cdn_gets": self.unranged_cdn_gets,
                "accept_encoding": {k: dict(v) for k, v in self.encodings.items()},
                "user_agents": dict(self.user_agents),
                "faults_fired": dict(self.faults_fired),
                "last_requests": list(self.last),
            }
