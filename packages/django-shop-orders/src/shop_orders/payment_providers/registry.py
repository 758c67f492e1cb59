"""The providers that the settings can name: a BACKEND is a dotted path or the name of an installed entry point."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from django.utils.module_loading import import_string

GROUP = "shop_orders.payment_providers"
SHIPPED = {
    "bank_transfer": "shop_orders.payment_providers.bank_transfer:BankTransfer",
    "hosted_test": "shop_orders.payment_providers.hosted_test:HostedTestProvider",
    "mpesa": "shop_orders.payment_providers.mpesa:Mpesa",
    "on_delivery": "shop_orders.payment_providers.on_delivery:PayOnDelivery",
    "stripe": "shop_orders.payment_providers.stripe:StripeCheckout",
}
"""Listed here so that they are known even if the package is not installed and has no metadata."""


@functools.cache
def offered() -> Mapping[str, Sequence[EntryPoint]]:
    """``{name: entry points}`` of every provider that an installed distribution offers: ours first, then by
    distribution. Two for one name are an error of ``check``.
    """
    ours = [EntryPoint(name, value, GROUP) for name, value in SHIPPED.items()]
    installed = sorted(entry_points(group=GROUP), key=distribution_of)
    found: defaultdict[str, list[EntryPoint]] = defaultdict(list)
    for point in (*ours, *installed):
        found[point.name].append(point)
    return dict(found)


def distribution_of(point: EntryPoint) -> str:
    """The name of the distribution, spelled as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", point.dist.name).lower() if point.dist else "django-shop-orders"


def class_at(backend: str) -> Any:
    """The class that a BACKEND names.

    Raises:
        ImportError: there is none.
    """
    if "." in backend:
        return import_string(backend)
    if backend not in offered():
        names = ", ".join(sorted(offered()))
        raise ImportError(f'"BACKEND": "{backend}" is not the name of an installed provider. Installed: {names}.')
    return offered()[backend][0].load()


def construct(alias: str, config: Mapping[str, Any]) -> Any:
    """The provider of an entry of PAYMENT_PROVIDERS."""
    return class_at(config["BACKEND"])(alias=alias, **config.get("OPTIONS", {}))
