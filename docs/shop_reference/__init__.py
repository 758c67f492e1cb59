"""Reference pages made from the code: what stands between the marks of a page is written by ``write_reference.py``.

A page has ``<!-- reference: settings -->`` where the text of PAGES begins, and END where it ends. Each function of
PAGES returns Markdown. It needs Django, set up with the example's settings.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from shop_reference.checks import checks
from shop_reference.commands import commands
from shop_reference.extension_points import extension_points
from shop_reference.openapi import api
from shop_reference.problems import problems
from shop_reference.python import CORE, FUNCTIONS, core, python
from shop_reference.rows import rows
from shop_reference.settings import settings
from shop_reference.signals import signals
from shop_reference.sources import PACKAGES, ROOT
from shop_reference.times import times

__all__ = ["CORE", "FUNCTIONS", "PACKAGES", "PAGES", "fill", "pages", "set_up_django"]

END = "<!-- end of the generated text -->"
MARK = re.compile(rf"^<!-- reference: (?P<name>\w+) -->$(?:.*^{END}$)?", re.MULTILINE | re.DOTALL)
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
    "rows": rows,
    "times": times,
}


def pages() -> Iterator[Path]:
    """The pages that have generated text."""
    for name in PAGES:
        yield ROOT / f"docs/reference/{name.replace('_', '-')}.md"


def fill(text: str) -> str:
    """A page with its generated text as the code is now."""
    return MARK.sub(_filled, text)


def _filled(mark: re.Match[str]) -> str:
    return f"<!-- reference: {mark['name']} -->\n\n{PAGES[mark['name']]()}\n\n{END}"


def set_up_django() -> None:
    import django
    from django.apps import apps

    if not apps.ready:
        os.environ.setdefault("DEBUG", "true")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        sys.path.insert(0, str(ROOT / "example_project"))
        django.setup()
