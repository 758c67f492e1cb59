"""Nobody learns which addresses have an account: not from an answer, and not from how long it takes.

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

import pytest
from django.core import mail
from django.core.cache import cache
from django.http import HttpResponse

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth/customers/"
HEADLESS = "/_allauth/app/v1/auth/"
PASSWORD = "a-long-and-odd-one-42"
SAMPLES = 200
LIMIT = 0.10

Call = Callable[[str], HttpResponse]


def content_of(answer: HttpResponse) -> tuple[int, object]:
    """Status and content, but for the random token in it."""
    content = answer.json()
    (content.get("next") or {}).pop("session_token", None)
    (content.get("meta") or {}).pop("session_token", None)
    return answer.status_code, content


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
def test_known_and_unknown_get_the_same_answer(calls, user, settings, name):
    settings.ACCOUNT_RATE_LIMITS = False
    mail.outbox.clear()

    known, unknown = calls[name](user.email), calls[name]("unknown@example.org")

    assert content_of(known) == content_of(unknown)
    assert known.headers.keys() == unknown.headers.keys()
    written_to = {address for message in mail.outbox for address in message.to}
    assert written_to == (set() if name == "login" else {user.email, "unknown@example.org"})


@pytest.fixture
def unknown() -> Iterator[str]:
    return (f"unknown{number}@example.org" for number in itertools.count())


def seconds(call: Call, email: str) -> float:
    gc.disable()
    begin = time.process_time()
    call(email)
    taken = time.process_time() - begin
    gc.enable()
    return taken


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("SHOP_TEST_FULL") != "1", reason="takes minutes: set SHOP_TEST_FULL=1")
@pytest.mark.parametrize("name", ["register", "login", "password reset"])
def test_known_and_unknown_take_equally_long(calls, make_user, settings, unknown, name):
    settings.ACCOUNT_RATE_LIMITS = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    known = [make_user(f"known{number}@example.org").email for number in range(20)]
    taken: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(SAMPLES + 10):
        cache.clear()
        mail.outbox.clear()
        pair = [("known", known[number % len(known)]), ("unknown", next(unknown))]
        for kind, email in pair if number % 2 else reversed(pair):
            taken[kind].append(seconds(calls[name], email))

    medians = {kind: statistics.median(values[10:]) for kind, values in taken.items()}
    difference = abs(medians["known"] - medians["unknown"]) / max(medians.values())
    known_ms, unknown_ms = (medians[kind] * 1000 for kind in ("known", "unknown"))
    print(f"\n{name}: {known_ms:.2f} ms known, {unknown_ms:.2f} ms unknown, {difference:.1%} apart")
    assert difference < LIMIT
