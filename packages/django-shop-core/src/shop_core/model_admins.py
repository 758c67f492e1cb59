"""Base classes for the admin: read-only rows, and lists in which no filter in the URL can raise an error."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import DataError
from django.db.models import QuerySet
from django.http import HttpRequest


class ReadOnly:
    """For rows that only the app's actions write: they cannot be added, changed or deleted in the admin."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    has_change_permission = has_delete_permission = has_add_permission


class SafeList(admin.ModelAdmin):
    """Also ignores filters that the database refuses, such as one with a NUL or a year of five digits."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        if any("\0" in value for values in dict(request.GET).values() for value in values):
            raise IncorrectLookupParameters
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError, DataError) as error:
            raise IncorrectLookupParameters from error

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))
