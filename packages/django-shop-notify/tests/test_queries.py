"""Hand-written statements change the same rows as the ORM; compiled queries return the rows of their querysets."""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import shop_notify
from django.db import connection
from django.test.utils import CaptureQueriesContext
from shop_core.db.compiled import CompiledQuery
from shop_notify.delivery import queries
from shop_notify.models import Attempt, Notification, Worker

pytestmark = pytest.mark.django_db
WHEN = datetime(2026, 11, 1, 12, 30, 15, 123456, tzinfo=UTC)
ODD = 'it\'s \\ 100% "so"\n{} 🦩 \u2028 $1 %s'
SAMPLES: dict[str, list[tuple[list[object], dict[str, object]]]] = {}
"""``{path of a compiled query: [(shape, parameters)]}``: at least one for each that the package has."""


def compiled_queries():
    found = {}
    for info in pkgutil.walk_packages(shop_notify.__path__, "shop_notify."):
        try:
            module = importlib.import_module(info.name)
        except ImportError:  # an optional library is not installed
            continue
        for name, value in vars(module).items():
            if isinstance(value, CompiledQuery):
                found[id(value)] = (f"{module.__name__}.{name}", value)
    return dict(found.values())


def test_every_compiled_query_returns_what_its_queryset_returns():
    found = compiled_queries()
    assert set(found) == set(SAMPLES)
    for path, query in found.items():
        for shape, parameters in SAMPLES[path]:
            assert query.rows(*shape, **parameters) == query.plain_rows(*shape, **parameters)


def claimed(count):
    rows = [
        Notification(
            event_id=f"e-{number}",
            event="newsletter",
            alias="memory",
            channel="memory",
            address=f"{number}@example.org",
            state="sending",
            lease=uuid.uuid4(),
        )
        for number in range(count)
    ]
    return Notification.objects.bulk_create(rows)


def changes(number):
    return {
        "state": "sent",
        "lease": None,
        "updated_at": WHEN,
        "sent_at": WHEN,
        "provider_id": f"p-{number}",
        "segments": 2,
        "cost": Decimal("0.8000"),
        "cost_currency": "KES",
        "last_error": "",
        "subject": ODD,
        "text": ODD * 50,
        "fallback_at": None,
    }


@pytest.mark.parametrize("count", [1, 3])
def test_results_are_written_as_the_orm_would_write_them(count):
    by_hand, by_orm = claimed(count), []
    assert queries.write_results([(row, changes(number)) for number, row in enumerate(by_hand)]) == count
    written = list(Notification.objects.order_by("pk").values())
    Notification.objects.all().delete()
    by_orm = claimed(count)
    for number, row in enumerate(by_orm):
        Notification.objects.filter(pk=row.pk, lease=row.lease, state="sending").update(**changes(number))
    own = {"id", "public_id", "created_at", "due_at"}
    expected = Notification.objects.order_by("pk").values()
    assert [{name: row[name] for name in row if name not in own} for row in written] == [
        {name: row[name] for name in row if name not in own} for row in expected
    ]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("lost", [{"lease": None}, {"state": "sent"}, {"lease": uuid.uuid4()}])
def test_results_of_lost_rows_are_not_written(count, lost):
    rows = claimed(count)
    Notification.objects.filter(pk=rows[0].pk).update(**lost)
    assert queries.write_results([(row, changes(number)) for number, row in enumerate(rows)]) == count - 1
    assert Notification.objects.filter(provider_id="p-0").count() == 0


@pytest.mark.parametrize("count", [1, 3])
def test_attempts_are_inserted_as_the_orm_would_insert_them(count):
    values = [
        {
            "notification_id": row.pk,
            "number": 1,
            "started_at": WHEN,
            "finished_at": WHEN,
            "outcome": "accepted",
            "provider_code": "201",
            "detail": ODD,
            "response": {"said": ODD, "parts": [1, 2.5, None, True]},
        }
        for row in claimed(count)
    ]
    with CaptureQueriesContext(connection) as captured:
        queries.insert_attempts(values)
    assert len(captured) == 1
    by_hand = list(Attempt.objects.order_by("pk").values())
    Attempt.objects.all().delete()
    Attempt.objects.bulk_create([Attempt(**row) for row in values])
    expected = [{**row, "id": None} for row in Attempt.objects.order_by("pk").values()]
    assert [{**row, "id": None} for row in by_hand] == expected


def test_no_statement_is_run_without_attempts():
    with CaptureQueriesContext(connection) as captured:
        queries.insert_attempts([])
    assert len(captured) == 0


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_commit_without_flush_is_of_one_transaction_only():
    from django.db import transaction

    with transaction.atomic():
        queries.commit_without_flush()
        Worker.objects.create(host="here", pid=1)
        assert setting() == "off"
    assert setting() == default()


def setting():
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone()[0]


def default():
    with connection.cursor() as cursor:
        cursor.execute("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
        return cursor.fetchone()[0]
