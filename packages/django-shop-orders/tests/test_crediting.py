"""The credit of a refund: goods, shipping or goodwill, as far as the refund exceeds the refund due."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from shop_orders import carts, checkout, form_tokens, lifecycle, payments
from shop_orders.exceptions import InvalidInput, RefundTooLarge
from shop_orders.models import Order, Refund
from shop_orders.payment_providers import PaymentState, RefundState
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

SHIPPING = {"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": {"amount": "4.00"}}
TAX = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.10"}}
DISCOUNT = {"BACKEND": "testproject.hooks.discount", "OPTIONS": {"share": "0.2"}}


@pytest.fixture
def order(place, memory_provider, shop_settings, other_book, customer):
    """Two at 12.50 and one at 7.50, less 20 %, plus 4.00 shipping and 10 % tax on all of it: 33.00, paid by bank."""
    Book.objects.filter(isbn=other_book.isbn).update(sale_price=Decimal("7.50"))
    shop_settings(PRICING=[DISCOUNT, SHIPPING, TAX])
    cart, _token = carts.add_to_cart(other_book.isbn, 1, customer=customer)
    carts.add_item(cart, "978-1", 2)
    order = checkout.place_order(cart, provider="bank")
    assert order.total == 33
    payments.record_payment(order.pk)
    return order


def credits_of(order):
    order.refresh_from_db()
    return [(credit.kind, credit.amount, credit.lines) for credit in order.credits.all()]


def test_goods_are_refunded_at_what_they_cost_after_discount_and_tax(order):
    payments.refund(order.pk, lines={"978-1": 1}, reason="A torn page.")
    assert credits_of(order) == [("lines", Decimal("11.00"), {"978-1": 1})]
    payments.refund(order.pk, lines={"978-1": 1, "978-2": 1})
    payments.refund(order.pk, shipping=True)
    assert credits_of(order)[1:] == [
        ("lines", Decimal("17.60"), {"978-1": 1, "978-2": 1}),
        ("cancellation", Decimal("4.40"), {}),  # nothing is left to send
    ]
    assert (order.credited_amount, order.payment_status) == (order.total, "refunded")
    assert (order.amount_due, order.refund_due) == (0, 0)


def taxes_of(order):
    rows = [line for credit in order.credits.order_by("id") for line in credit.tax_lines]
    return [(line["label"], line["rate"], line["base"], line["amount"]) for line in rows]


def test_credits_have_their_tax_and_add_up_to_that_of_the_order(order):
    payments.refund(order.pk, lines={"978-1": 1})
    payments.refund(order.pk, shipping=True)
    payments.refund(order.pk, amount=Decimal("1.10"))
    lifecycle.cancel(order.pk)
    assert taxes_of(order) == [
        ("Tax", "0.1", "10.00", "1.00"),
        ("Tax", "0.1", "4.00", "0.40"),
        ("Tax", "0.1", "1.00", "0.10"),
        ("Tax", "0.1", "15.00", "1.50"),
    ]


def test_reinstated_order_has_its_tax_again(order):
    payments.refund(order.pk, lines={"978-1": 1})
    for _time in range(2):
        lifecycle.cancel(order.pk)
        lifecycle.reinstate(order.pk)
    assert taxes_of(order) == [
        ("Tax", "0.1", "10.00", "1.00"),
        ("Tax", "0.1", "20.00", "2.00"),
        ("Tax", "0.1", "-20.00", "-2.00"),
        ("Tax", "0.1", "20.00", "2.00"),
        ("Tax", "0.1", "-20.00", "-2.00"),
    ]


def test_refund_signal_has_its_goods_and_the_account(order, announced, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        payments.refund(order.pk, lines={"978-1": 1}, shipping=True, reason="Torn.")
    _name, payload, _rest = next(row for row in announced if row[0] == "order_refunded")
    assert payload["refund"] == {
        "amount": "15.40",
        "reason": "Torn.",
        "lines": [
            {
                "line": "#2",
                "product_ref": "978-1",
                "name": "Trees of Kenya",
                "options": {},
                "options_text": "",
                "quantity": 1,
            }
        ],
    }
    assert payload["order"]["account"] == {
        "credited_amount": "15.40",
        "paid_amount": "33.00",
        "refunded_amount": "15.40",
        "refunds_under_way": "0.00",
        "amount_due": "0.00",
        "refund_due": "0.00",
    }


def test_refund_uses_up_what_is_owed_before_it_credits(order):
    payments.record_payment(order.pk, amount=Decimal("5.00"))
    assert Order.objects.get().refund_due == 5
    payments.refund(order.pk, lines={"978-2": 1}, cancel={})
    assert credits_of(order) == [("lines", Decimal("1.60"), {"978-2": 1})]
    assert (order.amount_due, order.refund_due) == (0, 0)


def test_refund_without_credit_is_owed_again(order, user):
    payments.refund(order.pk, amount=Decimal("10.00"), credit=False, by=user)
    assert credits_of(order) == []
    assert (order.amount_due, order.payment_status) == (10, "part_refunded")
    event = order.events.get(kind="refund_without_credit")
    assert (event.actor, event.is_public) == (user, False)
    assert event.message == "10.00 KES is refunded without a credit. The customer owes it again."


def test_payment_status_follows_the_credit_before_the_refund_is_sent(place, memory_provider, announced):
    """20 of 25 are paid. With 15 credited nothing is due any more, whatever becomes of the refund."""
    order = place(provider="bank")
    payments.record_payment(order.pk, amount=Decimal(20))
    announced.clear()
    payments.queue_refund(order.pk, amount=Decimal(15))
    order.refresh_from_db()
    assert (order.payment_status, order.status, order.amount_due) == ("paid", "pending", 0)
    event = order.events.filter(kind="payment_status_changed").last()
    assert (event.old_status, event.new_status, event.is_public) == ("unpaid", "paid", False)


def test_amount_above_the_chosen_goods_is_goodwill(order):
    payments.refund(order.pk, lines={"978-2": 1}, amount=Decimal(8), reason="Late and torn.")
    assert credits_of(order) == [("lines", Decimal("6.60"), {"978-2": 1}), ("goodwill", Decimal("1.40"), {})]


def test_less_than_the_goods_cost_can_be_refunded(order):
    payments.refund(order.pk, lines={"978-2": 1}, amount=Decimal(5), cancel={})
    assert credits_of(order) == [("lines", Decimal(5), {"978-2": 1})]


@pytest.mark.parametrize("lines", [{"978-1": 3}, {"978-1": 0}, {"978-1": -1}, {"unknown": 1}])
def test_only_ordered_units_are_refunded(order, lines):
    with pytest.raises(InvalidInput):
        payments.refund(order.pk, lines=lines)
    assert (credits_of(order), Refund.objects.count()) == ([], 0)


def test_units_are_credited_once(order):
    payments.refund(order.pk, lines={"978-1": 2})
    with pytest.raises(InvalidInput):
        payments.refund(order.pk, lines={"978-1": 1})
    with pytest.raises(RefundTooLarge):
        payments.refund(order.pk, lines={"978-2": 1}, amount=Decimal("11.01"))
    assert credits_of(order) == [("lines", Decimal("22.00"), {"978-1": 2})]


def test_refund_made_at_the_provider_is_credited_too(place, memory_provider):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    refund = RefundState(status="succeeded", amount=Decimal(3), reference="r-1")
    payments.apply_state(payment.pk, PaymentState(status="captured", captured=Decimal(25), refunds=[refund]))
    assert credits_of(order) == [("goodwill", Decimal(3), {})]
    assert (order.amount_due, order.refund_due, order.payment_status) == (0, 0, "part_refunded")


def test_staff_refund_goods_by_the_api(order):
    staff = get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")
    client = Client(headers={"Authorization": f"Bearer user-{staff.pk}"})
    url = f"/api/orders/staff/orders/{order.number}/refund/"
    body = {"lines": [{"product": "978-1", "quantity": 1}], "shipping": True, "reason": "Torn."}
    response = client.post(url, body, "application/json").json()
    assert (response["credited_amount"], response["refunded_amount"], response["amount_due"]) == (
        "15.40",
        "15.40",
        "0.00",
    )
    rows = [(row["kind"], row["amount"], row["lines"], row["actor"], row["reason"]) for row in response["credits"]]
    assert response["credits"][0]["tax_lines"] == [
        {"label": "Tax", "rate": "0.1", "base": "10.00", "amount": "1.00", "is_included": False}
    ]
    assert rows == [
        ("lines", "11.00", {"978-1": 1}, "test-staff", "Torn."),
        ("shipping", "4.40", {}, "test-staff", "Torn."),
    ]
    response = client.post(url, {"amount": "2.00", "credit": False}, "application/json").json()
    assert (response["credited_amount"], response["amount_due"]) == ("15.40", "2.00")
    refused = client.post(url, {"lines": [{"product": "978-1", "quantity": 2}]}, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


def test_customers_see_their_refunds_without_the_texts_of_staff(order, user, memory_provider):
    client = Client(headers={"Authorization": f"Bearer user-{user.pk}"})
    url = f"/api/orders/orders/{order.number}/"
    assert client.get(url).json()["refunds"] == []
    (made,) = payments.refund(order.pk, amount=Decimal(5), reason="Canary is a nuisance", by=user)
    payments.queue_refund(order.pk, amount=Decimal("2.50"))
    response = client.get(url)
    assert [(row["amount"], row["currency"], row["status"]) for row in response.json()["refunds"]] == [
        ("5.00", "KES", "succeeded"),
        ("2.50", "KES", "queued"),
    ]
    first = response.json()["refunds"][0]
    assert set(first) == {"amount", "currency", "status", "created_at"}
    assert made.created_at - datetime.fromisoformat(first["created_at"]) < timedelta(milliseconds=1)
    assert "Canary" not in response.content.decode()


def test_api_tells_the_balance_of_the_account(order, user):
    client = Client(headers={"Authorization": f"Bearer user-{user.pk}"})
    lifecycle.cancel(order.pk)
    fields = ("balance", "amount_due", "refund_due")
    response = client.get(f"/api/orders/orders/{order.number}/").json()
    assert [response[name] for name in fields] == ["-33.00", "0.00", "33.00"]
    assert client.get("/api/orders/orders/").json()["items"][0]["balance"] == "-33.00"
    payments.refund(order.pk, credit=False)
    assert client.get(f"/api/orders/orders/{order.number}/").json()["balance"] == "0.00"


def test_staff_list_the_orders_with_money_to_refund(order, place):
    place(provider="bank")
    staff = get_user_model().objects.create_superuser("test-staff", "staff@example.org", "pw")
    client = Client(headers={"Authorization": f"Bearer user-{staff.pk}"})
    assert client.get("/api/orders/staff/orders/", {"refund_due": "true"}).json()["items"] == []
    lifecycle.cancel(order.pk)
    (listed,) = client.get("/api/orders/staff/orders/", {"refund_due": "true"}).json()["items"]
    assert (listed["number"], listed["amount_due"], listed["item_count"]) == (order.number, "0.00", 3)
    dues = [row["amount_due"] for row in client.get("/api/orders/staff/orders/").json()["items"]]
    assert sorted(dues) == ["0.00", "26.40"]


@pytest.fixture
def shopkeeper(client):
    client.force_login(get_user_model().objects.create_superuser("test-admin", "admin@example.org", "pw"))
    return client


def test_staff_refund_goods_in_the_admin(shopkeeper, order):
    url = reverse("admin:shop_orders_step", args=[order.pk, "refund"])
    page = shopkeeper.get(url).content.decode()

    def send(**fields):
        return shopkeeper.post(url, {"form_token": form_tokens.new_token(), **fields})

    for text in ("Refund: Trees of Kenya", "Refund the shipping", "Without credit"):
        assert text in page
    for fields, problem in (
        ({}, "Enter an amount"),
        ({"amount": "33.00", "refund_line_2": 1}, "cost 11.00 KES"),
        ({"refund_line_2": 3}, "less than or equal to 2"),
    ):
        assert problem in send(**fields).content.decode()
    assert Refund.objects.count() == 0
    send(refund_line_2=1, shipping="on", reason="Torn.")
    send(amount="2.00", without_credit="on", confirmed_amount="2.00")
    assert [(kind, amount) for kind, amount, _lines in credits_of(order)] == [
        ("lines", Decimal("11.00")),
        ("shipping", Decimal("4.40")),
    ]
    assert order.amount_due == 2


def test_cancelled_order_has_nothing_to_credit(order):
    lifecycle.cancel(order.pk)
    payments.refund(order.pk)
    assert [kind for kind, _amount, _lines in credits_of(order)] == ["cancellation"]
    assert (order.amount_due, order.refund_due, order.payment_status) == (0, 0, "refunded")
