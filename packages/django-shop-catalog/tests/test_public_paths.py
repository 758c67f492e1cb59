"""Each function has one import path: the new path in the CHANGELOG's table exists, and the old one does not."""

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

CHANGELOG = (Path(__file__).resolve().parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
MOVED = re.findall(r"^ *\| `([\w.]+)` \| `([\w.]+)` \|$", CHANGELOG, re.MULTILINE)


def exists(path):
    """Whether a dotted path leads to a module or to an attribute of one."""
    module, _, name = path.rpartition(".")
    try:
        if find_spec(path) is not None:
            return True
    except ModuleNotFoundError:
        pass
    try:
        return hasattr(import_module(module), name)
    except ModuleNotFoundError:
        return False


def test_changelog_has_the_table_of_moves():
    assert len(MOVED) > 20


@pytest.mark.parametrize("new", sorted({new for _old, new in MOVED}))
def test_new_path_exists(new):
    assert exists(new)


@pytest.mark.parametrize("old", [old for old, _new in MOVED])
def test_old_path_is_gone(old):
    assert not exists(old)
