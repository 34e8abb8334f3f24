#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks subprojects/*.wrap: whole, well formed, and enough for every dependency of the tree.

    check_wraps.py [ROOT]      one sentence a fault; exit 1 if there is any
    check_wraps.py --self-test proves on small trees that each rule fires
"""

import configparser
import re

from lint import main, run_cases

NAMES = ("libcurl", "libcrypto", "libxxhash", "fmt", "spdlog", "nlohmann_json", "pugixml",
         "CLI11", "doctest")
BUILT_IN = {"threads"}  # Meson's own, never a wrap
REQUIRED = ("directory", "source_url", "source_filename", "source_hash", "wrapdb_version")
PATCH = ("patch_filename", "patch_url", "patch_hash")

RULES = {
    "parse": "a wrap that is not an INI file with [wrap-file] and [provide]",
    "keys": "a required key is missing or empty",
    "hash": "a hash that is not 64 hexadecimal digits",
    "release": "an address or file name that does not belong to wrapdb_version",
    "provide": "a name that the product depends on and no wrap provides, or two do",
    "dependency": "a dependency() of a meson.build without a wrap",
}

HASH = re.compile(r"[0-9a-f]{64}")
# A comment or a string of the Meson language.
MESON_TOKEN = re.compile(r"(?P<comment>#[^\n]*)|'''.*?'''|'(?:\\.|[^'\\\n])*'", re.DOTALL)
DEPENDENCY = re.compile(r"(?<![\w.])dependency\s*\(\s*((?:'[^'\n]*'\s*,?\s*)+)(?!\s*:)")
SKIPPED = ("subprojects", "node_modules")


def check_wrap(path):
    """(provided names in lower case, as Meson compares them; faults) of one wrap."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError) as error:
        return set(), [("parse", f"cannot be parsed ({type(error).__name__})")]
    absent = [section for section in ("wrap-file", "provide") if section not in parser]
    if absent:
        return set(), [("parse", f"has no section [{section}]") for section in absent]

    wrap, faults = parser["wrap-file"], []
    required = REQUIRED + (PATCH if any(key.startswith("patch_") for key in wrap) else ())
    for key in required:
        if not wrap.get(key):
            faults.append(("keys", f"lacks the key {key}"))
    for key in wrap:
        if key.endswith("_hash") and wrap[key] and not HASH.fullmatch(wrap[key]):
            faults.append(("hash", f"{key} is not 64 lower-case hexadecimal digits"))
    faults += check_release(path.stem, wrap)

    provided = set()
    for key, value in parser["provide"].items():
        if key == "dependency_names":
            provided |= {name.strip().lower() for name in value.split(",") if name.strip()}
        elif key != "program_names":
            provided.add(key)
            if not value:
                faults.append(("provide", f"maps {key} to nothing"))
    return provided, faults


def check_release(name, wrap):
    """The parts of a wrap must all be of one release."""
    version = wrap.get("wrapdb_version", "")
    release, source = f"{name}_{version}", version.rpartition("-")[0]
    faults = []
    for key, value in wrap.items():
        if key.endswith("_url") and not value.startswith("https://"):
            faults.append(("release", f"{key} is not an https address"))
        elif "/mesonbuild/wrapdb/" in value or "//wrapdb.mesonbuild.com/" in value:
            if f"/{release}/" not in value:
                faults.append(("release", f"{key} is not of the release {release}"))
    if wrap.get("patch_filename", f"{release}_patch.zip") != f"{release}_patch.zip":
        faults.append(("release", f"patch_filename is not {release}_patch.zip"))
    for key in ("directory", "source_filename"):
        if version and source not in wrap.get(key, source):
            faults.append(("release", f"{key} does not name the version {source}"))
    return faults


def dependencies(root):
    """(file, line, names any of which suffices) of each literal dependency('...') of the tree."""
    for path in sorted(root.rglob("meson.build")):
        parts = path.relative_to(root).parts
        if any(part in SKIPPED or part.startswith((".", "build")) for part in parts[:-1]):
            continue
        text = MESON_TOKEN.sub(lambda match: "" if match.group("comment") else match.group(0),
                               path.read_text(encoding="utf-8"))
        for match in DEPENDENCY.finditer(text):
            names = [name for name in re.findall(r"'([^'\n]*)'", match.group(1)) if name]
            yield "/".join(parts), text.count("\n", 0, match.start()) + 1, names


def check(root):
    """The faults of a tree, each a sentence."""
    sentences, providers = [], {}
    for path in sorted((root / "subprojects").glob("*.wrap")):
        label = path.relative_to(root).as_posix()
        provided, faults = check_wrap(path)
        sentences += [f"{label}: [{tag}] {what}." for tag, what in faults]
        for name in sorted(provided):
            if name in providers:
                sentences.append(f"{label}: [provide] {name} is also provided by "
                                 f"{providers[name]}.")
            providers.setdefault(name, label)
    for name in NAMES:
        if name.lower() not in providers:
            sentences.append(f"subprojects: [provide] no wrap provides {name}.")
    for label, line, names in dependencies(root):
        known = {name.lower() for name in names} & (providers.keys() | BUILT_IN)
        if names and not known:
            sentences.append(f"{label}:{line}: [dependency] no wrap provides "
                             f"{' or '.join(names)}.")
    return sentences


def self_test():
    def wrap(name="all", provide=None, **changes):
        keys = {
            "directory": f"{name}-1.2",
            "source_url": f"https://example.org/{name}-1.2.tar.gz",
            "source_filename": f"{name}-1.2.tar.gz",
            "source_hash": "0a" * 32,
            "patch_filename": f"{name}_1.2-3_patch.zip",
            "patch_url": f"https://wrapdb.mesonbuild.com/v2/{name}_1.2-3/get_patch",
            "patch_hash": "f9" * 32,
            "wrapdb_version": "1.2-3",
        }
        keys.update(changes)
        lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
        provide = provide or "dependency_names = " + ", ".join(NAMES)
        return "[wrap-file]\n" + "\n".join(lines) + f"\n\n[provide]\n{provide}\n"

    def tree(text, **files):
        return {"subprojects/all.wrap": text,
                **{name.replace("__", "/"): body for name, body in files.items()}}

    def build(text):
        return {**tree(wrap()), "meson.build": text + "\n"}

    unpatched = {key: None for key in PATCH}
    mapped = "\n".join(f"{name} = {name}_dep" for name in NAMES)
    cases = [
        ((), tree(wrap())),
        ((), tree(wrap(**unpatched))),
        ((), tree(wrap(provide=mapped))),
        (("parse", "provide"), tree("directory = x\n")),
        (("parse", "provide"), tree("[wrap-file]\ndirectory = x\n")),
        (("parse", "provide"), tree("[wrap-git]\nurl = x\n\n[provide]\nx = y\n")),
        *[(("keys",), tree(wrap(**{key: None}))) for key in REQUIRED[:-1] + PATCH],
        *[(("keys",), tree(wrap(**{key: ""}))) for key in ("source_hash", "patch_hash")],
        (("keys", "release"), tree(wrap(wrapdb_version=None))),
        *[(("hash",), tree(wrap(**{key: value}))) for key in ("source_hash", "patch_hash")
          for value in ("0a" * 31, "0a" * 33, "0g" * 32, "TODO")],
        (("release",), tree(wrap(wrapdb_version="1.2-4"))),
        (("release",), tree(wrap(directory="all-1.1"))),
        (("release",), tree(wrap(source_url="http://example.org/all-1.2.tar.gz"))),
        (("release",), tree(wrap(patch_filename="all_1.2-2_patch.zip"))),
        *[(("provide",), tree(wrap(provide="dependency_names = " + ", ".join(
            name for name in NAMES if name != missing)))) for missing in NAMES],
        (("provide",), {**tree(wrap()), "subprojects/two.wrap": wrap("two", "fmt = fmt_dep")}),
        (("provide",), {}),
        ((), build("a = dependency('fmt')\nb = dependency('cli11', version: '>=2')\n"
                   "c = dependency('threads')\nd = declare_dependency(sources: 'x')\n"
                   "# dependency('none')\ns = '#' + 'x'\nmeson.override_dependency('own', a)\n"
                   "e = dependency(\n  'none', 'spdlog',\n  required: false,\n)")),
        (("dependency",), build("s = '#'\na = dependency('zlib')")),
        (("dependency",), build("a = dependency(\n  # why\n  'zlib',\n  required: false)")),
        (("dependency",), build("a = [dependency('fmt'),dependency( 'zlib' )]")),
        (("dependency",), {**build(""), "src/loop/meson.build": "a = dependency('zlib')"}),
        ((), {**build(""), "subprojects/x-1/meson.build": "a = dependency('zlib')",
              "build-debug/meson.build": "a = dependency('zlib')"}),
    ]
    return run_cases(check, RULES, cases)


if __name__ == "__main__":
    main(check, self_test)
