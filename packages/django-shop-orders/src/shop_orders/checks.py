"""Wrong settings, found by ``manage.py check``, with the line to paste."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks

from shop_orders.conf import app_settings


def register() -> None:
    checks.register(check_settings, "shop_orders")


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """All checks of the SHOP_ORDERS setting."""
    return list(_currency())


def _currency() -> Iterable[checks.CheckMessage]:
    if not app_settings.get("CURRENCY", ""):
        yield checks.Warning(
            "SHOP_ORDERS has no CURRENCY.",
            hint='Paste into settings.py: SHOP_ORDERS = {"CURRENCY": "KES", ...} with your ISO 4217 code.',
            id="shop_orders.W001",
        )
