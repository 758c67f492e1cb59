"""Log-in, registration, reset and lost links do the same work and respond alike: for every spelling of an address, and
whether or not it has an account or an order.

Nothing is timed: the statements and the hashed passwords are counted. ``test_enumeration`` takes the times.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
from shop_core.addresses import comparable
from shop_notify.models import Notification
from shop_orders.models import Order
from tests.accounts.test_addresses import LOOK_ALIKES, OTHERS, SAME, VICTIM
from tests.conftest import AUTH, PASSWORD, Api

pytestmark = pytest.mark.django_db

STRANGER = "someone@free.example"
UNKNOWN = [
    "SOMEONE@Free.Example",
    " someone@free.example ",
    '"someone"@free.example',
    '"some\\one"@free.example',
    '"someone"@FREE.example',
    "someone@\uff46ree.example",
    "someone@FREE.EXAMPLE",
]
"""The spellings of ``SAME``, of an address without an account."""
NAMES = {"first_name": "A", "last_name": "B"}

OWN = {"X-Request-ID", "Content-Length", "Expires"}
"""Headers of each response: its id and time, and the length of a body that repeats what was typed."""
STATEMENT = re.compile(r'^\w+|(?<=FROM |INTO )"\w+"|(?<=UPDATE )"\w+"')
"""The verb and the table."""
TRANSACTIONS = Counter({"SAVEPOINT": 999, "RELEASE": 999, "ROLLBACK": 999})
"""Not compared: what is written for an address that must not have it is rolled back."""

Call = Callable[[str], HttpResponse]


def page(path: str, field: str, **fields: str) -> Call:
    return lambda email: Client().post(path, {field: email, **fields})


def operation(path: str, **fields: str) -> Call:
    return lambda email: Api(Client()).post(path, {"email": email, **fields})


CALLS: dict[str, Call] = {
    "log in, page": page("/accounts/login/", "login", password="wrong-one-42"),
    "log in, API": operation(f"{AUTH}login/", password="wrong-one-42"),
    "log in, headless": operation("/_allauth/app/v1/auth/login", password="wrong-one-42"),
    "register, page": page("/accounts/signup/", "email", password1=PASSWORD, **NAMES),
    "register, API": operation(f"{AUTH}register/", password=PASSWORD, **NAMES),
    "reset, page": page("/accounts/password/reset/", "email"),
    "reset, headless": operation("/_allauth/app/v1/auth/password/request"),
}


class Seen(NamedTuple):
    """What a visitor could see or measure."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...]
    statements: Counter[str]
    hashings: int


def seen(call: Call, email: str) -> Seen:
    """The response without what is random or typed, and the work that was done for it."""
    cache.clear()
    with (
        CaptureQueriesContext(connection) as queries,
        patch.object(MD5PasswordHasher, "encode", autospec=True, return_value="md5$salt$hash") as hashed,
    ):
        response = call(email)
    headers = tuple(sorted((name, plain(value, email)) for name, value in response.headers.items() if name not in OWN))
    statements = Counter(" ".join(STATEMENT.findall(query["sql"])) for query in queries) - TRANSACTIONS
    return Seen(response.status_code, plain(response.content.decode(), email), headers, statements, hashed.call_count)


RANDOM = r"(?<=[\"'=/:])[A-Za-z0-9_-]{32,}(?=[\"'&/?]|$)|\d+(?=$)"


def plain(text: str, email: str) -> str:
    spellings = (email, email.strip(), email.strip().lower(), comparable(email), VICTIM, STRANGER)
    typed = {form for spelling in spellings for form in (escape(spelling), json.dumps(spelling)[1:-1])}
    for spelling in sorted(typed, key=len, reverse=True):
        text = text.replace(spelling, "the address")
    return re.sub(RANDOM, "random", text)


def assert_alike(call: Call, emails: list[str]) -> Seen:
    seen(call, emails[0])  # fills the caches of the process
    first = seen(call, emails[0])
    for email in emails[1:]:
        assert seen(call, email) == first, email
    return first


@pytest.mark.parametrize("name", CALLS)
def test_every_spelling_of_an_address_is_alike_with_and_without_an_account(make_user: Any, name: str) -> None:
    make_user(VICTIM)
    is_registration = name.startswith("register")

    found = assert_alike(CALLS[name], [VICTIM, *SAME, *UNKNOWN[: 1 if is_registration else None]])

    assert found.hashings == {"log": 2, "reg": 1, "res": 0}[name[:3]]
    assert found.statements['INSERT "shop_notify_notification"'] == (0 if name.startswith("log") else 1)


@pytest.mark.parametrize("name", CALLS)
def test_look_alikes_are_alike_with_and_without_an_account(make_user: Any, name: str) -> None:
    seen(CALLS[name], LOOK_ALIKES[0])  # fills the caches of the process
    before = [seen(CALLS[name], spelling) for spelling in LOOK_ALIKES[::2]]
    make_user(VICTIM)

    assert [seen(CALLS[name], spelling) for spelling in LOOK_ALIKES[::2]] == before


@pytest.mark.parametrize("name", CALLS)
def test_addresses_with_other_letters_are_alike_with_and_without_an_account(make_user: Any, name: str) -> None:
    """The victim's account changes nothing for them, and their own account no more than anybody's."""
    make_user(VICTIM)
    make_user(OTHERS[1])

    found = assert_alike(CALLS[name], [VICTIM, OTHERS[1], OTHERS[0], STRANGER])

    assert found.statements['INSERT "shop_notify_notification"'] == (0 if name.startswith("log") else 1)


def test_lost_links_are_alike_for_orders_and_for_guesses(world: dict[str, str]) -> None:
    Order.objects.update(email=VICTIM, email_key=VICTIM)

    def ask(number: str) -> Call:
        return page("/orders/", "email", number=number)

    found = assert_alike(ask(world["number"]), [VICTIM, *SAME, STRANGER, *UNKNOWN])

    assert (found.status, found.statements['INSERT "shop_notify_notification"']) == (302, 1)
    for number in ("ABCDE-FGHJK", f"{world['number']}X"):
        assert seen(ask(number), VICTIM) == found
    asked = Notification.objects.filter(event="order_link")
    assert set(asked.values_list("address", flat=True)) == {VICTIM}
    assert asked.count() == len(SAME) + 2


@pytest.mark.parametrize("spellings", [SAME, UNKNOWN])
def test_requests_for_new_passwords_count_over_all_spellings(make_user: Any, spellings: list[str]) -> None:
    make_user(VICTIM)

    for spelling in [*spellings, *spellings]:
        CALLS["reset, headless"](spelling)

    assert Notification.objects.filter(event__in=["account_code", "account_unknown"]).count() == 5
