"""The table of moves in the CHANGELOG: every new path can be imported, and no old one is left."""

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

CHANGELOG = (Path(__file__).resolve().parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
MOVED = re.findall(r"^ *\| `([\w.]+)` \| `([\w.]+)` \|$", CHANGELOG, re.MULTILINE)


def exists(path):
    """Whether a dotted path leads to a module or to an attribute of one."""
    home, _, name = path.rpartition(".")
    try:
        if find_spec(path) is not None:
            return True
    except ModuleNotFoundError:
        pass
    try:
        return hasattr(import_module(home), name)
    except ModuleNotFoundError:
        return False


def test_table_of_moves_is_read():
    assert len(MOVED) > 20


@pytest.mark.parametrize("new", sorted({new for _old, new in MOVED}))
def test_new_path_exists(new):
    if new.startswith(("shop_core.api", "shop_notify.api")):
        pytest.importorskip("ninja", reason="needs django-shop-notify[api]")
    assert exists(new)


@pytest.mark.parametrize("old", [old for old, _new in MOVED])
def test_old_path_is_gone(old):
    if old.startswith("shop_notify.api"):
        pytest.importorskip("ninja", reason="needs django-shop-notify[api]")
    assert not exists(old)
