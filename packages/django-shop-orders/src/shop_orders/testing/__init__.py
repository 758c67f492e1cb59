"""For tests of sites and plugins: in-memory backends, stand-ins, and contract kits (which need pytest)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shop_orders.testing.backends import MemoryPaymentProvider, MemoryProduct, MemoryProductSource
from shop_orders.testing.payment_services import (
    LocalPaymentService,
    PaymentService,
    ServicePayment,
    ServiceRefund,
    signed_call,
)

if TYPE_CHECKING:
    from shop_orders.testing.drafts import make_draft
    from shop_orders.testing.hook_contracts import OrderNumberContract, PricingHookContract
    from shop_orders.testing.payment_contract import PaymentProviderContract
    from shop_orders.testing.source_contract import ProductSourceContract
    from shop_orders.testing.validator_contract import ValidatorContract

LAZY = {
    "OrderNumberContract": "shop_orders.testing.hook_contracts",
    "PaymentProviderContract": "shop_orders.testing.payment_contract",
    "PricingHookContract": "shop_orders.testing.hook_contracts",
    "ProductSourceContract": "shop_orders.testing.source_contract",
    "ValidatorContract": "shop_orders.testing.validator_contract",
    "make_draft": "shop_orders.testing.drafts",
}
"""Imported on first use: the kits need pytest, and the others need models, which are not loaded yet in settings."""

__all__ = [
    "LocalPaymentService",
    "MemoryPaymentProvider",
    "MemoryProduct",
    "MemoryProductSource",
    "OrderNumberContract",
    "PaymentProviderContract",
    "PaymentService",
    "PricingHookContract",
    "ProductSourceContract",
    "ServicePayment",
    "ServiceRefund",
    "ValidatorContract",
    "make_draft",
    "signed_call",
]


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
