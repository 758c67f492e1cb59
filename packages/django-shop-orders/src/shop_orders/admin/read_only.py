"""Admin pages for models that staff can only read."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """Only the app's actions write these rows, so staff can only read them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False
