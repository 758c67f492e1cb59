"""Neither a response nor its time shows which addresses have an account.

The times are taken on request, ``SHOP_TEST_FULL=1 pytest tests/accounts/test_enumeration.py -s``: 200 samples of each
kind, one of each in turn, and the medians of the processor's time, which a busy machine does not stretch.
"""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from unittest.mock import patch

import pytest
from accounts.models import User
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.conftest import sent_mails

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth/customers/"
HEADLESS = "/_allauth/app/v1/auth/"
PASSWORD = "a-long-and-odd-one-42"
SAMPLES = 200
LIMIT = 0.10
ACCOUNT = ["accounts_user", "shop_orders_customer", "account_emailaddress", "django_session"]

Call = Callable[[str], HttpResponse]


def content_of(response: HttpResponse) -> tuple[int, object]:
    """Status and content, without the random token."""
    content = response.json()
    (content.get("next") or {}).pop("session_token", None)
    (content.get("meta") or {}).pop("session_token", None)
    return response.status_code, content


@pytest.fixture
def calls(api) -> dict[str, Call]:
    def register(email: str) -> HttpResponse:
        names = {"first_name": "New", "last_name": "Customer"}
        return api.post(f"{AUTH}register/", {"email": email, "password": PASSWORD, **names})

    def log_in(email: str) -> HttpResponse:
        return api.post(f"{AUTH}login/", {"email": email, "password": "wrong"})

    def reset(email: str) -> HttpResponse:
        return api.post(f"{HEADLESS}password/request", {"email": email})

    def resend(email: str) -> HttpResponse:
        token = register(email).json()["next"]["session_token"]
        return api.post(f"{HEADLESS}email/verify/resend", {}, **{"X-Session-Token": token})

    return {"register": register, "login": log_in, "password reset": reset, "resend verification": resend}


NAMES = ["register", "login", "password reset", "resend verification"]


@pytest.mark.parametrize("name", NAMES)
def test_known_and_unknown_get_the_same_response(calls, user, settings, name):
    settings.ACCOUNT_RATE_LIMITS = False
    mail.outbox.clear()

    known, unknown = calls[name](user.email), calls[name]("unknown@example.org")

    assert content_of(known) == content_of(unknown)
    assert known.headers.keys() == unknown.headers.keys()
    written_to = [address for message in sent_mails() for address in message.to]
    mails = {"login": 0, "resend verification": 2}.get(name, 1)
    assert sorted(written_to) == sorted(mails * [user.email, "unknown@example.org"])


def written(call: Callable[[], HttpResponse]) -> tuple[list[str], int]:
    """The account tables into which a call inserts rows, and the number of passwords that it hashes."""
    with (
        CaptureQueriesContext(connection) as queries,
        patch.object(MD5PasswordHasher, "encode", autospec=True) as hashed,
    ):
        hashed.return_value = "md5$salt$hash"
        call()
    inserts = [query["sql"].split('"')[1] for query in queries if query["sql"].startswith("INSERT")]
    return [table for table in inserts if table in ACCOUNT], hashed.call_count


@pytest.mark.parametrize("password", [PASSWORD, "password"], ids=["accepted", "refused"])
@pytest.mark.parametrize("way", ["page", "API"])
def test_registering_does_the_same_work_for_a_taken_address(api, user, settings, way, password):
    settings.ACCOUNT_RATE_LIMITS = False
    names = {"first_name": "New", "last_name": "Customer"}

    def register(email: str) -> HttpResponse:
        if way == "API":
            return api.post(f"{AUTH}register/", {"email": email, "password": password, **names})
        return Client().post("/accounts/signup/", {"email": email, "password1": password, **names})

    known, unknown = (written(partial(register, email)) for email in (user.email, "unknown@example.org"))

    assert known == unknown
    assert known[0] == (ACCOUNT if password == PASSWORD else [])
    assert User.objects.filter(email__endswith="@example.invalid").count() == 0


@pytest.fixture
def unknown() -> Iterator[str]:
    return (f"unknown{number}@example.org" for number in itertools.count())


def seconds(call: Call, email: str) -> tuple[float, float]:
    """The CPU time and the elapsed time of a call."""
    gc.disable()
    begin = time.process_time(), time.perf_counter()
    call(email)
    taken = time.process_time() - begin[0], time.perf_counter() - begin[1]
    gc.enable()
    return taken


def apart(taken: dict[str, list[float]]) -> tuple[float, str]:
    """The difference of the medians, and a message about it."""
    known, unknown = (statistics.median(taken[kind][10:]) for kind in ("known", "unknown"))
    difference = abs(known - unknown) / max(known, unknown)
    return difference, f"{known * 1000:.2f} ms known, {unknown * 1000:.2f} ms unknown, {difference:.1%} apart"


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("SHOP_TEST_FULL") != "1", reason="takes minutes: set SHOP_TEST_FULL=1")
@pytest.mark.parametrize("name", ["register", "login", "password reset"])
def test_known_and_unknown_take_equally_long(calls, make_user, settings, unknown, name):
    settings.ACCOUNT_RATE_LIMITS = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    known = [make_user(f"known{number}@example.org").email for number in range(20)]
    processor: dict[str, list[float]] = {"known": [], "unknown": []}
    clock: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(SAMPLES + 10):
        cache.clear()
        mail.outbox.clear()
        pair = [("known", known[number % len(known)]), ("unknown", next(unknown))]
        for kind, email in pair if number % 2 else reversed(pair):
            taken = seconds(calls[name], email)
            processor[kind].append(taken[0])
            clock[kind].append(taken[1])

    difference, sentence = apart(processor)
    print(f"\n{name}, processor: {sentence}\n{name}, clock: {apart(clock)[1]}")
    assert difference < LIMIT
