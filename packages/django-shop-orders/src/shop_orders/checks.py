"""Wrong settings, found by ``manage.py check``, with the line to paste.

docs/reference/orders-settings.md lists them by setting.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import phonenumbers
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db import connections, models, router
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string
from ninja.security.apikey import APIKeyCookie

from shop_orders.conf import app_settings
from shop_orders.models import Order, OrderStatus
from shop_orders.payment_providers import HostedTestProvider, PaymentProvider
from shop_orders.product_sources import ModelProductSource, product_source

MERGE_POLICIES = ("sum", "larger", "guest", "account")
MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
SOURCE_METHODS = ("fetch", "reserve", "release", "ship", "restock")
ALIAS = re.compile(r"[-\w]{1,50}")
"""What can stand in an address and in the payments' column."""
HOOKS = ("ORDER_NUMBER", "REQUEST_USER", "NEW_CUSTOMER", "VERIFIED_EMAILS", "ORDER_URL", "DELIVERIES")


def register() -> None:
    checks.register(check_settings, "shop_orders")
    checks.register(check_databases, "shop_orders")
    checks.register(check_urls, "shop_orders")
    checks.register(check_deployment, "shop_orders", deploy=True)


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """All checks of the SHOP_ORDERS setting."""
    wrong_shapes = list(_shapes())
    if wrong_shapes:
        return wrong_shapes  # the other checks read what these say is not there
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


def check_urls(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Providers that call us need an address."""
    if not any(_calls_us(provider) for provider in _made_providers().values()):
        return []
    try:
        reverse("shop_orders:webhook", args=["alias"])
    except NoReverseMatch:
        return [
            checks.Warning(
                "Payment providers have no address to call: a payment is noticed only when they are asked.",
                hint='Paste into urlpatterns: path("payments/", include("shop_orders.urls")),',
                id="shop_orders.W006",
            )
        ]
    return []


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """What must not go live."""
    return [
        checks.Warning(
            f"The payment provider {alias!r} is the test provider: everybody can press Pay, and no money moves.",
            hint=f'Remove "{alias}" from SHOP_ORDERS["PAYMENT_PROVIDERS"].',
            id="shop_orders.W007",
        )
        for alias, provider in _made_providers().items()
        if isinstance(provider, HostedTestProvider)
    ]


def _shapes() -> Iterator[checks.CheckMessage]:
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


def _is_duration(value: object) -> bool:
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


def _are_moves(value: object) -> bool:
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
    "TRANSITIONS": ("a dict of lists", _are_moves, '{"delivered": ["processing"]}'),
    "MAX_QUANTITY": ("a whole number from 1 to 2147483647", _is_count, "999"),
    "MAX_UNPAID_ORDERS": ("a whole number from 1 to 2147483647", _is_count, "5"),
    "GUEST_CHECKOUT": ("True or False", lambda value: isinstance(value, bool), "True"),
    "GUEST_LINK_MAX_AGE": ("a timedelta above zero", _is_duration, "timedelta(days=90)"),
    "CART_MAX_AGE": ("a timedelta above zero", _is_duration, "timedelta(days=60)"),
    "PROBLEM_TYPE_BASE": ("a text", _is_text, '"https://shop.example.org/problems/"'),
}
"""What a value must be, how that is seen, and one to paste."""


def _made_providers() -> dict[str, PaymentProvider]:
    """Those that can be made; what is wrong with the others says E006."""
    made = {}
    for alias, config in app_settings.PAYMENT_PROVIDERS.items():
        try:
            made[alias] = import_string(config["BACKEND"])(alias=alias, **config.get("OPTIONS", {}))
        except Exception:  # noqa: BLE001, S112
            continue
    return made


def _calls_us(provider: PaymentProvider) -> bool:
    return type(provider).read_webhook is not PaymentProvider.read_webhook


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
    elif not re.fullmatch(r"[A-Z]{3}", str(currency)):  # a code that ISO adds next year must do as well
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
    missing = [name for name in SOURCE_METHODS if not callable(getattr(source, name, None))]
    if missing:
        yield checks.Error(
            f'SHOP_ORDERS["PRODUCT_SOURCE"] has no {", ".join(missing)}: it is no product source.',
            hint=f"Give {type(source).__name__} these methods, as shop_orders.product_sources.ProductSource has them.",
            id="shop_orders.E016",
        )
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
        if (name or option in ("name", "price")) and not hasattr(source.model, name or " "):
            yield _no_field(source, option, name)
    yield from _model_filters(source)
    if source.stock in names:
        yield from _model_stock(source)
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


def _model_filters(source: ModelProductSource) -> Iterator[checks.CheckMessage]:
    try:
        source.model._default_manager.filter(**source.filters)
    except (FieldError, ValidationError, ValueError, TypeError) as error:
        yield checks.Error(
            f"The filters of PRODUCT_SOURCE do not fit {source.model._meta.label}: {error}",
            hint='Write them as for a queryset: "OPTIONS": {"filters": {"is_active": True}}.',
            id="shop_orders.E017",
        )


def _model_stock(source: ModelProductSource) -> Iterator[checks.CheckMessage]:
    if not isinstance(source.model._meta.get_field(source.stock), models.IntegerField):
        yield checks.Error(
            f"{source.model._meta.label}.{source.stock} is the stock and no whole-number field.",
            hint='Name one that is: "OPTIONS": {"stock": "..."}, or leave it out where nobody counts.',
            id="shop_orders.E018",
        )
    if router.db_for_write(source.model) != router.db_for_write(Order):
        yield checks.Warning(
            f"{source.model._meta.label} lives in another database than the orders: an order that is undone would not "
            "give its stock back.",
            hint='Move it, or leave "stock" out of the OPTIONS and count with a source of your own.',
            id="shop_orders.W008",
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
        if not ALIAS.fullmatch(str(alias)):
            yield checks.Error(
                f"The payment provider {alias!r} has a name that cannot stand in an address.",
                hint="Take up to 50 letters, digits, - and _.",
                id="shop_orders.E019",
            )
        try:
            provider = import_string(config["BACKEND"])(alias=alias, **config.get("OPTIONS", {}))
        except Exception as error:  # noqa: BLE001 - whatever its constructor raises is wrong configuration
            yield checks.Error(
                f"The payment provider {alias!r} cannot be made: {error}",
                hint=f'Write "{alias}": {{"BACKEND": "dotted.path.of.its.class", "OPTIONS": {{...}}}}.',
                id="shop_orders.E006",
            )
            continue
        time_to_pay = getattr(provider, "expires_after", None)
        if time_to_pay is not None and not _is_duration(time_to_pay):
            yield checks.Error(
                f"The payment provider {alias!r} gives {time_to_pay!r} to pay: no timedelta above zero, and not None.",
                hint=f'Give {type(provider).__name__} more, such as "OPTIONS": {{"days": 7}} or {{"minutes": 60}}.',
                id="shop_orders.E020",
            )


def _hooks() -> Iterator[checks.CheckMessage]:
    entries: list[tuple[str, str | Mapping[str, Any]]] = [(name, getattr(app_settings, name)) for name in HOOKS]
    for name in ("PRICING", "VALIDATORS"):
        entries += [(name, entry) for entry in getattr(app_settings, name)]
    for name, entry in entries:
        path = entry if isinstance(entry, str) else entry.get("BACKEND", "")
        if not path and name in ("ORDER_URL", "DELIVERIES"):
            continue
        options = {} if isinstance(entry, str) else entry.get("OPTIONS", {})
        try:
            problem = _problem_of(import_string(path), options)
        except (ImportError, AttributeError) as error:
            problem = f"which cannot be imported: {error}"
        if problem:
            yield checks.Error(
                f'SHOP_ORDERS["{name}"] names {path!r}, {problem}',
                hint=f'Write the dotted path of a callable: "{name}": "mysite.shop.{name.lower()}".',
                id="shop_orders.E007",
            )


def _problem_of(hook: Any, options: Mapping[str, Any]) -> str:
    if not callable(hook):
        return "which is no callable"
    try:
        if options:
            inspect.signature(hook).bind_partial(**options)
    except TypeError as error:
        return f"which does not take its OPTIONS: {error}"
    return ""


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
                found = _auth_at(path)
                if name == "API_AUTH":
                    yield from _session(path, found)
            except (ImportError, AttributeError, TypeError) as error:
                yield checks.Error(
                    f'SHOP_ORDERS["{name}"] names {path!r}, which cannot be used: {error}',
                    hint=f'Write the dotted path of an auth object: "{name}": "ninja.security.django_auth".',
                    id="shop_orders.E009",
                )


def _auth_at(path: str) -> Any:
    found = import_string(path)
    if not callable(found) and not isinstance(found, (list, tuple)):
        raise TypeError(f"a {type(found).__name__} lets nobody in")
    return found


def _session(path: str, found: Any) -> Iterator[checks.CheckMessage]:
    """The session is no auth where nothing reads it."""
    auths = found if isinstance(found, (list, tuple)) else [found]
    missing = [name for name in MIDDLEWARE if name not in settings.MIDDLEWARE]
    if missing and any(isinstance(auth, APIKeyCookie) for auth in auths):
        lines = "\n".join(f'    "{name}",' for name in missing)
        yield checks.Error(
            f"{path} reads the session, but MIDDLEWARE has nothing that brings it: nobody could log in by it.",
            hint=f"Paste into MIDDLEWARE:\n{lines}",
            id="shop_orders.E015",
        )


def _regions() -> Iterator[checks.CheckMessage]:
    regions: Any = app_settings.PHONE_REGIONS
    is_list = isinstance(regions, (list, tuple, set, frozenset))
    wrong = [region for region in regions if region not in phonenumbers.SUPPORTED_REGIONS] if is_list else []
    if wrong or not is_list:
        yield checks.Error(
            f'SHOP_ORDERS["PHONE_REGIONS"] has {wrong or regions!r}: no such country.',
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
    if moves.get(OrderStatus.CANCELLED) or any(OrderStatus.PENDING in targets for targets in moves.values()):
        yield checks.Error(
            'SHOP_ORDERS["TRANSITIONS"] leads out of cancelled or back to pending, which no verb does.',
            hint="Remove it. A cancelled order gave its stock back: place another one.",
            id="shop_orders.E021",
        )
