"""A GET runs only statements that a read-only database accepts: one GET for each route, by guest, customer and staff.

During a fail-over, and on a replica, the shop can still be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from tests.accounts.matrix import PASSWORD, log_in, rolled_back
from tests.accounts.test_authorisation import MATRIX, call
from tests.accounts.test_authorisation_of_admin import MODELS
from tests.accounts.test_authorisation_of_pages import PAGES

pytestmark = pytest.mark.django_db

GUEST = {
    "email": "guest@example.org",
    "name": "Test Guest",
    "phone": "0712 345 678",
    "delivery": "home",
    "line1": "Riverside Drive 12",
    "city": "Nairobi",
    "country": "KE",
    "payment": "on_delivery",
}
CHALLENGE = "The session keeps the challenge that the browser must sign."
WRITES = {
    "_allauth/<client>/v1/auth/webauthn/login": CHALLENGE,
    "_allauth/<client>/v1/auth/webauthn/reauthenticate": CHALLENGE,
    "_allauth/<client>/v1/account/authenticators/totp": "The session keeps the secret until it is confirmed.",
    "admin/shop_orders/order/<int:order_id>/step/<str:name>/": (
        "The step is taken and rolled back, to show what it would send. The page is the form of a write."
    ),
}
"""The routes whose GET writes or locks, and the reason."""
WRITE = re.compile(
    r'^\s*(?:INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|LOCK TABLE|TRUNCATE)\s+"?(\w+)'
    r'|\bFROM "?(\w+)"?.* FOR (?:NO KEY )?(?:UPDATE|SHARE)\b',
    re.DOTALL,
)


@contextmanager
def writes() -> Iterator[list[str]]:
    """The tables that are written to, or whose rows are locked, within the block."""
    found: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if match := WRITE.search(sql):
            found.append(match[1] or match[2])
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield found


def pages(values: dict[str, str], *, admin: bool) -> Iterator[tuple[str, str]]:
    """Each route of a page and a path of it: those of the admin, or all others."""
    models = [f"admin/{label.replace('.', '/')}/{page}" for label in MODELS for page in ("", "add/")]
    models += [f"admin/shop_orders/order/{values['order_id']}/{page}/" for page in ("change", "history")]
    for route in [*PAGES, *models]:
        if route.startswith("admin/") is admin:
            yield route, "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], route)
            if "<client>" in route:
                yield route, "/" + route.replace("<client>", "browser")


def visitor(name: str, people: Any) -> Client:
    client = Client(raise_request_exception=False)
    if name == "guest":
        client.post("/cart/add/", {"product": "MUG"})
        assert client.post("/checkout/", GUEST)["Location"] == "/checkout/review/"
    else:
        client.post("/accounts/login/", {"login": people[name].email, "password": PASSWORD})
    return client


@pytest.mark.slow
def test_no_get_of_a_page_writes(world, paths, people, settings):
    settings.ACCOUNT_RATE_LIMITS = False
    found = {}
    shown = dict.fromkeys(("guest", "owner", "staff"), 0)
    for name in shown:
        client = visitor(name, people)
        for route, path in pages(paths | {"name": "cancel"}, admin=name == "staff"):
            cache.clear()
            with rolled_back(), writes() as tables:
                shown[name] += client.get(path).status_code == 200
            if tables:
                found[route] = tables
    assert sorted(found) == sorted(WRITES), found
    assert min(shown.values()) >= 30, shown


@pytest.mark.parametrize("name", ["anonymous", "owner", "staff"])
def test_no_get_of_the_api_writes(name, world, people):
    headers = {} if name == "anonymous" else {"Authorization": f"Bearer {log_in(people[name])}"}
    client = Client(headers=headers)
    found = {}
    values = world | {"incoming_id": world["payment_id"], "refund_id": world["payment_id"]}
    for (method, route), (_group, _statuses, body) in MATRIX.items():
        if method == "GET":
            cache.clear()
            with rolled_back(), writes() as tables:
                call(client, method, route, body, values)
            if tables:
                found[route] = tables
    assert found == {}
