"""The profile: what a customer may change about themselves."""

from __future__ import annotations

import pytest
from shop_orders import customers

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth/customers/"
ADDRESS = {"line1": "Acacia Court", "city": "Nairobi", "country": "ke"}


def test_only_what_is_sent_changes(api, user, log_in):
    log_in(user)

    response = api.patch(f"{AUTH}update_profile/", {"phone": "0712 345 678", "language": "sw"})

    body = response.json()
    assert response.status_code == 200
    assert (body["first_name"], body["phone"], body["language"]) == ("Test", "+254712345678", "sw")


def test_addresses_are_replaced_and_the_first_is_the_default(api, user, log_in):
    log_in(user)
    api.patch(f"{AUTH}update_profile/", {"addresses": [ADDRESS, {**ADDRESS, "line1": "Second"}]})

    response = api.patch(f"{AUTH}update_profile/", {"addresses": [{**ADDRESS, "line1": "Third"}]})

    assert [(row["line1"], row["country"], row["is_default"]) for row in response.json()["addresses"]] == [
        ("Third", "KE", True)
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"email": "other@example.org"},
        {"is_staff": True},
        {"id": "1"},
        {"customer_id": "1"},
        {"phone": "1"},
        {"first_name": ""},
        {"language": "x" * 40},
        {"addresses": [{**ADDRESS, "country": "Kenya"}]},
        {"addresses": [{"city": "Nairobi", "country": "KE"}]},
        {"addresses": [{**ADDRESS, "is_default": True}, {**ADDRESS, "is_default": True}]},
        {"addresses": [ADDRESS] * 21},
        {"first_name": "a\u0000b"},
    ],
)
def test_fields_that_cannot_be_changed_are_refused(api, user, log_in, body):
    log_in(user)
    before = api.get(f"{AUTH}profile/").json()

    response = api.patch(f"{AUTH}update_profile/", body)

    assert response.status_code == 422
    assert api.get(f"{AUTH}profile/").json() == before
    user.refresh_from_db()
    assert (user.email, user.is_staff) == ("customer@example.org", False)


def test_a_phone_is_refused_before_an_address_is_written(api, user, log_in):
    log_in(user)

    response = api.patch(
        f"{AUTH}update_profile/", {"addresses": [ADDRESS, {**ADDRESS, "phone": "1"}], "first_name": "X"}
    )

    assert response.status_code == 422
    assert not customers.for_user(user).addresses.exists()
    assert customers.for_user(user).first_name == "Test"
