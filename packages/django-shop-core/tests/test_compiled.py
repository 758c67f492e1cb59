import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import pytest
from django.db import connection
from django.db.models import CharField, DecimalField
from django.test.utils import CaptureQueriesContext
from shop_core.db.compiled import CompiledQuery, LiteralInteger
from testproject.things.models import Thing

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEY = uuid.UUID(int=7)


class ThingRow(NamedTuple):
    name: str
    price: Decimal | None


def things(*names):
    return [
        Thing(name=name, price=Decimal("1.5"), count=3, made_at=NOON, key=KEY, data={"a": ["b", None]})
        for name in names
    ]


def cheap(p, *names):
    found = Thing.objects.filter(price__lte=p("most", DecimalField(max_digits=14, decimal_places=4)))
    found = found.filter(count=p("count", LiteralInteger())).order_by("name")
    return found.exclude(name__in=names).values_list("name", "price")


CHEAP = CompiledQuery(Thing, cheap, row=ThingRow)


def test_compiled_query_returns_named_rows_like_its_plain_queryset():
    Thing.objects.bulk_create(things("a", "b", "c"))
    found = CHEAP.rows("b", most=Decimal(2), count=3)
    assert (
        found
        == CHEAP.plain_rows("b", most=Decimal(2), count=3)
        == [ThingRow("a", Decimal("1.5")), ThingRow("c", Decimal("1.5"))]
    )
    assert CHEAP.first(most=Decimal(1), count=3) is None
    assert CHEAP.first(most=Decimal(2), count=3).name == "a"


def test_query_is_compiled_once_per_shape(monkeypatch):
    calls = []
    query = CompiledQuery(Thing, lambda p, *names: calls.append(names) or cheap(p, *names))
    monkeypatch.setattr("shop_core.db.compiled.IS_PLAIN", False)
    for _call in range(3):
        query.rows(most=Decimal(1), count=1)
        query.rows("b", most=Decimal(1), count=1)
    assert calls == [(), ("b",)]


def test_plain_queryset_runs_if_configured_and_on_an_untested_django(monkeypatch):
    calls = []
    query = CompiledQuery(Thing, lambda p: calls.append(1) or cheap(p), row=ThingRow)
    Thing.objects.bulk_create(things("a"))
    monkeypatch.setattr("shop_core.db.compiled.IS_PLAIN", True)
    assert [query.rows(most=Decimal(2), count=3) for _call in range(2)] == [[ThingRow("a", Decimal("1.5"))]] * 2
    assert len(calls) == 2
    monkeypatch.setattr("shop_core.db.compiled.IS_PLAIN", False)
    monkeypatch.setattr("django.VERSION", (99, 0, 0, "final", 0))
    query.rows(most=Decimal(2), count=3)
    assert len(calls) == 3


def test_literals_are_written_into_the_statement():
    with CaptureQueriesContext(connection) as captured:
        CHEAP.rows("b", most=Decimal(2), count=3)
    assert "(3)" in captured[0]["sql"]


def test_text_parameter_is_never_interpreted_as_sql():
    query = CompiledQuery(Thing, lambda p: Thing.objects.filter(name=p("name", CharField())).values_list("name"))
    Thing.objects.bulk_create(things("it's %s; --"))
    assert query.rows(name="it's %s; --") == [("it's %s; --",)]
