"""Kill -9 at named points and at random: no message is lost, and only an unrecorded acceptance is sent twice.

``SHOP_TEST_FULL=1`` runs the sizes that the guarantee names: 100 messages a point, and 200 kills over 2,000 messages.
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
FULL = os.environ.get("SHOP_TEST_FULL") == "1"
LEASE, POLL = (2.0, 0.1) if FULL else (1.0, 0.05)
SIZES = {"messages": 100, "kills": 20} if FULL else {"messages": 16, "kills": 2}
RANDOM = {"messages": 2000, "kills": 200} if FULL else {"messages": 120, "kills": 6}

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def lab(folder, *experiments):
    """Run experiments one after the other in one process that forks workers and kills them."""
    environment = {
        **os.environ,
        "SITE_DATABASE": str(connection.settings_dict["NAME"]),
        "LAB_LEASE": str(LEASE),
        "LAB_POLL": str(POLL),
        "PYTHONPATH": str(TESTS),
    }
    done = subprocess.run(
        [sys.executable, "crash_lab.py", str(folder), json.dumps(experiments)],
        cwd=TESTS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_kill_at_every_named_point(tmp_path):
    points = ["FP4", "FP5", "FP6", "FP7"]
    reports = lab(tmp_path, *({"fault": point, "workers": 1, **SIZES} for point in points))
    assert [report["fault"] for report in reports] == points
    for report in reports:
        assert report["kills"] > 0
        assert report["lost"] == 0
        assert report["extra"] <= (report["kills"] if report["fault"] == "FP6" else 0)
        assert report["states"] == {"sent": SIZES["messages"]}
        assert report["recovery_seconds"] <= LEASE + POLL + 5


def test_kill_while_a_message_is_given_up(tmp_path):
    (report,) = lab(tmp_path, {"fault": "FP8", "workers": 1, **SIZES})
    assert report["kills"] > 0
    assert report["states"] == {"dead": SIZES["messages"]}


def test_random_kills_of_four_workers(tmp_path):
    (report,) = lab(tmp_path, {"fault": "random", "workers": 4, **RANDOM})
    assert report["kills"] >= RANDOM["kills"]
    assert report["lost"] == 0
    assert report["extra"] <= report["kills"]
    assert report["most"] <= 3
    assert set(report["states"]) == {"sent"}


def test_writer_that_dies_after_its_commit_or_whose_queue_fails_loses_nothing(tmp_path):
    reports = lab(tmp_path, *({"fault": point, "workers": 1, **SIZES} for point in ("FP2", "FP3")))
    for report in reports:
        assert (report["lost"], report["extra"]) == (0, 0)
        assert report["states"] == {"sent": SIZES["messages"]}
