"""The shop as an OpenID Provider: codes with PKCE, client credentials, scopes, and what ends a token."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from accounts.models import User
from allauth.idp.oidc.models import Client as App
from allauth.idp.oidc.models import Token
from django.core.management import call_command
from django.test import Client
from shop_orders.models import Cart

pytestmark = pytest.mark.django_db
REDIRECT = "https://app.example.org/callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PROFILE = "/api/v1/auth/customers/profile/"
ALL = ["openid", "email", "profile", "shop:read", "shop:write", "orders:read", "orders:write"]


@pytest.fixture
def app(db):
    app = App(id="app", name="The App", type="public", skip_consent=False)
    app.set_redirect_uris([REDIRECT])
    app.set_scopes(ALL)
    app.set_grant_types(["authorization_code", "refresh_token"])
    app.save()
    return app


def authorize(browser, *, scope, **more):
    parameters = {
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": scope,
        "state": "state-1",
        "nonce": "nonce-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **more,
    }
    sent = {name: value for name, value in parameters.items() if value is not None}
    return browser.get("/identity/o/authorize", sent)


def code_for(user, *, scope="openid email orders:read orders:write", **more):
    browser = Client()
    browser.force_login(user)
    page = authorize(browser, scope=scope, **more)
    assert page.status_code == 200, page.content
    form = page.context["form"]
    fields = {name: form[name].value() for name in form.fields}
    response = browser.post(
        "/identity/o/authorize", {**{k: v for k, v in fields.items() if v is not None}, "action": "grant"}
    )
    assert response.status_code == 302, response.content
    sent = parse_qs(urlsplit(response["Location"]).query)
    assert sent["state"] == ["state-1"]
    return sent["code"][0]


def exchange(code, **more):
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": "app"}
    return Client().post("/identity/o/api/token", {**fields, "code_verifier": VERIFIER, **more})


def tokens_for(user, **options):
    response = exchange(code_for(user, **options))
    assert response.status_code == 200, response.content
    return response.json()


def test_discovery_names_what_works(client):
    body = client.get("/.well-known/openid-configuration").json()

    assert body["issuer"] == "http://127.0.0.1:8000"
    assert body["response_types_supported"] == ["code"]
    assert body["code_challenge_methods_supported"] == ["S256"]
    assert set(body["scopes_supported"]) == {*ALL, "staff"}
    assert "device_authorization_endpoint" not in body
    keys = client.get("/.well-known/jwks.json").json()["keys"]
    assert [key["kty"] for key in keys] == ["RSA"]
    assert not {"d", "p", "q"} & set(keys[0])


def test_the_consent_page_explains_the_scopes(app, user):
    browser = Client()
    browser.force_login(user)

    page = authorize(browser, scope="openid orders:read orders:write").content.decode()

    assert "The App" in page
    assert "See your cart, orders, profile and message preferences" in page
    assert "Fill your cart, place and cancel orders, change your profile" in page


def test_a_code_becomes_tokens_that_act_as_the_user(app, user, api):
    tokens = tokens_for(user)

    api.token = tokens["access_token"]
    assert api.get(PROFILE).json()["email"] == user.email
    assert tokens["token_type"] == "Bearer"
    assert set(tokens["scope"].split()) == {"openid", "email", "orders:read", "orders:write"}
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (claims["iss"], claims["aud"], claims["nonce"]) == ("http://127.0.0.1:8000", "app", "nonce-1")
    body = Client().get("/identity/o/api/userinfo", headers={"Authorization": f"Bearer {api.token}"}).json()
    assert (body["email"], body["email_verified"]) == (user.email, True)


def test_a_code_without_its_verifier_is_worth_nothing(app, user):
    code = code_for(user)

    assert exchange(code, code_verifier="w" * 64).status_code == 400


@pytest.mark.parametrize(
    "more",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": ["plain", "S256"]},
        {"code_challenge_method": ["S256", "plain"]},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain", "prompt": "none"},
    ],
)
@pytest.mark.parametrize("skip_consent", [False, True])
def test_an_app_without_a_secret_proves_itself_by_s256(app, user, more, skip_consent):
    App.objects.update(skip_consent=skip_consent)
    browser = Client()
    browser.force_login(user)

    response = authorize(browser, scope="openid", **more)

    assert response["Location"].startswith(f"{REDIRECT}?")
    sent = parse_qs(urlsplit(response["Location"]).query)
    assert (sent["error"], sent["state"]) == (["invalid_request"], ["state-1"])
    assert "code" not in sent


def test_a_refused_challenge_is_not_reported_to_a_foreign_url(app, user):
    browser = Client()
    browser.force_login(user)
    evil = "https://evil.example.org/callback"

    response = authorize(browser, scope="openid", redirect_uri=evil, code_challenge_method="plain")

    assert "Location" not in response


@pytest.mark.parametrize("by_header", [True, False])
def test_a_removed_challenge_is_noticed(app, user, by_header):
    app.type = "confidential"
    app.set_secret("app-secret")
    app.save()
    code = code_for(user, code_challenge=None, code_challenge_method=None)
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    basic = base64.b64encode(b"app:app-secret").decode()
    headers = {"Authorization": f"Basic {basic}"} if by_header else {}
    fields |= {} if by_header else {"client_id": "app", "client_secret": "app-secret"}

    proved = Client().post("/identity/o/api/token", {**fields, "code_verifier": VERIFIER}, headers=headers)
    plain = Client().post("/identity/o/api/token", fields, headers=headers)

    assert (proved.status_code, proved.json()) == (400, {"error": "invalid_grant"})
    assert plain.status_code == 200


def test_a_code_works_once(app, user):
    code = code_for(user)
    exchange(code)

    assert exchange(code).status_code == 400


@pytest.mark.parametrize("refreshes", [0, 2])
def test_a_code_that_comes_again_ends_the_tokens_of_its_first_use(app, user, api, refreshes):
    other = tokens_for(user)
    code = code_for(user)
    tokens = exchange(code).json()
    for _time in range(refreshes):
        fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "app"}
        tokens = Client().post("/identity/o/api/token", fields).json()

    again = exchange(code, client_id="stranger")

    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    api.token = tokens["access_token"]
    assert api.get(PROFILE).status_code == 401
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "app"}
    assert Client().post("/identity/o/api/token", fields).status_code == 400
    api.token = other["access_token"]
    assert api.get(PROFILE).status_code == 200
    assert Token.objects.count() == 2


def test_a_foreign_redirect_is_refused_without_a_redirect(app, user):
    browser = Client()
    browser.force_login(user)

    response = authorize(browser, scope="openid", redirect_uri="https://evil.example.org/callback")

    assert "Location" not in response
    assert "Mismatching redirect URI" in response.content.decode()


def test_refused_consent_sends_back_no_code(app, user):
    browser = Client()
    browser.force_login(user)
    form = authorize(browser, scope="openid").context["form"]
    fields = {name: form[name].value() for name in form.fields if form[name].value() is not None}

    response = browser.post("/identity/o/authorize", {**fields, "action": "cancel"})

    assert parse_qs(urlsplit(response["Location"]).query)["error"] == ["access_denied"]
    assert not Token.objects.exists()


def test_a_refresh_token_is_exchanged_once(app, user):
    tokens = tokens_for(user)
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "app"}

    first = Client().post("/identity/o/api/token", fields)
    second = Client().post("/identity/o/api/token", fields)

    assert first.status_code == 200
    assert first.json()["refresh_token"] != tokens["refresh_token"]
    assert second.status_code == 400


@pytest.mark.parametrize(
    ("scope", "method", "path", "body", "status"),
    [
        ("openid orders:read", "GET", PROFILE, None, 200),
        ("openid orders:read", "PATCH", "/api/v1/auth/customers/update_profile/", {"first_name": "X"}, 403),
        ("openid orders:write", "PATCH", "/api/v1/auth/customers/update_profile/", {"first_name": "X"}, 200),
        ("openid orders:write", "GET", PROFILE, None, 403),
        ("openid shop:read", "GET", "/api/v1/products/products/", None, 200),
        ("openid shop:read", "GET", "/api/v1/orders/orders/", None, 403),
        ("openid shop:read", "GET", "/api/v1/orders/cart/", None, 403),
        ("openid orders:read", "GET", "/api/v1/products/products/", None, 403),
        ("openid orders:read orders:write", "GET", "/api/v1/orders/staff/orders/", None, 403),
    ],
)
def test_a_token_may_do_what_its_scopes_say(app, user, api, scope, method, path, body, status):
    api.token = tokens_for(user, scope=scope)["access_token"]

    response = api.call(method, path, body)

    assert response.status_code == status
    if status == 403:
        problem = response.json()
        assert problem["code"] == "insufficient_scope"
        assert response["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{problem["scope"]}"'
        assert response["Content-Type"] == "application/problem+json"


def test_the_staff_scope_gives_no_permission_that_the_user_lacks(app, user, api):
    app.set_scopes([*ALL, "staff"])
    app.save()
    api.token = tokens_for(user, scope="openid staff")["access_token"]

    response = api.get("/api/v1/orders/staff/orders/")

    assert response.status_code == 403
    assert response.json()["code"] != "insufficient_scope"


def test_revoking_ends_a_token(app, user, api):
    tokens = tokens_for(user)
    api.token = tokens["access_token"]

    Client().post("/identity/o/api/revoke", {"token": tokens["access_token"], "client_id": "app"})

    assert api.get(PROFILE).status_code == 401


@pytest.mark.parametrize("change", ["password", "deactivate", "delete"])
def test_what_happens_to_the_user_happens_to_the_tokens(app, user, api, change):
    tokens = tokens_for(user)
    api.token = tokens["access_token"]
    assert api.get(PROFILE).status_code == 200

    match change:
        case "password":
            user.set_password("another-odd-one-43")
            user.save()
        case "deactivate":
            User.objects.filter(pk=user.pk).update(is_active=False)
        case "delete":
            user.delete()

    assert api.get(PROFILE).status_code == 401
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "app"}
    assert Client().post("/identity/o/api/token", fields).status_code == 400


def test_a_changed_name_ends_no_token(app, user, api):
    api.token = tokens_for(user)["access_token"]

    user.first_name = "Other"
    user.save()

    assert api.get(PROFILE).status_code == 200


def test_logging_out_ends_the_apps_tokens(app, user, api):
    tokens = tokens_for(user)
    api.token = tokens["access_token"]

    assert api.post("/api/v1/auth/customers/logout/").status_code == 204

    assert api.get(PROFILE).status_code == 401
    assert not Token.objects.filter(user=user, type__in=["at", "rt"]).exists()


def test_a_token_in_the_address_is_not_taken(app, user, client):
    token = tokens_for(user)["access_token"]

    assert client.get(f"{PROFILE}?access_token={token}").status_code == 401


def test_a_guest_cart_is_not_opened_by_a_token_of_somebody(app, user, api):
    api.token = tokens_for(user)["access_token"]

    assert api.get("/api/v1/orders/cart/").status_code == 200
    assert not Cart.objects.exists()


def test_expired_tokens_are_cleared(app, user):
    from datetime import timedelta

    from django.utils import timezone

    tokens_for(user)
    Token.objects.update(expires_at=timezone.now() - timedelta(days=1))

    call_command("clear_accounts")

    assert not Token.objects.exists()
