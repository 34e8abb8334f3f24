#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the layers of src/ and the few rules of shape that each C++ file keeps.

A folder may include itself and the folders that ALLOWED names for it: an include that goes
upward or sideways is a fault. The other rules each have a tag, listed in RULES.

    check_layers.py [ROOT]      one sentence a fault; exit 1 if there is any
    check_layers.py --self-test proves on small trees that each rule fires
"""

import re

from lint import main, run_cases

ALLOWED = {
    "base": set(),
    "loop": {"base"},
    "buffer": {"base", "loop"},
    "digest": {"base", "loop"},
    "http": {"base", "buffer", "loop"},
    "transfer": {"base", "buffer", "digest", "loop"},
    "pipe": {"base", "buffer", "digest", "loop", "transfer"},
    "ledger": {"base", "loop", "transfer"},
    "hub": {"base", "buffer", "digest", "loop", "http", "transfer"},
    "s3": {"base", "buffer", "digest", "loop", "http", "transfer"},
    "keys": {"base", "buffer", "loop", "http", "transfer", "s3"},
    "cli": {"base", "transfer"},
    "run": {"base", "buffer", "digest", "loop", "http", "transfer", "pipe", "ledger", "hub", "s3", "keys", "cli"},
}
ENTRY = "main.cc"  # joins everything
NEUTRAL = {"transfer", "pipe", "ledger"}  # know neither the library of HTTP nor the two services
CURL_FOLDERS = {"loop", "http"}
MAX_LINES = 400
SPDX = "// SPDX-License-Identifier: MIT"
EXTENSIONS = (".h", ".cc", ".hpp", ".cpp")
HEADERS = (".h", ".hpp")

RULES = {
    "layer": "an include goes upward or sideways, or names no known folder",
    "curl": "a <curl/...> header outside loop/ and http/",
    "neutral": "transfer/ or ledger/ names curl, S3 or huggingface outside comments",
    "shared": "shared_ptr in src/",
    "length": f"a file of src/ of more than {MAX_LINES} lines",
    "name": "a type whose name ends in a retired word",
    "once": "a header without #pragma once",
    "own": "a .cc whose first include is not its own header",
    "spdx": "a first line that is not the SPDX line",
}

TOKEN = re.compile(
    r"""
    (?P<comment>//(?:\\\r?\n|[^\n])*|/\*.*?(?:\*/|\Z))
  | (?P<raw>(?<!\w)(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")
  | (?P<number>(?<!\w)\d(?:'?\w|\.)*)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<char>'(?:\\.|[^'\\\n])+')
    """,
    re.DOTALL | re.VERBOSE,
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
NEUTRAL_WORD = re.compile(r"[Cc][Uu][Rr][Ll]|S3|s3::|huggingface|HuggingFace|HUGGINGFACE")
SHARED = re.compile(r"\b(?:shared_ptr|enable_shared_from_this)\b")
RETIRED = re.compile(
    r"\b(?:class|struct)\s+(?:\[\[.*?\]\]\s*|alignas\s*\([^)]*\)\s*)*"
    r"(?:\w+::)*(\w*(?:Manager|Handler|Helper|Util|Processor)s?)\b",
    re.DOTALL,
)
ONCE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+once\b", re.MULTILINE)


def blank(text, strings=False):
    """The text with comments (and, if asked, the inside of literals) turned to spaces."""

    def spaces(piece):
        return re.sub(r"[^\n]", " ", piece)

    def replace(match):
        piece = match.group(0)
        if match.lastgroup == "comment":
            return spaces(piece)
        if match.lastgroup == "number" or not strings:
            return piece
        return '"' + spaces(piece[1:-1]) + '"'

    return TOKEN.sub(replace, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def cpp_files(root, *folders):
    """The C++ files of some folders of the tree, in a stable order."""
    found = []
    for folder in folders:
        base = root / folder
        found += [p for p in base.rglob("*") if p.suffix in EXTENSIONS and p.is_file()]
    return sorted(found)


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def check_includes(src, path, code, folder):
    faults = []
    entry = path.relative_to(src).as_posix() == ENTRY
    if not entry and folder not in ALLOWED:
        faults.append((1, "layer", f"stands in no known folder of src/ (it may only be {ENTRY})"))
    for match in INCLUDE.finditer(code):
        quote, name = match.groups()
        line = line_of(code, match.start())
        if name.startswith("curl/") and folder not in CURL_FOLDERS:
            faults.append((line, "curl", f"<{name}> may be included only in loop/ and http/"))
            continue
        if quote == "<" or entry:
            continue
        if "/" not in name:
            if (path.parent / name).is_file():
                faults.append((line, "layer", f'"{name}" must be included as "folder/{name}"'))
            continue
        target = name.split("/")[0]
        if target == folder:
            continue
        if target not in ALLOWED:
            faults.append((line, "layer", f'"{name}" names no known folder of src/'))
        elif folder in ALLOWED and target not in ALLOWED[folder]:
            may = ", ".join(sorted(ALLOWED[folder])) or "nothing"
            faults.append((line, "layer", f"{folder}/ may not include {target}/ (only {may})"))
    return faults


def check_own_header(src, path, code):
    own = path.with_suffix(".h")
    if path.suffix != ".cc" or not own.is_file():
        return []
    wanted = own.relative_to(src).as_posix()
    first = INCLUDE.search(code)
    if first and first.group(1) == '"' and first.group(2) == wanted:
        return []
    line = line_of(code, first.start()) if first else 1
    return [(line, "own", f'the first include must be its own header "{wanted}"')]


def check_words(code, folder):
    faults = []
    if folder in NEUTRAL:
        for match in NEUTRAL_WORD.finditer(code):
            faults.append((line_of(code, match.start()), "neutral",
                           f"{folder}/ must not say “{match.group(0)}” outside comments"))
    for match in SHARED.finditer(code):
        faults.append((line_of(code, match.start()), "shared",
                       f"{match.group(0)} is not used in src/; say who owns it"))
    return faults


def check_source(src, path, text):
    relative = path.relative_to(src)
    folder = relative.parts[0] if len(relative.parts) > 1 else ""
    code = blank(text)
    faults = check_includes(src, path, code, folder)
    faults += check_own_header(src, path, code)
    faults += check_words(code, folder)
    for match in RETIRED.finditer(blank(text, strings=True)):
        faults.append((line_of(code, match.start()), "name",
                       f"{match.group(1)} ends in a retired word; name what it is"))
    lines = len(text.splitlines())
    if lines > MAX_LINES:
        faults.append((lines, "length", f"has {lines} lines, more than {MAX_LINES}"))
    return faults


def check(root):
    """The faults of a tree, each a sentence."""
    src = root / "src"
    sentences = []
    for path in cpp_files(root, "src", "tests"):
        text = read(path)
        faults = check_source(src, path, text) if path.is_relative_to(src) else []
        if path.suffix in HEADERS and not ONCE.search(blank(text)):
            faults.append((1, "once", "the header lacks #pragma once"))
        if (text.splitlines() or [""])[0] != SPDX:
            faults.append((1, "spdx", f"the first line must be “{SPDX}”"))
        name = path.relative_to(root).as_posix()
        sentences += [f"{name}:{line}: [{tag}] {what}." for line, tag, what in sorted(faults)]
    return sentences


def self_test():
    def header(body=""):
        return f"{SPDX}\n#pragma once\n{body}\n"

    def source(body=""):
        return f"{SPDX}\n{body}\n"

    cases = [
        # Each folder may include all that is allowed to it.
        *[((), {f"src/{folder}/x.cc": source("".join(
            f'#include "{other}/y.h"\n' for other in sorted(may | {folder})))})
          for folder, may in ALLOWED.items()],
        # ... and no other one.
        *[(("layer",), {f"src/{folder}/x.cc": source(f'#include "{other}/y.h"')})
          for folder, may in ALLOWED.items() for other in ALLOWED if other not in may | {folder}],
        ((), {"src/main.cc": source('#include "cli/a.h"\n#include "s3/b.h"\n#include "hub/c.h"')}),
        (("layer",), {"src/other/x.h": header()}),
        (("layer",), {"src/stray.cc": source()}),
        (("layer",), {"src/base/x.cc": source('#include "elsewhere/y.h"')}),
        (("layer",), {"src/base/x.cc": source('#include "y.h"'), "src/base/y.h": header()}),
        (("layer",), {"src/base/x.cc": source('#  include  "http/y.h"  // why')}),
        ((), {"src/base/x.cc": source('// #include "http/y.h"\n/*\n#include "s3/y.h"\n*/')}),
        ((), {"src/base/x.cc": source('const char* url = "http://a"; // "s3/y.h"')}),
        # The library of HTTP.
        (("curl",), {"src/hub/x.cc": source("#include <curl/curl.h>")}),
        (("curl",), {"src/base/x.cc": source('#include "curl/easy.h"')}),
        (("curl",), {"src/main.cc": source("#include <curl/curl.h>")}),
        ((), {"src/loop/x.cc": source("#include <curl/curl.h>"),
              "src/http/x.cc": source("#include <curl/multi.h>")}),
        # The neutral folders.
        (("curl", "neutral"), {"src/ledger/x.cc": source("#include <curl/curl.h>")}),
        (("neutral",), {"src/transfer/x.cc": source("int curl_code;")}),
        (("neutral",), {"src/transfer/x.cc": source("struct LibCURL;")}),
        (("neutral",), {"src/transfer/x.cc": source("s3::Client* client;")}),
        (("neutral",), {"src/ledger/x.cc": source('auto kind = "S3";')}),
        (("neutral",), {"src/ledger/x.cc": source('auto host = "huggingface.co";')}),
        ((), {"src/transfer/x.cc": source("// curl, S3 and huggingface\n/* s3:: */ int x;"),
              "src/s3/y.cc": source('auto kind = "S3";')}),
        ((), {"src/transfer/x.cc": source("const int x = 1'000; // it's curl")}),
        # Ownership, length, names.
        (("shared",), {"src/base/x.h": header("std::shared_ptr<int> x;")}),
        (("shared",), {"src/base/x.h": header("struct X : std::enable_shared_from_this<X> {};")}),
        ((), {"src/base/x.h": header("// never a shared_ptr"),
              "tests/x.cc": source("std::shared_ptr<int> x;")}),
        (("length",), {"src/base/x.cc": source("\n" * MAX_LINES)}),
        ((), {"src/base/x.cc": source("\n" * (MAX_LINES - 2))}),
        *[(("name",), {"src/base/x.h": header(f"{kind} {name};")})
          for kind in ("class", "struct", "class [[nodiscard]]")
          for name in ("FileManager", "Handler", "TestHelper", "StringUtil", "Processor final {}")],
        ((), {"src/base/x.h": header("class HandlerTable; // class FileManager\nint Helper();")}),
        # Headers and first lines.
        (("once",), {"src/base/x.h": source("// #pragma once")}),
        (("once",), {"tests/support/x.h": source("int x;")}),
        (("own",), {"src/base/x.h": header(), "src/base/x.cc": source('#include <vector>\n'
                                                                      '#include "base/x.h"')}),
        (("own",), {"src/base/x.h": header(), "src/base/x.cc": source()}),
        ((), {"src/base/x.h": header(),
              "src/base/x.cc": source('// why\n#include "base/x.h"\n\n#include <vector>'),
              "src/base/y.cc": source("#include <vector>")}),
        (("spdx",), {"src/base/x.h": "#pragma once\n"}),
        (("spdx",), {"tests/x.cc": f"\n{SPDX}\n"}),
        (("spdx",), {"src/main.cc": ""}),
    ]
    return run_cases(check, RULES, cases)


if __name__ == "__main__":
    main(check, self_test)
