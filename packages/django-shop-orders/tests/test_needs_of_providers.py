"""What a payment provider needs of an order is checked before stock is reserved, and before it is called."""

from decimal import Decimal

import pytest
from shop_orders import carts, checkout, payments
from shop_orders.checks.providers import check_providers
from shop_orders.exceptions import PaymentNotPossible
from shop_orders.models import Order, Payment
from shop_orders.payment_providers import Needs, PaymentProvider, obstacle
from shop_orders.testing import MemoryPaymentProvider
from testproject.books.models import Book

pytestmark = pytest.mark.django_db


@pytest.fixture
def needs(memory_provider, monkeypatch):
    """Set the needs of the provider ``memory``: ``needs(phone=True)``."""

    def change(**values):
        monkeypatch.setattr(MemoryPaymentProvider, "needs", Needs(**values))

    return change


def guest_cart(book):
    cart, token = carts.find_or_open()
    carts.add_item(cart, book.isbn, 1)
    return cart, token


def contact(email="guest@example.org", phone=""):
    return checkout.Contact(name="Test Guest", email=email, phone=phone)


@pytest.mark.parametrize(
    ("wanted", "given", "need", "field", "words"),
    [
        ({"phone": True}, contact(), "phone", "phone", "Enter a phone number"),
        ({"email": True}, contact("", "+254712345678"), "email", "email", "Enter an e-mail address"),
        ({"currencies": ["UGX", "TZS"]}, contact(), "currencies", "payment_provider", "does not take KES"),
        ({"minimum": Decimal(20)}, contact(), "minimum", "payment_provider", "from 20.00 KES"),
        ({"whole_units": True}, contact(), "whole_units", "payment_provider", "whole amounts of KES"),
    ],
)
def test_order_is_refused_before_stock_is_reserved(book, needs, wanted, given, need, field, words):
    Book.objects.update(sale_price=Decimal("12.50"))
    stock = Book.objects.get().on_hand
    needs(**wanted)
    cart, _token = guest_cart(book)
    with pytest.raises(PaymentNotPossible, match=words) as caught:
        checkout.place_order(cart, contact=given, provider="memory")
    assert caught.value.code == "payment_not_possible"
    assert caught.value.extra == {"payment_provider": "memory", "needs": need, "fields": [field]}
    assert caught.value.cart_view.draft.total == Decimal("12.50")
    assert (Order.objects.count(), Book.objects.get().on_hand) == (0, stock)
    with pytest.raises(PaymentNotPossible, match=words):
        checkout.preview(cart, contact=given, provider="memory")
    assert checkout.place_order(cart, contact=given, provider="bank").pk


def test_what_the_customer_has_counts(place, needs, customer):
    needs(phone=True, email=True)
    customer.phone = "+254712345678"
    assert place(provider="memory").phone == "+254712345678"


def test_total_of_zero_needs_nothing(book, needs):
    Book.objects.update(sale_price=0)
    needs(phone=True, minimum=Decimal(10), currencies=["UGX"])
    cart, _token = guest_cart(book)
    assert checkout.place_order(cart, contact=contact(), provider="memory").payment_status == "paid"
    assert [choice.obstacle for choice in payments.provider_choices(amount=Decimal(0), currency="KES")] == [None] * 3


def test_order_without_a_phone_is_paid_with_another_phone(book, needs, guest_order):
    order = guest_order(provider="bank")
    needs(phone=True)
    assert [way.alias for way in payments.providers_for(order)] == ["memory", "bank"]
    with pytest.raises(PaymentNotPossible, match="Enter a phone number"):
        payments.start(order.pk, provider="memory")
    assert not Payment.objects.exists()
    assert payments.start(order.pk, provider="memory", phone="0712 345 678").provider == "memory"


def test_needs_that_were_added_while_an_order_waits(guest_order, needs):
    order = guest_order(provider="memory")
    needs(currencies=["UGX"])
    assert [way.alias for way in payments.providers_for(order)] == ["bank"]
    with pytest.raises(PaymentNotPossible):
        payments.start(order.pk)
    needs()
    waiting = payments.start(order.pk)
    needs(currencies=["UGX"])
    assert payments.start(order.pk) == waiting  # it has been started, and can be paid


def test_api_lists_the_ways_to_pay_the_cart(client, book, needs):
    Book.objects.update(sale_price=Decimal("12.50"))
    needs(phone=True, whole_units=True, currencies=["KES"], minimum=Decimal(1))
    _cart, token = guest_cart(book)
    memory, on_delivery, bank = client.get(
        "/api/orders/cart/payment_providers/", headers={"X-Cart-Token": token}
    ).json()
    assert memory == {
        "alias": "memory",
        "label": str(MemoryPaymentProvider.label),
        "is_possible": False,
        "problem": memory["problem"],
        "problem_need": "whole_units",
        "needs": {"email": False, "phone": True, "whole_units": True, "currencies": ["KES"], "minimum": "1.00"},
    }
    assert "whole amounts of KES" in memory["problem"]
    assert [(row["is_possible"], row["problem"], row["problem_need"]) for row in (on_delivery, bank)] == [
        (True, "", "")
    ] * 2
    Book.objects.update(sale_price=Decimal(12))
    memory = client.get("/api/orders/cart/payment_providers/", headers={"X-Cart-Token": token}).json()[0]
    assert memory["is_possible"]  # the phone is asked for at checkout


def test_api_names_the_need_and_the_field(client, book, needs):
    needs(phone=True)
    _cart, token = guest_cart(book)
    response = client.post(
        "/api/orders/orders/",
        {"contact": {"email": "guest@example.org"}, "payment_provider": "memory"},
        content_type="application/json",
        headers={"X-Cart-Token": token},
    )
    assert response.status_code == 409
    body = response.json()
    assert (body["code"], body["needs"], body["fields"]) == ("payment_not_possible", "phone", ["phone"])
    assert body["cart"]["total"] == "12.50"


class Picky(PaymentProvider):
    label = "Picky"

    def refuses(self, *, amount, currency):
        return "Even amounts only." if amount % 2 else ""


def test_rule_of_the_provider_is_an_obstacle_too():
    found = obstacle(Picky(alias="picky"), amount=Decimal(3), currency="KES")
    assert (found.need, found.field, found.message) == ("amount", "payment_provider", "Even amounts only.")
    assert obstacle(Picky(alias="picky"), amount=Decimal(4), currency="KES") is None


@pytest.mark.parametrize("fault", [KeyError("rates"), None, True, 7])
def test_fault_of_a_provider_does_not_hide_the_other_ways_to_pay(client, book, needs, monkeypatch, caplog, fault):
    def refuses(self, **_values):
        if isinstance(fault, Exception):
            raise fault
        return fault

    monkeypatch.setattr(MemoryPaymentProvider, "refuses", refuses)
    cart, token = guest_cart(book)
    shown = client.get("/api/orders/cart/payment_providers/", headers={"X-Cart-Token": token}).json()
    assert {row["alias"]: row["is_possible"] for row in shown} == {"memory": False, "on_delivery": True, "bank": True}
    assert "`refuses` of the payment provider memory failed" in caplog.text
    with pytest.raises(PaymentNotPossible, match="Choose another payment method"):
        checkout.place_order(cart, contact=contact(), provider="memory")
    order = checkout.place_order(cart, contact=contact(), provider="bank")
    assert "memory" not in [provider.alias for provider in payments.providers_for(order)]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"phone": True}, "not a Needs"),
        (Needs(currencies="KES"), "currencies='KES'"),
        (Needs(currencies=7), "currencies=7"),
        (Needs(currencies=["kes"]), "currencies=['kes']"),
        (Needs(minimum=Decimal(0)), "minimum="),
        (Needs(minimum=1.5), "minimum=1.5"),
        (Needs(minimum=Decimal("1E+30")), "is larger than"),
        (Needs(email="yes"), "email='yes'"),
    ],
)
def test_check_names_needs_that_cannot_be_used(memory_provider, monkeypatch, wrong, named):
    monkeypatch.setattr(MemoryPaymentProvider, "needs", wrong)
    (message,) = [message.msg for message in check_providers() if message.id == "shop_orders.E027"]
    assert "'memory'" in message
    assert named in message
