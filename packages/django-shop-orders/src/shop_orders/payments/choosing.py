"""Which providers an order can be paid with, and until when."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone

from shop_orders.exceptions import CannotChangeProvider
from shop_orders.models import Order, OrderStatus
from shop_orders.payment_providers import (
    Needs,
    Obstacle,
    PaymentProvider,
    aliases,
    check_needs,
    obstacle,
    payment_provider,
)


class ProviderChoice(NamedTuple):
    """A way to pay an amount, for a form or a client."""

    provider: PaymentProvider
    obstacle: Obstacle | None
    """Why it is not possible; None if it is."""

    @property
    def alias(self) -> str:
        """The provider's name in the settings, which the checkout takes."""
        return self.provider.alias

    @property
    def label(self) -> Any:
        """The name that customers see."""
        return self.provider.label

    @property
    def needs(self) -> Needs:
        """What an order must have so that it can be paid this way."""
        return self.provider.needs


def available_providers() -> list[PaymentProvider]:
    """The configured providers, in the order of the settings. A form can show their ``alias`` and ``label``."""
    return [payment_provider(alias) for alias in aliases()]


def provider_choices(
    *, amount: Decimal, currency: str, email: str | None = None, phone: str | None = None
) -> list[ProviderChoice]:
    """The configured providers, each with the reason if an amount cannot be paid with it. Zero needs nothing.

    ``email`` and ``phone`` are "" if the customer gave none, and None if that is not known yet.
    """
    return [
        ProviderChoice(
            provider,
            obstacle(provider, amount=amount, currency=currency, email=email, phone=phone) if amount else None,
        )
        for provider in available_providers()
    ]


def providers_for(order: Order) -> list[PaymentProvider]:
    """The providers with which ``start`` accepts a payment of this order, perhaps with another ``phone``."""
    usable = [provider for provider in available_providers() if _may_pay(order, provider)]
    return [provider for provider in usable if not _obstacle(order, provider)]


def check(order: Order, provider: PaymentProvider, *, phone: str = "") -> None:
    """Check that the amount due can be paid with a provider. ``phone`` is another one than the order's.

    Raises:
        PaymentNotPossible: the order lacks what the provider needs.
        CannotChangeProvider: it would confirm the order without a payment, which is decided at checkout.
    """
    check_needs(
        provider, amount=order.amount_due, currency=order.currency, email=order.email, phone=phone or order.phone
    )
    if not _may_pay(order, provider):
        raise CannotChangeProvider


def change(order: Order, provider: PaymentProvider) -> None:
    """Pay an order with another provider. The caller has locked the order, and called ``check``."""
    if provider.alias == order.payment_provider:
        return
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


def _obstacle(order: Order, provider: PaymentProvider) -> Obstacle | None:
    return obstacle(provider, amount=order.amount_due, currency=order.currency, email=order.email)


def manual_providers(order: Order) -> list[PaymentProvider]:
    """The order's providers whose payments staff record by hand; the current one first.

    If one of the order's providers was removed from the settings, these are all manual providers: its money may arrive
    through any of them.
    """
    used = {order.payment_provider, *order.payments.values_list("provider", flat=True)}
    is_removed = not used <= set(aliases())
    found = [row for row in available_providers() if row.is_manual and (is_removed or row.alias in used)]
    return sorted(found, key=lambda provider: provider.alias != order.payment_provider)
