"""Secret values of messages, such as a code to reset a password: made when the message is sent, and never stored.

    SHOP_NOTIFY = {"SECRETS": {"account_code": {"code": "mysite.mails.code_of"}}, ...}

Only the message that goes to the notifier has the values. The stored text, previews, the admin and the API show
``MASK`` in their place, errors and the provider's responses ``***``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shop_core.hooks import load_hook

from shop_notify.conf import app_settings

MASK = "******"


def events() -> list[str]:
    """The events whose templates have secret values."""
    return list(app_settings.SECRETS)


def masked(event: str) -> dict[str, str]:
    """The names of an event's secret values, each with ``MASK`` as its value."""
    return dict.fromkeys(app_settings.SECRETS.get(event, {}), MASK)


def reveal(event: str, context: Mapping[str, Any]) -> dict[str, str]:
    """The secret values of a notification, made from its context by the callables of ``SECRETS``."""
    hooks = app_settings.SECRETS.get(event, {})
    return {name: str(load_hook(path)(context)) for name, path in hooks.items()}
