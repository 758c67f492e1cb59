"""The access matrix of pages, and requests that compare it with the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accounts.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

PEOPLE = ("anonymous", "owner", "stranger", "staff_without", "staff")
SCOPES = ["shop:read", "shop:write", "orders:read", "orders:write", "staff"]
TOKENS = ("login token of the owner", "every scope of the owner", "every scope of staff", "partner")
PASSWORD = "a-long-and-odd-one-42"

Cell = int | str
Cells = tuple[Cell, ...]


def alike(cell: Cell) -> Cells:
    return (cell,) * 5


def known(anonymous: Cell, anybody: Cell) -> Cells:
    """The same for all logged-in users."""
    return (anonymous, *(anybody,) * 4)


def owned(anonymous: Cell, owner: Cell, others: Cell = 404) -> Cells:
    return (anonymous, owner, *(others,) * 3)


def desk(staff_without: Cell, staff: Cell) -> Cells:
    """The admin, where customers are sent to the log-in page."""
    return ("login", "login", "login", staff_without, staff)


def log_in(user: User) -> str:
    login = {"email": user.email, "password": PASSWORD}
    response = Client().post("/api/v1/auth/customers/login/", login, content_type="application/json")
    return str(response.json()["access_token"])


def like(session: Client, **options: Any) -> Client:
    """A new client with the cookies of the session and its middleware, which takes as long to load as a short page."""
    client = Client(**options)
    client.handler = session.handler
    client.cookies.load({key: morsel.value for key, morsel in session.cookies.items()})
    return client


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction as Django's ``TestCase`` opens one: payment providers may be called in it."""
    block: Any = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)


def cell_of(client: Client, method: str, path: str) -> Cell:
    """The result of a request, which is rolled back, so that all requests find the same data."""
    kind = {"content_type": "application/json"} if path.startswith("/_allauth/") else {}
    with rolled_back():
        response: HttpResponse = client.get(path) if method == "GET" else client.post(path, {}, **kind)
    is_login = response.status_code == 302 and re.match(r"/(accounts|admin)/login/", response["Location"])
    return "login" if is_login else response.status_code


def wanted(cells: Cells, name: str, path: str) -> Cell:
    """The expected cell. Pages ignore bearer tokens; allauth's API for apps accepts the token of a log-in."""
    if name == "login token of the owner" and path.startswith("/_allauth/app/"):
        return cells[PEOPLE.index("owner")]
    return cells[0] if name in TOKENS else cells[PEOPLE.index(name)]
