"""Which providers an order can be paid with, and until when."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from shop_orders.exceptions import CannotChangeProvider
from shop_orders.models import Order, OrderStatus
from shop_orders.payment_providers import PaymentProvider, aliases, payment_provider


def available_providers() -> list[PaymentProvider]:
    """The configured providers, in the order of the settings. A form can show their ``alias`` and ``label``."""
    return [payment_provider(alias) for alias in aliases()]


def providers_for(order: Order) -> list[PaymentProvider]:
    """The providers with which ``start`` accepts a payment of this order."""
    usable = [provider for provider in available_providers() if _may_pay(order, provider)]
    return [row for row in usable if not row.refuses(amount=order.amount_due, currency=order.currency)]


def change(order: Order, provider: PaymentProvider) -> None:
    """Pay an order with another provider. The caller has locked the order.

    Raises:
        CannotChangeProvider: it would confirm the order without a payment, which is decided at checkout, or it does
            not take the amount due.
    """
    if provider.alias == order.payment_provider:
        return
    if why := provider.refuses(amount=order.amount_due, currency=order.currency):
        raise CannotChangeProvider(why)
    if not _may_pay(order, provider):
        raise CannotChangeProvider
    if order.status == OrderStatus.PENDING:
        order.expires_at = deadline(order, provider)
    order.payment_provider = provider.alias
    order.save(update_fields=["payment_provider", "expires_at", "updated_at"])


def deadline(order: Order, provider: PaymentProvider) -> datetime | None:
    """Until when an order can be paid with a provider.

    The time of each provider counts from the placement, so that changing back and forth does not extend it. For an
    order without a time limit, it counts from now.
    """
    if provider.alias == order.payment_provider or provider.expires_after is None:
        return order.expires_at
    if order.expires_at is None:
        return timezone.now() + provider.expires_after
    return max(order.expires_at, order.placed_at + provider.expires_after)


def _may_pay(order: Order, provider: PaymentProvider) -> bool:
    is_new = provider.alias != order.payment_provider
    return not (is_new and provider.confirms_at_placement and order.status == OrderStatus.PENDING)
