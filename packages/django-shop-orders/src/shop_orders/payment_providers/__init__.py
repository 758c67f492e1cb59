"""Payment providers: the base class, and the providers of this package."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from shop_orders.conf import app_settings
from shop_orders.exceptions import UnknownPaymentProvider
from shop_orders.models import Order, PaymentStatus, Refund
from shop_orders.payment_providers import registry
from shop_orders.payment_providers.bank_transfer import BankTransfer
from shop_orders.payment_providers.base import (
    DisputeState,
    IncomingPaymentEvent,
    PaymentEvent,
    PaymentProvider,
    PaymentRequest,
    PaymentStart,
    PaymentState,
    Problem,
    RefundRequest,
    RefundResult,
    RefundState,
    from_minor_units,
    minor_units,
)
from shop_orders.payment_providers.hosted_test import HostedTestProvider
from shop_orders.payment_providers.needs import Needs, Obstacle, check_needs, obstacle
from shop_orders.payment_providers.on_delivery import PayOnDelivery

OPTIONAL = {"Mpesa": "shop_orders.payment_providers.mpesa", "StripeCheckout": "shop_orders.payment_providers.stripe"}
"""Providers that need an extra, imported when they are used."""

__all__ = [
    "BankTransfer",
    "DisputeState",
    "HostedTestProvider",
    "IncomingPaymentEvent",
    "Needs",
    "Obstacle",
    "PayOnDelivery",
    "PaymentEvent",
    "PaymentProvider",
    "PaymentRequest",
    "PaymentStart",
    "PaymentState",
    "Problem",
    "RefundRequest",
    "RefundResult",
    "RefundState",
    "aliases",
    "awaits_online_payment",
    "check_needs",
    "default_alias",
    "from_minor_units",
    "label_of",
    "minor_units",
    "obstacle",
    "payment_provider",
    "refund_needs_decision",
]


def __getattr__(name: str) -> Any:
    if name in OPTIONAL:
        return getattr(import_module(OPTIONAL[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def payment_provider(alias: str) -> PaymentProvider:
    """The provider configured under an alias.

    Raises:
        UnknownPaymentProvider: there is none.
    """
    config = app_settings.PAYMENT_PROVIDERS.get(alias)
    if config is None:
        raise UnknownPaymentProvider(alias)
    return cast("PaymentProvider", registry.construct(alias, config))


def label_of(alias: str) -> str:
    """The provider's label, or the alias if the provider was removed from the settings."""
    try:
        return str(payment_provider(alias).label)
    except UnknownPaymentProvider:
        return alias


def awaits_online_payment(order: Order) -> bool:
    """Whether the customer still has to pay online. Staff get a warning before they accept such an order.

    False for providers whose payments staff record, and for those that confirm an order at once. True for a provider
    that was removed from the settings.
    """
    if not order.amount_due or order.payment_status == PaymentStatus.AUTHORISED:
        return False
    try:
        provider = payment_provider(order.payment_provider)
    except UnknownPaymentProvider:
        return True
    return not provider.is_manual and not provider.confirms_at_placement


def refund_needs_decision(refund: Refund) -> bool:
    """Whether staff have to enter the result of a refund: its provider cannot be asked, or the result cannot be
    recorded.

    A refund that was sent to a provider that was removed from the settings is not repeated, but may have succeeded.
    """
    if not refund.error or refund.status not in (Refund.Status.QUEUED, Refund.Status.PENDING):
        return False
    return refund.status == Refund.Status.PENDING or refund.payment.provider not in aliases()


def aliases() -> tuple[str, ...]:
    """The aliases in PAYMENT_PROVIDERS, in the order of the settings. Providers are not loaded."""
    return tuple(app_settings.PAYMENT_PROVIDERS)


def default_alias() -> str:
    """The first of PAYMENT_PROVIDERS."""
    return next(iter(app_settings.PAYMENT_PROVIDERS))
