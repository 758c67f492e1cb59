"""The permissions of staff for accounts and for other apps' rows, for every model in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

KEYS = frozenset({"account", "allauth_idp_oidc", "auth", "django_q", "mfa", "socialaccount", "usersessions"})
"""Apps whose rows open accounts, give permissions or run code. Only superusers may write them: whoever adds an e-mail
address to an account can reset its password, and a schedule can call any function."""


class GuardedActions(admin.ModelAdmin):  # type: ignore[type-arg]
    """Actions that name no permission, such as those of allauth and django-q2, need the change permission."""

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> Any:
        options = {} if action_location is None else {"action_location": action_location}
        actions = super().get_actions(request, **options)
        if self.has_change_permission(request):
            return actions
        return {name: action for name, action in actions.items() if hasattr(_function(action), "allowed_permissions")}


def _function(action: Any) -> Any:
    """The function of an action, which is a tuple before Django 6.1."""
    return action[0] if isinstance(action, tuple) else action.func


class SuperusersWrite(admin.ModelAdmin):  # type: ignore[type-arg]
    """Staff with permissions read these rows; only superusers add, change and delete them."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return bool(request.user.is_superuser) and super().has_add_permission(request, *args)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser) and super().has_delete_permission(request, obj)


def guarded(model: Any, admin_class: type[Any]) -> type[Any]:
    """The admin class of a model with the guards that it needs."""
    guards = [GuardedActions, *([SuperusersWrite] if model._meta.app_label in KEYS else [])]
    missing = tuple(guard for guard in guards if not issubclass(admin_class, guard))
    return type(admin_class.__name__, (*missing, admin_class), {"__module__": admin_class.__module__})
