"""A guest can get the link to an order again by e-mail; the response does not show which orders exist."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from shop_notify.messages import preview_notification
from shop_notify.models import Notification

from .conftest import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def links():
    return Notification.objects.filter(event="order_link")


def ask(client, number, email="guest@example.org"):
    return client.post("/orders/", {"number": number, "email": email})


def test_the_link_goes_to_the_address_of_the_order_and_opens_it(visitor, mug, client):
    order = visitor.buy("MUG")

    response = ask(client, f" {order.number.lower()} ", "Guest@Example.org")

    assert (response.status_code, response["Location"]) == (302, "/orders/?sent=1")
    row = links().get()
    assert (row.alias, row.address, row.reference) == ("email", "guest@example.org", order.number)
    mail = preview_notification(row)
    assert mail.problem == ""
    assert order.number in mail.subject
    url = re.search(r"http://127\.0\.0\.1:8000(/orders/\S+)", mail.text)[1]  # type: ignore[index]
    assert f"Order {order.number}" in Visitor(client).get(url)


@pytest.mark.parametrize("email", ["another@example.org", "guest@example.com", "guest@example.org.evil.example"])
def test_another_address_gets_nothing_and_the_same_response(visitor, mug, client, email):
    order = visitor.buy("MUG")

    response, known = ask(client, order.number, email), ask(client, order.number)
    unknown = ask(client, "ABCDE-FGHIJ")

    assert links().count() == 1
    assert {(a.status_code, a["Location"], a.content) for a in (response, known, unknown)} == {
        (302, "/orders/?sent=1", b"")
    }
    pages = {client.get("/orders/?sent=1").content.count(b"Check your e-mail") for _ in range(2)}
    assert pages == {1}


def test_an_address_is_not_written_to_more_than_three_times_an_hour(visitor, mug, client):
    order = visitor.buy("MUG")

    responses = [ask(client, order.number) for _number in range(6)]

    assert links().count() == 3
    assert {response.status_code for response in responses} == {302}


def test_a_visitor_cannot_try_numbers_without_end(visitor, mug, client):
    order = visitor.buy("MUG")
    for number in range(20):
        ask(client, f"AAAAA-{number:05}", f"nobody-{number}@example.org")

    ask(client, order.number)
    assert links().count() == 0

    cache.clear()
    ask(client, order.number)
    assert links().count() == 1


@pytest.mark.parametrize(
    ("number", "email"), [("", ""), ("A", "nonsense"), ("\0", "guest@example.org"), ("x" * 41, "guest@example.org")]
)
def test_invalid_values_are_reported_beside_the_field(client, db, number, email):
    response = ask(client, number, email)

    assert response.status_code == 200
    assert response.content.count(b"errorlist") >= 1
    assert not Notification.objects.exists()


def test_a_customer_s_order_is_found_in_the_account(customer, mug, client):
    order = customer.buy("MUG")

    ask(client, order.number)

    row = links().get()
    url = preview_notification(row).text
    assert "token=" not in url
    assert customer.client.get("/orders/")["Location"] == "/account/orders/"
