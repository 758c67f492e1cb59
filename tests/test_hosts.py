"""The packages in sites that they did not choose: the story of ``hosts`` on one site of each kind."""

import os
import subprocess
import sys
from pathlib import Path

import django
import pytest

KINDS = ["cookiecutter", "pages", "old", "keys", "desk"]
NEWEST = sys.version_info >= (3, 13) and django.VERSION >= (6, 1)
ON_EACH_DATABASE = os.environ.get("SHOP_TEST_HOSTS") == "all"
"""Set by ``nox -s hosts``. The matrix runs the sites in one corner, to save time."""
if ON_EACH_DATABASE:
    KINDS += ["wagtail", "tree"]


@pytest.mark.slow
@pytest.mark.skipif(not NEWEST, reason="runs with the newest Python and Django only")
@pytest.mark.skipif(
    bool(os.environ.get("DATABASE_URL")) and not ON_EACH_DATABASE, reason="on PostgreSQL by `nox -s hosts`"
)
def test_sites_of_each_kind_sell_ship_refund_and_tell():
    running = {kind: start(kind) for kind in KINDS}
    failed = {}
    for kind, process in running.items():
        output, _nothing = process.communicate(timeout=300)
        if process.returncode or " passed" not in output:
            failed[kind] = output[-4000:]
    assert failed == {}, "\n".join(failed.values())


def start(kind):
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", f"--ds=hosts.{kind}", "-q", "hosts/story.py"]
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
