#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks two rules about coroutines, in the C++ files of src/ and tests/.

R2: no `{` between `co_await` and the end of its statement: an aggregate made inside an awaited
    expression lives in the coroutine frame, where compilers have got its lifetime wrong. Give it
    a name in the statement before. (The block of an `if (co_await ...) {` is not part of it.)
R4: no lambda with captures is a coroutine: the captures die with the lambda, and the coroutine
    goes on. Pass them as parameters. Nor does a macro hide a co_await.

    check_coroutines.py [ROOT]      one sentence a fault; exit 1 if there is any
    check_coroutines.py --self-test proves on small trees that each rule fires
"""

import re

from check_layers import SPDX, blank, cpp_files, line_of, read
from lint import main, run_cases

RULES = {
    "brace": "R2: a brace between co_await and the end of its statement",
    "lambda": "R4: a lambda with captures that is a coroutine",
    "macro": "R4: a macro whose body contains co_await",
}

AWAIT = re.compile(r"\bco_await\b")
COROUTINE = re.compile(r"\bco_(?:await|return|yield)\b")
CONDITION = re.compile(r"\b(?:if|while|switch|for)\s*(?:constexpr\s*|consteval\s*)?$")
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\r?\n|[^\n])*", re.MULTILINE)
MACRO = re.compile(r"\s*#\s*define\s+(\w+)(.*)", re.DOTALL)
NOT_BEFORE_LAMBDA = re.compile(r"[\w)\]\"'\[]$")
EXPRESSION_WORD = re.compile(r"\b(?:return|co_return|co_await|co_yield|case|throw|else|do)$")
TASK_RETURN = re.compile(r"->[^{;]*?\bTask\b")
CLOSER = {"(": ")", "[": "]", "{": "}"}


def spaces(text):
    return re.sub(r"[^\n]", " ", text)


def balanced_end(code, start):
    """The offset just past the bracket that closes the one at `start`; None if none does."""
    opener, closer, depth = code[start], CLOSER[code[start]], 0
    for offset in range(start, len(code)):
        if code[offset] == opener:
            depth += 1
        elif code[offset] == closer:
            depth -= 1
            if depth == 0:
                return offset + 1
    return None


def angle_end(code, start):
    """The same for a template parameter list; brackets inside it are skipped."""
    depth, offset = 0, start
    while offset < len(code):
        char = code[offset]
        if char in CLOSER:
            offset = balanced_end(code, offset) or len(code)
            continue
        if char == "<":
            depth += 1
        elif char == ">" and code[offset - 1] != "-":
            depth -= 1
            if depth == 0:
                return offset + 1
        elif char == ";":
            return None
        offset += 1
    return None


def enclosing_parenthesis(code, before):
    """The offset of the nearest `(` left open before an offset, or None."""
    depth = 0
    for offset in range(before - 1, -1, -1):
        char = code[offset]
        if char == ")":
            depth += 1
        elif char == "(":
            if depth == 0:
                return offset
            depth -= 1
    return None


def brace_after(code, await_start):
    """The offset of a `{` between a co_await and the end of its full expression, or None."""
    depth, outer = 0, await_start
    for offset in range(await_start, len(code)):
        char = code[offset]
        if char in ";{":
            return offset if char == "{" else None
        if char == "(":
            depth += 1
        elif char == ")" and depth > 0:
            depth -= 1
        elif char == ")":
            outer = enclosing_parenthesis(code, outer)
            if outer is None or CONDITION.search(code[max(0, outer - 40):outer]):
                return None  # the condition of an if, while, switch or for ends here
    return None


def lambda_at(code, start):
    """(captures, header, body start, body end) of the lambda whose `[` is at `start`, or None."""
    before = code[max(0, start - 40):start].rstrip()
    if code.startswith("[[", start):
        return None
    if NOT_BEFORE_LAMBDA.search(before) and not EXPRESSION_WORD.search(before):
        attribute = before.endswith("]]")
        if not attribute:
            return None
    offset = balanced_end(code, start)
    if offset is None:
        return None
    captures = code[start + 1:offset - 1].strip()
    header_start, angles = offset, 0
    while offset < len(code):
        char = code[offset]
        if char == "{":
            end = balanced_end(code, offset)
            return end and (captures, code[header_start:offset], offset, end)
        if char == "<" and not code[header_start:offset].strip():
            offset = angle_end(code, offset) or len(code)
            continue
        if char in "([":
            offset = balanced_end(code, offset) or len(code)
            continue
        if code.startswith("->", offset):
            offset += 2
            continue
        if char == "<":
            angles += 1
        elif char == ">":
            angles -= 1
        elif char in ";)]}=:?" and not code.startswith("::", offset) and code[offset - 1] != ":":
            return None
        elif char in ",." and angles <= 0 and not code.startswith("...", offset):
            return None
        offset += 1
    return None


def lambdas(code, start, end):
    """All lambdas of a stretch of code, inner ones too."""
    for match in re.compile(r"\[").finditer(code, start, end):
        found = lambda_at(code, match.start())
        if found:
            yield match.start(), found


def is_coroutine(code, header, body_start, body_end):
    """True if the lambda returns a Task or its own body, without inner lambdas', suspends."""
    if TASK_RETURN.search(header):
        return True
    own = code[body_start:body_end]
    for _, (_, _, inner_start, inner_end) in lambdas(code, body_start + 1, body_end):
        low, high = inner_start - body_start, inner_end - body_start
        own = own[:low] + spaces(own[low:high]) + own[high:]
    return bool(COROUTINE.search(own))


def check_code(code):
    faults = []

    def directive(match):
        macro = MACRO.match(match.group(0))
        if macro and AWAIT.search(macro.group(2)):
            faults.append((match.start(), "macro",
                           f"the macro {macro.group(1)} hides a co_await"))
        return spaces(match.group(0))

    code = DIRECTIVE.sub(directive, code)
    for match in AWAIT.finditer(code):
        if re.search(r"\boperator\s*$", code[max(0, match.start() - 40):match.start()]):
            continue
        brace = brace_after(code, match.start())
        if brace is not None:
            faults.append((match.start(), "brace",
                           "a brace stands between this co_await and the end of its statement "
                           f"(line {line_of(code, brace)}); name the value before"))
    for start, (captures, header, body_start, body_end) in lambdas(code, 0, len(code)):
        if captures and is_coroutine(code, header, body_start, body_end):
            faults.append((start, "lambda",
                           f"the lambda [{' '.join(captures.split())}] captures and is a "
                           "coroutine; pass parameters"))
    return faults


def check(root):
    """The faults of a tree, each a sentence."""
    sentences = []
    for path in cpp_files(root, "src", "tests"):
        code = blank(read(path), strings=True)
        name = path.relative_to(root).as_posix()
        for offset, tag, what in sorted(check_code(code)):
            sentences.append(f"{name}:{line_of(code, offset)}: [{tag}] {what}.")
    return sentences


def self_test():
    bad = {
        "brace": [
            "co_await f({1, 2});",
            "co_await f(Options{.size = 1});",
            "auto x = co_await f(a,\n    Options{});",
            "g(co_await f(), Options{});",
            "g(co_await f()).h({});",
            "co_return co_await f([] { return 1; });",
            "if (g(co_await f()) == Pair{1, 2}) {\n}",
            "if (auto x = co_await f(Options{}); x) {\n}",
            "while (co_await f({})) {\n}",
            "(co_await f()).g({});",
        ],
        "lambda": [
            "auto f = [this]() -> Task<void> { return run(); };",
            "auto f = [&] { co_return; };",
            "auto f = [=](int x) mutable -> loop::Task<Result<int>> { co_return x; };",
            "auto f = [x = std::move(y)](auto z) { co_await z; };",
            "spawn([&a, b]() -> Task<> { co_await a; });",
            "return [this](int x) noexcept { co_return x; };",
            "auto f = [&]<class T>(T x) { co_await x; };",
            "auto f = [](int x) { return [x] { co_return; }; };",
            "auto f = [this]\n(int x)\n-> Task<std::pair<int, int>>\n{ return g(x); };",
        ],
        "macro": [
            "#define TRY(x) co_await (x)",
            "#define TRY(x) \\\n  auto y = \\\n    co_await (x)",
        ],
    }
    good = [
        "const Options options{.size = 1};\nco_await f(options);\nif (x) {\n}",
        "if (co_await f(a)) {\n  g();\n}",
        "if (const auto x = co_await f(a); !x) {\n}",
        "if (!(co_await f(a)).ok() && (b || co_await g())) {\n}",
        "while (co_await f(a)) {\n}",
        "switch (co_await f(a)) {\n  default: break;\n}",
        "for (auto& x : co_await f(a)) {\n}",
        "if constexpr (true) { co_await f(); } else { g(); }",
        "struct S { auto operator co_await() const { return a; } };",
        "// co_await f({1});\n/* [x] { co_return; } */",
        'auto text = "co_await f({1});";\nauto raw = R"x(co_await f({1}); [x] { co_return; })x";',
        "const int n = 1'000; co_await f('{', \"{\");",
        "auto f = [](int x) -> Task<int> { co_return x; };",
        "auto f = [&](int x) { return x; };",
        "auto f = [&](int x) -> int { return [](int y) -> Task<int> { co_return y; }(x).get(); };",
        "Task<int> g(int (&a)[2]) { auto [x, y] = a; auto& [v, w] = a; co_return a[0]; }",
        "Task<int> g() { for (auto& [k, v] : map) { co_await k; } delete[] p; co_return m[k]; }",
        "[[nodiscard]] Task<int> g(); int operator[](int x) { return x; }",
        "void h() { sort(a, b, [&](int x, int y) { return x < y; }); }\nTask<> t() { co_return; }",
        "#define TWICE(x) \\\n  ((x) + (x))",
    ]

    def tree(body):
        return {"src/base/x.cc": f"{SPDX}\n{body}\n"}

    cases = [((tag,), tree(body)) for tag, bodies in bad.items() for body in bodies]
    cases += [((tag,), {"tests/unit/x.h": f"{SPDX}\n{bodies[0]}\n"}) for tag, bodies in bad.items()]
    cases += [((), tree(body)) for body in good]
    return run_cases(check, RULES, cases)


if __name__ == "__main__":
    main(check, self_test)
