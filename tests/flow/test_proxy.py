"""Through tinyproxy, a real proxy: plain requests and tunnels, one with a password, and what never goes that way."""

import re
import shutil
import signal
import socket
import subprocess
import urllib.parse

import pytest
from credentials_support import ISSUERS, SESSIONS, Places, accept, accept_standard, hushed
from support import BUCKET, PART, Pourer, data, wait_until
from test_pour import check_bucket
from tls_support import TlsHub, TlsStore, make_ca

SOURCE, DESTINATION, BASE = "hf://me/model", f"s3://{BUCKET}/p/", "p/me/model/"
MODEL = {"config.json": b'{"a": 1}\n', "weights.bin": data(2 * PART + 5, 3)}
PASSWORD = "geheim-proxy-password"


class Proxy:
    """One tinyproxy; `to` tells which ports were asked for through it."""

    def __init__(self, folder, *settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / "proxy.log"
        (folder / "proxy.conf").write_text("\n".join([
            "Port %d" % self.port, "Listen 127.0.0.1", "Allow 127.0.0.1", "LogLevel Connect", 'LogFile "%s"' % self.log,
            "MaxClients 200", "Timeout 60", *settings]) + "\n")
        program = shutil.which("tinyproxy", path="/usr/bin:/usr/sbin")
        assert program, "install tinyproxy-bin"
        self.process = subprocess.Popen([program, "-d", "-c", folder / "proxy.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.listens)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def asked(self, word="\\w+"):
        """The ports in the requests of the log, `CONNECT` and others."""
        lines = re.findall(r"Request \(file descriptor \d+\): (%s) (\S+)" % word, self.log.read_text())
        return {int(re.search(r":(\d+)", target.removeprefix("http://")).group(1)) for _, target in lines}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)


@pytest.fixture
def proxy(tmp_path):
    proxy = Proxy(tmp_path)
    yield proxy
    proxy.stop()


@pytest.fixture
def strict(tmp_path):
    proxy = Proxy(tmp_path, "BasicAuth pourer " + PASSWORD)
    yield proxy
    proxy.stop()


def port(url):
    return urllib.parse.urlsplit(url).port


@pytest.fixture
def model(hub):
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"]})


def test_plain_requests(model, hub, store, pour, proxy):
    result = pour(SOURCE, DESTINATION, env={"http_proxy": proxy.url})
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    assert proxy.asked() == {port(hub.url), port(hub.cdn), port(store.url)}


def test_a_leg_that_needs_no_proxy(model, hub, store, pour, proxy):
    env = {"http_proxy": proxy.url, "NO_PROXY": "localhost", "S3_ENDPOINT_URL": store.url.replace("127.0.0.1", "localhost")}
    assert pour(SOURCE, DESTINATION, "--addressing", "path", env=env).exit == 0
    check_bucket(store, BASE, MODEL)
    assert proxy.asked() == {port(hub.url), port(hub.cdn)}


@pytest.fixture(scope="module")
def encrypted(binary, tmp_path_factory):
    """A Hub and a store over TLS, each with a CA of its own."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("hub", "store"):
        make_ca(folder, name + "-ca", **{name: "IP:127.0.0.1"})
    (folder / "files").mkdir()
    hub = TlsHub(folder / "files", "--tls-cert", folder / "hub.pem", "--tls-key", folder / "hub.key")
    store = TlsStore("--tls-cert", folder / "store.pem", "--tls-key", folder / "store.key")
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"]})
    yield hub, store, Pourer(binary, hub, store), folder
    hub.stop()
    store.stop()


def bundles(folder, hub="hub", store="store"):
    return ["--hub-ca-bundle", folder / (hub + "-ca.pem"), "--store-ca-bundle", folder / (store + "-ca.pem")]


def test_tunnels(encrypted, proxy):
    hub, store, pour, folder = encrypted
    store.reset()
    result = pour(SOURCE, DESTINATION, *bundles(folder), env={"HTTPS_PROXY": proxy.url})
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    assert proxy.asked("CONNECT") == {port(hub.url), port(hub.cdn), port(store.url)} == proxy.asked()


def test_each_leg_trusts_its_own_ca_only(encrypted):
    hub, store, pour, folder = encrypted
    for wrong in ({"hub": "store"}, {"store": "hub"}):
        store.reset()
        result = pour(SOURCE, DESTINATION, *bundles(folder, **wrong))
        assert result.exit == 2 and "is not trusted" in result.stderr, result.stderr
        assert store.journal() == []
    store.reset()
    assert pour(SOURCE, DESTINATION, "--ca-bundle", folder / "hub-ca.pem", "--store-ca-bundle", folder / "store-ca.pem").exit == 0
    assert pour(SOURCE, DESTINATION, "--ca-bundle", folder / "hub-ca.pem", "--store-ca-bundle", folder / "none.pem").exit == 2


@pytest.mark.parametrize("user", ["", "pourer:wrong-geheim@"])
@pytest.mark.parametrize("tunnel", [False, True])
def test_a_proxy_that_wants_a_password(model, encrypted, hub, store, pour, strict, tunnel, user):
    address = strict.url.replace("//", "//" + user)
    if tunnel:
        pour, flags, env = encrypted[2], bundles(encrypted[3]), {"HTTPS_PROXY": address}
    else:
        flags, env = [], {"http_proxy": address}
    result = pour(SOURCE, DESTINATION, *flags, env=env)
    if user and not tunnel:
        # This proxy answers a wrong password with 401, which may as well come from the store itself.
        assert result.exit == 6 and "HTTP 401" in result.stderr, result.stderr
    else:
        assert result.exit == 2 and "the proxy wants a name and a password" in result.stderr, result.stderr
    assert "geheim" not in result.stderr + result.stdout
    assert result.seconds < 30


@pytest.mark.parametrize("tunnel", [False, True])
def test_a_password_for_the_proxy(model, encrypted, store, pour, strict, tunnel):
    address = strict.url.replace("//", "//pourer:%s@" % PASSWORD)
    if tunnel:
        _, store, pour, folder = encrypted
        store.reset()
        result = pour(SOURCE, DESTINATION, "--log-level", "debug", *bundles(folder), env={"HTTPS_PROXY": address})
    else:
        result = pour(SOURCE, DESTINATION, "--log-level", "debug", env={"http_proxy": address})
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    assert PASSWORD not in result.stderr + result.stdout


def test_a_proxy_that_lets_nobody_through(encrypted, tmp_path):
    _, store, pour, folder = encrypted
    store.reset()
    proxy = Proxy(tmp_path, "ConnectPort 1")
    try:
        result = pour(SOURCE, DESTINATION, *bundles(folder), env={"HTTPS_PROXY": proxy.url})
        assert result.exit == 6 and "the proxy lets nobody through to https://127.0.0.1" in result.stderr, result.stderr
    finally:
        proxy.stop()


@pytest.mark.parametrize("address", ["gopher://pourer:geheim@127.0.0.1:1", "http://pourer:geheim@[::", "http://pourer:geheim@127.0.0.1:notaport"])
def test_an_address_that_is_no_proxys(model, pour, address):
    result = pour(SOURCE, DESTINATION, env={"http_proxy": address}, timeout=60)
    assert result.exit == 2 and "the proxy's address" in result.stderr, result.stderr
    assert "geheim" not in result.stderr + result.stdout


@pytest.fixture(scope="module")
def places_session():
    places = Places()
    yield places
    places.stop()


@pytest.mark.parametrize("source", ISSUERS)
def test_what_is_on_the_machine_itself_is_never_asked_through_a_proxy(model, hub, store, pour, proxy, places_session, tmp_path, source):
    places_session.admin("reset", {})
    places_session.gives(SESSIONS[0])
    accept(store, SESSIONS[0])
    try:
        env = {**ISSUERS[source](places_session, tmp_path), "http_proxy": proxy.url}
        result = hushed(pour(SOURCE, DESTINATION, env=env))
    finally:
        accept_standard(store)
    assert result.exit == 0, result.stderr
    assert places_session.issued() == {source: 1}
    # STS is far away, and goes the way of everything else.
    assert (port(places_session.url) in proxy.asked()) == (source == "sts")
    assert port(hub.url) in proxy.asked()
