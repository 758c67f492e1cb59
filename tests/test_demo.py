"""The demo, as a newcomer starts it: all its processes, one whole order, nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="the demo brings its own SQLite whatever is set")
def test_the_demo_drives_one_whole_order():
    command = [sys.executable, str(ROOT / "example_project/run_demo.py"), "--check"]
    # A proxy of the surroundings, which cannot know this machine's own addresses, is not asked for them.
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-4000:]
    assert "The whole order went through." in answer.stdout
