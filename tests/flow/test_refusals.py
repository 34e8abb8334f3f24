"""What is wrong is refused before anything happens: inputs before any request, hostile listings before any write."""

import http.server
import json
import threading

import pytest
from support import BUCKET, Hub, Pourer

SOURCE = "hf://me/model"
DESTINATION = f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
EMPTY_ENVIRONMENT = {"S3_ENDPOINT_URL": None, "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


def source(text, *words):
    return [text, DESTINATION], {}, words or (text.removeprefix("hf://"),)


def model_name(text, *words):
    return [], {"MODEL_NAME": text, "S3_BUCKET": BUCKET}, words or (text,)


def destination(text, *words):
    return [SOURCE, text], {}, words or (text.removeprefix("s3://").split("/")[0],)


def prefix(text, *words):
    return [], {"MODEL_NAME": "me/model", "S3_BUCKET": BUCKET, "S3_PREFIX": text}, words or (text,)


def flags(*given, says):
    return [SOURCE, DESTINATION, *given], {}, says if isinstance(says, tuple) else (says,)


def variables(says, **env):
    return [SOURCE, DESTINATION], env, says if isinstance(says, tuple) else (says,)


BAD_INPUTS = {
    # repository
    "id with a dot first": source("hf://me/.model", "me/.model"),
    "id with two dots": source("hf://me/mo..del", "me/mo..del"),
    "id with two dashes": source("hf://me/mo--del", "me/mo--del"),
    "id that ends in .git": source("hf://me/model.git", "me/model.git"),
    "id with a blank": source("hf://me/mo del", "me/mo del"),
    "id with a dash first": source("hf://-me/model", "-me/model"),
    "id that climbs": source("hf://../model", "../model"),
    "id that is too long": source("hf://me/" + "x" * 97, "x" * 97),
    "id without a name": source("hf://me/@v1", "me/"),
    "id with a letter beyond ASCII": source("hf://me/modèle", "me/modèle"),
    "id with a slash too many": model_name("me/model/more", "me/model"),
    "id with a control character": model_name("me/mo\x1bdel", "me/mo", "MODEL_NAME"),
    "repository of another site": source("https://huggingface.co/me/model", "https://huggingface.co/me/model"),
    "repository of a type that nobody has": source("hf://dataset/me/data", "datasets/"),
    "bucket of the Hub": source("hf://buckets/me/data", "buckets/me/data"),
    "path in the repository that climbs": source("hf://me/model/a/../b", "me/model/a/../b"),
    "path in the repository with an empty part": source("hf://me/model/a//b", "me/model/a//b"),
    # revision
    "revision with two dots": flags("--revision", "a..b", says="a..b"),
    "revision with a blank": flags("--revision", "v 1", says="v 1"),
    "revision with a caret": flags("--revision", "main^", says="main^"),
    "revision with a slash first": flags("--revision", "/main", says="/main"),
    "revision with a control character": flags("--revision", "ma\x07in", says=("ma", "--revision")),
    "revision of 256 bytes": flags("--revision", "r" * 256, says="rrrr"),
    "revision that is empty": source("hf://me/model@", "revision"),
    "revision in the environment": variables("a~b", MODEL_REVISION="a~b"),
    "two revisions": ([SOURCE + "@v1", DESTINATION, "--revision", "v2"], {}, ("--revision",)),
    # bucket and prefix
    "bucket in capitals": destination("s3://Bucket/p/"),
    "bucket of two letters": destination("s3://ab/p/"),
    "bucket of 64 letters": destination(f"s3://{'b' * 64}/p/"),
    "bucket with an underscore": destination("s3://my_bucket/p/"),
    "bucket like an address": destination("s3://127.0.0.1/p/"),
    "bucket with two dots": destination("s3://a..b/p/"),
    "bucket with a dash last": destination("s3://bucket-/p/"),
    "bucket with a password": destination("s3://user:geheim@bucket/p/", "destination"),
    "bucket in the environment": ([], {"MODEL_NAME": "me/model", "S3_BUCKET": "My_Bucket"}, ("My_Bucket",)),
    "prefix that climbs": destination(f"s3://{BUCKET}/a/../b/", "a/../b/"),
    "prefix with a dot part": destination(f"s3://{BUCKET}/./b/", "./b/"),
    "prefix with a slash first": destination(f"s3://{BUCKET}//p/", "/p/"),
    "prefix with an empty part": destination(f"s3://{BUCKET}/a//b/", "a//b/"),
    "prefix with a control character": destination(f"s3://{BUCKET}/a\x01b/", "a"),
    "prefix that is too long": destination(f"s3://{BUCKET}/{'p' * 1100}/", "pppp"),
    "prefix in the environment that climbs": prefix("../up", "../up"),
    "prefix in the environment with a slash first": prefix("/models/", "/models/"),
    "prefix in the environment with a newline": prefix("mod\nels/", "S3_PREFIX", "mod"),
    "destination that is no s3 address": ([SOURCE, "/tmp/model"], {}, ("/tmp/model",)),
    "source and destination swapped": ([DESTINATION, SOURCE], {}, ("hf://owner/name s3://bucket",)),
    # endpoints
    "endpoint by ftp": flags("--endpoint-url", "ftp://store.example", says="ftp://store.example"),
    "endpoint without a scheme": flags("--endpoint-url", "store.example:9000", says="store.example:9000"),
    "endpoint with a user": flags("--endpoint-url", "https://me:geheim@store.example", says="endpoint"),
    "endpoint with a query": flags("--endpoint-url", "https://store.example/?x=geheim", says="endpoint"),
    "endpoint with a path": flags("--endpoint-url", "https://store.example/bucket", says="https://store.example/bucket"),
    "endpoint with port 0": flags("--endpoint-url", "http://store.example:0", says="http://store.example:0"),
    "endpoint with port 65536": flags("--endpoint-url", "http://store.example:65536", says="65536"),
    "endpoint without a host": flags("--endpoint-url", "https://", says="https:"),
    "endpoint with a blank": flags("--endpoint-url", "https://store example", says="https://store example"),
    "endpoint in the environment": variables("gopher://store", S3_ENDPOINT_URL="gopher://store"),
    "Hub by ftp": flags("--hub-endpoint", "ftp://hub.example", says="ftp://hub.example"),
    "Hub with a user": variables("HF_ENDPOINT", HF_ENDPOINT="https://me:geheim@hub.example"),
    "Hub with a query": variables("HF_ENDPOINT", HF_ENDPOINT="https://hub.example?token=geheim"),
    "region with a slash": flags("--region", "eu/west", says="eu/west"),
    # sizes and numbers
    "memory below the least": flags("--memory", "31Mi", says="31Mi"),
    "memory that is no size": flags("--memory", "lots", says="lots"),
    "memory below nothing": flags("--memory", "-5Mi", says="-5Mi"),
    "memory beyond everything": flags("--memory", "99999999999999999999Gi", says="99999999999999999999Gi"),
    "memory in the environment": variables(("12Mi", "HFPOUR_MEMORY"), HFPOUR_MEMORY="12Mi"),
    "no lanes": flags("--lanes", "0", says="'0'"),
    "lanes that are no number": flags("--lanes", "abc", says="abc"),
    "half a lane": flags("--lanes", "1.5", says="1.5"),
    "lanes beyond everything": flags("--lanes", "100000", says="100000"),
    "lanes in the environment": variables(("zwei", "HF_MAX_WORKERS"), HF_MAX_WORKERS="zwei"),
    "part of 1 MiB": flags("--part-size", "1Mi", says="1Mi"),
    "part of 6 GiB": flags("--part-size", "6Gi", says="6Gi"),
    # words and flags
    "upload check that nobody knows": flags("--upload-check", "sha1", says="sha1"),
    "addressing that nobody knows": flags("--addressing", "dns", says="dns"),
    "log level that nobody knows": flags("--log-level", "loud", says="loud"),
    "log format that nobody knows": flags("--log-format", "xml", says="xml"),
    "preset that nobody knows": flags("--preset", "tgi", says="tgi"),
    "preset and include": flags("--preset", "vllm", "--include", "*.json", says=("--preset", "--include")),
    "patterns for one file": ([SOURCE + "/a.txt", DESTINATION, "--include", "*"], {}, ("patterns",)),
    "include that is empty": flags("--include", "", says="--include"),
    "flag that is unknown": flags("--frobnicate", says="--frobnicate"),
    "flag that is nearly right": flags("--memroy", "1Gi", says=("--memroy", "--memory")),
    "flag for a secret": flags("--secret-key=geheim", says=("--secret-key", "AWS_SECRET_ACCESS_KEY")),
    "flag without its value": flags("--revision", says="--revision"),
    "switch with a value": flags("--json=yes", says="--json"),
    "switch in the environment": variables(("HFPOUR_JSON", "vielleicht"), HFPOUR_JSON="vielleicht"),
    "CA file that is missing": flags("--ca-bundle", "/nowhere/ca.pem", says="/nowhere/ca.pem"),
    "CA file of the environment": variables(("/nowhere/ca.pem", "SSL_CERT_FILE"), SSL_CERT_FILE="/nowhere/ca.pem"),
    "Hub offline": variables("HF_HUB_OFFLINE", HF_HUB_OFFLINE="1"),
    "token with a newline inside": variables("HF_TOKEN", HF_TOKEN="hf_geheim\nhf_geheim"),
    "secret with a blank inside": variables("AWS_SECRET_ACCESS_KEY", AWS_SECRET_ACCESS_KEY="geheim geheim"),
    # half a command
    "a source alone": ([SOURCE], {}, (SOURCE, "s3://bucket/prefix/")),
    "a destination alone": ([DESTINATION], {}, (DESTINATION, "hf://owner/name")),
    "an argument too many": ([SOURCE, DESTINATION, "more"], {}, ("3 arguments",)),
    "an empty argument": (["", DESTINATION], {}, ("empty",)),
    "nothing at all": ([], EMPTY_ENVIRONMENT, ("MODEL_NAME", "S3_BUCKET", "S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID",
                                               "AWS_SECRET_ACCESS_KEY")),
    "no credentials": ([SOURCE, DESTINATION], {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": None},
                       ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
    "no endpoint": ([SOURCE, DESTINATION], {"S3_ENDPOINT_URL": None}, ("S3_ENDPOINT_URL", "--endpoint-url")),
    "no bucket": ([], {"MODEL_NAME": "me/model"}, ("S3_BUCKET",)),
    "no model": ([], {"S3_BUCKET": BUCKET}, ("MODEL_NAME",)),
}


def check_one_line(result, words):
    assert result.exit == 2, (result.exit, result.stderr)
    assert result.stdout == ""
    assert result.stderr.endswith("\n") and result.stderr.count("\n") == 1, result.stderr
    assert all(c.isprintable() or c == "\n" for c in result.stderr), repr(result.stderr)
    assert "geheim" not in result.stderr, result.stderr
    for word in words:
        assert word in result.stderr, (word, result.stderr)


@pytest.mark.parametrize("name", BAD_INPUTS)
@pytest.mark.row("s3 4.10.3")
def test_a_bad_input_is_refused_before_any_request(hub, store, pour, name):
    arguments, env, words = BAD_INPUTS[name]
    result = pour(*arguments, env=env, timeout=20)
    check_one_line(result, words)
    assert hub.requests() == 0 and store.requests() == 0


def test_help_and_version_need_no_settings(hub, store, pour):
    for flag, word in (("--help", "--endpoint-url"), ("-h", "--endpoint-url"), ("--version", "hfpour "), ("-V", "hfpour ")):
        result = pour(flag, env=EMPTY_ENVIRONMENT)
        assert (result.exit, result.stderr) == (0, "") and word in result.stdout
    assert hub.requests() == 0 and store.requests() == 0


LONG = "/".join(["d" * 200] * 5) + "/file"  # 1,009 bytes, with BASE more than a key may have

HOSTILE = {
    "climbs": ("../x", "../x"),
    "climbs in the middle": ("a/../../x", "a/../../x"),
    "climbs at the end": ("a/..", "a/.."),
    "absolute": ("/abs", "/abs"),
    "empty part": ("a//b", "a//b"),
    "dot part": ("./x", "./x"),
    "slash at the end": ("a/", "a/"),
    "newline": ("a\nb", "a\\"),
    "escape": ("a\x1b[2Jb", "a\\"),
    "nul": ("a\x00b", "a\\"),
    "delete": ("a\x7fb", "a\\"),
    "key too long": (LONG + "x" * 40, "dddd"),
    "the manifest": (".hfpour/manifest.json", ".hfpour/manifest.json"),
    "the checkpoint": (".hfpour/checkpoint.json", ".hfpour/checkpoint.json"),
    "the state folder": (".hfpour", ".hfpour"),
}


def repo_name(name):
    return "me/" + name.replace(" ", "-")


@pytest.fixture(scope="module")
def hostile_hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    repos = {repo_name(name): {"files": [{"path": "good.txt", "text": "good"}, {"path": path, "text": "bad"}]}
             for name, (path, _) in HOSTILE.items()}
    repos["me/many"] = {"files": [{"path": "part/{:05d}.json", "count": 40_000, "size": 10, "seed": 1}]}
    spec = folder / "virtual.json"
    spec.write_text(json.dumps({"models": repos}), encoding="utf-8")
    (folder / "root").mkdir()
    hub = Hub(folder / "root", "--virtual", spec)
    yield hub
    hub.stop()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.row("hub F.11.40", "s3 4.8.7", "s3 4.8.8")
def test_a_hostile_path_is_refused_by_name_before_any_write(hostile_hub, binary, store, name):
    _, shown = HOSTILE[name]
    hostile_hub.admin("reset", {})
    result = Pourer(binary, hostile_hub, store)("hf://" + repo_name(name), DESTINATION, timeout=60)
    assert result.exit in (5, 6), (result.exit, result.stderr)
    assert result.stdout == ""
    assert shown in result.stderr, result.stderr
    assert all(c.isprintable() or c == "\n" for c in result.stderr), repr(result.stderr)
    assert store.journal() == [] and store.uploads() == [] and store.objects() == {}
    assert hostile_hub.requests() <= 4, hostile_hub.counters()["requests"]


def test_a_hostile_path_that_is_not_selected_does_no_harm(hostile_hub, binary, store):
    result = Pourer(binary, hostile_hub, store)("hf://" + repo_name("climbs"), DESTINATION, "--include", "good.txt")
    assert result.exit == 0, result.stderr
    assert {entry["key"] for entry in store.journal()} == {
        "p/me/climbs/good.txt", "p/me/climbs/.hfpour/manifest.json"}


def test_memory_that_is_too_little_for_the_listing_is_refused_with_the_arithmetic(hostile_hub, binary, store):
    """33Mi lies above the flag's own limit: only the listing of 40,000 files shows that it cannot do."""
    result = Pourer(binary, hostile_hub, store)("hf://me/many", DESTINATION, "--memory", "33Mi")
    assert (result.exit, result.stdout) == (2, ""), result.stderr
    for word in ("--memory 33", "in use", "reserve", "for one lane", "give at least"):
        assert word in result.stderr, result.stderr
    assert store.journal() == [] and store.uploads() == []


class Liar:
    """A Hub in a few lines that lists what it likes, for what the stand-in cannot hold: the same path twice."""

    def __init__(self, pages):
        liar = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                liar.asked.append(self.path)
                commit = "c" * 40
                if "/tree/" in self.path:
                    page = int(self.path.partition("cursor=")[2] or 0)
                    body = json.dumps(pages[page])
                else:
                    page = len(pages)
                    body = json.dumps({"id": "me/model", "sha": commit, "private": False, "gated": False,
                                       "disabled": False, "siblings": []})
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if page + 1 < len(pages):
                    self.send_header("Link", '<%s/api/models/me/model/tree/%s?cursor=%d>; rel="next"' % (
                        liar.url, commit, page + 1))
                self.end_headers()
                self.wfile.write(body.encode())

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def listed(path, size=1, **more):
    return {"type": "file", "path": path, "size": size, "oid": "a" * 40, **more}


LYING = {
    "the same path twice on a page": ([[listed("twice.bin"), listed("twice.bin")]], "twice.bin"),
    "the same path on two pages": ([[listed("twice.bin"), listed("b")], [listed("c"), listed("twice.bin")]], "twice.bin"),
    "a size below nothing": ([[listed("less.bin", -1)]], "less.bin"),
    "a size beyond everything": ([[listed("more.bin", 1 << 60)]], "more.bin"),
    "a size that is a word": ([[listed("word.bin", "12")]], "word.bin"),
    "no hash": ([[listed("none.bin", oid=None)]], "none.bin"),
    "no list at all": ([{"error": "no"}], "listing"),
}


@pytest.mark.parametrize("name", LYING)
def test_a_listing_that_cannot_be_is_refused(binary, store, name):
    pages, word = LYING[name]
    liar = Liar(pages)
    try:
        result = Pourer(binary, liar, store)(SOURCE, DESTINATION, timeout=60)
    finally:
        liar.stop()
    assert result.exit in (5, 6), (result.exit, result.stderr)
    assert result.stdout == "" and word in result.stderr, result.stderr
    assert store.journal() == [] and store.uploads() == []
    assert len(liar.asked) <= len(pages) + 1, "a listing that is wrong is not asked for again: %s" % liar.asked
