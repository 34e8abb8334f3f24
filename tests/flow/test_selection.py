"""Which files are taken: flags, the predecessor's variables, the preset, and how patterns match."""

import pytest
from support import BUCKET
from test_pour import check_bucket

SOURCE, DESTINATION = "hf://me/model", f"s3://{BUCKET}/p/"
BASE = "p/me/model/"
PATHS = ["config.json", "Config.JSON", "model.safetensors", "model.bin", "model.h5", "train.py", "README.md", "LICENSE",
         "sub/config.json", "sub/README.md", "sub/deep/weights.bin", "sub/script.py", "onnx/model.onnx",
         "original/consolidated.pth", "tokenizer.model", "[x].txt", "x.txt", "one.txt", "ein Wort.txt", "größe.txt"]
MODEL = {path: path.encode() + b"\n" for path in PATHS}
EVERYTHING = set(PATHS)


def only(*paths):
    return set(paths)


def without(*paths):
    assert EVERYTHING >= set(paths)
    return EVERYTHING - set(paths)


SELECTIONS = {
    "nothing said": ([], {}, EVERYTHING),
    # flags
    "include, the star crosses folders": (["--include", "*.json"], {}, only("config.json", "sub/config.json")),
    "include, two in one": (["--include", "*.json,*.h5"], {}, only("config.json", "sub/config.json", "model.h5")),
    "include, blanks around the comma": (["--include", " *.json , *.h5 "], {},
                                         only("config.json", "sub/config.json", "model.h5")),
    "include twice": (["--include", "*.json", "--include", "*.h5"], {}, only("config.json", "sub/config.json", "model.h5")),
    "include is anchored in front": (["--include", "config.json"], {}, only("config.json")),
    "include is anchored at the end": (["--include", "model"], {}, None),
    "include is case-sensitive": (["--include", "*.JSON"], {}, only("Config.JSON")),
    "include a folder": (["--include", "sub/"], {},
                         only("sub/config.json", "sub/README.md", "sub/deep/weights.bin", "sub/script.py")),
    "include a folder without its slash": (["--include", "sub"], {}, None),
    "include with question marks": (["--include", "???.txt"], {}, only("[x].txt", "one.txt")),
    "include with a set": (["--include", "[a-y].txt"], {}, only("x.txt")),
    "include with a set turned round": (["--include", "[!c]onfig.json"], {}, only()),
    "include with a quoted bracket": (["--include", "[[]x].txt"], {}, only("[x].txt")),
    "include letters beyond ASCII": (["--include", "gr??e.txt"], {}, only("größe.txt")),
    "include a name with a blank": (["--include", "ein Wort.txt"], {}, only("ein Wort.txt")),
    "exclude": (["--exclude", "*.py"], {}, without("train.py", "sub/script.py")),
    "exclude is anchored": (["--exclude", "README.md"], {}, without("README.md")),
    "exclude twice": (["--exclude", "*.py", "--exclude", "*.bin"], {},
                      without("train.py", "sub/script.py", "model.bin", "sub/deep/weights.bin")),
    "include and exclude": (["--include", "*.json", "--exclude", "sub/*"], {}, only("config.json")),
    # the predecessor's variables
    "ALLOW_PATTERNS": ([], {"ALLOW_PATTERNS": "*.json,*.h5"}, only("config.json", "sub/config.json", "model.h5")),
    "IGNORE_PATTERNS": ([], {"IGNORE_PATTERNS": "*.py,README.md"}, without("train.py", "sub/script.py", "README.md")),
    "ALLOW_PATTERNS wins": ([], {"ALLOW_PATTERNS": "*.json", "IGNORE_PATTERNS": "sub/*"},
                            only("config.json", "sub/config.json")),
    "an empty ALLOW_PATTERNS says nothing": ([], {"ALLOW_PATTERNS": "", "IGNORE_PATTERNS": "*.py"},
                                             without("train.py", "sub/script.py")),
    "an empty IGNORE_PATTERNS": ([], {"IGNORE_PATTERNS": ""}, EVERYTHING),
    "an empty IGNORE_PATTERNS after a preset": (["--preset", "vllm"], {"IGNORE_PATTERNS": ""}, EVERYTHING),
    # each with the other
    "a flag wins over its variable": (["--include", "*.h5"], {"ALLOW_PATTERNS": "*.json"}, only("model.h5")),
    "the exclude flag wins over its variable": (["--exclude", "*.h5"], {"IGNORE_PATTERNS": "*.py"}, without("model.h5")),
    "our own variable": ([], {"HFPOUR_INCLUDE": "*.h5"}, only("model.h5")),
    "our own variable wins": ([], {"HFPOUR_INCLUDE": "*.h5", "ALLOW_PATTERNS": "*.json"}, only("model.h5")),
    "exclude as a flag with ALLOW_PATTERNS": (["--exclude", "sub/*"], {"ALLOW_PATTERNS": "*.json"}, only("config.json")),
    "an empty exclude flag": (["--exclude", ""], {"IGNORE_PATTERNS": "*.py"}, EVERYTHING),
    # preset
    "preset vllm": (["--preset", "vllm"], {}, without("train.py", "sub/script.py", "README.md", "LICENSE", "model.h5",
                                                     "onnx/model.onnx", "original/consolidated.pth")),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_selection_takes_exactly_its_files(hub, store, pour, name):
    arguments, env, wanted = SELECTIONS[name]
    hub.repo("me/model", MODEL)
    result = pour(SOURCE, DESTINATION, *arguments, env=env)
    if not wanted:
        check_nothing_selected(result, store)
        return
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, {path: MODEL[path] for path in wanted})
    assert f"plan: {len(wanted)} file" in result.stderr


def check_nothing_selected(result, store):
    assert (result.exit, result.stdout) == (4, ""), result.stderr
    assert "no file of" in result.stderr and "me/model" in result.stderr
    assert store.journal() == [] and store.uploads() == []


@pytest.mark.parametrize("arguments, env, word", [
    (["--include", "*.gguf"], {}, "*.gguf"), ([], {"ALLOW_PATTERNS": "*.gguf,*.ggml"}, "*.ggml"),
    (["--exclude", "*"], {}, "*"), (["--include", "*.json", "--exclude", "*.json"], {}, "*.json")])
def test_nothing_selected_is_said_with_the_patterns(hub, store, pour, arguments, env, word):
    hub.repo("me/model", {"config.json": b"{}"})
    result = pour(SOURCE, DESTINATION, *arguments, env=env)
    check_nothing_selected(result, store)
    assert '"' + word + '"' in result.stderr, result.stderr


def test_an_empty_repository_selects_nothing(hub, store, pour):
    hub.repo("me/model", {})
    check_nothing_selected(pour(SOURCE, DESTINATION), store)


def test_a_path_that_is_not_there_is_not_found(hub, store, pour):
    """README: 3 is "repository, revision, file or bucket not found"."""
    hub.repo("me/model", MODEL)
    result = pour(SOURCE + "/nowhere.txt", DESTINATION)
    assert (result.exit, result.stdout) == (3, ""), result.stderr
    assert "nowhere.txt" in result.stderr
    assert store.journal() == []


@pytest.mark.parametrize("path", ["[x].txt", "sub/config.json", "größe.txt"])
def test_one_path_is_taken_literally(hub, store, pour, path):
    hub.repo("me/model", MODEL)
    result = pour(f"{SOURCE}/{path}", DESTINATION)
    assert result.exit == 0, result.stderr
    check_bucket(store, BASE, {path: MODEL[path]})


def test_an_ignored_IGNORE_PATTERNS_is_remarked_once(hub, store, pour):
    hub.repo("me/model", MODEL)
    result = pour(SOURCE, DESTINATION, env={"ALLOW_PATTERNS": "*.h5", "IGNORE_PATTERNS": "*.py"})
    assert result.exit == 0 and result.stderr.count("IGNORE_PATTERNS") == 1, result.stderr


def test_files_left_out_are_never_asked_for(hub, store, pour):
    hub.repo("me/model", MODEL)
    assert pour(SOURCE, DESTINATION, "--include", "*.h5").exit == 0
    seen = hub.counters()
    assert [path for path in seen["resolves"] if not path.endswith("model.h5")] == [], seen["resolves"]
    assert [path for path in seen["bytes"] if not path.endswith("model.h5")] == [], seen["bytes"]
