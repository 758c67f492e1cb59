"""The products that match filters, as a queryset with parameters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from enum import StrEnum
from typing import Any

from django.db.models import BooleanField, Case, Exists, F, Func, OuterRef, Q, QuerySet, Value, When
from shop_core.db.compiled import LiteralInteger

from shop_catalog.browsing.filters import Filters, places_for
from shop_catalog.managers import exists_for_row, is_linked_below, one_by_one, published_at
from shop_catalog.models import Category, Product, ProductCategory, ProductKind
from shop_catalog.models.numbers import NumbersField, Overlaps
from shop_catalog.search import backend


class Reading(StrEnum):
    """How a list finds its page.

    ``FREELY``: as the database chooses. ``IN_ORDER``: in list order, checking each product. ``IN_WINDOW``: the same,
    but only among the next ``WINDOW`` products, so that the whole shop is not read if few products match.
    ``IN_WINDOW_OF_4`` and ``IN_WINDOW_OF_16``: among so many times more, if some of the first match. ``COLLECTED``:
    all matching products, sorted. ``COLLECTED_BELOW``: the same, but the category is large, so it is looked up for
    each of them. ``FROM_LEAF``, ``FROM_LEAVES``, ``FROM_RELATED``: the newest links of a category, of each category of
    a subtree, or of each category of a product, by their index. ``ALL_BELOW``: all products of a subtree, found by
    its links and sorted.
    """

    FREELY = "free"
    IN_ORDER = "order"
    IN_WINDOW = "window"
    IN_WINDOW_OF_4 = "window of 4"
    IN_WINDOW_OF_16 = "window of 16"
    COLLECTED = "all"
    COLLECTED_BELOW = "all, checked"
    FROM_LEAF = "leaf"
    FROM_LEAVES = "leaves"
    FROM_RELATED = "related"
    ALL_BELOW = "all below"


FROM_LINKS = {Reading.FROM_LEAF, Reading.FROM_LEAVES, Reading.FROM_RELATED}

WINDOW = 1000
WINDOWS = {Reading.IN_WINDOW: 1, Reading.IN_WINDOW_OF_4: 4, Reading.IN_WINDOW_OF_16: 16}
"""How many times ``WINDOW`` products are searched."""


def matching_products(
    p: Any, filters: Filters, *, search: Hashable = None, reading: Reading = Reading.FREELY, by_relevance: bool = False
) -> QuerySet[Any, Any]:
    """``search`` is the shape of a prepared search. ``by_relevance``: the list is ordered by relevance.

    ``reading`` says how a list finds its page, and so how the category is looked for.
    """
    products: QuerySet[Any, Any] = Product.objects.filter(parent__isnull=True)
    if not filters.with_unpublished:
        products = products.filter(published_at(p("now", product_field("publish_from"))), price__isnull=False)
    if filters.category:
        products = _in_subtree(p, products, filters, reading=reading)
    products = products.filter(*_conditions(p, filters))
    if filters.related_to and reading != Reading.FROM_RELATED:
        products = _related(p, products)
    for wanted in wanted_terms(p, filters):
        products = products.filter(Overlaps(F("listing_terms__terms"), *wanted))
    if filters.q and search is not None:
        products = backend(Product).narrow(products, p, search)
    elif filters.q:
        found = backend(Product).best if by_relevance else backend(Product).search
        products = found(products, filters.q)
    return products


def _in_subtree(p: Any, products: QuerySet[Any, Any], filters: Filters, *, reading: Reading) -> QuerySet[Any, Any]:
    """Unless the list is read in order, the bounds are literals, so that the plan suits the size of this subtree."""
    names = ("tree_id", "lft", "rght")
    if reading in FROM_LINKS:
        return products  # the list begins with the links of the category
    if reading in {Reading.IN_ORDER, Reading.COLLECTED_BELOW, *WINDOWS}:
        bounds = {name: p(name, Category._meta.get_field(name)) for name in names}
        return products.filter(is_linked_below(OuterRef("pk"), **bounds))
    if reading == Reading.COLLECTED:
        return products.filter(Overlaps(F("listing_terms__terms"), p("below", NumbersField()), is_set=True))
    tree_id, lft, rght = (p(name, LiteralInteger()) for name in names)
    links = ProductCategory.objects.filter(category__tree_id=tree_id, category__lft__gte=lft, category__lft__lte=rght)
    if reading == Reading.ALL_BELOW:
        links = links if filters.with_unpublished else links.filter(is_hidden=False)
        return products.filter(one_by_one(links.values("product_id")))
    return products.filter(Exists(links.filter(product=OuterRef("pk"))))


def newest_links(p: Any, filters: Filters, *, limit: int, reading: Reading) -> Callable[[Any], Any]:
    """A function that makes a queryset of the newest products of a category, or of each of several categories.

    Its argument is the condition of a keyset page, or ``None`` for the first page. The products are read from an
    index.
    """

    def links(category: Any, after: Any) -> QuerySet[Any, Any]:
        found = ProductCategory.objects.filter(category=category)
        if not filters.with_unpublished:
            now = p("now", product_field("publish_from"))
            is_listed = Q(published_at(now, prefix="product__"), product__price__isnull=False)
            found = found.filter(is_listed, is_hidden=False)
        if reading == Reading.FROM_RELATED:
            found = found.exclude(product__slug=p("related_to", product_field("slug")))
        if after is not None:
            found = found.filter(after)
        return found.order_by("-listed_at", "-product_id").values("product_id")[:limit]

    if reading == Reading.FROM_LEAF:
        return lambda after: links(p("category_id", Category._meta.get_field("id")), after)
    from django.contrib.postgres.expressions import ArraySubquery  # needs psycopg, which a site on SQLite lacks

    categories, key = _categories_of_product(p) if reading == Reading.FROM_RELATED else _categories_below(p)
    return lambda after: categories.values_list(
        Func(ArraySubquery(links(OuterRef(key), after)), function="unnest", output_field=product_field("id"))
    )


def _categories_below(p: Any) -> tuple[QuerySet[Any, Any], str]:
    """The categories of a subtree, and the column of their keys."""
    tree_id, lft, rght = (p(name, LiteralInteger()) for name in ("tree_id", "lft", "rght"))
    return Category.objects.order_by().filter(tree_id=tree_id, lft__gte=lft, lft__lte=rght), "pk"


def _categories_of_product(p: Any) -> tuple[QuerySet[Any, Any], str]:
    """The categories of a product, and the column of their keys."""
    slug = p("related_to", product_field("slug"))
    return ProductCategory.objects.order_by().filter(product__slug=slug), "category_id"


def _conditions(p: Any, filters: Filters) -> Iterator[Q]:
    if filters.min_price is not None:
        yield Q(price__gte=p("min_price", product_field("price")))
    if filters.max_price is not None:
        yield Q(price__lte=p("max_price", product_field("price")))
    if filters.featured is not None:
        yield Q(is_featured=filters.featured)
    if filters.rating is not None:
        yield Q(rating_average__gte=p("rating", product_field("rating_average")))


def _related(p: Any, products: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
    slug = p("related_to", product_field("slug"))
    mine = ProductCategory.objects.filter(Q(product__slug=slug)).values("category")
    shared = ProductCategory.objects.filter(product=OuterRef("pk"), category__in=mine)
    return products.filter(Exists(shared)).exclude(Q(slug=slug))


def wanted_terms(p: Any, filters: Filters) -> Iterator[list[Any]]:
    """Sets of terms. The product, or one of its variants, must have at least one term of each set."""
    if filters.in_stock is not None:
        yield [p("stock", LiteralInteger())]
    for number, texts in enumerate(filters.wanted.values()):
        yield [p(f"attribute{number}_{place}", LiteralInteger()) for place in range(places_for(len(texts)))]


def has_stock() -> Q:
    """Whether the product has stock; for a group, whether an active variant has."""
    variants = Product.objects.filter(parent=OuterRef("pk"), is_active=True, stock_quantity__gt=F("reserved_quantity"))
    return Q(stock_quantity__gt=F("reserved_quantity")) | Q(Q(kind=ProductKind.GROUP), exists_for_row(variants))


def has_stock_column() -> Case:
    """``has_stock`` as a column."""
    return Case(When(has_stock(), then=Value(True)), default=Value(False), output_field=BooleanField())  # noqa: FBT003


def product_field(name: str) -> Any:
    return Product._meta.get_field(name)
