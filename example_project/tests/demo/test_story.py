"""The demo in headless Chromium, from its start to the parcel; needs what the storefront's browser tests need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2]
BROWSER = EXAMPLE / "tests" / "storefront" / "browser"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("node"), reason="node is not installed"),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
    pytest.mark.skipif(not (BROWSER / "node_modules").is_dir(), reason="npm ci was not run in the browser folder"),
]


@pytest.fixture
def demo(tmp_path):
    """The address of a demo of its own."""
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


def test_the_whole_story_can_be_seen_in_the_demo(demo):
    done = subprocess.run(
        ["node", "story.mjs", demo],
        cwd=BROWSER,
        env={**os.environ, "CHROMIUM": CHROMIUM},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr or done.stdout
