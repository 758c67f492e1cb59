"""Whole django-q2 clusters are killed: the outbox loses no message, even if the broker loses tasks.

``SHOP_TEST_FULL=1``: 20 kills over 600 messages, with both brokers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection
from shop_notify.models import Notification
from test_outages import free_port
from testproject.ledger import accepted

pytest.importorskip("django_q", reason="needs django-shop-notify[django-q2]")

TESTS = Path(__file__).resolve().parent
FULL = os.environ.get("SHOP_TEST_FULL") == "1"
MESSAGES, KILLS = (600, 20) if FULL else (60, 1)
BROKERS = ["database", "redis"] if FULL else ["database"]

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def broker(request, tmp_path):
    """Environment of the site with this broker."""
    if request.param == "database":
        yield {}
        return
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    pytest.importorskip("redis")
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    yield {"SITE_REDIS_PORT": str(port)}
    server.terminate()
    server.wait(10)


@pytest.mark.parametrize("broker", BROKERS, indirect=True)
def test_killed_clusters_lose_nothing(broker, tmp_path, request):
    ledger = tmp_path / "ledger"
    environment = {
        **os.environ,
        **broker,
        "DJANGO_SETTINGS_MODULE": "testproject.settings",
        "SITE_DATABASE": str(connection.settings_dict["NAME"]),
        "SITE_QUEUE": "shop_notify.queues.django_q2",
        "SITE_LEDGER": str(ledger),
        "LAB_LEASE": "2",
    }

    def start(*command):
        return subprocess.Popen(
            [sys.executable, *command], cwd=TESTS, env=environment, start_new_session=True, stderr=subprocess.DEVNULL
        )

    announcer = start("announcer.py", str(MESSAGES))
    cluster = start("manage.py", "qcluster")
    killed, began = 0, time.monotonic()
    try:
        while time.monotonic() - began < 300:
            time.sleep(0.3)
            sent = sum(accepted(ledger).values())
            if killed < KILLS and sent > (killed + 1) * MESSAGES // (KILLS + 2):
                os.killpg(cluster.pid, signal.SIGKILL)
                cluster.wait(10)
                killed += 1
                cluster = start("manage.py", "qcluster")
            if Notification.objects.filter(state="sent").count() == MESSAGES:
                break
    finally:
        announcer.kill()
        announcer.wait(10)
        os.killpg(cluster.pid, signal.SIGKILL)
        cluster.wait(10)
    counts = accepted(ledger)
    extra = sum(counts.values()) - len(counts)
    print(
        {
            "broker": request.node.callspec.params["broker"],
            "database": connection.vendor,
            "messages": MESSAGES,
            "kills": killed,
            "lost": MESSAGES - len(counts),
            "extra": extra,
            "seconds": round(time.monotonic() - began, 1),
        }
    )
    assert killed == KILLS
    assert len(counts) == MESSAGES
    assert extra <= killed
