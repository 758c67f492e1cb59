"""The delivery options of the shop in the pages that show them."""

from __future__ import annotations

from collections.abc import Iterable

from shop_orders.contrib.pages.delivery import DeliveryOption
from shop_orders.contrib.pages.views import checkout
from shop_orders.contrib.pages.views.base import Page
from shop_orders.pricing import Draft

from storefront import shipping
from storefront.forms import CheckoutForm


class WithDelivery(Page):
    """A page that knows the options of ``SHOP_DELIVERY``."""

    def delivery_options(self, draft: Draft) -> Iterable[DeliveryOption]:
        return [
            DeliveryOption(
                code=code,
                label=choice.label,
                hint=choice.hint,
                price=choice.price_for(draft.subtotal),
                needs_address=choice.needs_address,
            )
            for code, choice in shipping.choices().items()
        ]


class EnterDetails(WithDelivery, checkout.EnterDetails):
    """Contact, delivery, address and payment on one page."""

    form_class = CheckoutForm


class ReviewOrder(WithDelivery, checkout.ReviewOrder):
    """A review of everything, with the total that the customer agrees to by placing the order."""
