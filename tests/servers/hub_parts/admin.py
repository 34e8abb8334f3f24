"""The admin routes below /_admin/: faults, counters, settings, repositories."""

import json

from . import answers
from .answers import json_answer
from .repos import OPTIONS


class Admin:
    """Not part of the Hub's contract: how the tests steer the stand-in."""

    def __init__(self, hub):
        self.hub = hub
        self.routes = {
            ("GET", "counters"): lambda body: hub.counters.as_dict(),
            ("GET", "faults"): lambda body: hub.plan.as_list(),
            ("POST", "faults"): lambda body: {"added": hub.plan.add(body)},
            ("POST", "reset"): self.reset,
            ("GET", "settings"): lambda body: hub.settings.as_dict(),
            ("POST", "settings"): self.settings,
            ("POST", "repo"): self.repo,
        }

    def answer(self, request):
        name = request.path.removeprefix("/_admin/")
        route = self.routes.get((request.method, name))
        if route is None:
            known = ", ".join(f"{m} /_admin/{n}" for m, n in self.routes)
            return answers.error(404, f"unknown admin route; known: {known}")
        try:
            body = json.loads(request.body) if request.body else {}
            return json_answer(route(body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return answers.error(400, f"{type(error).__name__}: {error}")

    def reset(self, body):
        """Clear faults and counters, end all stalls; `all` also undoes the rest."""
        hub = self.hub
        hub.plan.clear()
        hub.release.renew()
        hub.counters.clear()
        if body.get("all"):
            hub.store.reset()
            hub.limits.clear()
            hub.access.revoked.clear()
        return {"ok": True}

    def settings(self, body):
        self.hub.settings.update(body)
        return self.hub.settings.as_dict()

    def repo(self, body):
        """Change a repository, a token or a rate limit while running."""
        known = {"repo", "set", "move", "delete_revision", "revoke_token", "restore_token",
                 "rate_limit"}
        if set(body) - known:
            raise ValueError(f"unknown keys {sorted(set(body) - known)}")
        if "rate_limit" in body:
            self.hub.limits.configure(body["rate_limit"])
        if "revoke_token" in body:
            self.hub.access.revoked.add(body["revoke_token"])
        if "restore_token" in body:
            self.hub.access.revoked.discard(body["restore_token"])
        if "repo" not in body:
            return {"ok": True}
        kind, _, name = body["repo"].partition("/")
        repo = self.hub.store.find(kind, name)
        if repo is None:
            raise ValueError(f"no repository {body['repo']!r}; write type/owner/name")
        unknown = set(body.get("set", {})) - set(OPTIONS)
        if unknown:
            raise ValueError(f"unknown options {sorted(unknown)}")
        repo.overrides.update(body.get("set", {}))
        if "move" in body:
            repo.moved[body["move"].get("branch", "main")] = body["move"]["to"]
        if "delete_revision" in body:
            repo.deleted.add(body["delete_revision"])
        return {"ok": True, "sha": getattr(repo.resolve("main"), "sha", None)}
