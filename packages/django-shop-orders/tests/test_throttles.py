"""THROTTLES: each limited operation is refused with 429 after n calls, per user or per visitor."""

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from shop_orders import visitors
from shop_orders.exceptions import TooManyRequests
from shop_orders.models import CartItem, Order

pytestmark = pytest.mark.django_db

API = "/api/orders/"
JSON = "application/json"


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()


@pytest.fixture
def api(user, book):
    return Client(headers={"Authorization": f"Bearer user-{user.pk}"})


def add(client, quantity=1, **options):
    return client.post(f"{API}cart/add_item/", {"product": "978-1", "quantity": quantity}, JSON, **options)


def assert_refused(response):
    assert response.status_code == 429
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["code"], problem["errors"]) == (429, "too_many_requests", [])
    assert problem["detail"] == "You have done this too often. Wait a moment, then try again."
    assert 1 <= int(response["Retry-After"]) <= 86400
    assert problem["retry_after"] == int(response["Retry-After"])


def test_cart_writes_are_counted_together_and_reading_is_free(api, shop_settings):
    shop_settings(THROTTLES={"cart": "5/d"})
    body = {"product": "978-1", "quantity": 2}
    allowed = [
        add(api),
        api.patch(f"{API}cart/update_quantity/", body, JSON),
        api.delete(f"{API}cart/remove_item/?product=978-1"),
        api.delete(f"{API}cart/clear/"),
        add(api),
    ]
    assert [response.status_code for response in allowed] == [200] * 5
    assert_refused(add(api))
    assert_refused(api.patch(f"{API}cart/update_quantity/", body, JSON))
    assert_refused(api.delete(f"{API}cart/remove_item/?product=978-1"))
    assert_refused(api.delete(f"{API}cart/clear/"))
    assert_refused(api.post(f"{API}cart/merge/", {}, JSON, headers={"X-Cart-Token": "x"}))
    assert [(item.product_ref, item.quantity) for item in CartItem.objects.all()] == [("978-1", 1)]
    assert api.get(f"{API}cart/").status_code == 200


def test_orders_and_payments_have_limits_of_their_own(api, shop_settings, memory_provider):
    shop_settings(THROTTLES={"orders": "1/d", "payments": "1/d"})
    add(api)
    body = {"contact": {"name": "Ann", "email": "ann@example.org"}}
    placed = api.post(f"{API}orders/", body, JSON)
    assert placed.status_code == 201, placed.content
    assert_refused(api.post(f"{API}orders/", body, JSON))
    path = f"{API}orders/{placed.json()['number']}/payments/"
    assert api.post(path, {}, JSON).status_code == 201
    assert_refused(api.post(path, {}, JSON))
    assert Order.objects.count() == 1


def test_guests_count_by_visitor_and_users_by_themselves(api, shop_settings):
    shop_settings(THROTTLES={"cart": "2/d"}, TRUSTED_PROXIES=1)
    guest = Client()
    home = {"headers": {"X-Forwarded-For": "198.51.100.7, 203.0.113.1"}}
    other = {"headers": {"X-Forwarded-For": "203.0.113.1, 203.0.113.2"}}
    assert [add(guest, **home).status_code for _time in range(3)] == [200, 200, 429]
    assert add(guest, **other).status_code == 200
    assert [add(api, headers={"X-Forwarded-For": "203.0.113.1"}).status_code for _time in range(3)] == [200, 200, 429]


def test_a_refused_credential_is_401_and_counts_for_nobody(book, shop_settings):
    shop_settings(THROTTLES={"cart": "1/d"}, TRUSTED_PROXIES=0)
    for _time in range(3):
        assert add(Client(), headers={"Authorization": "Bearer nobody"}).status_code == 401
    assert [add(Client()).status_code for _time in range(2)] == [200, 429]


def test_visitors_without_a_known_address_are_not_limited(book, shop_settings):
    shop_settings(THROTTLES={"cart": "1/d"}, TRUSTED_PROXIES=None)
    assert [add(Client()).status_code for _time in range(3)] == [200] * 3


def test_without_the_setting_nothing_is_limited(api):
    assert [add(api).status_code for _time in range(8)] == [200] * 8


def test_an_error_of_the_limit_has_a_sentence_and_the_seconds(shop_settings, user):
    shop_settings(THROTTLES={"cart": "1/h"})
    request = RequestFactory().post("/")
    request.user = user
    visitors.limit(request, "cart")
    with pytest.raises(TooManyRequests) as refused:
        visitors.limit(request, "cart")
    assert str(refused.value).startswith("You have done this too often.")
    assert 1 <= refused.value.extra["retry_after"] <= 3600
