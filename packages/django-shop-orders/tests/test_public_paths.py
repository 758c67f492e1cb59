"""The table of moved modules in the CHANGELOG: every new path can be imported, no old one is left."""

import importlib
import re
from pathlib import Path

import pytest

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"
ROW = re.compile(r"^  \| `(?P<old>[\w.]+)` \| `(?P<new>[\w.]+)` \|$", re.MULTILINE)
MOVES = ROW.findall(CHANGELOG.read_text(encoding="utf-8"))


def find(path):
    """The object at a dotted path, a module or an attribute of one; None when there is none."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        home, _dot, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(home), name, None)
    except ModuleNotFoundError:
        return None


def test_changelog_lists_the_moved_modules():
    assert len(MOVES) > 10


@pytest.mark.parametrize(("old", "new"), MOVES)
def test_new_path_can_be_imported_and_the_old_one_cannot(old, new):
    assert find(new) is not None
    assert find(old) is None
