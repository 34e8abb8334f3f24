"""The stand-in for the places that give out keys, and the environment that leads to each of them."""
from support import KEY_ID, SECRET_KEY, Server

ROLE = "arn:aws:iam::123456789012:role/model-writer"
SESSIONS = [{"access_key": "ASIAFLOW%012d" % n, "secret_key": "flow-session-secret-%d/+=" % n,
             "session_token": "flow-session-token-%d/+==" % n} for n in range(4)]
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"}
#: What no output may hold.
HUSHED = [word for session in SESSIONS for word in (session["secret_key"], session["session_token"])] + ["identity-1", "agent-1"]


class Places(Server):
    """STS, the container's agent and the instance's metadata."""

    def __init__(self):
        super().__init__("credentials.py")
        self.url = self.ready["endpoint"]

    def gives(self, *sessions):
        self.admin("sessions", list(sessions))

    def fails(self, place, **fault):
        self.admin("faults", [{"place": place, **fault}])

    def issued(self):
        return self.counters()["issued"]

    def asked(self):
        return [entry["place"] for entry in self.counters()["log"]]


def accept(store, *sessions):
    """From now on the store takes these keys and no others."""
    store.admin("credentials", list(sessions))


def accept_standard(store):
    accept(store, {"access_key": KEY_ID, "secret_key": SECRET_KEY})


def web_identity(places, folder):
    (folder / "identity").write_text("identity-1\n")
    return {**NO_KEYS, "AWS_WEB_IDENTITY_TOKEN_FILE": folder / "identity", "AWS_ROLE_ARN": ROLE, "AWS_ENDPOINT_URL_STS": places.url}


def agent(places, folder):
    (folder / "agent").write_text("agent-1")
    return {**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": places.url + "/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": folder / "agent"}


def metadata(places, _):
    return {**NO_KEYS, "AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": places.url + "/"}


def profile_text(session, name="default"):
    return ("# a comment\n[%s]\naws_access_key_id = %s\naws_secret_access_key=%s\naws_session_token = %s\n"
            % (name, session["access_key"], session["secret_key"], session["session_token"]))


def shared_file(_, folder):
    (folder / "credentials").write_text("[other]\naws_access_key_id = x\n" + profile_text(SESSIONS[0]))
    return {**NO_KEYS, "AWS_SHARED_CREDENTIALS_FILE": folder / "credentials"}


#: The places that give other keys when they are asked again.
ISSUERS = {"sts": web_identity, "agent": agent, "metadata": metadata}


def hushed(result):
    for word in HUSHED:
        assert word not in result.stdout + result.stderr, word
    return result
