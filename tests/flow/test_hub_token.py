"""Where the Hub's token comes from, and that a file that holds it may be replaced while a run goes on."""

import os

import pytest
from support import BUCKET, PART, TOKEN, data, wait_until

SOURCE, DESTINATION, BASE = "hf://me/model", f"s3://{BUCKET}/p/", "p/me/model/"
NEXT = TOKEN[::-1]
MODEL = {f"{n}.bin": data(PART + 5, n) for n in range(4)}


@pytest.fixture
def model(hub):
    hub.repo("me/model", MODEL, {"lfs": ["*.bin"], "private": True, "token": [TOKEN, NEXT]})


PLACES = {
    "HF_TOKEN_PATH": ("anywhere", lambda folder: {"HF_TOKEN_PATH": folder / "anywhere"}),
    "HF_HOME": ("token", lambda folder: {"HF_HOME": folder}),
    "XDG_CACHE_HOME": ("huggingface/token", lambda folder: {"XDG_CACHE_HOME": folder}),
    "HOME": (".cache/huggingface/token", lambda folder: {"HOME": folder}),
}


@pytest.mark.parametrize("place", PLACES)
def test_each_file(model, pour, tmp_path, place):
    name, environment = PLACES[place]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(TOKEN + "\n")
    assert pour(SOURCE, DESTINATION, env=environment(tmp_path)).exit == 0


def test_a_variable_beats_every_file_and_a_named_file_the_others(model, pour, tmp_path):
    (tmp_path / "token").write_text("hf_wrong")
    (tmp_path / "named").write_text(TOKEN)
    assert pour(SOURCE, DESTINATION, "--dry-run", env={"HF_HOME": tmp_path}).exit != 0
    assert pour(SOURCE, DESTINATION, "--dry-run", env={"HF_HOME": tmp_path, "HF_TOKEN_PATH": tmp_path / "named"}).exit == 0
    assert pour(SOURCE, DESTINATION, "--dry-run", env={"HF_HOME": tmp_path, "HF_TOKEN": TOKEN}).exit == 0


def replaced(path):
    """As kubelet does it: another file takes the name."""
    path.with_name("next").write_text(NEXT)
    path.with_name("next").rename(path)


def overwritten(path):
    """The worst case: the same file, size and date."""
    before = path.stat()
    path.write_text(NEXT)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def unchanged(_):
    pass


@pytest.mark.parametrize("change, exit", [(replaced, 0), (overwritten, 0), (unchanged, 6)])
def test_a_file_that_changes_in_the_middle_is_read_again(model, hub, store, pour, tmp_path, change, exit):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    store.fault("stall", op="UploadPart", at="start", then="continue")
    running = pour.start(SOURCE, DESTINATION, "--lanes", "1", env={"HF_TOKEN_PATH": token})
    assert store.admin("wait?event=stalled&op=UploadPart&count=1&timeout_s=60")["ok"]
    hub.admin("repo", {"repo": "models/me/model", "revoke_token": TOKEN})
    change(token)
    store.admin("release", {})
    result = running.wait()
    assert result.exit == exit, result.stderr
    assert NEXT not in result.stdout + result.stderr
    assert (BASE + "3.bin" in store.objects()) == (exit == 0)
    # A file that looks new is read before the old token is refused.
    refused = sum(statuses.get("401", 0) + statuses.get("404", 0) + statuses.get("403", 0) for statuses in hub.counters()["statuses"].values())
    assert (refused == 0) == (change is replaced)


@pytest.mark.parametrize("mode, how", [("rate_limited", {"r": 0, "t": 2}), ("retry_after", {"seconds": 3})],
                         ids=["RateLimit", "Retry-After"])
@pytest.mark.parametrize("route", ["info", "tree", "resolve", "cache"])
@pytest.mark.row("hub F.11.1", "hub F.11.2")
def test_a_request_that_had_to_wait_is_sent_with_the_token_of_now(hub, store, pour, tmp_path, route, mode, how):
    """The wait is three seconds here and five minutes at the Hub; the token may have ended meanwhile."""
    hub.repo("me/model", {**MODEL, "notes.txt": b"n" * 5000}, {"lfs": ["*.bin"], "private": True, "token": [TOKEN, NEXT]})
    token = tmp_path / "token"
    token.write_text(TOKEN)
    hub.fault(mode, route=route, **how)
    running = pour.start(SOURCE, DESTINATION, "--lanes", "1", env={"HF_TOKEN_PATH": token})
    wait_until(lambda: hub.counters()["faults_fired"].get(mode))
    replaced(token)
    hub.admin("repo", {"repo": "models/me/model", "revoke_token": TOKEN})
    result = running.wait(60)
    assert result.exit == 0 and result.seconds >= 3, result.stderr
    statuses = {status for of_route in hub.counters()["statuses"].values() for status in of_route}
    assert "429" in statuses and not statuses & {"401", "403", "404"}, hub.counters()["statuses"]
    assert BASE + ".hfpour/manifest.json" in store.objects()
    assert NEXT not in result.stdout + result.stderr
