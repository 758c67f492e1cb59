import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import pytest
from django.db import connection
from django.db.models import CharField, DecimalField
from django.test.utils import CaptureQueriesContext
from shop_core.db import rows
from shop_core.db.compiled import CompiledQuery, LiteralInteger, Word
from testproject.things.models import Thing

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEY = uuid.UUID(int=7)
NAMES = ("name", "price", "count", "made_at", "key", "data", "changed_at")


class ThingRow(NamedTuple):
    name: str
    price: Decimal | None


def things(*names):
    return [
        Thing(name=name, price=Decimal("1.5"), count=3, made_at=NOON, key=KEY, data={"a": ["b", None]})
        for name in names
    ]


def stored():
    return list(Thing.objects.order_by("name").values_list("name", "price", "count", "made_at", "key", "data"))


def expected(*names):
    return [(name, Decimal("1.5"), 3, NOON, KEY, {"a": ["b", None]}) for name in names]


def test_insert_values_returns_a_field_of_the_written_rows():
    values = [(name, Decimal("1.5"), 3, NOON, KEY, {"a": ["b", None]}, NOON) for name in "abc"]
    rows.insert_values(Thing, NAMES, values[:1])
    found = rows.insert_values(Thing, NAMES, values, on_conflict="ON CONFLICT (name) DO NOTHING", returning="name")
    assert sorted(found) == ["b", "c"]
    assert stored() == expected("a", "b", "c")


def cheap(p, *names):
    found = Thing.objects.filter(price__lte=p("most", DecimalField(max_digits=14, decimal_places=4)))
    found = found.filter(count=p("count", LiteralInteger())).order_by("name")
    return found.exclude(name__in=[Word(name) for name in names]).values_list("name", "price")


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
    monkeypatch.delenv("SHOP_PLAIN_QUERIES", raising=False)
    for _call in range(3):
        query.rows(most=Decimal(1), count=1)
        query.rows("b", most=Decimal(1), count=1)
    assert calls == [(), ("b",)]


def test_plain_queryset_runs_if_configured_and_on_an_untested_django(monkeypatch):
    calls = []
    query = CompiledQuery(Thing, lambda p: calls.append(1) or cheap(p), row=ThingRow)
    Thing.objects.bulk_create(things("a"))
    monkeypatch.setenv("SHOP_PLAIN_QUERIES", "1")
    assert [query.rows(most=Decimal(2), count=3) for _call in range(2)] == [[ThingRow("a", Decimal("1.5"))]] * 2
    assert len(calls) == 2
    monkeypatch.delenv("SHOP_PLAIN_QUERIES")
    monkeypatch.setattr("django.VERSION", (99, 0, 0, "final", 0))
    query.rows(most=Decimal(2), count=3)
    assert len(calls) == 3


def test_words_and_literals_are_written_into_the_statement():
    with CaptureQueriesContext(
        connection,
    ) as captured:
        CHEAP.rows("b", most=Decimal(2), count=3)
    assert "'b'" in captured[0]["sql"]
    assert "(3)" in captured[0]["sql"]
    with pytest.raises(ValueError, match="not a plain word"):
        CHEAP.rows("b' OR 1=1", most=Decimal(2), count=3)


def test_text_parameter_is_never_interpreted_as_sql():
    query = CompiledQuery(Thing, lambda p: Thing.objects.filter(name=p("name", CharField())).values_list("name"))
    Thing.objects.bulk_create(things("it's %s; --"))
    assert query.rows(name="it's %s; --") == [("it's %s; --",)]
