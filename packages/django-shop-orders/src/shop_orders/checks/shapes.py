"""Checks that each setting has the type and range that the other checks and the app expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import checks
from shop_core import limits

from shop_orders import visitors
from shop_orders.conf import app_settings


def check_shapes() -> Iterator[checks.CheckMessage]:
    """The type of every setting that is set."""
    values: Any = getattr(settings, app_settings.setting, {})
    if not isinstance(values, Mapping):
        yield checks.Error(
            f"SHOP_ORDERS is a {type(values).__name__}, not a dict.",
            hint='Write SHOP_ORDERS = {"CURRENCY": "KES", ...}.',
            id="shop_orders.E013",
        )
        return
    for name, (shape, fits, example) in SHAPES.items():
        if name in values and not fits(values[name]):
            yield checks.Error(
                f'SHOP_ORDERS["{name}"] must be {shape}.',
                hint=f'Write for example "{name}": {example}.',
                id="shop_orders.E014",
            )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _is_number_of_proxies(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100)


def is_duration(value: object) -> bool:
    """Whether a value is a timedelta above zero."""
    return isinstance(value, timedelta) and value > timedelta(0)


def _has_backend(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("BACKEND"), str)
        and isinstance(value.get("OPTIONS", {}), Mapping)
    )


def _are_hooks(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) or _has_backend(item) for item in value)


def _are_paths(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value))


def _are_transitions(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(old, str) and isinstance(targets, (list, tuple, set, frozenset)) and all(map(_is_text, targets))
        for old, targets in value.items()
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


SHAPES: Mapping[str, tuple[str, Callable[[Any], bool], str]] = {
    "PRODUCT_SOURCE": (
        "a dict with a BACKEND",
        _has_backend,
        '{"BACKEND": "shop_orders.product_sources.ModelProductSource", "OPTIONS": {...}}',
    ),
    "PAYMENT_PROVIDERS": (
        "a dict of dicts, each with a BACKEND",
        lambda value: isinstance(value, Mapping) and all(map(_has_backend, value.values())),
        '{"on_delivery": {...}}',
    ),
    "PRICING": ("a list of dotted paths, or of dicts with a BACKEND", _are_hooks, '["mysite.pricing.loyalty"]'),
    "VALIDATORS": ("a list of dotted paths, or of dicts with a BACKEND", _are_hooks, '["mysite.shop.minimum_order"]'),
    "API_AUTH": ("a dotted path or a list of them", _are_paths, '"ninja.security.django_auth"'),
    "STAFF_API_AUTH": ("a dotted path or a list of them", _are_paths, '"ninja.security.django_auth"'),
    "TRANSITIONS": ("a dict of lists", _are_transitions, '{"delivered": ["processing"]}'),
    "MAX_QUANTITY": ("a whole number from 1 to 2147483647", _is_count, "999"),
    "MAX_LINES": ("a whole number from 1 to 32767", lambda value: _is_count(value) and value < 2**15, "500"),
    "MAX_UNPAID_UNITS": ("a whole number from 1 to 2147483647", _is_count, "200"),
    "TRUSTED_PROXIES": ("a whole number from 0 to 100, or None", _is_number_of_proxies, "1"),
    "MAX_UNPAID_ORDERS": ("a whole number from 1 to 2147483647", _is_count, "5"),
    "THROTTLES": (
        f"a dict of rates such as 60/m (s, m, h or d) for {', '.join(visitors.THROTTLED)}",
        lambda value: limits.are_rates(value, visitors.THROTTLED),
        '{"cart": "60/m", "orders": "20/h", "payments": "20/h"}',
    ),
    "GUEST_CHECKOUT": ("True or False", lambda value: isinstance(value, bool), "True"),
    "GUEST_LINK_MAX_AGE": ("a timedelta above zero", is_duration, "timedelta(days=90)"),
    "CART_MAX_AGE": ("a timedelta above zero", is_duration, "timedelta(days=60)"),
    "CART_ABANDONED_AFTER": (
        "a timedelta above zero, or None",
        lambda value: value is None or is_duration(value),
        "timedelta(hours=24)",
    ),
    "PROBLEM_TYPE_BASE": ("a text", _is_text, '"https://shop.example.org/problems/"'),
}
"""The type of a setting in words, the function that checks it, and an example to paste."""
