"""The forms of the shop have the limits of the API and share their counts."""

from __future__ import annotations

from typing import Any

import pytest
from accounts.models import User
from django.test import Client
from shop_catalog.models import Review
from shop_orders.models import CartItem, Order
from tests.conftest import sent_mails

from .conftest import Visitor

pytestmark = pytest.mark.django_db

API = "/api/v1/"
TEST = {"BACKEND": "shop_orders.payment_providers.HostedTestProvider", "OPTIONS": {"secrets": ["for tests only"]}}
SIGN_UP = {
    "email": "new@example.org",
    "password1": "a-long-and-odd-one-42",
    "first_name": "New",
    "last_name": "Customer",
}


@pytest.fixture
def throttle(settings: Any) -> Any:
    def set_to(**rates: str) -> None:
        settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "THROTTLES": rates}
        settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "THROTTLES": rates}

    return set_to


def assert_is_page_about_too_many(response: Any) -> None:
    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 86400
    assert response["Content-Type"].startswith("text/html")
    assert "Too many" in response.content.decode()
    assert "Acacia" in response.content.decode()


def test_cart_forms_and_the_api_count_together(visitor, mug, api, throttle):
    throttle(cart="3/d")
    visitor.add("MUG", 1)
    visitor.client.post("/cart/change/", {"product": "MUG", "quantity": 2})
    assert api.post(f"{API}orders/cart/add_item/", {"product": "MUG", "quantity": 1}).status_code == 200

    assert_is_page_about_too_many(visitor.client.post("/cart/add/", {"product": "MUG"}))
    assert_is_page_about_too_many(visitor.client.post("/cart/change/", {"product": "MUG", "quantity": 9}))
    assert_is_page_about_too_many(visitor.client.post("/cart/clear/"))
    refused = api.post(f"{API}orders/cart/add_item/", {"product": "MUG", "quantity": 1})
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    assert sorted(CartItem.objects.values_list("quantity", flat=True)) == [1, 2]


def test_one_visitor_cannot_open_two_hundred_carts(mug, throttle, settings):
    assert settings.SHOP_ORDERS["THROTTLES"]["cart"] == "120/m"
    throttle(cart="5/d")
    statuses = [Client().post("/cart/add/", {"product": "MUG"}).status_code for _time in range(10)]
    assert statuses == [302] * 5 + [429] * 5


def test_orders_are_limited_and_nothing_is_placed_beyond(visitor, mug, throttle):
    throttle(orders="1/d")
    visitor.buy("MUG")
    other = Visitor(Client())
    other.add("MUG")
    other.enter_details()
    assert_is_page_about_too_many(other.client.post("/checkout/place/", other.placing()))
    assert Order.objects.count() == 1


def test_payments_are_limited(visitor, mug, throttle, settings):
    throttle(payments="2/d")
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PAYMENT_PROVIDERS": {"test": TEST}}
    order = visitor.buy("MUG", payment="test")
    sent = {"payment": "nothing", "token": visitor.page.wsgi_request.GET["token"]}
    posted = [visitor.client.post(visitor.path, sent) for _time in range(3)]
    assert [response.status_code for response in posted[:2]] == [200, 200]
    assert_is_page_about_too_many(posted[2])
    assert order.payments.count() == 0


def test_reviews_are_limited_per_customer(client, mug, user, make_user, throttle):
    throttle(reviews="2/d")
    client.force_login(user)
    path = f"/product/{mug.slug}/review/"
    posted = [client.post(path, {"rating": rating, "title": "", "body": ""}) for rating in (5, 4, 3)]
    assert [response.status_code for response in posted[:2]] == [302, 302]
    assert_is_page_about_too_many(posted[2])
    assert Review.objects.get().rating == 4
    client.force_login(make_user("other@example.org"))
    assert client.post(path, {"rating": 1, "title": "", "body": ""}).status_code == 302


def test_registrations_are_limited_on_the_page_and_in_the_api(api, throttle):
    throttle(registrations="2/d")
    assert Client().post("/accounts/signup/", SIGN_UP).status_code == 302
    body = {**SIGN_UP, "password": SIGN_UP["password1"], "email": "second@example.org"}
    body.pop("password1")
    assert api.post(f"{API}auth/customers/register/", body).status_code == 201
    sent = len(sent_mails())

    assert_is_page_about_too_many(Client().post("/accounts/signup/", {**SIGN_UP, "email": "third@example.org"}))
    refused = api.post(f"{API}auth/customers/register/", {**body, "email": "fourth@example.org"})
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    assert 1 <= int(refused["Retry-After"]) <= 86400
    raw = Client().post("/_allauth/app/v1/auth/signup", {**body, "email": "fifth@example.org"}, "application/json")
    assert raw.status_code == 429
    assert int(raw["Retry-After"]) >= 1
    assert sorted(User.objects.values_list("email", flat=True)) == ["new@example.org", "second@example.org"]
    assert len(sent_mails()) == sent


@pytest.mark.parametrize("has_account", [True, False])
def test_sixth_password_reset_of_an_address_in_an_hour_is_refused(user, has_account):
    email = user.email if has_account else "nobody@example.org"
    spellings = [email, email.upper(), email.title(), email, email]
    posted = [Client().post("/accounts/password/reset/", {"email": spelling}) for spelling in spellings]
    assert [response.status_code for response in posted] == [302] * 5
    sent = len(sent_mails())

    refused = Client().post("/accounts/password/reset/", {"email": email})
    assert refused.status_code == 429
    assert refused["Retry-After"] == "3600"
    raw = Client().post("/_allauth/app/v1/auth/password/request", {"email": email}, "application/json")
    assert (raw.status_code, raw["Retry-After"]) == (429, "3600")
    assert len(sent_mails()) == sent
    assert Client().post("/accounts/password/reset/", {"email": "other@example.org"}).status_code == 302
