"""The faults a test can inject: which modes exist and when they fire.

Stages: an `answer` mode replaces the whole answer, a `shape` mode changes
the data or the headers of a good answer, a `body` mode changes how the
bytes of a good answer are sent.  Each mode has the routes it is for when
the test names none, and the parameters it knows with their defaults.
"""

import fnmatch
import random
import threading

ROUTES = ("info", "tree", "paths", "refs", "auth", "resolve", "cache", "cdn", "hub",
          "connect", "other", "any")
API = ("info", "tree", "paths", "refs", "auth")
HUB = API + ("resolve", "cache", "other")
FILE = ("resolve", "cache")
BYTES = ("cache", "cdn")
COMMON = {"id", "route", "path", "repo", "method", "count", "skip", "probability", "seed",
          "delay_ms"}

# name: (stage, default routes, parameters)
MODES = {
    # answers instead of the right one
    "rate_limited": ("answer", ("info", "tree", "resolve"), {"t": 2, "r": 0}),
    "retry_after": ("answer", ("info", "tree", "resolve"), {"seconds": 1}),
    "too_many": ("answer", ("info", "tree", "resolve"), {}),
    "status": ("answer", HUB + ("cdn",), {"status": 503, "headers": {}, "body": None, "rate": 0}),
    "reset_before_headers": ("answer", HUB + ("cdn",), {}),
    "forbidden": ("answer", ("cdn",), {"sticky": True}),
    "invalid_key_pair": ("answer", ("cdn",), {"sticky": True}),
    "invalid_range": ("answer", ("cdn",), {"sticky": True}),
    "unranged_400": ("answer", ("cdn",), {}),
    "bogus_416": ("answer", BYTES, {"total": 177}),
    "head_405": ("answer", FILE, {}),
    "redirect": ("answer", API + FILE, {"status": 307, "location": None}),
    "bare_401": ("answer", HUB, {}),
    "repo_not_found": ("answer", HUB, {}),
    "unauthorized": ("answer", HUB, {}),
    "gated_401": ("answer", FILE, {}),
    "gated_403": ("answer", FILE, {}),
    "disabled": ("answer", FILE, {}),
    "revision_not_found": ("answer", ("tree",) + FILE, {}),
    "entry_not_found": ("answer", ("tree",) + FILE, {}),
    "connection_cap": ("answer", ("cdn",), {"limit": 4, "status": 503}),
    # connection level, before any request
    "reset_on_connect": ("connect", ("connect",), {"listener": "any"}),
    # changed headers or data
    "expire": ("shape", ("resolve",), {"life_s": 2, "cached": False}),
    "no_expires": ("shape", ("resolve",), {}),
    "pin": ("shape", ("resolve",), {"range": "bytes=0-15", "cached": False}),
    "no_linked_size": ("shape", ("resolve",), {}),
    "lying_length": ("shape", FILE, {"length": None}),
    "no_head_length": ("shape", FILE, {}),
    "no_length": ("shape", BYTES, {}),
    "wrong_commit": ("shape", FILE, {"commit": "0" * 39 + "1"}),
    "no_repo_commit": ("shape", FILE, {}),
    "direct_200": ("shape", ("resolve",), {}),
    "relative_302": ("shape", ("resolve",), {}),
    "extra_hop": ("shape", ("cdn",), {}),
    "ignore_range": ("shape", BYTES, {}),
    "wrong_content_range": ("shape", BYTES, {"start_shift": 1, "total_shift": 0}),
    "no_content_range": ("shape", BYTES, {}),
    "gzip": ("shape", ("cache",), {}),
    "starred": ("shape", ("tree", "paths"), {"fields": ["xetHash", "lfs.oid"]}),
    "wrong_size": ("shape", ("tree", "paths"), {"delta": 1}),
    "wrong_sha": ("shape", ("tree", "paths"), {}),
    "link_loop": ("shape", ("tree",), {}),
    "link_relative": ("shape", ("tree",), {}),
    "link_no_space": ("shape", ("tree",), {}),
    "link_foreign": ("shape", ("tree",), {"origin": "http://foreign.invalid"}),
    "link_garbled": ("shape", ("tree",), {}),
    "link_empty_page": ("shape", ("tree",), {}),
    "move_branch": ("shape", ("info",), {"branch": "main", "to": None}),
    "odd_headers": ("shape", HUB + ("cdn",), {}),
    "noise": ("shape", HUB + ("cdn",), {}),
    "close": ("shape", HUB + ("cdn",), {}),
    "delay": ("shape", ("cdn",), {}),
    # the way the bytes are sent
    "reset_after": ("body", BYTES, {"after_bytes": 1000, "at_offset": None}),
    "short_fin": ("body", BYTES, {"after_bytes": 1000, "at_offset": None}),
    "stall": ("body", BYTES, {"after_bytes": 1000, "at_offset": None}),
    "trickle": ("body", BYTES, {"rate": 1000}),
    "flip": ("body", BYTES, {"flip_offset": None}),
}

# row of the contract's table F.11: mode and parameters
ROWS = {
    1: ("rate_limited", {}), 2: ("retry_after", {}), 3: ("too_many", {}), 4: ("status", {}),
    5: ("status", {"status": 408}), 6: ("reset_before_headers", {}), 7: ("reset_after", {}),
    8: ("short_fin", {}), 9: ("stall", {}), 10: ("trickle", {}), 11: ("expire", {}),
    12: ("forbidden", {}), 13: ("pin", {}), 14: ("unranged_400", {}),
    15: ("invalid_key_pair", {}), 16: ("ignore_range", {}), 17: ("wrong_content_range", {}),
    18: ("bogus_416", {}), 19: ("gzip", {}), 20: ("no_linked_size", {}),
    21: ("lying_length", {}), 22: ("head_405", {}), 23: ("redirect", {}),
    25: ("redirect", {"status": 308, "location": "http://foreign.invalid{target}"}),
    26: ("bare_401", {}), 27: ("gated_401", {}), 29: ("unauthorized", {"count": -1}),
    30: ("disabled", {}), 31: ("entry_not_found", {}), 32: ("starred", {}), 33: ("flip", {}),
    34: ("wrong_size", {}), 35: ("wrong_sha", {}), 36: ("wrong_commit", {}),
    37: ("link_loop", {}), 38: ("move_branch", {}), 42: ("delay", {"delay_ms": 700}),
    43: ("connection_cap", {"count": -1}), 44: ("odd_headers", {}), 45: ("close", {}),
    47: ("reset_on_connect", {}), 49: ("noise", {}), 50: ("no_expires", {}),
}
NOT_FAULTS = {
    24: "always on: an id in the wrong case answers 307 to the right one",
    28: "always on: the CDN answers 400 to Authorization (setting strict_auth)",
    39: "a matter of data: put empty files into the repository",
    40: "a matter of data: use odd names; a//b and ../x need a virtual repository",
    41: "a matter of data: use a virtual repository with count or a large size",
    46: "start with --dead-ipv6",
    48: "the Xet protocol is not served",
}


# modes of which a request takes only one; any other mode takes itself only once,
# but several listing faults may meet in one page
GROUPS = {"reset_after": "cut", "short_fin": "cut", "stall": "cut", "link_loop": "link",
          "link_relative": "link", "link_no_space": "link", "link_foreign": "link",
          "link_garbled": "link", "link_empty_page": "link", "starred": None,
          "wrong_size": None, "wrong_sha": None}


class Fault:
    """One injected fault with its selector and what is left of its count."""

    def __init__(self, item):
        if not isinstance(item, dict) or "id" not in item:
            raise ValueError("a fault is an object with an id")
        name = item["id"]
        given = dict(item)
        if isinstance(name, int) or str(name).isdigit():
            row = int(name)
            if row in NOT_FAULTS:
                raise ValueError(f"row {row}: {NOT_FAULTS[row]}")
            if row not in ROWS:
                raise ValueError(f"there is no row {row}")
            name, preset = ROWS[row]
            given = {**preset, **given}
        if name not in MODES:
            raise ValueError(f"unknown fault {name!r}; known: {', '.join(sorted(MODES))}")
        self.mode = name
        self.stage, default_routes, defaults = MODES[name]
        unknown = set(given) - COMMON - set(defaults)
        if unknown:
            raise ValueError(f"fault {name!r}: unknown parameters {sorted(unknown)}")
        self.params = {**defaults, **{k: v for k, v in given.items() if k in defaults}}
        self.routes = self.route_set(given.get("route"), default_routes)
        self.path = given.get("path", "*")
        self.repo = given.get("repo", "*")
        self.method = given.get("method")
        self.count = int(given.get("count", 1))
        self.skip = int(given.get("skip", 0))
        self.probability = float(given.get("probability", 1))
        self.random = random.Random(given.get("seed", 0))
        self.delay_ms = int(given.get("delay_ms", 0))

    @staticmethod
    def route_set(route, default):
        if route is None:
            return default
        names = str(route).split("|")
        for name in names:
            if name not in ROUTES:
                raise ValueError(f"unknown route {name!r}; known: {', '.join(ROUTES)}")
        if "any" in names:
            return HUB + ("cdn", "connect")
        return tuple(n for name in names for n in (HUB if name == "hub" else (name,)))

    def __getitem__(self, name):
        return self.params[name]

    def matches(self, request):
        return (self.count != 0 and request.route in self.routes
                and (self.method is None or self.method == request.method)
                and fnmatch.fnmatchcase(request.repo_key, self.repo))

    def matches_path(self, path):
        return fnmatch.fnmatchcase(path, self.path)

    def due(self):
        """Whether this matching request is hit: skip first, then chance."""
        if self.skip > 0:
            self.skip -= 1
            return False
        return self.probability >= 1 or self.random.random() < self.probability

    def as_dict(self):
        return {"id": self.mode, "routes": list(self.routes), "path": self.path,
                "count": self.count, "skip": self.skip, **self.params}


class Plan:
    """All active faults; every `fire` call consumes what it returns."""

    def __init__(self, counters):
        self.counters = counters
        self.lock = threading.Lock()
        self.faults = []
        self.poisoned = {}  # CDN targets that a sticky fault has spoiled

    def add(self, items):
        if not isinstance(items, list):
            raise ValueError("the body must be a JSON list of faults")
        made = [Fault(item) for item in items]
        with self.lock:
            self.faults.extend(made)
        return len(made)

    def clear(self):
        with self.lock:
            self.faults.clear()
            self.poisoned.clear()

    def as_list(self):
        with self.lock:
            return [fault.as_dict() for fault in self.faults if fault.count]

    def fire(self, stage, request, applies=None, only_one=False):
        """The due faults of a stage; `applies(fault)` says if one could act here."""
        fired, groups = [], set()
        with self.lock:
            if not self.faults:
                return fired
            for fault in self.faults:
                if fault.stage != stage or not fault.matches(request):
                    continue
                if not (applies(fault) if applies else fault.matches_path(request.file_path)):
                    continue
                group = GROUPS.get(fault.mode, fault.mode)
                if not fault.due() or (only_one and fired) or group in groups:
                    continue
                groups |= {group} - {None}
                fault.count -= 1 if fault.count > 0 else 0
                fired.append(fault)
        for fault in fired:
            self.counters.fired(fault.mode)
        return fired

    def answer(self, request, applies):
        """The fault that replaces this answer, or None; sticky ones poison a URL."""
        if request.route == "cdn" and request.target in self.poisoned:
            return self.poisoned[request.target]
        fired = self.fire("answer", request, only_one=True, applies=applies)
        if not fired:
            return None
        if fired[0].params.get("sticky") and request.route == "cdn":
            self.poisoned[request.target] = fired[0]
        return fired[0]
