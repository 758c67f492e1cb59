"""Responses of staff operations without personal data, for staff who may change an order but not view it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from shop_core.exceptions import NotAuthenticated, PermissionMissing

from shop_orders.api import auth

PERSONAL = frozenset(
    {
        *("contact", "shipping_address", "billing_address", "note", "cancel_reason", "customer"),
        *("actor", "message", "reason", "error", "last_error", "instructions", "redirect_url"),
        *("tracking_number", "tracking_url", "payer_name", "payer_phone", "account", "comment"),
    }
)
"""The fields of an order with data about people, or with texts and links in which there may be some."""


def blank_personal_data(run: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate the views of a router: without ``view_order``, the fields in PERSONAL are blank at any depth.

    A stored response that is sent again is covered too.
    """

    @functools.wraps(run)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = run(request, *args, **kwargs)
        if response.status_code < 400 and isinstance(response, HttpResponse) and not _may_view(request):
            response.content = json.dumps(_blanked(json.loads(response.content)))
        return response

    return wrapped


def _may_view(request: HttpRequest) -> bool:
    try:
        auth.check_permission(request, "shop_orders.view_order")
    except (NotAuthenticated, PermissionMissing):
        return False
    return True


def _blanked(value: Any, *, is_personal: bool = False) -> Any:
    if isinstance(value, dict):
        return {name: _blanked(item, is_personal=is_personal or name in PERSONAL) for name, item in value.items()}
    if isinstance(value, list):
        return [] if is_personal else [_blanked(item) for item in value]
    return ("" if isinstance(value, str) else None) if is_personal else value
