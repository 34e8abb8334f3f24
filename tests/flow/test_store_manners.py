"""What stores differ in: clocks, regions, listings, connections, addresses, certificates."""

import json
import urllib.parse

import pytest
from store_support import (ALWAYS, PART, PLACES, fails, fired, model, own, pours, run, settled)  # noqa: F401  (a fixture)
from support import BUCKET, MIB, data
from tls_support import TlsStore, make_ca

# ---- clock and region

@pytest.mark.parametrize("seconds", [1200, -1200])
@pytest.mark.row("s3 4.11.6", "s3 8.10")
def test_a_clock_that_is_off_costs_one_remark(model, binary, hub, seconds):
    with own(binary, hub, "--clock-offset", seconds) as (store, pour):
        result = pours(store, pour, faults=0)
        assert result.stderr.count("clock") == 1, result.stderr
        assert sum(store.counters()["auth_failures"].values()) == 1


@pytest.mark.row("s3 4.11.6")
def test_a_clock_that_jumps_in_mid_run(model, store, pour):
    store.fault("skewed_clock", op="UploadPart", seconds=1200, count=1)
    pours(store, pour)


@pytest.mark.row("s3 4.11.6")
def test_machines_of_one_store_that_disagree_about_the_time(model, store, pour):
    for after in range(0, 12, 2):
        store.fault("skewed_clock", op="UploadPart", seconds=1200, count=1, skip=after)
    pours(store, pour)


@pytest.mark.row("s3 4.11.8", "s3 8.9")
def test_the_region_is_learnt_from_a_refusal(model, binary, hub):
    with own(binary, hub, "--profile", "aws", "--region", "eu-central-1") as (store, pour):
        result = pours(store, pour, faults=0)
        assert result.stderr.count("eu-central-1") == 1, result.stderr
        assert sum(store.counters()["auth_failures"].values()) == 1


def test_a_region_that_is_given_is_used(model, binary, hub):
    with own(binary, hub, "--profile", "aws", "--region", "eu-central-1") as (store, pour):
        pours(store, pour, "--region", "eu-central-1", faults=0)
        assert sum(store.counters()["auth_failures"].values()) == 0


@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.row("s3 4.9.2", "s3 4.11.8", "s3 8.8", "s3 8.9")
def test_the_region_is_learnt_from_a_redirect(model, store, pour, status):
    store.fault("redirect", status=status, region="eu-central-1", endpoint=store.url, not_region="eu-central-1", count=ALWAYS)
    pours(store, pour)
    assert fired(store) == 1, "it is learnt once"


@pytest.mark.row("s3 4.9.2")
def test_a_redirect_that_teaches_nothing_ends(model, store, pour):
    store.fault("redirect", status=307, endpoint="http://192.0.2.1:9", count=ALWAYS)
    result = run(pour)
    assert result.exit in (2, 5) and "192.0.2.1" in result.stderr, result.stderr
    settled(store, [], complete=False)


@pytest.mark.parametrize("code", ["AuthorizationHeaderMalformed", "IllegalLocationConstraintException"])
@pytest.mark.parametrize("place", ["UploadPart", "PutObject", "CreateMultipartUpload", "ListObjectsV2"])
@pytest.mark.row("s3 4.11.8")
def test_a_region_error_in_mid_run(model, store, pour, place, code):
    store.fault("region_error", region="eu-central-1", header=True, code=code, not_region="eu-central-1", count=ALWAYS,
                **PLACES[place])
    pours(store, pour)


# ---- listing

@pytest.mark.row("s3 4.8.2")
def test_a_broken_listing_is_asked_for_again(model, store, pour):
    store.fault("list_broken_xml", op="ListObjectsV2")
    pours(store, pour)


def test_a_listing_in_many_pages(model, store, pour):
    assert run(pour).exit == 0
    store.fault("list_truncated", op="ListObjectsV2", page=1)
    result = run(pour, "--json")
    assert result.exit == 0 and result.json()["status"] == "present", result.stderr
    settled(store)


@pytest.mark.parametrize("page, status, words", [(300, 8, "does not end within 32.0 MiB"), (0, 5, "empty pages in a row")])
@pytest.mark.row("s3 4.8.3")
def test_a_listing_that_always_goes_on_is_ended_in_bounded_memory(model, store, pour, page, status, words):
    store.fault("list_truncated", op="ListObjectsV2", endless=page)
    result = fails(store, pour, status, words, options=("--memory", "64Mi"), timeout=40)
    assert store.counters()["requests"]["ListObjectsV2"] <= 1001, result.stderr


@pytest.mark.parametrize("how", [{"loop": True}, {"loop": 2}, {"no_token": True}])
@pytest.mark.row("s3 4.8.3")
def test_a_listing_without_an_end_is_refused(model, store, pour, how):
    assert run(pour).exit == 0
    store.fault("list_truncated", op="ListObjectsV2", page=1, **how)
    result = run(pour)
    assert result.exit == 5 and "list" in result.stderr, result.stderr
    settled(store)


# ---- connections, rate, ids, addressing

@pytest.mark.parametrize("how", [{}, {"silent": True}, {"silent": True, "reset": True}])
@pytest.mark.row("s3 4.9.3")
def test_connections_that_close_after_every_answer(model, store, pour, how):
    store.fault("close_after", **how)
    pours(store, pour)


@pytest.mark.row("s3 4.11.3")
def test_a_throttled_store(model, store, pour):
    store.fault("throttle", per_second=8, burst=2)
    pours(store, pour)


@pytest.mark.row("s3 4.11.3")
def test_lanes_are_given_up_while_the_store_wants_it_and_come_back(hub, store, pour):
    hub.repo("me/model", {f"w-{i}.bin": data(6 * PART, 60 + i) for i in range(2)})
    hub.admin("settings", {"cdn_rate": 3 * MIB})  # long enough for the lanes to come back
    store.fault("status", op="UploadPart", status=503, code="SlowDown", count=2, skip=1)
    try:
        result = run(pour, "--lanes", 2)
    finally:
        hub.admin("settings", {"cdn_rate": 0})
    assert result.exit == 0, result.stderr
    slower = result.stderr.index("asked to slow down: going on with 1 of 2 lanes")
    assert result.stderr.index("going on with all 2 lanes again") > slower
    assert store.uploads() == []


@pytest.mark.row("s3 8.1")
def test_odd_upload_ids(model, binary, hub):
    with own(binary, hub, "--odd-upload-ids") as (store, pour):
        pours(store, pour, faults=0)


@pytest.mark.row("s3 4.10.1")
def test_virtual_host_addressing(model, store, pour):
    port = urllib.parse.urlsplit(store.url).port
    pours(store, pour, "--addressing", "virtual", "--endpoint-url", f"http://localhost:{port}", faults=0)


@pytest.mark.row("s3 4.10.1")
def test_virtual_host_addressing_has_the_bucket_in_the_host_only(model, binary, hub):
    with own(binary, hub, "--domain", "elsewhere.test") as (store, pour):
        port = urllib.parse.urlsplit(store.url).port
        result = run(pour, "--addressing", "virtual", "--endpoint-url", f"http://localhost:{port}")
        assert result.exit == 3, result.stderr


@pytest.mark.parametrize("host", ["127.1", "2130706433"])
def test_an_endpoint_is_sent_as_it_was_signed(model, store, pour, host):
    """libcurl writes either out as 127.0.0.1."""
    pours(store, pour, "--endpoint-url", f"http://{host}:{urllib.parse.urlsplit(store.url).port}", faults=0)


@pytest.mark.row("s3 4.9.1", "s3 8.7")
def test_expect_is_never_sent(model, store, pour):
    pours(store, pour, faults=0)
    for op, names in store.counters()["headers_by_op"].items():
        assert "expect" not in {name.lower() for name in names}, op


@pytest.mark.row("s3 4.9.1")
def test_a_store_that_says_continue_unasked(model, store, pour):
    store.fault("expect", unasked=True, answers=2, op="UploadPart")
    pours(store, pour)


# ---- TLS

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA of our own, and a certificate for 127.0.0.1 that it signed."""
    folder = tmp_path_factory.mktemp("tls")
    make_ca(folder, "ca", store="IP:127.0.0.1")
    return folder


@pytest.fixture
def tls(binary, hub, certificates):
    with own(binary, hub, "--tls-cert", certificates / "store.pem", "--tls-key", certificates / "store.key",
             kind=TlsStore) as pair:
        yield pair


@pytest.mark.row("s3 4.10.4")
def test_a_ca_bundle_by_flag(model, tls, certificates):
    store, pour = tls
    pours(store, pour, "--ca-bundle", certificates / "ca.pem", faults=0)


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.row("s3 4.10.4")
def test_a_ca_bundle_by_environment(model, tls, certificates, name):
    store, pour = tls
    pours(store, pour, env={name: certificates / "ca.pem"}, faults=0)


@pytest.mark.row("s3 4.10.4")
def test_an_unknown_ca_is_refused(model, tls, hub):
    store, pour = tls
    result = fails(store, pour, 2, "certificate")
    assert result.seconds < 10
    assert store.journal() == []
