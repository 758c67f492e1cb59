import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis
from operations import caches

EXAMPLE = Path(__file__).resolve().parents[2]
NEEDS_REDIS = pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cache_at(port):
    return caches.RedisCache(f"redis://127.0.0.1:{port}/0", {"OPTIONS": {"socket_connect_timeout": 1}})


class Redis:
    """A server for this test on its own port."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()

    def start(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                redis.Redis(port=self.port).ping()
                return
            except redis.ConnectionError:
                time.sleep(0.02)
        raise TimeoutError("Redis did not start.")

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path):
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


def test_without_a_server_reads_miss_and_writes_are_dropped():
    cache = cache_at(free_port())
    assert cache.get("a", "default") == "default"
    cache.set("a", 1)
    assert cache.add("a", 1) is True
    assert cache.touch("a") is False
    assert cache.delete("a") is False
    assert cache.get_many(["a", "b"]) == {}
    assert cache.has_key("a") is False
    assert cache.incr("a") == 1
    assert cache.set_many({"a": 1}) == []
    cache.delete_many(["a"])
    cache.clear()
    assert cache.get_or_set("a", lambda: "computed") == "computed"


def test_an_unavailable_server_is_not_called_again_at_once(caplog):
    cache = cache_at(free_port())
    for _time in range(50):
        cache.get("a")
    assert len(caplog.records) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_does_not_wait_for_threads_that_it_does_not_have():
    """The task queue forks its workers, also while a thread of its main process looks for Redis."""
    cache = cache_at(free_port())
    cache.set("a", 1)
    state = cache._cache.state
    with state.lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if state.cleaner is None and state.lock.acquire(timeout=1) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_an_unexpected_error_does_not_stop_the_deletion_of_dropped_keys_for_ever(monkeypatch):
    monkeypatch.setattr(caches, "PAUSE_SECONDS", 0)
    ended = []
    monkeypatch.setattr(threading, "excepthook", lambda error: ended.append(error.exc_type))
    client = cache_at(free_port())._cache
    results = [redis.ConnectionError(), TypeError(), None]

    def delete():
        if error := results.pop(0):
            raise error
        client.state.dropped.clear()

    monkeypatch.setattr(client, "_delete_dropped", delete)
    client.state.drop(["a"])
    others = {*threading.enumerate()}
    for _thread in range(2):
        client.start_cleaning()
        for thread in {*threading.enumerate()} - others:
            thread.join(5)
    assert (ended, results, client.state.dropped) == ([TypeError], [], {})
    assert client.state.cleaner is None


@NEEDS_REDIS
def test_with_a_server_it_is_django_s_own(server):
    cache = cache_at(server.port)
    cache.set_many({"a": 1, "b": {"c": [2]}})
    assert cache.get_many(["a", "b", "x"]) == {"a": 1, "b": {"c": [2]}}
    assert cache.incr("a", 2) == 3
    assert cache.add("a", 9) is False
    with pytest.raises(ValueError, match="not found"):
        cache.incr("x")


@NEEDS_REDIS
def test_after_a_restart_it_works_again_without_an_error(server, monkeypatch):
    monkeypatch.setattr(caches, "PAUSE_SECONDS", 0.05)
    cache = cache_at(server.port)
    cache.set("a", 1)
    server.kill()
    assert cache.get("a") is None
    server.start()
    time.sleep(0.1)
    cache.set("a", 2)
    assert cache.get("a") == 2


@NEEDS_REDIS
def test_a_restart_between_two_calls_goes_unnoticed(server):
    cache = cache_at(server.port)
    cache.set("a", 1)
    server.kill()
    server.start()
    cache.set("a", 2)
    assert cache.get("a") == 2


WORKER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from django.conf import settings

url = sys.argv[1]
settings.configure(
    CACHES={"default": {"BACKEND": "operations.caches.RedisCache", "LOCATION": url}},
)
from shop_core import limits
from shop_core.exceptions import TooManyRequests

def passes(_number):
    try:
        limits.check("shop_orders.cart", "100/d", "a visitor")
    except TooManyRequests:
        return False
    return True

print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(32) as pool:
    print(sum(pool.map(passes, range(320))), flush=True)
"""


@NEEDS_REDIS
def test_two_processes_of_32_threads_let_exactly_n_requests_through(server):
    command = [sys.executable, "-c", WORKER, f"redis://127.0.0.1:{server.port}/0"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, cwd=EXAMPLE, **pipes) for _process in range(2)]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n", "ready\n"]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert sum(int(worker.communicate(timeout=60)[0]) for worker in workers) == 100


class Refusing:
    """A server on loopback that speaks RESP and responds to every command but the first handshake with one error."""

    def __init__(self, reply):
        self.reply = reply
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as commands:
            while line := commands.readline():
                words = []
                for _word in range(int(line[1:])):
                    words.append(commands.read(int(commands.readline()[1:])))
                    commands.read(2)
                replies = {b"HELLO": "%1\r\n$5\r\nproto\r\n:3", b"CLIENT": "+OK", b"SELECT": "+OK"}
                connection.sendall(replies.get(words[0].upper(), f"-{self.reply}").encode() + b"\r\n")


REFUSALS = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "NOREPLICAS Not enough good replicas to write.",
    "LOADING Redis is loading the dataset in memory",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOAUTH Authentication required.",
]


@pytest.fixture(params=REFUSALS, ids=lambda reply: reply.partition(" ")[0])
def refusing(request):
    server = Refusing(request.param)
    yield server
    server.listener.close()


def test_a_server_that_refuses_is_as_good_as_none_and_reported_once(refusing, caplog):
    cache = cache_at(refusing.port)
    for _time in range(20):
        assert cache.get("a", "default") == "default"
    cache.set("a", 1)
    assert cache.add("a", 1) is True
    assert cache.get_many(["a", "b"]) == {}
    assert cache.incr("a") == 1
    assert cache.touch("a") is False
    assert cache.delete("a") is False
    cache.set_many({"a": 1})
    assert cache.get_or_set("a", lambda: "computed") == "computed"
    assert len(caplog.records) == 1
