"""A site whose DATABASE_ROUTERS put the packages into databases of their own: the scenes of ``routed``."""

import os
import subprocess
import sys
from pathlib import Path

import django
import pytest

NEWEST = sys.version_info >= (3, 13) and django.VERSION >= (6, 1)


@pytest.mark.slow
@pytest.mark.skipif(not NEWEST, reason="runs with the newest Python and Django only, to save time")
def test_packages_live_in_the_databases_that_a_router_chooses():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pytest.ini", "--ds=routed.settings", "-q", "routed/scenes.py"],
        env={**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
