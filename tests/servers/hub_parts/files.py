"""The file routes: resolve, resolve-cache and the CDN."""

import base64
import gzip
import hashlib
import json
import re
import secrets
import threading
import time
import urllib.parse

from . import answers
from .answers import TEXT_TYPE
from .api import decode, encode_path, other_digit
from .repos import SHA, TYPES
from .wire import Response

FILEINFO = "application/vnd.xet-fileinfo+json"
WARNING = "unauthenticated; set a token for higher rate limits"
LFS_ONLY = {"expire", "no_expires", "pin", "no_linked_size", "relative_302"}
FROM_A_CACHE = {"expire", "pin"}  # with `cached`: an old redirect, which "no-cache" gets past
ON_RESOLVE = LFS_ONLY | {"wrong_commit", "no_repo_commit", "lying_length", "direct_200",
                         "wrong_size", "wrong_sha", "no_head_length"}
ON_BYTES = {"ignore_range", "wrong_content_range", "no_content_range", "no_length"}
ON_CACHE = ON_BYTES | {"gzip", "wrong_commit", "no_repo_commit", "lying_length",
                       "no_head_length"}
ON_CDN = ON_BYTES | {"extra_hop", "gzip", "no_head_length"}
NEED_RANGE = {"ignore_range", "wrong_content_range", "no_content_range"}


def parse_range(value, size):
    """None when absent, not understood or multiple; "bad" when unsatisfiable; else a span."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", value or "")
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
        return (start, end) if int(last) and size else "bad"
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        return "bad"
    return start, min(size, int(last) + 1) if last else size


def cloudfront(data):
    """Base64 in the URL alphabet of signed CDN links."""
    return base64.b64encode(data).decode().translate(str.maketrans("+=/", "-_~"))


class Minted:
    """What one signed CDN URL stands for."""

    def __init__(self, repo_key, entry, pin, expires, chunk_etag):
        self.repo_key = repo_key
        self.entry = entry
        self.pin = pin
        self.expires = expires
        self.etag = chunk_etag


class Files:
    """Serves the bytes of one Hub and of its CDN."""

    def __init__(self, hub):
        self.hub = hub
        self.minted = {}
        self.lock = threading.Lock()
        self.secret = secrets.token_bytes(16)
        self.number = 0

    # -- finding out what is asked ----------------------------------------

    def classify(self, request, segments):
        """Recognise /[type/]id/resolve/rev/path and /api/resolve-cache/...; False if neither."""
        if segments[:2] == ["api", "resolve-cache"] and len(segments) > 4:
            kind, rest = segments[2], segments[3:]
            if kind not in TYPES:
                return False
            at = next((n for n in (2, 1) if len(rest) > n and SHA.match(rest[n])), None)
            request.route = "cache"
            prefix, revision_at = f"/api/resolve-cache/{kind}/", at
        else:
            kind = segments[0] if segments[0] in ("datasets", "spaces") else "models"
            rest = segments[1:] if kind != "models" else segments
            at = next((n for n in (2, 1) if len(rest) > n + 1 and rest[n] == "resolve"), None)
            request.route = "resolve"
            prefix = f"/{kind}/" if kind != "models" else "/"
            revision_at = None if at is None else at + 1
        if at is None or len(rest) <= revision_at + 1:
            request.route = "other"
            return False
        ids = rest[:at]
        request.repo_key = f"{kind}/{'/'.join(ids)}"
        request.id_place = (prefix, "/".join(ids))
        request.file_path = decode("/".join(rest[revision_at + 1:]))
        request.parts = (kind, ids, rest[revision_at])
        return True

    def open_file(self, request):
        """(repo, snapshot, entry, None) or (.., the answer that says why not)."""
        kind, ids, revision = request.parts
        if any("%2f" in part.lower() for part in ids):
            return None, None, None, answers.bad_request(
                "Invalid repo id: the slash must not be encoded")
        repo, refused = self.hub.open_repo(request, kind, "/".join(decode(p) for p in ids))
        if refused is None and request.method not in ("GET", "HEAD"):
            refused = answers.method_not_allowed("GET, HEAD")
        refused = refused or self.hub.access.file_error(request, repo)
        if refused is not None:
            return None, None, None, refused
        snapshot = repo.resolve(decode(revision))
        if snapshot is None:
            return None, None, None, answers.revision_not_found(decode(revision))
        request.sha = snapshot.sha
        entry = snapshot.entries.get(request.file_path)
        if entry is None:
            return None, None, None, answers.entry_not_found(snapshot.sha)
        return repo, snapshot, entry, None

    def fire(self, request, entry, modes):
        """The shape faults that could change this answer."""
        def applies(fault):
            return (fault.mode in modes and fault.matches_path(request.file_path)
                    and (fault.mode not in LFS_ONLY or entry.lfs)
                    and (fault.mode not in NEED_RANGE or "range" in request.headers)
                    and (fault.mode != "no_head_length" or request.method == "HEAD")
                    and (fault.mode != "lying_length" or request.route == "resolve"
                         or request.method == "HEAD"))
        return {f.mode: f for f in self.hub.plan.fire("shape", request, applies)}

    # -- resolve ----------------------------------------------------------

    def resolve(self, request):
        repo, snapshot, entry, refused = self.open_file(request)
        if refused is not None:
            return refused
        modes = self.fire(request, entry, ON_RESOLVE)
        if "no-cache" in request.header("cache-control", ""):
            modes = {name: fault for name, fault in modes.items() if not (name in FROM_A_CACHE and fault["cached"])}
        headers = [("X-Repo-Commit", snapshot.sha), ("Accept-Ranges", "bytes"),
                   ("Cross-Origin-Opener-Policy", "same-origin"),
                   ("Referrer-Policy", "strict-origin-when-cross-origin"),
                   ("Access-Control-Allow-Origin", "*"),
                   ("Content-Security-Policy", "default-src 'none'; sandbox")]
        if "authorization" not in request.headers:
            headers.append(("x-hf-warning", WARNING))
        if entry.lfs:
            headers += self.lfs_headers(repo, snapshot, entry, modes)
        if "direct_200" in modes:
            etag = entry.sha256 if entry.lfs else entry.oid
            response = self.bytes_answer(request, entry, headers, f'"{etag}"', {}, False)
        elif entry.lfs:
            response = self.resolve_lfs(request, repo, snapshot, entry, headers, modes)
        else:
            response = answers.redirect(307, self.cache_location(request, repo, snapshot,
                                                                 entry.oid), headers)
        if "lying_length" in modes:
            length = modes["lying_length"]["length"] or (341 if entry.size != 341 else 342)
            response.body, response.start, response.end = b" " * length, 0, length
        self.commit_faults(request, response, modes)
        return response

    def lfs_headers(self, repo, snapshot, entry, modes):
        size, sha256 = entry.size, entry.sha256
        size += modes["wrong_size"]["delta"] if "wrong_size" in modes else 0
        sha256 = other_digit(sha256) if "wrong_sha" in modes else sha256
        headers = [("Cache-Control", "no-store"), ("X-Linked-ETag", f'"{sha256}"')]
        if "no_linked_size" not in modes:
            headers.append(("X-Linked-Size", str(size)))
        if self.hub.settings.xet:
            hub, cdn = self.hub.origins["hub"], self.hub.origins["cdn"]
            headers += [
                ("X-Xet-Hash", entry.xet_hash),
                ("Link", f"<{hub}/api/{repo.kind}/{encode_path(repo.name)}/xet-read-token/"
                         f'{snapshot.sha}>; rel="xet-auth", '
                         f"<{cdn}/v1/reconstructions/{entry.xet_hash}>; "
                         'rel="xet-reconstruction-info"')]
        return headers

    def resolve_lfs(self, request, repo, snapshot, entry, headers, modes):
        if self.hub.settings.xet and FILEINFO in request.header("accept", ""):
            hub, cdn = self.hub.origins["hub"], self.hub.origins["cdn"]
            body = {"hash": entry.xet_hash, "etag": entry.sha256, "size": entry.size,
                    "refreshUrl": f"{hub}/api/{repo.kind}/{repo.name}/xet-read-token/"
                                  f"{snapshot.sha}",
                    "reconstructionUrl": f"{cdn}/v1/reconstructions/{entry.xet_hash}"}
            return Response(200, [("Content-Type", FILEINFO), ("ETag", f'"{entry.sha256}"'),
                                  *headers], json.dumps(body).encode())
        if "relative_302" in modes:
            return answers.redirect(302, self.cache_location(request, repo, snapshot,
                                                             entry.sha256), headers)
        pin = request.header("range")
        if "pin" in modes:
            pin = modes["pin"]["range"]
        life = modes["expire"]["life_s"] if "expire" in modes else self.hub.settings.url_life_s
        return answers.redirect(302, self.mint(repo, entry, pin, life, "no_expires" in modes),
                                headers)

    @staticmethod
    def cache_location(request, repo, snapshot, etag):
        asked = urllib.parse.quote(urllib.parse.unquote(request.path), safe="")
        return (f"/api/resolve-cache/{repo.kind}/{encode_path(repo.name)}/{snapshot.sha}/"
                f"{encode_path(request.file_path)}?{asked}=&etag=%22{etag}%22")

    def mint(self, repo, entry, pin, life, hide_expires=False):
        """A signed absolute CDN URL; only this exact text will be accepted."""
        expires = int(time.time()) + life
        name = entry.path.rpartition("/")[2]
        shown = urllib.parse.quote_plus(
            f"inline; filename*=UTF-8''{urllib.parse.quote(name)}; filename=\"{name}\";",
            safe="*()!~")
        resource = (f"/xet-bridge-us/{repo.id}/{entry.xet_hash}"
                    f"?response-content-disposition={shown}")
        condition = {"DateLessThan": {"AWS:EpochTime": expires}}
        if pin is not None:
            condition["ByteRange"] = {"ExpectedHeader": pin}
        origin = self.hub.origins["cdn"]
        policy = {"Statement": [{"Resource": origin + resource, "Condition": condition}]}
        with self.lock:
            self.number += 1
            number = self.number
        signature = hashlib.sha256(self.secret + f"{number} {resource}".encode()).digest()
        target = (resource + ("" if hide_expires else f"&Expires={expires}")
                  + "&Policy=" + cloudfront(json.dumps(policy).encode())
                  + "&Signature=" + cloudfront(signature)
                  + "&Key-Pair-Id=01J8STANDIN0000000000000000")
        record = Minted(repo.key, entry, pin, expires, entry.xet_hash)
        with self.lock:
            self.minted[target] = record
        return origin + target

    # -- resolve-cache ----------------------------------------------------

    def cache(self, request):
        repo, snapshot, entry, refused = self.open_file(request)
        if refused is not None:
            return refused
        etag = f'"{entry.sha256 if entry.lfs else entry.oid}"'
        headers = [("X-Repo-Commit", snapshot.sha)]
        asked = request.header("if-none-match", "")
        known = [t.strip().removeprefix("W/") for t in asked.split(",")]
        if asked and (etag in known or "*" in known):
            return Response(304, [("ETag", etag), *headers])
        modes = self.fire(request, entry, ON_CACHE)
        compress = (self.hub.settings.gzip and not entry.lfs and entry.size > 0
                    and "gzip" in request.header("accept-encoding", ""))
        response = self.bytes_answer(request, entry, headers, etag, modes, compress)
        if "lying_length" in modes:
            response.declared = modes["lying_length"]["length"] or 341
        self.commit_faults(request, response, modes)
        return response

    @staticmethod
    def commit_faults(request, response, modes):
        if "wrong_commit" in modes:
            response.set("X-Repo-Commit", modes["wrong_commit"]["commit"])
        if "no_repo_commit" in modes:
            response.drop("X-Repo-Commit")
        if "no_head_length" in modes:
            response.length = False

    def bytes_answer(self, request, entry, headers, etag, modes, compress):
        """200, 206 or 416 with the bytes of a file, or a gzip answer to any of them."""
        kind = ("Content-Type", "application/octet-stream" if entry.lfs else TEXT_TYPE[1])
        key = f"{request.repo_key}/{request.file_path}"
        if compress or "gzip" in modes:
            data = gzip.compress(entry.content.read(), 1, mtime=0)
            response = Response(200, [kind, *headers, ("ETag", "W/" + etag),
                                      ("Content-Encoding", "gzip"),
                                      ("Vary", "Accept-Encoding")], data)
            response.drop("Accept-Ranges")
            response.chunked, response.count_key = True, key
            return response
        span = None
        if "ignore_range" not in modes:
            span = parse_range(request.header("range"), entry.size)
        if span == "bad":
            return answers.out_of_range(entry.size)
        response = Response(200, [kind, *headers, ("ETag", etag)], entry.content)
        response.set("Accept-Ranges", "bytes")
        response.count_key = key
        if span is not None:
            response.status = 206
            response.start, response.end = span
            start, total = response.start, entry.size
            if "wrong_content_range" in modes:
                start += modes["wrong_content_range"]["start_shift"]
                total += modes["wrong_content_range"]["total_shift"]
            if "no_content_range" not in modes:
                last = start + response.end - response.start - 1
                response.set("Content-Range", f"bytes {start}-{last}/{total}")
        response.length = "no_length" not in modes
        return response

    # -- CDN --------------------------------------------------------------

    def classify_cdn(self, request):
        request.route = "cdn"
        record = self.minted.get(request.target)
        if record is not None:
            request.repo_key, request.file_path = record.repo_key, record.entry.path
        request.parts = record

    def cdn(self, request):
        """The checks of F.7 in its order; the Authorization check came before."""
        record = request.parts
        if request.method not in ("GET", "HEAD"):
            return answers.html(405)
        if not request.path.startswith("/xet-bridge-us/"):
            return answers.html(404)
        if record is None:
            return answers.forbidden_xml("The signature does not match", "SignatureDoesNotMatch")
        if time.time() >= record.expires:
            return answers.forbidden_xml()
        ranged = request.header("range")
        if record.pin is not None and ranged != record.pin:
            return answers.forbidden_text("Auth failed: invalid range")
        entry = record.entry
        if ranged is None and request.method == "GET" and (
                entry.size >= self.hub.settings.unranged_limit):
            return answers.html(400)
        modes = self.fire(request, entry, ON_CDN)
        if "extra_hop" in modes:
            repo = self.hub.store.find(*request.repo_key.split("/", 1))
            return answers.redirect(302, self.mint(repo, entry, record.pin, 3600))
        response = self.bytes_answer(request, entry, [("x-hf-cdn-pop", "stand-in")],
                                     f'"{record.etag}"', modes, False)
        if "no_head_length" in modes:
            response.length = False
        return response
