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
    assert failures("hosts/story.py") == {}


@pytest.mark.slow
@pytest.mark.skipif(not ON_EACH_DATABASE, reason="needs Chromium, node and a minute: run by `nox -s hosts`")
def test_guest_buys_in_a_browser_in_sites_of_each_kind():
    assert failures("hosts/browsing.py") == {}


def failures(story):
    """The output of each site on which a story fails."""
    running = {kind: start(kind, story) for kind in KINDS}
    failed = {}
    for kind, process in running.items():
        output, _nothing = process.communicate(timeout=300)
        if process.returncode or " passed" not in output:
            failed[kind] = output[-4000:]
    if failed:
        print(*failed.values(), sep="\n")
    return failed


def start(kind, story):
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", f"--ds=hosts.{kind}", "-q", story]
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
