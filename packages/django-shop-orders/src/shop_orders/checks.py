"""Wrong settings, found by ``manage.py check``, with the line to paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import phonenumbers
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import connections
from django.utils.module_loading import import_string

from shop_orders.conf import app_settings
from shop_orders.models import OrderStatus
from shop_orders.product_sources import ModelProductSource, product_source

MERGE_POLICIES = ("sum", "larger", "guest", "account")
HOOKS = ("ORDER_NUMBER", "REQUEST_USER", "NEW_CUSTOMER", "VERIFIED_EMAILS", "ORDER_URL", "DELIVERIES")


def register() -> None:
    checks.register(check_settings, "shop_orders")
    checks.register(check_databases, "shop_orders")


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """All checks of the SHOP_ORDERS setting."""
    parts = (_unknown, _currency, _source, _providers, _hooks, _auth, _regions, _choices)
    return [message for part in parts for message in part()]


def check_databases(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """SQLite needs IMMEDIATE transactions: with the default nine of ten concurrent checkouts fail as locked."""
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


def _unknown() -> Iterator[checks.CheckMessage]:
    for name in app_settings.unknown():
        yield checks.Warning(
            f'SHOP_ORDERS["{name}"] is not a setting.', hint="Is it misspelt? Remove it.", id="shop_orders.W003"
        )


def _currency() -> Iterator[checks.CheckMessage]:
    currency = app_settings.get("CURRENCY", "")
    if not currency:
        yield checks.Warning(
            "SHOP_ORDERS has no CURRENCY.",
            hint='Paste into settings.py: SHOP_ORDERS = {"CURRENCY": "KES", ...} with your ISO 4217 code.',
            id="shop_orders.W001",
        )
    elif not re.fullmatch(r"[A-Z]{3}", str(currency)):
        yield checks.Error(
            f'SHOP_ORDERS["CURRENCY"] is {currency!r}, not an ISO 4217 code.',
            hint='Write three capital letters: "CURRENCY": "KES".',
            id="shop_orders.E001",
        )


def _source() -> Iterator[checks.CheckMessage]:
    if "PRODUCT_SOURCE" not in getattr(settings, app_settings.setting, {}):
        yield checks.Warning(
            "SHOP_ORDERS has no PRODUCT_SOURCE: there is nothing to sell.",
            hint="Run `python manage.py shop_orders_quickstart yourapp.YourModel` and paste what it prints.",
            id="shop_orders.W004",
        )
        return
    try:
        source: Any = product_source()
    except Exception as error:  # noqa: BLE001 - whatever its constructor raises is wrong configuration
        yield checks.Error(
            f'SHOP_ORDERS["PRODUCT_SOURCE"] cannot be made: {error}',
            hint="BACKEND is the dotted path of a class, OPTIONS its keywords.",
            id="shop_orders.E002",
        )
        return
    if isinstance(source, ModelProductSource):
        yield from _model_source(source)


def _model_source(source: ModelProductSource) -> Iterator[checks.CheckMessage]:
    names = {field.name for field in source.model._meta.get_fields()}
    for option in ("ref", "stock"):
        name = getattr(source, option)
        if name and name not in names:
            yield _no_field(source, option, name)
    for option in ("name", "price", "sku", "tax_class", "weight", "image"):
        name = getattr(source, option)
        if name and not hasattr(source.model, name):
            yield _no_field(source, option, name)
    try:
        is_unique = getattr(source.model._meta.get_field(source.ref), "unique", False)
    except FieldDoesNotExist:
        return
    if not is_unique:
        yield checks.Error(
            f"{source.model._meta.label}.{source.ref} is the products' reference and is not unique.",
            hint=f'Make it unique, or name another one: "OPTIONS": {{"ref": "{source.model._meta.pk.name}"}}.',
            id="shop_orders.E004",
        )


def _no_field(source: ModelProductSource, option: str, name: str) -> checks.CheckMessage:
    fields = ", ".join(field.name for field in source.model._meta.fields)
    return checks.Error(
        f'PRODUCT_SOURCE says "{option}": "{name}", but {source.model._meta.label} has no {name}.',
        hint=f'Name one of: {fields}. For example "OPTIONS": {{"{option}": "..."}}.',
        id="shop_orders.E003",
    )


def _providers() -> Iterator[checks.CheckMessage]:
    providers = app_settings.PAYMENT_PROVIDERS
    if not providers:
        yield checks.Error(
            'SHOP_ORDERS["PAYMENT_PROVIDERS"] is empty: nobody could pay.',
            hint='Paste: "PAYMENT_PROVIDERS": {"on_delivery": '
            '{"BACKEND": "shop_orders.payment_providers.PayOnDelivery"}}',
            id="shop_orders.E005",
        )
    for alias, config in providers.items():
        try:
            import_string(config["BACKEND"])(alias=alias, **config.get("OPTIONS", {}))
        except Exception as error:  # noqa: BLE001 - whatever its constructor raises is wrong configuration
            yield checks.Error(
                f"The payment provider {alias!r} cannot be made: {error}",
                hint=f'Write "{alias}": {{"BACKEND": "dotted.path.of.its.class", "OPTIONS": {{...}}}}.',
                id="shop_orders.E006",
            )


def _hooks() -> Iterator[checks.CheckMessage]:
    entries: list[tuple[str, str | Mapping[str, Any]]] = [(name, getattr(app_settings, name)) for name in HOOKS]
    for name in ("PRICING", "VALIDATORS"):
        entries += [(name, entry) for entry in getattr(app_settings, name)]
    for name, entry in entries:
        path = entry if isinstance(entry, str) else entry.get("BACKEND", "")
        if not path and name in ("ORDER_URL", "DELIVERIES"):
            continue
        try:
            import_string(path)
        except ImportError as error:
            yield checks.Error(
                f'SHOP_ORDERS["{name}"] names {path!r}, which cannot be imported: {error}',
                hint=f'Write the dotted path of a callable: "{name}": "mysite.shop.{name.lower()}".',
                id="shop_orders.E007",
            )


def _auth() -> Iterator[checks.CheckMessage]:
    for name in ("API_AUTH", "STAFF_API_AUTH"):
        value = getattr(app_settings, name)
        paths: Iterable[str] = (value,) if isinstance(value, str) else value
        if not paths:
            yield checks.Error(
                f'SHOP_ORDERS["{name}"] is empty: nobody could log in.',
                hint=f'Remove it, or paste: "{name}": "ninja.security.django_auth".',
                id="shop_orders.E008",
            )
        for path in paths:
            try:
                import_string(path)
            except ImportError as error:
                yield checks.Error(
                    f'SHOP_ORDERS["{name}"] names {path!r}, which cannot be imported: {error}',
                    hint=f'Write the dotted path of an auth object: "{name}": "ninja.security.django_auth".',
                    id="shop_orders.E009",
                )


def _regions() -> Iterator[checks.CheckMessage]:
    wrong = [region for region in app_settings.PHONE_REGIONS if region not in phonenumbers.SUPPORTED_REGIONS]
    if wrong or isinstance(app_settings.PHONE_REGIONS, str):
        yield checks.Error(
            f'SHOP_ORDERS["PHONE_REGIONS"] has {wrong or app_settings.PHONE_REGIONS!r}: no such country.',
            hint='Write a list of ISO 3166-1 codes: "PHONE_REGIONS": ["KE"].',
            id="shop_orders.E010",
        )


def _choices() -> Iterator[checks.CheckMessage]:
    if app_settings.CART_MERGE not in MERGE_POLICIES:
        yield checks.Error(
            f'SHOP_ORDERS["CART_MERGE"] is {app_settings.CART_MERGE!r}.',
            hint=f'Write one of {", ".join(MERGE_POLICIES)}: "CART_MERGE": "sum".',
            id="shop_orders.E011",
        )
    moves = app_settings.TRANSITIONS
    wrong = {status for old, targets in moves.items() for status in (old, *targets)} - set(OrderStatus.values)
    if wrong:
        yield checks.Error(
            f'SHOP_ORDERS["TRANSITIONS"] names unknown statuses: {", ".join(sorted(wrong))}.',
            hint=f"The statuses are {', '.join(OrderStatus.values)}.",
            id="shop_orders.E012",
        )
