"""Drafts of orders of many shapes, for the kits of pricing hooks and validators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from shop_core.money import quantise, unit

from shop_orders.models import Customer
from shop_orders.pricing import Charge, Contact, Draft, DraftLine

CURRENCIES = ("KES", "UGX", "KWD")
"""With two decimals, with none, and with three."""
CONTACT = Contact(name="Test Customer", email="customer@example.org", phone="+254712345678")
ADDRESS = {"name": "Test Customer", "line1": "1 Test Road", "city": "Nairobi", "postal_code": "00100", "country": "KE"}


def make_draft(
    *prices: str, currency: str = "KES", quantity: int = 1, line: Mapping[str, Any] = {}, **changes: Any
) -> Draft:
    """A draft with a line for each price. ``line`` and ``changes`` are values of the lines and of the draft."""
    lines = [
        DraftLine(
            product_ref=f"ref-{number}",
            sku=f"SKU-{number}",
            name=f"Product {number}",
            quantity=quantity,
            unit_price=quantise(Decimal(price), currency),
            **line,
        )
        for number, price in enumerate(prices, start=1)
    ]
    return Draft(lines=lines, currency=currency, **{"contact": CONTACT, **changes})


def drafts(currency: str) -> Iterator[tuple[str, Draft]]:
    """Pairs of a description and a draft."""
    typical = make_draft("600", "150.50", currency=currency, quantity=2, shipping_address=dict(ADDRESS))
    yield "with two lines and an address", typical
    yield "without an address", replace(typical, shipping_address={})
    yield "with an address that has a country only", replace(typical, shipping_address={"country": "UG"})
    yield "with an address without a country", replace(typical, shipping_address={"city": "Nairobi"})
    yield "with an e-mail address only", replace(typical, contact=Contact(email="customer@example.org"))
    yield "with a phone number only", replace(typical, contact=Contact(phone="+254712345678"))
    yield (
        "of a customer",
        replace(typical, customer=Customer.objects.first() or Customer.objects.create(email="a@example.org")),
    )
    yield "with an unknown delivery and provider", replace(typical, delivery="no-such", payment_provider="no-such")
    yield "with prices that include tax", _with_lines(typical, price_includes_tax=True)
    yield "with tax classes", _with_lines(typical, tax_class="books")
    yield (
        "of which one price includes tax",
        replace(typical, lines=[replace(typical.lines[0], price_includes_tax=True), *typical.lines[1:]]),
    )
    yield "with weights", _with_lines(typical, weight=Decimal("1.2500"))
    yield "with the smallest price", make_draft(str(unit(currency)), currency=currency)
    yield "with a large total", make_draft("99999.99", currency=currency, quantity=999)
    yield "that costs nothing", make_draft("0", currency=currency, shipping_address=dict(ADDRESS))
    yield "with earlier charges", replace(typical, charges=_charges(currency))
    yield (
        "with an earlier discount of everything",
        replace(typical, charges=[Charge(kind="discount", label="Voucher", amount=-typical.subtotal)]),
    )


def large_draft(currency: str, lines: int = 500) -> Draft:
    return make_draft(*["12.50"] * lines, currency=currency, shipping_address=dict(ADDRESS))


def _with_lines(draft: Draft, **values: Any) -> Draft:
    return replace(draft, lines=[replace(line, **values) for line in draft.lines])


def _charges(currency: str) -> Sequence[Charge]:
    return [
        Charge(kind="shipping", label="Shipping", amount=quantise(Decimal(300), currency)),
        Charge(kind="discount", label="Voucher", amount=quantise(Decimal("-99.99"), currency)),
    ]
