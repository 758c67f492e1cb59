from __future__ import annotations

import pytest
from shop_orders import customers

ADDRESS = {"name": "Test Customer", "line1": "Riverside Drive 12", "city": "Nairobi", "country": "KE"}
PAGES = ("", "orders/", "profile/", "addresses/", "addresses/new/", "messages/")

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("page", PAGES)
def test_the_account_is_for_those_who_are_logged_in(visitor, page):
    visitor.get(f"/account/{page}")
    assert visitor.path == "/accounts/login/"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_a_new_account_works(customer, page):
    customer.get(f"/account/{page}")
    assert customer.page.status_code == 200


def test_profile_is_changed_and_the_phone_cleaned(customer, user):
    customer.post("/account/profile/", first_name="Test", last_name="Buyer", phone="0712 345 678", language="de")
    known = customers.for_user(user)
    assert (known.last_name, known.phone, known.language) == ("Buyer", "+254712345678", "de")


def test_an_invalid_phone_is_refused(customer, user):
    text = customer.post("/account/profile/", first_name="Test", phone="12", language="en")
    assert "This phone number is not valid." in text
    assert customers.for_user(user).phone == ""


def test_addresses_are_added_changed_chosen_and_deleted(customer, user):
    customer.post("/account/addresses/new/", **ADDRESS)
    customer.post("/account/addresses/new/", **{**ADDRESS, "line1": "Harbour Road 1", "city": "Mombasa"})
    rows = customers.for_user(user).addresses
    assert [(row.city, row.is_default) for row in rows.all()] == [("Nairobi", True), ("Mombasa", False)]
    customer.post(f"/account/addresses/{rows.get(city='Mombasa').public_id}/default/")
    assert rows.get(is_default=True).city == "Mombasa"
    customer.post(f"/account/addresses/{rows.get(city='Mombasa').public_id}/", **{**ADDRESS, "city": "Kisumu"})
    assert {row.city for row in rows.all()} == {"Nairobi", "Kisumu"}
    customer.post(f"/account/addresses/{rows.get(city='Kisumu').public_id}/delete/")
    assert [(row.city, row.is_default) for row in rows.all()] == [("Nairobi", True)]


def test_somebody_else_s_address_is_not_found(customer, another, user):
    customer.post("/account/addresses/new/", **ADDRESS)
    kept = customers.for_user(user).addresses.get()
    for page in ("", "delete/", "default/"):
        response = another.client.post(f"/account/addresses/{kept.public_id}/{page}", ADDRESS)
        assert response.status_code == 404
    assert customers.for_user(user).addresses.get() == kept


def test_an_address_without_a_town_is_refused(customer, user):
    text = customer.post("/account/addresses/new/", **{**ADDRESS, "city": ""})
    assert 'id="id_city_error"' in text
    assert not customers.for_user(user).addresses.exists()


def test_messages_can_be_switched_off_and_on(customer, user):
    from shop_notify.recipients import read_preferences

    key = customers.for_user(user).key
    assert "(always)" in customer.get("/account/messages/")
    customer.post("/account/messages/")
    assert not any(on for ways in read_preferences(key).values() for on in ways.values())
    customer.post("/account/messages/", **{"order_updates.sms": "on"})
    assert read_preferences(key)["order_updates"]["sms"] is True


@pytest.mark.django_db(transaction=True)
def test_orders_are_listed_newest_first(customer, mug):
    first, second = customer.buy("MUG"), customer.buy("MUG")
    text = customer.get("/account/orders/")
    assert text.index(second.number) < text.index(first.number)
    assert f"/orders/{first.number}/" in customer.get(f"/account/orders/?after={second.number}")
    assert f"/orders/{first.number}/" not in customer.get(f"/account/orders/?after={first.number}")


def test_two_tabs_that_save_an_address_lose_none(customer, user, monkeypatch):
    """The second tab saves while the first has read the addresses already."""
    known = customers.for_user(user)
    save = customers.save_address

    def save_after_the_other_tab(*arguments, **options):
        monkeypatch.setattr(customers, "save_address", save)
        customers.save_address(known, {**ADDRESS, "city": "Mombasa"})
        return save(*arguments, **options)

    monkeypatch.setattr(customers, "save_address", save_after_the_other_tab)
    customer.post("/account/addresses/new/", **ADDRESS)

    assert {row.city for row in known.addresses.all()} == {"Nairobi", "Mombasa"}


def test_the_page_and_the_api_have_the_same_limit_of_addresses(customer, user):
    known = customers.for_user(user)
    rows = [{**ADDRESS, "line1": f"Road {number}"} for number in range(customers.MAX_ADDRESSES)]
    customers.set_addresses(known, rows)

    assert "at most 20 addresses" in customer.post("/account/addresses/new/", **ADDRESS)
    patch = {"addresses": [*rows, ADDRESS]}
    response = customer.client.patch("/api/v1/auth/customers/update_profile/", patch, content_type="application/json")
    assert response.status_code == 422
    assert known.addresses.count() == customers.MAX_ADDRESSES
