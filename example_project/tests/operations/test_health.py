import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db.utils import OperationalError
from django.test import override_settings
from django.utils import timezone
from django_q.models import OrmQ
from operations import probes
from shop_notify.models import Notification

AWAY = {
    "default": {
        "BACKEND": "operations.caches.RedisCache",
        "LOCATION": "redis://:very-secret@127.0.0.1:1/0",
        "OPTIONS": {"socket_connect_timeout": 1},
    }
}


def test_liveness_makes_no_queries(client, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_ready_when_everything_works(client, db):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["failed"] == {}
    assert response.json()["status"] == "ok"


def test_jobs_that_never_ran_are_only_warnings(client, db):
    warnings = client.get("/readyz").json()["warnings"]
    assert "shop_orders.expire_orders" in warnings["jobs"]
    assert "shop_notify.deliver" in warnings["jobs"]


def test_a_lost_cache_is_named(client, db):
    with override_settings(CACHES=AWAY):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["failed"] == {"cache": "a value was not kept"}


def test_a_lost_database_is_named_without_its_address(client, db):
    class Broken:
        def __call__(self, *_arguments):
            raise OperationalError("connection to server at db.example.org failed for user shop")

    with connection.execute_wrapper(Broken()):
        response = client.get("/readyz?only=database")
    assert response.status_code == 503
    assert response.json()["failed"] == {"database": "failed with OperationalError"}


@pytest.mark.parametrize("query", ["", "?only=database,cache,outbox", "?only=migrations,queue,outbox", "?only=outbox"])
def test_a_lost_database_is_asked_once(query, client, db):
    """Each further query would wait for a connection too, and the prober would give up before the response."""
    asked = []

    def broken(*_arguments):
        asked.append(1)
        raise OperationalError("away")

    with connection.execute_wrapper(broken):
        response = client.get(f"/readyz{query}")
    assert len(asked) == 1
    assert response.status_code == 503
    first, *others = response.json()["failed"].values()
    assert first == "failed with OperationalError"
    names = query.partition("=")[2].split(",") if query else list(probes.READY)
    assert list(response.json()["failed"]) == [name for name in names if name != "cache"]
    unchecked = "not checked, because the database failed"
    assert set(others) <= {unchecked}
    assert response.json()["warnings"] == ({} if query else {"jobs": unchecked})


def test_missing_migrations_are_counted(client, db):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'shop_notify'")
    failed = client.get("/readyz").json()["failed"]
    assert list(failed) == ["migrations"]
    assert failed["migrations"].endswith("migrations are not applied")


def test_a_queue_that_is_not_processed_is_reported(client, db):
    OrmQ.objects.create(key="shop", payload="", lock=timezone.now() - timedelta(seconds=probes.LATE_SECONDS + 60))
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["failed"] == {"queue": "a task has waited for 360 seconds"}


def test_a_task_that_runs_does_not_count_as_waiting(client, db):
    OrmQ.objects.create(key="shop", payload="", lock=timezone.now() + timedelta(minutes=5))
    assert client.get("/readyz").json()["failed"] == {}


def test_an_outbox_that_is_not_processed_is_reported(client, db):
    Notification.objects.create(
        event_id="1", event="order_placed", alias="email", channel="email", address="a@example.org",
        due_at=timezone.now() - timedelta(seconds=probes.LATE_SECONDS + 1),
    )  # fmt: skip
    response = client.get("/readyz")
    assert response.status_code == 503
    assert list(response.json()["failed"]) == ["outbox"]


def test_a_balancer_can_ask_for_less(client, db):
    OrmQ.objects.create(key="shop", payload="", lock=timezone.now() - timedelta(hours=1))
    response = client.get("/readyz?only=database,migrations")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "failed": {}, "warnings": {}})


def test_a_misspelt_part_is_refused(client, db):
    response = client.get("/readyz?only=databse")
    assert response.status_code == 400
    assert response.json()["unknown"] == ["databse"]


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_nothing_can_be_posted(client, db, address):
    assert client.post(address).status_code == 405


def test_no_response_contains_versions_or_addresses(client, db):
    with override_settings(CACHES=AWAY):
        text = json.dumps(client.get("/readyz").json())
    for secret in ("very-secret", "127.0.0.1", "redis://", "5432", "6.1", "5.2"):
        assert secret not in text
