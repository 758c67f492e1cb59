"""Credentials of customers and staff, and the model permissions of staff."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.errors import HttpError
from shop_core.api.auth import Auths

from shop_catalog.conf import app_settings

required = Auths(app_settings, "API_AUTH")
optional = Auths(app_settings, "API_AUTH", guests=True)
staff = Auths(app_settings, "STAFF_API_AUTH")


def require(request: HttpRequest, permission: str) -> AbstractBaseUser:
    """The staff user who calls, if the user has a model permission.

    Raises:
        HttpError: 403, the user is not active or lacks the permission.
    """
    user = request.user
    if not isinstance(user, AbstractBaseUser) or not user.is_active or not user.has_perm(permission):
        raise HttpError(403, _("You need the permission %(permission)s for this.") % {"permission": permission})
    return user


def is_staff(request: HttpRequest, permission: str) -> bool:
    """Whether the caller, who may be a guest, has a model permission."""
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_active and user.has_perm(permission))
