"""Querysets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connections, models
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, Subquery
from django.db.models.lookups import IsNull
from django.utils import timezone
from mptt.managers import TreeManager
from mptt.querysets import TreeQuerySet

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_catalog.models import (  # noqa: F401 - the querysets' parameters
        Category,
        ImageFetch,
        Product,
        Review,
        StockMovement,
    )

ModelT = TypeVar("ModelT", bound=models.Model)


class CategoryQuerySet(TreeQuerySet["Category"]):
    """Categories in tree order. Bulk writes lock the tree."""

    def active(self) -> CategoryQuerySet:
        """Active categories. Their ancestors may be inactive: see ``categories.Node.is_visible``."""
        return self.filter(is_active=True)

    def in_subtree(self, category: Category) -> CategoryQuerySet:
        """A category and all below it."""
        return self.filter(tree_id=category.tree_id, lft__gte=category.lft, lft__lte=category.rght)

    def above(self, category: Category) -> CategoryQuerySet:
        """The ancestors of a category, root first."""
        return self.filter(tree_id=category.tree_id, lft__lt=category.lft, rght__gt=category.rght)

    def update(self, **values: Any) -> int:
        from shop_catalog.models.gate import write_gate

        with write_gate(using=self.db):
            return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete one by one, deepest first, so that every gap in the tree is closed.

        Raises:
            ProtectedError: one of them has children that are not deleted with it.
        """
        from shop_catalog.models.gate import write_gate

        deleted: dict[str, int] = {}
        with write_gate(using=self.db):
            for category in self.order_by("-level"):
                for label, count in category.delete(using=self.db)[1].items():
                    deleted[label] = deleted.get(label, 0) + count
        return sum(deleted.values()), deleted

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


class CategoryManager(TreeManager["Category"].from_queryset(CategoryQuerySet)):  # type: ignore[misc]
    """mptt's manager, except that methods which move nodes lock the tree and keep the order of siblings."""

    def move_node(self, node: Category, target: Category | None, position: str = "last-child") -> None:
        """Move a category to a place relative to another one. mptt's draggable admin calls this method.

        Raises:
            InvalidMove: the target is the category itself or below it.
        """
        node.move_to(target, position)

    def rebuild(self, batch_size: int = 1000, **filters: Any) -> None:
        from shop_catalog.models.gate import write_gate

        with write_gate(using=self.db):
            super().rebuild(batch_size=batch_size, **filters)


class ProductQuerySet(models.QuerySet["Product"]):
    def published(self, *, at: datetime | None = None) -> ProductQuerySet:
        """Active products within their publication times. A variant also needs a published group."""
        moment = at or timezone.now()
        return self.filter(published_at(moment)).filter(
            Q(parent__isnull=True) | published_at(moment, prefix="parent__"),
        )

    def listed(self) -> ProductQuerySet:
        """The products in lists: simple products and groups, not variants. Those without a price are not for sale."""
        return self.filter(parent__isnull=True, price__isnull=False)

    def sellable(self) -> ProductQuerySet:
        """The products that can be put into a cart: all but groups."""
        return self.exclude(kind="group")

    def in_subtree(self, category: Category) -> ProductQuerySet:
        """Products linked to a category or to one below it, each once. Variants are found by their group."""
        from shop_catalog.models import ProductCategory

        links = ProductCategory.objects.filter(
            category__tree_id=category.tree_id,
            category__lft__gte=category.lft,
            category__lft__lte=category.rght,
        )
        return self.filter(
            Exists(links.filter(product=OuterRef("pk"))) | Exists(links.filter(product=OuterRef("parent"))),
        )

    def related_to(self, product: Product) -> ProductQuerySet:
        """Other listed products that share a category with a product."""
        from shop_catalog.models import ProductCategory

        listed = product.parent_id or product.pk
        mine = ProductCategory.objects.filter(product=listed).values("category")
        shared = ProductCategory.objects.filter(product=OuterRef("pk"), category__in=mine)
        return self.listed().filter(Exists(shared)).exclude(pk=listed)

    def low_on_stock(self) -> ProductQuerySet:
        """Products whose available quantity is below their threshold."""
        return self.filter(low_stock_threshold__gt=F("stock_quantity") - F("reserved_quantity"))

    def by_sku(self, skus: Iterable[str]) -> dict[str, Product]:
        return {product.sku: product for product in self.filter(sku__in=list(skus))}


def published_at(moment: Any, *, prefix: str = "") -> Q:
    """Whether a product is published at a moment (a time or an expression). A variant's group is not checked."""
    return (
        Q(**{f"{prefix}is_active": True})
        & (Q(**{f"{prefix}publish_from__isnull": True}) | Q(**{f"{prefix}publish_from__lte": moment}))
        & (Q(**{f"{prefix}publish_until__isnull": True}) | Q(**{f"{prefix}publish_until__gt": moment}))
    )


def exists_for_row(rows: models.QuerySet[Any, Any], column: str = "pk") -> IsNull:
    """Whether one of the rows exists, looked up for each outer row when it is needed. ``column`` is not null.

    PostgreSQL may turn an EXISTS into a join, or into a table of all rows, which it reads before the first outer row.
    """
    return IsNull(Subquery(rows.values(column)[:1]), False)  # noqa: FBT003


def one_by_one(keys: models.QuerySet[Any, Any]) -> Any:
    """Whether a row has one of these keys. On PostgreSQL they are collected first, and then looked up.

    Given a subquery, it might read all rows instead, since it overestimates the keys.
    """
    if connections[keys.db].vendor != "postgresql":
        return Q(pk__in=keys)
    from django.contrib.postgres.expressions import ArraySubquery  # needs psycopg, which a site on SQLite lacks

    array = ArraySubquery(keys)
    return Func(F("pk"), array, template="%(expressions)s)", arg_joiner=" = ANY (", output_field=BooleanField())


def is_linked_below(product: Any, *, tree_id: Any, lft: Any, rght: Any) -> IsNull:
    """Whether a product is in a category's subtree, for a list that is read in order until a page is full.

    The few links of the product are read, and the category of each.
    """
    from shop_catalog.models import Category, ProductCategory

    categories = Category.objects.order_by().filter(
        pk=OuterRef("category"), tree_id=tree_id, lft__gte=lft, lft__lte=rght
    )
    links = ProductCategory.objects.filter(exists_for_row(categories), product=product)
    return exists_for_row(links, "product")


class ReviewQuerySet(models.QuerySet[Any]):
    def published(self) -> ReviewQuerySet:
        return self.filter(status="published")

    def pending(self) -> ReviewQuerySet:
        return self.filter(status="pending")


class StockMovementQuerySet(models.QuerySet[Any]):
    def unannounced(self) -> StockMovementQuerySet:
        """Crossings of the threshold or of zero that were not yet announced to all receivers."""
        return self.filter(announced_at__isnull=True).exclude(crossing="")


class ImageFetchQuerySet(models.QuerySet[Any]):
    def due(self, now: datetime) -> ImageFetchQuerySet:
        """Those to be fetched by now, the first images of each product first."""
        return self.filter(next_try_at__lte=now).order_by("next_try_at", "product", "position", "pk")

    def failed(self) -> ImageFetchQuerySet:
        """Those that were given up."""
        return self.filter(next_try_at=None, fetched_at=None)


# Type checkers without the plugin of django-stubs do not understand ``from_queryset``.
if TYPE_CHECKING:

    class ProductManager(ProductQuerySet, models.Manager["Product"]):  # type: ignore[misc]
        """The type of ``Product.objects``."""

    class RelatedProducts(ProductManager, RelatedManager["Product"]):  # type: ignore[misc]
        """The type of ``product.variants``."""

    class ReviewManager(ReviewQuerySet, models.Manager["Review"]):  # type: ignore[misc]
        """The type of ``Review.objects``."""

    class RelatedReviews(ReviewManager, RelatedManager["Review"]):  # type: ignore[misc]
        """The type of ``product.reviews``."""

    class StockMovementManager(StockMovementQuerySet, models.Manager["StockMovement"]):  # type: ignore[misc]
        """The type of ``StockMovement.objects``."""

    class RelatedStockMovements(StockMovementManager, RelatedManager["StockMovement"]):  # type: ignore[misc]
        """The type of ``product.stock_movements``."""

    class ImageFetchManager(ImageFetchQuerySet, models.Manager["ImageFetch"]):  # type: ignore[misc]
        """The type of ``ImageFetch.objects``."""

else:
    ProductManager = models.Manager.from_queryset(ProductQuerySet)
    ReviewManager = models.Manager.from_queryset(ReviewQuerySet)
    StockMovementManager = models.Manager.from_queryset(StockMovementQuerySet)
    ImageFetchManager = models.Manager.from_queryset(ImageFetchQuerySet)
