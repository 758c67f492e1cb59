"""Credentials of customers and staff, and the model permissions of staff."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.errors import HttpError
from shop_core.api import auth
from shop_core.api.auth import ConfiguredAuth
from shop_core.exceptions import PermissionMissing

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


def check_staff(request: HttpRequest, permission: str) -> Any:
    """As ``check_permission``, for the staff's part of an operation that customers also use: see STAFF_API_AUTH.

    A token may do only what both its scopes and its user's permissions allow, so STAFF_API_AUTH must accept it too.

    Raises:
        NotAuthenticated, PermissionMissing: as ``check_permission``; also when STAFF_API_AUTH refuses the credential.
        HttpError: STAFF_API_AUTH raised it, for example because a scope is missing.
    """
    user = check_permission(request, permission)
    if not _is_accepted(request, user):
        raise PermissionMissing(permission)
    return user


def is_staff(request: HttpRequest, permission: str) -> bool:
    """Whether the caller, who may be a guest, has a model permission and credentials that STAFF_API_AUTH accepts."""
    user = getattr(request, "user", None)
    if user is None or not user.is_active or not user.has_perm(permission):
        return False
    try:
        return _is_accepted(request, user)
    except HttpError:  # for example, a scope is missing
        return False


def _is_accepted(request: HttpRequest, user: Any) -> bool:
    """Whether STAFF_API_AUTH accepts a credential of this user, not that of somebody else beside it."""
    try:
        return bool(staff(request)) and request.user == user
    finally:
        request.user = user
