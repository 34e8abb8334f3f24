"""What the Hub says about a repository, each with its own sentence and exit status, and who gets to see the token."""

import pytest
from support import BUCKET, MIB, TOKEN, data
from test_pour import check_bucket

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
MISSING = "hf://me/never-there"  # the stand-in remembers a repository whose folder is gone as an empty one
MODEL = {"config.json": b'{"a": 1}\n', "empty.txt": b"", "nested/notes.txt": b"n" * 5000, "weights.safetensors": data(MIB, 2)}
LFS = {"lfs": ["*.safetensors"]}
PRIVATE = LFS | {"private": True, "token": TOKEN}
GATED = LFS | {"gated": "auto", "token": TOKEN, "denied": ["hf_denied"]}
BOGUS = "hf_BogusTokenNeverToBeSeen"
TRACE = ("--log-level", "trace")

# name: what .hub.json says (None: no such repository), the token, source, exit, words of the sentence
REFUSALS = {
    "missing, anonymous": (None, None, MISSING, 3, ("does not exist", "private", "set HF_TOKEN")),
    "missing, with a token": (None, "hf_user", MISSING, 3, ("does not exist", "this token")),
    "private, anonymous": (PRIVATE, None, SOURCE, 3, ("does not exist", "private", "set HF_TOKEN")),
    "private, with another's token": (PRIVATE, "hf_user", SOURCE, 3, ("does not exist", "this token")),
    "private, with a bogus token": (PRIVATE, BOGUS, SOURCE, 3, ("does not exist", "this token")),
    "gated, anonymous": (GATED, None, SOURCE, 6, ("gated", "terms", "set HF_TOKEN")),
    "gated, not approved": (GATED, "hf_denied", SOURCE, 6, ("gated", "no access yet")),
    "gated by hand, not approved": (GATED | {"gated": "manual"}, "hf_denied", SOURCE, 6, ("gated", "no access yet")),
    "gated, with a bogus token": (GATED, BOGUS, SOURCE, 6, ("gated", "does not accept the token")),
    "disabled": (LFS | {"disabled": True}, None, SOURCE, 6, ("disabled",)),
    "unknown revision": (LFS, None, SOURCE + "@nowhere", 3, ("no such revision", "nowhere")),
    "unknown commit": (LFS, None, SOURCE + "@" + "d" * 40, 3, ("no such revision", "d" * 40)),
    "unknown pull request": (LFS, None, SOURCE + "@refs/pr/7", 3, ("no such revision", "refs/pr/7")),
    "a model where a data set is asked for": (LFS, None, "hf://datasets/me/model", 3, ("datasets/me/model", "does not exist")),
}


def failure(result):
    """The one sentence of a run that failed."""
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if "failed after" in line]
    assert len(lines) == 1, result.stderr
    return lines[0].partition("failed after")[2]


def check_untouched(store):
    assert store.journal() == [] and store.uploads() == []


def check_token_stayed_home(hub):
    assert hub.counters()["authorization"]["cdn"] == 0


@pytest.mark.parametrize("level", [(), TRACE], ids=["plain", "trace"])
@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.row("hub F.11.26", "hub F.11.27", "hub F.11.30")
def test_a_refusal_has_its_own_sentence_and_status(hub, store, pour, name, level):
    about, token, source, status, words = REFUSALS[name]
    if about is not None:
        hub.repo("me/model", MODEL, about)
    result = pour(source, DESTINATION, *level, env={"HF_TOKEN": token}, timeout=30)
    assert result.exit == status, result.stderr
    sentence = failure(result)
    for word in words + (source.removeprefix("hf://").partition("@")[0],):
        assert word in sentence, (word, sentence)
    for secret in (BOGUS, "hf_denied", "hf_user"):
        assert secret not in result.stderr
    check_untouched(store)
    assert hub.requests() <= 4, "no retry helps here: %s" % hub.counters()["requests"]
    assert hub.counters()["bytes"] == {}
    check_token_stayed_home(hub)


def test_the_sentences_differ(hub, store, pour):
    """A person must be able to tell the cases apart."""
    said = {}
    for name in ("missing, anonymous", "missing, with a token", "gated, anonymous", "gated, not approved",
                 "gated, with a bogus token", "disabled", "unknown revision"):
        about, token, source, _, _ = REFUSALS[name]
        repo = "me/r%d" % len(said)
        if about is not None:
            hub.repo(repo, MODEL, about)
        result = pour(source.replace("me/model", repo).replace("me/never-there", repo), DESTINATION, env={"HF_TOKEN": token})
        said[name] = failure(result).partition(": ")[2].replace(repo, "X").partition(" (")[0]
    assert len(set(said.values())) == len(said), said


@pytest.mark.parametrize("about", [LFS, PRIVATE, GATED], ids=["public", "private", "gated"])
def test_a_revoked_token_is_named(hub, store, pour, about):
    hub.repo("me/model", MODEL, about)
    hub.admin("repo", {"revoke_token": TOKEN})
    result = pour(SOURCE, DESTINATION, *TRACE, env={"HF_TOKEN": TOKEN}, timeout=30)
    assert result.exit == 6, result.stderr
    assert "does not accept the token" in failure(result)
    check_untouched(store)
    assert hub.requests() <= 2, hub.counters()["requests"]


@pytest.mark.row("hub F.11.30")
def test_a_repository_that_is_disabled_while_it_is_poured(hub, store, pour):
    """The listing still came; each file is refused."""
    hub.repo("me/model", MODEL, LFS)
    hub.fault("disabled", count=-1)
    result = pour(SOURCE, DESTINATION, timeout=30)
    assert result.exit == 6, result.stderr
    assert "disabled" in failure(result)
    assert not any(key["key"].endswith((".json", ".safetensors", "notes.txt")) and "/.hfpour/" not in key["key"]
                   for key in store.journal())
    assert store.uploads() == []
    assert hub.requests() <= 2 + len(MODEL), hub.counters()["requests"]


@pytest.mark.parametrize("fields, token", [(["lfs.oid"], None), (["lfs.oid"], "hf_user"), (["xetHash", "lfs.oid"], None)])
@pytest.mark.row("hub F.11.32")
def test_hashes_in_stars_are_a_closed_door(hub, store, pour, fields, token):
    hub.repo("me/model", MODEL, LFS)
    hub.fault("starred", fields=fields, count=-1)
    result = pour(SOURCE, DESTINATION, env={"HF_TOKEN": token}, timeout=30)
    assert result.exit == 6, result.stderr
    sentence = failure(result)
    assert "weights.safetensors" in sentence and "gated" in sentence
    check_untouched(store)
    assert hub.requests() <= 2


def test_stars_of_the_other_hash_do_not_matter(hub, store, pour):
    hub.repo("me/model", MODEL, LFS)
    hub.fault("starred", fields=["xetHash"], count=-1)
    assert pour(SOURCE, DESTINATION).exit == 0
    check_bucket(store, "p/me/model/", MODEL)


# Who gets in.

CLOSED = {"private": PRIVATE, "gated": GATED, "gated by hand": GATED | {"gated": "manual"}, "both": PRIVATE | {"gated": "auto"}}


@pytest.mark.parametrize("name", CLOSED)
def test_a_good_token_opens_the_door(hub, store, pour, name):
    hub.repo("me/model", MODEL, CLOSED[name])
    result = pour(SOURCE, DESTINATION, *TRACE, env={"HF_TOKEN": TOKEN})
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/model/", MODEL)
    seen = hub.counters()
    assert seen["authorization"]["hub"] > 0 and seen["authorization"]["cdn"] == 0
    assert seen["tokens"]["equal"] > 0 and seen["tokens"]["different"] == 0


def test_without_a_token_nothing_is_authorised(hub, store, pour):
    hub.repo("me/model", MODEL, LFS)
    assert pour(SOURCE, DESTINATION).exit == 0
    assert sum(hub.counters()["authorization"].values()) == 0


def test_a_public_repository_pours_with_a_token_too(hub, store, pour):
    hub.repo("me/model", MODEL, LFS)
    assert pour(SOURCE, DESTINATION, *TRACE, env={"HF_TOKEN": TOKEN}).exit == 0
    check_bucket(store, "p/me/model/", MODEL)
    check_token_stayed_home(hub)


TOKEN_PLACES = {
    "HF_TOKEN_PATH": lambda home: {"HF_TOKEN_PATH": home / "token"},
    "HF_HOME": lambda home: {"HF_HOME": home},
    "HF_TOKEN_PATH with a variable": lambda home: {"SOME": home, "HF_TOKEN_PATH": "$SOME/token"},
    "HUGGING_FACE_HUB_TOKEN": lambda home: {"HUGGING_FACE_HUB_TOKEN": TOKEN},
    "HF_TOKEN over a file": lambda home: {"HF_TOKEN": TOKEN, "HF_TOKEN_PATH": "/nowhere"},
}


@pytest.mark.parametrize("name", TOKEN_PLACES)
def test_the_token_is_found(hub, store, pour, tmp_path, name):
    hub.repo("me/model", MODEL, PRIVATE)
    (tmp_path / "token").write_text(TOKEN + "\n")
    result = pour(SOURCE, DESTINATION, *TRACE, env=TOKEN_PLACES[name](tmp_path))
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/model/", MODEL)
    check_token_stayed_home(hub)


def test_the_token_in_the_home_folder_is_found(hub, store, pour, tmp_path):
    hub.repo("me/model", MODEL, PRIVATE)
    folder = tmp_path / ".cache" / "huggingface"
    folder.mkdir(parents=True)
    (folder / "token").write_text(TOKEN)
    assert pour(SOURCE, DESTINATION, env={"HOME": tmp_path}).exit == 0
    hub.admin("reset", {})
    result = pour(SOURCE, DESTINATION, "--refresh", env={"HOME": tmp_path, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"})
    assert result.exit == 3 and sum(hub.counters()["authorization"].values()) == 0


def test_a_token_file_that_is_missing_is_remarked(hub, store, pour):
    hub.repo("me/model", MODEL, LFS)
    result = pour(SOURCE, DESTINATION, env={"HF_TOKEN_PATH": "/nowhere/token"})
    assert result.exit == 0 and result.stderr.count("/nowhere/token") == 1, result.stderr


# Where the Hub sends us.

@pytest.mark.parametrize("route", ["info", "tree", "resolve"])
@pytest.mark.row("hub F.11.25")
def test_the_token_never_follows_to_a_foreign_origin(hub, store, pour, route):
    """The stand-in's CDN is another origin than its Hub, and it counts every Authorization."""
    hub.repo("me/model", MODEL, PRIVATE)
    hub.fault("redirect", route=route, location="{cdn}{target}", count=-1)
    result = pour(SOURCE, DESTINATION, *TRACE, env={"HF_TOKEN": TOKEN}, timeout=30)
    assert result.exit not in (0, 1), result.stderr
    assert hub.cdn in failure(result), result.stderr
    check_token_stayed_home(hub)
    assert store.uploads() == []
    assert hub.requests() <= 2 + len(MODEL), hub.counters()["requests"]


@pytest.mark.parametrize("location", ["http://user:geheim@127.0.0.1:1{target}", "//127.0.0.1:1{target}",
                                      "ftp://127.0.0.1{target}", "file:///etc/passwd", ""])
def test_odd_redirects_lead_nowhere(hub, store, pour, location):
    hub.repo("me/model", MODEL, PRIVATE)
    hub.fault("redirect", route="info", location=location, count=-1)
    result = pour(SOURCE, DESTINATION, *TRACE, env={"HF_TOKEN": TOKEN}, timeout=30)
    assert result.exit not in (0, 1), result.stderr
    assert "geheim" not in result.stderr
    check_untouched(store)
    assert hub.requests() <= 12, hub.counters()["requests"]


@pytest.mark.parametrize("route", ["info", "tree", "resolve"])
@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.row("hub F.11.23")
def test_redirects_inside_the_hub_are_followed(hub, store, pour, route, hops):
    hub.repo("me/model", MODEL, PRIVATE)
    hub.fault("redirect", route=route, count=hops)
    result = pour(SOURCE, DESTINATION, env={"HF_TOKEN": TOKEN})
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/model/", MODEL)
    assert "retry" not in result.stderr.replace("0 retries", "")


@pytest.mark.parametrize("route", ["info", "tree", "resolve"])
@pytest.mark.row("hub F.11.23")
def test_redirects_in_a_circle_end(hub, store, pour, route):
    hub.repo("me/model", {"weights.safetensors": MODEL["weights.safetensors"]}, LFS)
    hub.fault("redirect", route=route, count=-1)
    result = pour(SOURCE, DESTINATION, timeout=60)
    assert result.exit not in (0, 1), result.stderr
    assert "circle" in failure(result)
    check_untouched(store)
    assert hub.requests() <= 40, hub.counters()["requests"]


NAMES = {
    "renamed": ("me/old", "me/model"),
    "moved to another owner": ("gone/model", "me/model"),
    "a legacy id of one part": ("model", "me/model"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.row("hub F.11.23")
def test_a_renamed_repository_keeps_the_place_of_its_old_name(hub, store, pour, name):
    """README: "keeps the place of the name you asked for"."""
    old, new = NAMES[name]
    hub.repo(new, MODEL, PRIVATE)
    hub.repo(old, {}, {"renamed_to": new})
    result = pour("hf://" + old, DESTINATION, "--json", env={"HF_TOKEN": TOKEN})
    assert result.exit == 0, result.stderr
    assert result.json()["uri"] == f"s3://{BUCKET}/p/{old}/"
    check_bucket(store, f"p/{old}/", MODEL)
    assert new in result.stderr, "a remark says what it is called today"
    check_token_stayed_home(hub)
    hub.admin("reset", {})
    assert pour("hf://" + old, DESTINATION).exit == 0 and hub.requests() == 0


@pytest.mark.row("hub F.11.24")
def test_a_repository_in_the_wrong_case_is_found(hub, store, pour):
    hub.repo("me/model", MODEL, LFS)
    result = pour("hf://Me/MODEL", DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/Me/MODEL/", MODEL)
    hub.admin("reset", {})
    assert pour("hf://Me/MODEL", DESTINATION).exit == 0 and hub.requests() == 0


@pytest.mark.row("hub F.11.24")
def test_a_file_that_moved_to_another_name_is_followed(hub, store, pour):
    """The listing came under one name; files answer with 307 to another spelling, and that with 307 to the right one."""
    hub.repo("me/model", MODEL, PRIVATE)
    commit = pour(SOURCE, DESTINATION, "--dry-run", "--json", env={"HF_TOKEN": TOKEN}).json()["commit"]
    there = [path for path, content in MODEL.items() if content]
    hub.admin("faults", [{"id": "redirect", "route": "resolve", "path": path,
                          "location": f"{{hub}}/Me/MODEL/resolve/{commit}/{path}"} for path in there])
    result = pour(SOURCE, DESTINATION, env={"HF_TOKEN": TOKEN})
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/model/", MODEL)
    assert hub.admin("faults") == [], "each redirect was met"
    check_token_stayed_home(hub)


@pytest.mark.parametrize("foreign", [False, True])
def test_a_mirror_below_a_path(hub, store, pour, foreign):
    """One that hands on the Hub's own addresses unchanged: next pages, new names and the Hub's content route."""
    hub.repo("me/old", {}, {"renamed_to": "me/model"})
    hub.repo("me/model", MODEL, LFS)
    hub.admin("settings", {"path_prefix": "/mirrors/hf", "page_size": 2})
    if foreign:
        hub.fault("link_foreign", origin="https://huggingface.co", count=-1)
    try:
        result = pour("hf://me/old", f"s3://{BUCKET}/p/", env={"HF_ENDPOINT": hub.url + "/mirrors/hf/"}, timeout=30)
    finally:
        hub.admin("settings", {"path_prefix": "", "page_size": 1000})
    assert result.exit == 0, result.stderr
    check_bucket(store, "p/me/old/", MODEL)


def test_renamed_to_what_is_gone_is_not_found(hub, store, pour):
    hub.repo("me/old", {}, {"renamed_to": "me/nowhere"})
    result = pour("hf://me/old", DESTINATION, timeout=30)
    assert result.exit == 3, result.stderr
    assert "me/old" in failure(result) and hub.requests() <= 3
    check_untouched(store)
