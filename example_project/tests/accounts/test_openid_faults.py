"""Whatever a provider sends, the visitor reads what happened, and nobody gets into another account."""

from __future__ import annotations

import json
from typing import Any

import pytest
from accounts.models import User
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from requests.exceptions import ConnectTimeout
from tests.accounts.test_openid_login import log_in_with
from tests.conftest import sent_mails

pytestmark = pytest.mark.django_db

DISCOVERY = "/.well-known/openid-configuration"
JSON = "application/json"


def assert_fault_page(response: Any, caplog: Any) -> str:
    """The text of the page; it names the provider. Nothing is logged that would be mailed to administrators."""
    assert response.status_code == 401, response
    assert [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
    assert sent_mails() == []
    assert not User.objects.filter(is_staff=False).exclude(email="other@example.org").exists()
    text = str(response.content.decode())
    assert "The log-in failed" in text
    return text


@pytest.mark.parametrize(
    ("value", "is_verified"),
    [
        (True, True),
        ("true", True),
        ("True", True),
        (False, False),
        ("false", False),
        ("False", False),
        ("0", False),
        ("yes", False),
        ("", False),
        (None, False),
        (1, False),
        (0, False),
        (["true"], False),
        ({"value": True}, False),
        (..., False),
    ],
)
def test_only_a_clear_yes_verifies_the_address(provider, client, value, is_verified):
    provider.claims["email_verified"] = value
    if value is ...:
        del provider.claims["email_verified"]

    log_in_with(provider, client)

    assert EmailAddress.objects.filter(verified=True).exists() is is_verified
    assert client.get("/api/v1/auth/customers/profile/").status_code == (200 if is_verified else 401)
    assert len(sent_mails()) == (0 if is_verified else 1)


@pytest.mark.parametrize(
    "value",
    [..., None, "", " ", 0, 1, 1.5, True, False, [], ["1"], {}, {"sub": "1"}, "x" * 256, "x" * 300, "a\0b", "a\nb"],
)
def test_invalid_subject_is_refused(provider, client, caplog, value):
    """Without this check all users without a ``sub`` would share one account, the one called “None”."""
    owner = User.objects.create_user("other@example.org", None)
    for uid in ("None", "", " ", "0", "1", "True", "False", "ab"):
        SocialAccount.objects.create(user=owner, provider="work", uid=uid)
    provider.claims["sub"] = value
    if value is ...:
        del provider.claims["sub"]

    text = assert_fault_page(log_in_with(provider, client), caplog)

    assert "Work did not say which of its accounts is yours" in text
    assert client.get("/api/v1/auth/customers/profile/").status_code == 401


def test_longest_subject_is_accepted(provider):
    for letter in ("x", "y", "x"):
        provider.claims |= {"sub": letter * 255, "email": f"{letter}@example.org"}
        assert log_in_with(provider, Client()).status_code == 302

    assert User.objects.count() == SocialAccount.objects.count() == 2


def test_userinfo_of_another_person_is_refused(provider, client, caplog):
    """OpenID Connect Core 1.0, 5.3.2."""
    owner = User.objects.create_user("other@example.org", None)
    SocialAccount.objects.create(user=owner, provider="work", uid="2")
    provider.userinfo = {**provider.claims, "sub": "2"}

    assert_fault_page(log_in_with(provider, client), caplog)

    assert client.get("/api/v1/auth/customers/profile/").status_code == 401


ODD = [None, 7, 1.5, True, [], ["New"], {"a": 1}, "N\0ew", "\ud800New", "New\r\nBcc: x", "x" * 5000, "<b>New</b>"]


@pytest.mark.parametrize("value", ODD, ids=[str(number) for number in range(len(ODD))])
def test_invalid_names_do_not_stop_a_log_in(provider, client, value):
    provider.claims |= dict.fromkeys(
        ("given_name", "family_name", "name", "preferred_username", "picture", "locale", "address", "user_id"), value
    )

    assert log_in_with(provider, client).status_code == 302

    user = User.objects.get()
    assert user.email == "new@example.org"
    assert len(user.first_name) <= 150
    assert user.first_name.isprintable()
    assert client.get("/accounts/3rdparty/").status_code == 200
    assert client.get("/account/").status_code == 200


@pytest.mark.parametrize(
    "value",
    [
        7,
        ["new@example.org"],
        {"a": 1},
        "n\0@example.org",
        "adm\u017fn@example.org",
        "\u212aim@example.org",
        "x" * 5000,
    ],
)
def test_invalid_address_is_treated_as_missing(provider, client, value):
    provider.claims["email"] = value

    response = log_in_with(provider, client)

    assert response["Location"] == "/accounts/3rdparty/signup/"
    assert client.get(response["Location"]).status_code == 200
    assert not User.objects.exists()


def test_unusual_claims_can_be_stored(provider, client):
    """PostgreSQL's JSON refuses NUL, lone surrogates and NaN."""
    known = b'{"sub": "1", "email": "new@example.org", "email_verified": true, '
    odd = known + b'"a\\u0000": "\\u0000\\ud800", "b": [NaN, 1e999]'
    provider.raw["/userinfo"] = (200, JSON, odd + b', "c": {"d": 1' + b"0" * 400 + b"}}")

    assert log_in_with(provider, client).status_code == 302
    assert SocialAccount.objects.get().extra_data["userinfo"]["b"] == [None, None]


def test_many_claims_are_not_all_stored(provider, client):
    provider.claims["groups"] = ["x" * 100] * 1000

    assert log_in_with(provider, client).status_code == 302
    assert "groups" not in SocialAccount.objects.get().extra_data["userinfo"]


HTML = (200, "text/html", b"<!doctype html><title>Maintenance</title>")
BROKEN = [
    HTML,
    (500, "text/html", b"oops"),
    (200, JSON, b""),
    (200, JSON, b"[]"),
    (200, JSON, b'"x"'),
    (200, JSON, b"7"),
]
BROKEN += [
    (200, JSON, b"null"),
    (200, JSON, b"{}"),
    (200, JSON, b"\xff\xfe"),
    (200, JSON, b"[" * 50_000),
    (404, JSON, b"{}"),
]
BROKEN += [(200, JSON, b'{"sub": ' + b"9" * 5000 + b"}"), (302, "text/plain", b"")]


@pytest.mark.parametrize("number", range(len(BROKEN)))
@pytest.mark.parametrize("path", ["/token", "/userinfo"])
def test_broken_response_to_the_code_gets_an_error_page(provider, client, caplog, path, number):
    provider.raw[path] = BROKEN[number]

    response = log_in_with(provider, client)

    if path == "/userinfo" and BROKEN[number] in [(200, JSON, text) for text in (b"[]", b"null", b"{}")]:
        assert response.status_code == 302  # no claims: the ID token has them
    else:
        assert "Work" in assert_fault_page(response, caplog)


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_broken_discovery_gets_an_error_page(provider, client, caplog, number):
    provider.raw[DISCOVERY] = BROKEN[number]

    text = assert_fault_page(client.post("/accounts/oidc/work/login/"), caplog)

    assert "Work" in text


@pytest.mark.parametrize("token", [None, 7, [], {}, "", "x", "a.b.c", "\0"])
def test_broken_id_token_gets_an_error_page(provider, client, caplog, token):
    body = {"access_token": "x", "token_type": "Bearer", "id_token": token, "expires_in": "soon"}
    provider.raw["/token"] = (200, JSON, json.dumps(body).encode())

    if not token:  # the userinfo alone says who it is
        assert log_in_with(provider, client).status_code == 302
    else:
        assert_fault_page(log_in_with(provider, client), caplog)


@pytest.mark.parametrize("body", [{"access_token": 7}, {"access_token": None}, {"access_token": []}, "access_token"])
def test_broken_access_token_gets_an_error_page(provider, client, caplog, body):
    provider.raw["/token"] = (200, JSON, json.dumps(body).encode())

    assert_fault_page(log_in_with(provider, client), caplog)


@pytest.mark.parametrize(
    "changes",
    [
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": ["https://x.example"]},
        {"token_endpoint": 7},
    ],
)
def test_invalid_discovery_document_gets_an_error_page(provider, client, caplog, changes):
    issuer = provider.issuer
    known = {"issuer": issuer, "authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token"}
    provider.raw[DISCOVERY] = (200, JSON, json.dumps({**known, **changes}).encode())

    assert_fault_page(client.post("/accounts/oidc/work/login/"), caplog)


@pytest.mark.parametrize("when", ["at the start", "at the return"])
def test_silent_provider_gets_an_error_page(provider, client, caplog, monkeypatch, when):
    start = client.post("/accounts/oidc/work/login/")

    def silent(*_arguments: Any, **options: Any) -> None:
        assert options["timeout"] <= 10
        raise ConnectTimeout

    monkeypatch.setattr("requests.sessions.Session.request", silent)
    state = start["Location"].partition("state=")[2].partition("&")[0]
    callback = {"code": "c", "state": state}
    response = (
        client.post("/accounts/oidc/work/login/")
        if when == "at the start"
        else client.get("/accounts/oidc/work/login/callback/", callback)
    )

    assert "Work does not respond" in assert_fault_page(response, caplog)


def test_late_return_gets_an_error_page(provider, client, caplog):
    for query in ({}, {"code": "c", "state": "guessed"}, {"error": "server_error", "state": "x\0"}):
        response = client.get("/accounts/oidc/work/login/callback/", query)
        assert "Start again" in assert_fault_page(response, caplog)


def test_unknown_provider_is_not_found(provider):
    for path in ("login/", "login/callback/"):
        assert Client().get(f"/accounts/oidc/nobody/{path}").status_code == 404


def test_token_of_an_app_is_judged_in_the_same_way(provider, client, caplog):
    response = client.post(
        "/_allauth/app/v1/auth/provider/token",
        {"provider": "work", "process": "login", "token": {"client_id": "shop", "id_token": "a.b.c"}},
        content_type=JSON,
    )

    assert response.status_code == 400
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
