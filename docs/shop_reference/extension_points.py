"""The classes that a plugin implements or receives."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping

from shop_reference.definitions import members
from shop_reference.markdown import paragraphs

CLASSES: Mapping[str, tuple[str, str]] = {
    "Product sources": ("shop_orders.product_sources", "ProductSource SourceProduct DetailedProduct SourceChooser"),
    "Payment providers": (
        "shop_orders.payment_providers",
        (
            "PaymentProvider Needs Obstacle PaymentRequest PaymentStart PaymentState PaymentEvent RefundRequest "
            "RefundResult RefundState DisputeState IncomingPaymentEvent Problem"
        ),
    ),
    "Pricing hooks and validators": ("shop_orders.pricing", "Draft DraftLine Charge Taxed"),
    "Kits of shop_orders": (
        "shop_orders.testing",
        "ProductSourceContract PaymentProviderContract PricingHookContract ValidatorContract OrderNumberContract",
    ),
    "Stand-ins for the service of a payment provider": (
        "shop_orders.testing",
        "PaymentService LocalPaymentService ServicePayment ServiceRefund",
    ),
    "In-memory implementations": ("shop_orders.testing", "MemoryProductSource MemoryProduct MemoryPaymentProvider"),
    "Notifiers": ("shop_notify.notifiers", "Notifier SmsNotifier Message Receipt Report Balance"),
    "HTTP for notifiers": ("shop_notify.notifiers.http", "Response"),
    "Kits of shop_notify": ("shop_notify.testing", "NotifierContract ReportContract Transport"),
    "Search backends": ("shop_catalog.search", "SearchBackend Prepared Group"),
    "Kit of shop_catalog": ("shop_catalog.testing", "SearchContract"),
}
"""By title, the module and the names of the classes."""


def extension_points() -> str:
    """The classes of CLASSES: docstrings, fields and methods."""
    parts = []
    for title, (path, names) in CLASSES.items():
        module = importlib.import_module(path)
        parts.append(f"## {title}")
        for name in names.split():
            class_ = getattr(module, name)
            parts += [f"### {name}", f"`{path}.{name}`", paragraphs(inspect.getdoc(class_)), *members(class_)]
            parts += [part for base in _parts(class_) for part in members(base)]
    return "\n\n".join(part for part in parts if part)


def _parts(class_: type) -> list[type]:
    """The base classes of a kit, which are not used directly."""
    named = {name for _path, names in CLASSES.values() for name in names.split()}
    bases = inspect.getmro(class_)[1:] if class_.__name__.endswith("Contract") else ()
    return [
        base
        for base in bases
        if base.__module__.startswith(("shop_orders.testing.", "shop_catalog.testing.")) and base.__name__ not in named
    ]
