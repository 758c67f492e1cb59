"""Checks of PAYMENT_PROVIDERS."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.core import checks

from shop_orders.checks.shapes import is_duration
from shop_orders.conf import app_settings
from shop_orders.payment_providers import PaymentProvider, registry
from shop_orders.payment_providers.needs import problem_of_needs

ALIAS = re.compile(r"[-\w]{1,50}")
"""The characters and length that a URL and the payments' column allow."""


def check_providers() -> Iterator[checks.CheckMessage]:
    """Each configured provider can be constructed and used, and each name has one provider."""
    yield from _names()
    providers = app_settings.PAYMENT_PROVIDERS
    if not providers:
        yield checks.Error(
            'SHOP_ORDERS["PAYMENT_PROVIDERS"] is empty: no order could be paid.',
            hint='Paste: "PAYMENT_PROVIDERS": {"on_delivery": '
            '{"BACKEND": "shop_orders.payment_providers.PayOnDelivery"}}',
            id="shop_orders.E005",
        )
    for alias, config in providers.items():
        if not ALIAS.fullmatch(str(alias)):
            yield checks.Error(
                f"The payment provider {alias!r} has a name that cannot be part of a URL.",
                hint="Use up to 50 letters, digits, - and _.",
                id="shop_orders.E019",
            )
        try:
            provider = registry.construct(alias, config)
        except Exception as error:  # noqa: BLE001 - whatever its constructor raises is wrong configuration
            yield checks.Error(
                f"The payment provider {alias!r} cannot be constructed: {error}",
                hint=f'Write "{alias}": {{"BACKEND": "dotted.path.of.its.class", "OPTIONS": {{...}}}}.',
                id="shop_orders.E006",
            )
            continue
        if problem := problem_of_needs(getattr(provider, "needs", None)):
            yield checks.Error(
                f"The payment provider {alias!r} has `needs` that cannot be used: {problem}.",
                hint='Write for example needs = Needs(phone=True, currencies=("KES",), minimum=Decimal(10)).',
                id="shop_orders.E027",
            )
        time_to_pay = getattr(provider, "expires_after", None)
        if time_to_pay is not None and not is_duration(time_to_pay):
            yield checks.Error(
                f"The payment provider {alias!r} has the time to pay {time_to_pay!r}: not a timedelta above zero.",
                hint=f'Write for {type(provider).__name__} for example "OPTIONS": {{"days": 7}} or {{"minutes": 60}}.',
                id="shop_orders.E020",
            )


def _names() -> Iterator[checks.CheckMessage]:
    """Two distributions with the same entry point: which of them takes payments would be left to chance."""
    for name, points in registry.offered().items():
        if len({registry.distribution_of(point) for point in points}) > 1:
            found = dict.fromkeys(f"{registry.distribution_of(point)} ({point.value})" for point in points)
            yield checks.Error(
                f"Several distributions have a payment provider “{name}”: {', '.join(found)}.",
                hint="Uninstall all of them but one, or ask their authors for another name of the entry point.",
                id="shop_orders.E028",
            )


def working_providers() -> dict[str, PaymentProvider]:
    """The providers that can be constructed; E006 reports the others."""
    made = {}
    for alias, config in app_settings.PAYMENT_PROVIDERS.items():
        try:
            made[alias] = registry.construct(alias, config)
        except Exception:  # noqa: BLE001, S112
            continue
    return made


def has_webhooks(provider: PaymentProvider) -> bool:
    """Whether the provider sends webhooks."""
    return type(provider).read_webhook is not PaymentProvider.read_webhook
