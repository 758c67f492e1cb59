"""Attacks with tokens on the mounted API. Each row: how the token is made, and the response."""

from __future__ import annotations

import base64
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from accounts.models import User
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from jwt.warnings import InsecureKeyLengthWarning

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth/customers/"
PROFILE = f"{AUTH}profile/"
CART = "/api/v1/orders/cart/"
PRODUCTS = "/api/v1/products/products/"
STAFF = "/api/v1/orders/staff/orders/"
PASSWORD = "a-long-and-odd-one-42"

Tokens = dict[str, Any]


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def sign(claims: dict[str, Any], key: Any = None, algorithm: str = "HS256", **headers: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)  # the site's key with an algorithm that wants more
        return jwt.encode(claims, settings.SECRET_KEY if key is None else key, algorithm=algorithm, headers=headers)


def encoded(*parts: dict[str, Any]) -> str:
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


def changed(tokens: Tokens, **claims: Any) -> str:
    return sign({**claims_of(tokens["access_token"]), **claims})


def without(tokens: Tokens, name: str) -> str:
    return sign({key: value for key, value in claims_of(tokens["access_token"]).items() if key != name})


def parts(tokens: Tokens) -> list[str]:
    found: list[str] = tokens["access_token"].split(".")
    return found


def flipped(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


FORGED: dict[str, Callable[[Tokens], str]] = {
    "alg none": lambda tokens: encoded({"alg": "none", "typ": "JWT"}, claims_of(tokens["access_token"])) + ".",
    "alg None": lambda tokens: encoded({"alg": "None", "typ": "JWT"}, claims_of(tokens["access_token"])) + ".",
    "empty signature": lambda tokens: ".".join([*parts(tokens)[:2], ""]),
    "other signature": lambda tokens: ".".join([*parts(tokens)[:2], flipped(parts(tokens)[2])]),
    "other payload": lambda tokens: ".".join(
        [parts(tokens)[0], encoded({**claims_of(tokens["access_token"]), "x": 1}), parts(tokens)[2]]
    ),
    "other key": lambda tokens: sign(claims_of(tokens["access_token"]), key="k" * 50),
    "empty key": lambda tokens: (
        encoded({"alg": "HS256", "typ": "JWT"}, claims_of(tokens["access_token"])) + "." + "A" * 43
    ),
    "the provider's public key as the secret": lambda tokens: sign(
        claims_of(tokens["access_token"]), key="public-key-of-the-provider-as-a-secret-" * 2
    ),
    "HS512": lambda tokens: sign(claims_of(tokens["access_token"]), algorithm="HS512"),
    "the provider's RS256": lambda tokens: sign(
        claims_of(tokens["access_token"]), key=settings.IDP_OIDC_PRIVATE_KEYS[0]["pem"], algorithm="RS256"
    ),
    "expired": lambda tokens: changed(tokens, exp=int(time.time()) - 1),
    "not a number as expiry": lambda tokens: changed(tokens, exp="never"),
    "refresh token as access token": lambda tokens: str(tokens["refresh_token"]),
    "use of a refresh token": lambda tokens: changed(tokens, token_use="refresh"),
    "use of nothing": lambda tokens: without(tokens, "token_use"),
    "no session": lambda tokens: without(tokens, "sid"),
    "no subject": lambda tokens: without(tokens, "sub"),
    "no id": lambda tokens: without(tokens, "jti"),
    "unknown session": lambda tokens: changed(tokens, sid=base64.b64encode(b"0" * 48).decode()),
    "broken session": lambda tokens: changed(tokens, sid="!"),
    "session as a list": lambda tokens: changed(tokens, sid=["x"]),
    "another user": lambda tokens: changed(tokens, sub="00000000-0000-0000-0000-000000000000"),
    "another user, no key": lambda tokens: changed(tokens, sub="1"),
    "two dots": lambda _tokens: "..",
    "one part": lambda _tokens: "x",
    "two parts": lambda _tokens: "x.y",
    "three parts of nothing": lambda _tokens: "x.y.z",
    "not ASCII": lambda _tokens: "\u00e9",
    "a NUL": lambda _tokens: "a\x00b",
    "a long one": lambda _tokens: "a" * 5000,
    "a long one with dots": lambda _tokens: "a." * 2500,
    "JSON, but a list": lambda _tokens: base64.urlsafe_b64encode(b"[]").decode() + ".W10.x",
    "deep JSON": lambda _tokens: base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.x",
    "nothing": lambda _tokens: "",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_opens_nothing(api, user, log_in, name):
    """Customer, staff and public operations all refuse it: a broken token is not the same as none."""
    tokens = log_in(user)
    api.token = "?"
    headers = {"Authorization": f"Bearer {FORGED[name](tokens)}"}

    responses = {path: api.get(path, **headers) for path in (PROFILE, CART, PRODUCTS, STAFF)}

    assert {path: response.status_code for path, response in responses.items()} == dict.fromkeys(responses, 401)
    assert {response["Content-Type"] for response in responses.values()} == {"application/problem+json"}
    assert {response["WWW-Authenticate"] for response in responses.values()} == {"Bearer"}


def test_a_session_beside_a_forged_token_does_not_count(user, log_in):
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert browser.get(PROFILE).status_code == 200

    for value in ("Bearer x", "Bearer x.y.z", "bearer x", "Bearer "):
        assert browser.get(PROFILE, headers={"Authorization": value}).status_code == 401, value
    # A site behind a password of the web server: browsers send that with everything.
    assert browser.get(PROFILE, headers={"Authorization": "Basic eDp5"}).status_code == 200


@pytest.mark.parametrize("headers", [{"kid": "another"}, {"jku": "https://evil.example.org/jwks.json"}])
def test_a_header_that_names_another_key_changes_nothing(api, user, log_in, headers):
    """The correct key was used: the header's instructions are ignored."""
    tokens = log_in(user)
    api.token = sign(claims_of(tokens["access_token"]), **headers)

    assert api.get(PROFILE).status_code == 200


def log_out(api: Any, user: User) -> None:
    assert api.post(f"{AUTH}logout/").status_code == 204


def change_password_here(api: Any, user: User) -> None:
    response = api.post(
        "/_allauth/app/v1/account/password/change",
        {"current_password": PASSWORD, "new_password": "another-odd-one-43"},
    )
    assert response.status_code in {200, 401}, response.content


def change_password_elsewhere(api: Any, user: User) -> None:
    user.set_password("another-odd-one-43")
    user.save()


def deactivate(api: Any, user: User) -> None:
    user.is_active = False
    user.save()


def deactivate_by_query(api: Any, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def delete(api: Any, user: User) -> None:
    user.delete()


def end_session(api: Any, user: User) -> None:
    for session in SessionStore.get_model_class().objects.all():
        SessionStore(session.session_key).delete()


ENDS = [log_out, change_password_here, change_password_elsewhere, deactivate, deactivate_by_query, delete, end_session]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_what_ends_a_log_in_ends_both_its_tokens_at_once(api, user, log_in, end):
    tokens = log_in(user)
    assert api.get(PROFILE).status_code == 200

    end(api, user)

    for path in (PROFILE, CART, PRODUCTS):
        assert api.get(path).status_code == 401, path
    api.token = ""
    response = api.post(f"{AUTH}refresh/", {"refresh_token": tokens["refresh_token"]})
    assert (response.status_code, response.json()["code"]) == (401, "invalid_refresh_token")


REFRESHES: dict[str, Callable[[Tokens], str]] = {
    **{name: make for name, make in FORGED.items() if name not in {"refresh token as access token", "nothing"}},
    "access token as refresh token": lambda tokens: str(tokens["access_token"]),
    "expired refresh token": lambda tokens: sign({**claims_of(tokens["refresh_token"]), "exp": int(time.time()) - 1}),
    "unknown id": lambda tokens: sign({**claims_of(tokens["refresh_token"]), "jti": "another"}),
}


@pytest.mark.parametrize("name", REFRESHES)
def test_a_forged_refresh_token_gets_nothing(api, user, log_in, name):
    tokens = log_in(user)
    api.token = ""

    response = api.post(f"{AUTH}refresh/", {"refresh_token": REFRESHES[name](tokens)})

    assert response.status_code in {401, 422}
    assert "access_token" not in response.content.decode()


def test_a_token_of_one_never_refreshes_for_another(api, user, make_user, log_in):
    other = make_user("other@example.org")
    mine, theirs = log_in(user), log_in(other)
    swapped = sign({**claims_of(mine["refresh_token"]), "sub": claims_of(theirs["refresh_token"])["sub"]})
    api.token = ""

    assert api.post(f"{AUTH}refresh/", {"refresh_token": swapped}).status_code == 401


def test_the_session_in_a_token_is_no_session_cookie(user, log_in):
    """A token cannot be turned into a session cookie or session token."""
    tokens = log_in(user)
    sid = claims_of(tokens["access_token"])["sid"]

    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = sid
    assert browser.get(PROFILE).status_code == 401
    assert Client().get("/_allauth/app/v1/auth/session", headers={"X-Session-Token": sid}).status_code in {401, 410}


def test_what_a_token_says_about_its_holder_is_not_believed(api, user, log_in):
    api.token = changed(
        log_in(user), is_staff=True, is_superuser=True, scope="staff", email="admin@example.org", permissions=["*"]
    )

    assert api.get(STAFF).status_code == 403
    assert api.get(PROFILE).json()["email"] == user.email


def test_an_unverified_account_gets_no_token(api, user):
    EmailAddress.objects.update(verified=False)

    response = api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})

    assert response.status_code == 401
    assert "access_token" not in response.json()


@pytest.mark.parametrize("path", [PROFILE, CART, PRODUCTS])
@pytest.mark.parametrize(
    "name", ["other signature", "one part", "a long one", "three parts of nothing", "unknown session"]
)
def test_garbage_costs_no_more_statements_than_a_good_token(
    api, user, log_in, django_assert_max_num_queries, name, path
):
    tokens = log_in(user)
    api.get(path)
    with CaptureQueriesContext(connection) as good:
        assert api.get(path).status_code == 200
    api.token = FORGED[name](tokens)

    with django_assert_max_num_queries(min(len(good), 1)):
        assert api.get(path).status_code == 401


def test_garbage_has_no_password_hashed_and_no_key_parsed(api, user, log_in, monkeypatch):
    """The two expensive operations that a token could cause: a password hash, and parsing an RSA key."""
    from allauth.core.internal import jwkkit
    from django.contrib.auth import hashers

    tokens = log_in(user)

    def dear(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("a token set off dear work")

    monkeypatch.setattr(hashers, "make_password", dear)
    monkeypatch.setattr(hashers, "check_password", dear)
    monkeypatch.setattr(jwkkit, "load_jwk_from_pem", dear)
    for make in FORGED.values():
        assert api.get(PROFILE, Authorization=f"Bearer {make(tokens)}").status_code == 401
