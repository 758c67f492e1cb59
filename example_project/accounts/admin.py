from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Staff with permissions manage customers' accounts; superusers manage those of staff and give permissions."""

    ordering = ["email"]
    list_display = ["email", "first_name", "last_name", "is_staff", "is_active", "date_joined"]
    search_fields = ["email", "first_name", "last_name"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        (_("Name"), {"fields": ["first_name", "last_name"]}),
        (_("Permissions"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    powers = ("is_staff", "is_superuser", "groups", "user_permissions")
    """Fields that give permissions."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *self.powers)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may_touch(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may_touch(request, obj) and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Refuse the bulk deletion if one of the accounts is of staff."""
        to_delete, counts, refused, protected = super().get_deleted_objects(objs, request)
        if not all(_may_touch(request, user) for user in objs):
            refused = {*refused, str(self.opts.verbose_name)}
        return to_delete, counts, refused, protected

    add_fieldsets = [(None, {"fields": ["email", "usable_password", "password1", "password2"]})]


def _may_touch(request: HttpRequest, user: Any) -> bool:
    return bool(request.user.is_superuser) or user is None or not (user.is_staff or user.is_superuser)
