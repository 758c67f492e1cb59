"""Reference pages made from the code: a line such as ``<!-- reference: settings -->`` becomes text at build time.

Each function of PAGES returns Markdown. It needs Django, set up with the example's settings, but not Sphinx, so that
the tests can read the pages too.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shop_reference.checks import checks
from shop_reference.commands import commands
from shop_reference.extension_points import extension_points
from shop_reference.openapi import api
from shop_reference.problems import problems
from shop_reference.python import CORE, FUNCTIONS, core, python
from shop_reference.settings import settings
from shop_reference.signals import signals
from shop_reference.sources import PACKAGES, ROOT

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["CORE", "FUNCTIONS", "PACKAGES", "PAGES", "fill", "setup"]

MARK = re.compile(r"^<!-- reference: (?P<name>\w+) -->$", re.MULTILINE)
PAGES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "signals": signals,
    "commands": commands,
    "checks": checks,
    "problems": problems,
    "api": api,
    "python": python,
    "core": core,
    "extension_points": extension_points,
}


def fill(text: str) -> str:
    """A page's source with its marks replaced."""
    return MARK.sub(lambda mark: PAGES[mark["name"]](), text)


def _set_up_django() -> None:
    import django
    from django.apps import apps

    if not apps.ready:
        os.environ.setdefault("DEBUG", "true")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        sys.path.insert(0, str(ROOT / "example_project"))
        django.setup()


def _read(_app: Sphinx, _docname: str, source: list[str]) -> None:
    source[0] = fill(source[0])


def _outdated(_app: Sphinx, env: Any, *_changes: Any) -> list[str]:
    """Pages with a mark are read at each build: the code changes without them."""
    return [name for name in env.found_docs if MARK.search(Path(env.doc2path(name)).read_text(encoding="utf-8"))]


def setup(app: Sphinx) -> dict[str, bool]:
    _set_up_django()
    app.connect("source-read", _read)
    app.connect("env-get-outdated", _outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
