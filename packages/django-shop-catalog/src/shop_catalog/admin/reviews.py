"""Moderation of reviews."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from shop_core.model_admins import SafeList

from shop_catalog import reviews
from shop_catalog.models import Review, ReviewStatus


@admin.register(Review)
class ReviewAdmin(SafeList):
    """Staff publish, reject and reply. They cannot change a customer's text."""

    list_display = ("created_at", "status", "product", "rating", "excerpt", "author_name", "is_verified_purchase")
    list_filter = ("status", "rating", "is_verified_purchase")
    list_select_related = ("product", "author")
    search_fields = ("title", "body", "product__name", "product__sku")
    actions = ("publish", "reject")
    fields = (
        "product",
        "author_name",
        "rating",
        "title",
        "body",
        "is_verified_purchase",
        "created_at",
        "status",
        "reply",
    )
    readonly_fields = ("product", "author_name", "rating", "title", "body", "is_verified_purchase", "created_at")

    @admin.display(description=_("Review"))
    def excerpt(self, review: Review) -> str:
        """The beginning of the text: enough to moderate most reviews from the list."""
        return Truncator(" – ".join(text for text in (review.title, review.body) if text)).chars(200)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:  # noqa: ARG002, FBT001
        if "reply" in form.changed_data:
            reviews.reply(obj, text=form.cleaned_data["reply"])
        if "status" in form.changed_data:
            reviews.moderate(obj, status=form.cleaned_data["status"])

    def delete_model(self, request: HttpRequest, obj: Review) -> None:  # noqa: ARG002
        reviews.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:  # noqa: ARG002
        for review in queryset:
            reviews.delete(review)

    @admin.action(description=_("Publish selected reviews"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._moderate(request, queryset, ReviewStatus.PUBLISHED)

    @admin.action(description=_("Reject selected reviews"), permissions=["change"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._moderate(request, queryset, ReviewStatus.REJECTED)

    def _moderate(self, request: HttpRequest, queryset: QuerySet[Any], status: ReviewStatus) -> None:
        for review in queryset:
            reviews.moderate(review, status=status)
        done = ngettext("%(count)d review moderated.", "%(count)d reviews moderated.", len(queryset))
        self.message_user(request, done % {"count": len(queryset)}, messages.SUCCESS)
