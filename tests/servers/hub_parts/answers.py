"""The error answers of the contract's table 4.3 and of the fault modes."""

import json

from .state import rate_headers
from .wire import Reset, Response

JSON_TYPE = ("Content-Type", "application/json; charset=utf-8")
TEXT_TYPE = ("Content-Type", "text/plain; charset=utf-8")
HTML_TYPE = ("Content-Type", "text/html; charset=utf-8")
XML_TYPE = ("Content-Type", "application/xml")
REALM = ("WWW-Authenticate", 'Bearer realm="Authentication required", charset="UTF-8"')
DISABLED = "Access to this resource is disabled."


def json_answer(value, status=200, headers=()):
    return Response(status, [JSON_TYPE, *headers], json.dumps(value).encode())


def error(status, message, code=None, headers=()):
    extra = [("X-Error-Message", message)]
    if code:
        extra.insert(0, ("X-Error-Code", code))
    return json_answer({"error": message}, status, [*extra, *headers])


def bare_401():
    return error(401, "Invalid username or password.", headers=[REALM])


def unauthorized():
    return error(401, "Invalid credentials in Authorization header")


def repo_not_found():
    return error(404, "Repository not found", "RepoNotFound")


def revision_not_found(revision):
    return error(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_not_found(sha=None):
    headers = [TEXT_TYPE, ("X-Error-Code", "EntryNotFound"),
               ("X-Error-Message", "Entry not found"),
               ("ETag", 'W/"f-mY2VvLxuxB7KhsoOdQTlMTccuAQ"'), ("Accept-Ranges", "bytes")]
    if sha:
        headers.append(("X-Repo-Commit", sha))
    return Response(404, headers, b"Entry not found")


def gated_401(name):
    return error(401, f"Access to {name} is restricted. Log in with an account that was "
                      "granted access.", "GatedRepo", [REALM])


def gated_403(name):
    return error(403, f"Access to {name} is restricted and you are not in the authorized "
                      f"list. Ask for access on the page of {name}.", "GatedRepo")


def disabled():
    return error(403, DISABLED)


def bad_request(message):
    return error(400, message)


def method_not_allowed(allowed):
    return error(405, "Method not allowed", headers=[("Allow", allowed)])


def too_many(headers=(), bare=False):
    """429 with the large HTML page of the real Hub and never a Retry-After of its own."""
    page = b"<!doctype html><title>429</title><h1>429</h1><p>Too many requests.</p><!--"
    page += b" padding" * ((52_000 - len(page)) // 8) + b" -->"
    answer = Response(429, [HTML_TYPE, *headers], page)
    answer.bare = bare
    return answer


def forbidden_xml(message="Request has expired", code="AccessDenied"):
    body = (f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
            f"<Message>{message}</Message></Error>")
    return Response(403, [XML_TYPE], body.encode())


def forbidden_text(message):
    return Response(403, [TEXT_TYPE], message.encode())


def html(status):
    return Response(status, [HTML_TYPE], f"<h1>{status}</h1>".encode())


def out_of_range(total):
    return Response(416, [TEXT_TYPE, ("Content-Range", f"bytes */{total}")],
                    b"Requested range not satisfiable")


def redirect(status, location, headers=()):
    text = f"Redirecting to {location}".encode()
    return Response(status, [TEXT_TYPE, ("Location", location), *headers], text)


def of_fault(fault, request, bucket, origins):
    """The answer of a fault of the `answer` stage."""
    mode = fault.mode
    name = request.repo_key.partition("/")[2] or "this repository"
    if mode == "rate_limited":
        return too_many(rate_headers(bucket, fault["r"], fault["t"]))
    if mode == "retry_after":
        return too_many([("Retry-After", str(fault["seconds"]))], bare=True)
    if mode == "too_many":
        return too_many(bare=True)
    if mode in ("status", "connection_cap"):
        answer = html(fault["status"])
        if fault.params.get("body") is not None:
            answer = Response(fault["status"], [HTML_TYPE], str(fault["body"]).encode())
        for key, value in fault.params.get("headers", {}).items():
            answer.set(key, str(value))
        return answer
    if mode == "reset_before_headers":
        return Reset()
    if mode == "redirect":
        return redirect(fault["status"], hop_location(fault, request, origins))
    if mode == "bogus_416":
        return out_of_range(fault["total"])
    if mode == "gated_401":
        return gated_401(name)
    if mode == "gated_403":
        return gated_403(name)
    if mode == "revision_not_found":
        revision = request.parts[-1] if request.parts else "main"
        return revision_not_found("/".join(revision) if isinstance(revision, list) else revision)
    if mode == "head_405":
        return method_not_allowed("GET")
    return {
        "forbidden": forbidden_xml,
        "invalid_key_pair": lambda: forbidden_xml("invalid key pair", "InvalidKey"),
        "invalid_range": lambda: forbidden_text("Auth failed: invalid range"),
        "unranged_400": lambda: html(400),
        "bare_401": bare_401,
        "repo_not_found": repo_not_found,
        "unauthorized": unauthorized,
        "disabled": disabled,
        "entry_not_found": lambda: entry_not_found(request.sha),
    }[mode]()


def hop_location(fault, request, origins):
    """Where a redirect fault points: by default here again with a new hop number."""
    fault.hops = getattr(fault, "hops", 0) + 1
    joined = request.query + "&" if request.query else ""
    location = fault["location"] or f"{request.path}?{joined}hop={fault.hops}"
    for key, value in (("{target}", request.target), ("{path}", request.path),
                       ("{query}", request.query), ("{n}", str(fault.hops)),
                       ("{hub}", origins["hub"]), ("{cdn}", origins["cdn"])):
        if fault["location"]:
            location = location.replace(key, value)
    return location
