"""Hooks and backends that a site configures in its settings."""

import time
from decimal import Decimal
from functools import partial

from shop_orders.exceptions import CheckoutRefused
from shop_orders.pricing import Charge
from shop_orders.product_sources import ModelProductSource

NUMBERS = []


def scripted_number(order):
    """Return the next entry of NUMBERS."""
    return NUMBERS.pop(0)


def counted_number(order):
    """The number of the orders so far, with a slash."""
    return f"2026/{type(order).objects.count()}"


def number_of_order(order):
    """Needs a stored order."""
    return f"B-{order.pk + 1000}"


class RacingSource(ModelProductSource):
    """Another buyer takes the last unit between the stock check and the reservation."""

    def reserve(self, quantities, *, reference):
        return dict.fromkeys(quantities, 1)


def visitor(request):
    """The number of a terminal in the shop."""
    return request.headers.get("X-Device", "")


class OversellingSource(ModelProductSource):
    """Several buyers read the same stock before one of them lowers it."""

    def reserve(self, quantities, *, reference):
        products = self.fetch(quantities)
        short = {ref: products[ref].available for ref in quantities if products[ref].available < quantities[ref]}
        time.sleep(0.02)
        for ref, quantity in quantities.items() if not short else []:
            self.model.objects.filter(isbn=ref).update(on_hand=products[ref].available - quantity)
        return short


class KeepingSource(ModelProductSource):
    """Released stock is not available again."""

    def release(self, quantities, *, reference):
        pass


def verified_emails(user):
    return [user.email] if user.email else []


def deliveries(order_number):
    return [{"channel": "email", "status": "sent", "order": order_number}]


def order_url(order_number, token):
    return f"https://shop.example.org/orders/{order_number}/?token={token}"


def new_customer(user):
    return {"phone": "+254700000001"}


def discount(draft, *, share):
    yield Charge(kind="discount", label="Discount", amount=-draft.subtotal * Decimal(share))


def provider_fee(draft):
    """1.50 for paying on delivery."""
    if draft.payment_provider == "on_delivery":
        yield Charge(kind="fee", label="Paying at the door", amount=Decimal("1.50"))


def express(draft):
    """10.00 for the delivery option ``express``."""
    if draft.delivery == "express":
        yield Charge(kind="shipping", label="Express", amount=Decimal("10.00"))


def returned(draft, *, charges):
    """A pricing hook that returns what its settings say. A Charge is made when the hook is called."""
    return charges and [one() if isinstance(one, partial) else one for one in charges]


def broken(draft):
    """A pricing hook with a mistake."""
    return [Charge(kind="fee", label="Fee", amount=Decimal(1) / len(draft.charges))]


def only_kenya(draft):
    """A pricing hook that refuses an order."""
    if draft.shipping_address.get("country") != "KE":
        raise CheckoutRefused("We deliver in Kenya only.")
    return []


def slow_rule(draft):
    """A validator that takes 0.1 seconds."""
    time.sleep(0.1)


def endless_customer(user):
    """What a careless NEW_CUSTOMER hook returns."""
    return {"first_name": "x" * 10_000, "last_name": "a\0b", "email": f"{'x' * 300}@example.org"}


def engraving(draft):
    """A pricing hook that lowers the price of a product which several lines may have."""
    return [Charge(kind="discount", label="Engraved", amount=Decimal(-3), lines={"978-1": Decimal(-3)})]
