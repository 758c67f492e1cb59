"""Base classes for the admin: read-only rows, lists that no URL can break, and lists of millions of rows."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.db import DataError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from shop_core.db.finding import MOST_COUNTED, MOST_FOUND, keys_found


class ReadOnly:
    """For rows that only the app's actions write: they cannot be added, changed or deleted in the admin."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    has_change_permission = has_delete_permission = has_add_permission


class SafeList(admin.ModelAdmin):
    """Also ignores filters that the database refuses, such as one with a NUL or a year of five digits.

    If ``get_sortable_by`` names no column, an order in the URL is ignored too: Django only hides the links.
    """

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        if "o" in request.GET and not self.get_sortable_by(request):
            query = request.GET.copy()
            del query["o"]
            request.GET = query  # type: ignore[assignment]
        if any("\0" in value for values in dict(request.GET).values() for value in values):
            raise IncorrectLookupParameters
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError, DataError) as error:
            raise IncorrectLookupParameters from error

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))


class _BoundedPaginator(Paginator):
    """Counts, and shows, at most ``MOST_COUNTED`` rows: counting millions takes longer than the page."""

    @cached_property
    def count(self) -> int:
        return min(self._found, MOST_COUNTED)

    @property
    def has_more(self) -> bool:
        return self._found > MOST_COUNTED

    @cached_property
    def _found(self) -> int:
        return int(self.object_list.order_by()[: MOST_COUNTED + 1].count())  # type: ignore[attr-defined]


class LongList(SafeList):
    """The list of a table with millions of rows. It is sorted in one way, by an index, and counted up to 10,000 rows.

    If there are more, or if a search found so many that it lists the newest only, it says so below its title, with
    ``more_rows_text`` and ``more_found_text``: sentences of the app in which ``%(count)s`` is the limit.
    "Select all" would name the limit and take every row, so it is refused then.
    ``search_fields`` are complete lookups, such as ``order__number__icontains``; each needs an index. They are looked
    up one by one, because one condition for all of them could use no index.
    """

    ordering: ClassVar[Any] = ("-pk",)
    sortable_by = ()
    paginator = _BoundedPaginator
    show_full_result_count = False
    more_rows_text: Any
    more_found_text: Any

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context and context["cl"].paginator.has_more:
            context["subtitle"] = self.more_rows_text % {"count": f"{MOST_COUNTED:,}"}
        elif getattr(request, "search_is_cut", False):
            context["subtitle"] = self.more_found_text % {"count": f"{MOST_FOUND:,}"}
        return response

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *options: Any, **named: Any) -> Any:
        if request.POST.get("select_across") == "1" and self.paginator(queryset, self.list_per_page).has_more:
            self.message_user(request, self.more_rows_text % {"count": f"{MOST_COUNTED:,}"}, messages.ERROR)
            return None
        return super().response_action(request, queryset, *options, **named)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        text = search_term.replace("\0", "").strip()
        if not text or not self.search_fields:
            return queryset, False
        keys = keys_found(self.model, dict.fromkeys(self.search_fields, text))
        request.search_is_cut = len(keys) >= MOST_FOUND  # type: ignore[attr-defined]
        return queryset.filter(pk__in=keys), False
