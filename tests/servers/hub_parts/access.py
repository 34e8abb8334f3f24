"""Who may see what: tokens, private, gated and disabled repositories."""

from . import answers


class Access:
    """Knows the tokens of all repositories and judges each request."""

    def __init__(self, store, counters, user_tokens):
        self.store = store
        self.counters = counters
        self.user_tokens = set(user_tokens)
        self.revoked = set()

    @staticmethod
    def bearer(request):
        """The token sent, None if there is none, "" if it is malformed."""
        value = request.header("authorization")
        if value is None:
            return None
        scheme, _, token = value.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def count(self, request, repo):
        """Book only whether the token equals the repository's, never the token."""
        token = self.bearer(request)
        if token is not None:
            self.counters.token(repo is not None and token in repo.tokens())

    def allowed(self, request, repo):
        token = self.bearer(request)
        return bool(token) and token not in self.revoked and token in repo.tokens()

    def known(self, token):
        """Whether the token belongs to some user, who may lack access."""
        if token in self.user_tokens:
            return True
        return any(token in repo.tokens() or token in repo.options()["denied"]
                   for repo in self.store.all() if repo is not None)

    def token_error(self, request):
        """The answer to a malformed or revoked token, or None."""
        token = self.bearer(request)
        if token == "" or token in self.revoked:
            return answers.unauthorized()
        return None

    def missing(self, request):
        """The same answer for repositories that are missing and that are hidden."""
        if self.bearer(request) is None:
            return answers.bare_401()
        return answers.repo_not_found()

    def hidden(self, request, repo):
        return bool(repo.options()["private"]) and not self.allowed(request, repo)

    def restricted(self, request, repo):
        """Gated, and the caller has no access."""
        return bool(repo.options()["gated"]) and not self.allowed(request, repo)

    def file_error(self, request, repo):
        """What stands between the caller and the files, or None."""
        if repo.options()["disabled"]:
            return answers.disabled()
        if self.restricted(request, repo):
            if self.known(self.bearer(request)):
                return answers.gated_403(repo.name)
            return answers.gated_401(repo.name)
        return None
