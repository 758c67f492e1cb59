"""Names, comments and pages use the usual words. Each word here was one of our own before."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"anew", "news", "seam", "seams", "sisters", "undone", "verbs"}
"""Words that no name contains."""

NAMES = {"answered", "notes", "told", "undone", "yes"}
"""Words that do not say what a thing is."""

PHRASES = re.compile(
    r"\b(anew|came along|what stays undone|past the verbs|no way out|no way to pay|sisters?|tells? (?:\w+ )?apart"
    r"|changes nothing wrongly|the seams?|our verbs|less cannot|kept (?:counts?|figures?)|figures that are kept"
    r"|counted by themselves|in whatever way|by whatever code|(?:is|are) no text|as they stand"
    r"|wait for each other in a circle)\b",
    re.IGNORECASE,
)
QUOTED = {"tests/test_words.py"}


def files(*patterns):
    names = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in names.splitlines() if name not in QUOTED]


def names_in(tree):
    """The names that a module gives: functions, classes, parameters and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def test_names_are_made_of_the_usual_words():
    found = {}
    for file in files("*.py"):
        for name in names_in(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if name in NAMES or {*re.sub("([A-Z])", r"_\1", name).lower().split("_")} & PARTS:
                found.setdefault(file, set()).add(name)
    assert found == {}


@pytest.mark.parametrize("kind", ["*.py", "*.md", "*.html"])
def test_sentences_are_made_of_the_usual_words(kind):
    found = {
        f"{file}: {match.group()}"
        for file in files(kind)
        if (match := PHRASES.search((ROOT / file).read_text(encoding="utf-8")))
    }
    assert found == set()
