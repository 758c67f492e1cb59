"""Outages under load: nothing is lost, nothing doubled, and the backlog is drained.

``SHOP_TEST_FULL=1``: thirty seconds each, with the times of production.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from conftest import Mailbox
from django.db import connection, connections
from gateway import Gateway
from shop_notify.models import Notification
from testproject.ledger import accepted

TESTS = Path(__file__).resolve().parent
FULL = os.environ.get("SHOP_TEST_FULL") == "1"
OUTAGE, RATE, DRAIN = (30.0, 5.0, 120.0) if FULL else (1.5, 20.0, 20.0)

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
writing = threading.Lock()
"""A lock that is held while the load writes a message."""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Proxy:
    """A TCP proxy to a server, whose connections can all be cut."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.port = free_port()
        self.pairs = []
        self.up()

    def up(self):
        self.server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()

    def down(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for side in self.pairs:
            for end in side:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self.pairs.clear()

    def _accept(self, server):
        while True:
            try:
                client, _address = server.accept()
            except OSError:
                return
            pair = (client, socket.create_connection(self.target))
            self.pairs.append(pair)
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            source.close()


@pytest.fixture
def worker():
    """Start workers on the test's database; they are stopped at the end."""
    started = []

    def start(*, database_url="", **environment):
        values = {**os.environ, "SITE_DATABASE": str(connection.settings_dict["NAME"]), **environment}
        if database_url:
            values["DATABASE_URL"] = database_url
        if not FULL:
            values["LAB_LEASE"] = "4"
        command = [sys.executable, "manage.py", "deliver_notifications", "--loop", "--poll", "0.1"]
        process = subprocess.Popen(command, cwd=TESTS, env=values, stderr=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0


def load(alias, address_of):
    """Write one message after another, from before the outage until after it."""
    until, number = time.monotonic() + OUTAGE * 2, 0
    while time.monotonic() < until:
        with writing:
            Notification.objects.create(
                event_id=f"load-{number}",
                event="order_confirmed",
                alias=alias,
                channel=alias,
                address=address_of(number),
                context={"order": {"number": number}},
            )
        number += 1
        time.sleep(1 / RATE)
    return number


def drained():
    """The seconds until no message is waiting."""
    began = time.monotonic()
    while time.monotonic() - began < DRAIN:
        if not Notification.objects.open().exists():
            return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError(list(Notification.objects.open().values_list("state", "attempts", "last_error")))


def between_messages(cut):
    """Call ``cut`` while no mail is being sent: an accepted but unrecorded one would be sent twice (test_crashes)."""

    def when_idle():
        with writing:
            drained()
            cut()
        connections.close_all()

    return when_idle


def outage(cut, restore):
    """Call ``cut`` in the second quarter of the load and ``restore`` in the fourth."""

    def run():
        time.sleep(OUTAGE / 2)
        cut()
        time.sleep(OUTAGE)
        restore()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_mail_server_that_is_down(worker):
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    proxy = Proxy("127.0.0.1", controller.port)
    worker(SITE_SMTP_PORT=str(proxy.port))
    cutting = outage(between_messages(proxy.down), proxy.up)
    count = load("email", lambda number: f"{number}@example.org")
    cutting.join()
    took = drained()
    proxy.down()
    controller.stop()
    got = Counter(envelope.rcpt_tos[0] for envelope in mailbox.envelopes)
    print({"outage": "smtp", "messages": count, "lost": count - len(got), "drained": round(took, 1)})
    assert len(got) == count
    assert set(got.values()) == {1}
    assert set(Notification.objects.values_list("state", flat=True)) == {"sent"}


def test_sms_gateway_that_is_down(worker):
    pytest.importorskip("africastalking")
    port = free_port()
    gateways = [Gateway(port)]
    gateways[0].__enter__()
    worker(SITE_GATEWAY=f"http://127.0.0.1:{port}")

    def restore():
        gateways.append(Gateway(port))
        gateways[1].__enter__()

    cutting = outage(gateways[0].__exit__, restore)
    count = load("sms", lambda number: f"+2547110{number:05}")
    cutting.join()
    took = drained()
    gateways[1].__exit__()
    got = Counter(form["to"] for server in gateways for form in server.accepted)
    print({"outage": "gateway", "messages": count, "lost": count - len(got), "drained": round(took, 1)})
    assert set(got.values()) == {1}
    # A message that was being sent when the gateway died has an unknown outcome, and is not repeated.
    unknown = Notification.objects.filter(state="unknown").count()
    assert len(got) + unknown >= count
    assert unknown <= 1


class Redis:
    """A server that can be stopped and started again, empty as after a crash."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()

    def up(self):
        command = ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([*command, "--dir", str(self.folder)], stdout=subprocess.DEVNULL)
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)

    def down(self):
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def site(tmp_path):
    """Start processes of the site with django-q2 on Redis and a notifier that keeps a ledger."""
    pytest.importorskip("django_q", reason="needs django-shop-notify[django-q2]")
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    pytest.importorskip("redis")
    redis, started = Redis(tmp_path), []
    redis.up()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "testproject.settings",
        "SITE_DATABASE": str(connection.settings_dict["NAME"]),
        "SITE_QUEUE": "shop_notify.queues.django_q2",
        "SITE_REDIS_PORT": str(redis.port),
        "SITE_LEDGER": str(tmp_path / "ledger"),
    }

    def start(*command):
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=TESTS,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        started.append(process)
        return process

    start.redis, start.ledger = redis, tmp_path / "ledger"
    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    redis.down()


def test_redis_that_is_down(site):
    """Writers keep working. After the outage all messages are sent, by a wake-up or by the periodic job."""
    cluster = site("manage.py", "qcluster")
    writer = site("announcer.py", str(int(OUTAGE * 2 * RATE)), str(1 / RATE))
    cutting = outage(site.redis.down, site.redis.up)
    cutting.join()
    timings = json.loads(writer.stdout.readline())
    mended = time.monotonic()
    drained()
    took = time.monotonic() - mended
    got = accepted(site.ledger)
    print(
        {
            "outage": "redis",
            "messages": len(timings),
            "lost": len(timings) - len(got),
            "write p50, ms": round(statistics.median(timings)),
            "write p95, ms": round(statistics.quantiles(timings, n=20)[18]),
            "slowest write, ms": round(max(timings)),
            "drained": round(took, 1),
        }
    )
    assert cluster.poll() is None
    assert len(got) == len(timings)
    assert set(got.values()) == {1}
    # redis-py retries for some seconds; only the first writer waits: the queue is then not called for a while.
    assert statistics.quantiles(timings, n=20)[18] < 2000


@pytest.mark.pg
def test_database_that_is_down(worker):
    settings = connection.settings_dict
    proxy = Proxy(settings["HOST"], int(settings["PORT"] or 5432))
    mailbox, port = Mailbox(), free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    url = f"postgres://{settings['USER']}:{settings['PASSWORD']}@127.0.0.1:{proxy.port}/x"
    process = worker(SITE_SMTP_PORT=str(port), database_url=url)
    cutting = outage(between_messages(proxy.down), proxy.up)
    count = load("email", lambda number: f"{number}@example.org")
    cutting.join()
    took = drained()
    assert process.poll() is None
    controller.stop()
    got = Counter(envelope.rcpt_tos[0] for envelope in mailbox.envelopes)
    print({"outage": "database", "messages": count, "lost": count - len(got), "drained": round(took, 1)})
    assert len(got) == count
    assert set(got.values()) == {1}
