"""Authentication by API_AUTH and STAFF_API_AUTH, the customer of a request, and staff permissions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from shop_core.api import auth
from shop_core.api.auth import ConfiguredAuth
from shop_core.exceptions import NotAuthenticated

from shop_orders import customers
from shop_orders.conf import app_settings
from shop_orders.models import Customer

required = ConfiguredAuth(app_settings, "API_AUTH")
optional = ConfiguredAuth(app_settings, "API_AUTH", guests=True)
staff = ConfiguredAuth(app_settings, "STAFF_API_AUTH")


def customer(request: HttpRequest) -> Customer:
    """The customer who makes the request.

    Raises:
        NotAuthenticated: the credential belongs to no user, such as a client-credentials token.
    """
    found = customers.for_request(request)
    if found is None:
        raise NotAuthenticated
    return found


def customer_or_guest(request: HttpRequest) -> Customer | None:
    """The customer who makes the request, None for a guest."""
    return customers.for_request(request)


def check_permission(request: HttpRequest, permission: str) -> Any:
    """The staff user who makes the request.

    Raises:
        NotAuthenticated: the credential belongs to no active user.
        PermissionMissing: the user may not do this.
    """
    return auth.check_permission(customers.user_of(request), permission)
