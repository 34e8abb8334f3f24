"""The bytes come late, cut, twice or wrong: right objects in the end, or none; and little is fetched twice."""

import http.client
import threading
import urllib.parse

import pytest
from support import BUCKET, MIB, PART, data, sha256
from test_pour import check_bucket

DESTINATION = f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
BIG = data(28 * MIB + 12_345, 11)  # four parts
OTHER = data(2 * PART + 1, 12)  # three parts, the last of one byte
FILES = {"big.bin": BIG, "other.bin": OTHER, "config.json": b'{"a": 1}\n' * 1000}
MANIFEST = BASE + ".hfpour/manifest.json"
PATIENCE_S = 60
FLIP_AT = 17 * MIB + 5


@pytest.fixture
def model(hub):
    hub.repo("me/model", FILES)
    return hub


def pour_model(pour, *more, timeout=PATIENCE_S):
    return pour("hf://me/model", DESTINATION, *more, timeout=timeout)


def served(hub, path):
    return hub.counters()["bytes"].get("models/me/model/" + path, 0)


def check_poured(result, store, files=FILES):
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, files)


def check_cost(hub, path="big.bin", size=len(BIG), more=0, most_resolves=1):
    """Nothing is fetched twice but `more` bytes; resolves stay few and plain."""
    seen = hub.counters()
    assert size <= served(hub, path) <= size + more
    assert all(count <= most_resolves for count in seen["resolves"].values()), seen["resolves"]
    assert seen["ranged_resolves"] == 0
    whole = [r for r in seen["last_requests"] if r["listener"] == "cdn" and r["range"] is None]
    assert whole == [] and seen["unranged_cdn_gets"] == 0
    assert seen["authorization"]["cdn"] == 0


def check_never_seen(store, *paths):
    """Those objects were never visible, not for a moment; and nothing is left open or sealed."""
    seen = {entry["key"] for entry in store.journal()}
    assert not seen & {BASE + path for path in paths}
    assert MANIFEST not in seen
    assert store.uploads() == []


def check_fired(hub, mode, count=1):
    assert hub.counters()["faults_fired"].get(mode) == count


def ids(value):
    return "-".join(str(part) for part in value.values()) or "plain" if isinstance(value, dict) else str(value)


@pytest.mark.parametrize("lanes", [(), ("--lanes", 1)], ids=["lanes", "one-lane"])
@pytest.mark.row("hub F.11.13", "hub F.11.14", "hub F.11.28")
def test_a_good_day_fetches_each_byte_once(model, store, pour, lanes):
    check_poured(pour_model(pour, *lanes), store)
    check_cost(model)
    check_cost(model, "other.bin", len(OTHER))


# --- rows 7 and 8: the stream breaks

@pytest.mark.parametrize("lanes", [(), ("--lanes", 1)], ids=["lanes", "one-lane"])
@pytest.mark.parametrize("how", [
    {"at_offset": 17 * MIB + 3}, {"at_offset": 1}, {"at_offset": PART}, {"at_offset": len(BIG) - 1},
    {"after_bytes": 0}, {"after_bytes": 1_000_003, "count": 3}], ids=ids)
@pytest.mark.parametrize("mode", ["reset_after", "short_fin"])
@pytest.mark.row("hub F.11.7", "hub F.11.8")
def test_a_broken_stream_goes_on_at_its_byte(model, store, pour, mode, how, lanes):
    model.fault(mode, path="big.bin", route="cdn", **how)
    check_poured(pour_model(pour, *lanes), store)
    check_cost(model, more=2 * MIB, most_resolves=3)
    check_fired(model, mode, how.get("count", 1))


@pytest.mark.parametrize("mode", ["reset_after", "short_fin"])
@pytest.mark.row("hub F.11.7", "hub F.11.8")
def test_a_broken_git_file_goes_on(model, store, pour, mode):
    model.fault(mode, path="config.json", route="cache", after_bytes=5_000)
    check_poured(pour_model(pour), store)


def test_several_breaks_in_several_files(model, store, pour):
    for offset in (3 * MIB, 11 * MIB, 27 * MIB):
        model.fault("reset_after", path="big.bin", at_offset=offset)
    model.fault("short_fin", path="other.bin", at_offset=2 * PART)
    model.fault("status", path="other.bin", route="cdn", status=503, count=2)
    check_poured(pour_model(pour), store)
    check_cost(model, more=6 * MIB, most_resolves=3)


@pytest.mark.row("hub F.11.7")
def test_one_long_file_over_all_lanes_with_a_break(hub, store, pour):
    content = data(64 * MIB, 13)
    hub.repo("me/model", {"long.bin": content})
    hub.fault("reset_after", at_offset=33 * MIB + 7)
    check_poured(pour_model(pour), store, {"long.bin": content})
    check_cost(hub, "long.bin", len(content), more=2 * MIB, most_resolves=2)


@pytest.mark.parametrize("mode", ["reset_after", "short_fin"])
def test_little_memory_and_a_break(model, store, pour, mode):
    model.fault(mode, path="big.bin", at_offset=17 * MIB + 3)
    check_poured(pour_model(pour, "--memory", "64Mi"), store)
    check_cost(model, more=2 * MIB, most_resolves=2)


# --- row 9: the stream stalls; the limit is 60 s

@pytest.mark.row("hub F.11.9")
def test_a_stalled_stream_is_given_up_and_goes_on(model, store, pour):
    model.fault("stall", path="big.bin", at_offset=17 * MIB + 3)
    result = pour_model(pour, timeout=75)
    check_poured(result, store)
    assert 55 < result.seconds < 70
    check_cost(model, more=2 * MIB, most_resolves=2)


# --- rows 11, 12, 15: the address dies

@pytest.mark.row("hub F.11.11")
def test_an_address_is_renewed_before_it_expires(model, store, pour):
    model.fault("expire", path="big.bin", life_s=2, count=-1)
    model.fault("trickle", path="big.bin", rate=8 * MIB, count=-1)
    model.fault("reset_after", path="big.bin", at_offset=20 * MIB)
    check_poured(pour_model(pour, "--lanes", 1), store)
    check_cost(model, more=2 * MIB, most_resolves=2)
    assert "403" not in model.counters()["statuses"]["cdn"]


@pytest.mark.row("hub F.11.11")
def test_an_address_that_is_handed_out_dead(model, store, pour):
    model.fault("expire", path="big.bin", life_s=-5, count=2)
    check_poured(pour_model(pour), store)
    check_cost(model, most_resolves=4)
    check_fired(model, "expire", 2)


@pytest.mark.parametrize("lanes", [(), ("--lanes", 1)], ids=["lanes", "one-lane"])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("mode", ["forbidden", "invalid_key_pair"])
@pytest.mark.row("hub F.11.12", "hub F.11.15")
def test_a_refused_address_is_replaced(model, store, pour, mode, count, lanes):
    model.fault(mode, path="big.bin", count=count)
    check_poured(pour_model(pour, *lanes), store)
    check_cost(model, most_resolves=1 + 2 * count)
    check_fired(model, mode, count)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_the_cdn_refuses_once(model, store, pour, status):
    model.fault("status", path="big.bin", route="cdn", status=status)
    check_poured(pour_model(pour), store)
    check_cost(model, most_resolves=3)


@pytest.mark.parametrize("status, times", [(400, 2), (401, 6), (403, 6)])
@pytest.mark.row("hub F.11.12")
def test_an_edge_that_refuses_every_address_is_final(model, store, pour, status, times):
    """Contract hub §5.4 and §3.6: one new address after a 400, about five after a 401 or 403; the file is not begun anew."""
    model.fault("status", path="big.bin", route="cdn", status=status, count=-1)
    result = pour_model(pour, "--lanes", 1)
    assert result.exit == 5, result.stderr
    assert f"HTTP {status}" in result.stderr and "big.bin" in result.stderr
    check_never_seen(store, "big.bin")
    check_fired(model, "status", times)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.row("hub F.11.4", "hub F.11.5")
def test_the_cdn_is_in_trouble(model, store, pour, status):
    model.fault("status", path="big.bin", route="cdn", status=status, count=2)
    check_poured(pour_model(pour), store)
    check_cost(model, most_resolves=2)
    check_fired(model, "status", 2)


# --- rows 16 to 19: another answer than the one asked for

@pytest.mark.parametrize("mode, how", [
    ("ignore_range", {}), ("wrong_content_range", {}), ("wrong_content_range", {"start_shift": 0, "total_shift": 1}),
    ("wrong_content_range", {"start_shift": -1}), ("bogus_416", {}), ("no_content_range", {}), ("no_length", {})], ids=ids)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.row("hub F.11.16", "hub F.11.17", "hub F.11.18")
def test_another_range_than_the_one_asked_for(model, store, pour, mode, how, count):
    skip = 0 if "start_shift" not in how or how["start_shift"] >= 0 else 1  # a start below zero is no header at all
    model.fault(mode, path="big.bin", route="cdn", count=count, skip=skip, **how)
    check_poured(pour_model(pour), store)
    # What comes with a wrong head is thrown away: the kernel's buffers hold a little of it.
    check_cost(model, more=16 * MIB * count, most_resolves=1 + 2 * count)
    check_fired(model, mode, count)


def test_no_content_range_at_all_is_bearable(model, store, pour):
    model.fault("no_content_range", path="big.bin", count=-1)
    check_poured(pour_model(pour), store)
    check_cost(model)


@pytest.mark.parametrize("mode", ["ignore_range", "wrong_content_range"])
@pytest.mark.row("hub F.11.16", "hub F.11.17")
def test_a_server_that_never_does_ranges_right_makes_no_object(model, store, pour, mode):
    model.fault(mode, path="big.bin", route="cdn", count=-1)
    result = pour_model(pour)
    if result.exit == 0:  # from byte 0 in one stream it may still succeed; but then with the right bytes
        check_bucket(store, BASE, FILES)
        return
    assert result.exit == 5, result.stderr
    assert "big.bin" in result.stderr
    check_never_seen(store, "big.bin")
    assert BASE + "other.bin" in store.objects()


@pytest.mark.row("hub F.11.19")
def test_forced_gzip_once(model, store, pour):
    model.fault("gzip", path="config.json")
    check_poured(pour_model(pour), store)
    check_fired(model, "gzip")


@pytest.mark.row("hub F.11.19")
def test_forced_gzip_always_is_an_error_and_not_garbage(model, store, pour):
    model.fault("gzip", path="config.json", count=-1)
    result = pour_model(pour)
    assert result.exit == 5, result.stderr
    assert "config.json" in result.stderr
    check_never_seen(store, "config.json")


# --- rows 42 to 44: a slow, a crowded and a talkative edge

@pytest.mark.row("hub F.11.42")
def test_a_slow_first_byte(model, store, pour):
    model.fault("delay", delay_ms=700, count=-1)
    result = pour_model(pour)
    check_poured(result, store)
    check_cost(model)
    assert result.seconds < 6


@pytest.mark.row("hub F.11.43")
def test_a_crowded_edge(hub, store, pour):
    files = {f"{n}.bin": data(3 * MIB, n) for n in range(12)}
    hub.repo("me/model", files, {"lfs": ["*.bin"]})
    hub.fault("connection_cap", limit=4, count=-1)
    hub.fault("delay", delay_ms=150, count=-1)  # so that they do meet
    result = pour_model(pour, "--lanes", 12)
    check_poured(result, store, files)
    assert hub.counters()["faults_fired"].get("connection_cap", 0) > 0
    assert "going on with 6 of 12 lanes" in result.stderr, result.stderr  # fewer, while the edge takes no more
    assert all(served(hub, path) == len(content) for path, content in files.items())


@pytest.mark.row("hub F.11.44", "hub F.11.45", "hub F.11.49")
def test_a_talkative_edge(model, store, pour):
    for mode in ("odd_headers", "noise", "close"):
        model.fault(mode, route="any", count=-1)
    check_poured(pour_model(pour), store)
    check_cost(model)


# --- row 33: wrong bytes

class Watch:
    """Looks for an object again and again while a run is under way."""

    def __init__(self, store, key):
        self.store, self.key, self.looks, self.found = store, key, 0, False
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        parts = urllib.parse.urlsplit(self.store.url)
        query = urllib.parse.urlencode({"bucket": BUCKET, "key": self.key})
        while not self.ended.is_set():
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
            connection.request("GET", "/_admin/object?" + query)
            self.found |= connection.getresponse().status == 200
            connection.close()
            self.looks += 1
            self.ended.wait(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *what):
        self.ended.set()
        self.thread.join()


@pytest.mark.parametrize("lanes", [(), ("--lanes", 1)], ids=["lanes", "one-lane"])
@pytest.mark.row("hub F.11.33")
def test_a_file_that_always_comes_wrong_is_never_seen(model, store, pour, lanes):
    flipped = bytearray(BIG)
    flipped[FLIP_AT] ^= 0xFF
    model.fault("flip", path="big.bin", flip_offset=FLIP_AT, count=-1)
    with Watch(store, BASE + "big.bin") as watch:
        result = pour_model(pour, *lanes)
    assert result.exit == 7, result.stderr
    assert sha256(BIG) in result.stderr and sha256(flipped) in result.stderr
    assert watch.looks > 5 and not watch.found
    check_never_seen(store, "big.bin")
    others = {BASE + path for path in FILES if path != "big.bin"}
    assert others <= set(store.objects()) <= others | {BASE + ".hfpour/checkpoint.json"}
    assert served(model, "big.bin") <= 2 * len(BIG)
    check_fired(model, "flip", 2)


@pytest.mark.row("hub F.11.33")
def test_a_small_file_that_always_comes_wrong_is_never_seen(model, store, pour):
    model.fault("flip", path="config.json", flip_offset=100, count=-1)
    result = pour_model(pour)
    assert result.exit == 7, result.stderr
    check_never_seen(store, "config.json")
    assert BASE + "big.bin" in store.objects()


@pytest.mark.parametrize("path, offset", [("big.bin", FLIP_AT), ("big.bin", 0), ("other.bin", 2 * PART),
                                          ("config.json", 100)])
@pytest.mark.row("hub F.11.33")
def test_a_file_that_comes_wrong_once_is_fetched_again(model, store, pour, path, offset):
    model.fault("flip", path=path, flip_offset=offset)
    result = pour_model(pour)
    check_poured(result, store)
    check_fired(model, "flip")
    assert served(model, path) <= 2 * len(FILES[path])
    assert [entry["key"] for entry in store.journal()].count(BASE + path) == 1


# --- rows 34 and 35: the Hub is of one mind with itself, and wrong

@pytest.mark.parametrize("mode, how", [("wrong_sha", {}), ("wrong_size", {"delta": 1}), ("wrong_size", {"delta": -1})],
                         ids=ids)
@pytest.mark.row("hub F.11.34", "hub F.11.35")
def test_a_promise_the_bytes_do_not_keep(model, store, pour, mode, how):
    model.fault(mode, path="big.bin", route="tree|resolve", count=-1, **how)
    result = pour_model(pour)
    # A wrong total in the CDN's Content-Range is a broken answer (5); bytes with another hash are the wrong file (7).
    assert result.exit == (7 if mode == "wrong_sha" else 5), result.stderr
    assert "big.bin" in result.stderr
    check_never_seen(store, "big.bin")
    assert BASE + "other.bin" in store.objects()
