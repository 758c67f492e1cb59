"""Checks of the settings that are plain values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import phonenumbers
from django.core import checks

from shop_orders.conf import app_settings
from shop_orders.models import OrderStatus

MERGE_POLICIES = ("sum", "larger", "guest", "account")


def check_names() -> Iterator[checks.CheckMessage]:
    """Every name in SHOP_ORDERS is a setting."""
    for name in app_settings.unknown():
        yield checks.Warning(
            f'SHOP_ORDERS["{name}"] is not a setting.', hint="Is it misspelt? Remove it.", id="shop_orders.W003"
        )


def check_currency() -> Iterator[checks.CheckMessage]:
    """CURRENCY is an ISO 4217 code."""
    currency = app_settings.get("CURRENCY", "")
    if not currency:
        yield checks.Warning(
            "SHOP_ORDERS has no CURRENCY.",
            hint='Paste into settings.py: SHOP_ORDERS = {"CURRENCY": "KES", ...} with your ISO 4217 code.',
            id="shop_orders.W001",
        )
    elif not re.fullmatch(r"[A-Z]{3}", str(currency)):
        # Not a fixed list, so that codes which ISO adds later are accepted.
        yield checks.Error(
            f'SHOP_ORDERS["CURRENCY"] is {currency!r}, not an ISO 4217 code.',
            hint='Write three capital letters: "CURRENCY": "KES".',
            id="shop_orders.E001",
        )


def check_regions() -> Iterator[checks.CheckMessage]:
    """PHONE_REGIONS has countries that the phone number library knows."""
    regions: Any = app_settings.PHONE_REGIONS
    is_list = isinstance(regions, (list, tuple, set, frozenset))
    wrong = [region for region in regions if region not in phonenumbers.SUPPORTED_REGIONS] if is_list else []
    if wrong or not is_list:
        yield checks.Error(
            f'SHOP_ORDERS["PHONE_REGIONS"] has {wrong or regions!r}: not a country.',
            hint='Write a list of ISO 3166-1 codes: "PHONE_REGIONS": ["KE"].',
            id="shop_orders.E010",
        )


def check_choices() -> Iterator[checks.CheckMessage]:
    """CART_MERGE and TRANSITIONS have values that the app knows."""
    if app_settings.CART_MERGE not in MERGE_POLICIES:
        yield checks.Error(
            f'SHOP_ORDERS["CART_MERGE"] is {app_settings.CART_MERGE!r}.',
            hint=f'Write one of {", ".join(MERGE_POLICIES)}: "CART_MERGE": "sum".',
            id="shop_orders.E011",
        )
    transitions = app_settings.TRANSITIONS
    wrong = {status for old, targets in transitions.items() for status in (old, *targets)} - set(OrderStatus.values)
    if wrong:
        yield checks.Error(
            f'SHOP_ORDERS["TRANSITIONS"] names unknown statuses: {", ".join(sorted(wrong))}.',
            hint=f"The statuses are {', '.join(OrderStatus.values)}.",
            id="shop_orders.E012",
        )
    if transitions.get(OrderStatus.CANCELLED) or any(
        OrderStatus.PENDING in targets for targets in transitions.values()
    ):
        yield checks.Error(
            'SHOP_ORDERS["TRANSITIONS"] has a transition from cancelled or to pending, which is not supported.',
            hint="Remove it. A cancelled order has given its stock back: place a new order instead.",
            id="shop_orders.E021",
        )
