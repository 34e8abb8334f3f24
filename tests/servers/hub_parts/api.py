"""The API routes: info, tree, paths-info, refs, auth-check and small ones."""

import base64
import json
import urllib.parse

from . import answers
from .answers import json_answer

WORDS = ("revision", "tree", "paths-info", "refs", "auth-check", "treesize",
         "xet-read-token")
ROUTE_OF = {"": "info", "revision": "info", "tree": "tree", "paths-info": "paths",
            "refs": "refs", "auth-check": "auth", "treesize": "tree"}
EXPANDABLE = set("""author baseModels cardData childrenModelCount citation config createdAt
datasets description disabled downloads downloadsAllTime evalResults gated gguf inference
inferenceProviderMapping lastModified library_name likes mainSize mask_token model-index models
paperswithcode_id pipeline_tag private resourceGroup runtime safetensors sdk sha siblings spaces
subdomain tags transformersInfo trendingScore usedStorage widgetData xetEnabled""".split())
DATE = "2026-08-01T00:00:00.000Z"


def decode(segment):
    """Percent-decode one segment; raises ValueError when it is not UTF-8."""
    return urllib.parse.unquote_to_bytes(segment).decode("utf-8")


def encode_path(path):
    return "/".join(urllib.parse.quote(part, safe="") for part in path.split("/"))


def is_true(query, name):
    return query.get(name, ["false"])[-1].lower() in ("true", "1")


def split_api(segments):
    """([repo id segments], word, [rest]) of what follows /api/{type}/."""
    for count in (2, 1):
        if len(segments) > count and segments[count] in WORDS:
            return segments[:count], segments[count], segments[count + 1:]
    return (segments, "", []) if len(segments) <= 2 else (segments[:2], None, [])


class Api:
    """Answers /api/{models|datasets|spaces}/... for one Hub."""

    def __init__(self, hub):
        self.hub = hub

    def classify(self, request, kind, segments):
        """Set the route, the repository id and the file path of the request."""
        ids, word, rest = split_api(segments)
        request.route = ROUTE_OF.get(word, "other")
        request.repo_key = f"{kind}/{'/'.join(ids)}"
        request.id_place = (f"/api/{kind}/", "/".join(ids))
        if word in ("tree", "treesize") and len(rest) > 1:
            request.file_path = decode("/".join(rest[1:])).strip("/")
        request.parts = (kind, ids, word, rest)

    def answer(self, request):
        kind, ids, word, rest = request.parts
        hub = self.hub
        if any("%2f" in part.lower() for part in ids):
            return answers.bad_request("Invalid repo id: the slash must not be encoded")
        if word is None or (word == "xet-read-token"):
            return answers.error(404, "Not found")
        repo, refused = hub.open_repo(request, kind, "/".join(decode(p) for p in ids))
        if refused is not None:
            return refused
        if (request.method == "POST") != (word == "paths-info"):
            return answers.method_not_allowed("POST" if word == "paths-info" else "GET, HEAD")
        if word == "refs":
            return self.refs(request, repo)
        if word == "auth-check":
            return hub.access.file_error(request, repo) or json_answer({})
        if word and not rest:
            return answers.error(404, "Not found")
        revision = decode(rest[0]) if rest else "HEAD"
        if word == "revision" and len(rest) > 1:
            return answers.revision_not_found(decode("/".join(rest)))
        snapshot = repo.resolve(revision)
        if snapshot is None:
            return answers.revision_not_found(revision)
        request.sha = snapshot.sha
        if word in ("", "revision"):
            return self.info(request, repo, snapshot)
        if word == "tree":
            return self.tree(request, repo, snapshot, rest[0])
        if word == "treesize":
            size = sum(e.size for p, e in snapshot.entries.items()
                       if (p + "/").startswith(request.file_path + "/" if request.file_path
                                               else ""))
            return json_answer({"path": request.file_path, "size": size})
        return self.paths_info(request, repo, snapshot)

    def info(self, request, repo, snapshot):
        query = urllib.parse.parse_qs(request.query)
        wanted = query.get("expand", [])
        for name in wanted:
            if name not in EXPANDABLE:
                return answers.bad_request(f"Unknown field in expand: {name}")
        options = repo.options()
        value = {"_id": repo.id, "id": repo.name, "author": repo.name.partition("/")[0],
                 "sha": snapshot.sha, "lastModified": DATE, "createdAt": DATE,
                 "private": bool(options["private"]), "gated": options["gated"],
                 "disabled": bool(options["disabled"]), "downloads": 0, "likes": 0, "tags": []}
        if repo.kind == "models":
            value["modelId"] = repo.name
        if repo.kind == "spaces":
            value["sdk"] = "static"
        value["siblings"] = []
        for path, entry in sorted(snapshot.entries.items()):
            sibling = {"rfilename": path}
            if is_true(query, "blobs"):
                sibling.update(size=entry.size, blobId=entry.oid)
                if entry.lfs:
                    sibling["lfs"] = {"sha256": entry.sha256, "size": entry.size,
                                      "pointerSize": len(entry.pointer)}
            value["siblings"].append(sibling)
        if wanted:
            value = {k: v for k, v in value.items() if k in ("_id", "id") or k in wanted}
        for fault in self.hub.plan.fire("shape", request, lambda f: f.mode == "move_branch"):
            repo.moved[fault["branch"]] = fault["to"] or "main"
        return json_answer(value)

    def refs(self, request, repo):
        options = repo.options()

        def rows(names, prefix):
            made = []
            for name in names:
                snapshot = repo.resolve(name)
                if snapshot is not None:
                    full = name if name.startswith("refs/") else prefix + name
                    made.append({"name": name, "ref": full, "targetCommit": snapshot.sha})
            return made

        names = ["main"] + list(options["revisions"])
        value = {"branches": rows([n for n in names if not n.startswith("refs/")],
                                  "refs/heads/"),
                 "converts": rows([n for n in names if n.startswith("refs/convert/")], ""),
                 "tags": rows(options["tags"], "refs/tags/")}
        if is_true(urllib.parse.parse_qs(request.query), "include_prs"):
            value["pullRequests"] = rows([n for n in names if n.startswith("refs/pr/")], "")
        return json_answer(value)

    # -- listings --------------------------------------------------------

    def tree(self, request, repo, snapshot, revision):
        query = urllib.parse.parse_qs(request.query)
        recursive, expand = is_true(query, "recursive"), is_true(query, "expand")
        rows = snapshot.rows(self.hub.settings.xet, request.file_path, recursive)
        if rows is None:
            return answers.entry_not_found(snapshot.sha)
        size = self.hub.settings.page_size
        if expand:
            size = min(size, 100)
        try:
            limit = int(query.get("limit", [size])[-1])
            offset = self.read_cursor(query["cursor"][-1], snapshot) if "cursor" in query else 0
        except ValueError:
            return answers.bad_request("Invalid cursor or limit")
        if limit < 1:
            return answers.bad_request("Invalid limit")
        size = min(size, limit)
        page = [dict(row) for row in rows[offset:offset + size]]
        more = offset + size < len(rows)
        faults = self.hub.plan.fire("shape", request, lambda f: (
            more if f.mode.startswith("link_") else self.concerns(f, page)))
        next_offset = offset + size
        modes = {fault.mode: fault for fault in faults}
        if "link_loop" in modes:
            next_offset = offset
        if "link_empty_page" in modes:
            page, next_offset = [], offset
        self.decorate(request, repo, page, faults, expand)
        response = json_answer(page)
        if more:
            response.set("Link", self.link(revision, request, repo, snapshot, recursive, expand,
                                           size, next_offset, rows, modes))
        return response

    def link(self, revision, request, repo, snapshot, recursive, expand, size, offset, rows,
             modes):
        position = {"file_name": rows[offset - 1]["path"] if offset else "",
                    "tree_oid": snapshot.trees[""]}
        inner = base64.b64encode(json.dumps(position).encode()) + b":%d" % offset
        cursor = urllib.parse.quote(base64.b64encode(inner).decode(), safe="")
        folder = "/" + encode_path(request.file_path) if request.file_path else ""
        target = (f"/api/{repo.kind}/{encode_path(repo.name)}/tree/{revision}{folder}"
                  f"?recursive={str(recursive).lower()}&expand={str(expand).lower()}"
                  f"&limit={size}&cursor={cursor}")
        origin = self.hub.origins["hub"]
        if "link_relative" in modes:
            origin = ""
        if "link_foreign" in modes:
            origin = modes["link_foreign"]["origin"]
        if "link_garbled" in modes:
            return f"{origin}{target}; rel=next"
        return f"<{origin}{target}>;{'' if 'link_no_space' in modes else ' '}rel=\"next\""

    @staticmethod
    def read_cursor(text, snapshot):
        inner, colon, offset = base64.b64decode(text, validate=True).decode().rpartition(":")
        position = json.loads(base64.b64decode(inner, validate=True))
        if not colon or position["tree_oid"] != snapshot.prepare()[""]:
            raise ValueError("cursor of another tree")
        return int(offset)

    @staticmethod
    def concerns(fault, page):
        if fault.mode not in ("starred", "wrong_size", "wrong_sha"):
            return False
        return any(row["type"] == "file" and fault.matches_path(row["path"])
                   and (fault.mode != "starred" or "lfs" in row) for row in page)

    def decorate(self, request, repo, page, faults, expand):
        """Stars for callers without access, expand fields, and listing faults."""
        restricted = self.hub.access.restricted(request, repo)
        for row in page:
            if row["type"] == "file":
                if restricted and "xetHash" in row:
                    row["xetHash"] = "*" * 64
                for fault in faults:
                    if self.concerns(fault, [row]):
                        spoil(row, fault)
            if expand:
                row["lastCommit"] = {"id": request.sha, "title": "Add files", "date": DATE}
                if row["type"] == "file":
                    row["securityFileStatus"] = {"status": "safe"}

    def paths_info(self, request, repo, snapshot):
        if "json" in request.header("content-type", ""):
            try:
                body = json.loads(request.body)
                paths, expand = body.get("paths", []), body.get("expand", False)
            except (ValueError, AttributeError):
                return answers.bad_request("Invalid JSON")
        else:
            form = urllib.parse.parse_qs(request.body.decode("utf-8", "replace"))
            paths, expand = form.get("paths", []), is_true(form, "expand")
        paths = [paths] if isinstance(paths, str) else paths
        if len(paths) > 2000:
            return answers.bad_request("Too many paths: at most 2000")
        rows = {row["path"]: row for row in snapshot.rows(self.hub.settings.xet)}
        page = [dict(rows[path]) for path in dict.fromkeys(paths) if path in rows]
        faults = self.hub.plan.fire("shape", request, lambda f: self.concerns(f, page))
        self.decorate(request, repo, page, faults, expand)
        return json_answer(page)


def spoil(row, fault):
    """Apply a listing fault to one file row."""
    if fault.mode == "starred":
        if "xetHash" in row and "xetHash" in fault["fields"]:
            row["xetHash"] = "*" * 64
        if "lfs.oid" in fault["fields"]:
            row["lfs"] = dict(row["lfs"], oid="*" * 64)
    elif fault.mode == "wrong_size":
        row["size"] += fault["delta"]
        if "lfs" in row:
            row["lfs"] = dict(row["lfs"], size=row["lfs"]["size"] + fault["delta"])
    elif "lfs" in row:
        row["lfs"] = dict(row["lfs"], oid=other_digit(row["lfs"]["oid"]))
    else:
        row["oid"] = other_digit(row["oid"])


def other_digit(text):
    """The same hash with its first digit changed."""
    return ("1" if text[0] == "0" else "0") + text[1:]
