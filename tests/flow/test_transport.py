"""Below HTTP: TLS to the Hub, dead addresses, connections that are refused, and edges too slow to be waited for."""

import contextlib
import select
import socket

import pytest
from support import BUCKET, MIB, PART, TOKEN, Hub, Pourer, data
from test_pour import check_bucket
from tls_support import TlsHub, make_ca

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
MODEL = {"config.json": b'{"a": 1}\n', "weights.bin": data(2 * PART + 1, 2)}
ABOUT = {"lfs": ["*.bin"]}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA of our own and what it signed: a certificate for 127.0.0.1 and one for another name."""
    folder = tmp_path_factory.mktemp("tls")
    make_ca(folder, "ca", good="IP:127.0.0.1", other="DNS:elsewhere.test")
    return folder


def tls_hub(tmp_path, certificates, name):
    hub = TlsHub(tmp_path, "--tls-cert", certificates / (name + ".pem"), "--tls-key", certificates / (name + ".key"))
    hub.repo("me/model", MODEL, ABOUT | {"private": True, "token": TOKEN})
    return hub


@pytest.mark.parametrize("how", ["flag", "SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_a_hub_behind_a_ca_of_its_own(binary, store, tmp_path, certificates, how):
    hub = tls_hub(tmp_path, certificates, "good")
    try:
        bundle = certificates / "ca.pem"
        flags, env = (["--ca-bundle", bundle], {}) if how == "flag" else ([], {how: bundle})
        result = Pourer(binary, hub, store)(SOURCE, DESTINATION, *flags, env=env | {"HF_TOKEN": TOKEN})
        assert result.exit == 0, result.stderr
        check_bucket(store, BASE, MODEL)
        assert hub.counters()["authorization"]["cdn"] == 0
    finally:
        hub.stop()


@pytest.mark.parametrize("name, trusted", [("good", False), ("other", True)], ids=["unknown CA", "wrong name"])
@pytest.mark.row("hub F.11.47")
def test_a_hub_that_cannot_prove_who_it_is_is_refused(binary, store, tmp_path, certificates, name, trusted):
    hub = tls_hub(tmp_path, certificates, name)
    try:
        flags = ["--ca-bundle", certificates / "ca.pem"] if trusted else []
        result = Pourer(binary, hub, store)(SOURCE, DESTINATION, *flags, env={"HF_TOKEN": TOKEN}, timeout=30)
        assert (result.exit, result.stdout) == (2, ""), result.stderr
        assert "certificate" in result.stderr and "127.0.0.1" in result.stderr
        assert hub.counters()["requests"] == {}
        assert store.journal() == []
    finally:
        hub.stop()


@pytest.mark.row("hub F.11.47")
def test_an_edge_that_cannot_prove_who_it_is_gets_new_addresses_and_then_ends_it(binary, store, tmp_path, certificates):
    """Another address may lead to an edge that is fine; when none does, the sentence names the certificate."""
    good, other = ([certificates / (name + end) for end in (".pem", ".key")] for name in ("good", "other"))
    hub = TlsHub(tmp_path, "--tls-cert", good[0], "--tls-key", good[1], "--cdn-tls", *other)
    try:
        hub.repo("me/model", MODEL, ABOUT)
        result = Pourer(binary, hub, store)(SOURCE, DESTINATION, "--ca-bundle", certificates / "ca.pem", "--lanes", 1, timeout=60)
        assert (result.exit, result.stdout) == (2, ""), result.stderr
        assert "certificate" in result.stderr and "weights.bin" in result.stderr
        resolves = [count for path, count in hub.counters()["resolves"].items() if "weights.bin" in path]
        assert resolves == [6]
        assert hub.counters()["requests"].get("cdn", 0) == 0 and store.uploads() == []
    finally:
        hub.stop()


def test_a_ca_file_that_holds_no_certificate_is_named(binary, store, tmp_path, certificates):
    hub = tls_hub(tmp_path, certificates, "good")
    try:
        bundle = tmp_path / "empty.pem"
        bundle.write_text("no certificate\n")
        result = Pourer(binary, hub, store)(SOURCE, DESTINATION, "--ca-bundle", bundle, timeout=30)
        assert (result.exit, result.stdout) == (2, ""), result.stderr
        assert "empty.pem" in result.stderr
    finally:
        hub.stop()


@pytest.mark.parametrize("how", ["flag", "REQUESTS_CA_BUNDLE"])
def test_a_ca_file_that_is_a_folder_is_named(pour, tmp_path, how):
    flags, env = (["--ca-bundle", tmp_path], {}) if how == "flag" else ([], {how: str(tmp_path)})
    result = pour(SOURCE, DESTINATION, *flags, env=env, timeout=30)
    assert (result.exit, result.stdout) == (2, ""), result.stderr
    assert "is a folder: give one file of certificates" in result.stderr and str(tmp_path) in result.stderr


@pytest.mark.row("hub F.11.46")
def test_a_dead_ipv6_address_costs_less_than_a_second(binary, store, tmp_path):
    hub = Hub(tmp_path, "--dead-ipv6")
    try:
        hub.repo("me/model", MODEL, ABOUT)
        result = Pourer(binary, hub, store)(SOURCE, DESTINATION)
        assert result.exit == 0, result.stderr
        assert result.seconds < 5
        check_bucket(store, BASE, MODEL)
    finally:
        hub.stop()


@pytest.mark.parametrize("listener", ["hub", "cdn"])
@pytest.mark.row("hub F.11.6")
def test_a_connection_that_is_reset_at_once(hub, store, pour, listener):
    hub.repo("me/model", MODEL, ABOUT)
    hub.fault("reset_on_connect", listener=listener, count=2)
    result = pour(SOURCE, DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)


def test_a_hub_that_comes_late_is_waited_for(binary, store, tmp_path):
    """Nobody listens yet when the run begins."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    folder = tmp_path / "models" / "me" / "model"
    folder.mkdir(parents=True)
    for path, content in MODEL.items():
        (folder / path).write_bytes(content)
    pour = Pourer(binary, None, store)
    running = pour.start(SOURCE, DESTINATION, env={"HF_ENDPOINT": f"http://127.0.0.1:{port}"})
    hub = None
    try:
        assert store.admin("wait?event=done&op=GetObject&count=2&timeout_s=20")["ok"]
        hub = Hub(tmp_path, "--port", port)
        result = running.wait(60)
        assert result.exit == 0 and "cannot connect" in result.stderr, result.stderr
        check_bucket(store, BASE, MODEL)
    finally:
        running.process.poll() is None and running.process.kill()
        if hub:
            hub.stop()


@pytest.mark.row("hub F.11.10")
def test_an_edge_that_only_trickles_is_left_for_another(hub, store, pour):
    """1 kB/s would hold a lane for hours: contract hub F.11 row 10 wants a low-speed policy, 1 kB/s for 30 s."""
    content = data(3 * MIB, 5)
    hub.repo("me/model", {"weights.bin": content}, ABOUT)
    hub.fault("trickle", path="weights.bin", rate=500)
    result = pour(SOURCE, DESTINATION, timeout=75)
    assert result.exit == 0, result.stderr
    assert hub.counters()["resolves"]["models/me/model/weights.bin"] <= 2
    check_bucket(store, BASE, {"weights.bin": content})


@pytest.mark.parametrize("route", ["cache", "cdn"])
def test_an_error_page_without_end_is_cut(hub, store, pour, route):
    """A minute of it: whoever waits for the end of what nobody reads has lost a lane."""
    hub.repo("me/model", MODEL, ABOUT)
    hub.fault("status", route=route, status=503, body="x" * 60 * MIB, rate=MIB)
    result = pour(SOURCE, DESTINATION, timeout=50)
    assert result.exit == 0, result.stderr
    assert result.seconds < 10 and "503" in result.stderr, result.stderr
    check_bucket(store, BASE, MODEL)


def test_an_error_page_that_only_trickles_is_left_for_another_try(hub, store, pour):
    hub.repo("me/model", MODEL, ABOUT)
    hub.fault("status", route="cdn", status=503, body="x" * 60_000, rate=500)
    result = pour(SOURCE, DESTINATION, timeout=75)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)


def test_a_listing_that_trickles_is_asked_for_again(hub, store, pour):
    """Just fast enough not to count as silent, it would take 80 s; a minute is enough for a page."""
    hub.repo("me/model", {f"many/{number:04d}.txt": b"x" for number in range(999)} | {"one.txt": b"one"})
    hub.fault("trickle", route="tree", rate=1300)
    result = pour(SOURCE, DESTINATION, "--include", "one.txt", timeout=120)
    assert result.exit == 0, result.stderr
    assert "did not finish its answer" in result.stderr and hub.admin("faults") == [], result.stderr
    check_bucket(store, BASE, {"one.txt": b"one"})


# --- places that are dead


PLACES = {"hub": "HF_ENDPOINT", "store": "S3_ENDPOINT_URL"}
ID = "Root=1-00c0ffee-dead"
# What each route of the Hub is asked for.
ASKED = {"any": "me/model@main", "tree": "me/model@main", "resolve": "me/model@main/", "cache": "me/model@main/config.json",
         "cdn": "'weights.bin'"}


def dead_hub(hub, pour, route):
    """The last line of a run in which this part of the Hub is down for good."""
    hub.repo("me/model", MODEL, ABOUT)
    hub.fault("status", route=route, status=503, count=-1, headers={"X-Error-Code": "Overloaded", "X-Request-Id": ID})
    result = pour(SOURCE, DESTINATION, "--retry-for", "1s", timeout=40)
    assert (result.exit, result.stdout) == (5, ""), result.stderr
    assert result.seconds < 15, result.stderr
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize("route", ASKED)
@pytest.mark.row("hub F.11.4")
def test_a_hub_that_is_down_ends_the_run_with_its_own_words(hub, store, pour, route):
    last = dead_hub(hub, pour, route)
    place = (hub.cdn if route == "cdn" else hub.url).removeprefix("http://")  # a mirror, or one edge of many
    for word in ("failed after", ASKED[route], place, "HTTP 503", "Overloaded", "request id " + ID):
        assert word in last, (word, last)
    assert hub.counters()["faults_fired"]["status"] >= 3
    assert store.orphans() == [] and BASE + ".hfpour/manifest.json" not in store.objects()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.row("s3 4.11.1", "s3 4.11.16")
def test_a_port_where_nobody_listens_is_named(hub, store, pour, place):
    hub.repo("me/model", MODEL, ABOUT)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % closed.getsockname()[1]
        result = pour(SOURCE, DESTINATION, "--retry-for", "1s", env={PLACES[place]: "http://" + address}, timeout=40)
    assert (result.exit, result.stdout) == (5, ""), result.stderr
    last = result.stderr.splitlines()[-1]
    assert "cannot connect to" in last and address in last and result.seconds < 15, result.stderr
    assert store.journal() == []


@pytest.fixture
def swallowing():
    """Two addresses whose queues are full: a SYN is dropped there, as a firewall drops it."""
    with contextlib.ExitStack() as stack:
        addresses = []
        for _ in PLACES:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _ in range(8):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
                if not select.select([], [waiting], [], 0.2)[1]:
                    break  # not connected at once: full
            else:
                raise AssertionError("the queue never got full")
            addresses.append("127.0.0.1:%d" % listener.getsockname()[1])
        yield addresses


@pytest.mark.row("s3 4.11.1", "s3 4.11.16")
def test_an_address_that_swallows_what_is_sent_is_given_up(hub, store, pour, swallowing):
    """SLOW, 31 s: three attempts of 10 s, where the system alone would try for two minutes each. Both places at once."""
    hub.repo("me/model", MODEL, ABOUT)
    runs = {address: pour.start(SOURCE, DESTINATION, "--retry-for", "1s", env={name: "http://" + address})
            for name, address in zip(PLACES.values(), swallowing)}
    for address, running in runs.items():
        result = running.wait(90)
        assert (result.exit, result.stdout) == (5, ""), result.stderr
        assert 29 < result.seconds < 45, result.stderr
        last = result.stderr.splitlines()[-1]
        assert "did not answer in time" in last and "connect" in last and address in last, result.stderr
    assert store.journal() == [] and hub.requests() == 0 and store.requests() <= 3
