"""The bases of admin classes for long lists, and for rows that belong to orders."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from shop_core import model_admins
from shop_core.model_admins import ReadOnly


class LongList(model_admins.LongList):
    """The list of a table with millions of rows, with the sentences of this app."""

    more_rows_text = _("More than %(count)s. The list ends there: search, or filter, to see others.")
    more_found_text = _("%(count)s or more were found. The newest of them are listed.")


class OrderRecordAdmin(ReadOnly, LongList):
    """Rows that name people in orders, such as events with their recipients: viewing them needs ``view_order`` too."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may_view_orders = any(request.user.has_perm(f"shop_orders.{name}_order") for name in ("view", "change"))
        return may_view_orders and super().has_view_permission(request, obj)
