"""Images that imports asked for by address: which wait, which failed and why, and a new try."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from shop_catalog import images
from shop_catalog.admin.bases import LongList
from shop_catalog.models import ImageFetch


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:  # noqa: ARG002
        return [("failed", _("Failed")), ("waiting", _("Waiting")), ("fetched", _("Fetched"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        wanted: dict[str | None, dict[str, Any]] = {
            "failed": {"next_try_at": None, "fetched_at": None},
            "waiting": {"next_try_at__isnull": False},
            "fetched": {"fetched_at__isnull": False},
        }
        return queryset.filter(**wanted.get(self.value(), {}))


@admin.register(ImageFetch)
class ImageFetchAdmin(LongList):
    list_display = ("product", "url", "tries", "last_error", "next_try_at", "fetched_at")
    list_filter = (StateFilter,)
    list_select_related = ("product",)
    list_display_links = ("url",)
    search_fields = ("product__sku",)
    actions = ("fetch_again",)
    fields = (
        *("product", "url", "alt", "position", "image", "import_id"),
        *("tries", "last_error", "next_try_at", "fetched_at", "created_at"),
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    @admin.action(description=_("Try again to fetch selected images"), permissions=["change"])
    def fetch_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        count = images.try_again(queryset)
        done = ngettext("%(count)d image will be fetched.", "%(count)d images will be fetched.", count)
        self.message_user(request, done % {"count": count}, messages.SUCCESS)
