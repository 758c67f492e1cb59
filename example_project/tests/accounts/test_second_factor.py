"""Second factors: switched on, asked for and lost, by the API and by the pages."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.test import Client

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth/customers/"
HEADLESS = "/_allauth/app/v1/"
PASSWORD = "a-long-and-odd-one-42"


def code_of(secret: str) -> str:
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    return totp.format_hotp_value(totp.hotp_value(secret, counter))


def log_in(api, user):
    api.token = ""
    return api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})


def take(api, step, **fields):
    path = step["url"].removeprefix("http://testserver")
    return api.post(path, fields, **{"X-Session-Token": step["session_token"]})


@pytest.fixture
def secret(api, user):
    """The TOTP secret of a user who switched the second factor on by the API, with the password again."""
    api.token = log_in(api, user).json()["access_token"]
    assert api.post(f"{HEADLESS}auth/reauthenticate", {"password": PASSWORD}).status_code == 200
    offered = api.get(f"{HEADLESS}account/authenticators/totp").json()["meta"]["secret"]
    response = api.post(f"{HEADLESS}account/authenticators/totp", {"code": code_of(offered)})
    assert response.status_code == 200, response.content
    return offered


@pytest.fixture
def recovery_codes(api, secret):
    return api.get(f"{HEADLESS}account/authenticators/recovery-codes").json()["data"]["unused_codes"]


def test_a_wrong_code_switches_nothing_on(api, user):
    api.token = log_in(api, user).json()["access_token"]
    api.post(f"{HEADLESS}auth/reauthenticate", {"password": PASSWORD})
    api.get(f"{HEADLESS}account/authenticators/totp")

    assert api.post(f"{HEADLESS}account/authenticators/totp", {"code": "000000"}).status_code == 400
    assert not Authenticator.objects.exists()
    assert log_in(api, user).status_code == 200


def test_the_log_in_says_which_factors_there_are_and_where_to_send_the_code(api, user, secret):
    response = log_in(api, user)

    problem = response.json()
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert problem["code"] == "mfa_authenticate"
    assert problem["next"]["url"] == "http://testserver/_allauth/app/v1/auth/2fa/authenticate"
    assert problem["next"]["fields"] == ["code"]
    assert set(problem["next"]["types"]) == {"totp", "recovery_codes"}
    assert "access_token" not in problem


def test_a_recovery_code_logs_in_once(api, user, recovery_codes):
    code = recovery_codes[0]

    first = take(api, log_in(api, user).json()["next"], code=code)
    second = take(api, log_in(api, user).json()["next"], code=code)

    assert first.status_code == 200
    assert second.status_code == 400
    assert len(recovery_codes) == 10
    api.token = first.json()["meta"]["access_token"]
    assert api.get(f"{AUTH}profile/").status_code == 200


def test_a_code_works_once(api, user, secret):
    """A code that was just used cannot be used again."""
    from django.core.cache import cache

    cache.clear()
    code = code_of(secret)
    first = take(api, log_in(api, user).json()["next"], code=code)

    second = take(api, log_in(api, user).json()["next"], code=code)

    assert first.status_code == 200
    assert second.status_code == 400


def test_before_the_second_factor_nothing_is_open(api, user, secret):
    step = log_in(api, user).json()["next"]

    assert api.get(f"{AUTH}profile/").status_code == 401
    assert api.get(f"{AUTH}profile/", Authorization=f"Bearer {step['session_token']}").status_code == 401
    assert api.get("/api/v1/orders/cart/", Authorization=f"Bearer {step['session_token']}").status_code == 401
    assert api.get(f"{HEADLESS}account/email", **{"X-Session-Token": step["session_token"]}).status_code == 401


def test_guessing_codes_ends_at_a_limit(api, user, secret):
    step = log_in(api, user).json()["next"]

    responses = [take(api, step, code=f"{number:06}") for number in range(6)]
    right = take(api, step, code=code_of(secret))

    codes = [response.json()["errors"][0]["code"] for response in [*responses, right]]
    assert codes == ["incorrect_code"] * 5 + ["too_many_login_attempts"] * 2


def test_an_account_with_only_a_passkey_is_told_to_use_it(api, user):
    Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key", "credential": {}})

    response = log_in(api, user)

    step = response.json()["next"]
    assert response.json()["code"] == "mfa_authenticate"
    assert step["types"] == ["webauthn"]
    assert step["fields"] == ["credential"]
    assert step["url"] == "http://testserver/_allauth/app/v1/auth/webauthn/authenticate"


def test_the_pages_switch_it_on_and_ask_for_it(user):
    browser = Client()
    browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    asked = browser.get("/accounts/2fa/totp/activate/")
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    browser.post(asked["Location"], {"password": PASSWORD})
    page = browser.get("/accounts/2fa/totp/activate/")
    secret = re.search(r'value="([A-Z2-7]{32})"', page.content.decode())[1]
    assert browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}).status_code == 302
    codes = browser.get("/accounts/2fa/recovery-codes/").content.decode()
    unused = re.findall(r"\b[0-9a-f]{8}\b|\b[0-9]{8}\b", codes)
    browser.post("/accounts/logout/")

    asked = browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    assert asked["Location"] == "/accounts/2fa/authenticate/"
    assert browser.get(f"{AUTH}profile/").status_code == 401
    wrong = browser.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert wrong.status_code == 200
    assert browser.get(f"{AUTH}profile/").status_code == 401
    done = browser.post("/accounts/2fa/authenticate/", {"code": unused[0]})
    assert done.status_code == 302
    assert browser.get(f"{AUTH}profile/").status_code == 200


def test_switching_it_off_asks_for_the_password_again(user, settings):
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0
    totp.TOTP.activate(user, totp.generate_totp_secret())
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    response = browser.post("/accounts/2fa/totp/deactivate/")

    assert response.status_code == 302
    assert "/accounts/reauthenticate/" in response["Location"] or "/2fa/reauthenticate/" in response["Location"]
    assert Authenticator.objects.filter(type="totp").exists()
