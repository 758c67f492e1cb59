"""No regular expression of the sources takes more than linear time, whatever text it is given.

The expressions are found in the sources, so that a new one is tried too. The texts are generated from the characters
that an expression names: long runs that nearly match, which is what makes an expression try again and again.
"""

from __future__ import annotations

import ast
import itertools
import re
import signal
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    *ROOT.glob("packages/*/src/*"),
    *(path for path in (ROOT / "example_project").iterdir() if path.is_dir() and path.name != "tests"),
]
FUNCTIONS = {"compile", "match", "fullmatch", "search", "sub", "split", "findall", "finditer"}
SHORT, LONG = 2_000, 8_000
ENOUGH_SECONDS = 0.010
"""CPU time for a long text. An expression that needs more must at least not grow faster than its text."""
GROWTH = 7.0
"""A text that is four times as long takes four times as long, with room for noise; a square would take sixteen."""

STOPPED_SECONDS = 0.3
CLASSES = (
    "a",
    "A",
    "1",
    " ",
    "-",
    "_",
    ".",
    "@",
    "/",
    ":",
    "+",
    '"',
    "\\",
    "\n",
    "\t",
    "é",
    "=",
    "~",
    "#",
    "{",
    "<",
    "%",
)
PAIRS = [("".join(pair)) for pair in itertools.permutations("a1 -.@+", 2)] + [
    *(
        "a@a.",
        "+1",
        "07",
        "a-",
        "1-",
        "1 ",
        "Aa1",
        "://",
        "://a:",
        "secret=",
        "Bearer ",
        "/webhooks/a/",
        "eyJ",
        "eyJa.",
    ),
    *("a@a", "token:", "<a", "&#", "\\x", '\\"', "{a", "0x", "--", "x*", "a=1;", "e1"),
]
ENDINGS = ("", "!", "\0", "@", " ", "\n", "a")


def patterns() -> dict[str, tuple[str, int, str]]:
    """``{where: (pattern, flags, method)}`` of each expression with a literal text."""
    found, named = {}, {}
    for folder in SOURCES:
        for path in sorted(folder.rglob("*.py")):
            if "tests" in path.parts or "testproject" in path.parts:
                continue
            source = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call):
                    for text, method in literals(node):
                        found[f"{path.relative_to(ROOT)}:{node.lineno}"] = (text, flags(node), method)
                elif isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("re.compile("):
                    named[f"{path.relative_to(ROOT)}:{node.value.lineno}"] = uses(ast.unparse(node.targets[0]), source)
    return {where: (text, flag, named.get(where, method)) for where, (text, flag, method) in found.items()}


def uses(name: str, source: str) -> str:
    """How the file uses a compiled expression: ``fullmatch`` or ``match`` begin at one place, the others at each."""
    methods = set(re.findall(rf"\b{name}\.([a-z]+)\b", source))
    anchored = methods and methods <= {"fullmatch", "match"}
    return "match" if anchored and "match" in methods else "fullmatch" if anchored else "search"


def literals(node: ast.Call) -> list[tuple[str, str]]:
    name = ast.unparse(node.func)
    given = [word.value for word in node.keywords if word.arg in {"pattern", "regex"}]
    method = "search"
    if name.removeprefix("re.") in FUNCTIONS and name.startswith("re."):
        given += node.args[:1]
        method = name.removeprefix("re.")
    elif name.endswith(("re_path", "RegexValidator")):
        given += node.args[:1]
    elif name == "env.code":
        given, method = [*given, *node.args[2:3]], "fullmatch"
    return [
        (value.value, method) for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)
    ]


def flags(node: ast.Call) -> int:
    named = re.findall(r"re\.(ASCII|IGNORECASE|MULTILINE|DOTALL|VERBOSE)", ast.unparse(node))
    value = 0
    for name in named:
        value |= getattr(re, name)
    return value


PATTERNS = patterns()


def texts(pattern: str, length: int) -> list[str]:
    """Repeated characters and pairs, alone, behind a literal of the pattern, and with endings that do not match."""
    words = [word for word in re.findall(r"[A-Za-z:/=]{3,}", pattern) if not word.startswith("?P")][:6]
    units = [*CLASSES, *PAIRS, *words]
    runs = [(unit * (length // len(unit) + 1))[:length] for unit in units]
    runs += [(word + run)[:length] for word in words for run in runs[: len(CLASSES)]]
    return [run[: length - 1] + ending for run in runs for ending in ENDINGS]


class TooSlow(Exception):
    """The expression is stopped: sre looks for signals while it matches."""


def seconds(run, text: str) -> float:
    """CPU time of the best of three runs; of one, if it is short enough."""
    best = STOPPED_SECONDS
    for _time in range(2):
        signal.setitimer(signal.ITIMER_VIRTUAL, STOPPED_SECONDS)
        started = time.process_time()
        try:
            run(text)
        except TooSlow:
            return STOPPED_SECONDS
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        best = min(best, time.process_time() - started)
        if best < ENOUGH_SECONDS:
            break
    return best


@pytest.fixture(autouse=True)
def _stopped_by_a_signal():
    def stop(_number, _frame):
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, stop)
    yield
    signal.signal(signal.SIGVTALRM, before)


def method_of(pattern: str, flag: int, method: str):
    compiled = re.compile(pattern, flag)
    if method in {"match", "fullmatch"}:
        return getattr(compiled, method)
    return lambda text: compiled.sub("", text)


def is_linear(run, short: str, long: str, *, attempts: int = 3) -> bool:
    """Whether the time for the long text is short, or grows no faster than the text. Measured again when in doubt."""
    for _attempt in range(attempts):
        needed = seconds(run, long)
        if needed < ENOUGH_SECONDS:
            return True
        if needed < STOPPED_SECONDS and needed < GROWTH * seconds(run, short):
            return True
    return False


def test_the_expressions_of_the_sources_are_found():
    assert len(PATTERNS) >= 50
    files = {where.rpartition(":")[0].rpartition("/")[2] for where in PATTERNS}
    assert {"masking.py", "logs.py", "addresses.py", "env.py", "schemas.py", "mpesa.py"} <= files


@pytest.mark.parametrize("where", PATTERNS)
def test_an_expression_takes_linear_time(where):
    pattern, flag, method = PATTERNS[where]
    run = method_of(pattern, flag, method)
    for short, long in zip(texts(pattern, SHORT), texts(pattern, LONG), strict=True):
        assert is_linear(run, short, long), f"slow for {long[:30]!r}...{long[-3:]!r}"


@pytest.mark.parametrize(("pattern", "unit"), [(r"([\w.+-])[\w.+-]*(@[\w-]+)", "a"), (r"(a+)+$", "a")])
def test_an_expression_that_takes_more_than_linear_time_is_noticed(pattern, unit):
    run = method_of(pattern, 0, "search")
    assert not is_linear(run, unit * SHORT + "!", unit * LONG + "!", attempts=1)
