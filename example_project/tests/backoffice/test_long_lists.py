"""The lists of tables that grow: each statement of a page, a filter or a search finds its rows by an index.

Sequential scans are switched off, so one remains only in the plan of a statement that no index can answer.
"""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from shop_core.model_admins import LongList

pytestmark = [
    *(pytest.mark.django_db, pytest.mark.pg),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL"),
]

LONG = {model: list_ for model, list_ in admin.site._registry.items() if isinstance(list_, LongList)}
SEARCHED = "Otieno 4711"
COMMON = ("payment_provider=", "payment_status__exact=unpaid", "payment_status__exact=paid")
COMMON += ("state__exact=sent", "state__exact=delivered", "state__exact=read", "state=fetched")
"""Filters whose rows are many, or are the newest: the list finds them at its beginning."""


def scanned(statements):
    """The tables that the statements read from beginning to end."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in statements:
            if statement["sql"].startswith(("SELECT", "WITH")):
                cursor.execute(f"EXPLAIN (FORMAT JSON) {statement['sql']}")
                [[plan]] = cursor.fetchall()
                found |= set(_scanned(plan[0]["Plan"]))
    return found


def _scanned(plan, *, adds_up=False):
    """Also the tables that a sum reads whole by an index, unless a limit ends the reading before."""
    kind = plan["Node Type"]
    adds_up = kind == "Aggregate" or (adds_up and kind != "Limit")
    if kind == "Seq Scan" or (adds_up and kind.startswith("Index") and "Index Cond" not in plan):
        yield plan["Relation Name"]
    for child in plan.get("Plans", []):
        yield from _scanned(child, adds_up=adds_up)


def paths(client, model):
    listed = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    yield listed
    changes = client.get(listed).context_data["cl"]
    for spec in changes.filter_specs:
        choices = [choice["query_string"] for choice in list(spec.choices(changes))[1:]]
        yield from (listed + choice for choice in choices if not any(name in choice for name in COMMON))
    if LONG[model].search_fields:
        yield f"{listed}?q={quote(SEARCHED)}"


@pytest.mark.parametrize("model", LONG, ids=lambda model: model._meta.label)
def test_a_list_of_a_table_that_grows_reads_it_by_an_index(staff, model):
    desk = staff("everything")
    found = {}
    for path in list(paths(desk, model)):
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(path).status_code == 200, path
        found[path] = scanned(captured.captured_queries)
    assert [path for path, tables in found.items() if model._meta.db_table in tables] == []


API = ("/api/v1/orders/staff/orders/", "/api/v1/notifications/staff/", "/api/v1/orders/staff/incoming-payments/")


@pytest.mark.parametrize(
    "path", [*API, f"{API[0]}?state=packed", *(f"{path}?q={quote(SEARCHED)}" for path in API[:2])]
)
def test_a_list_of_the_staff_api_reads_no_table_that_grows_from_beginning_to_end(staff, path):
    desk = staff("everything")
    with CaptureQueriesContext(connection) as captured:
        assert desk.get(path).status_code == 200
    large = {model._meta.db_table for model in LONG} | {"shop_orders_orderline", "shop_catalog_product"}
    assert scanned(captured.captured_queries) & large == set()


def test_all_tables_that_grow_have_such_a_list():
    names = {model._meta.model_name for model in LONG}
    assert {"order", "orderevent", "payment", "providerevent", "shipment", "customer", "cart"} < names
    assert {"notification", "stockmovement"} < names
