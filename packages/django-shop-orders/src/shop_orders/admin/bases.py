"""The base of admin classes for rows that belong to orders."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from shop_core.model_admins import LongList, ReadOnly


class OrderRecordAdmin(ReadOnly, LongList):
    """Rows that name people in orders, such as events with their recipients: viewing them needs ``view_order`` too."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_view_orders = any(request.user.has_perm(f"shop_orders.{name}_order") for name in ("view", "change"))
        return may_view_orders and super().has_view_permission(request, obj)
