"""The stand-in itself: ties listeners, routes, faults and counters together."""

import itertools
import json
import socket
import ssl

from . import answers
from .access import Access
from .admin import Admin
from .api import Api, decode
from .content import Digests
from .faults import Plan
from .files import Files
from .repos import TYPES, Store
from .state import Counters, RateLimits, Release, Settings, bucket_of
from .wire import Listener, Request, Reset, Shaping

EXPOSED = ("X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,"
           "Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash")
GENERIC = ("odd_headers", "noise", "close", "delay")


class Hub:
    """Both listeners and everything behind them."""

    def __init__(self, root, port=0, cdn_port=0, virtual=None, digest_cache=None, tls=None, cdn_tls=None,
                 user_tokens=("hf_user",), host_name="127.0.0.1", settings=None):
        self.settings = Settings(**(settings or {}))
        self.counters = Counters()
        self.plan = Plan(self.counters)
        self.limits = RateLimits()
        self.release = Release()
        self.store = Store(root, Digests(digest_cache), virtual)
        self.access = Access(self.store, self.counters, user_tokens)
        self.api = Api(self)
        self.files = Files(self)
        self.admin = Admin(self)
        self.ids = itertools.count(1)
        contexts = {"hub": self.tls_context(tls), "cdn": self.tls_context(cdn_tls or tls)}
        self.listeners = {
            name: Listener(name, number, contexts[name], self.counters, self.release, host_name)
            for name, number in (("hub", port), ("cdn", cdn_port))}
        self.listeners["hub"].handler = self.handle_hub
        self.listeners["cdn"].handler = self.handle_cdn
        for listener in self.listeners.values():
            listener.connect_fault = self.connect_fault
        self.origins = {name: one.origin for name, one in self.listeners.items()}

    @staticmethod
    def tls_context(pair):
        if pair is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        return context

    def start(self):
        for listener in self.listeners.values():
            listener.start()

    # -- common to both listeners ------------------------------------------

    def connect_fault(self, listener):
        probe = Request(listener, "CONNECT", "", {}, b"")
        probe.route = "connect"
        return bool(self.plan.fire("connect", probe,
                                   lambda f: f["listener"] in ("any", listener.name)))

    @staticmethod
    def applies(fault, request):
        """Whether an answer fault could act on this request."""
        if not fault.matches_path(request.file_path):
            return False
        if fault.mode == "head_405":
            return request.method == "HEAD"
        if fault.mode == "bogus_416":
            return "range" in request.headers
        if fault.mode == "unranged_400":
            return request.method == "GET" and "range" not in request.headers
        if fault.mode == "connection_cap":
            return request.listener.in_flight > fault["limit"]
        return True

    def fault_answer(self, request):
        fault = self.plan.answer(request, lambda f: self.applies(f, request))
        if fault is None:
            return None
        if fault.mode == "entry_not_found" and request.route in ("resolve", "cache"):
            kind, ids, revision = request.parts
            repo = self.store.find(kind, "/".join(ids))
            request.sha = getattr(repo and repo.resolve(decode(revision)), "sha", None)
        response = answers.of_fault(fault, request, bucket_of(request.path), self.origins)
        rate = fault.params.get("rate", 0)
        if fault.delay_ms or rate:
            response.shaping = Shaping()
            response.shaping.delay_ms = fault.delay_ms
            response.shaping.rate = rate
        return response

    def finish(self, request, response):
        """Header noise, delays and the way the body is sent."""
        if isinstance(response, Reset):
            return response
        shaping = response.shaping or Shaping()
        if request.route == "cdn":
            shaping.delay_ms += self.settings.cdn_ttfb_ms
            shaping.rate = shaping.rate or self.settings.cdn_rate
        shapes = self.plan.fire("shape", request, lambda f: (
            f.mode in GENERIC and f.matches_path(request.file_path)))
        bodies = self.plan.fire("body", request, lambda f: self.body_applies(f, request,
                                                                             response))
        for fault in shapes + bodies:
            shaping.delay_ms += fault.delay_ms
        modes = {fault.mode for fault in shapes}
        if "close" in modes:
            response.close = True
        if "noise" in modes:
            response.headers += [("Set-Cookie", "a=1; Path=/; Secure"), ("Set-Cookie", "b=2"),
                                 ("x-hf-warning", "unauthenticated; noise")]
        if "odd_headers" in modes:
            odd_headers(response)
        for fault in bodies:
            self.shape_body(fault, response, shaping)
        response.shaping = shaping
        return response

    @staticmethod
    def body_applies(fault, request, response):
        length = response.end - response.start
        if (request.method == "HEAD" or response.status not in (200, 206) or not length
                or not fault.matches_path(request.file_path)):
            return False
        offset = fault.params.get("at_offset", fault.params.get("flip_offset"))
        if offset is not None:
            return response.start <= offset < response.end
        return fault.params.get("after_bytes", 0) < length

    @staticmethod
    def shape_body(fault, response, shaping):
        if fault.mode == "flip":
            offset = fault["flip_offset"]
            middle = (response.start + response.end) // 2
            shaping.flip_at = middle if offset is None else offset
        elif fault.mode == "trickle":
            shaping.rate = fault["rate"]
        else:
            offset = fault["at_offset"]
            shaping.cut_at = fault["after_bytes"] if offset is None else offset - response.start
            shaping.cut_how = {"reset_after": "reset", "short_fin": "fin",
                               "stall": "stall"}[fault.mode]

    # -- the Hub listener --------------------------------------------------

    def handle_hub(self, request):
        prefix = self.settings.path_prefix
        if prefix and not request.path.startswith("/_admin/"):
            if not request.path.startswith(prefix + "/"):
                request.route = "other"
                return answers.html(404)
            request.target, request.path = request.target[len(prefix):], request.path[len(prefix):]
        segments = request.path[1:].split("/")
        try:
            self.classify(request, segments)
        except ValueError:
            return self.hub_headers(request, answers.bad_request("Invalid path encoding"), [])
        if request.route == "admin":
            return self.admin.answer(request)
        allowed, limit_headers, _ = self.limits.take(bucket_of(request.path))
        if not allowed:
            return self.hub_headers(request, answers.too_many(), limit_headers)
        response = self.fault_answer(request)
        if response is None:
            try:
                response = self.route(request, segments)
            except UnicodeDecodeError:
                response = answers.bad_request("Invalid path encoding")
        if not response.bare:
            self.hub_headers(request, response, limit_headers)
        return self.finish(request, response)

    def hub_headers(self, request, response, limit_headers):
        for name, value in [*limit_headers,
                            ("X-Request-Id", f"Root=1-{next(self.ids):08x}-00standin"),
                            ("x-powered-by", "huggingface-moon"),
                            ("Access-Control-Expose-Headers", EXPOSED),
                            ("Vary", "Origin")]:
            if response.get(name) is None:
                response.headers.append((name, value))
        return response

    def classify(self, request, segments):
        if segments[0] == "_admin":
            request.route = "admin"
        elif segments[0] == "api" and len(segments) > 2 and segments[1] in TYPES:
            self.api.classify(request, segments[1], segments[2:])
        else:
            self.files.classify(request, segments)

    def route(self, request, segments):
        if request.route == "resolve":
            return self.files.resolve(request)
        if request.route == "cache":
            return self.files.cache(request)
        if request.parts is not None:
            return self.api.answer(request)
        if segments == ["api", "agent-harnesses"]:
            return answers.json_answer({})
        if segments == ["api", "whoami-v2"]:
            token = self.access.bearer(request)
            if not token or token in self.access.revoked or not self.access.known(token):
                return answers.unauthorized()
            return answers.json_answer({"type": "user", "name": "stand-in"})
        return answers.error(404, "Not found")

    def open_repo(self, request, kind, name):
        """(repository, None), or (None, the answer that keeps the caller out)."""
        repo = self.store.find(kind, name)
        self.access.count(request, repo)
        refused = self.access.token_error(request)
        if refused is not None:
            return None, refused
        target = None
        if repo is None:
            target = self.store.other_case(kind, name)
            other = self.store.find(kind, target) if target else None
            if other is None or self.access.hidden(request, other):
                return None, self.access.missing(request)
        elif self.access.hidden(request, repo):
            return None, self.access.missing(request)
        else:
            target = repo.options()["renamed_to"]
        if target:
            prefix, shown = request.id_place
            location = prefix + target + request.target[len(prefix) + len(shown):]
            return None, answers.redirect(307, location)
        request.repo = repo
        return repo, None

    # -- the CDN listener --------------------------------------------------

    def handle_cdn(self, request):
        self.files.classify_cdn(request)
        if "authorization" in request.headers:
            record = request.parts
            repo = self.store.find(*record.repo_key.split("/", 1)) if record else None
            self.access.count(request, repo)
            if self.settings.strict_auth:
                return answers.html(400)
        response = self.fault_answer(request)
        if response is None:
            response = self.files.cdn(request)
        return self.finish(request, response)


def odd_headers(response):
    """Duplicates, mixed case, a very long header and a folded one."""
    response.headers = [("".join(c.upper() if n % 2 else c.lower()
                                 for n, c in enumerate(name)), value)
                        for name, value in response.headers]
    response.headers += [("Accept-Ranges", "bytes"), ("accept-ranges", "bytes"),
                         ("Content-Security-Policy", "default-src 'none'; " + "x" * 20000)]
    response.raw_headers += b"Vary: Origin,\r\n Accept-Encoding\r\n"


def dead_ipv6(port):
    """A socket on [::1]:port whose queue is full, so that connections hang."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::1", port))
    sock.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        filler.setblocking(False)
        filler.connect_ex(("::1", port))
        fillers.append(filler)
    return [sock, *fillers]


def load_json(path):
    if path is None:
        return None
    with open(path, encoding="utf-8") as handle:
        return json.load(handle)
