"""Images of products that are to be fetched from addresses."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_catalog.managers import ImageFetchManager
from shop_catalog.models.image import ProductImage
from shop_catalog.models.product import Product


class ImageFetch(models.Model):
    """An image that an import asked for by its address, fetched by the job ``fetch_images``.

    ``next_try_at`` is empty once it has been fetched or given up. ``import_id`` is the last import that asked for it.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="image_fetches", verbose_name=_("product"))
    url = models.CharField(_("address"), max_length=2000)
    alt = models.CharField(_("alternative text"), max_length=200, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    import_id = models.UUIDField(null=True, editable=False, db_index=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_error = models.CharField(_("reason"), max_length=300, blank=True)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    fetched_at = models.DateTimeField(_("fetched"), null=True, blank=True)
    image = models.OneToOneField(
        ProductImage, models.SET_NULL, null=True, blank=True, related_name="fetch", verbose_name=_("image")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    product_id: int
    image_id: int | None

    objects: ClassVar[ImageFetchManager] = ImageFetchManager()

    class Meta:
        verbose_name = _("image to fetch")
        verbose_name_plural = _("images to fetch")
        constraints = [models.UniqueConstraint(fields=["product", "url"], name="shop_catalog_image_address")]
        indexes = [
            models.Index(
                fields=["next_try_at", "product", "position"],
                condition=Q(next_try_at__isnull=False),
                name="shop_catalog_images_to_fetch",
            ),
            models.Index(
                fields=["id"],
                condition=Q(next_try_at__isnull=True, fetched_at__isnull=True),
                name="shop_catalog_images_failed",
            ),
        ]

    def __str__(self) -> str:
        return self.url
