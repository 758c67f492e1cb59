"""Checks for settings of allauth that make tokens or addresses insecure, with the line to paste."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

STRATEGY = "shop_orders.contrib.allauth.tokens.TokenStrategy"


def register() -> None:
    checks.register(check_settings, "shop_orders")


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """All checks of the settings that the accounts router needs."""
    return [message for part in (_apps, _strategy, _stateless, _verification, _adapter, _cache) for message in part()]


def _apps() -> Iterator[checks.CheckMessage]:
    missing = [name for name in ("allauth.account", "allauth.headless") if not apps.is_installed(name)]
    if missing:
        pasted = ", ".join(f'"{name}"' for name in missing)
        yield checks.Error(
            f"The accounts router needs {' and '.join(missing)} in INSTALLED_APPS.",
            hint=f"Paste into INSTALLED_APPS: {pasted}.",
            id="shop_orders_allauth.E001",
        )
    if "app" not in getattr(settings, "HEADLESS_CLIENTS", ("browser", "app")):
        yield checks.Error(
            "HEADLESS_CLIENTS has no “app”: the accounts router calls allauth's flows for apps.",
            hint='Paste into settings.py: HEADLESS_CLIENTS = ["app", "browser"]',
            id="shop_orders_allauth.E002",
        )


def _strategy() -> Iterator[checks.CheckMessage]:
    if getattr(settings, "HEADLESS_TOKEN_STRATEGY", "") != STRATEGY:
        yield checks.Warning(
            "HEADLESS_TOKEN_STRATEGY is not the strategy of the accounts router: its responses would lack tokens.",
            hint=f'Paste into settings.py: HEADLESS_TOKEN_STRATEGY = "{STRATEGY}" (a subclass is fine: silence this).',
            id="shop_orders_allauth.W001",
        )


def _stateless() -> Iterator[checks.CheckMessage]:
    if not getattr(settings, "HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED", False):
        yield checks.Warning(
            "Access tokens are not checked against their session: they outlive log-out, a changed password and a "
            "deactivated account, and a deleted account's token gives a server error.",
            hint="Paste into settings.py: HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True",
            id="shop_orders_allauth.W002",
        )


def _verification() -> Iterator[checks.CheckMessage]:
    if getattr(settings, "ACCOUNT_EMAIL_VERIFICATION", "optional") != "mandatory":
        yield checks.Warning(
            "Addresses need not be verified: registering reveals which addresses have an account.",
            hint='Paste into settings.py: ACCOUNT_EMAIL_VERIFICATION = "mandatory"',
            id="shop_orders_allauth.W003",
        )


def _adapter() -> Iterator[checks.CheckMessage]:
    if not apps.is_installed("allauth.account"):
        return
    from shop_orders.contrib.allauth.adapter import AccountAdapter

    chosen = import_string(getattr(settings, "ACCOUNT_ADAPTER", "allauth.account.adapter.DefaultAccountAdapter"))
    if not issubclass(chosen, AccountAdapter):
        yield checks.Warning(
            "ACCOUNT_ADAPTER compares addresses by their lower case: spellings of one address are several accounts.",
            hint="Paste into settings.py: ACCOUNT_ADAPTER = "
            '"shop_orders.contrib.allauth.adapter.AccountAdapter", or let your adapter inherit from it.',
            id="shop_orders_allauth.W005",
        )


def _cache() -> Iterator[checks.CheckMessage]:
    if settings.DEBUG:
        return
    backend = settings.CACHES.get("default", {}).get("BACKEND", "")
    if backend.endswith("DummyCache"):
        yield checks.Warning(
            "The cache stores nothing: allauth's rate limits do not count, and used refresh tokens are forgotten.",
            hint="Set CACHES to a cache that all processes share, such as "
            '{"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://..."}}',
            id="shop_orders_allauth.W004",
        )
