"""Kill -9 at named points and at random: nothing is lost, and doubled only between the provider's yes and our note.

``NOTIFY_CRASHES=full`` runs the sizes of the promise (100 messages a point; 200 kills over 2,000 messages).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

TESTS = Path(__file__).resolve().parent
FULL = os.environ.get("NOTIFY_CRASHES") == "full"
LEASE, POLL = 2.0, 0.1

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def lab(fault, messages, kills, workers, folder, seconds=0.002):
    environment = {
        **os.environ,
        "SITE_DATABASE": str(connection.settings_dict["NAME"]),
        "LAB_LEASE": str(LEASE),
        "LAB_SECONDS": str(seconds),
        "PYTHONPATH": str(TESTS),
    }
    arguments = [sys.executable, "crash_lab.py", fault, str(messages), str(kills), str(workers), str(folder)]
    done = subprocess.run(
        arguments, cwd=TESTS, env=environment, capture_output=True, text=True, timeout=700, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    print(report)
    return report


@pytest.mark.parametrize("fault", ["FP4", "FP5", "FP6", "FP7"])
def test_kill_at_a_named_point(fault, tmp_path):
    messages, kills = (100, 20) if FULL else (40, 6)
    report = lab(fault, messages, kills, 1, tmp_path)
    assert report["kills"] > 0
    assert report["lost"] == 0
    assert report["extra"] <= (report["kills"] if fault == "FP6" else 0)
    assert report["states"] == {"sent": messages}
    assert report["recovery_seconds"] <= LEASE + POLL + 5


def test_kill_while_a_message_is_given_up(tmp_path):
    messages, kills = (100, 20) if FULL else (30, 5)
    report = lab("FP8", messages, kills, 1, tmp_path)
    assert report["kills"] > 0
    assert report["states"] == {"dead": messages}


def test_random_kills_of_four_workers(tmp_path):
    messages, kills = (2000, 200) if FULL else (300, 12)
    report = lab("random", messages, kills, 4, tmp_path, seconds=0.02)
    assert report["lost"] == 0
    assert report["extra"] <= report["kills"]
    assert report["most"] <= 3
    assert set(report["states"]) == {"sent"}
