"""Reviews of products."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_catalog.managers import ReviewManager
from shop_catalog.models.product import Product


class ReviewStatus(models.TextChoices):
    PENDING = "pending", _("Pending")
    PUBLISHED = "published", _("Published")
    REJECTED = "rejected", _("Rejected")


class Review(models.Model):
    """A customer's review of a simple product or a group. The product stores average and count."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    product = models.ForeignKey(Product, models.CASCADE, related_name="reviews", verbose_name=_("product"))
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("author"))
    rating = models.PositiveSmallIntegerField(_("rating"))
    title = models.CharField(_("title"), max_length=200, blank=True)
    body = models.TextField(_("body"), blank=True)
    status = models.CharField(_("status"), max_length=9, choices=ReviewStatus.choices, default=ReviewStatus.PENDING)
    is_verified_purchase = models.BooleanField(_("verified purchase"), default=False)
    reply = models.TextField(_("reply"), blank=True)
    replied_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("written"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    product_id: int
    author_id: Any
    get_status_display: Callable[[], str]

    objects: ClassVar[ReviewManager] = ReviewManager()

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["product", "author"], name="shop_catalog_one_review"),
            models.CheckConstraint(condition=Q(rating__gte=1, rating__lte=5), name="shop_catalog_review_rating"),
            models.CheckConstraint(condition=Q(status__in=ReviewStatus.values), name="shop_catalog_review_status"),
        ]
        indexes = [models.Index(fields=["product", "status", "-created_at", "-id"], name="shop_catalog_review_list")]

    def __str__(self) -> str:
        return f"{self.rating}/5 {self.title}"

    @property
    def author_name(self) -> str:
        """First name and initial, as the public sees it."""
        first = str(getattr(self.author, "first_name", "") or "")
        initial = str(getattr(self.author, "last_name", "") or "")[:1]
        return f"{first} {initial}.".strip() if initial else first
