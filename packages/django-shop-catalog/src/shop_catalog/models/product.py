"""Products, their links to categories and the history of their prices."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_catalog.conf import app_settings
from shop_catalog.managers import ProductManager
from shop_catalog.models.category import Category

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_catalog.managers import RelatedProducts, RelatedReviews, RelatedStockMovements
    from shop_catalog.models.facets import ProductTerms
    from shop_catalog.models.image import ProductImage
    from shop_catalog.models.image_fetch import ImageFetch


class ProductKind(models.TextChoices):
    SIMPLE = "simple", _("Simple")
    GROUP = "group", _("Group")
    VARIANT = "variant", _("Variant")


class Product(models.Model):
    """A product to sell, or a group of variants.

    A simple product has its own price and stock. A group is not sold: its variants are, and its ``price`` is the
    lowest of its published variants ("from"). A variant that is created without a name or tax class gets
    its group's. Without a description or weight of its own it has its group's. Its page shows the images of both. Its
    categories are those of its group.

    A ``price`` of zero means free of charge. ``None`` means that no price is given: the product is not for sale, and
    cannot be active. A group without a published variant has no price.
    """

    sku = models.CharField(_("SKU"), max_length=64, unique=True)
    slug = models.SlugField(_("slug"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=8, choices=ProductKind.choices, default=ProductKind.SIMPLE)
    parent = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="variants",
        db_index=False,
        verbose_name=_("group"),
    )
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=4, null=True, blank=True)
    compare_at_price = models.DecimalField(
        _("compare-at price"), max_digits=14, decimal_places=4, null=True, blank=True
    )
    tax_class = models.CharField(_("tax class"), max_length=32, default="standard")
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_('For a variant, such as {"size": "L"}.')
    )
    position = models.PositiveIntegerField(_("position"), default=0, help_text=_("Order among variants."))
    weight = models.DecimalField(_("weight in kg"), max_digits=10, decimal_places=3, null=True, blank=True)
    categories = models.ManyToManyField(
        Category, through="ProductCategory", related_name="products", verbose_name=_("categories")
    )

    is_active = models.BooleanField(_("active"), default=True)
    is_featured = models.BooleanField(_("featured"), default=False)
    publish_from = models.DateTimeField(_("publish from"), null=True, blank=True)
    publish_until = models.DateTimeField(_("publish until"), null=True, blank=True)
    is_scheduled = models.BooleanField(
        default=False,
        editable=False,
        help_text=_("Has a publication time that was in the future at the last check."),
    )

    stock_quantity = models.PositiveIntegerField(_("on hand"), default=0, editable=False)
    reserved_quantity = models.PositiveIntegerField(_("reserved"), default=0, editable=False)
    low_stock_threshold = models.PositiveIntegerField(_("low-stock threshold"), null=True, blank=True)

    rating_average = models.DecimalField(max_digits=3, decimal_places=2, default=Decimal(0), editable=False)
    rating_count = models.PositiveIntegerField(default=0, editable=False)
    search_text = models.TextField(blank=True, editable=False, help_text=_("The words to search."))

    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    parent_id: int | None
    variants: RelatedProducts
    category_links: RelatedManager[ProductCategory]
    price_changes: RelatedManager[PriceChange]
    listing_terms: ProductTerms
    images: RelatedManager[ProductImage]
    image_fetches: RelatedManager[ImageFetch]
    reviews: RelatedReviews
    stock_movements: RelatedStockMovements
    get_kind_display: Callable[[], str]

    objects: ClassVar[ProductManager] = ProductManager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["simple", "group"], parent__isnull=True)
                | Q(kind="variant", parent__isnull=False),
                name="shop_catalog_variant_has_group",
            ),
            models.CheckConstraint(
                condition=~Q(kind="group") | Q(stock_quantity=0, reserved_quantity=0),
                name="shop_catalog_group_has_no_stock",
            ),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="shop_catalog_product_not_own_group"),
            models.CheckConstraint(
                condition=Q(price__isnull=True) | Q(price__gte=0), name="shop_catalog_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(kind="group") | Q(price__isnull=False),
                name="shop_catalog_active_has_price",
                violation_error_message=_(
                    "An active product needs a price. Enter 0 if it is free of charge, or make it inactive."
                ),
            ),
            models.CheckConstraint(
                condition=Q(compare_at_price__isnull=True) | Q(compare_at_price__gte=0),
                name="shop_catalog_compare_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(reserved_quantity__lte=F("stock_quantity")), name="shop_catalog_reserved_within_stock"
            ),
            models.CheckConstraint(
                condition=Q(publish_from__isnull=True)
                | Q(publish_until__isnull=True)
                | Q(publish_from__lt=F("publish_until")),
                name="shop_catalog_publish_from_before_until",
            ),
            models.CheckConstraint(
                condition=Q(rating_average__gte=0, rating_average__lte=5), name="shop_catalog_rating_in_range"
            ),
        ]
        indexes = [
            models.Index(
                F("created_at").desc(),
                F("id").desc(),
                name="shop_catalog_list_newest",
                condition=Q(parent__isnull=True, is_active=True),
            ),
            models.Index(
                fields=["price", "id"],
                name="shop_catalog_list_price",
                condition=Q(parent__isnull=True, is_active=True),
            ),
            models.Index(
                fields=["name", "id"], name="shop_catalog_list_name", condition=Q(parent__isnull=True, is_active=True)
            ),
            models.Index(
                fields=["rating_average", "id"],
                name="shop_catalog_list_rating",
                condition=Q(parent__isnull=True, is_active=True),
            ),
            models.Index(
                F("created_at").desc(),
                F("id").desc(),
                name="shop_catalog_list_featured",
                condition=Q(parent__isnull=True, is_active=True, is_featured=True),
            ),
            models.Index(
                fields=["id"], name="shop_catalog_list_keys", condition=Q(parent__isnull=True, is_active=True)
            ),
            models.Index(
                fields=["parent", "position"], name="shop_catalog_variants", condition=Q(parent__isnull=False)
            ),
            models.Index(fields=["price"], name="shop_catalog_active_price", condition=Q(is_active=True)),
            models.Index(fields=["id"], name="shop_catalog_scheduled", condition=Q(is_scheduled=True)),
            models.Index(fields=["id"], name="shop_catalog_low_stock", condition=Q(low_stock_threshold__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The URL of the product's page, or of its group's; empty without ``SHOP_CATALOG["PRODUCT_URL"]``."""
        name = app_settings.PRODUCT_URL
        if not name:
            return ""
        slug = self.parent.slug if self.parent is not None else self.slug
        return reverse(name, kwargs={"slug": slug})

    @property
    def currency(self) -> str:
        """ISO 4217 code; there is one for the whole catalogue."""
        return app_settings.CURRENCY

    @property
    def available_quantity(self) -> int:
        """The quantity on hand that is not reserved."""
        return self.stock_quantity - self.reserved_quantity

    @property
    def is_low_on_stock(self) -> bool:
        return self.low_stock_threshold is not None and self.available_quantity < self.low_stock_threshold

    @property
    def is_published(self) -> bool:
        """Active and within its publication times; a variant only if its group is too."""
        return self.is_published_at(timezone.now())

    def is_published_at(self, moment: datetime) -> bool:
        return self.is_published_ignoring_group_at(moment) and (
            self.parent is None or self.parent.is_published_ignoring_group_at(moment)
        )

    def is_published_ignoring_group_at(self, moment: datetime) -> bool:
        """Active and within its own publication times. A variant's group is not checked."""
        return (
            self.is_active
            and (self.publish_from is None or self.publish_from <= moment)
            and (self.publish_until is None or self.publish_until > moment)
        )

    @property
    def listed(self) -> Product:
        """The product that lists show: the group of a variant, otherwise the product itself."""
        return self.parent if self.parent is not None else self


class ProductCategory(models.Model):
    """A product in a category. Variants are in the categories of their group.

    ``listed_at`` is the product's ``created_at``, so that an index has the newest products of each category.
    ``is_hidden``: the product is not listed, and will not be at any of its publication times. The index for shoppers
    leaves these links out. ``facets.refresh`` writes it.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="category_links", db_index=False)
    category = models.ForeignKey(Category, models.CASCADE, related_name="product_links", db_index=False)
    position = models.PositiveIntegerField(default=0, help_text=_("Order of a product's categories and breadcrumbs."))
    listed_at = models.DateTimeField(default=timezone.now, editable=False)
    is_hidden = models.BooleanField(default=False, db_default=False, editable=False)

    product_id: int
    category_id: int

    class Meta:
        verbose_name = _("product's category")
        verbose_name_plural = _("product's categories")
        constraints = [
            models.UniqueConstraint(fields=["category", "product"], name="shop_catalog_one_link"),
        ]
        indexes = [
            models.Index(fields=["product", "category"], name="shop_catalog_links_of_product"),
            models.Index(F("category"), F("listed_at").desc(), F("product").desc(), name="shop_catalog_links_newest"),
            models.Index(
                F("category"),
                F("listed_at").desc(),
                F("product").desc(),
                name="shop_catalog_links_listed",
                condition=Q(is_hidden=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.category)


class PriceChange(models.Model):
    """A change of a price, for the lowest price of the last 30 days. ``None`` stands for no price."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="price_changes", db_index=False)
    event_id = models.UUIDField(default=uuid.uuid4, editable=False)
    old_price = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    new_price = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    product_id: int
    changed_by_id: Any

    class Meta:
        verbose_name = _("price change")
        verbose_name_plural = _("price changes")
        ordering = ["-changed_at", "-id"]
        indexes = [models.Index(fields=["product", "changed_at"], name="shop_catalog_price_history")]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.old_price} → {self.new_price}"
