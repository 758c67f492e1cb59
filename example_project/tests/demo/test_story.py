"""The demo in headless Chromium, from its start to the parcel; needs what the storefront's browser tests need."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser


@pytest.fixture
def demo(tmp_path):
    """The URL of a demo for this test."""
    command = [sys.executable, "-u", "run_demo.py", "--port=0", f"--data-dir={tmp_path / 'demo'}"]
    with subprocess.Popen(command, cwd=EXAMPLE, stdout=subprocess.PIPE, text=True) as process:
        said = []
        for line in process.stdout or ():
            said.append(line)
            if found := re.search(r"The shop +(\S+)/$", line):
                yield found[1]
                break
        else:
            pytest.fail("".join(said))
        process.terminate()
        process.communicate(timeout=60)


def test_the_whole_story_can_be_seen_in_the_demo(demo, node):
    assert node("story.mjs", demo).endswith("\n0 faults\n")


def test_mpesa_on_the_handset_can_be_seen_in_the_demo(demo, node):
    assert node("handset.mjs", demo).endswith("\n0 faults\n")
