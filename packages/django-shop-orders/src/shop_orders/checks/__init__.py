"""The checks of ``manage.py check``. Their hints have the line to paste.

docs/reference/orders-settings.md lists them by setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import connections
from django.urls import NoReverseMatch, reverse
from shop_core.db.compiled import is_newer_than_tested

from shop_orders.checks.hooks import check_auth, check_hooks
from shop_orders.checks.numbers import check_number, check_number_with_database
from shop_orders.checks.products import check_row_with_database, check_source
from shop_orders.checks.providers import check_providers, has_webhooks, working_providers
from shop_orders.checks.routers import check_routers
from shop_orders.checks.shapes import check_shapes
from shop_orders.checks.states import check_states, check_states_with_database, check_transitions_to_cancelled
from shop_orders.checks.values import check_choices, check_currency, check_names, check_regions
from shop_orders.conf import app_settings
from shop_orders.payment_providers import HostedTestProvider

__all__ = ["check_databases", "check_deployment", "check_django", "check_settings", "check_urls", "register"]

DEFAULT_VISITOR = "shop_orders.visitors.visitor_address"

PARTS = (
    check_names,
    check_currency,
    check_source,
    check_providers,
    check_hooks,
    check_number,
    check_auth,
    check_regions,
    check_choices,
    check_states,
    check_transitions_to_cancelled,
    check_routers,
)


def register() -> None:
    checks.register(check_settings, "shop_orders")
    checks.register(check_databases, "shop_orders")
    checks.register(check_django, "shop_orders")
    checks.register(check_number_with_database, "shop_orders", checks.Tags.database)
    checks.register(check_row_with_database, "shop_orders", checks.Tags.database)
    checks.register(check_states_with_database, "shop_orders", checks.Tags.database)
    checks.register(check_urls, "shop_orders")
    checks.register(check_deployment, "shop_orders", deploy=True)


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """All checks of the SHOP_ORDERS setting."""
    wrong_shapes = list(check_shapes())
    if wrong_shapes:
        return wrong_shapes  # the other checks read these settings
    return [message for part in PARTS for message in part()]


def check_databases(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """SQLite needs IMMEDIATE transactions: with the default, nine of ten concurrent checkouts fail with “database is
    locked”."""
    return [
        checks.Warning(
            f'The SQLite database "{alias}" does not begin transactions with IMMEDIATE: concurrent writes will fail.',
            hint='Paste into its OPTIONS: "transaction_mode": "IMMEDIATE", "timeout": 20, '
            '"init_command": "PRAGMA journal_mode=WAL;"',
            id="shop_orders.W002",
        )
        for alias in connections
        if connections[alias].vendor == "sqlite"
        and connections[alias].settings_dict["OPTIONS"].get("transaction_mode") != "IMMEDIATE"
    ]


def check_django(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Warns of a Django version with which the compiled queries were not tested."""
    if not is_newer_than_tested():
        return []
    return [
        checks.Warning(
            "This Django is newer than the newest that was tested: carts are found by plain, slower queries.",
            hint="Update django-shop-core and django-shop-orders. Until then nothing else changes.",
            id="shop_orders.W009",
        )
    ]


def check_urls(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Providers with webhooks need a URL."""
    if not any(has_webhooks(provider) for provider in working_providers().values()):
        return []
    try:
        reverse("shop_orders:webhook", args=["alias"])
    except NoReverseMatch:
        return [
            checks.Warning(
                "Payment providers have no URL to call: a payment is found only when its state is fetched.",
                hint='Paste into urlpatterns: path("payments/", include("shop_orders.urls")),',
                id="shop_orders.W006",
            )
        ]
    return []


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Settings that must not be deployed."""
    return [*_test_providers(), *_unknown_proxies()]


def _unknown_proxies() -> list[checks.CheckMessage]:
    if app_settings.TRUSTED_PROXIES is not None or app_settings.VISITOR != DEFAULT_VISITOR:
        return []
    return [
        checks.Warning(
            "The number of reverse proxies in front of the site is not known: behind a proxy all visitors would count "
            "as one, so unpaid orders are limited by contact only.",
            hint='Write their number: "TRUSTED_PROXIES": 1, or 0 where clients connect to the site directly.',
            id="shop_orders.W012",
        )
    ]


def _test_providers() -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"The payment provider {alias!r} is the test provider: anybody can press Pay, and no money moves.",
            hint=f'Remove "{alias}" from SHOP_ORDERS["PAYMENT_PROVIDERS"].',
            id="shop_orders.W007",
        )
        for alias, provider in working_providers().items()
        if isinstance(provider, HostedTestProvider)
    ]
