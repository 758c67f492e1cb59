"""Every test that the explanation pages name as proof exists."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"`(?P<part>\w+)/(?P<file>[\w/]+\.py)::(?P<test>test_\w+)`")
FOLDERS = {
    "core": ROOT / "packages/django-shop-core/tests",
    "catalog": ROOT / "packages/django-shop-catalog/tests",
    "orders": ROOT / "packages/django-shop-orders/tests",
    "notify": ROOT / "packages/django-shop-notify/tests",
    "example": ROOT / "example_project/tests",
    "suite": ROOT / "tests",
}


@cache
def names_of(path):
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return set(re.findall(r"^ *(?:async )?def (test_\w+)", text, re.MULTILINE))


@pytest.mark.parametrize(("page", "at_least"), [("guarantees", 25), ("threat-model", 30)])
def test_every_test_that_is_named_exists(page, at_least):
    text = (ROOT / f"docs/explanation/{page}.md").read_text(encoding="utf-8")
    named = [(match[0], FOLDERS[match["part"]] / match["file"], match["test"]) for match in NAMED.finditer(text)]
    assert len(named) >= at_least
    assert [name for name, path, test in named if test not in names_of(path)] == []
