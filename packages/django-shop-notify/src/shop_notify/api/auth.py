"""Authentication by API_AUTH and STAFF_API_AUTH, the recipient of a request, and permissions of staff."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from shop_core.api import auth
from shop_core.api.auth import ConfiguredAuth
from shop_core.exceptions import NotAuthenticated
from shop_core.hooks import load_hook

from shop_notify.conf import app_settings

required = ConfiguredAuth(app_settings, "API_AUTH")
staff = ConfiguredAuth(app_settings, "STAFF_API_AUTH")


def recipient(request: HttpRequest) -> str:
    """The recipient key of the caller, by ``REQUEST_RECIPIENT``.

    Raises:
        NotAuthenticated: the credential belongs to no recipient.
    """
    key: str = load_hook(app_settings.REQUEST_RECIPIENT)(request)
    if not key:
        raise NotAuthenticated
    return key


def check_permission(request: HttpRequest, permission: str) -> Any:
    """The staff user who makes the request.

    Raises:
        NotAuthenticated: the credential belongs to no active user.
        PermissionMissing: the user lacks the permission.
    """
    return auth.check_permission(getattr(request, "user", None), permission)
