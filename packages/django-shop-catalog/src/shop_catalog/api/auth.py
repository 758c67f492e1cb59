"""Credentials of customers and staff, and the model permissions of staff."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from shop_core.api import auth
from shop_core.api.auth import ConfiguredAuth

from shop_catalog.conf import app_settings

required = ConfiguredAuth(app_settings, "API_AUTH")
optional = ConfiguredAuth(app_settings, "API_AUTH", guests=True)
staff = ConfiguredAuth(app_settings, "STAFF_API_AUTH")


def check_permission(request: HttpRequest, permission: str) -> Any:
    """The staff user who makes the request.

    Raises:
        NotAuthenticated: the credential belongs to no active user.
        PermissionMissing: the user lacks the model permission.
    """
    return auth.check_permission(getattr(request, "user", None), permission)


def is_staff(request: HttpRequest, permission: str) -> bool:
    """Whether the caller, who may be a guest, has a model permission."""
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_active and user.has_perm(permission))
