"""A refresh token that is used eight times concurrently: of a log-in, and of an app."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from accounts.models import User
from allauth.idp.oidc.models import Client as App
from allauth.idp.oidc.models import Token
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

AUTH = "/api/v1/auth/customers/"
PROFILE = f"{AUTH}profile/"
RIVALS = 8


@pytest.fixture
def app(db: None) -> App:
    app = App(id="app", name="The App", type="public")
    app.set_scopes(["openid", "orders:read"])
    app.set_grant_types(["authorization_code", "refresh_token"])
    app.save()
    return app


def refresh_token_of(app: App, user: User) -> str:
    token = Token(client=app, user=user, type="rt", expires_at=timezone.now() + timedelta(days=30))
    token.set_value("the-refresh-token")
    token.set_scopes(["openid", "orders:read"])
    token.save()
    return "the-refresh-token"


def refresh(token: str) -> HttpResponse:
    return Client().post(f"{AUTH}refresh/", {"refresh_token": token}, content_type="application/json")


def refresh_app(token: str, **more: str) -> HttpResponse:
    fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", **more}
    return Client().post("/identity/o/api/token", fields)


def at_once(call: Callable[[], HttpResponse]) -> list[HttpResponse]:
    """The responses to the same call from several threads that start together."""
    barrier = threading.Barrier(RIVALS)
    responses: list[HttpResponse] = []

    def rival() -> None:
        barrier.wait()
        try:
            responses.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=rival) for _number in range(RIVALS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return responses


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_time", range(3))
def test_at_most_one_of_eight_wins_with_a_token_of_a_log_in(api, user, log_in, _time):
    token = log_in(user)["refresh_token"]

    responses = at_once(lambda: refresh(token))

    statuses = sorted(response.status_code for response in responses)
    assert statuses == [200] + [401] * (RIVALS - 1)
    winner = next(response for response in responses if response.status_code == 200)
    api.token = winner.json()["access_token"]
    assert api.get(PROFILE).status_code == 200
    assert refresh(winner.json()["refresh_token"]).status_code == 200
    assert refresh(token).status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("more", [{}, {"code": "made-up"}, {"device_code": "x", "username": "x", "password": "y"}])
def test_at_most_one_of_eight_wins_with_a_token_of_an_app(api, user, app, caplog, more):
    """Also when parameters of other grants are sent beside it."""
    token = refresh_token_of(app, user)

    responses = at_once(lambda: refresh_app(token, **more))

    assert sorted(response.status_code for response in responses) == [200] + [400] * (RIVALS - 1)
    assert Token.objects.filter(type="rt").count() == Token.objects.filter(type="at").count() == 1
    caplog.clear()
    assert refresh_app(token).json() == {"error": "invalid_grant"}
    assert "presented again" in caplog.text
    assert token not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_at_most_one_of_eight_wins_with_a_code(user, app, caplog):
    app.set_redirect_uris(["https://app.example.org/callback"])
    app.save()
    fields = {"client_id": "app", "redirect_uri": "https://app.example.org/callback"}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 64).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "scope": "openid", "code_challenge": challenge, "code_challenge_method": "S256"}
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    form = browser.get("/identity/o/authorize", {**fields, **asked}).context["form"]
    granted = browser.post(
        "/identity/o/authorize", {"request": form["request"].value(), "scopes": ["openid"], "action": "grant"}
    )
    code = parse_qs(urlsplit(granted["Location"]).query)["code"][0]
    exchange = {**fields, "grant_type": "authorization_code", "code": code, "code_verifier": "v" * 64}

    wrong = Client().post("/identity/o/api/token", {**exchange, "code_verifier": "w" * 64})
    responses = at_once(lambda: Client().post("/identity/o/api/token", exchange))

    assert wrong.status_code == 400
    statuses = [response.status_code for response in responses]
    assert set(statuses) <= {200, 400}
    assert statuses.count(200) <= 1  # a rival ends the exchange that is still running
    assert "presented again" in caplog.text
    assert Token.objects.count() == 0
    assert Client().post("/identity/o/api/token", exchange).status_code == 400
    assert Token.objects.count() == 0


@pytest.mark.django_db
def test_a_used_token_stays_used_when_the_cache_has_forgotten_it(api, user, log_in):
    from django.core.cache import cache

    token = log_in(user)["refresh_token"]
    assert refresh(token).status_code == 200
    cache.clear()

    assert refresh(token).status_code == 401


@pytest.mark.django_db
def test_refresh_tokens_expire(user, app, log_in, settings):
    settings.HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = -1
    assert refresh(log_in(user)["refresh_token"]).status_code == 401

    token = refresh_token_of(app, user)
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refresh_app(token).status_code == 400


@pytest.mark.django_db
def test_a_refresh_does_not_prolong_what_has_ended(user, log_in):
    """Tokens depend on the session: without it the newest refresh token is refused."""
    tokens = refresh(log_in(user)["refresh_token"]).json()
    from django.contrib.sessions.backends.cached_db import SessionStore

    for session in Session.objects.all():
        SessionStore(session.session_key).delete()

    assert refresh(tokens["refresh_token"]).status_code == 401


@pytest.mark.django_db
def test_the_periodic_job_clears_what_has_expired_and_nothing_else(user, app, log_in):
    log_in(user)
    refresh_token_of(app, user)
    call_command("clear_accounts")
    assert (Session.objects.count(), Token.objects.count()) == (1, 1)
    past = timezone.now() - timedelta(seconds=1)
    Session.objects.update(expire_date=past)
    Token.objects.update(expires_at=past)

    call_command("clear_accounts")

    assert (Session.objects.count(), Token.objects.count()) == (0, 0)
