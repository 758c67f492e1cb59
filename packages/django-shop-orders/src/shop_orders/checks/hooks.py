"""Checks of the settings that name callables: hooks and the authentication of the API."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from shop_orders.conf import app_settings

HOOKS = ("ORDER_NUMBER", "REQUEST_USER", "VISITOR", "NEW_CUSTOMER", "VERIFIED_EMAILS", "ORDER_URL", "DELIVERIES")
LISTS = {
    "PRICING": "mysite.pricing.loyalty",
    "VALIDATORS": "mysite.shop.minimum_order",
    "PERSONAL_DATA": "mysite.personal_data",
}
"""An example of an entry for each of the settings that are lists."""
MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


def check_hooks() -> Iterator[checks.CheckMessage]:
    """Every dotted path names a callable that accepts its OPTIONS."""
    entries: list[tuple[str, str | Mapping[str, Any]]] = [(name, getattr(app_settings, name)) for name in HOOKS]
    for name in ("PRICING", "VALIDATORS"):
        entries += [(name, entry) for entry in getattr(app_settings, name)]
    for path in app_settings.PERSONAL_DATA:
        entries += [("PERSONAL_DATA", f"{path}.{verb}_personal_data") for verb in ("export", "erase")]
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
                hint=f'Write the dotted path of a callable, in PERSONAL_DATA of a module: "{name}": {_example(name)}.',
                id="shop_orders.E007",
            )


def _example(name: str) -> str:
    """A value of the setting to paste."""
    return f'["{LISTS[name]}"]' if name in LISTS else f'"mysite.shop.{name.lower()}"'


def _problem_of(hook: Any, options: Mapping[str, Any]) -> str:
    if not callable(hook):
        return "which is not callable"
    try:
        if options:
            inspect.signature(hook).bind_partial(**options)
    except TypeError as error:
        return f"which does not accept its OPTIONS: {error}"
    return ""


def check_auth() -> Iterator[checks.CheckMessage]:
    """API_AUTH and STAFF_API_AUTH name authentication classes or callables that exist."""
    for name in ("API_AUTH", "STAFF_API_AUTH"):
        value = getattr(app_settings, name)
        paths: Iterable[str] = (value,) if isinstance(value, str) else value
        if not paths:
            yield checks.Error(
                f'SHOP_ORDERS["{name}"] is empty: no request could be authenticated.',
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
        raise TypeError(f"a {type(found).__name__} is not an auth")
    return found


def _session(path: str, found: Any) -> Iterator[checks.CheckMessage]:
    """Session authentication needs the session and authentication middleware."""
    auths = found if isinstance(found, (list, tuple)) else [found]
    missing = [name for name in MIDDLEWARE if name not in settings.MIDDLEWARE]
    cookies = {getattr(auth, "param_name", "") for auth in auths if getattr(auth, "openapi_in", "") == "cookie"}
    if missing and settings.SESSION_COOKIE_NAME in cookies:
        lines = "\n".join(f'    "{name}",' for name in missing)
        yield checks.Error(
            f"{path} reads the session, but MIDDLEWARE lacks what it needs: no request could be authenticated.",
            hint=f"Paste into MIDDLEWARE:\n{lines}",
            id="shop_orders.E015",
        )
