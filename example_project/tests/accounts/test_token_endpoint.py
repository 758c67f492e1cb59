"""``grant_type`` alone decides what is exchanged, redirect URIs are exact, and an app revokes only its own tokens."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import allauth
import pytest
from allauth.core.internal import httpkit
from allauth.idp.oidc.internal.oauthlib import authorization_codes
from allauth.idp.oidc.models import Client as App
from allauth.idp.oidc.models import Token
from django.test import Client
from shop_orders.contrib.allauth import exchange
from shop_orders.contrib.allauth.adapter import ALLAUTH
from tests.accounts.test_openid_provider import (  # noqa: F401 - the fixture
    PROFILE,
    REDIRECT,
    VERIFIER,
    app,
    authorize,
    code_for,
    tokens_for,
)

pytestmark = pytest.mark.django_db

TOKEN = "/identity/o/api/token"
BESIDE = [
    {"code": "made-up"},
    {"device_code": "made-up"},
    {"username": "x", "password": "y"},
    {"code": "made-up", "code_verifier": VERIFIER, "redirect_uri": REDIRECT},
    {"assertion": "x"},
    {"code": ""},
]


def refresh(token: str, **more: Any) -> Any:
    fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", **more}
    return Client().post(TOKEN, fields)


def exchange_code(code: str, **more: Any) -> Any:
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": "app"}
    return Client().post(TOKEN, {**fields, "code_verifier": VERIFIER, **more})


@pytest.mark.parametrize("beside", BESIDE)
def test_parameters_of_other_grants_switch_nothing_off(app, user, api, caplog, beside):  # noqa: F811
    first = tokens_for(user)
    second = refresh(first["refresh_token"], **beside)
    assert second.status_code == 200

    again = refresh(first["refresh_token"], **beside)

    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    assert "presented again" in caplog.text


@pytest.mark.parametrize("beside", [{"refresh_token": "made-up"}, {"device_code": "x"}, {"username": "x"}])
def test_replay_of_a_code_ends_its_tokens_whatever_is_sent_beside_it(app, user, beside):  # noqa: F811
    code = code_for(user)
    assert exchange_code(code, **beside).status_code == 200

    assert exchange_code(code, **beside).status_code == 400
    assert Token.objects.count() == 0


def test_code_that_comes_again_during_its_first_exchange_ends_it(app, user, monkeypatch):  # noqa: F811
    code = code_for(user)
    responses = []
    respond = exchange._respond

    def interrupted(request: Any) -> Any:
        response = respond(request)
        monkeypatch.setattr(exchange, "_respond", respond)
        responses.append(exchange_code(code))
        return response

    monkeypatch.setattr(exchange, "_respond", interrupted)
    responses.append(exchange_code(code))

    assert [(response.status_code, response.json()) for response in responses] == [
        (400, {"error": "invalid_grant"})
    ] * 2
    assert Token.objects.count() == 0


def test_refused_exchange_leaves_the_code_valid(app, user):  # noqa: F811
    code = code_for(user)
    assert exchange_code(code, code_verifier="w" * 64).status_code == 400

    assert exchange_code(code).status_code == 200


@pytest.mark.parametrize(
    ("query", "fields", "error"),
    [
        ("?grant_type=refresh_token&refresh_token=x", {}, "invalid_request"),
        ("?refresh_token=x", {"grant_type": "refresh_token"}, "invalid_request"),
        ("?code=x", {"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_request"),
        ("", {"grant_type": ["refresh_token", "authorization_code"]}, "invalid_request"),
        ("", {"grant_type": "refresh_token", "refresh_token": ["x", "y"]}, "invalid_request"),
        ("", {}, "invalid_request"),
        ("", {"grant_type": "password", "username": "x", "password": "y"}, "unsupported_grant_type"),
        (
            "",
            {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"},
            "unsupported_grant_type",
        ),
        ("", {"grant_type": "implicit"}, "unsupported_grant_type"),
        ("", {"grant_type": " refresh_token", "refresh_token": "x"}, "unsupported_grant_type"),
    ],
)
def test_unclear_requests_are_refused(app, query, fields, error):  # noqa: F811
    response = Client().post(f"{TOKEN}{query}", {"client_id": "app", **fields})

    assert (response.status_code, response.json()) == (400, {"error": error})
    assert response["Cache-Control"] == "no-store"


def test_app_cannot_name_itself_twice(app):  # noqa: F811
    basic = base64.b64encode(b"other:secret").decode()
    fields = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "app"}

    response = Client().post(TOKEN, fields, headers={"Authorization": f"Basic {basic}"})

    assert response.json() == {"error": "invalid_request"}


OTHER_URIS = [
    f"{REDIRECT}?next=x",
    f"{REDIRECT}?",
    f"{REDIRECT}#x",
    f"{REDIRECT}#",
    f"{REDIRECT}/",
    f"{REDIRECT}\n",
    f"{REDIRECT}\r\n",
    f"{REDIRECT}\t",
    f"{REDIRECT} ",
    f" {REDIRECT}",
    f"{REDIRECT}\0",
    f"{REDIRECT};x",
    f"{REDIRECT}%00",
    "https://app.example.org/%63allback",
    "https://app.example.org/x/../callback",
    "https://app.example.org//callback",
    "https://app.example.org/Callback",
    "https://app.example.org:443/callback",
    "https://app.example.org:8443/callback",
    "https://APP.example.org/callback",
    "HTTPS://app.example.org/callback",
    "http://app.example.org/callback",
    "https://x@app.example.org/callback",
    "https://app.example.org.evil.example/callback",
    "https://app.example.org./callback",
    "https://evil.example/\\@app.example.org/callback",
    "",
]


def test_redirect_uris_are_compared_as_exact_strings(app, user):  # noqa: F811
    for skip_consent in (False, True):
        App.objects.update(skip_consent=skip_consent)
        browser = Client()
        browser.force_login(user)
        for uri in OTHER_URIS:
            response = authorize(browser, scope="openid", redirect_uri=uri)
            assert "Location" not in response, uri
            assert b"action" not in response.content.split(b"<main")[-1] or response.context.get("form") is None, uri
        twice = authorize(browser, scope="openid", redirect_uri=[REDIRECT, "https://evil.example/"])
        assert "Location" not in twice
    assert "code" in parse_qs(urlsplit(authorize(browser, scope="openid")["Location"]).query)


def test_query_of_a_registered_address_is_part_of_it(app, user):  # noqa: F811
    app.set_redirect_uris([f"{REDIRECT}?tenant=1"])
    app.skip_consent = True
    app.save()
    browser = Client()
    browser.force_login(user)

    for uri in (REDIRECT, f"{REDIRECT}?tenant=1&x=2", f"{REDIRECT}?tenant=2", f"{REDIRECT}?x=2&tenant=1"):
        assert "Location" not in authorize(browser, scope="openid", redirect_uri=uri), uri
    sent = parse_qs(
        urlsplit(authorize(browser, scope="openid", redirect_uri=f"{REDIRECT}?tenant=1")["Location"]).query
    )
    assert (sent["tenant"], len(sent["code"])) == (["1"], 1)


@pytest.mark.parametrize(
    ("registered", "wanted", "is_accepted"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1:3000/cb", "http://127.0.0.1/cb", True),
        ("http://[::1]/cb", "http://[::1]:51004/cb", True),
        ("http://127.0.0.1", "http://127.0.0.1:51004", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?x=1", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb/", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb#", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:51004/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.2:51004/cb", False),
        ("http://127.0.0.1/cb", "http://[::1]:51004/cb", False),
        ("http://127.0.0.1/cb", "http://localhost:51004/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:70000/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:5\n/cb", False),
        ("http://127.0.0.1/cb", "http://127.1:51004/cb", False),
        ("http://localhost/cb", "http://localhost:51004/cb", False),
        ("http://localhost:3000/cb", "http://localhost:3000/cb", True),
        ("org.example.shop:/cb", "org.example.shop:/cb", True),
        ("org.example.shop:/cb", "org.example.shop:/cb?x", False),
        ("https://*.example.org/cb", "https://evil.example.org/cb", False),
    ],
)
def test_loopback_addresses_may_have_any_port_and_nothing_else_may(app, user, registered, wanted, is_accepted):  # noqa: F811
    """RFC 8252, 7.3."""
    app.set_redirect_uris([registered])
    app.skip_consent = app.allow_uri_wildcards = True
    app.save()
    browser = Client()
    browser.force_login(user)

    response = authorize(browser, scope="openid", redirect_uri=wanted)

    assert ("Location" in response) is is_accepted
    if is_accepted:
        assert response["Location"].startswith(f"{wanted}?code=")
        code = parse_qs(urlsplit(response["Location"]).query)["code"][0]
        assert (
            exchange_code(code, redirect_uri=registered if registered != wanted else f"{wanted}/").status_code == 400
        )
        assert exchange_code(code, redirect_uri=wanted).status_code == 200


@pytest.mark.parametrize("uri", ["https://app.example.org/bye?x", "https://app.example.org/", "https://evil.example/"])
def test_log_out_leads_only_to_exact_addresses(app, user, uri):  # noqa: F811
    app.set_post_logout_redirect_uris(["https://app.example.org/bye"])
    app.save()
    id_token = tokens_for(user)["id_token"]

    wrong, right = (
        Client().get("/identity/o/logout", {"id_token_hint": id_token, "post_logout_redirect_uri": address})
        for address in (uri, "https://app.example.org/bye")
    )

    assert not wrong.get("Location", "/").startswith("https://")
    assert right["Location"] == "https://app.example.org/bye"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [{}, {"token_type_hint": "access_token"}, {"token_type_hint": "refresh_token"}])
def test_app_revokes_only_its_own_tokens(app, user, kind, hint):  # noqa: F811
    other = App(id="other", name="Other", type="confidential")
    other.set_secret("other-secret")
    other.save()
    tokens = tokens_for(user)
    sent = {"token": tokens[kind], **hint}
    basic = {"Authorization": "Basic " + base64.b64encode(b"other:other-secret").decode()}

    responses = [
        Client().post("/identity/o/api/revoke", sent, headers=basic),
        Client().post("/identity/o/api/revoke", {**sent, "client_id": "other", "client_secret": "other-secret"}),
        Client().post("/identity/o/api/revoke", {**sent, "client_id": "app"}, headers=basic),
        Client().post("/identity/o/api/revoke?client_id=app", sent, headers=basic),
        Client().post("/identity/o/api/revoke", sent),
    ]

    assert [response.status_code for response in responses[2:4]] == [400, 400]
    assert responses[0].status_code == 200
    assert Token.objects.count() == 2
    assert Client().post("/identity/o/api/revoke", {"token": tokens[kind], "client_id": "app"}).status_code == 200
    assert Token.objects.count() == 1


def test_token_of_the_user_keeps_working_after_a_foreign_revocation(app, user, api):  # noqa: F811
    tokens = tokens_for(user)
    Client().post("/identity/o/api/revoke", {"token": tokens["access_token"], "client_id": "stranger"})

    api.token = tokens["access_token"]
    assert api.get(PROFILE).status_code == 200


def test_private_functions_of_allauth_are_those_that_were_read():
    """They were read in this version. Read them again, then change ALLAUTH."""
    assert allauth.__version__.startswith(f"{ALLAUTH}.")
    assert authorization_codes.lookup("app", "code") is None
    assert httpkit.extract_basic_auth({"Authorization": "Basic " + base64.b64encode(b"a:b").decode()}) == ("a", "b")
