"""Registering: a code by e-mail, and the same response for taken and free addresses."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from accounts.models import User
from shop_notify.models import Notification
from shop_orders.models import Customer
from tests.conftest import sent_mails

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth/customers/"
BODY = {
    "email": "new@example.org",
    "password": "a-long-and-odd-one-42",
    "first_name": "New",
    "last_name": "Customer",
    "phone": "0712 345 678",
}


def code_of(message):
    return re.search(r"^([A-Z0-9]+(?:-[A-Z0-9]+)*)$", message.body, re.MULTILINE)[1]


def without_token(response):
    content = response.json()
    assert content["next"].pop("session_token")
    return content


def test_registering_says_where_to_send_the_code(api):
    response = api.post(f"{AUTH}register/", BODY)

    assert response.status_code == 201
    assert without_token(response) == {
        "status": "verification_required",
        "detail": "We sent a code to your e-mail address. Send it to the URL in “next” as “key”.",
        "next": {
            "flow": "verify_email",
            "method": "POST",
            "url": "http://testserver/_allauth/app/v1/auth/email/verify",
            "fields": ["key"],
            "types": [],
        },
        "login": None,
    }
    assert [message.to for message in sent_mails()] == [["new@example.org"]]
    assert "Acacia" in sent_mails()[0].body


def test_the_code_verifies_and_the_customer_can_log_in(api):
    step = api.post(f"{AUTH}register/", BODY).json()["next"]

    verified = api.post(
        urlsplit(step["url"]).path, {"key": code_of(sent_mails()[0])}, **{"X-Session-Token": step["session_token"]}
    )
    login = api.post(f"{AUTH}login/", {"email": BODY["email"], "password": BODY["password"]})

    assert verified.status_code == 200
    assert verified.json()["meta"]["token_type"] == "Bearer"
    assert login.status_code == 200


def test_names_and_phone_reach_the_customer(api):
    api.post(f"{AUTH}register/", BODY)

    customer = Customer.objects.get(email="new@example.org")
    assert (customer.first_name, customer.last_name, customer.phone) == ("New", "Customer", "+254712345678")
    assert customer.user.first_name == "New"


def test_a_taken_address_gets_the_same_response_and_its_owner_a_mail(api, user):
    fresh = api.post(f"{AUTH}register/", BODY)
    taken = api.post(f"{AUTH}register/", {**BODY, "email": user.email})

    assert taken.status_code == fresh.status_code == 201
    assert without_token(taken) == without_token(fresh)
    assert [message.to for message in sent_mails()] == [["new@example.org"], [user.email]]
    assert sent_mails()[1].subject == "You already have an account"
    assert User.objects.count() == 2


def test_a_taken_address_in_capitals_is_the_same_address(api, user):
    response = api.post(f"{AUTH}register/", {**BODY, "email": user.email.upper()})

    assert response.status_code == 201
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "x@"}, "email"),
        ({"email": f"{'x' * 300}@example.org"}, "email"),
        ({"password": "12345678"}, "password"),
        ({"password": ""}, "password"),
        ({"password": "x" * 1001}, "password"),
        ({"first_name": ""}, "first_name"),
        ({"phone": "12"}, "phone"),
        ({"is_staff": True}, "is_staff"),
        ({"id": "1"}, "id"),
    ],
)
def test_invalid_fields_are_named(api, change, field):
    response = api.post(f"{AUTH}register/", {**BODY, **change})

    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert field in {error["field"] for error in response.json()["errors"]}
    assert not User.objects.exists()
    assert sent_mails() == []


def test_without_mandatory_verification_the_tokens_come_at_once(api, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "none"

    response = api.post(f"{AUTH}register/", BODY)

    assert response.status_code == 201
    assert response.json()["status"] == "active"
    assert response.json()["login"]["customer"]["email"] == "new@example.org"


def test_registering_sends_no_sms(api):
    api.post(f"{AUTH}register/", BODY)

    assert list(Notification.objects.values_list("event", "channel")) == [("account_code", "email")]
