"""The taxes of an order as they are stored and sent."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from shop_orders import carts, checkout
from shop_orders.models import Charge, Order, OrderLine
from shop_orders.pricing import Charge as Extra
from testproject.books.models import Book

pytestmark = pytest.mark.django_db

TAX = {"BACKEND": "shop_orders.pricing.flat_rate_tax", "OPTIONS": {"rate": "0.16", "rates": {"zero": "0"}}}


def hook(*charges):
    return {"BACKEND": "testproject.hooks.returned", "OPTIONS": {"charges": charges}}


@pytest.fixture
def pricing(shop_settings, settings):
    """Books with included tax, a discount of 15 and shipping of 10."""
    source = settings.SHOP_ORDERS["PRODUCT_SOURCE"]
    shop_settings(
        PRODUCT_SOURCE={
            **source,
            "OPTIONS": {**source["OPTIONS"], "price_includes_tax": True, "tax_class": "title"},
        },
        PRICING=[
            hook(Extra(kind="discount", label="Sale", amount=Decimal(-15))),
            {"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": {"amount": "10", "tax_class": ""}},
            TAX,
        ],
    )


@pytest.fixture
def order(pricing, place, other_book, customer):
    Book.objects.filter(isbn="978-2").update(title="zero", sale_price=50)
    carts.add_to_cart("978-2", 1, customer=customer)
    return place(quantity=2)


def test_lines_and_charges_store_rate_net_and_tax(order):
    stored = Order.objects.get(pk=order.pk)
    names = ("discount", "tax_rate", "net", "tax")
    assert list(stored.lines.values_list("product_ref", *names)) == [
        ("978-2", -10, 0, 40, 0),
        ("978-1", -5, Decimal("0.16"), Decimal("17.24"), Decimal("2.76")),
    ]
    assert list(stored.charges.values_list("kind", "amount", "base", "lines", *names)) == [
        ("discount", -15, None, None, 0, None, None, None),
        ("shipping", 10, None, None, 0, Decimal("0.16"), Decimal("8.62"), Decimal("1.38")),
        ("tax", Decimal("4.14"), Decimal("25.86"), {"978-1": "2.76"}, 0, Decimal("0.16"), None, None),
        ("tax", 0, 40, {"978-2": "0.00"}, 0, 0, None, None),
    ]
    assert [(tax.tax_rate, tax.base, tax.amount) for tax in stored.tax_lines] == [
        (Decimal("0.16"), Decimal("25.86"), Decimal("4.14")),
        (0, 40, 0),
    ]
    assert sum(tax.amount for tax in stored.tax_lines) == stored.tax_total
    assert sum(tax.base for tax in stored.tax_lines) == stored.net_total


def test_api_sends_the_same_taxes_when_placed_and_when_read(order, client, user):
    headers = {"Authorization": f"Bearer user-{user.pk}"}
    read = client.get(f"/api/orders/orders/{order.number}/", headers=headers).json()
    carts.add_to_cart("978-1", 2, customer=order.customer)
    carts.add_to_cart("978-2", 1, customer=order.customer)
    cart = client.get("/api/orders/cart/", headers=headers).json()
    placed = client.post("/api/orders/orders/", {}, "application/json", headers=headers).json()
    assert placed["tax_lines"] == read["tax_lines"] == cart["tax_lines"]
    assert read["tax_lines"] == [
        {"label": "Tax, included", "rate": "0.16", "base": "25.86", "amount": "4.14", "is_included": True},
        {"label": "Tax, included", "rate": "0", "base": "40.00", "amount": "0.00", "is_included": True},
    ]
    assert placed["charges"] == read["charges"] == cart["charges"]
    names = ("product", "discount", "tax_rate", "net", "tax")
    lines = [[line[name] for name in names] for line in read["lines"]]
    assert lines == [["978-2", "-10.00", "0", "40.00", "0.00"], ["978-1", "-5.00", "0.16", "17.24", "2.76"]]
    for body in (placed, cart):
        assert sorted([line[name] for name in names] for line in body["lines"]) == sorted(lines)
        assert (body["net_total"], body["tax_total"], body["total"]) == ("65.86", "4.14", "70.00")


def test_payload_has_the_taxes(order):
    payload = order.events.get(kind="placed").payload["order"]
    assert payload["tax_lines"] == [
        {
            "label": "Tax, included",
            "rate": "0.16",
            "percent": "16",
            "base": "25.86",
            "amount": "4.14",
            "is_included": True,
        },
        {
            "label": "Tax, included",
            "rate": "0",
            "percent": "0",
            "base": "40.00",
            "amount": "0.00",
            "is_included": True,
        },
    ]
    paid = sum(Decimal(line["line_total"]) for line in payload["lines"])
    paid += sum(Decimal(charge["amount"]) for charge in payload["charges"] if not charge["is_included"])
    assert str(paid) == payload["total"]


def test_tax_lines_take_no_extra_statement(pricing, customer, book, other_book, shop_settings):
    counts = set()
    for hooks in ([], [TAX], [hook(Extra(kind="shipping", label="Post", amount=Decimal(1))), TAX]):
        shop_settings(PRICING=hooks)
        cart, _token = carts.add_to_cart("978-1", 1, customer=customer)
        with CaptureQueriesContext(
            connection,
        ) as taken:
            checkout.place_order(cart)
        counts.add(len(taken) - bool(hooks))  # the statement that writes all charges
    assert len(counts) == 1


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (OrderLine, {"net": Decimal("20.02"), "tax": Decimal(3)}),
        (OrderLine, {"net": Decimal("17.23")}),
        (OrderLine, {"tax": Decimal("2.75")}),
        (OrderLine, {"net": None}),
        (OrderLine, {"tax": None}),
        (OrderLine, {"tax": Decimal(-1), "net": Decimal(20)}),
        (OrderLine, {"discount": Decimal(1)}),
        (OrderLine, {"discount": Decimal(-26), "net": Decimal(0), "tax": Decimal(0)}),
        (Charge, {"net": Decimal("8.61")}),
        (Charge, {"base": Decimal(10)}),
        (Charge, {"amount": Decimal(-10)}),
        (Charge, {"kind": "discount"}),
        (Charge, {"kind": "tax"}),
    ],
)
def test_database_refuses_what_does_not_add_up(order, model, values):
    row = order.lines.all()[1] if model is OrderLine else order.charges.all()[1]
    assert (row.tax_rate, row.discount) in [(Decimal("0.16"), -5), (Decimal("0.16"), 0)]
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.filter(pk=row.pk).update(**values)


def test_admin_shows_the_taxes(order, admin_client):
    page = admin_client.get(f"/admin/shop_orders/order/{order.pk}/change/").content.decode()
    assert "17.2400" in page
    assert "0.160000" in page


def test_tax_that_is_divided_only_in_part_is_not_stored_as_divided(shop_settings, place):
    """Two taxes at one rate become one. If only one of them is divided, the sum is not."""
    parts = {"rate": Decimal("0.1"), "kind": "tax", "label": "Levy"}
    known = Extra(amount=Decimal(1), base=Decimal(10), lines={"978-1": Decimal(1)}, **parts)
    shop_settings(PRICING=[hook(known, Extra(amount=Decimal(5), **parts))])
    stored = Order.objects.get(pk=place().pk)
    assert [(tax.amount, tax.base, tax.lines) for tax in stored.tax_lines] == [(6, None, None)]
    assert [(line.net, line.tax) for line in stored.lines.all()] == [(None, None)]
