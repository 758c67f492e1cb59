"""Tokens: how they end, and what is never accepted as one."""

from __future__ import annotations

import base64
import json
import time

import jwt
import pytest
from django.conf import settings
from shop_orders import customers

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth/customers/"
PROFILE = f"{AUTH}profile/"


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def sign(claims, key=settings.SECRET_KEY, algorithm="HS256", **headers):
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def unsigned(claims):
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def test_a_token_opens_the_profile(api, user, log_in):
    log_in(user)

    assert api.get(PROFILE).json()["email"] == user.email


def test_no_token_is_401(api, db):
    response = api.get(PROFILE)

    assert response.status_code == 401
    assert response.json()["code"] == "not_authenticated"


def test_logout_ends_both_tokens(api, user, log_in):
    tokens = log_in(user)

    assert api.post(f"{AUTH}logout/").status_code == 204
    assert api.get(PROFILE).status_code == 401
    assert api.post(f"{AUTH}refresh/", {"refresh_token": tokens["refresh_token"]}).status_code == 401


def test_a_changed_password_ends_the_tokens(api, user, log_in):
    tokens = log_in(user)

    user.set_password("another-odd-one-43")
    user.save()

    assert api.get(PROFILE).status_code == 401
    assert api.post(f"{AUTH}refresh/", {"refresh_token": tokens["refresh_token"]}).status_code == 401


def test_deactivation_ends_the_tokens(api, user, log_in):
    tokens = log_in(user)

    user.is_active = False
    user.save()

    assert api.get(PROFILE).status_code == 401
    assert api.post(f"{AUTH}refresh/", {"refresh_token": tokens["refresh_token"]}).status_code == 401


def test_deletion_ends_the_tokens(api, user, log_in):
    tokens = log_in(user)

    user.delete()

    assert api.get(PROFILE).status_code == 401
    assert api.post(f"{AUTH}refresh/", {"refresh_token": tokens["refresh_token"]}).status_code == 401


def test_refreshing_rotates(api, user, log_in):
    first = log_in(user)

    response = api.post(f"{AUTH}refresh/", {"refresh_token": first["refresh_token"]})

    second = response.json()
    assert response.status_code == 200
    assert set(second) == {"access_token", "refresh_token", "token_type", "expires_in", "scope"}
    assert second["refresh_token"] != first["refresh_token"]
    api.token = second["access_token"]
    assert api.get(PROFILE).status_code == 200


def test_a_replayed_refresh_token_is_refused_and_logged(api, user, log_in, caplog):
    tokens = log_in(user)
    api.post(f"{AUTH}refresh/", {"refresh_token": tokens["refresh_token"]})

    response = api.post(f"{AUTH}refresh/", {"refresh_token": tokens["refresh_token"]})

    assert response.status_code == 401
    assert response.json()["code"] == "invalid_refresh_token"
    assert "presented again" in caplog.text
    assert tokens["refresh_token"] not in caplog.text


def test_forged_and_confused_tokens_are_refused(api, user, log_in):
    tokens = log_in(user)
    access, refresh = claims_of(tokens["access_token"]), claims_of(tokens["refresh_token"])
    header, payload, _signature = tokens["access_token"].split(".")
    for bad in (
        unsigned(access),
        f"{header}.{payload}.",
        sign(access, key="another-key-that-is-long-enough-to-sign"),
        sign({**access, "exp": int(time.time()) - 1}),
        sign({name: value for name, value in access.items() if name != "token_use"}),
        sign({**access, "sid": "no session"}),
        sign({**access, "sub": "00000000-0000-0000-0000-000000000000"}),
        sign(refresh),
        tokens["refresh_token"],
        "x",
        "x.y",
        "x.y.z",
        "é",
        "a" * 5000,
        "",
    ):
        api.token = bad
        assert api.get(PROFILE).status_code == 401, bad


def test_an_access_token_does_not_refresh(api, user, log_in):
    tokens = log_in(user)

    assert api.post(f"{AUTH}refresh/", {"refresh_token": tokens["access_token"]}).status_code == 401


def test_staff_is_not_a_claim(api, user, log_in):
    tokens = log_in(user)
    api.token = sign({**claims_of(tokens["access_token"]), "is_staff": True, "is_superuser": True})

    response = api.get("/api/v1/orders/staff/orders/")

    assert response.status_code == 403


def test_a_session_token_is_no_bearer_token(api, user, client):
    client.force_login(user)
    api.token = client.session.session_key

    assert api.get(PROFILE).status_code == 401


def test_a_session_reads_and_writes_only_with_csrf(user):
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)

    assert browser.get(PROFILE).status_code == 200
    refused = browser.patch(f"{AUTH}update_profile/", {"first_name": "X"}, content_type="application/json")
    assert refused.status_code == 403
    assert customers.for_user(user).first_name == "Test"
    page = browser.get("/accounts/email/")
    token = page.cookies["csrftoken"].value
    done = browser.patch(
        f"{AUTH}update_profile/", {"first_name": "X"}, content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert done.status_code == 200


def test_an_anonymous_write_is_401_and_not_a_csrf_error(db):
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)

    assert browser.patch(f"{AUTH}update_profile/", {}, content_type="application/json").status_code == 401


def test_logging_out_a_session_ends_it(client, user):
    client.force_login(user)

    assert client.post(f"{AUTH}logout/", content_type="application/json").status_code == 204
    assert client.get(PROFILE).status_code == 401
