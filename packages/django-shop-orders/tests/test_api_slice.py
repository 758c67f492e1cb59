"""A complete order over HTTP: cart, order, tracking, cancellation."""

import pytest
from django.test import Client
from testproject.books.models import Book

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(user):
    return Client(headers={"Authorization": f"Bearer user-{user.pk}"})


def test_customer_orders_and_cancels(api, book, django_capture_on_commit_callbacks):
    added = api.post("/api/orders/cart/add_item/", {"product": "978-1", "quantity": 2}, "application/json")
    assert added.status_code == 200, added.content
    assert added.json()["total"] == "25.00"
    assert "X-Cart-Token" not in added.headers
    with django_capture_on_commit_callbacks(execute=True):
        placed = api.post(
            "/api/orders/orders/",
            {"contact": {"phone": "0712 345 678"}, "expected_total": "25.00"},
            "application/json",
        )
    assert placed.status_code == 201, placed.content
    order = placed.json()
    assert (order["status"], order["payment_status"], order["total"]) == ("confirmed", "unpaid", "25.00")
    assert order["contact"]["phone"] == "+254712345678"
    assert Book.objects.get().on_hand == 8
    tracking = api.get(f"/api/orders/orders/{order['number']}/tracking/").json()
    assert [event["kind"] for event in tracking["events"]] == ["placed", "status_changed"]
    cancelled = api.post(f"/api/orders/orders/{order['number']}/cancel/", {}, "application/json")
    assert cancelled.json()["status"] == "cancelled", cancelled.content
    assert Book.objects.get().on_hand == 10
    assert [item["number"] for item in api.get("/api/orders/orders/").json()["items"]] == [order["number"]]


def test_guest_orders_and_reads_the_order_by_its_link(client, book):
    added = client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")
    token = added.headers["X-Cart-Token"]
    assert client.get("/api/orders/cart/", headers={"X-Cart-Token": token}).json()["item_count"] == 1
    placed = client.post(
        "/api/orders/orders/",
        {"contact": {"email": "guest@example.org"}},
        "application/json",
        headers={"X-Cart-Token": token},
    )
    assert placed.status_code == 201, placed.content
    number, link = placed.json()["number"], placed.json()["guest_token"]
    assert client.get(f"/api/orders/orders/{number}/").status_code == 404
    assert client.get(f"/api/orders/orders/{number}/", {"token": link}).json()["number"] == number
    again = client.post(
        "/api/orders/orders/",
        {"contact": {"email": "guest@example.org"}},
        "application/json",
        headers={"X-Cart-Token": token},
    )
    assert again.json()["number"] == number
