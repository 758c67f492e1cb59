"""Stored responses are encrypted, and a repeated request still gets the same response."""

import json

import pytest
from django.urls import reverse
from shop_orders import carts, idempotency
from shop_orders.exceptions import IdempotencyMismatch
from shop_orders.idempotency import BrokenSeal, seal, unseal
from shop_orders.models import IdempotencyKey

TEXTS = ["", "a", "{}", '{"token": "1vZ:abc"}', "\u00e9\U0001f600\0", "x" * 100_000, "\0\0x"]


@pytest.mark.parametrize("text", TEXTS, ids=[str(number) for number in range(len(TEXTS))])
def test_text_comes_back_and_is_not_readable(text):
    sealed = seal(text)

    assert unseal(sealed) == text
    assert sealed != seal(text)
    assert len(text) < 4 or text not in sealed


@pytest.mark.parametrize("change", ["", "x", "!", "AAAA", json.dumps({"a": 1})])
def test_changed_text_is_refused(change):
    with pytest.raises(BrokenSeal):
        unseal(change)
    sealed = seal("secret")
    for index in (0, 20, 50, 70):
        flipped = sealed[:index] + ("A" if sealed[index] != "A" else "B") + sealed[index + 1 :]
        with pytest.raises(BrokenSeal):
            unseal(flipped)


def test_old_key_still_opens(settings):
    sealed = seal("secret")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert unseal(sealed) == "secret"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(BrokenSeal):
        unseal(sealed)


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
    for secret in [*guests, "guest@example.org", "Gladys"]:
        assert secret not in row.body


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
def test_response_that_another_key_sealed_is_not_replayed(settings):
    request = idempotency.KeyedRequest(owner="a", route="r", key="k", digest="d")
    assert idempotency.run(request, lambda: (200, {"a": 1})).body == {"a": 1}
    assert idempotency.run(request, lambda: (200, {"a": 2})).body == {"a": 1}
    settings.SECRET_KEY = "another"

    with pytest.raises(IdempotencyMismatch):
        idempotency.run(request, lambda: (200, {"a": 3}))


@pytest.mark.django_db
def test_admin_does_not_show_the_body(admin_client):
    request = idempotency.KeyedRequest(owner="a", route="r", key="k", digest="d")
    idempotency.run(request, lambda: (200, {"a": 1}))
    row = IdempotencyKey.objects.get()

    page = admin_client.get(reverse("admin:shop_orders_idempotencykey_change", args=[row.pk]))

    assert page.status_code == 200
    assert row.body not in page.content.decode()
