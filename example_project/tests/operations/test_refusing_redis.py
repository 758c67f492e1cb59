"""Real Redis servers that respond but refuse writes: nothing fails, and nothing out of date is read."""

import pytest
import redis
from django.core.cache import cache
from django.core.cache import caches as configured_caches
from django.test import Client
from operations import caches
from shop_core import limits
from tests.conftest import PASSWORD
from tests.operations.test_caches import NEEDS_REDIS, Redis, Refusing, free_port

REFUSALS = {
    "OOM": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    "READONLY": (("REPLICAOF", "127.0.0.1", str(free_port())), ("REPLICAOF", "NO", "ONE")),
    "NOREPLICAS": (("CONFIG", "SET", "min-replicas-to-write", "1"), ("CONFIG", "SET", "min-replicas-to-write", "0")),
}
"""The error of a write, and the commands that make a server refuse and accept writes."""

pytestmark = [pytest.mark.django_db, NEEDS_REDIS]


@pytest.fixture(params=REFUSALS)
def server(request, tmp_path, settings, monkeypatch):
    """A server that the site's cache and sessions use; ``refuse`` and ``accept`` change its mind."""
    monkeypatch.setattr(caches, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(caches, "CHECK_SECONDS", 0)
    server = Redis(tmp_path)
    server.start()
    settings.CACHES = {
        "default": {"BACKEND": "operations.caches.RedisCache", "LOCATION": f"redis://127.0.0.1:{server.port}/0"}
    }
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
    connection = redis.Redis(port=server.port)

    def refuse():
        connection.execute_command(*REFUSALS[request.param][0])
        with pytest.raises(redis.RedisError, match=f"{request.param}|maxmemory|read only|good replicas"):
            connection.set("x", 1)

    server.refuse, server.accept = refuse, lambda: connection.execute_command(*REFUSALS[request.param][1])
    yield server
    server.kill()


def log_in(user):
    client = Client()
    assert client.post("/accounts/login/", {"login": user.email, "password": PASSWORD}).status_code == 302
    return client


def is_logged_in(client):
    return client.get("/account/profile/").status_code == 200


def test_people_log_in_and_out_while_redis_refuses(server, user):
    server.refuse()
    client = log_in(user)
    assert is_logged_in(client)
    kept = Client()
    kept.cookies = client.cookies.copy()
    client.post("/accounts/logout/")
    assert not is_logged_in(client)
    assert not is_logged_in(kept)


def test_apps_log_in_and_exchange_their_token_while_redis_refuses(server, user, api):
    server.refuse()
    tokens = api.post("/api/v1/auth/customers/login/", {"email": user.email, "password": PASSWORD}).json()
    new = api.post("/api/v1/auth/customers/refresh/", {"refresh_token": tokens["refresh_token"]})
    assert new.status_code == 200
    api.token = new.json()["access_token"]
    assert api.get("/api/v1/auth/customers/profile/").status_code == 200


def test_a_session_that_ended_while_redis_refused_is_over_then_and_afterwards(server, user):
    client = log_in(user)
    assert is_logged_in(client)
    kept = Client()
    kept.cookies = client.cookies.copy()
    server.refuse()
    client.post("/accounts/logout/")
    assert not is_logged_in(kept)
    server.accept()
    assert not is_logged_in(kept)


def test_another_process_reads_nothing_out_of_date(server, monkeypatch):
    cache.set("price", "old")
    server.refuse()
    cache.set("price", "new")
    monkeypatch.setattr(caches, "_STATES", {})
    other = caches.RedisCache(f"redis://127.0.0.1:{server.port}/0", {})
    assert other.get("price") is None


def test_changes_that_were_dropped_are_deleted_before_anything_is_read_again(server):
    cache.set_many({"a": "old", "b": "old", "c": "old", "kept": "old"})
    server.refuse()
    cache.set("a", "new")
    cache.delete("b")
    cache.set_many({"c": "new"})
    server.accept()
    assert cache.get_many(["a", "b", "c"]) == {}
    cache.set("a", "newer")
    assert cache.get("a") == "newer"


def test_throttles_let_everything_pass_while_redis_refuses_and_it_is_reported(server, caplog):
    server.refuse()
    for _request in range(5):
        limits.check("shop_orders.cart", "1/d", "a visitor")
    assert [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_server_that_is_loading_its_data_is_done_without(user, settings):
    fake = Refusing("LOADING Redis is loading the dataset in memory")
    settings.CACHES = {
        "default": {"BACKEND": "operations.caches.RedisCache", "LOCATION": f"redis://127.0.0.1:{fake.port}/0"}
    }
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
    assert is_logged_in(log_in(user))
    fake.listener.close()


def test_a_process_remembers_a_limited_number_of_dropped_changes(monkeypatch):
    monkeypatch.setattr(caches, "MOST_DROPPED", 3)
    state = caches.State()
    state.drop(["a", "b"])
    state.drop(["c", "d"])
    assert list(state.dropped) == ["b", "c", "d"]


def test_another_process_does_not_revive_a_session_that_ended_while_redis_refused(server, user, monkeypatch):
    """The process that logged the customer out gets no request after Redis accepts writes again."""
    client = log_in(user)
    assert is_logged_in(client)
    kept = Client()
    kept.cookies = client.cookies.copy()
    server.refuse()
    client.post("/accounts/logout/")
    state = caches._STATES[(f"redis://127.0.0.1:{server.port}/0",)]
    cleaner = state.cleaner
    server.accept()
    if cleaner is not None:
        cleaner.join(timeout=10)
    assert not state.dropped
    monkeypatch.setattr(caches, "_STATES", {})
    del configured_caches["default"]
    assert not is_logged_in(kept)
