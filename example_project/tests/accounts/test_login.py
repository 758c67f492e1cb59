"""Logging in: the exact response, and the instructions in each refusal."""

from __future__ import annotations

import pytest
from allauth.mfa.totp.internal import auth as totp
from shop_orders import customers
from tests.conftest import sent_mails

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth/customers/"
PASSWORD = "a-long-and-odd-one-42"


def test_the_response_is_exactly_as_documented(api, user):
    response = api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})

    body = response.json()
    assert response.status_code == 200
    assert len(body.pop("access_token").split(".")) == 3
    assert len(body.pop("refresh_token").split(".")) == 3
    assert body == {
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": "shop:read shop:write orders:read orders:write",
        "customer": {
            "id": str(customers.for_user(user).public_id),
            "email": "customer@example.org",
            "first_name": "Test",
            "last_name": "Customer",
        },
    }


@pytest.mark.parametrize(("email", "password"), [("customer@example.org", "wrong"), ("nobody@example.org", PASSWORD)])
def test_a_wrong_password_and_an_unknown_address_get_the_same_response(api, user, email, password):
    response = api.post(f"{AUTH}login/", {"email": email, "password": password})

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_credentials"
    assert response.json()["detail"] == "The e-mail address or the password is not right."


def test_the_refusal_of_an_unverified_address_says_what_to_do(api, make_user):
    make_user("unverified@example.org", verified=False)

    response = api.post(f"{AUTH}login/", {"email": "unverified@example.org", "password": PASSWORD})

    body = response.json()
    assert response.status_code == 401
    assert body["code"] == "email_not_verified"
    assert body["next"]["url"] == "http://testserver/_allauth/app/v1/auth/email/verify"
    assert body["next"]["session_token"]
    assert [message.to for message in sent_mails()] == [["unverified@example.org"]]


def test_a_second_factor_is_asked_for_and_completes_the_log_in(api, user):
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)

    asked = api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})
    step = asked.json()["next"]
    code = totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time()))))
    done = api.post(
        step["url"].removeprefix("http://testserver"), {"code": code}, **{"X-Session-Token": step["session_token"]}
    )

    assert asked.status_code == 401
    assert asked.json()["code"] == "mfa_authenticate"
    assert step["flow"] == "mfa_authenticate"
    assert done.status_code == 200
    assert done.json()["meta"]["expires_in"] == 900


def test_five_wrong_passwords_lock_the_address_for_a_while(api, user):
    for _attempt in range(5):
        assert api.post(f"{AUTH}login/", {"email": user.email, "password": "wrong"}).status_code == 400

    response = api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})

    assert response.status_code == 429
    assert response.json()["code"] == "too_many_attempts"
    assert response["Retry-After"] == "300"


def test_a_forwarded_header_does_not_lift_the_limit(api, user):
    statuses = [
        api.post(
            f"{AUTH}login/",
            {"email": f"nobody{number}@example.org", "password": "wrong"},
            **{"X-Forwarded-For": f"198.51.100.{number}"},
        ).status_code
        for number in range(12)
    ]

    assert statuses == [400] * 10 + [429] * 2


def test_a_deactivated_user_cannot_log_in(api, user):
    user.is_active = False
    user.save()

    response = api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})

    assert response.status_code == 400, response.content


def test_an_old_token_does_not_prevent_a_log_in(api, user, log_in):
    log_in(user)
    api.post(f"{AUTH}logout/")

    response = api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"email": "a@example.org", "email": "b@example.org", "password": "x"}', 400),
        (b'{"email": "a\\u0000@example.org", "password": "x"}', 422),
        (b'{"email": "a\\ud800@example.org", "password": "x"}', 422),
        (b'{"email": ["a@example.org"], "password": "x"}', 422),
        (b"[]", 422),
        (b'{"email": "a@example.org", "password": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_broken_bodies_are_refused(api, db, body, status):
    assert api.post(f"{AUTH}login/", body).status_code == status


def test_a_form_is_no_json(client, db):
    response = client.post(f"{AUTH}login/", {"email": "a@example.org", "password": "x"})

    assert response.status_code in {400, 415}
