"""Every English text of the shop has a German translation."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from django.conf import settings

TOOLS = ("xgettext", "msgmerge", "msguniq", "msgattrib")
ROOMS = ("accounts", "backoffice", "config", "demo", "operations", "storefront", "templates", "locale", "manage.py")

pytestmark = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="the tools of gettext are not installed")


def test_every_text_is_translated(tmp_path):
    for room in ROOMS:
        source = settings.BASE_DIR / room
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / room)
    make = [sys.executable, "-m", "django", "makemessages", "--locale=de", "--no-location", "--no-wrap"]
    subprocess.run([*make, "--settings=config.settings"], cwd=tmp_path, check=True, capture_output=True)
    catalogue = tmp_path / "locale" / "de" / "LC_MESSAGES" / "django.po"
    for wrong in ("--untranslated", "--only-fuzzy"):
        done = subprocess.run(["msgattrib", wrong, catalogue], capture_output=True, text=True, check=True)
        assert "msgid" not in done.stdout.partition("\n\n")[2]
