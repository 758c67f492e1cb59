"""Stored responses hold no token, and a repeated request still gets the same response."""

import pytest
from django.urls import reverse
from shop_orders import carts, idempotency
from shop_orders.models import IdempotencyKey


@pytest.mark.django_db
def test_guests_token_is_in_no_row_and_the_replay_has_it(client, book, memory_provider):
    _cart, token = carts.find_or_open()
    carts.add_item(_cart, book.isbn, 1)
    sent = {"contact": {"email": "guest@example.org", "name": "Gladys Guest"}, "payment_provider": "memory"}
    headers = {"X-Cart-Token": token, "Idempotency-Key": "once"}

    def place():
        return client.post("/api/orders/orders/", sent, content_type="application/json", headers=headers)

    first, second = place(), place()

    assert first.status_code == 201, first.content
    assert (second.content, second["Idempotency-Replayed"]) == (first.content, "true")
    guests = [value for name, value in walk(first.json()) if "token" in name and value]
    assert guests
    row = IdempotencyKey.objects.get()
    assert [secret for secret in guests if secret in row.body] == []
    number = first.json()["number"]
    assert client.get(f"/api/orders/orders/{number}/", {"token": guests[0]}).status_code == 200


def walk(value, name=""):
    """All texts of a JSON value with the names under which they stand."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item, name)
    elif isinstance(value, str):
        yield name, value


@pytest.mark.django_db
def test_token_of_a_repeated_response_is_valid_after_the_secret_key_was_changed(client, book, settings):
    cart, token = carts.find_or_open()
    carts.add_item(cart, book.isbn, 1)
    headers = {"X-Cart-Token": token, "Idempotency-Key": "once"}
    sent = {"contact": {"email": "guest@example.org"}}
    first = client.post("/api/orders/orders/", sent, content_type="application/json", headers=headers).json()
    settings.SECRET_KEY = "another"
    second = client.post("/api/orders/orders/", sent, content_type="application/json", headers=headers).json()
    assert {**first, "guest_token": ""} == {**second, "guest_token": ""}
    url = f"/api/orders/orders/{first['number']}/"
    assert client.get(url, {"token": first["guest_token"]}).status_code == 404
    assert client.get(url, {"token": second["guest_token"]}).status_code == 200


@pytest.mark.django_db
def test_admin_does_not_show_the_body(admin_client):
    request = idempotency.KeyedRequest(owner="a", route="r", key="k", digest="d")
    idempotency.run(request, lambda: (200, {"a": 1}))
    row = IdempotencyKey.objects.get()

    page = admin_client.get(reverse("admin:shop_orders_idempotencykey_change", args=[row.pk]))

    assert page.status_code == 200
    assert row.body not in page.content.decode()
