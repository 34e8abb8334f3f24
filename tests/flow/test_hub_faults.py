"""The Hub misbehaves while it lists and resolves: the right bytes in the end, or the right exit status."""

import json

import pytest
from support import BUCKET, TOKEN, Hub, Pourer, data
from test_pour import check_bucket

DESTINATION = f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
LFS = {"lfs": ["*.safetensors"]}
MODEL = {
    "config.json": b'{"a": 1}\n',
    "nested/notes.txt": b"n" * 5000,
    "empty.txt": b"",
    "one.safetensors": data(300_000, 2),
    "two.safetensors": data(200_001, 3),
}
PATIENCE_S = 20  # no test here needs longer; a wait for the end of a rate-limit window would take 300 s

BUSY = [("rate_limited", {"t": 1}), ("retry_after", {"seconds": 1}), ("too_many", {})]
TRANSIENT = BUSY + [("status", {"status": status, "count": 2}) for status in (500, 502, 503, 504)] + [
    ("status", {"status": 408}), ("reset_before_headers", {"count": 2})]


def name_of(value):
    if isinstance(value, dict):
        return "-".join(str(part) for part in value.values()) or "plain"
    return str(value)


@pytest.fixture
def model(hub):
    hub.repo("me/model", MODEL, LFS)
    return hub


def pour_model(pour, *more, env=None):
    return pour("hf://me/model", DESTINATION, *more, env=env, timeout=PATIENCE_S)


def check_manners(hub, most_resolves=1):
    """Few resolves, none with a range, the CDN never asked for a whole file nor shown a token."""
    seen = hub.counters()
    assert all(count <= most_resolves for count in seen["resolves"].values()), seen["resolves"]
    assert not any("empty.txt" in path for path in seen["resolves"])
    assert seen["ranged_resolves"] == 0
    assert seen["unranged_cdn_gets"] == 0
    assert seen["authorization"]["cdn"] == 0


def check_nothing_there(store, but=()):
    assert {entry["key"] for entry in store.journal()} <= {BASE + path for path in but} | {BASE + ".hfpour/checkpoint.json"}
    assert store.uploads() == []


@pytest.mark.row("hub F.11.13", "hub F.11.14", "hub F.11.28")
def test_a_good_day_costs_one_resolve_per_file(model, store, pour):
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    check_manners(model)
    seen = model.counters()
    assert (seen["requests"]["info"], seen["requests"]["tree"], seen["requests"]["resolve"]) == (1, 1, 4)


# --- rows 1 to 6: trouble that passes

@pytest.mark.parametrize("route", ["info", "tree", "resolve", "cache"])
@pytest.mark.parametrize("mode, how", TRANSIENT, ids=name_of)
@pytest.mark.row("hub F.11.1", "hub F.11.2", "hub F.11.3", "hub F.11.4", "hub F.11.5", "hub F.11.6")
def test_trouble_that_passes(model, store, pour, route, mode, how):
    path = {"resolve": "one.safetensors", "cache": "nested/notes.txt"}.get(route, "*")
    model.fault(mode, route=route, path=path, **how)
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    check_manners(model, 1 + 2 * how.get("count", 1))
    assert model.counters()["faults_fired"][mode] == how.get("count", 1)


@pytest.mark.parametrize("route", ["info", "tree", "resolve"])
@pytest.mark.parametrize("mode, how", [("rate_limited", {"t": 2}), ("retry_after", {"seconds": 2})], ids=name_of)
@pytest.mark.row("hub F.11.1", "hub F.11.2")
def test_the_wait_that_is_asked_for_is_kept(model, store, pour, route, mode, how):
    model.fault(mode, route=route, **how)
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    assert 2 <= result.seconds < 12
    assert ("asked to slow down: going on with" in result.stderr) == (route == "resolve"), result.stderr
    check_bucket(store, BASE, MODEL)


@pytest.mark.parametrize("mode, how", [("retry_after", {"seconds": 1}), ("too_many", {})], ids=name_of)
@pytest.mark.row("hub F.11.2", "hub F.11.3")
def test_an_earlier_window_is_not_the_wait_of_a_later_refusal(model, store, pour, mode, how):
    """Earlier answers spoke of a window of 300 s with plenty left; the refusal itself says nothing of it."""
    model.fault(mode, route="resolve", path="two.safetensors", **how)
    result = pour_model(pour, "--lanes", 1)
    assert result.exit == 0, result.stderr
    assert result.seconds < 10
    check_bucket(store, BASE, MODEL)


# 80 requests are needed: a HEAD of `resolve` and a GET of the bytes, which the Hub counts as well.
@pytest.mark.parametrize("quota, window, lanes", [(30, 2, 8), (20, 1, 8), (60, 2, 32)])
@pytest.mark.row("hub F.11.1")
def test_a_small_quota_is_shared_out(hub, store, pour, quota, window, lanes):
    files = {f"part/{n:03}.json": b"%d" % n * 50 for n in range(40)}
    hub.repo("me/model", files)
    hub.admin("repo", {"rate_limit": {"bucket": "resolvers", "quota": quota, "window": window}})
    result = pour_model(pour, "--lanes", lanes)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, files)
    statuses = hub.counters()["statuses"]
    refused = sum(statuses[route].get("429", 0) for route in ("resolve", "cache"))
    assert refused <= 12, statuses


# --- rows 20 to 22: what an answer says of itself

@pytest.mark.parametrize("mode, how", [
    ("no_linked_size", {}), ("lying_length", {}), ("lying_length", {"length": 7}), ("head_405", {}),
    ("no_head_length", {}), ("no_repo_commit", {}), ("no_expires", {}), ("direct_200", {}), ("relative_302", {})],
    ids=name_of)
@pytest.mark.row("hub F.11.20", "hub F.11.21", "hub F.11.22", "hub F.11.50")
def test_odd_resolve_answers(model, store, pour, mode, how):
    model.fault(mode, count=-1, **how)
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    check_manners(model, 2)  # a refused HEAD costs a second request


@pytest.mark.parametrize("status", [405, 501])
@pytest.mark.row("hub F.11.22")
def test_a_server_without_head_is_asked_with_get_at_once(model, store, pour, status):
    model.fault("status", route="resolve", method="HEAD", status=status, count=-1)
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    check_manners(model, 2)
    assert model.counters()["faults_fired"]["status"] == 4  # one for each file that is not empty


# --- rows 23 to 25: redirects

@pytest.mark.parametrize("route", ["info", "tree", "resolve"])
@pytest.mark.row("hub F.11.23")
def test_a_chain_of_redirects_is_followed(model, store, pour, route):
    model.fault("redirect", route=route, count=3)
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    check_manners(model, 4)


@pytest.mark.parametrize("route", ["info", "tree", "resolve"])
@pytest.mark.row("hub F.11.23")
def test_a_loop_of_redirects_is_an_error(model, store, pour, route):
    model.fault("redirect", route=route, count=-1)
    result = pour_model(pour)
    assert result.exit in (2, 5), result.stderr
    assert "circle" in result.stderr
    check_nothing_there(store, ["empty.txt"])
    assert model.requests() < 60


@pytest.mark.parametrize("kind", ["models", "datasets"])
@pytest.mark.row("hub F.11.23")
def test_a_renamed_repository_is_followed(hub, store, pour, kind):
    hub.repo("me/model", MODEL, LFS, kind=kind)
    hub.repo("me/old", {}, {"renamed_to": "me/model"}, kind=kind)
    prefix = "" if kind == "models" else kind + "/"
    result = pour(f"hf://{prefix}me/old", DESTINATION, timeout=PATIENCE_S)
    assert result.exit == 0, result.stderr
    assert "me/model" in result.stderr
    found = {key.split("/", 3)[3]: key for key in store.objects()}
    assert set(found) == set(MODEL) | {".hfpour/manifest.json"}
    assert all(store.body(found[path]) == content for path, content in MODEL.items())
    assert not any("me/old" in path for path in hub.counters()["resolves"])


@pytest.mark.row("hub F.11.24")
def test_the_wrong_case_of_a_name_is_followed(model, store, pour):
    result = pour("hf://Me/Model", DESTINATION, timeout=PATIENCE_S)
    assert result.exit == 0, result.stderr
    assert {key.lower() for key in store.objects()} == {BASE + p for p in [*MODEL, ".hfpour/manifest.json"]}
    check_manners(model)


@pytest.mark.parametrize("route", ["info", "tree", "resolve"])
@pytest.mark.row("hub F.11.25")
def test_a_foreign_hub_gets_no_token(model, store, pour, route):
    model.fault("redirect", route=route, count=-1, status=308, location="{cdn}{target}")
    result = pour_model(pour, env={"HF_TOKEN": TOKEN})
    assert result.exit == 2, result.stderr
    assert "HF_ENDPOINT" in result.stderr
    seen = model.counters()
    assert seen["authorization"]["hub"] > 0 and seen["authorization"]["cdn"] == 0
    assert seen["requests"].get("cdn", 0) == 0
    check_nothing_there(store, ["empty.txt"])


def test_the_token_stays_with_the_hub(model, store, pour):
    model.fault("extra_hop", count=-1)
    model.fault("relative_302", path="two.*", count=-1)
    result = pour_model(pour, env={"HF_TOKEN": TOKEN})
    # An endless chain of hops ends as an error; that the token did not travel with it is what counts here.
    assert result.exit in (0, 5)
    assert model.counters()["authorization"]["cdn"] == 0


@pytest.mark.row("hub F.11.28")
def test_one_more_hop_on_the_cdn(model, store, pour):
    model.fault("extra_hop", path="one.safetensors")
    result = pour_model(pour, env={"HF_TOKEN": TOKEN})
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    check_manners(model)


@pytest.mark.row("hub F.11.36")
def test_a_commit_that_was_asked_for_is_the_one_that_is_poured(model, store, pour):
    """A mirror that answers with its own head instead, and is consistent with itself afterwards."""
    head = pour_model(pour, "--json").json()["commit"]
    assert pour("hf://me/model@" + head, f"s3://{BUCKET}/same/").exit == 0
    model.fault("status", route="info", status=200, count=-1, body=json.dumps({"id": "me/model", "sha": head}))
    result = pour("hf://me/model@" + "a" * 40, f"s3://{BUCKET}/other/", timeout=PATIENCE_S)
    assert result.exit == 7 and "another commit, " + head in result.stderr, result.stderr
    assert not any(key.startswith("other/") for key in store.objects())


# --- rows 26 to 32: refusals are final, and each has its own sentence

@pytest.mark.parametrize("mode, route, status, words", [
    ("bare_401", "info", 3, "private"), ("repo_not_found", "info", 3, "private"), ("bare_401", "tree", 3, "private"),
    ("unauthorized", "info", 6, "HF_TOKEN"), ("revision_not_found", "tree", 3, "revision"),
    ("gated_401", "resolve", 6, "gated"), ("gated_403", "resolve", 6, "gated"), ("disabled", "resolve", 6, "disabled"),
    ("entry_not_found", "resolve", 3, "no such file"), ("revision_not_found", "resolve", 3, "revision")])
@pytest.mark.row("hub F.11.26", "hub F.11.27", "hub F.11.30", "hub F.11.31")
def test_a_refusal_is_final(model, store, pour, mode, route, status, words):
    model.fault(mode, route=route, count=-1)
    result = pour_model(pour)
    assert result.exit == status, result.stderr
    assert words in result.stderr
    check_nothing_there(store, ["empty.txt"])
    check_manners(model, 2)


@pytest.mark.parametrize("mode", ["entry_not_found", "revision_not_found"])
@pytest.mark.row("hub F.11.31")
def test_a_file_that_vanished_fails_alone(model, store, pour, mode):
    model.fault(mode, route="resolve", path="one.safetensors", count=-1)
    result = pour_model(pour)
    assert result.exit == 3, result.stderr
    assert "one.safetensors" in result.stderr
    others = set(MODEL) - {"one.safetensors"}
    assert set(store.objects()) == {BASE + path for path in others} | {BASE + ".hfpour/checkpoint.json"}
    check_nothing_there(store, others)


@pytest.mark.row("hub F.11.32")
def test_stars_for_a_xet_hash_do_no_harm(model, store, pour):
    model.fault("starred", fields=["xetHash"], count=-1)
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)


@pytest.mark.row("hub F.11.32")
def test_stars_for_the_hash_mean_no_access(model, store, pour):
    model.fault("starred", count=-1)
    result = pour_model(pour)
    assert result.exit == 6, result.stderr
    assert "withholds" in result.stderr
    check_nothing_there(store)


# --- rows 34 to 36: the listing lies

@pytest.mark.parametrize("path", ["one.safetensors", "nested/notes.txt"])
@pytest.mark.parametrize("mode, how", [("wrong_size", {"delta": 1}), ("wrong_size", {"delta": -1}), ("wrong_sha", {})],
                         ids=name_of)
@pytest.mark.row("hub F.11.34", "hub F.11.35")
def test_a_wrong_listing_makes_no_object(model, store, pour, mode, how, path):
    model.fault(mode, path=path, count=-1, **how)
    result = pour_model(pour)
    # A size that is too large ends as bytes that never come (5); everything else is seen to differ (7).
    assert result.exit == 7 or (how.get("delta") == 1 and result.exit == 5), result.stderr
    assert path in result.stderr
    others = set(MODEL) - {path}
    check_nothing_there(store, others)
    assert set(store.objects()) >= {BASE + other for other in others}


@pytest.mark.row("hub F.11.36")
def test_another_commit_than_the_one_asked_for(model, store, pour):
    model.fault("wrong_commit", route="resolve", path="one.safetensors", count=-1)
    result = pour_model(pour)
    assert result.exit == 7, result.stderr
    assert "commit" in result.stderr and "0" * 39 + "1" in result.stderr
    check_nothing_there(store, set(MODEL) - {"one.safetensors"})


# --- row 37: paging

PAGED = {f"{folder}/{n}.txt": b"%s %d" % (folder.encode(), n) for folder in ("a", "b", "c") for n in range(3)}


@pytest.fixture(scope="module")
def paged_hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("paged"), "--page-size", 2)
    hub.repo("me/model", PAGED)
    yield hub
    hub.stop()


@pytest.fixture
def paged(paged_hub, binary, store):
    paged_hub.reset()
    return Pourer(binary, paged_hub, store)


@pytest.mark.row("hub F.11.37")
def test_all_pages_are_read(paged, store):
    assert pour_model(paged).exit == 0
    check_bucket(store, BASE, PAGED)
    assert paged.hub.counters()["requests"]["tree"] == 6  # 9 files and 3 folders


@pytest.mark.parametrize("skip", [0, 1, 4])
@pytest.mark.parametrize("mode", ["link_relative", "link_no_space", "link_foreign"])
@pytest.mark.row("hub F.11.37")
def test_an_odd_link_still_leads_on(paged, store, mode, skip):
    paged.hub.fault(mode, skip=skip)
    result = pour_model(paged, env={"HF_TOKEN": TOKEN})
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, PAGED)


@pytest.mark.parametrize("skip", [0, 1, 4])
@pytest.mark.parametrize("count", [1, -1])
@pytest.mark.parametrize("mode", ["link_loop", "link_garbled", "link_empty_page"])
@pytest.mark.row("hub F.11.37")
def test_a_broken_listing_is_never_a_short_model(paged, store, mode, count, skip):
    paged.hub.fault(mode, skip=skip, count=count)
    result = pour_model(paged)
    if mode == "link_empty_page" and count == 1 and result.exit == 0:
        check_bucket(store, BASE, PAGED)
        return
    assert result.exit == 5, result.stderr
    assert "listing" in result.stderr or "Link" in result.stderr
    check_nothing_there(store)
    assert paged.hub.requests() < 60


@pytest.mark.parametrize("mode, how", [("status", {"status": 500, "count": 2}), ("reset_before_headers", {}),
                                       ("rate_limited", {"t": 1})], ids=name_of)
@pytest.mark.row("hub F.11.37")
def test_trouble_on_the_second_page(paged, store, mode, how):
    paged.hub.fault(mode, route="tree", skip=1, **how)
    result = pour_model(paged)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, PAGED)


# --- row 38: a push during the pour

@pytest.mark.row("hub F.11.38")
def test_a_branch_that_moves_changes_nothing(hub, store, pour):
    new = {"v2/" + path: b"new" for path in MODEL}
    hub.repo("me/model", {**MODEL, **new}, {**LFS, "revisions": {"v2": "v2"}})
    hub.fault("move_branch", to="v2")
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    assert hub.counters()["faults_fired"]["move_branch"] == 1
    check_bucket(store, BASE, MODEL)


# --- rows 44, 45, 49: noise

@pytest.mark.parametrize("mode", ["close", "noise", "odd_headers"])
@pytest.mark.row("hub F.11.44", "hub F.11.45", "hub F.11.49")
def test_noise_is_not_heard(model, store, pour, mode):
    model.fault(mode, count=-1)
    result = pour_model(pour)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, MODEL)
    check_manners(model)
