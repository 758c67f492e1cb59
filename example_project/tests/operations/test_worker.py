import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
import redis
from django.core.signing import BadSignature
from django.utils import timezone
from django_q.conf import Conf
from django_q.signing import SignedPackage
from operations import brokers, task_queue
from operations.worker_alive import is_alive, processes

MAIN, SENTINEL = (1, "python manage.py qcluster"), (10, "python manage.py qcluster")


def tree(children):
    """A worker's main process with pid 10, its sentinel 11, and this number of processes below it."""
    return {1: (0, "init"), 10: MAIN, 11: SENTINEL} | {
        20 + n: (11, "python manage.py qcluster") for n in range(children)
    }


@pytest.mark.parametrize(("children", "alive"), [(4, True), (3, True), (2, False), (0, False)])
def test_a_worker_is_alive_while_all_its_processes_run(children, alive):
    assert is_alive(tree(children)) is alive


def test_without_a_worker_there_is_none_alive():
    assert is_alive({1: (0, "init"), 5: (1, "granian config.wsgi:application")}) is False


def test_a_worker_without_its_sentinel_is_not_alive():
    assert is_alive({1: (0, "init"), 10: MAIN}) is False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_processes_of_this_machine_are_found():
    parent, command = processes()[os.getpid()]
    assert parent == os.getppid()
    assert "python" in command


@pytest.fixture
def broker(tmp_path, monkeypatch):
    """A Redis broker with a server for this test."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", tmp_path]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    monkeypatch.setattr(Conf, "REDIS", f"redis://127.0.0.1:{port}/0")
    for _try in range(500):
        try:
            redis.Redis(port=port).ping()
            break
        except redis.ConnectionError:
            time.sleep(0.02)
    broker = brokers.Redis()
    monkeypatch.setattr(task_queue, "get_broker", lambda: broker)
    yield broker
    server.kill()
    server.wait()


def test_length_and_age_of_a_queue_in_redis(broker):
    assert (task_queue.length(), task_queue.oldest_seconds()) == (0, 0)
    queued_at = timezone.now() - timezone.timedelta(seconds=30)
    broker.enqueue(SignedPackage.dumps({"started": queued_at}))
    broker.enqueue(SignedPackage.dumps({"started": timezone.now()}))
    assert task_queue.length() == 2
    assert 30 <= task_queue.oldest_seconds() < 40


def test_a_task_that_another_key_signed_is_not_read(broker):
    broker.enqueue("forged:package")
    with pytest.raises(BadSignature):
        SignedPackage.loads("forged:package")
    assert task_queue.oldest_seconds() == 0


def test_an_unreachable_queue_fails_at_once(monkeypatch):
    monkeypatch.setattr(Conf, "REDIS", "redis://127.0.0.1:1/0")
    started = time.monotonic()
    with pytest.raises(redis.ConnectionError):
        brokers.Redis().enqueue("package")
    assert time.monotonic() - started < 1
